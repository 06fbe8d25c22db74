"""The last word of a line: the word, whether its pronunciation is known, and which of its letters rhyme."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rlpoet.prosody import verse


@dataclass(frozen=True)
class LineEnd:
    """Last word of a line.

    Attributes:
        word: lower case, without punctuation; empty if the line has no word.
        known: False when all its pronunciations are guesses.
        tail: the part of its spelling that has to rhyme.
    """

    word: str
    known: bool
    tail: str

    @functools.cached_property
    def stem(self) -> str:
        """The form by which two end words are the same word: the last part of a compound, with ``oe`` for ``œ``.

        >>> LineEnd("là-bas", True, "bas").stem, LineEnd("œil", True, "œil").stem
        ('bas', 'oeil')
        """
        return self.word.rpartition("-")[2].replace("œ", "oe").replace("æ", "ae") or self.word


@functools.lru_cache(maxsize=50_000)
def end_of(line: str, lang: str) -> LineEnd:
    """The end of a line in the likeliest pronunciation.

    Raises:
        UnknownName: no such language.
    """
    endings = verse(lang).endings(line)
    if not endings:
        return LineEnd("", False, "")
    first = endings[0]
    return LineEnd(first.word.casefold(), any(e.known for e in endings), first.word[first.start :])
