"""A poem with gaps as people type it, and the form that its lines ask for.

A line of ``_`` alone is a gap. ``_ nuit`` is a line that ends in given words, ``Sous le pont _`` one that begins with them, ``Ô _ nuit``
both. ``L_`` is a line that begins with the letter L. Every other line is kept as it is, down to its spaces.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.forms import RHYMES, answers, detecting, form, forms, unwritable
from rlpoet.prosody.meter import in_meter, length_of
from rlpoet.prosody.rhyme import rhyme_kind, rhymes
from rlpoet.types import Form

MARK = "_"
_GAP = re.compile(r"(?P<indent>\s*)(?:(?P<letters>[^\W\d_]+)_+|(?:(?P<start>\S.*?)\s+)?_+)(?:\s+(?P<end>\S.*?))?\s*")
USUAL = {"fr": 12, "es": 11, "en": 10}  # length of lines where nothing says another
WHOLE = 14  # lines of a poem whose rhymes may cross its stanzas: up to a sonnet
AGREEING = 0.8  # share of given lines within a syllable of one length, from which all lines have it
UNKEPT = 4  # how much worse a broken rhyme of given lines is than a kept one is good


@dataclass(frozen=True)
class Line:
    """One line of a poem with gaps.

    Attributes:
        text: the line as typed; of a gap, with its mark.
        gap: whether something is missing.
        start, end: given words of a gap at its beginning and at its end, as typed; empty if there are none.
        letters: what a gap has to begin with; empty if anything.
        indent: white space before a gap.
    """

    text: str
    gap: bool = False
    start: str = ""
    end: str = ""
    letters: str = ""
    indent: str = ""

    @property
    def known_end(self) -> str:
        """Text whose last word is that of the line; empty if that is open."""
        return self.end if self.gap else self.text


@dataclass(frozen=True)
class Part:
    """Lines that rhyme among themselves: a stanza, or a whole poem.

    Attributes:
        lines: of the part.
        at: their places among the lines of the poem that are not blank.
        form: what they have to keep.
        guessed: whether the form was found by the given lines.
    """

    lines: tuple[Line, ...]
    at: tuple[int, ...]
    form: Form
    guessed: bool


def read_line(text: str) -> Line:
    """A line as typed, with what is given of it.

    >>> read_line("_ de la nuit").end, read_line("Sous le pont _").start, read_line("  L_").letters, read_line("snake_case").gap
    ('de la nuit', 'Sous le pont', 'L', False)
    """
    match = _GAP.fullmatch(text)
    if match is None:
        return Line(text)
    return Line(text, True, match["start"] or "", match["end"] or "", match["letters"] or "", match["indent"])


def split_rows(text: str) -> list[str]:
    r"""The rows of a text, each with its line end, so that joining them gives the text back; only ``\n``, ``\r\n`` and ``\r`` end one.

    >>> split_rows("a\r\n\nb")
    ['a\r\n', '\n', 'b']
    """
    return re.findall(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+", text)


def with_acrostic(lines: Sequence[Line], letters: str) -> list[Line]:
    """The lines with the letters that they have to begin with.

    Raises:
        RlpoetError: more or fewer letters than lines, or a given line that begins otherwise.
    """
    wanted = [letter for letter in letters if letter.isalpha()]
    if len(wanted) != len(lines):
        raise RlpoetError(f"acrostic {letters!r}: {len(wanted)} letters for {len(lines)} lines; expected one letter a line.")
    out = []
    for number, (line, letter) in enumerate(zip(lines, wanted, strict=True), start=1):
        given = line.start or line.letters if line.gap else line.text
        if given and not begins_with(given, letter):
            raise RlpoetError(f"acrostic {letters!r}: line {number} begins {given.split()[0]!r}; expected {letter!r}. Change one of them.")
        out.append(replace(line, letters=letter) if line.gap and not line.start else line)
    return out


def capitals(lines: Sequence[Line]) -> bool:
    """Whether every given line begins with a capital, so that a new one should; False where fewer than two lines are given.

    >>> capitals([Line("Ici"), Line("«  Là"), Line("_", gap=True)]), capitals([Line("Ici"), Line("là")])
    (True, False)
    """
    first = [next((c for c in line.text if c.isalpha()), "") for line in lines if not line.gap]
    return len(first) > 1 and all(c.isupper() for c in first)


def begins_with(line: str, letters: str) -> bool:
    """Whether the first letters of a line are these, whatever their case and accents.

    >>> begins_with("« Écoute", "e"), begins_with("Ombre", "L")
    (True, False)
    """
    return _plain(line).startswith(_plain(letters))


def _plain(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if c.isalpha() and not unicodedata.combining(c))


def parts_of(stanzas: Sequence[Sequence[Line]], lang: str, *, asked: Form | None = None, length: int | None = None) -> list[Part]:
    """The parts of a poem with their forms.

    Args:
        stanzas: the lines of each.
        asked: the form of the whole poem; by default that of each part is found by its given lines.
        length: metrical syllables of every line; by default that of most given lines, else that of the form.

    Raises:
        RlpoetError: the form has another number of lines.
    """
    lines = [line for stanza in stanzas for line in stanza]
    if asked is not None:
        if asked.n_lines != len(lines):
            raise RlpoetError(
                f"form {asked.name!r}: {len(lines)} lines given; expected {asked.n_lines}. Mark lines that are missing by {MARK}."
            )
        return [Part(tuple(lines), tuple(range(len(lines))), asked, False)]
    blocks = [lines] if len(lines) <= WHOLE else [list(stanza) for stanza in stanzas]
    layouts = [[len(stanza) for stanza in stanzas]] if len(lines) <= WHOLE else [[len(stanza)] for stanza in stanzas]
    found, first = [], 0
    for block, layout in zip(blocks, layouts, strict=True):
        found.append(Part(tuple(block), tuple(range(first, first + len(block))), guess(block, layout, lang, length=length), True))
        first += len(block)
    return found


def guess(lines: Sequence[Line], layout: Sequence[int], lang: str, *, length: int | None = None) -> Form:
    """The form that given lines and given ends keep best; where no form of the table has so many lines, the rhymes that are there.

    >>> gaps = [read_line(line) for line in ("Sur la mer calme et sombre", "Le jour s'en va", "_", "Il reviendra")]
    >>> guess(gaps, [4], "fr").scheme
    'abab'
    """
    kept = [line.text for line in lines if not line.gap]
    best, most = _own_scheme(lines, layout, lang), -1.0
    for one in forms(lang):
        if one.n_lines != len(lines) or unwritable(one) or one.rhyme != RHYMES[0] or not one.pairs:
            continue
        meters = sum(in_meter(line.text, lang, one.meters[n]) for n, line in enumerate(lines) if not line.gap)
        same_layout = [len(stanza) for stanza in one.scheme.split(" ")] == list(layout)
        score = _agreement(lines, one) + 0.5 * meters + 0.25 * same_layout
        if score > most:
            best, most = one.scheme, score
    own = [one for one in forms(lang) if one.scheme == best and one.rhyme == RHYMES[0] and not unwritable(one)]
    if length is None:
        fitting = next((one for one in own if all(in_meter(kept[k], lang, m) for k, m in enumerate(_given(lines, one.meters)))), None)
        if fitting is not None:
            return fitting
        return form(f"{best}/{' '.join(map(str, _lengths(lines, best.replace(' ', ''), lang)))}", lang)
    return form(f"{best}/{length}", lang)


def _lengths(lines: Sequence[Line], letters: str, lang: str) -> list[int]:
    """A length for each line: one for all where nearly all given lines have it, else that of the given lines of its rhyme."""
    heard = {n: length_of(line.text, lang) for n, line in enumerate(lines) if not line.gap}
    counts = Counter(heard.values())
    usual = max(counts, key=lambda n: (counts[n], n)) if counts else USUAL.get(verse(lang).code, 8)
    if sum(abs(n - usual) <= 1 for n in heard.values()) >= AGREEING * len(heard):
        return [usual] * len(lines)
    out = []
    for n, letter in enumerate(letters):
        nearest = sorted(heard, key=lambda m: (letters[m] != letter or letter == "x", abs(m - n)))
        out.append(heard.get(n, heard[nearest[0]]))
    return out


def _given(lines: Sequence[Line], meters: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    return [meter for line, meter in zip(lines, meters, strict=True) if not line.gap]


def _agreement(lines: Sequence[Line], one: Form) -> float:
    """Rhymes of given ends that a scheme asks for, less those it forbids and those it asks for in vain."""
    ends = [line.known_end for line in lines]
    score = 0.0
    for i in range(len(lines)):
        for j in range(i):
            if not ends[i] or not ends[j]:
                continue
            asked = one.letters[i] == one.letters[j] != "x"
            heard = rhyme_kind(ends[j], ends[i], one.lang)
            full = heard in verse(one.lang).rhyming
            licensed = heard in detecting(one.lang)  # given lines may rhyme as poets of their time did: love / prove
            score += (1.0 if full else 0.5 if licensed else -UNKEPT) if asked else -1.0 * full
    return score


def _own_scheme(lines: Sequence[Line], layout: Sequence[int], lang: str) -> str:
    """The scheme of the given ends; a gap whose end is open rhymes with the nearest line without a rhyme, of those before it if it can."""
    letters: list[str] = []
    names = iter("abcdefghijklmnopqrstuvwyz")
    ends = [line.known_end for line in lines]
    for i, end in enumerate(ends):
        mates = [j for j in range(i) if end and ends[j] and rhymes(ends[j], end, lang)]
        letters.append(letters[mates[-1]] if mates else next(names, "x"))
    for i, end in enumerate(ends):
        if not end:
            alone = [j for j in range(len(ends)) if j != i and letters.count(letters[j]) == 1]
            if alone:
                letters[i] = letters[min(alone, key=lambda j: (j > i, abs(i - j)))]
    single = [letter if letters.count(letter) > 1 else "x" for letter in letters]
    cuts = [sum(layout[:n]) for n in range(len(layout))]
    return "".join((" " if n in cuts[1:] else "") + letter for n, letter in enumerate(single))


def contradiction(lines: Sequence[Line], asked: Form) -> tuple[int, int] | None:
    """The first two given ends that do not rhyme though the form asks for it; None if there are none."""
    for i, j in asked.pairs:
        a, b = lines[i].known_end, lines[j].known_end
        if a and b and (lines[i].gap or lines[j].gap) and not answers(a, b, asked):
            return i, j
    return None
