"""Scores of the poems of a text for their form, with reasons for each line, as in ``rlpoet score``.

Plain data only: ``rlpoet.reporting.poems`` draws it, and ``dataclasses.asdict`` gives its JSON.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet import registry
from rlpoet.corpus.given import verse_or_poems
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.poems import labelled_form
from rlpoet.evaluation.recognition import recognize
from rlpoet.languages import code_of
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.fit import has_its_lines
from rlpoet.prosody.forms import form as find_form
from rlpoet.prosody.forms import sized
from rlpoet.prosody.meter import scan_within
from rlpoet.prosody.notation import is_open
from rlpoet.prosody.rhyme import find_poem_scheme, find_scheme
from rlpoet.protocols import Reward
from rlpoet.text import stanzas
from rlpoet.types import Form, Prompt

# options of rewards for poems of models, for poems by people, and for those whose form nobody asked for
BY_PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "rhyme": {"known_only": False, "refrains": True},
    "lexicon": {"any_capital": True},
    "alternation": {"known_only": False},
}
OPTIONS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "strict": {},
    "people": BY_PEOPLE,
    "guessed": {**BY_PEOPLE, "rhyme": {**BY_PEOPLE["rhyme"], "historical": True}},
}


@dataclass(frozen=True)
class ScoredPoem:
    """One poem with its scores and their reasons. Tuples have one entry per line.

    Attributes:
        lines: the poem, NFC, without blank lines.
        asked: scheme letters of the form, with spaces between stanzas; ``""`` if no form fits.
        found: scheme letters of the actual rhymes, one per line over the whole poem, no spaces.
        syllables: number of metrical syllables in the chosen reading.
        targets: admissible numbers of syllables; ``()`` if the form leaves the line's length free.
        scores: reward name -> score in [0, 1]; None if the form does not ask for it.
        reasons: reasons for the line's scores, at most one sentence per reward, ``"rhyme: rhymes with line 1 (riche, -ombre)"``.
        tails: the part of the line's last word, as spelt, that must rhyme; ``""`` if there is no word.
        lang: code of its language, ``fr``.
        form: name of the form; of a scheme of its own that scheme with its lengths, ``aaxa/10|11/consonant``. None if none was given and
            neither rhymes nor lengths are regular.
        guessed: True if the form was not given: then it is one that the poem keeps, or what is heard in it.
        start: number of the poem's first line in its file, from 1.
        stanzas: number of lines of each stanza as it is printed; ``()`` if unknown.
        title: of the poem in the corpus it was read from; ``""`` if unknown.
        credits: reward name -> credit of the line alone, in [0, 1]; a reward without credit per line is absent.
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
    stanzas: tuple[int, ...] = ()
    title: str = ""


def score(poem: str, lang: str, form: str | None = None, *, known_only: bool = False) -> ScoredPoem:
    r"""Score one poem for its form, with every registered reward; ``score_text`` takes a text of several poems.

    Args:
        form: name of the form, or a scheme with lengths (``aaba/10|11``); by default what is heard (``recognition.recognize``).
        known_only: whether words that no lexicon has earn nothing, as for poems of models.

    Raises:
        RlpoetError: no poem in the text, or several.
        UnknownName: no such language or form.

    >>> told = score("Ici gît dans la nuit sombre\nUn poète sans nul nombre", "fr", "couplet")
    >>> told.scores["rhyme"], told.syllables
    (1.0, (7, 7))
    """
    poems = score_text(poem, lang, form, known_only=known_only)
    if len(poems) > 1:
        raise RlpoetError(
            f"poem: {len(poems)} poems in the text; expected one. Score each alone, name the form they make together, or use score_text."
        )
    return poems[0]


def score_file(
    path: str | Path, lang: str, form: str | None = None, *, rewards: Sequence[Reward] | None = None, known_only: bool = False
) -> tuple[ScoredPoem, ...]:
    """Score the poems of a source that ``rlpoet corpus`` reads, ``-`` for standard input; see ``score_text``.

    A text is scored as it is written; of a table, TEI, JSON Lines, an ebook or a folder each poem is scored alone.

    Raises:
        RlpoetError: no such file, one that cannot be read as poems, an empty file, bytes that are not UTF-8.
        UnknownName: no such language or form.
    """
    poem_form = find_form(form, lang) if form is not None else None
    name = poem_form.name if poem_form else None
    found = verse_or_poems(path)
    if isinstance(found, str):
        return score_text(found, lang, name, rewards=rewards, where=str(path), known_only=known_only)
    scored: list[ScoredPoem] = []
    for poem in found:
        under = labelled_form(poem.columns.get("heading", ""), lang)
        own = score_text(poem.text, lang, name or under, rewards=rewards, where=str(path), known_only=known_only or under is not None)
        scored += (dataclasses.replace(one, title=poem.title) for one in own)
    return tuple(scored)


