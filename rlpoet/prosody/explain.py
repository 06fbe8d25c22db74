"""Why a line scans and why two lines rhyme: everything a language knows about them, as plain data.

Nothing here decides. What is heard, what counts and why comes from the language's ``Verse``; this module asks each of
its seams once and lays the answers side by side, so that any language with those seams can be explained.
``rlpoet.reporting.explanations`` draws the result and ``dataclasses.asdict`` is its JSON.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from dataclasses import dataclass
from typing import TypeVar

from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.types import Ending, Scansion, SpokenWord

Base = TypeVar("Base", Ending, Scansion)


@dataclass(frozen=True)
class LineExplained:
    """One line and all that was heard in it.

    Attributes:
        line: the line as given.
        lang: code of the language, with its variety if one was asked for.
        target: syllables the line was held against, or None.
        meter: what the tradition calls the reading, or empty.
        scansion: the reading; with a target, the best one of that length if one is licensed.
        words: what is heard, word by word.
        endings: what the line offers to a rhyme, one entry a pronunciation, likeliest first.
        tail: first and last position + 1, in ``line``, of the letters that have to rhyme; ``(n, n)`` where they cannot be told.
        guessed: words whose sounds or syllables are guesses, in the order of the line.
    """

    line: str
    lang: str
    target: int | None
    meter: str
    scansion: Scansion
    words: tuple[SpokenWord, ...]
    endings: tuple[Ending, ...]
    tail: tuple[int, int]
    guessed: tuple[str, ...]


@dataclass(frozen=True)
class PairHeard:
    """Two endings held against each other.

    Attributes:
        a, b: one pronunciation of either line's end.
        kind: how these two rhyme, or None.
        why: short sentences on what that rests on.
    """

    a: Ending
    b: Ending
    kind: str | None
    why: tuple[str, ...]


@dataclass(frozen=True)
class RhymeExplained:
    """Two lines and every way they could have rhymed.

    Attributes:
        a, b: the lines as given.
        lang: code of the language, with its variety if one was asked for.
        kind: how they rhyme, as ``rhyme_kind`` says, or None.
        full: whether that kind counts as a full rhyme.
        pairs: every pronunciation of one end with every one of the other; empty where a line has no word.
        decided: which of ``pairs`` gave the answer, or None where no pair rhymes.
        why: the sentences of that pair, of the likeliest pair where none rhymes.
    """

    a: str
    b: str
    lang: str
    kind: str | None
    full: bool
    pairs: tuple[PairHeard, ...]
    decided: int | None
    why: tuple[str, ...]


def explain(line: str, lang: str, *, target: int | None = None) -> LineExplained:
    """What is heard in a line, how it scans, and what decided.

    Args:
        lang: code of a language, ``fr``.
        target: syllables the line should have; a licensed reading of that length is preferred, ``scansion.fits`` says if there is one.

    Raises:
        UnknownName: no such language.

    >>> told = explain("Sous le pont Mirabeau coule la Seine", "fr")
    >>> told.scansion.syllables, told.line[slice(*told.tail)], told.endings[0].gender
    (10, 'eine', 'f')
    """
    language = verse(lang)
    scansion, words, endings = language.scan(line, target), language.words(line, target), language.endings(line)
    return LineExplained(
        line,
        lang,
        target,
        language.meter_name(scansion) if words else "",
        _base_fields(Scansion, scansion),
        words,
        tuple(_base_fields(Ending, ending) for ending in endings),
        _tail(line, words, endings),
        _guessed(line, words, scansion),
    )


def explain_rhyme(a: str, b: str, lang: str) -> RhymeExplained:
    """How two lines or words rhyme, which of their pronunciations do, and why.

    Raises:
        UnknownName: no such language.

    >>> told = explain_rhyme("ombre", "sombre", "fr")
    >>> told.kind == rhyme_kind("ombre", "sombre", "fr"), told.full, told.decided
    (True, True, 0)
    """
    language = verse(lang)
    firsts, seconds = language.endings(a), language.endings(b)
    pairs = tuple(
        PairHeard(_base_fields(Ending, x), _base_fields(Ending, y), language.kind(x, y), language.why(x, y))
        for x in firsts
        for y in seconds
    )
    kind = rhyme_kind(a, b, lang)
    decided = next((i for i, pair in enumerate(pairs) if kind is not None and pair.kind == kind), None)
    if pairs:
        why = pairs[decided or 0].why
    else:
        why = tuple(f"no word to rhyme in {line!r}" for line, endings in ((a, firsts), (b, seconds)) if not endings)
    return RhymeExplained(a, b, lang, kind, kind in language.rhyming, pairs, decided, why)


def _base_fields(kind: type[Base], value: Base) -> Base:
    """An ending or a scansion without what a language's own subclass adds: the same fields in every language."""
    return kind(**{field.name: getattr(value, field.name) for field in dataclasses.fields(kind)})


def _guessed(line: str, words: tuple[SpokenWord, ...], scansion: Scansion) -> tuple[str, ...]:
    """Words whose sounds or whose syllables are guesses, each as it was typed first."""
    doubtful = set(map(_folded, scansion.guessed))
    sources: dict[str, str] = {}
    for word in words:
        typed = line[word.start : word.end]
        if not word.heard.known or _folded(typed) in doubtful:
            sources.setdefault(_folded(typed), typed)
    for spelt in scansion.guessed:
        sources.setdefault(_folded(spelt), spelt)
    return tuple(sources.values())


def _tail(line: str, words: tuple[SpokenWord, ...], endings: tuple[Ending, ...]) -> tuple[int, int]:
    """Where the letters that rhyme are in the line as it was typed, whose accents may be apart and whose case may differ."""
    end = words[-1].end if words else len(line)
    if not endings:
        return end, end
    while end > 0 and not (line[end - 1].isalpha() or unicodedata.combining(line[end - 1])):
        end -= 1  # an' is an
    wanted = _folded(endings[0].word[endings[0].start :])
    start, missing = end, len(wanted)
    while start > 0 and missing > 0:
        after = start
        start -= 1
        while start > 0 and unicodedata.combining(line[start]):
            start -= 1
        missing -= len(_folded(line[start:after]))
    return (start, end) if _folded(line[start:end]) == wanted else (end, end)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold().replace("’", "'").replace("œ", "oe").replace("æ", "ae")
