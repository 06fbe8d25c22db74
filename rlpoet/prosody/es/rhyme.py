"""What rhymes in Spanish: tails, assonance, and the poems that assonance binds.

Rhyme begins at the last stressed vowel. A glide before it is free (viento / lento); one after it counts (aire). Consonante: all
sounds are the same. Asonante: the stressed and the last vowel are the same; glides and the middle vowel of an esdrújula are ignored,
and unstressed final i = e, u = o (Navarro Tomás, Métrica española).
"""

from __future__ import annotations

import collections
import functools
import re
from collections.abc import Sequence

from rlpoet.phonology.es.letters import fold

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
VOWELS = frozenset("aeiou")
FINAL_VOWEL = {"i": "e", "u": "o"}
CACHE = 65_536
LAST_CHARACTERS = (40, 400)  # where the last word is looked for first
ROMANCE_PAIRS = 3
ROMANCE_SHARE = 0.8
ROMANCE_MATED, TIRADE_MATED = 0.5, 0.9
REACH = 4
LOOSE_SHARE = 0.2

Tail = tuple[str, ...]


def last_word(line: str) -> str:
    """The last word of a line, folded; empty if it has none.

    >>> last_word("Cerrar podrá mis ojos la postrera,"), last_word("1605")
    ('postrera', '')
    """
    for width in (*LAST_CHARACTERS, len(line)):
        words = list(WORD.finditer(fold(line[-width:])))
        if words and (words[-1].start() > 0 or width >= len(line)):
            return words[-1].group()
        if width >= len(line):
            break
    return ""


@functools.lru_cache(maxsize=CACHE)
def assonance(phones: Tail) -> str:
    """Stressed vowel and last vowel of a tail.

    >>> assonance(tuple("istoɾja")), assonance(tuple("aɾboles")), assonance(tuple("asil"))
    ('ia', 'ae', 'ae')
    """
    vowels = [p for p in phones if p in VOWELS]
    if len(vowels) < 2:
        return "".join(vowels) or "".join(phones)
    return vowels[0] + FINAL_VOWEL.get(vowels[-1], vowels[-1])


def is_romance(tails: Sequence[Tail]) -> bool:
    """Whether assonance binds these lines.

    A romance keeps one assonance on every other line. Its test: as many lines assonate with the next line but one as if four in five
    lines of one parity did, whether or not the assonance or the parity changes between parts. Also, fewer than half of all lines
    have a full rhyme within ``REACH`` lines (a sonnet with a single assonance is no romance). In the long lines of the Romancero every
    line assonates with the next; then some lines must still lack a full rhyme.
    """
    n = len(tails)
    if n <= 2 * ROMANCE_PAIRS:
        return False
    assonances = [assonance(tail) for tail in tails]
    if sum(map(str.__eq__, assonances, assonances[2:])) < ROMANCE_SHARE / 2 * (n - 2):
        return False
    mated = sum(tail in tails[max(0, i - REACH) : i] or tail in tails[i + 1 : i + 1 + REACH] for i, tail in enumerate(tails))
    single = sum(map(str.__eq__, assonances, assonances[1:])) >= ROMANCE_SHARE * (n - 1)
    return mated < (TIRADE_MATED if single else ROMANCE_MATED) * n


def loose_lines(tails: Sequence[Tail]) -> frozenset[int]:
    """Lines that a romance leaves unrhymed: in no run of one assonance on every other line, and shared by less than a fifth."""
    assonances = [assonance(tail) for tail in tails]
    often = {sound for sound, n in collections.Counter(assonances).items() if n >= LOOSE_SHARE * len(assonances)}
    run = [1] * len(assonances)  # length of the run that ends here, then of the whole run
    for i in range(2, len(assonances)):
        if assonances[i] == assonances[i - 2]:
            run[i] = run[i - 2] + 1
    for i in range(len(assonances) - 3, -1, -1):
        if assonances[i] == assonances[i + 2]:
            run[i] = run[i + 2]
    return frozenset(i for i, sound in enumerate(assonances) if sound not in often and run[i] <= ROMANCE_PAIRS)
