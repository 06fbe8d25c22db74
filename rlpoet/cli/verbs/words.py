"""``rlpoet words``: a rhyme dictionary."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command
from rlpoet.config.ranges import Count, Options
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class WordsConfig(Options):
    """Find words that rhyme with a word, with the end of a line, or with a sound: by kind, the commonest in verse first.

    French kinds go from léonine to assonante, Spanish ones are consonante and asonante, English ones perfect, mosaic (on it / bonnet),
    promoted, rich, eye, historical, weak and slant. `rlpoet rhymes` says how two given words rhyme.

    Examples: `rlpoet words ombre --lang fr`, `rlpoet words "A mis soledades voy" --lang es --syllables 3`,
    `rlpoet words bonnet --lang en --kind mosaic`, `rlpoet words /aɪt/ --lang en --json`.

    Attributes:
        text: a word, a line, or sounds between slashes such as /ɔ̃bʁ/; "-" reads a line from standard input.
        lang: fr, es or en, or a variety such as es-distincion.
        kind: show these kinds only.
        syllables: syllables that a word has to have, such as 2 or 2-3.
        stress: which syllable has to be stressed, counted from the end; 1 is the last.
        gender: gender of the rhyme, f or m, in French.
        part: part of speech; words of which it is not known are then left out.
        names: show names.
        old: show words that are no longer written so.
        sort: by frequency in verse, by syllables, or by alphabet.
        n: most words shown of each kind.
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


MOST = 40  # words of each kind that people are shown


def run(config: WordsConfig) -> int:
    from rlpoet.analysis.rhyme_dictionary import words
    from rlpoet.reporting.terminal import console
    from rlpoet.reporting.words import WordsView, words_json
    from rlpoet.text import given_lines

    text = given_lines([config.text])[-1]
    found = words(
        text, config.lang, kinds=config.kind, syllables=syllables(config.syllables), stress=config.stress, gender=config.gender,
        part=config.part, names=config.names, old=config.old, sort=config.sort,
    )  # fmt: skip
    if config.json:
        from rlpoet.analysis.rhyme_dictionary import first_of_each_kind

        for row in words_json(found if config.n is None else first_of_each_kind(found, config.n)):
            sys.stdout.write(row + "\n")
    elif found:
        console().print(WordsView(found, config.n or MOST))
    if not found:
        sys.stderr.write(f"Nothing rhymes with {text!r} in the dictionary of {config.lang}. Try fewer conditions.\n")
    return 0 if found else 1


def syllables(text: str) -> tuple[int, int] | None:
    """The fewest and the most syllables of ``2`` or ``2-3``; None for an empty text.

    Raises:
        RlpoetError: something else.
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", text)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high:
        raise RlpoetError(f"--syllables: {text!r}; expected a number such as 2, or the fewest and the most, such as 2-3.")
    return low, high


COMMAND = Command("words", "words that rhyme: a rhyme dictionary", WordsConfig, run, positional=("text",), short={"n": "n"})
