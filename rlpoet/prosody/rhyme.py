"""Rhyme between lines: kinds, and which lines of a stanza go together.

Every language answers through ``Verse.endings`` and ``Verse.kind``; what is here is shared.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from rlpoet.prosody import verse


@functools.lru_cache(maxsize=200_000)
def rhyme_kind(a: str, b: str, lang: str) -> str | None:
    """How line ``a`` rhymes with line ``b``, or None.

    The best kind over all plausible pronunciations: full rhymes first, then the lesser kinds
    (``identical``, ``assonant``, ``eye``, ``slant``) which do not count as a rhyme.
    """
    ear = verse(lang)
    lesser = None
    for x in ear.endings(a):
        for y in ear.endings(b):
            kind = ear.kind(x, y)
            if kind in ear.rhyming:
                return kind
            lesser = lesser or kind
    return lesser


def rhymes(a: str, b: str, lang: str) -> bool:
    """Whether two lines rhyme fully. A word never rhymes with itself."""
    return rhyme_kind(a, b, lang) in verse(lang).rhyming


def find_scheme(lines: Sequence[str], lang: str) -> str:
    """Scheme letters of one stanza, ``x`` for a line that rhymes with no other.

    A line joins the family of the nearest earlier line it rhymes with; a repeated end word
    joins too, so that a refrain shows its letter, though it earns nothing as a rhyme.
    """
    kinds = verse(lang).rhyming | {"identical"}
    family: list[int] = []
    for i, line in enumerate(lines):
        mate = next((j for j in range(i - 1, -1, -1) if rhyme_kind(lines[j], line, lang) in kinds), None)
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
