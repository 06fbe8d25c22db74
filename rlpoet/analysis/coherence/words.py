"""The words of a line for a theme model: whole words, and beginnings of words for rare ones."""

from __future__ import annotations

import array
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.ngram_index import words_of
from rlpoet.corpus.poem import Poem
from rlpoet.phonology.es.tables import unstressed
from rlpoet.prosody.en.stress_patterns import odds
from rlpoet.prosody.fr.caesura import ENCLITIC, PROCLITICS

BEGINNINGS = (7, 6, 5, 4)  # letters of a beginning, the longest one known decides
TAIL = 4  # letters a word may have beyond its beginning: about what inflection adds
MARK = "…"  # closes a beginning, so that it is no word: "chant…"
MIN_POEMS = 5  # poems a word or a beginning must stand in

_APOSTROPHE = re.compile("['’ʼ]")


def words_apart(line: str) -> list[str]:
    """The words of a line in lower case, NFC, also split at apostrophes, since "l'eau" and "eau" are one theme.

    >>> words_apart("Ô temps ! l’EAU silv'ring")
    ['ô', 'temps', 'l', 'eau', 'silv', 'ring']
    """
    return words_of(_APOSTROPHE.sub(" ", line))


def leans(word: str, lang: str) -> bool:
    """Whether a word leans on its neighbours and names nothing (m', mon, the, of, los): no reader takes it for a theme.

    >>> leans("mon", "fr"), leans("ame", "fr"), leans("of", "en"), leans("los", "es"), leans("sol", "es")
    (True, False, True, True, False)
    """
    if len(word) == 1:
        return True
    if lang == "fr":
        return word in PROCLITICS or word in ENCLITIC
    if lang == "es":
        return word in unstressed()
    return lang == "en" and odds(word, "1")[0] < 0


def beginnings(word: str) -> list[str]:
    """The beginnings that may stand for an unknown word, best first.

    >>> beginnings("chantions")
    ['chantio…', 'chanti…', 'chant…']
    """
    return [word[:size] + MARK for size in BEGINNINGS if size <= len(word) <= size + TAIL]


def find_entry(word: str, index: Mapping[str, int]) -> int | None:
    """The row of a word, or of its longest known beginning; None if the model knows neither.

    >>> find_entry("chantions", {"chant…": 3}), find_entry("xylophone", {"chant…": 3})
    (3, None)
    """
    if word in index:
        return index[word]
    return next((index[start] for start in beginnings(word) if start in index), None)


@dataclass(frozen=True)
class WordLines:
    """The lines of poems as numbers of words, in one long array.

    Attributes:
        words: the distinct words.
        flat: the words of all lines in order, as places in ``words``. sizes: [N] number of words of each line.
        stanza, poem: [N] the number of each line's stanza and of its poem, ascending.
    """

    words: tuple[str, ...]
    flat: NDArray[np.int32]
    sizes: NDArray[np.int64]
    stanza: NDArray[np.int64]
    poem: NDArray[np.int64]

    @classmethod
    def of(cls, poems: Iterable[Poem]) -> WordLines:
        """The lines of poems, in order."""
        number: dict[str, int] = {}
        flat, columns, block = array.array("i"), array.array("q"), 0
        for at, poem in enumerate(poems):
            for lines in poem.stanzas:
                for line in lines:
                    words = words_apart(line)
                    flat.extend([number.setdefault(word, len(number)) for word in words])
                    columns.extend((len(words), block, at))
                block += 1
        sizes, stanza, poem_numbers = np.array(columns, np.int64).reshape(-1, 3).T
        return cls(tuple(number), np.array(flat, np.int32), sizes, stanza, poem_numbers)

    def n_poems(self) -> NDArray[np.int64]:
        """For each distinct word the number of poems that have it."""
        base = int(self.poem.max(initial=0)) + 1
        pairs = np.sort(self.flat * np.int64(base) + np.repeat(self.poem, self.sizes))  # np.unique hashes, and these collide
        return np.bincount(pairs[np.flatnonzero(np.diff(pairs, prepend=-1))] // base, minlength=len(self.words))


def choose_entries(lines: WordLines, *, words: int, rest: int) -> tuple[str, ...]:
    """The words most poems have, then the beginnings of the others that most poems have, each in ``SEEN`` poems or more.

    Args:
        words, rest: most words and most beginnings to keep.
    """
    count = dict(zip(lines.words, lines.n_poems().tolist(), strict=True))
    ranked = sorted(count, key=lambda word: (-count[word], word))
    chosen = [word for word in ranked[:words] if count[word] >= MIN_POEMS]
    whole_words = set(chosen)
    starts: Counter[str] = Counter()
    for word in ranked:
        if word not in whole_words:
            for start in beginnings(word):
                starts[start] += count[word]
    best = sorted(starts, key=lambda start: (-starts[start], start))[:rest]
    return (*chosen, *(start for start in best if starts[start] >= MIN_POEMS))
