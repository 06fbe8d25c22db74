"""How many syllables of a line stand before a place in it: what is left to write for someone who writes from the end."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

from rlpoet.prosody import verse

VOWELS = frozenset("aeiouyœæ")


def syllables_before(line: str, lang: str, places: Sequence[int], *, target: int | None = None) -> tuple[int, ...]:
    """For each place the metrical syllables whose last vowel letter stands before it.

    By its last vowel a syllable that joins two words belongs to the later one, which has it when it stands alone: what is
    left before a word is then what the words before it still have to bring. What follows the last stress is no part of this.

    Args:
        line: as ``Verse.scan`` wants it.
        places: offsets in the line.
        target: the length the line should have, if it can be read so.

    >>> line = "Dans l'ombre immense où dort la lune qui s'éveille"
    >>> syllables_before(line, "fr", [line.index(word) for word in ("l'", "ombre", "immense", "qui")], target=12)
    (1, 1, 2, 9)
    """
    counts, start = [], 0
    for unit in verse(lang).scan(line, target).units:
        if unit.counts:
            letters = unicodedata.normalize("NFD", unit.text.lower())
            last = max((i for i, letter in enumerate(letters) if letter in VOWELS), default=0)
            counts.append(start + len(unicodedata.normalize("NFC", letters[: last + 1])) - 1)
        start += len(unit.text)
    counts.sort()
    return tuple(bisect_left(counts, place) for place in places)
