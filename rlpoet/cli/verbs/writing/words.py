"""``rlpoet words``: a rhyme dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command
from rlpoet.config.ranges import Count, Options


@dataclass(frozen=True)
class WordsConfig(Options):
    """Find words that rhyme with a word, with the end of a line, or with a sound. They are grouped by kind of rhyme, the most frequent in
    verse first.

    French kinds go from léonine to assonante, Spanish ones are consonante and asonante, English ones perfect, mosaic (on it / bonnet),
    promoted, rich, eye, historical, weak and slant. `rlpoet rhymes` says how two given words rhyme.

    Examples: `rlpoet words ombre --lang fr`, `rlpoet words "A mis soledades voy" --lang es --syllables 3`,
    `rlpoet words bonnet --lang en --kind mosaic`, `rlpoet words /aɪt/ --lang en --json`.

    Attributes:
        text: a word, a line, or sounds between slashes such as /ɔ̃bʁ/; "-" reads a line from standard input.
        lang: fr, es or en, or a variety such as es-distincion.
        kind: show these kinds only.
        syllables: number of syllables of a word, such as 2 or 2-3.
        stress: which syllable has to be stressed, counted from the end; 1 is the last.
        gender: gender of the rhyme, f or m, in French.
        part: part of speech; words of unknown part of speech are left out.
        names: show names.
        old: show words in an old spelling.
        sort: by frequency in verse, by syllables, or by alphabet.
        n: largest number of words shown of each kind.
        json: print one JSON object per word, all of them unless -n is given.
    """

    text: str
    lang: str
    kind: tuple[str, ...] = ()
    syllables: str = ""
    stress: Count | None = None
    gender: Literal["", "f", "m"] = ""
    part: Literal["", "noun", "verb", "adjective", "adverb", "grammatical"] = ""
    names: bool = True
    old: bool = True
    sort: Literal["frequency", "syllables", "alphabet"] = "frequency"
    n: Count | None = None
    json: bool = False


def run(config: WordsConfig) -> int:
    from rlpoet.analysis.rhyme_dictionary import read_range, words
    from rlpoet.reporting.words import show_words
    from rlpoet.text import given_lines

    text = given_lines([config.text])[-1]
    found = words(
        text, config.lang, kinds=config.kind, syllables=read_range(config.syllables), stress=config.stress, gender=config.gender,
        part=config.part, names=config.names, old=config.old, sort=config.sort,
    )  # fmt: skip
    show_words(found, text, config.lang, n=config.n, json=config.json)
    return 0 if found else 1


COMMAND = Command("words", "words that rhyme: a rhyme dictionary", WordsConfig, run, positional=("text",), short={"n": "n"})