def score_text(
    text: str,
    lang: str,
    form: str | None = None,
    *,
    rewards: Sequence[Reward] | None = None,
    where: str = "text",
    known_only: bool = False,
    headings: bool = True,
) -> tuple[ScoredPoem, ...]:
    """Score every poem of a text.

    With a form of one stanza, each block between blank lines is a poem. With a form of several stanzas, consecutive blocks are joined
    until they have all its lines. A form of any length is one poem. Without a form, the whole text is one poem, and what is heard in it is
    its form: one of the table that it keeps, else its own scheme over all stanzas and the lengths that most lines have.

    A line that begins with ``# `` is a heading and no verse: each poem stands under its own. A heading by ``rlpoet generate --out`` names
    the form of the poems under it, unless ``form`` does; they are scored as with ``known_only``.

    Args:
        form: name of the form, or a scheme with lengths (``aaba/10|11``).
        rewards: the rewards to use; None for every registered reward with its defaults that can judge the language.
        known_only: whether words that no lexicon has earn nothing, as in training. People's poems have names and old words, so by default
            a guess of how a word sounds may rhyme, and a capital makes a name. Of no effect with ``rewards``.
        headings: False where the text is what a policy wrote, whose every line is a line.

    Raises:
        RlpoetError: no line in the text.
        UnknownName: no such language or form.
    """
    sections = _sections(text, lang) if headings else [(None, _numbered(_rows(text), 0))]
    if not any(blocks for _, blocks in sections):
        raise RlpoetError(f"{where}: no line of verse; expected a poem.")
    scored: list[ScoredPoem] = []
    terms = functools.cache(lambda how: list(registry.rewards_for(lang, OPTIONS[how]).values()))
    for named, blocks in sections:
        strict = known_only or named is not None
        if blocks:
            how = "strict" if strict else "people" if form or named else "guessed"
            scored += _of_section(blocks, lang, form or named, rewards if rewards is not None else terms(how), strict)
    return tuple(scored)


def _of_section(
    blocks: Sequence[tuple[int, list[str]]], lang: str, form: str | None, rewards: Sequence[Reward], strict: bool
) -> tuple[ScoredPoem, ...]:
    """The poems between two headings."""
    if form is None:
        poem_form, found = recognize([lines for _, lines in blocks], lang)
        poems = [(blocks[0][0], [line for _, lines in blocks for line in lines])]
        return tuple(_score(start, lines, poem_form, found, lang, rewards, blocks, guessed=True) for start, lines in poems)
    asked = find_form(form, lang)
    find = find_scheme if strict else find_poem_scheme
    return tuple(
        _score(start, lines, sized(asked, len(lines)) or asked, find(lines, lang), lang, rewards, blocks)
        for start, lines in _grouped(blocks, asked)
    )


def _sections(text: str, lang: str) -> list[tuple[str | None, list[tuple[int, list[str]]]]]:
    """The stanzas under each heading (``# ...``), with the form that it names; stanzas begin with the number of their first line."""
    rows = _rows(text)
    ends = [*(n for n, row in enumerate(rows) if row.startswith("# ")), len(rows)]
    under = [(labelled_form(rows[head], lang), _numbered(rows[head + 1 : end], head + 1)) for head, end in itertools.pairwise(ends)]
    return [(None, _numbered(rows[: ends[0]], 0)), *under]


def _rows(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _numbered(rows: Sequence[str], before: int) -> list[tuple[int, list[str]]]:
    """Stanzas, each with the number of its first line in a text of which ``before`` lines came before."""
    blocks, at = [], 0
    filled = [bool(row.strip()) for row in rows]
    for block in stanzas("\n".join(rows)):
        at = filled.index(True, at)
        blocks.append((before + at + 1, block))
        at += len(block)
    return blocks


def _grouped(blocks: Sequence[tuple[int, list[str]]], poem_form: Form) -> list[tuple[int, list[str]]]:
    """The poems of a form, each with the number of its first line."""
    whole = [(blocks[0][0], [line for _, lines in blocks for line in lines])]
    complete = all(has_its_lines(lines, poem_form) for _, lines in blocks)
    if is_open(poem_form.notation):
        return list(blocks) if complete and " " not in poem_form.scheme else whole
    if " " not in poem_form.scheme:  # the letters of a scheme of one's own may be given without the breaks between stanzas
        return whole if "/" in poem_form.name and not complete and has_its_lines(whole[0][1], poem_form) else list(blocks)
    poems: list[tuple[int, list[str]]] = []
    for start, lines in blocks:
        if poems and len(poems[-1][1]) < poem_form.n_lines:
            poems[-1] = (poems[-1][0], poems[-1][1] + lines)
        else:
            poems.append((start, lines))
    return poems


def _score(
    start: int,
    lines: Sequence[str],
    poem_form: Form | None,
    found: str,
    lang: str,
    rewards: Sequence[Reward],
    blocks: Sequence[tuple[int, list[str]]],
    *,
    guessed: bool = False,
) -> ScoredPoem:
    targets = tuple(poem_form.meters[n] if poem_form and n < poem_form.n_lines else () for n in range(len(lines)))
    scores: dict[str, float | None] = {}
    reasons: list[list[str]] = [[] for _ in lines]
    gained: list[dict[str, float]] = [{} for _ in lines]
    for explained in [reward.explain(Prompt(lang, poem_form.name), "\n".join(lines)) for reward in rewards] if poem_form else []:
        scores[explained.name] = explained.score
        for line_reasons, earned, row in zip(reasons, gained, explained.lines, strict=False):
            if row.reason:
                line_reasons.append(f"{explained.name}: {row.reason}")
            if row.score is not None:
                earned[explained.name] = row.score
    return ScoredPoem(
        lines=tuple(lines),
        asked=poem_form.scheme if poem_form else "",
        found=found,
        syllables=tuple(scan_within(line, lang, lengths).syllables for line, lengths in zip(lines, targets, strict=True)),
        targets=targets,
        scores=scores,
        reasons=tuple(tuple(line_reasons) for line_reasons in reasons),
        tails=tuple(end_of(line, lang).tail for line in lines),
        lang=code_of(lang),
        form=poem_form.name if poem_form else None,
        guessed=guessed and poem_form is not None,
        start=start,
        credits=tuple(gained),
        stanzas=tuple(len(block) for at, block in blocks if start <= at < start + len(lines) + len(blocks)),
    )
