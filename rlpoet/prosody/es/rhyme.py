"""What rhymes in Spanish: tails, assonance, and the poems that assonance binds.

Rhyme begins at the last stressed vowel. A glide before it is free (viento / lento); one after it counts (aire). Consonante: all
sounds are the same. Asonante: the stressed and the last vowel are the same; glides and the middle vowel of an esdrújula are ignored,
and unstressed final i = e, u = o (Navarro Tomás, Métrica española; Quilis, Métrica española). Strict assonance ignores nothing.
"""

from __future__ import annotations

import collections
import functools
import re
import unicodedata
from collections.abc import Callable, Sequence

from rlpoet.phonology.apparatus import heard

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
VOWELS = frozenset("aeiou")
SOUNDED = VOWELS | frozenset("jw")
FINAL_VOWEL = {"i": "e", "u": "o"}
CACHE = 65_536
LAST_CHARACTERS = (40, 400)  # where the last word is looked for first
ROMANCE_PAIRS = 3
ROMANCE_SHARE = 0.8
ROMANCE_MATED, TIRADE_MATED = 0.5, 0.9
REACH = 4
LOOSE_SHARE = 0.2
LEAST_LINES, MOST_LINES = 3, 7  # soleá to seguidilla with its bordón
SEGUIDILLA = 7  # 4 + 3 lines, each part with an assonance of its own
STANZA_SHARE, BLOCK_SHARE = 0.5, 0.8  # how many stanzas assonance must bind, if blank lines part them, if not

Tail = tuple[str, ...]


def last_word(line: str) -> str:
    """The last word of a line as typed, in NFC; empty if it has none.

    >>> last_word("Cerrar podrá mis ojos la postrera,"), last_word("1605"), last_word("MI CORAZON")
    ('postrera', '', 'CORAZON')
    """
    line = heard(line)
    for width in (*LAST_CHARACTERS, len(line)):
        end = line[-width:]
        words = list(WORD.finditer(end if end.isascii() else unicodedata.normalize("NFC", end)))
        if words and (words[-1].start() > 0 or width >= len(line)):
            return words[-1].group()
        if width >= len(line):
            break
    return ""


@functools.lru_cache(maxsize=CACHE)
def strict_assonance(phones: Tail) -> str:
    """All vowels and glides of a tail: nothing is ignored.

    >>> strict_assonance(tuple("istorja")), strict_assonance(tuple("aɾboles")), strict_assonance(tuple("asil"))
    ('ioja', 'aoe', 'ai')
    """
    return "".join(p for p in phones if p in SOUNDED) or "".join(phones)


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


Key = Callable[[Tail], str]


def is_romance(tails: Sequence[Tail], key: Key = assonance) -> bool:
    """Whether assonance binds these lines.

    A romance keeps one assonance on every other line. Its test: as many lines assonate with the next line but one as if four in five
    lines of one parity did, whether or not the assonance or the parity changes between parts. Also, fewer than half of all lines
    have a full rhyme within ``REACH`` lines (a sonnet with a single assonance is no romance). In the long lines of the Romancero every
    line assonates with the next; then some lines must still lack a full rhyme.
    """
    n = len(tails)
    if n <= 2 * ROMANCE_PAIRS:
        return False
    assonances = [key(tail) for tail in tails]
    if sum(map(str.__eq__, assonances, assonances[2:])) < ROMANCE_SHARE / 2 * (n - 2):
        return False
    single = sum(map(str.__eq__, assonances, assonances[1:])) >= ROMANCE_SHARE * (n - 1)
    return mated(tails) < (TIRADE_MATED if single else ROMANCE_MATED) * n


def mated(tails: Sequence[Tail]) -> int:
    """How many lines have a full rhyme within ``REACH`` lines."""
    return sum(tail in tails[max(0, i - REACH) : i] or tail in tails[i + 1 : i + 1 + REACH] for i, tail in enumerate(tails))


