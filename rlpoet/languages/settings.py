"""The folder of a language: ``language.toml`` with its settings, and ``words.tsv`` with words that its rules get wrong.

This module reads and checks both; errors name file and line. ``rlpoet.phonology.generic.sounds`` uses them for sounds, and
``rlpoet.prosody.generic.verse`` for verse. ``experiments/languages/it`` and ``pt`` are examples in which every key is explained.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlpoet.errors import TableError, did_you_mean
from rlpoet.text.tables import read_table

FILE, WORDS = "language.toml", "words.tsv"
WORD_COLUMNS = ["word", "syllables", "ipa", "note"]
MARKS = {"acute": "\u0301", "grave": "\u0300", "circumflex": "\u0302", "tilde": "\u0303", "dieresis": "\u0308", "macron": "\u0304"}
RISING = ("always", "final", "never")


@dataclass(frozen=True)
class Letters:
    """How vowel letters make syllables.

    Attributes:
        vowels: letters without their marks.
        weak: vowels that become glides beside another vowel.
        rising: whether weak vowels are also glides before a vowel (piano): ``always``, ``never``, or ``final``: at the end of a word with
            an earlier written accent (glória).
        diphthongs: pairs of letters that are always one syllable (ão).
        mute: pattern of letters without a sound (h; the i of cia).
        alphabet: letters, without marks, of regular words; a word with any other letter is a guess.
        respell: pattern and replacement pairs, applied before epitran reads the word.
        sounds: pattern and replacement pairs, applied to epitran's IPA.
    """

    vowels: str = "aeiou"
    weak: str = "iu"
    rising: str = "always"
    diphthongs: tuple[str, ...] = ()
    mute: str = "h"
    alphabet: str = "abcdefghijklmnopqrstuvwxyz"
    respell: tuple[tuple[str, ...], ...] = ()
    sounds: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Stress:
    """Which syllable is stressed.

    Attributes:
        default: syllables from the end, 1 is the last.
        marks: names of the accents that decide the stress, strongest first.
        endings: pattern of a word's end -> syllables from the end; the first match decides.
        unstressed: words without stress inside a line, separated by spaces.
    """

    default: int = 2
    marks: tuple[str, ...] = ("acute", "grave", "circumflex")
    endings: dict[str, int] = field(default_factory=dict)
    unstressed: str = ""


@dataclass(frozen=True)
class Meter:
    """How a line is counted.

    Attributes:
        count_after: syllables counted after the last stressed one: 1 in Italy and Spain, 0 in Portugal and France.
        sinalefa: whether adjacent vowels of two words are one syllable.
        final_hiatus: whether the vowels of a final ``-ia``, ``-ea`` (mia, avea) stay two syllables inside a line.
        lengths: usual lengths, preferred first; slightly preferred if a line allows several.
        names: length, with stressed syllables if any -> name: ``"11"``, ``"11: 6 10"``.
    """

    count_after: int = 1
    sinalefa: bool = True
    final_hiatus: bool = True
    lengths: tuple[int, ...] = ()
    names: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Rhyme:
    """What rhymes.

    Attributes:
        same: sounds that rhyme with each other, as strings of single letters (``eɛ``).
        rich: whether a rhyme that shares the consonant before it is a separate kind.
    """

    same: tuple[str, ...] = ()
    rich: bool = True


@dataclass(frozen=True)
class Row:
    """A row of ``words.tsv``: a word, or an ending if it begins with ``-``, cut into syllables, one of them stressed."""

    word: str
    syllables: tuple[str, ...]
    stress: int
    ipa: str
    source: str


@dataclass(frozen=True)
class Settings:
    """The content of a folder: ``language.toml``, and the rows of ``words.tsv`` by word and by ending."""

    path: Path
    code: str
    name: str
    epitran: str
    pyphen: str
    letters: Letters = field(default_factory=Letters)
    stress: Stress = field(default_factory=Stress)
    meter: Meter = field(default_factory=Meter)
    rhyme: Rhyme = field(default_factory=Rhyme)
    words: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    endings: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    lines: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def where(self, section: str, key: str) -> str:
        """``language.toml:LINE`` of a key, or the file's name alone."""
        line = line_of(self.lines, section, key)
        return f"{FILE}:{line}" if line else FILE


