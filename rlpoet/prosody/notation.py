"""The notation of schemes: which lines rhyme, which repeat a line or an end word, and which stanza may come again.

| sign | meaning | example |
| --- | --- | --- |
| ``a`` | lines of one letter rhyme | ``abab`` |
| ``x`` | a line free of rhyme | ``xaxa`` |
| space | a new stanza | ``aba bcb`` |
| ``A``, ``A1``, ``A2`` | a refrain: lines of one capital and number are the same line, and rhyme with ``a`` | ``ABaAabAB`` |
| ``*`` | the rentrement: the first words of the first line, free of rhyme | ``aabba aab* aabba*`` |
| ``1`` ... ``9`` | lines of one figure end in the same word | ``123456 615243`` |
| ``a1`` | lines of one letter and number end in the same word, and rhyme with the other lines of ``a`` | ``a1ba1`` |
| ``(...)4+`` | a part that may come any number of times, by itself four times | ``(xa)4+`` |
| ``(...)2>`` | the same, each time with the next letters: a chain | ``(aba )2>b`` |
| ``=`` | after a letter: the letter itself, wherever the chain stands | ``A2=`` |

Capitals and numbers are those of handbooks (Turco, The Book of Forms; Fussell, Poetic Meter and Poetic Form).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from rlpoet.types import Repeat

LETTERS = "abcdefghijklmnopqrstuvwyz" + "αβγδεζηθικλμνξοπρστυφχψω" + "абвгдежзийклмнопрстуфхцчшщъыьэюя"  # x is no rhyme
_OPEN = re.compile(r"(?P<before>[^()]*)\((?P<unit>[^()]+)\)(?P<times>\d*)(?P<way>[+>])(?P<after>[^()]*)")
_SIGN = re.compile(r" +|\*|\d|[^\W\d_]\d?=?")


class Sign(NamedTuple):
    """One line of a scheme.

    Attributes:
        letter: index of its rhyme in ``LETTERS``; None for a line free of rhyme.
        part: what it repeats of the line with the same letter and number: ``line``, ``word``, ``opening``, or empty.
        number: of the refrain or of the end word.
        gap: whether a stanza begins here.
    """

    letter: int | None
    part: str = ""
    number: str = ""
    gap: bool = False


def is_open(notation: str) -> bool:
    """Whether a scheme may have any number of stanzas.

    >>> is_open("(xa)4+"), is_open("abab")
    (True, False)
    """
    return _OPEN.fullmatch(notation) is not None


def signs(notation: str, n_lines: int | None = None) -> tuple[Sign, ...]:
    """The lines of a scheme.

    Args:
        n_lines: how many lines an open scheme has to have; None for the number that it has by itself.

    Returns:
        One sign a line; empty for an open scheme that cannot have so many lines.

    Raises:
        ValueError: a sign that means nothing.

    >>> "".join(LETTERS[sign.letter] for sign in signs("(aba )2>b", 10))
    'ababcbcdcd'
    """
    match = _OPEN.fullmatch(notation)
    if match is None:
        found = _read(notation, 0)
        return tuple(found) if n_lines in (None, len(found)) else ()
    before, unit = _read(match["before"], 0), _read(match["unit"], 0)
    n_after = len(_read(match["after"], 0))
    if not unit:
        raise ValueError("an empty part that comes again")
    if n_lines is None:
        times = int(match["times"] or 1)
    else:
        times, over = divmod(n_lines - len(before) - n_after, len(unit))
        if over or times < 1:
            return ()
    step = 1 if match["way"] == ">" else 0
    out = list(before)
    ends_in_gap = match["before"].endswith(" ")
    for turn in range(times):
        part = _read(match["unit"], turn * step)
        part[0] = part[0]._replace(gap=ends_in_gap or part[0].gap)
        ends_in_gap = match["unit"].endswith(" ")
        out += part
    rest = _read(match["after"], (times - 1) * step)
    if rest:
        rest[0] = rest[0]._replace(gap=ends_in_gap or rest[0].gap)
    out += rest
    if out:
        out[0] = out[0]._replace(gap=False)
    return tuple(out)


def scheme_of(lines: Sequence[Sign]) -> str:
    """The letters, lower case, with a space between stanzas.

    >>> scheme_of(signs("ABaA abAB")), scheme_of(signs("123 312"))
    ('abaa abab', 'abc cab')
    """
    letter = ["x" if sign.letter is None else LETTERS[sign.letter % len(LETTERS)] for sign in lines]
    return "".join((" " if sign.gap else "") + own for sign, own in zip(lines, letter, strict=True))


def repeats_of(lines: Sequence[Sign]) -> tuple[Repeat, ...]:
    """Which line repeats what, each compared with the first line that has it.

    >>> repeats_of(signs("ABaA"))
    (Repeat(of=0, line=3, part='line'),)
    """
    first: dict[tuple[int | None, str, str], int] = {}
    found = []
    for n, sign in enumerate(lines):
        if sign.part == "opening":
            found.append(Repeat(0, n, sign.part))
        elif sign.part:
            of = first.setdefault((sign.letter, sign.part, sign.number), n)
            if of != n:
                found.append(Repeat(of, n, sign.part))
    return tuple(found)


def _read(notation: str, shift: int) -> list[Sign]:
    found: list[Sign] = []
    at, gap = 0, False
    while at < len(notation):
        match = _SIGN.match(notation, at)
        if match is None:
            raise ValueError(f"{notation[at]!r} is no sign of a scheme")
        at, sign = match.end(), match[0]
        if sign.isspace():
            gap = bool(found)
            continue
        letter, number = sign[0].lower(), sign[1:].rstrip("=")
        move = 0 if sign.endswith("=") else shift
        if sign == "*":
            own = Sign(None, "opening")
        elif sign.isdigit():
            own = Sign(int(sign) - 1 + move if sign != "0" else None, "word", sign)
        elif letter == "x":
            own = Sign(None)
        elif sign[0].isupper():
            own = Sign(LETTERS.index(letter) + move, "line", number)
        else:
            own = Sign(LETTERS.index(letter) + move, "word" if number else "", number)
        found.append(own._replace(gap=gap))
        gap = False
    return found
