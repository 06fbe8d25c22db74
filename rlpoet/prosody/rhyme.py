"""Rhyme between lines: kinds of rhyme, and the scheme of a stanza, for any language.

The language gives ``Verse.endings`` and ``Verse.kind``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rlpoet.prosody import verse
from rlpoet.protocols import Verse
from rlpoet.types import Ending

EARSHOT = 6  # lines


@functools.lru_cache(maxsize=200_000)
def rhyme_kind(a: str, b: str, lang: str) -> str | None:
    """How line ``a`` rhymes with line ``b``, or None: ``best_kind`` of their endings, cached."""
    language = verse(lang)
    return best_kind(language.endings(a), language.endings(b), language)


def best_kind(a: Sequence[Ending], b: Sequence[Ending], language: Verse) -> str | None:
    """The best kind over all plausible pronunciations of two line ends, or None.

    Full rhymes are best, then the other kinds (``identical``, ``assonant``, ``eye``, ``slant``), which do not count as a rhyme.
    """
    if len(a) == len(b) == 1:  # nearly every word is said in one way
        return language.kind(a[0], b[0])
    kind_of, rhyming, lesser = language.kind, language.rhyming, None
    for x in a:
        for y in b:
            kind = kind_of(x, y)
            if kind in rhyming:
                return kind
            lesser = lesser or kind
    return lesser


def rhymes(a: str, b: str, lang: str) -> bool:
    """Whether two lines rhyme fully. A word never rhymes with itself."""
    return rhyme_kind(a, b, lang) in verse(lang).rhyming


def find_scheme(lines: Sequence[str], lang: str) -> str:
    """Scheme letters of one stanza, ``x`` for a line that rhymes with no other.

    A line gets the letter of the nearest earlier line that it rhymes with. A repeated end word gets it too, so that a refrain shows
    its letter, though it is not a rhyme. A language may count more kinds in some poems (``rhyming_for``: the assonance of a Spanish
    romance), except for some of their lines (``loose_for``), which must rhyme within ``EARSHOT`` lines.
    """
    language = verse(lang)
    strict = language.rhyming | {"identical"}
    bound = getattr(language, "rhyming_for", None)
    kinds = strict if bound is None else strict | bound(lines)
    loose = language.loose_for(lines) if kinds != strict and hasattr(language, "loose_for") else frozenset()
    family: list[int] = []
    for i, line in enumerate(lines):
        mate = None
        for j in range(i - 1, -1, -1):
            apart = i in loose or j in loose
            if rhyme_kind(lines[j], line, lang) in (strict if apart else kinds) and not (apart and i - j > EARSHOT):
                mate = j
                break
        family.append(i if mate is None else family[mate])
    names: dict[int, str] = {}
    letters = []
    for f in family:
        if family.count(f) == 1:
            letters.append("x")
            continue
        if f not in names:
            n = len(names)
            names[f] = chr(ord("a") + n) if n < 23 else chr(ord("A") + n % 26)
        letters.append(names[f])
    return "".join(letters)