SECTIONS: dict[str, type[Any]] = {"letters": Letters, "stress": Stress, "meter": Meter, "rhyme": Rhyme}
CODE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,30}")
TOP = ("code", "name", "epitran", "pyphen")


def read_settings(path: Path) -> Settings:
    """Read a language's folder.

    Raises:
        TableError: it has no ``language.toml``, or this or ``words.tsv`` has an error.
    """
    source = path / FILE
    try:
        text = unicodedata.normalize("NFC", source.read_text(encoding="utf-8"))
        table = tomllib.loads(text)
    except FileNotFoundError:
        raise TableError(f"{source}: no such file; expected the settings of a language. Is {str(path)!r} the folder of one?") from None
    except (UnicodeDecodeError, OSError) as error:
        raise TableError(f"{source}: {error}; expected a readable UTF-8 file.") from None
    except RecursionError:
        raise TableError(f"{source}:1: tables in tables without end; expected keys and values as in {FILE}.") from None
    except ValueError as error:  # TOML's own errors, and a number of thousands of digits
        line = re.search(r"line (\d+)", str(error))
        raise TableError(f"{source}:{line[1] if line else 1}: not TOML ({error!s:.120}); expected keys and values as in {FILE}.") from None
    lines = _key_lines(text)

    def where(section: str, key: str) -> str:
        return f"{source}:{line_of(lines, section, key) or 1}"

    known = [*TOP, *SECTIONS]
    for key in table:
        if key not in known:
            raise TableError(f"{where('', key)}: unknown {key!r}{did_you_mean(key, known)}; expected one of {', '.join(known)}.")
    for key in TOP:
        if not isinstance(table.get(key), str) or not table[key]:
            raise TableError(f'{where("", key)}: {key} is {table.get(key)!r}; expected a text such as {key} = "...".')
    if not CODE.fullmatch(table["code"]):  # it names folders of runs, and stands in pages
        raise TableError(f'{where("", "code")}: code is {table["code"]!r}; expected a few plain letters, such as "it".')
    sections = {name: _section(cls, table.get(name, {}), name, where) for name, cls in SECTIONS.items()}
    settings = Settings(path, *(table[key] for key in TOP), **sections)
    _check(settings, where)
    words, endings = _words(path / WORDS, frozenset(settings.letters.vowels))
    return dataclasses.replace(settings, words=words, endings=endings, lines=lines)


def _section(cls: type[Any], table: Any, name: str, where: Any) -> Any:
    if not isinstance(table, dict):
        raise TableError(f"{where('', name)}: {name} is {table!r}; expected a section [{name}].")
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in table.items():
        if key not in hints:
            raise TableError(f"{where(name, key)}: unknown {key!r} in [{name}]{did_you_mean(key, hints)}; expected {', '.join(hints)}.")
        values[key] = _typed(value, hints[key], f"{where(name, key)}: {key}")
    return cls(**values)


