"""What the pad shows of a text as it is typed: rhyme letters, syllables, césures, reasons; and one line in full.

Nothing is analysed here: ``rlpoet.evaluation.score`` and ``rlpoet.prosody.explain`` do it, as for ``rlpoet score`` and ``rlpoet explain``.
Lines that did not change cost next to nothing, since what is heard of a line is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from rlpoet.evaluation.score import OPTIONS, ScoredPoem, score_text
from rlpoet.prosody.explain import explain
from rlpoet.prosody.meter import scan_within
from rlpoet.protocols import Reward
from rlpoet.registry import rewards_for
from rlpoet.reporting.explanations import line_facts, word_rows
from rlpoet.reporting.poems import about, drawn, syllables_of
from rlpoet.text import stanzas

HEADING = "# "  # begins a line that is no verse
MOST_SLIP = 2  # syllables that a line may be too long or too short by mistake
WARM = "amor"  # a line for which the tables of a language are read


def warm(lang: str) -> None:
    """Read the tables of a language, so that the first line typed need not wait for them."""
    analyse(WARM, lang)
    line_in_full(WARM, lang)


def analyse(text: str, lang: str, form: str | None = None) -> dict[str, Any]:
    """A text with what is heard in it.

    Args:
        text: verse; blank lines part stanzas, a line that begins with ``# `` is a heading.
        form: name of a form, or a scheme with lengths; None: what is heard is the form.

    Returns:
        ``rows``: one entry per line of the text, None for a blank line and for a heading. ``poems``: what is said of each poem as a whole.

    Raises:
        UnknownName: no such language or form.
    """
    typed = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    rows: list[dict[str, Any] | None] = [None] * len(typed)
    if not any(stanzas(row) for row in typed if not row.startswith(HEADING)):
        return {"rows": rows, "poems": []}
    poems = score_text(text, lang, form, rewards=_rewards(lang, "people" if form else "guessed"))
    for number, poem in enumerate(poems):
        at = poem.start - 1
        for row in poem_rows(poem, lang):
            while not stanzas(typed[at]):
                at += 1
            rows[at] = {**row, "poem": number}
            at += 1
    return {"rows": rows, "poems": [_whole(poem) for poem in poems]}


def poem_rows(poem: ScoredPoem, lang: str) -> list[dict[str, Any]]:
    """One entry per line of a poem, as plain data; ``gap`` says that a stanza begins with it."""
    rows: list[dict[str, Any]] = []
    gap = False
    for line in drawn(poem):
        if line is None:
            gap = True
            continue
        n = len(rows)
        count = _held_against_others(poem, n)
        marks, caesura = _marks(poem.lines[n], lang, poem.targets[n])
        rows.append(
            {
                "letter": line.letter,
                "hue": line.hue,
                "head": line.head,
                "tail": line.tail,
                "rest": line.rest,
                "count": count or line.count,
                "in_meter": line.in_meter and not count,
                "caesura": caesura,
                "reasons": line.reasons,
                "syllables": marks,
                "lengths": poem.targets[n],
                "gap": gap,
            }
        )
        gap = False
    return rows


def _held_against_others(poem: ScoredPoem, n: int) -> str:
    """``11≠12`` for a line that is a little too long or too short beside lines of one length; empty for any other.

    A form that is heard leaves such a line free, and no reward counts it. But it is what a poet looks for while writing. A line of quite
    another length is meant.
    """
    usual = {lengths for lengths in poem.targets if lengths}
    if not poem.guessed or poem.targets[n] or len(usual) != 1:
        return ""
    (lengths,) = usual
    slip = min(abs(poem.syllables[n] - length) for length in lengths)
    return f"{poem.syllables[n]}≠{'|'.join(map(str, lengths))}" if slip <= MOST_SLIP else ""


def whole(poem: ScoredPoem, lang: str) -> dict[str, Any]:
    """A poem as plain data: what is said of it, and its lines."""
    return {**_whole(poem), "lang": lang, "text": printed(poem), "rows": poem_rows(poem, lang)}


def printed(poem: ScoredPoem) -> str:
    """The text of a poem, with a blank line before each stanza but the first."""
    lines = iter(poem.lines)
    return "\n".join("" if line is None else next(lines) for line in drawn(poem))


@functools.lru_cache(maxsize=4096)
def line_in_full(line: str, lang: str, lengths: tuple[int, ...] = ()) -> dict[str, Any]:
    """One line with all that is known of it: what ``rlpoet explain`` says.

    Args:
        lengths: metrical lengths its form allows; empty: any.

    Raises:
        UnknownName: no such language.
    """
    reading = scan_within(line, lang, lengths)
    told = explain(line, lang, target=reading.syllables if reading.fits else None)
    return {"facts": line_facts(told), "words": word_rows(told) if told.words else [], "syllables": syllables_of(told.scansion)}


def _whole(poem: ScoredPoem) -> dict[str, Any]:
    return {"about": about(poem), "form": poem.form, "guessed": poem.guessed, "scheme": poem.asked, "heard": poem.found}


@functools.lru_cache(maxsize=16)
def _rewards(lang: str, options: str) -> Sequence[Reward]:
    """The rewards of ``rlpoet score``; what is installed is read once."""
    return tuple(rewards_for(lang, OPTIONS[options]).values())


@functools.lru_cache(maxsize=4096)
def _marks(line: str, lang: str, lengths: tuple[int, ...]) -> tuple[tuple[tuple[str, str], ...], str]:
    """The syllables of a line, and ``6+6`` where it has a caesura."""
    scansion = scan_within(line, lang, lengths)
    halves = "" if scansion.caesura is None else f"{scansion.caesura}+{scansion.syllables - scansion.caesura}"
    return syllables_of(scansion), halves
