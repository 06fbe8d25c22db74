"""Rhyme between lines: kinds of rhyme, and the scheme of a stanza, for any language.

The language gives ``Verse.endings`` and ``Verse.kind``.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Sequence

from rlpoet.prosody import verse
from rlpoet.prosody.notation import LETTERS
from rlpoet.protocols import Verse
from rlpoet.types import Ending

EARSHOT = 6  # lines
_WORD = re.compile(r"[^\W_]+")
ASSONANT = frozenset({"assonant", "asonante", "assonante"})  # as English, Spanish and French handbooks spell it


@functools.lru_cache(maxsize=50_000)
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


def bare_words(line: str) -> tuple[str, ...]:
    """The words of a line as two printings of a refrain share them: without case and signs.

    >>> bare_words("Ô nuit, l’ombre !") == bare_words("Ô Nuit ! l'ombre")
    True
    """
    return tuple(_WORD.findall(line.casefold()))


def find_poem_scheme(lines: Sequence[str], lang: str) -> str:
    """Scheme letters of a whole poem by people, across its stanzas, ``x`` for a line that rhymes with no other.

    Three rules differ from ``find_scheme``. A rhyme is heard over at most ``EARSHOT`` lines, for in a long poem every sound comes again;
    a line that is repeated whole has its letter at any distance. A line that nothing answers by a full rhyme may take a mate by a kind that
    poets use (``Verse.detecting``: love / prove), first one that is alone too. The letters go on in Greek and Cyrillic.

    >>> find_poem_scheme(["the night", "a day", "the light", "the way", "a love", "I prove"], "en")
    'ababcc'
    """
    language = verse(lang)
    strict = language.rhyming | {"identical"}
    bound = getattr(language, "rhyming_for", None)
    more = bound(lines) if bound is not None else getattr(language, "detecting", frozenset())
    loose = language.loose_for(lines) if bound is not None and not more <= strict and hasattr(language, "loose_for") else frozenset()
    assonant = bool(more & ASSONANT)
    ends = [language.endings(line) for line in lines]

    def kind(i: int, j: int) -> str | None:  # of each pair once: no use for the cache of ``rhyme_kind``
        return best_kind(ends[i], ends[j], language)

    first_of: dict[tuple[str, ...], int] = {}
    family: list[int] = []
    for i, line in enumerate(lines):
        near = range(i - 1, max(i - 1 - EARSHOT, -1), -1)
        bare = bare_words(line)
        kinds = strict | more if assonant and i not in loose else strict
        mate = next((j for j in near if kind(j, i) in (strict if j in loose else kinds)), None)
        if mate is None:
            mate = first_of.get(bare) if bare else None
        first_of.setdefault(bare, i)
        family.append(i if mate is None else family[mate])
    sizes = Counter(family)
    if not assonant:
        for i in range(len(lines)):
            if sizes[family[i]] > 1 or i in loose:
                continue
            around = range(max(i - EARSHOT, 0), min(i + EARSHOT + 1, len(lines)))
            nearest = sorted((j for j in around if j != i and j not in loose), key=lambda j: abs(i - j))
            mates = [j for j in nearest if kind(j, i) in more]
            mate = next((j for j in mates if sizes[family[j]] == 1), next(iter(mates), None))
            if mate is not None:
                sizes[family[i]] -= 1
                family[i] = family[mate]
                sizes[family[i]] += 1
    named: dict[int, str] = {}
    letters = []
    for f in family:
        if sizes[f] > 1:
            named.setdefault(f, LETTERS[len(named) % len(LETTERS)])
        letters.append(named.get(f, "x"))
    return "".join(letters)