def copla_lines(tails: Sequence[Tail], key: Key = assonance) -> frozenset[int]:
    """The lines that assonance binds in one short stanza: every other line, in a soleá the first and third. Empty if there are none.

    All lines of one parity share an assonance, no other line has it, and no line outside them has a full rhyme (then the stanza
    rhymes in consonante). The seguidilla of seven lines is two such parts. For stanzas of ``LEAST_LINES`` to ``MOST_LINES`` lines.

    >>> copla = [tuple(tail) for tail in ("eblo", "ado", "oʧe", "ando")]
    >>> sorted(copla_lines(copla)), sorted(copla_lines(copla[1:])), sorted(copla_lines(copla[:2]))
    ([1, 3], [0, 2], [])
    """
    n = len(tails)
    if not LEAST_LINES <= n <= MOST_LINES:
        return frozenset()
    if n == SEGUIDILLA:
        parts = copla_lines(tails[:4], key), copla_lines(tails[4:], key)
        if all(parts):
            return parts[0] | {i + 4 for i in parts[1]}
    assonances = [key(tail) for tail in tails]
    for first in (1, 0) if n % 2 == 0 else (0, 1):
        bound, free = range(first, n, 2), range(1 - first, n, 2)
        sounds = {assonances[i] for i in bound}
        alone = all(assonances[i] not in sounds and tails.count(tails[i]) == 1 for i in free)
        if len(bound) > 1 and len(sounds) == 1 and alone and len({tails[i] for i in bound}) > 1:
            return frozenset(bound)
    return frozenset()


def assonant_lines(stanzas: Sequence[Sequence[int]], tails: Sequence[Tail], key: Key = assonance) -> frozenset[int]:
    """The lines of a poem that assonance binds, stanza by stanza (coplas, soleares, seguidillas) or all through (a romance).

    Args:
        stanzas: the places of the lines of each stanza. A long poem in one block is also tried in blocks of four and of three lines.
        tails: the tail of every line.
    """
    lines = [i for stanza in stanzas for i in stanza]
    whole = [tails[i] for i in lines]
    blocks = [[lines[k : k + size] for k in range(0, len(lines), size)] for size in (4, 3) if len(lines) % size == 0 and len(lines) > size]
    for share, cuts in ((1.0, [stanzas]), (BLOCK_SHARE, blocks if len(stanzas) == 1 else []), (STANZA_SHARE, [stanzas])):
        for cut in cuts:
            found = [[stanza[k] for k in copla_lines([tails[i] for i in stanza], key)] for stanza in cut]
            if cut and sum(map(bool, found)) >= share * len(cut):
                bound = {i for own in found for i in own}
                sounds = {key(tails[i]) for i in bound}  # a couplet between the stanzas may have them too
                rest = (i for stanza, own in zip(cut, found, strict=True) if not own for i in stanza)
                return frozenset(bound.union(i for i in rest if key(tails[i]) in sounds))
        if share == 1.0 and is_romance(whole, key):
            loose = loose_lines(whole, key)
            return frozenset(lines[k] for k in range(len(lines)) if k not in loose)
    return frozenset()


def loose_lines(tails: Sequence[Tail], key: Key = assonance) -> frozenset[int]:
    """Lines that a romance leaves unrhymed: in no run of one assonance on every other line, and shared by less than a fifth."""
    assonances = [key(tail) for tail in tails]
    often = {sound for sound, n in collections.Counter(assonances).items() if n >= LOOSE_SHARE * len(assonances)}
    run = [1] * len(assonances)  # length of the run that ends here, then of the whole run
    for i in range(2, len(assonances)):
        if assonances[i] == assonances[i - 2]:
            run[i] = run[i - 2] + 1
    for i in range(len(assonances) - 3, -1, -1):
        if assonances[i] == assonances[i + 2]:
            run[i] = run[i + 2]
    return frozenset(i for i, sound in enumerate(assonances) if sound not in often and run[i] <= ROMANCE_PAIRS)
