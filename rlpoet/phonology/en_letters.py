"""Guesses for words of no lexicon and no rule: letters to sounds, then the end by analogy.

The rhyme is what matters most, so the last vowel onward is taken from the lexicon's words that
share the longest run of final letters, if there are any. Names and nonsense will be wrong at times.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections import Counter

from rlpoet.phonology.en_tables import Phones, is_vowel, lexicon, rows

LONGEST = 40  # letters sounded out; of a longer string only the end is read, since only the end rhymes
NEIGHBOURS = 60
FEWEST = {3: 4, 4: 2, 5: 1, 6: 1, 7: 1}  # letters shared -> words needed to trust them
PRETONIC = re.compile(r"^(a(?=[^aeiou])|be|re|de|un|en|em|in|im|con|com|dis|mis|ex|pre|pro|sub|for)(?=[^aeiouy]*[aeiouy])")
PENULT = re.compile(r"(ic|ics|ion|ions|ian|ious|eous|iant|sion|tion|ette|escent)$")


@functools.cache
def _rules() -> dict[str, tuple[tuple[str, re.Pattern[str], re.Pattern[str], Phones], ...]]:
    """Rows by first letter: letters, what stands before (matched at its end), after, phones."""
    table: dict[str, list[tuple[str, re.Pattern[str], re.Pattern[str], Phones]]] = {}
    for _, (letters, before, after, put, _example) in rows("letters.tsv"):
        phones = () if put == "0" else tuple(put.split())
        left = re.compile(f"(?:{before})$") if before else re.compile("")
        table.setdefault(letters[0], []).append((letters, left, re.compile(after), phones))
    return {letter: tuple(rules) for letter, rules in table.items()}


VOWELS = frozenset("AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split())


def sound_out(letters: str) -> Phones:
    """Phones without stress, row by row of ``letters.tsv``; signs that are no letter are silent."""
    out: list[str] = []
    at = 0
    while at < len(letters):
        for find, before, after, phones in _rules().get(letters[at], ()):
            end = at + len(find)
            if letters.startswith(find, at) and before.search(letters[:at]) and after.match(letters[end:]):
                out += phones
                at = end
                break
        else:
            at += 1
    return tuple(out)


@functools.cache
def _backwards() -> tuple[str, ...]:
    """The lexicon's words spelt backwards, sorted: words with the same end stand together."""
    return tuple(sorted(word[::-1] for word in lexicon() if word.isalpha()))


def neighbours(word: str) -> list[str]:
    """Words of the lexicon that share the longest end with ``word``, if enough of them do."""
    words, backwards = _backwards(), word[::-1]
    for shared in range(min(7, len(word)), 2, -1):
        start = bisect.bisect_left(words, backwards[:shared])
        end = bisect.bisect_left(words, backwards[:shared] + "\uffff", start)
        if end - start >= FEWEST[shared]:
            step = max(1, (end - start) // NEIGHBOURS)
            return [w[::-1] for w in words[start:end:step]]
    return []


def stress(letters: str, n_vowels: int) -> int:
    """Which vowel carries the stress: the penult before -ion, -ic; else the first of two, the third from the end."""
    if n_vowels < 2:
        return 0
    if PENULT.search(letters):
        return n_vowels - 2
    if n_vowels == 2:
        return 1 if PRETONIC.match(letters) else 0
    return n_vowels - 3


@functools.lru_cache(maxsize=20_000)
def guess(word: str) -> Phones:
    """A pronunciation for any string of letters; never empty if one of them is a Latin letter."""
    letters = word[-LONGEST:]
    phones = list(sound_out(letters))
    votes: Counter[Phones] = Counter()
    for near in neighbours(letters):
        heard = lexicon()[near].split("#")[0].split()
        last = max((i for i, p in enumerate(heard) if is_vowel(p)), default=None)
        if last is not None:
            votes[tuple(p.rstrip("012") for p in heard[last:])] += 1
    nuclei = [i for i, phone in enumerate(phones) if phone in VOWELS]
    if not nuclei:
        return (*phones, "AH0")
    if votes:
        best = max(votes.values())
        phones[nuclei[-1] :] = min(rime for rime, n in votes.items() if n == best)
    main = stress(letters, len(nuclei))
    for order, i in enumerate(nuclei):
        weak = order != main
        if weak and order > main and phones[i] in ("AE", "EH", "AA", "AO") and order == len(nuclei) - 1 and i < len(phones) - 1:
            phones[i] = "AH"
        phones[i] += "0" if weak else "1"
    return tuple(phones)
