"""Filters poems by author, title, year or any other column: ``age=Renaissance,type=Love``.

A condition is ``COLUMN OP VALUE``; conditions are separated by commas and must all hold. ``=`` and ``!=`` compare whole values and take
a list (``type=Love|Nature``, or ``type=Love,Nature``); ``~`` looks for a part of the value; ``< <= > >=`` compare numbers. Case and
space around a value do not matter. Put a value with a comma or a bar in double quotes. A poem without a value in the column passes
``!=`` and no other condition.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError, UnknownName, did_you_mean

AUTHOR_NAMES = ("author", "poet", "author name", "poet name", "auteur", "autor", "autora", "poeta", "poète", "writer")
TITLE_NAMES = ("title", "poem name", "poem title", "name", "titre", "titulo", "título")
ORDERED: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
_CONDITION = re.compile(r"\s*([^=!<>~]+?)\s*(!=|<=|>=|=|<|>|~)(.*)", re.S)
_PARTS = re.compile(r'((?:"[^"]*"|[^",])*)(?:,|$)')
_VALUES = re.compile(r'((?:"[^"]*"|[^"|])*)(?:\||$)')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
N_VALUES_LISTED = 12  # values of a column that an error lists


@dataclass(frozen=True)
class Condition:
    """One condition: a column, an operator, the values it may have."""

    column: str
    op: str
    values: tuple[str, ...]


def conditions(where: str) -> list[Condition]:
    """Read a filter.

    Raises:
        RlpoetError: a part that is no condition, or one whose value is no number where numbers are compared.

    >>> conditions("age=Renaissance, type=Love|Nature, year<1600")[1:]
    [Condition(column='type', op='=', values=('Love', 'Nature')), Condition(column='year', op='<', values=('1600',))]
    >>> conditions('author=Hugo, Lamartine')[0].values
    ('Hugo', 'Lamartine')
    """
    parsed: list[Condition] = []
    for part in (match[1] for match in _PARTS.finditer(where)):
        if not part.strip():
            continue
        match = _CONDITION.fullmatch(part) if not part.strip().startswith('"') else None
        if match is None:
            if not parsed or parsed[-1].op not in ("=", "!=", "~"):
                raise RlpoetError(f"where: {part.strip()!r}; expected a condition such as author=Ronsard, type!=Love or year<1600.")
            last = parsed.pop()
            parsed.append(Condition(last.column, last.op, (*last.values, *_values(part))))
            continue
        column, op, values = match[1], match[2], _values(match[3])
        if op in ORDERED and (len(values) != 1 or not _NUMBER.fullmatch(values[0])):
            raise RlpoetError(f"where: {part.strip()!r}; expected one number after {op}, such as year{op}1600.")
        if not values:
            raise RlpoetError(f"where: {part.strip()!r} has no value; expected one, such as {column}{op}Love.")
        parsed.append(Condition(column, op, values))
    return parsed


def select(poems: Sequence[Poem], where: str | Sequence[str]) -> list[Poem]:
    """The poems that meet every condition, in order; all of them for an empty filter.

    Args:
        where: a filter as above, or several that must all hold.

    Raises:
        UnknownName: a column no poem has, or a value no poem has in its column.
        RlpoetError: the filter cannot be parsed, or leaves no poem.
    """
    chosen_by = Filter(where)
    chosen = [poem for poem in poems if chosen_by(poem)]
    chosen_by.check()
    return chosen


class Filter:
    """A filter for poems that come one after the other; ``check`` says in the end what was wrong with it.

    Args:
        where: as for ``select``.

    Raises:
        RlpoetError: the filter cannot be parsed.
    """

    def __init__(self, where: str | Sequence[str]) -> None:
        self.where = where
        self.conditions = [condition for text in ([where] if isinstance(where, str) else where) for condition in conditions(text)]
        self._values: list[Counter[str]] = [Counter() for _ in self.conditions]
        self._names = ColumnNames()
        self._read = self._chosen = 0

    def __call__(self, poem: Poem) -> bool:
        """Whether a poem meets every condition."""
        self._read += 1
        holds = True
        for condition, values in zip(self.conditions, self._values, strict=True):
            value = cell(poem, condition.column)
            if value is not None:
                values[" ".join(value.split())] += 1
            holds = _holds(condition, value) and holds
        if self.conditions:
            self._names.add(poem)
        self._chosen += holds
        return holds

    def check(self) -> None:
        """After the last poem.

        Raises:
            UnknownName: a column no poem has, or a value no poem has in its column.
            RlpoetError: no poem is left.
        """
        for condition, values in zip(self.conditions, self._values, strict=True):
            _check(condition, values, self._names)
        if self.conditions and not self._chosen:
            raise RlpoetError(
                f"where: {self.where!r} holds for none of {self._read} poems; expected some. Each condition alone holds for some."
            )


def cell(poem: Poem, column: str) -> str | None:
    """The value of a poem in a column, or None. ``poet`` and similar names mean the author, ``poem name`` the title."""
    name = folded(column)
    for key, value in poem.columns.items():
        if folded(key) == name:
            return value or None
    if name in AUTHOR_NAMES:
        return poem.author or None
    if name in TITLE_NAMES:
        return poem.title or None
    if name == "rhymed":
        return None if poem.rhymed is None else str(poem.rhymed)
    return str(poem.core).lower() if name == "core" else None


class ColumnNames:
    """Columns in which at least one of the poems has a value."""

    def __init__(self) -> None:
        self._standard = dict.fromkeys(("author", "title", "rhymed", "core"), False)
        self._own: dict[str, None] = {}

    def add(self, poem: Poem) -> None:
        """Take note of a poem."""
        has = {"author": poem.author, "title": poem.title, "rhymed": poem.rhymed is not None, "core": not poem.core}
        for name, value in has.items():
            self._standard[name] = self._standard[name] or bool(value)
        self._own.update((name, None) for name, value in poem.columns.items() if value)

    def names(self) -> list[str]:
        """What was found."""
        return [*(name for name, has in self._standard.items() if has), *self._own]


def number_in(value: str | None) -> float | None:
    """The first number of a cell: ``c. 1599`` is 1599.

    >>> number_in("c. 1599"), number_in("Renaissance")
    (1599.0, None)
    """
    match = _NUMBER.search(value or "")
    return float(match[0]) if match else None


def folded(name: str) -> str:
    """A name without case, underscores and doubled spaces, so that ``Poem_Name`` finds ``poem name``."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().replace("_", " ").split())


