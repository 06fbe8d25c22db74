"""Tables and functions that note which rows of a rule table take part in an answer."""

from __future__ import annotations

import contextlib
import functools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

noted: set[str] = set()  # rows that took part in what is read at the moment, as ``file:line``


class Noting(dict[Any, Any]):
    """A table by key that notes the rows it is asked for; ``rows``: key -> rows."""

    rows: Mapping[Any, tuple[str, ...]]

    def get(self, key: Any, default: Any = None) -> Any:
        noted.update(self.rows.get(key, ()))
        return super().get(key, default)

    def __getitem__(self, key: Any) -> Any:
        noted.update(self.rows.get(key, ()))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        noted.update(self.rows.get(key, ()))
        return super().__contains__(key)


class NotingPattern:
    """A compiled pattern that notes its row where it matches."""

    def __init__(self, pattern: re.Pattern[str], row: str) -> None:
        self.plain, self.pattern, self.row = pattern, pattern.pattern, row

    def _note(self, found: Any) -> Any:
        if found:
            noted.add(self.row)
        return found

    def match(self, text: str, at: int = 0) -> Any:
        return self._note(self.plain.match(text, at))

    def search(self, text: str) -> Any:
        return self._note(self.plain.search(text))

    def sub(self, put: str, text: str, count: int = 0) -> str:
        changed = self.plain.sub(put, text, count=count)
        if changed != text:
            noted.add(self.row)
        return changed


def noting_function(function: Callable[..., Any], rows_of: Callable[[Any], Iterable[str]]) -> Callable[..., Any]:
    """A function, or a generator function, whose answers have rows that are noted."""

    @functools.wraps(function)
    def noting(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        if isinstance(found, Iterator):
            return each(found)
        noted.update(row for answer in found for row in rows_of(answer))
        return found

    def each(found: Iterator[Any]) -> Iterator[Any]:
        for answer in found:
            noted.update(rows_of(answer))
            yield answer

    return noting


def noting_dict(table: dict[Any, Any], rows: Mapping[Any, tuple[str, ...]]) -> Noting:
    noting = Noting(table)
    noting.rows = rows
    return noting


@contextlib.contextmanager
def patched(*places: tuple[Any, str, Any]) -> Iterator[None]:
    """Set attributes for a while."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    try:
        for owner, name, value in places:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
