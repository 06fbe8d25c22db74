"""The tables of the English ear: promoted vowels and the rhymes poets made before sounds parted."""

from __future__ import annotations

import functools
import re

from rlpoet.phonology.en_tables import rows


@functools.cache
def promoted_vowels() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Spelling of a weak last syllable -> the vowel it shows under the meter's stress, first match wins."""
    return tuple((re.compile(pattern), vowel) for _, (pattern, vowel, _) in rows("promoted.tsv"))


@functools.cache
def historical_vowels() -> frozenset[tuple[str, str]]:
    """Vowels (IPA, both orders) that may stand for each other before the same consonants."""
    pairs = [(a, b) for _, (a, b, *_) in rows("historical_vowels.tsv")]
    return frozenset(pairs + [(b, a) for a, b in pairs])


@functools.cache
def historical_pairs() -> frozenset[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Tails (IPA, both orders) that rhymed: ``ɪ z`` with ``ɪ s``."""
    pairs = [(tuple(a.split()), tuple(b.split())) for _, (a, b, *_) in rows("historical_tails.tsv")]
    return frozenset(pairs + [(b, a) for a, b in pairs])
