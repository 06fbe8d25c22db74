"""Scansion for the language of a folder: whether adjacent vowels are one syllable or two, and the cost of the other reading.

Each pair of adjacent vowels has a usual reading: inside a word as the settings cut it; between words one syllable, if the language
has sinalefa. The other reading is a licence (dieresis, sineresis, dialefa) with a cost. A line fits a length if licences of at most
``MOST`` together reach it. Left out: how the licences of one line influence each other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rlpoet.languages.settings import Settings
from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.generic.sounds import GenericPhonology, Parsed, base_letter, fold
from rlpoet.types import Scansion, Syllable

WORD = re.compile(r"'?[^\W\d_]+(?:-[^\W\d_]+)*'?")
PAUSE = re.compile(r"[.,;:!?…()—–]")
LONGEST = 400  # characters; beyond that a line is not verse and only its beginning is read
MOST = 1.5  # what the licences of a line may cost together
EASY = 1.0  # what a usual length may cost to be preferred when no length is asked
DIERESIS, RARE_DIERESIS, SINERESIS, FINAL_HIATUS, DIALEFA, SINALEFA = 1.5, 2.0, 1.0, 0.5, 1.0, 1.0
RELIEF = 0.5  # what a stress or a pause beside a dialefa takes off its cost


@dataclass(frozen=True, slots=True)
class LineWord:
    """A word of a line, folded, and the place of its letters in the original line."""

    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cell:
    """A vowel letter of a line: where its syllable would begin, and whether it is stressed."""

    start: int
    stressed: bool
    guessed: str
    source: str


@dataclass(slots=True)
class Meeting:
    """The boundary between two vowels: parted or not, the cost of the other reading (None: there is none), and its name."""

    parted: bool
    cost: float | None = None
    licence: str = ""
    note: str = ""


def line_words(line: str) -> list[LineWord]:
    """The words of a line; an apostrophe belongs to the word that it shortens.

    >>> [word.text for word in line_words("Tant\u2019 \u00e8 amara, l'Amor")]
    ["tant'", 'è', 'amara', "l'", 'amor']
    """
    letters, starts = _letters(heard(line))
    words = []
    for match in WORD.finditer(letters):
        start, end = match.span()
        if letters[start] == "'" and start and letters[start - 1].isalpha():
            start += 1  # it was the end of the word before
        text = letters[start:end]
        if any(map(str.isalpha, text)):
            words.append(LineWord(text, starts[start], starts[end]))
    return words


def _letters(line: str) -> tuple[str, list[int]]:
    """The line folded to one character per letter, and where each begins in the line (with one more place for the end)."""
    folded = fold(line)
    if len(folded) == len(line) and unicodedata.is_normalized("NFC", line):
        return folded, [*range(len(line) + 1)]
    letters, starts = [], []
    at = 0
    while at < len(line):
        end = at + 1
        while end < len(line) and unicodedata.combining(line[end]):
            end += 1
        letter = fold(line[at:end])
        found = letter if len(letter) == 1 or letter.isalpha() else letter[:1] or " "  # two letters: a ligature
        letters.append(found)
        starts += [at] * len(found)
        at = end
    return "".join(letters), [*starts, len(line)]


def scan_line(line: str, target: int | None, phonology: GenericPhonology) -> Scansion:
    """See ``GenericVerse.scan``."""
    settings = phonology.settings
    cells, meetings = _lay(line, phonology)
    if not cells:
        return Scansion(line, 0, "", None if target is None else False, (Syllable(line, None, False),) if line else ())
    last = max(n for n, cell in enumerate(cells) if cell.stressed)
    after = settings.meter.count_after
    usual = 1 + sum(meeting.parted for meeting in meetings[:last]) + after

    def cost_of(length: int) -> tuple[float, list[Meeting]] | None:
        """The cheapest licences that give the line this length."""
        more = length > usual
        ways = [meeting for meeting in meetings[:last] if meeting.cost is not None and meeting.parted != more]
        taken = sorted(ways, key=lambda meeting: meeting.cost or 0.0)[: abs(length - usual)]
        cost = sum(meeting.cost or 0.0 for meeting in taken)
        return (cost, taken) if len(taken) == abs(length - usual) and cost <= MOST else None

    length = usual
    if target is None:
        priced = [
            (priced_length[0], n, usual_length)
            for n, usual_length in enumerate(settings.meter.lengths)
            if (priced_length := cost_of(usual_length)) is not None
        ]
        if usual not in settings.meter.lengths and priced and min(priced)[0] <= EASY:
            length = min(priced)[2]
    elif cost_of(target) is not None:
        length = target
    for meeting in (cost_of(length) or (0.0, []))[1]:
        meeting.parted, meeting.note = not meeting.parted, meeting.licence
    units, stress = _units(line, cells, meetings, length, settings)
    guessed = tuple(dict.fromkeys(cell.guessed for cell in cells if cell.guessed))
    return Scansion(line, length, stress, None if target is None else length == target, units, None, guessed)


def _lay(line: str, phonology: GenericPhonology) -> tuple[list[Cell], list[Meeting]]:
    """The vowels of a line, and the boundary between each and the next."""
    settings = phonology.settings
    visible = line[:LONGEST]
    _, starts = _letters(visible)
    index = {at: n for n, at in enumerate(starts)}
    unstressed = frozenset(settings.stress.unstressed.split())
    words = [(word, ways[0]) for word in line_words(visible) if (ways := phonology.parse(word.text))]
    carrying = [n for n, (_, parsed) in enumerate(words) if parsed.groups]
    cells: list[Cell] = []
    meetings: list[Meeting] = []
    for behind, n in zip([-1, *carrying], carrying, strict=False):
        word, parsed = words[n]
        inside = n != carrying[-1]
        tonic = not inside or word.text not in unstressed
        known = phonology.transcribe(word.text).known
        first = index[word.start] + len(word.text) - len(parsed.text)
        if cells:
            touching = n == behind + 1  # else a word without a vowel stands between: ch'i'
            meetings.append(_between(words[behind], words[n], visible, cells[-1], tonic, settings) if touching else Meeting(True))
        for g, group in enumerate(parsed.groups):
            for k, at in enumerate(group):
                if k:
                    meetings.append(_within(parsed, group[k - 1], at, settings))
                elif g:
                    meetings.append(_hiatus(parsed, g, inside=inside, settings=settings))
                begins = starts[first + (at if k else parsed.starts[g])] if g or k else words[behind + 1][0].start
                stressed = tonic and g == parsed.stress and at == parsed.nuclei[g]
                cells.append(Cell(begins, stressed, "" if known else word.text, parsed.source))
    if cells and not any(cell.stressed for cell in cells):
        cells[-1] = Cell(cells[-1].start, True, cells[-1].guessed, cells[-1].source)
    return cells, meetings


def _between(
    before: tuple[LineWord, Parsed], after: tuple[LineWord, Parsed], line: str, last: Cell, tonic: bool, settings: Settings
) -> Meeting:
    """The boundary between the last vowel of a word and the first of the next.

    Args:
        last: the cell of the last vowel.
        tonic: whether the next word is stressed.
    """
    (left, a), (right, b) = before, after
    if not (a.closes and b.opens):
        return Meeting(True)
    if not settings.meter.sinalefa:
        return Meeting(True, SINALEFA, "sinalefa")
    stress_beside = last.stressed or (tonic and b.stress == 0)
    pause = PAUSE.search(line[left.end : right.start]) is not None
    return Meeting(False, DIALEFA - RELIEF * max(stress_beside, pause), "dialefa", "sinalefa")


def _within(parsed: Parsed, left: int, right: int, settings: Settings) -> Meeting:
    """The boundary between two vowel letters of one syllable."""
    weak = settings.letters.weak
    rising = base_letter(parsed.text[left]) in weak and base_letter(parsed.text[right]) not in weak
    if parsed.text[left] + parsed.text[right] in settings.letters.diphthongs:
        return Meeting(False)
    return Meeting(False, DIERESIS if rising else RARE_DIERESIS, "dieresis")


def _hiatus(parsed: Parsed, g: int, *, inside: bool, settings: Settings) -> Meeting:
    """The boundary between two syllables of one word, whose adjacent vowels may be read as one."""
    left, right = parsed.groups[g - 1][-1], parsed.groups[g][0]
    if any(base_letter(letter).isalpha() and base_letter(letter) != "h" for letter in parsed.text[left + 1 : right]):
        return Meeting(True)
    closing = g == len(parsed.groups) - 1 and g - 1 == parsed.stress and parsed.closes
    if closing and inside and not settings.meter.final_hiatus:
        return Meeting(False, FINAL_HIATUS, "dieresis", "sineresis")
    return Meeting(True, FINAL_HIATUS if closing and inside else SINERESIS, "sineresis")


def _units(
    line: str, cells: Sequence[Cell], meetings: Sequence[Meeting], length: int, settings: Settings
) -> tuple[tuple[Syllable, ...], str]:
    """Syllables on the spelling, and the stress of those that count."""
    syllables: list[list[int]] = [[0]]
    notes = [""]
    for n, meeting in enumerate(meetings, start=1):
        if meeting.parted:
            syllables.append([n])
            notes.append(meeting.note)
        else:
            syllables[-1].append(n)
            notes[-1] = notes[-1] or meeting.note
    cuts = [0, *(cells[syllable[0]].start for syllable in syllables[1:]), len(line)]
    units, stress = [], ""
    for k, syllable in enumerate(syllables):
        counts = k < length
        stressed = counts and any(cells[n].stressed for n in syllable)
        source = next((cells[n].source for n in syllable if cells[n].source), "")
        note = notes[k] if counts else "after the last that counts"
        units.append(Syllable(line[cuts[k] : cuts[k + 1]], stressed, counts, note, source))
        stress += ("+" if stressed else "-") if counts else ""
    if len(units) < length:
        units.append(Syllable("", False, True, "stress on the last syllable: one more is counted"))
        stress += "-"
    return tuple(units), stress
