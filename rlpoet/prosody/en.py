"""The English ear: rhyme from the last primary stress, with the licences of English verse.

Kinds that count (``rhyming``): ``perfect``; ``rich``, the same consonants before it too (sea / see);
``promoted``, a last syllable stressed by the meter against one stressed by its word (eternity / free).
Lesser ones: ``eye`` (love / move: one spelling), ``historical`` (eternity / die, given / heaven: poets have long
rhymed them), ``weak`` (liberty / majesty: the meter's stress on both), ``slant``,
``wrenched`` (country / sea: the beat beside the word's own stress) and ``identical``.
``detecting`` adds those that human poets use as rhyme: for finding schemes, never for a reward.
"""

from __future__ import annotations

import functools

from rlpoet.phonology.en import plain
from rlpoet.prosody.en_rhyme import HISTORICAL, PRIMARY, PROMOTED, WEAK, WRENCHED, EnglishEnding, mosaic, word_endings, words_of
from rlpoet.prosody.en_scan import scan_line
from rlpoet.prosody.en_tables import historical_pairs, historical_vowels
from rlpoet.types import Ending, Scansion


class EnglishVerse:
    """``Verse`` for English."""

    code = "en"
    rhyming = frozenset({"perfect", "rich", "promoted"})
    detecting = frozenset({"perfect", "rich", "promoted", "eye", "historical", "weak"})

    def __init__(self) -> None:
        self._pairs, self._vowels = historical_pairs(), historical_vowels()

    def endings(self, line: str) -> tuple[Ending, ...]:
        return line_endings(line)

    def kind(self, a: Ending, b: Ending) -> str | None:
        """``perfect``, ``rich``, ``promoted``; ``eye``, ``historical``, ``weak``, ``slant``, ``wrenched``, ``identical``; or None."""
        if a.word == b.word:
            return "identical"
        x, y = a.phones, b.phones
        if x == y:
            return _same_tail(a, b)
        if x[-1] != y[-1] and a.word[-1] != b.word[-1] and (x, y) not in self._pairs:
            return None
        stresses = _stress(a), _stress(b)
        if WRENCHED in stresses:
            return None
        own = stresses == (PRIMARY, PRIMARY)
        if own and len(a.word) - a.start > 1 and a.word[a.start:] == b.word[b.start:]:
            return "eye"
        if (x, y) in self._pairs:
            return "historical"
        if own and len(x) > 1 and x[1:] == y[1:]:
            return "historical" if (x[0], y[0]) in self._vowels else "slant"
        return None

    def key(self, ending: Ending) -> str:
        """The tail in IPA: ``eɪ``, ``ʌvɪŋ``."""
        return "".join(ending.phones)

    def scan(self, line: str, target: int | None = None) -> Scansion:
        return scan_line(line, target)


def _stress(ending: Ending) -> str:
    return ending.stress if isinstance(ending, EnglishEnding) else PRIMARY


def _same_tail(a: Ending, b: Ending) -> str:
    """The kind of two endings whose tails sound alike, by where their stresses come from."""
    stresses = {_stress(a), _stress(b)}
    if stresses == {PRIMARY}:
        return "rich" if a.onset == b.onset else "perfect"
    if WRENCHED in stresses:
        return "wrenched"
    if HISTORICAL in stresses:
        return "historical"
    return "promoted" if stresses == {PRIMARY, PROMOTED} else "weak"


@functools.lru_cache(maxsize=200_000)
def line_endings(line: str) -> tuple[Ending, ...]:
    """The endings of a line's last word, then the two-word rhyme it may close; empty if there is no word."""
    words = words_of(line[-200:])
    if not words:
        return ()
    found = word_endings(words[-1])
    if len(words) > 1 and plain(words[-1]) in WEAK and plain(words[-2]) not in WEAK:
        two = mosaic(words[-2], words[-1])
        if two is not None:
            return (*found, two)
    return found
