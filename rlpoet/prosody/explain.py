"""Explains how a line scans and why two lines rhyme, as plain data.

This module decides nothing: all results come from the methods of the language's ``Verse``, so it works for any language.
``rlpoet.reporting.explanations`` draws the result; ``dataclasses.asdict`` gives its JSON.
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
    """One line, with its scansion, words and endings.

    Attributes:
        line: the line as given.
        lang: code of the language, with its variety if one was asked for.
        target: the number of syllables that was required, or None.
        meter: the traditional name of the reading, or empty.
        scansion: the reading; with a target, the best licensed one of that length, if any.
        words: the words with their pronunciations.
        endings: the possible endings for a rhyme, one per pronunciation, likeliest first.
        tail: first and last position + 1, in ``line``, of the letters that must rhyme; ``(n, n)`` where they cannot be found.
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
    """A comparison of two endings.

    Attributes:
        a, b: one pronunciation of each line's end.
        kind: how these two rhyme, or None.
        why: short sentences that explain it.
    """

    a: Ending
    b: Ending
    kind: str | None
    why: tuple[str, ...]


@dataclass(frozen=True)
class RhymeExplained:
    """Two lines, and how each pair of their pronunciations rhymes.

    Attributes:
        a, b: the lines as given.
        lang: code of the language, with its variety if one was asked for.
        kind: how they rhyme, as ``rhyme_kind`` says, or None.
        full: whether that kind counts as a full rhyme.
        pairs: each pronunciation of one end with each of the other; empty if a line has no word.
        decided: index of the pair in ``pairs`` that gave ``kind``, or None if no pair rhymes.
        why: the sentences of that pair, or of the likeliest pair if none rhymes.
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
    """How a line scans and sounds, and which rules and tables decided it.

    Args:
        lang: code of a language, ``fr``.
        target: required number of syllables; prefers a licensed reading of that length. ``scansion.fits`` says if there is one.

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
    """How two lines or words rhyme, in which of their pronunciations, and why.

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
    """An ending or a scansion as its base class, without the fields that a language's subclass adds."""
    return kind(**{field.name: getattr(value, field.name) for field in dataclasses.fields(kind)})


def _guessed(line: str, words: tuple[SpokenWord, ...], scansion: Scansion) -> tuple[str, ...]:
    """Words whose sounds or syllables are guesses, each in its first spelling in the line."""
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
    """The place of the rhyming letters in the line as typed, which may have combining accents or another case."""
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
