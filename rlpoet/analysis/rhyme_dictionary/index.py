"""The words of a language by the sound of their ends: the file of a rhyme dictionary, read group by group.

A file holds one group for each end of a word: its phones from the stressed vowel on, the gender of French, the source of the stress of
English. A group is opened when it is asked for, so that a dictionary of 70,000 words is ready in a tenth of a second.
"""

from __future__ import annotations

import functools
import gzip
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from rlpoet.errors import RlpoetError
from rlpoet.prosody.en.rhyme import EnglishEnding
from rlpoet.types import Ending

DATA = Path(__file__).parent / "data"
NAME, OLD = "n", "o"
BEGIN = "\n>"  # of a group


class HeardWord(NamedTuple):
    """A word of a dictionary.

    Attributes:
        word: as it is written today, a name with its capital.
        syllables: as verse counts them in French, else those of the word.
        stress: which syllable is stressed, counted from the end: 1 the last.
        rank: its place among the words of the language, the commonest in verse first, from 1.
        marks: ``n`` for a name, ``o`` for a word that is no longer written, or empty.
    """

    word: str
    syllables: int
    stress: int
    rank: int
    marks: str


class Group:
    """The words that end in one sound, the commonest first.

    Attributes:
        like: an ending with the sound of the group, its gender and its stress, and the spelling of its first word.
    """

    def __init__(self, header: str, rows: list[str], lang: str) -> None:
        tail, gender, stress = header.split("\t")
        self._rows, self._stress = rows, stress
        self.like = _ending(lang, rows[0].split("\t", 1)[0], tuple(tail.split(" ")), (), gender, 0, stress)
        self._lang = lang

    @functools.cached_property
    def endings(self) -> list[tuple[Ending, HeardWord]]:
        """The ending of each word, and what is known of the word."""
        opened = []
        phones, gender = self.like.phones, self.like.gender
        for row in self._rows:
            word, onset, start, syllables, stress, rank, marks, written_word = row.split("\t")
            before = tuple(onset.split(" ")) if onset else ()
            ending = _ending(self._lang, word, phones, before, gender, int(start), self._stress)
            opened.append((ending, HeardWord(written_word or word, int(syllables), int(stress), int(rank), marks)))
        return opened

    def spelt(self, end: str) -> list[tuple[Ending, HeardWord]]:
        """The members whose spelling ends so."""
        found = [n for n, row in enumerate(self._rows) if row.partition("\t")[0].endswith(end)]
        return [self.endings[n] for n in found]


def _ending(lang: str, word: str, phones: tuple[str, ...], onset: tuple[str, ...], gender: str, start: int, stress: str) -> Ending:
    if lang == "en":
        return EnglishEnding(word, phones, onset, gender, True, start, stress, " ".join(phones))
    return Ending(word, phones, onset, gender, True, start)


@functools.cache
def groups(lang: str) -> tuple[Group, ...]:
    """The dictionary of a language.

    Args:
        lang: its code.

    Raises:
        RlpoetError: there is none.
    """
    path = DATA / f"{lang}.txt.gz"
    if not path.is_file():
        raise RlpoetError(f"language {lang!r}: no rhyme dictionary; expected one of {', '.join(listed())}.")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        text = file.read()
    found = []
    for block in text.removeprefix(BEGIN[1:]).split(BEGIN):
        header, *rows = block.rstrip("\n").split("\n")
        found.append(Group(header, rows, lang))
    return tuple(found)


def listed() -> tuple[str, ...]:
    """Codes of the languages that have a rhyme dictionary.

    >>> listed()
    ('en', 'es', 'fr')
    """
    return tuple(sorted(path.name.removesuffix(".txt.gz") for path in DATA.glob("*.txt.gz")))


def written(rows: Iterable[tuple[Ending, HeardWord]]) -> str:
    """The text of a dictionary's file: groups by their sound, in each the commonest word first."""
    by_sound: dict[tuple[str, str, str], list[tuple[Ending, HeardWord]]] = defaultdict(list)
    for ending, word in rows:
        stress = ending.stress if isinstance(ending, EnglishEnding) else ""
        by_sound[" ".join(ending.phones), ending.gender, stress].append((ending, word))
    blocks = []
    for header, members in sorted(by_sound.items()):
        members.sort(key=lambda member: (member[1].rank, member[1].word))
        lines = [_row(ending, word) for ending, word in members]
        blocks.append(">" + "\t".join(header) + "\n" + "\n".join(lines) + "\n")
    return "".join(blocks)


def _row(ending: Ending, word: HeardWord) -> str:
    numbers = (ending.start, word.syllables, word.stress, word.rank)
    return "\t".join((ending.word, " ".join(ending.onset), *map(str, numbers), word.marks, "" if word.word == ending.word else word.word))
