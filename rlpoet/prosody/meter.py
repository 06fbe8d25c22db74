"""Meter of single lines, with a cache, since a sampler asks for the same lines again and again."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Callable, Sequence

from rlpoet.prosody import verse
from rlpoet.types import Scansion


@functools.lru_cache(maxsize=20_000)  # a Scansion with its syllables is some 4 kB
def scan(line: str, lang: str, target: int | None = None) -> Scansion:
    """How a line scans; see ``Verse.scan``."""
    return verse(lang).scan(line, target)


def _counter(lang: str) -> Callable[[str, int | None], Scansion]:
    """The language's ``counted`` if it has one, which is faster, else its ``scan``."""
    language = verse(lang)
    count: Callable[[str, int | None], Scansion] = getattr(language, "counted", language.scan)
    return count


@functools.lru_cache(maxsize=50_000)
def in_meter(line: str, lang: str, lengths: tuple[int, ...]) -> bool:
    """Whether some licensed reading of the line has one of these metrical lengths.

    A line with fewer than two letters is never in meter, however its symbols scan.
    """
    if sum(itertools.islice((1 for character in line if character.isalpha()), 2)) < 2:
        return False
    language = verse(lang)
    if (fits := getattr(language, "fits", None)) is not None:
        return any(fits(line, target) for target in lengths)
    count = _counter(lang)
    return any(count(line, target).fits for target in lengths)


@functools.lru_cache(maxsize=50_000)
def length_of(line: str, lang: str) -> int:
    """Metrical syllables of the likeliest reading."""
    return usual_reading(line, lang).syllables


@functools.lru_cache(maxsize=4_096)
def usual_reading(line: str, lang: str) -> Scansion:
    """The likeliest reading, without its syllables where the language can leave them out."""
    return _counter(lang)(line, None)


def scan_within(line: str, lang: str, lengths: Sequence[int]) -> Scansion:
    """The reading of the first length that fits, else the likeliest reading, marked ``fits=False``.

    Args:
        lengths: admissible numbers of syllables, preferred first. Empty: any length is admissible, and ``fits`` is None.
    """
    for target in lengths:
        scansion = scan(line, lang, target)
        if scansion.fits:
            return scansion
    unconstrained = scan(line, lang)
    return _refused(unconstrained) if lengths else unconstrained


def _refused(scansion: Scansion) -> Scansion:
    """The same reading, marked ``fits=False``; with what a language keeps beside the fields, which ``dataclasses.replace`` would lose."""
    other = copy.copy(scansion)
    object.__setattr__(other, "fits", False)
    return other
