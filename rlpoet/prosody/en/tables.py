"""The tables of English verse: vowels of promoted syllables, and rhymes from before their sounds changed."""

from __future__ import annotations

import functools
import re

from rlpoet.phonology.en.tables import DATA
from rlpoet.text.tables import read_table

MINED = ("a", "b", "rhymed", "together", "example")  # columns


@functools.cache
def promoted_vowels() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Spelling of a weak last syllable -> the vowel it shows under the meter's stress, first match wins."""
    found = read_table(DATA / "promoted.tsv", ("pattern", "vowel", "example"))
    return tuple((re.compile(pattern), vowel) for _, (pattern, vowel, _) in found)


MOSTLY = 0.4  # rhymed / together from which a pair counts: the mining sees fewer of those that rhyme than of those that do not


@functools.cache
def historical_vowels() -> dict[tuple[str, str], str]:
    """Vowels (IPA, both orders) that may stand for each other before the same consonants, with their row."""
    return {pair: where for where, (a, b, *_) in read_table(DATA / "historical_vowels.tsv", MINED) for pair in ((a, b), (b, a))}


@functools.cache
def historical_words() -> dict[tuple[str, str], frozenset[str]]:
    """Pairs of tails (both orders) that rhymed in a few words only, with these words; and the same of their plurals."""
    words: dict[tuple[str, str], set[str]] = {}
    for _, (word, own, other, *_) in read_table(DATA / "historical_words.tsv", ("word", "own", "other", "rhymed", "example")):
        for end, spelt in (("", ""), (" z", "s")):
            for pair in ((own + end, other + end), (other + end, own + end)):
                words.setdefault(pair, set()).add(word + spelt)
    return {pair: frozenset(found) for pair, found in words.items()}


@functools.cache
def historical_tails() -> tuple[dict[str, dict[str, str]], frozenset[tuple[str, str]]]:
    """Tails (IPA, phones apart) that rhymed, each with its partners and their rows; and pairs that did not, though their vowels do."""
    rhymed: dict[str, dict[str, str]] = {}
    denied: list[tuple[str, str]] = []
    for where, (a, b, yes, together, _) in read_table(DATA / "historical_tails.tsv", MINED):
        if int(yes) >= MOSTLY * int(together):
            rhymed.setdefault(a, {})[b] = rhymed.setdefault(b, {})[a] = where
        else:
            denied += [(a, b), (b, a)]
    return rhymed, frozenset(denied)
