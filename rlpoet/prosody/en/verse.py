"""English verse: rhyme from the last primary stress on, with the licences of English poetry.

| kind | example | meaning | full rhyme |
| --- | --- | --- | --- |
| ``perfect`` | light / night | the same sounds from the stressed vowel on | yes |
| ``rich`` | sea / see | also the same consonants before it | yes |
| ``promoted`` | eternity / free | a last syllable stressed by the meter with one stressed by its word | yes |
| ``eye`` | love / move | one spelling, two sounds | no |
| ``historical`` | eternity / die, given / heaven | rhymed in earlier English, or by convention (also *dead* rhyme) | no |
| ``weak`` | liberty / majesty | the meter stresses both last syllables | no |
| ``slant`` | stone / man | the consonants alone | no |
| ``wrenched`` | country / sea | the beat falls beside the word's stress | no |
| ``identical`` | sea / sea | one word | no |

``rhyming`` has the full rhymes. ``detecting`` adds kinds that poets use as rhyme; it is for finding schemes, never for a reward.
"""

from __future__ import annotations

import functools

from rlpoet.phonology.en.sounds import fold
from rlpoet.prosody.en.explanations import reasons, spoken
from rlpoet.prosody.en.feet import meter_name
from rlpoet.prosody.en.rhyme import HISTORICAL, LIGHT_WORDS, PRIMARY, PROMOTED, WRENCHED, EnglishEnding, last_words, mosaic, word_endings
from rlpoet.prosody.en.scansion import fits_line, scan_line
from rlpoet.prosody.en.tables import historical_tails, historical_vowels, historical_words
from rlpoet.types import Ending, Scansion, SpokenWord


class EnglishVerse:
    """``Verse`` for English."""

    code = "en"
    rhyming = frozenset({"perfect", "rich", "promoted"})
    detecting = frozenset({"perfect", "rich", "promoted", "eye", "historical", "weak"})

    def __init__(self) -> None:
        self._tails, self._denied = historical_tails()
        self._vowels = historical_vowels()
        self._words = historical_words()

    def endings(self, line: str) -> tuple[Ending, ...]:
        """The plausible endings of a line's last word, then that of a two-word rhyme at the line's end, if any."""
        return line_endings(line)

    def kind(self, a: Ending, b: Ending) -> str | None:
        """``perfect``, ``rich``, ``promoted``; ``eye``, ``historical``, ``weak``, ``slant``, ``wrenched``, ``identical``; or None."""
        if a.word == b.word:
            return "identical"
        x, y = sound(a), sound(b)
        if x == y:
            return _same_tail(a, b)
        once = x in self._tails and y in self._tails[x]
        if not once and x[-1] != y[-1] and a.word[-1] != b.word[-1]:
            return None
        stresses = stress(a), stress(b)
        if WRENCHED in stresses:
            return None
        both_primary = stresses == (PRIMARY, PRIMARY)
        if both_primary and len(a.word) - a.start > 1 and a.word[a.start :] == b.word[b.start :]:
            return "eye"
        if once:
            return "historical"
        if both_primary and len(a.phones) > 1 and a.phones[1:] == b.phones[1:]:
            few = self._words.get((x, y))
            rhymed = (a.phones[0], b.phones[0]) in self._vowels and (x, y) not in self._denied
            return "historical" if rhymed and (few is None or a.word in few or b.word in few) else "slant"
        return None

    def key(self, ending: Ending) -> str:
        """The tail in IPA: ``eɪ``, ``ʌvɪŋ``."""
        return "".join(ending.phones)

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest reading; with a target, the likeliest with ``target`` syllables, if there is one."""
        return scan_line(line, target)

    def fits(self, line: str, target: int) -> bool:
        """Whether ``scan`` finds a reading of that length, without choosing its beats."""
        return fits_line(line, target)

    def words(self, line: str, target: int | None = None) -> tuple[SpokenWord, ...]:
        """The words of the likeliest reading, each with its pronunciation in the line.

        >>> [word.note for word in EnglishVerse().words("Many a glorious morning have I seen")][:4]
        ['', '', 'elision (synizesis)', '']
        """
        scansion = scan_line(line, target)
        return spoken(line, scansion.parse, scansion.stress or "")

    def why(self, a: Ending, b: Ending) -> tuple[str, ...]:
        """Short sentences that explain ``kind(a, b)``."""
        return reasons(a, b, self.kind(a, b))

    def meter_name(self, scansion: Scansion) -> str:
        """Feet, number, licences: ``iambic pentameter, first foot inverted, feminine ending``; or an empty string."""
        return meter_name(scansion)


def stress(ending: Ending) -> str:
    """The source of an ending's stress; ``primary`` (the word) by default."""
    return ending.stress if isinstance(ending, EnglishEnding) else PRIMARY


def sound(ending: Ending) -> str:
    """The tail as one string."""
    return (ending.sound if isinstance(ending, EnglishEnding) else "") or " ".join(ending.phones)


def _same_tail(a: Ending, b: Ending) -> str:
    """The kind of two endings with the same tail, by the sources of their stresses."""
    stresses = {stress(a), stress(b)}
    if stresses == {PRIMARY}:
        return "rich" if a.onset == b.onset else "perfect"
    if WRENCHED in stresses:
        return "wrenched"
    if HISTORICAL in stresses:
        return "historical"
    return "promoted" if stresses == {PRIMARY, PROMOTED} else "weak"


@functools.lru_cache(maxsize=50_000)
def line_endings(line: str) -> tuple[Ending, ...]:
    """The endings of a line's last word, then that of a two-word rhyme, if any; empty if there is no word."""
    words = last_words(line, 3)
    if not words:
        return ()
    endings = word_endings(words[-1])
    if fold(words[-1]) not in LIGHT_WORDS:
        return endings
    several = [mosaic(words[-n:]) for n in (2, 3) if len(words) >= n]
    return (*endings, *(ending for ending in several if ending is not None))
