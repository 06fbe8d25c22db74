"""Scansion of French lines: the chosen reading, its syllables, its césure, and the words whose count is a guess."""

from __future__ import annotations

import functools
import re

from rlpoet.phonology.fr.numerals import aloud
from rlpoet.prosody.fr.caesura import caesura_position
from rlpoet.prosody.fr.readings import SURE, LineReading, Mark, read_line
from rlpoet.prosody.fr.syllables import is_learned
from rlpoet.types import Scansion, Syllable

DOUBT = 0.1
GAP = re.compile(r"[^\W\d_]*['’]*[^\w'’]+(?:[^\w'’]|\d)*")
CONSONANT = re.compile("(?:qu|gu|ge|cu|ch|ph|th|gn|[bcdfgptv][lr]|[^\\W\\d_])['’ʼ]?", re.IGNORECASE)


def scan_line(line: str, target: int | None = None) -> Scansion:
    """The likeliest reading; with a target, the likeliest reading of that length if it is not far-fetched.

    >>> scan_line("La fille de Minos et de Pasiphaé").syllables
    12
    """
    line_reading = read_line(line, target)
    return _scansion(line, line_reading, units(line_reading))


def count_line(line: str, target: int | None = None) -> Scansion:
    """``scan_line`` without units, which is faster."""
    return _scansion(line, read_line(line, target), ())


def _scansion(line: str, line_reading: LineReading, syllables: tuple[Syllable, ...]) -> Scansion:
    return Scansion(
        line,
        line_reading.reading.count,
        None,
        line_reading.fits,
        syllables,
        caesura_position(line_reading),
        (*guessed_words(line_reading.text, line_reading.marks), *filter(aloud, line_reading.letters or ())),
    )


def guessed_words(line: str, marks: list[Mark]) -> tuple[str, ...]:
    """Words that are not in the learned table and whose adjacent vowels may well be read either way."""
    guessed = []
    for mark in marks:
        if DOUBT < mark.p < 1.0 - DOUBT and mark.keys[:1] and mark.keys[0].startswith("#") and not is_learned(mark.keys[:1]):
            start, end = mark.start, mark.end
            while start and line[start - 1].isalpha():
                start -= 1
            while end < len(line) and line[end].isalpha():
                end += 1
            guessed.append(line[start:end])
    return tuple(dict.fromkeys(guessed))


def units(line_reading: LineReading) -> tuple[Syllable, ...]:
    """The line cut into metrical syllables, whose joined texts are the line.

    A vowel that does not count stays with the adjacent counted one; an elided e goes with the next word.
    """
    line, marks, chosen = line_reading.text, line_reading.marks, line_reading.reading.chosen
    if not marks:
        return (Syllable(line if line_reading.letters is None else "".join(line_reading.letters), counts=False),) if line else ()
    cuts = [0]
    explained: list[tuple[bool, str, str]] = []
    end, elided_at, note, source, elided_by = 0, -1, "", "", ""
    counted = opened = False
    for i, mark in enumerate(marks):
        start, stop, p, mute, last, _, _, _, row, contact = mark
        counts = p >= SURE or bool(chosen >> i & 1)
        if counts or (last and i and marks[i - 1].end != start):
            if opened:
                edge = elided_at if elided_at >= 0 else start
                cuts.append(end + cut_between(line[end:edge]))
                explained.append((counted, note, source))
            if elided_at >= 0:
                note, source = "elided", elided_by
            else:
                note, source = "diérèse" if contact and counts else "", row
            if last:
                note = "caduc"
            counted = counts
            opened = True
            end, elided_at = stop, -1
        elif opened and start == end:
            end = stop
            if contact:
                note, source = note or "synérèse", source or row
        elif mute and opened:
            elided_at, elided_by = start, row
        elif not opened:  # a line that is one mute e (``le``)
            opened, counted, note, source, end = True, False, "caduc" if last else "", row, stop
    explained.append((counted, note, source))
    cuts.append(len(line))
    whole = line if line_reading.letters is None else None
    syllables = []
    for k, (counts, explanation, row) in enumerate(explained):
        text = whole[cuts[k] : cuts[k + 1]] if whole is not None else "".join((line_reading.letters or [])[cuts[k] : cuts[k + 1]])
        syllables.append(Syllable(text, None, counts, explanation, row))
    return tuple(syllables)


@functools.lru_cache(maxsize=16_384)
def cut_between(between: str) -> int:
    """Where to cut the letters between two vowels: after the space between words, else before the last consonant.

    >>> cut_between("rt"), cut_between("bl"), cut_between("s, "), cut_between("rsqu'")
    (1, 0, 3, 2)
    """
    gap = GAP.search(between)
    if gap:
        return gap.end()
    tokens = list(CONSONANT.finditer(between))
    return tokens[-1].start() if tokens else 0
