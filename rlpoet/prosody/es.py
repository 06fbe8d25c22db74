"""Spanish verse: endings, consonant and assonant rhyme (metre: ``es_scan``).

Rhyme begins at the last stressed vowel: a glide before it is free (viento / lento), one after it counts
(aire). Consonante: all sounds alike. Asonante: stressed and last vowel alike, glides and the middle
vowel of an esdrújula disregarded, unstressed final i = e and u = o (Navarro Tomás, Métrica española).
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence

from rlpoet.phonology.es import Spanish, fold, parse
from rlpoet.prosody.es_scan import scan_line
from rlpoet.types import Ending, Scansion

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
VOWELS = frozenset("aeiou")
FINAL_VOWEL = {"i": "e", "u": "o"}
LINE_CACHE = 65_536
LAST_CHARACTERS = 400  # where the last word is looked for first
ROMANCE_PAIRS = 3
ROMANCE_SHARE = 0.8
REACH = 4
LOOSE_SHARE = 0.2


class SpanishVerse:
    """The Spanish ear. Seseo and yeísmo are merged unless another ``Spanish`` is given."""

    code = "es"
    rhyming = frozenset({"consonante"})

    def __init__(self, phonology: Spanish | None = None) -> None:
        self.phonology = phonology or Spanish()
        self._of_word = functools.lru_cache(maxsize=LINE_CACHE)(self._word_endings)

    def __reduce__(self) -> tuple[object, ...]:
        return (SpanishVerse, (self.phonology,))

    def endings(self, line: str) -> tuple[Ending, ...]:
        word = last_word(line)
        return self._of_word(word) if word else ()

    def _word_endings(self, word: str) -> tuple[Ending, ...]:
        said = self.phonology.transcribe(word)
        parsed = parse(word)
        found: dict[tuple[str, ...], Ending] = {}
        for way in said.pronunciations:
            at = way.nuclei[way.stress]
            start = parsed.sounds[parsed.nuclei[parsed.stress]].start
            found.setdefault(way.phones[at:], Ending(word, way.phones[at:], way.phones[:at], "", said.known, start))
        return tuple(found.values())

    def kind(self, a: Ending, b: Ending) -> str | None:
        """``identical``, ``consonante``, ``asonante`` or None."""
        if a.word == b.word:
            return "identical"
        if a.phones == b.phones:
            return "consonante"
        if assonance(a.phones) == assonance(b.phones):
            return "asonante"
        return None

    def rhyming_for(self, lines: Sequence[str]) -> frozenset[str]:
        """The kinds that count in this poem: assonance too where it is what binds the poem.

        A romance keeps one assonance on every other line: four in five neighbours of one parity are
        assonant, over at least ``ROMANCE_PAIRS`` of them, and fewer than half of all lines have a
        consonant mate within ``REACH`` lines (a sonnet with a single assonance is no romance).
        """
        tails = [ends[0].phones for ends in map(self.endings, lines) if ends]
        mated = sum(tail in tails[max(0, i - REACH) : i] + tails[i + 1 : i + 1 + REACH] for i, tail in enumerate(tails))
        romance = 2 * mated < len(tails) and (_steady(tails[1::2]) or _steady(tails[::2]))
        return self.rhyming | {"asonante"} if romance else self.rhyming

    def loose_for(self, lines: Sequence[str]) -> frozenset[int]:
        """Lines a romance leaves unrhymed: those without an assonance that a fifth of the poem shares."""
        if self.rhyming_for(lines) == self.rhyming:
            return frozenset()
        heard = [assonance(ends[0].phones) if ends else "" for ends in map(self.endings, lines)]
        return frozenset(i for i, a in enumerate(heard) if heard.count(a) < LOOSE_SHARE * len(heard))

    def key(self, ending: Ending) -> str:
        return "".join(ending.phones)

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest reading of a line, or with a target the best one of that many syllables.

        Without a target the usual lengths (11, then 8 and 7) weigh a little in lines that allow several;
        a line that falls into 7 + 7 is an alexandrine, with its caesura. With a target lengths weigh nothing:
        ``fits`` says whether sinalefa, dialefa, diéresis and sinéresis can license exactly that many.
        """
        return scan_line(line, target)


def _steady(tails: Sequence[tuple[str, ...]]) -> bool:
    """Whether one assonance runs through nearly all of these tails."""
    alike = sum(assonance(a) == assonance(b) for a, b in itertools.pairwise(tails))
    return len(tails) > ROMANCE_PAIRS and alike >= ROMANCE_SHARE * (len(tails) - 1)


def last_word(line: str) -> str:
    """The last word of a line, folded; empty if it has none."""
    for text in (line[-LAST_CHARACTERS:], line):
        words = list(WORD.finditer(fold(text)))
        if words and (words[-1].start() > 0 or len(text) == len(line)):
            return words[-1].group()
    return ""


@functools.lru_cache(maxsize=LINE_CACHE)
def assonance(phones: tuple[str, ...]) -> str:
    """Stressed vowel and last vowel of a tail.

    >>> assonance(tuple("istoɾja")), assonance(tuple("aɾboles")), assonance(tuple("asil"))
    ('ia', 'ae', 'ae')
    """
    vowels = [p for p in phones if p in VOWELS]
    if len(vowels) < 2:
        return "".join(vowels) or "".join(phones)
    return vowels[0] + FINAL_VOWEL.get(vowels[-1], vowels[-1])
