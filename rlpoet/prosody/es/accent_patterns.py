"""Traditional names of Spanish lines, by length and by the place of their accents.

Navarro Tomás (Métrica española) sorts lines by their rhythmic accents. A hendecasyllable has an accent on 6, or on 4 with 6, 7 or 8,
and its first accent names it. Rows are tried in the order of ``phonology/es/data/accents.tsv``. Left out: the weight of a stress (two
neighbours both count), and the pauses inside the line.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from rlpoet.errors import TableError
from rlpoet.phonology.es.tables import rows
from rlpoet.types import Scansion, Syllable

COLUMNS = ["syllables", "name", "stressed", "unstressed", "cut", "example", "note"]
ALEXANDRINE, HEMISTICH, HENDECASYLLABLE = 14, 7, 11


class Accents(NamedTuple):
    """A row of the table: the accents that a line of that name has, and those that it must not have."""

    name: str
    stressed: frozenset[int]
    unstressed: frozenset[int]
    cut: frozenset[int]
    where: str


class Named(NamedTuple):
    """The name of a line, its accented syllables, and the row that named it; ``axis`` is False if its rhythmic accent is missing."""

    name: str
    accents: tuple[int, ...]
    source: str
    axis: bool = True


@functools.cache
def accent_table() -> dict[int, tuple[Accents, ...]]:
    """Rows by length, in table order; the last one of each length is its plain name.

    Raises:
        TableError: a cell that is not a list of syllables, or a length without a plain name.
    """
    found: dict[int, list[Accents]] = {}
    for where, (length, name, stressed, unstressed, cut, _, _) in rows("accents.tsv", COLUMNS):
        try:
            cells = [frozenset(map(int, cell.split())) for cell in (stressed, unstressed, cut)]
            found.setdefault(int(length), []).append(Accents(name, cells[0], cells[1], cells[2], where))
        except ValueError as error:
            raise TableError(f"{where}: {error}; expected numbers of syllables.") from None
    for count, named in found.items():
        if named[-1].stressed or named[-1].unstressed:
            raise TableError(f"{named[-1].where}: no plain name for {count} syllables; expected a last row without accents.")
    return {count: tuple(named) for count, named in found.items()}


def accent_places(stress: str) -> tuple[int, ...]:
    """Which syllables have an accent, from 1.

    >>> accent_places("-+---+---+-")
    (2, 6, 10)
    """
    return tuple(n for n, mark in enumerate(stress, start=1) if mark == "+")


def oxytone_ends(units: tuple[Syllable, ...]) -> frozenset[int]:
    """Stressed syllables that are the last of their word (a la francesa: "a - mor" on 4)."""
    counted = [unit for unit in units if unit.counts]
    ends = set()
    for n, (unit, following) in enumerate(zip(counted, [*counted[1:], None], strict=True), start=1):
        edge = unit.text[-1:] + (following.text[:1] if following is not None else "")
        if unit.stressed and unit.note != "sinalefa" and not (len(edge) == 2 and edge.isalpha()):
            ends.add(n)
    return frozenset(ends)


def name_verse(stress: str, *, oxytones: frozenset[int] = frozenset()) -> Named:
    """The name of a line without hemistichs.

    Args:
        stress: ``+`` and ``-``, one per metrical syllable.
        oxytones: stressed syllables that are the last of their word.

    >>> name_verse("-+---+---+-").name, name_verse("--+--+---+-").name
    ('endecasílabo heroico', 'endecasílabo melódico')
    >>> name_verse("-+-+-+--+-").axis
    True
    """
    count, accents = len(stress), accent_places(stress)
    has = frozenset(accents)
    for row in accent_table().get(count, ()):
        if row.stressed <= has and not row.unstressed & has and row.cut <= oxytones:
            is_default = not (row.stressed or row.unstressed)
            return Named(row.name, accents, row.where, not (is_default and count == HENDECASYLLABLE))
    return Named(f"verso de {count} sílabas", accents, "")


def name_scansion(scansion: Scansion) -> Named | None:
    """The name of a reading; an alexandrine is named by its two halves. None for a line without a syllable.

    A line of 14 with its caesura is an alexandrine: trocaico or dactílico if both halves are, else polirrítmico.
    """
    if not scansion.stress:
        return None
    if scansion.caesura == HEMISTICH and scansion.syllables == ALEXANDRINE:
        halves = [name_verse(half) for half in (scansion.stress[:HEMISTICH], scansion.stress[HEMISTICH:])]
        kinds = {half.name.partition(" ")[2] for half in halves}
        kind = kinds.pop() if len(kinds) == 1 else ""
        return Named(f"alejandrino 7+7 {kind or 'polirrítmico'}", accent_places(scansion.stress), halves[0].source)
    return name_verse(scansion.stress, oxytones=oxytone_ends(scansion.units))


def meter_name(scansion: Scansion) -> str:
    """The name with its accents: ``endecasílabo heroico (2-6-10)``; mentions a missing rhythmic accent."""
    named = name_scansion(scansion)
    if named is None:
        return ""
    places = "-".join(map(str, named.accents))
    return f"{named.name} ({places})" + ("" if named.axis else ", sin acento en 6 ni en 4 con 7 u 8")
