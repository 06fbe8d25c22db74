"""The Spanish tables: how a row is read, and each small table as Python data (``letters.py`` reads the table of letters)."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from pathlib import Path

from rlpoet.text.tables import read_table

DATA = Path(__file__).parent / "data"
REDUCTION_COLUMNS = ["find", "put", "example", "note"]
UNSTRESSED_COLUMNS = ["word", "before", "note"]
WEIGHT_COLUMNS = ["feature", "weight"]
RHYTHM_COLUMNS = ["syllables", "stressed", "unstressed", "weight", "example"]
CAPITAL_COLUMNS = ["find", "put", "sure", "example"]
DOUBLET_COLUMNS = ["word", "also", "note"]


def rows(name: str, columns: list[str], classes: dict[str, str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Rows of a Spanish table as ``(file:line, cells)``; a row may leave out its note. Class lines go into ``classes``."""
    return read_table(DATA / name, columns, optional=int(columns[-1] == "note"), classes=classes)


@functools.cache
def reductions() -> tuple[tuple[str, str, str], ...]:
    """Phones of learned groups, the shorter way to say them, and the row (``file:line``)."""
    return tuple((find, put, where) for where, (find, put, _, _) in rows("reductions.tsv", REDUCTION_COLUMNS))


@functools.cache
def doublets() -> dict[str, tuple[str, str]]:
    """Words that are stressed in two ways, with the row: océano -> oceano."""
    return {word: (also, where) for where, (word, also, _) in rows("doublets.tsv", DOUBLET_COLUMNS)}


@functools.cache
def rhythms() -> dict[int, tuple[tuple[frozenset[int], frozenset[int], float], ...]]:
    """By length: places that must be stressed, places that must not, and what such a rhythm weighs for the length (nats)."""
    found: dict[int, list[tuple[frozenset[int], frozenset[int], float]]] = {}
    for _, (syllables, stressed, unstressed, weight, _) in rows("rhythms.tsv", RHYTHM_COLUMNS):
        places = [frozenset(map(int, cell.split())) for cell in (stressed, unstressed)]
        found.setdefault(int(syllables), []).append((places[0], places[1], float(weight)))
    return {syllables: tuple(own) for syllables, own in found.items()}


@functools.cache
def capitals() -> tuple[tuple[re.Pattern[str], str, bool], ...]:
    """Endings that may have lost a written accent in capitals: what to find, what to put, and whether it certainly has."""
    return tuple((re.compile(f"(?:{find})$"), put, sure == "yes") for _, (find, put, sure, _) in rows("capitals.tsv", CAPITAL_COLUMNS))


@functools.cache
def unstressed() -> dict[str, frozenset[str]]:
    """Words without stress inside a line: what has to follow (``Name``: a capital), empty if nothing has to."""
    found: dict[str, frozenset[str]] = {}
    for _, (word, before, _) in rows("unstressed.tsv", UNSTRESSED_COLUMNS):
        found[word] = found.get(word, frozenset()) | ({before} if before else frozenset())
    return found


@functools.cache
def meter_weights() -> dict[str, float]:
    """Logarithms of odds for the rarer reading of a juncture, by feature; see ``SOURCES.md``."""
    return {name: float(weight) for _, (name, weight, *_) in rows("meter_weights.tsv", WEIGHT_COLUMNS)}


@functools.cache
def weight_rows() -> dict[str, str]:
    """Where each weight stands: feature -> ``meter_weights.tsv:LINE``."""
    return {name: where for where, (name, *_) in rows("meter_weights.tsv", WEIGHT_COLUMNS)}