def _values(text: str) -> tuple[str, ...]:
    cut = (match[1].strip() for match in _VALUES.finditer(text))
    return tuple(value.strip('"').strip() for value in cut if value)


def _check(condition: Condition, counts: Counter[str], names: ColumnNames) -> None:
    if not counts:
        if known := names.names():
            raise UnknownName("where: column", condition.column, known)
        raise RlpoetError(f"where: {condition.column!r}: the poems have no columns; expected a source that says more than the text.")
    if condition.op in ORDERED:
        if all(number_in(value) is None for value in counts):
            raise RlpoetError(
                f"where: column {condition.column!r} holds {next(iter(counts))!r}, no number; expected one, for {condition.op}. "
                "Use =, != or ~."
            )
        return
    folds = {folded(value) for value in counts}
    for value in condition.values if condition.op == "=" else ():
        if folded(value) not in folds:
            most = ", ".join(name for name, _ in counts.most_common(N_VALUES_LISTED)) + (", ..." if len(counts) > N_VALUES_LISTED else "")
            raise RlpoetError(
                f"where: no poem has {value!r} in column {condition.column!r}{did_you_mean(value, counts)}; expected one of {most}."
            )


def _holds(condition: Condition, value: str | None) -> bool:
    if value is None:
        return condition.op == "!="
    if condition.op in ORDERED:
        number = number_in(value)
        return number is not None and ORDERED[condition.op](number, float(condition.values[0]))
    text_value, values = folded(value), [folded(text) for text in condition.values]
    if condition.op == "~":
        return any(text in text_value for text in values)
    return (text_value in values) == (condition.op == "=")