def _typed(value: Any, hint: Any, where: str) -> Any:
    """A TOML value as a field's type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, list):
        return tuple(_typed(item, inner[0], where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _typed(item, inner[1], where) for key, item in value.items()}
    if origin is None and type(value) is hint:
        return value
    wanted = {str: "a text", int: "a whole number", bool: "true or false", tuple: "a list", dict: "a section of its own"}[origin or hint]
    raise TableError(f"{where} is {value!r}; expected {wanted}.")


def _check(settings: Settings, where: Any) -> None:
    letters, stress = settings.letters, settings.stress
    patterns = [("letters", "mute", letters.mute), *(("stress.endings", ending, ending) for ending in stress.endings)]
    for name, pairs in (("respell", letters.respell), ("sounds", letters.sounds)):
        for pair in pairs:
            if len(pair) != 2:
                raise TableError(f"{where('letters', name)}: {list(pair)!r}; expected pairs of two texts [pattern, replacement].")
            patterns.append(("letters", name, pair[0]))
    for section, key, pattern in patterns:
        try:
            re.compile(pattern)
        except re.error as error:
            raise TableError(f"{where(section, key)}: {pattern!r} is no pattern ({error}); expected a regular expression.") from None
    if letters.rising not in RISING:
        raise TableError(f"{where('letters', 'rising')}: rising is {letters.rising!r}; expected one of {', '.join(RISING)}.")
    if not set(letters.weak) <= set(letters.vowels):
        raise TableError(f"{where('letters', 'weak')}: weak is {letters.weak!r}; expected some of the vowels {letters.vowels!r}.")
    for mark in stress.marks:
        if mark not in MARKS:
            raise TableError(f"{where('stress', 'marks')}: unknown mark {mark!r}{did_you_mean(mark, MARKS)}; expected {', '.join(MARKS)}.")
    for key, place in (("default", stress.default), *(("endings", place) for place in stress.endings.values())):
        if place < 1:
            raise TableError(f"{where('stress', key)}: {place}; expected 1 (the last syllable), 2 or more.")
    for name in settings.meter.names:
        if not re.fullmatch(r"\d+(:( \d+)+)?", name):
            raise TableError(f'{where("meter.names", name)}: {name!r}; expected a length and stressed syllables such as "11: 6 10".')
    if settings.meter.count_after not in (0, 1):
        raise TableError(f"{where('meter', 'count_after')}: {settings.meter.count_after}; expected 0 or 1.")


def line_of(lines: Mapping[tuple[str, str], int], section: str, key: str) -> int | None:
    """The line of a key, else of its section, which may be an inline table of another."""
    outer, _, name = section.rpartition(".")
    return lines.get((section, key)) or lines.get((section, "")) or lines.get((outer, name))


def _key_lines(text: str) -> dict[tuple[str, str], int]:
    """``(section, key)`` -> line; ``(section, "")`` is the section's own line."""
    lines_of_keys: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if opened := re.match(r"\s*\[([\w.]+)\]", line):
            section = opened[1]
            lines_of_keys.setdefault((section, ""), number)
        elif key := re.match(r"\s*(?:\"([^\"]+)\"|'([^']+)'|([\w-]+))\s*=", line):
            lines_of_keys.setdefault((section, key[1] or key[2] or key[3]), number)
    return lines_of_keys


def _words(path: Path, vowels: frozenset[str]) -> tuple[dict[str, tuple[Row, ...]], dict[str, tuple[Row, ...]]]:
    """Rows of ``words.tsv``, whole words and endings; none without the file."""
    words: dict[str, tuple[Row, ...]] = {}
    endings: dict[str, tuple[Row, ...]] = {}
    if not path.is_file():
        return words, endings
    for where, (word, apart, ipa, _) in read_table(path, WORD_COLUMNS, optional=2, where=str(path)):
        syllables = apart.split()
        stressed = [n for n, syllable in enumerate(syllables) if syllable.startswith("'")]
        bare = tuple(syllable.removeprefix("'") for syllable in syllables)
        if "".join(bare) != word.removeprefix("-"):
            raise TableError(f"{where}: syllables {apart!r} spell {''.join(bare)!r}; expected {word.removeprefix('-')!r}.")
        if len(stressed) != 1:
            raise TableError(f"{where}: {len(stressed)} stressed syllables in {apart!r}; expected one, with ' before it.")
        if lone := [syllable for syllable in bare if not vowels.intersection(unicodedata.normalize("NFD", syllable))]:
            raise TableError(f"{where}: syllable {lone[0]!r} has no vowel; expected one of {''.join(sorted(vowels))} in each.")
        row = Row(word, bare, stressed[0], ipa.rstrip(), f"{WORDS}:{where.rpartition(':')[2]}")
        table, key = (endings, word[1:]) if word.startswith("-") else (words, word)
        table[key] = (*table.get(key, ()), row)
    return words, endings
