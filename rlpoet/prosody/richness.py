"""How many sounds a rhyme shares, and whether two last words are homophones."""

from __future__ import annotations

import functools

from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.types import Ending


@functools.lru_cache(maxsize=50_000)
def shared_sounds(a: str, b: str, lang: str) -> int:
    """Sounds that two rhyming lines share, counted from the end, also before the rhyme vowel; 0 if they do not rhyme in full.

    The terms of French schools: 1 is *pauvre*, 2 *suffisante*, 3 or more *riche*. A mute e is not counted. If there are several
    pronunciations, the richest rhyme counts.

    >>> [shared_sounds("doux", word, "fr") for word in ("fou", "houx", "remous", "amour")]
    [0, 1, 1, 0]
    >>> shared_sounds("l'ombre", "sombre", "fr"), shared_sounds("amor", "clamor", "es")
    (3, 4)
    """
    language = verse(lang)
    return max(
        (_shared(x, y) for x in language.endings(a) for y in language.endings(b) if language.kind(x, y) in language.rhyming), default=0
    )


@functools.lru_cache(maxsize=50_000)
def homophones(a: str, b: str, lang: str) -> bool:
    """Whether the last words of two lines can have the same pronunciation.

    >>> homophones("the sea", "I see", "en"), homophones("a cow", "and now", "en")
    (True, False)
    """
    sounds = phonology(lang)
    phones = [{pronunciation.phones for pronunciation in sounds.transcribe(end_of(line, lang).word).pronunciations} for line in (a, b)]
    return bool(phones[0] & phones[1])


def _shared(a: Ending, b: Ending) -> int:
    before = 0
    for x, y in zip(reversed(a.onset), reversed(b.onset), strict=False):
        if x != y:
            break
        before += x != "ə"
    return min(len(a.phones), len(b.phones)) + before
