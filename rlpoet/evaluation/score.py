"""What ``rlpoet score`` shows: poems read from a text, held against a form, with reasons line by line.

Plain data only; ``rlpoet.reporting.poems`` draws it and ``dataclasses.asdict`` is its JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlpoet import registry
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import guess_form
from rlpoet.prosody.forms import form as find_form
from rlpoet.prosody.meter import scan_within
from rlpoet.prosody.rhyme import find_scheme
from rlpoet.protocols import Reward
from rlpoet.text import read_text, stanzas
from rlpoet.types import Form, Prompt


@dataclass(frozen=True)
class ScoredPoem:
    """One poem and everything a reader may ask about its scores. Tuples have one entry a line.

    Attributes:
        lines: the poem, NFC, without blank lines.
        asked: scheme letters the form asks for, spaces between stanzas; ``""`` when no form fits.
        found: scheme letters heard, one a line, no spaces.
        syllables: metrical count of the reading shown.
        targets: admissible counts; ``()`` where the form says nothing of that line.
        scores: reward name -> score in [0, 1]; None where the form does not ask for it.
        reasons: why the line got its scores, one sentence a reward that has something to say,
            ``"rhyme: rhymes with line 1 (riche, -ombre)"``.
        tails: the part of the line's last word, as spelt, that has to rhyme; ``""`` if there is no word.
        lang: code of its language, ``fr``.
        form: name of the form, or None when none was given and none fits.
        guessed: True when the form was not given but is the likeliest one.
        start: number of the poem's first line in its file, from 1.
        credits: reward name -> what the line itself earned, in [0, 1]; a reward that does not tell its lines apart is absent.
    """

    lines: tuple[str, ...]
    asked: str
    found: str
    syllables: tuple[int, ...]
    targets: tuple[tuple[int, ...], ...]
    scores: Mapping[str, float | None]
    reasons: tuple[tuple[str, ...], ...]
    tails: tuple[str, ...]
    lang: str = ""
    form: str | None = None
    guessed: bool = False
    start: int = 1
    credits: tuple[Mapping[str, float], ...] = ()


def score(poem: str, lang: str, form: str | None = None) -> ScoredPoem:
    r"""Hold one poem against its form, with every registered reward; ``score_text`` takes a text of several poems.

    Args:
        form: name of the form; without it the likeliest one, if there is one.

    Raises:
        RlpoetError: no poem in the text, or several.
        UnknownName: no such language or form.

    >>> told = score("Ici gît dans la nuit sombre\nUn poète sans nul nombre", "fr", "couplet")
    >>> told.scores["rhyme"], told.syllables
    (1.0, (7, 7))
    """
    found = score_text(poem, lang, form)
    if len(found) > 1:
        raise RlpoetError(
            f"poem: {len(found)} poems in the text; expected one. Score each alone, name the form they make together, or use score_text."
        )
    return found[0]


def score_file(path: str | Path, lang: str, form: str | None = None, *, rewards: Sequence[Reward] | None = None) -> tuple[ScoredPoem, ...]:
    """Score the poems of a text file, ``-`` for standard input; see ``score_text``.

    Raises:
        RlpoetError: no such file, a folder, an empty file, bytes that are not UTF-8.
        UnknownName: no such language or form.
    """
    asked = find_form(form, lang) if form is not None else None
    return score_text(read_text(path), lang, asked.name if asked else None, rewards=rewards, where=str(path))


def score_text(
    text: str, lang: str, form: str | None = None, *, rewards: Sequence[Reward] | None = None, where: str = "text"
) -> tuple[ScoredPoem, ...]:
    """Score every poem of a text.

    A form of one stanza makes each block between blank lines a poem. A form of several stanzas takes consecutive
    blocks together until it has all its lines. Without a form each block is a poem and its form the likeliest one of
    its number of lines, except that the whole text is tried first as a form of several stanzas.

    Args:
        rewards: what to score with; None for every registered reward with its defaults.

    Raises:
        RlpoetError: no line in the text.
        UnknownName: no such language or form.
    """
    blocks = _numbered(text)
    if not blocks:
        raise RlpoetError(f"{where}: no line of verse; expected a poem.")
    terms = rewards if rewards is not None else [reward() for reward in registry.load_all("rlpoet.rewards").values()]
    if form is not None:
        asked = find_form(form, lang)
        return tuple(_score(start, lines, lang, asked, terms) for start, lines in _grouped(blocks, asked))
    whole = [line for _, lines in blocks for line in lines]
    long_form = guess_form(whole, lang)
    if len(blocks) > 1 and long_form and " " in long_form.scheme:
        return (_score(blocks[0][0], whole, lang, long_form, terms, guessed=True),)
    return tuple(_score(start, lines, lang, guess_form(lines, lang), terms, guessed=True) for start, lines in blocks)


def _numbered(text: str) -> list[tuple[int, list[str]]]:
    """Stanzas, each with the number of its first line in the text."""
    blocks, at = [], 0
    rows = [bool(row.strip()) for row in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")]
    for block in stanzas(text):
        at = rows.index(True, at)
        blocks.append((at + 1, block))
        at += len(block)
    return blocks


def _grouped(blocks: Sequence[tuple[int, list[str]]], asked: Form) -> list[tuple[int, list[str]]]:
    if " " not in asked.scheme:
        return list(blocks)
    poems: list[tuple[int, list[str]]] = []
    for start, lines in blocks:
        if poems and len(poems[-1][1]) < asked.n_lines:
            poems[-1] = (poems[-1][0], poems[-1][1] + lines)
        else:
            poems.append((start, lines))
    return poems


def _score(
    start: int, lines: Sequence[str], lang: str, asked: Form | None, rewards: Sequence[Reward], *, guessed: bool = False
) -> ScoredPoem:
    targets = tuple(asked.meters[n] if asked and n < asked.n_lines else () for n in range(len(lines)))
    scores: dict[str, float | None] = {}
    reasons: list[list[str]] = [[] for _ in lines]
    gained: list[dict[str, float]] = [{} for _ in lines]
    for told in [reward.explain(Prompt(lang, asked.name), "\n".join(lines)) for reward in rewards] if asked else []:
        scores[told.name] = told.score
        for own, earned, row in zip(reasons, gained, told.lines, strict=False):
            if row.reason:
                own.append(f"{told.name}: {row.reason}")
            if row.score is not None:
                earned[told.name] = row.score
    return ScoredPoem(
        lines=tuple(lines),
        asked=asked.scheme if asked else "",
        found=find_scheme(lines, lang),
        syllables=tuple(scan_within(line, lang, lengths).syllables for line, lengths in zip(lines, targets, strict=True)),
        targets=targets,
        scores=scores,
        reasons=tuple(tuple(own) for own in reasons),
        tails=tuple(end_of(line, lang).tail for line in lines),
        lang=code_of(lang),
        form=asked.name if asked else None,
        guessed=guessed and asked is not None,
        start=start,
        credits=tuple(gained),
    )
