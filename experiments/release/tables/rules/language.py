"""What ``row_effects`` asks of a language's rule tables: the words, their answers, and a time without some rows.

A *sign* is a regular expression that a word has to match for a row to take part, so that few words need to be read for a rare row.

An answer that a cache remembers from before a row was left out makes that row look idle. So the caches of words and lines are found by
looking for them (``caches``) and not by a list, which a new cache would not be on.
"""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.release.tables.rules.noting import patched
from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.text.tables import read_table

MOST_LINES, MOST_SCANNED = 100, 20_000
PACKAGES = ("rlpoet.phonology", "rlpoet.prosody")
# What they give no rule table decides, and without them the tables take many times as long to ask.
BY_LETTERS = frozenset({"es.letters._base_letter", "es.letters._syllables", "en.contexts._read", "en.contexts.guess"})
compiled = functools.cache(re.compile)  # tables are read a thousand times; the cache of ``re`` itself is small
left_out: set[str] = set()  # rows that the readers of tables skip, as ``file:line``


def reader(*args: Any, **options: Any) -> Iterator[tuple[str, list[str]]]:
    """``read_table`` without the rows of ``left_out``."""
    return (row for row in read_table(*args, **options) if row[0] not in left_out)


def caches(code: str) -> list[tuple[Any, str, Any]]:
    """The caches of words and lines as owner, name and cached function: of all modules, and of the two objects of a language.

    Caches without a limit are left out: those hold tables, which ``Language.read_again`` reads again one by one.
    """
    owners = [module for name, module in sys.modules.items() if name.startswith(PACKAGES)]
    return [
        (owner, name, value)
        for owner in (*owners, phonology(code), verse(code))
        for name, value in vars(owner).items()
        if hasattr(value, "cache_parameters") and value.cache_parameters()["maxsize"] is not None
    ]


def by_letters(cached: Any) -> bool:
    """Whether a cached function is one of ``BY_LETTERS``."""
    return f"{cached.__module__}.{cached.__qualname__}".removeprefix("rlpoet.phonology.") in BY_LETTERS


@contextlib.contextmanager
def uncached(code: str) -> Iterator[None]:
    """A time without the caches of words and lines, but for those of ``BY_LETTERS``."""
    with patched(*((owner, name, value.__wrapped__) for owner, name, value in caches(code) if not by_letters(value))):
        yield


class Language:
    """The rule tables of a language: how a word is read, which rows that takes, and how a table is read again.

    Attributes:
        code: of the language.
        folder: of the tables.
        tables: their names.
        line_tables: those whose rows are about lines, not about single words.
        readers: the modules that read them by ``read_table``.
    """

    code: str
    folder: Path
    tables: tuple[str, ...]
    line_tables: tuple[str, ...] = ()
    readers: tuple[ModuleType, ...]

    def words(self, text: str) -> Iterable[str]:
        """The words of a text, alike where they are read alike."""
        raise AttributeError

    def sign(self, table: str, cells: list[str]) -> str:
        """A regular expression that a word in which a row takes part matches, in lower case between two ``#``. It may match others."""
        raise AttributeError

    def likely(self, rows: Iterable[str]) -> re.Pattern[str]:
        """A pattern of the words in which one of these rows may take part."""
        signs = []
        for row in rows:
            table, _, number = row.partition(":")
            text = (self.folder / table).read_text(encoding="utf-8").split("\n")[int(number) - 1]
            signs.append(self.sign(table, text.split("\t")))
        return re.compile("|".join(f"(?:{sign})" for sign in signs) or "(?!)")

    def answer(self, word: str) -> Hashable:
        """What the tables decide about a word."""
        raise AttributeError

    def noting(self) -> contextlib.AbstractContextManager[None]:
        """A time in which ``answer`` notes its rows."""
        raise AttributeError

    def read_again(self, table: str) -> None:
        """Read a table again, without the rows of ``left_out``; what is remembered of words and lines is not its affair."""
        raise AttributeError

    def rows(self, table: str) -> list[str]:
        """All rows of a table as ``file:line``."""
        text = (self.folder / table).read_text(encoding="utf-8")
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip() and line[0] != "%"]
        body = [number for number, line in numbered if not line.startswith("class ")]
        return [f"{table}:{number}" for number in body[1:]]

    def lines_touched(self, lines: list[str]) -> dict[str, list[str]]:
        """At most ``MOST_LINES`` lines in which each row about lines takes part, of ``MOST_SCANNED`` lines spread over the corpus."""
        return {}

    def line_answer(self, table: str, line: str) -> Hashable:
        """What a table about lines decides about a line."""
        raise AttributeError


@contextlib.contextmanager
def without(rules: Language, *rows: str) -> Iterator[None]:
    """A time in which some rows of the tables are left out."""
    remembered = [cached for _, _, cached in caches(rules.code) if not by_letters(cached)]

    def forget() -> None:
        for cached in remembered:
            cached.cache_clear()
        for table in {row.partition(":")[0] for row in rows}:
            rules.read_again(table)

    with patched((re, "compile", compiled), *((module, "read_table", reader) for module in rules.readers)):
        left_out.update(rows)
        try:
            forget()
            yield
        finally:
            left_out.difference_update(rows)
            forget()
