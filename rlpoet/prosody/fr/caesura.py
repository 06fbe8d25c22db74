"""The césure of French lines of ten and twelve syllables: whether it is kept, and if not, why.

Classical rule: the syllable before the césure ends its word on a sounded vowel (a mute e may follow only if the next vowel elides
it), and the word does not lean on the next one. The four faults are the metrical criteria F, C, P, M (Cornulier, Théorie du vers,
1982): a mute e on the syllable before (césure lyrique) or after (enjambante), a clitic, a preposition, the inside of a word. A mute e
that is not counted at the césure (épique) is medieval. Left out: sense and syntax beyond small words, so ``kept`` means that a césure
is possible.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rlpoet.prosody.fr.readings import SURE, LineReading, Mark, read_line

LETTERS = re.compile(r"[^\W\d_]+")
PATTERNS = {  # in the order a reader tries them
    12: ((6, 6), (4, 4, 4)),
    10: ((4, 6), (5, 5), (6, 4)),
}
PROCLITICS = frozenset(
    "le la les l un une des du de d au aux à ce cet cette ces mon ton son ma ta sa mes tes ses nos vos notre votre leur leurs "
    "je j tu il ils on me m te t se s ne n y en qu que et ou ni si "
    "dans par pour sur sous sans vers chez dès".split()
)
HOMOGRAPHS = frozenset("son ton vers un y en la".split())  # a noun or pronoun where an article stands before it: le son, quelqu'un
ARTICLES = frozenset("le l un du au ce les des leurs ses mes vos nos tes ces aux quelqu chaque notre votre leur".split())
ENCLITIC = frozenset("je j tu il ils elle elles on nous vous le la les lui leur moi toi y en ce là ci t".split())


@dataclass(frozen=True)
class Cesure:
    """A line compared with one pattern.

    Attributes:
        pattern: syllables of each part, ``(6, 6)``.
        kept: whether the rule allows every cut.
        kind: the fault: ``lyrique``, ``enjambante``, ``épique``, ``inside a word``, ``proclitic``, ``length``; empty if kept.
        why: the fault and the word, as a sentence; empty if kept.
    """

    pattern: tuple[int, ...]
    kept: bool
    kind: str = ""
    why: str = ""

    @property
    def name(self) -> str:
        """``6+6``."""
        return "+".join(map(str, self.pattern))


def cesure(line: str, syllables: int | None = None) -> Cesure | None:
    """The césure of a line of ten or twelve: the first pattern it keeps, else its fault in the usual pattern.

    Args:
        syllables: the intended length, 10 or 12; None takes the likeliest reading. A line with one syllable more is read with a
            césure épique if a mute e stands right after the usual cut.

    Returns:
        None for lines of other lengths.

    >>> cesure("Je fais souvent ce rêve étrange et pénétrant").name
    '6+6'
    >>> cesure("Accable, belle indolemment comme les fleurs").name
    '4+4+4'
    >>> cesure("Périssez ! puissance, justice, histoire, à bas !").why
    'lyrique: on the mute e of puissance'
    """
    wanted = syllables or read_line(line).reading.count
    if wanted not in PATTERNS:
        return None
    tried = [measure(line, pattern) for pattern in PATTERNS[wanted]]
    return next((caesura for caesura in tried if caesura.kept), tried[0])


def measure(line: str, pattern: tuple[int, ...]) -> Cesure:
    """Whether a line keeps one pattern, and if not, the fault at the first cut that fails.

    >>> measure("Il faut que le malheureux chante encore ici", (6, 6)).kind
    'inside a word'
    """
    total = sum(pattern)
    line_reading = read_line(line, total)
    if line_reading.reading.count == total + 1 and len(pattern) == 2 and epic(line_reading, pattern[0]):
        return Cesure(
            pattern, False, "épique", f"épique: the mute e of {word_of(line_reading, _counted(line_reading)[pattern[0]])} is not counted"
        )
    if line_reading.reading.count != total:
        return Cesure(pattern, False, "length", f"{line_reading.reading.count} syllables, {total} wanted")
    cut = 0
    for part in pattern[:-1]:
        cut += part
        kind, why = fault(line_reading, cut)
        if kind:
            return Cesure(pattern, False, kind, why)
    return Cesure(pattern, True)


def caesura_position(line_reading: LineReading) -> int | None:
    """Syllables before the césure of a line of twelve (6+6) or ten (4+6, 5+5, 6+4) if one is kept, else None."""
    patterns = PATTERNS.get(line_reading.reading.count)
    if patterns is None:
        return None
    counted = _counted(line_reading)
    for pattern in patterns:
        if len(pattern) == 2 and not fault_at(line_reading, counted, pattern[0]):
            return pattern[0]
    return None


def fault(line_reading: LineReading, cut: int) -> tuple[str, str]:
    """The fault of a césure after ``cut`` counted syllables: its kind and a sentence; both empty if there is none."""
    counted = _counted(line_reading)
    kind = fault_at(line_reading, counted, cut)
    if not kind:
        return "", ""
    word = word_of(line_reading, counted[cut - 1])
    return kind, {
        "enjambante": f"enjambante: {word} keeps its mute e for the next part",
        "inside a word": f"inside a word: {word}",
        "lyrique": f"lyrique: on the mute e of {word}",
        "proclitic": f"after the proclitic {word}",
    }[kind]


def fault_at(line_reading: LineReading, counted: list[Mark], cut: int) -> str:
    """The kind of fault of a césure after ``cut`` of the counted nuclei; empty if there is none."""
    before, after = counted[cut - 1], counted[cut]
    if before.word == after.word:
        return "enjambante" if after.mute else "inside a word"
    if before.mute:
        return "lyrique"
    begin, end = _span(line_reading.text, before)
    if end - begin < 7 and line_reading.text[begin:end].lower() in PROCLITICS and _leans(line_reading.text, begin, end, after.start):
        return "proclitic"
    return ""


def epic(line_reading: LineReading, cut: int) -> bool:
    """Whether the syllable after the cut is a word-final mute e that a césure épique would leave uncounted."""
    counted = _counted(line_reading)
    before, extra = counted[cut - 1], counted[cut]
    return extra.mute and before.word == extra.word and counted[cut + 1].word != extra.word


def word_of(line_reading: LineReading, mark: Mark) -> str:
    """The word a nucleus stands in, as typed (composed)."""
    begin, end = _span(line_reading.text, mark)
    return line_reading.text[begin:end]


def _counted(line_reading: LineReading) -> list[Mark]:
    chosen = line_reading.reading.chosen
    return [mark for i, mark in enumerate(line_reading.marks) if mark.p >= SURE or chosen >> i & 1]


def _span(text: str, mark: Mark) -> tuple[int, int]:
    begin, end = mark.start, mark.end
    while begin and text[begin - 1].isalpha():
        begin -= 1
    while end < len(text) and text[end].isalpha():
        end += 1
    return begin, end


def _leans(text: str, begin: int, end: int, after: int) -> bool:
    """Whether a small word leans on the next word: there is no pause after it, and it is not tied to the word before."""
    word = text[begin:end].lower()
    if begin and text[begin - 1] == "-" and word in ENCLITIC:
        return False
    if word in HOMOGRAPHS:
        earlier = LETTERS.findall(text[max(begin - 20, 0) : begin])
        if earlier and earlier[-1].lower() in ARTICLES:
            return False
    between = text[end:after]
    return not any(not char.isalpha() and not char.isspace() and char not in "'’ʼ" for char in between)
