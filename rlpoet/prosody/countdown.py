"""How many syllables of a line stand before a place in it: a policy that writes from the end still has to write these."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Sequence

from rlpoet.prosody import verse

VOWELS = frozenset("aeiouyœæ")


def syllables_before(line: str, lang: str, places: Sequence[int], *, target: int | None = None) -> tuple[int, ...]:
    """For each place the number of metrical syllables whose last vowel letter stands before it.

    A syllable that joins two words belongs to the later word, by its last vowel. So the count before a word is what the words before
    it contribute. Syllables after the last stress are not counted.

    Args:
        line: a line as ``Verse.scan`` takes it.
        places: offsets in the line.
        target: preferred length; used if some reading of the line has it.

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
