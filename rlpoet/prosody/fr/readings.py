"""Readings of a French line: which doubtful vowels count, by learned probabilities and, if given, a target length.

A line is a row of nuclei, most of which certainly count. Each of the others (diérèse, mute e) has a probability, and the count is a
sum of independent choices. Without a target the count is the likeliest sum under a prior over the lengths of French verse (12, 8,
10, ...). This prior is worth 0.7 to 0.9 points of exact count on unseen poems; a prior for readings with a caesura changed no count
and was dropped. ``fits`` uses no prior: it tests only that the best reading of the target length is not far-fetched.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from dataclasses import dataclass
from typing import NamedTuple

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.fr.numerals import LIKELY, NUMERAL, aloud
from rlpoet.prosody.fr.syllables import START_P, Nucleus, accented, chance, nuclei, row_of, start_keys
from rlpoet.text import plain_letters

PIECE = re.compile(r"[^\W\d_]+")
# Set by hand after the order of frequency in the dev lines, flattened.
LENGTHS = {12: 1.0, 8: 0.55, 10: 0.3, 7: 0.2, 6: 0.25, 5: 0.12, 4: 0.08, 9: 0.05, 11: 0.05, 14: 0.02, 3: 0.02, 2: 0.02, 13: 0.02}
RARE_LENGTH = 0.01
OLD_E = 0.3  # chance of the licence of verse before Malherbe: a mute e after a vowel counts before a consonant (livré-e jolie)
JUST_READ = 512  # lines whose readings are remembered: who asks for a length asks next for another, or for the likeliest one
FAR_FETCHED = 0.15  # how much less likely than the best a reading of the target length may be
SURE = 1.0 - 1e-4
MOST_READINGS = 64
MOST_OF_ONE_COUNT = 8


class Mark(NamedTuple):
    """A nucleus of a line: its letters, the probability that it counts, and its kind."""

    start: int
    end: int
    p: float
    mute: bool
    last: bool  # the line's final mute e
    word: int
    keys: tuple[str, ...] = ()
    start_p: float = 1.0
    source: str = ""  # the table row that decided
    contact: bool = False  # a vowel in contact with the one before: diérèse or synérèse


CLITIC = Nucleus(1, 2, ("Ce",), 1.0, "e")  # the e of -je, -ce


def line_marks(line: str) -> list[Mark]:
    """The nuclei of a line with their probabilities in this context."""
    lowered = lower_same_length(line)
    pieces = [(match.start(), match.group()) for match in PIECE.finditer(lowered)]
    marks: list[Mark] = []
    final = len(pieces) - 1
    for index, (at, word) in enumerate(pieces):
        if len(word) > 1 and line[at : at + len(word)].isupper():
            word = accented(word)
        start = "" if index == final else word_start(pieces[index + 1][1])
        enclitic = at > 0 and word in ("je", "ce") and lowered[at - 1] == "-"
        for begin, end, p, mute, keys, start_p, source, contact in word_marks(word, start, enclitic):
            marks.append(Mark(at + begin, at + end, p, mute, mute and index == final, index, keys, start_p, source, contact))
    return marks


@functools.lru_cache(maxsize=65_536)
def word_start(word: str) -> str:
    """How a word begins for a mute e before it: ``V``, ``C``, or the word itself if that is doubtful."""
    starts = start_keys(word)
    return word if len(starts) > 1 else starts[0]


@functools.lru_cache(maxsize=65_536)
def word_marks(word: str, start: str, enclitic: bool) -> tuple[tuple[int, int, float, bool, tuple[str, ...], float, str, bool], ...]:
    """The marks of a word, given the start of the next word (empty at the end of the line); places are within the word."""
    marks = []
    for part in (CLITIC,) if enclitic else nuclei(word):
        mute = bool(part.mute)
        keys, p, source = mark_chance(part, start)
        if mute and not start:
            p = 0.0
        marks.append((part.start, part.end, p, mute, keys, part.start_p, source, bool(part.keys) and not mute))
    return tuple(marks)


def mark_chance(part: Nucleus, start: str) -> tuple[tuple[str, ...], float, str]:
    """Table keys, probability and deciding row of a nucleus, given the start of the next word."""
    if not part.mute:
        return (part.keys, chance(part.keys, part.start_p), row_of(part.keys)) if part.keys else ((), 1.0, "")
    starts = (start or "V",) if start in ("", "V", "C") else start_keys(start)
    kind = starts[-1]
    if part.mute == "e" and part.keys[-1].startswith("C"):
        if kind in ("V", "C"):
            return (), START_P[kind], ""
        return starts, chance(starts, START_P[kind]), row_of(starts)
    if part.keys[-1].startswith("C"):
        return (), 1.0, ""
    sound = "V" if START_P[kind] < 0.5 else "C"
    keys = tuple(f"{key}|{sound}" for key in part.keys)
    if part.mute == "e" and sound == "V":
        return (), 0.0, ""
    return keys, chance(keys, part.start_p), row_of(keys)


@functools.lru_cache(maxsize=4096)
def lower_char(char: str) -> str:
    low = char.lower()
    return low if len(low) == 1 else char


def lower_same_length(line: str) -> str:
    """Lower case, letter for letter, so that positions stay those of the line."""
    low = line.lower()
    if len(low) != len(line):
        low = "".join(map(lower_char, line))
    return low if low.isascii() else low.replace("ſ", "s")


def old_marks(marks: list[Mark]) -> list[Mark]:
    """The marks with the licence ``OLD_E``; empty if no mark takes it.

    >>> [[mark.p for mark in old_marks(line_marks(line)) if mark.mute] for line in ("livrée jolie", "livrée amie", "étaient venus")]
    [[0.3, 0.0], [], []]
    """
    old = [
        mark._replace(p=OLD_E) if mark.mute and not mark.last and mark.p < OLD_E and mark.keys[:1] and "V" in mark.keys[0] else mark
        for mark in marks
    ]
    return old if old != marks else []


class Reading(NamedTuple):
    """One reading of a line: its log probability, its count, and one bit for each doubtful mark that counts."""

    score: float
    count: int  # type: ignore[assignment]  # a tuple's own count is never called here
    chosen: int

    def counts(self, marks: list[Mark], index: int) -> bool:
        return marks[index].p >= SURE or bool(self.chosen >> index & 1)


def readings(marks: list[Mark]) -> list[Reading]:
    """Readings of a line, best first: all of them up to ``MOST_READINGS``, then the best of each count."""
    sure = 0
    partial: list[tuple[float, int, int]] = [(0.0, 0, 0)]
    for i, mark in enumerate(marks):
        if mark.p >= SURE:
            sure += 1
        elif mark.p > 1.0 - SURE:
            yes, no, bit = math.log(mark.p), math.log1p(-mark.p), 1 << i
            partial = [(s + no, n, c) for s, n, c in partial] + [(s + yes, n + 1, c | bit) for s, n, c in partial]
            if len(partial) > MOST_READINGS:
                partial = prune(partial)
    partial.sort(key=lambda r: -r[0])
    return [Reading(score, n + sure, chosen) for score, n, chosen in partial]


def prune(partial: list[tuple[float, int, int]]) -> list[tuple[float, int, int]]:
    """The best few of each count, ``MOST_READINGS`` in all."""
    seen: dict[int, int] = {}
    best = []
    for reading in sorted(partial, key=lambda r: -r[0]):
        n = seen.get(reading[1], 0)
        if n < MOST_OF_ONE_COUNT:
            seen[reading[1]] = n + 1
            best.append(reading)
    return best[: MOST_READINGS // 2]


def weigh(reading: Reading) -> float:
    """Log score of a reading if no length is given."""
    return reading.score + math.log(LENGTHS.get(reading.count, RARE_LENGTH))


@dataclass(frozen=True, slots=True)
class LineReading:
    """A line with its chosen reading, from which scansion, césure and words are derived."""

    text: str  # one character a letter
    letters: list[str] | None  # as typed, where that differs from ``text``
    marks: list[Mark]
    reading: Reading
    fits: bool | None

    def counts(self, index: int) -> bool:
        return self.reading.counts(self.marks, index)


@functools.lru_cache(maxsize=JUST_READ)
def _read(line: str) -> tuple[str, list[str] | None, list[Mark], list[Reading]]:
    """The line with one character per letter, the letters as typed, its vowels, and all its readings. Nobody may change them."""
    text, letters = compose(line)
    marks = line_marks(text)
    return text, letters, marks, readings(marks)


def read_line(line: str, target: int | None = None) -> LineReading:
    """The likeliest reading; with a target, the likeliest of that length if it is not far-fetched."""
    text, letters, marks, candidates = _read(line)
    fits: bool | None = None
    if target is not None:
        floor = candidates[0].score + math.log(FAR_FETCHED)
        aimed = [reading for reading in candidates if reading.count == target and reading.score > floor]
        if not aimed:
            old = old_marks(marks)
            aimed = [reading for reading in readings(old) if reading.count == target and reading.score > floor] if old else []
        fits = bool(aimed)
        candidates = aimed or candidates
    return LineReading(text, letters, marks, candidates[0] if len(candidates) == 1 else max(candidates, key=weigh), fits)


def compose(line: str) -> tuple[str, list[str] | None]:
    """The line with one character per letter and spaces for what is not heard, and the letters as typed where these differ."""
    silent = heard(line)
    if silent is line and (line.isascii() or (unicodedata.is_normalized("NFC", line) and plain_letters(line) == line)):
        return (line, None) if LIKELY.search(line) is None else read_numerals(line, list(line))
    letters: list[str] = []  # as typed; empty for the second letter of a ligature
    plain = ""
    for typed, char in zip(line, silent, strict=True):
        if letters and unicodedata.combining(char):
            letters[-1] += typed
            plain = plain[:-1] + unicodedata.normalize("NFC", plain[-1] + char)[0]
        else:
            spelt = plain_letters(unicodedata.normalize("NFC", char)[0])
            letters += [typed, *[""] * (len(spelt) - 1)]
            plain += spelt
    return (plain, letters) if LIKELY.search(plain) is None else read_numerals(plain, letters)


def read_numerals(plain: str, letters: list[str]) -> tuple[str, list[str]]:
    """``compose`` of a line with Roman numerals: their words, of which the first letter stands for the numeral as typed.

    >>> read_numerals("Louis XIV", list("Louis XIV"))[0]
    'Louis quatorze'
    """
    text, typed, at = "", [], 0
    for match in NUMERAL.finditer(plain):
        words = aloud(match[0])
        if words:
            text += plain[at : match.start()] + words
            typed += [*letters[at : match.start()], "".join(letters[match.start() : match.end()]), *[""] * (len(words) - 1)]
            at = match.end()
    return text + plain[at:], typed + letters[at:]
