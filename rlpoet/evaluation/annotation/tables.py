"""The two tables as CSV, JSON Lines or parquet: each a fragment per part of a corpus, joined in the end."""

from __future__ import annotations

import csv
import dataclasses
import io
import typing
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.annotation.rows import Annotated, LineRow, PoemRow
from rlpoet.text.escapes import cell, json_row

LINES, POEMS = "lines", "poems"
GIVEN = frozenset({"poem", "source", "id", "author", "title", "book", "date", "text", "guesses"})  # columns with words of the corpus
ROWS: dict[str, type[Any]] = {LINES: LineRow, POEMS: PoemRow}


def rows_of(annotated: Iterable[Annotated], table: str) -> Iterator[dict[str, Any]]:
    """The rows of one of the two tables."""
    for one in annotated:
        for row in one.lines if table == LINES else [one.poem]:
            yield vars(row)


def columns_of(table: str) -> list[str]:
    """The names of the columns of a table, in order."""
    return [field.name for field in dataclasses.fields(ROWS[table])]


class Csv:
    """Comma-separated values with a header, in UTF-8. What is not known is an empty cell; true and false are 1 and 0.

    A cell of ``GIVEN`` that a spreadsheet would run, such as a line that begins with a dash, has ``'`` before it.
    """

    tables: tuple[str, ...] = (LINES, POEMS)

    def render(self, annotated: Sequence[Annotated], table: str) -> bytes:
        """The rows without the header."""
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([_cell(value, given=name in GIVEN) for name, value in row.items()] for row in rows_of(annotated, table))
        return out.getvalue().encode("utf-8")

    def join(self, parts: Iterable[Path], table: str, out: BinaryIO) -> None:
        """The header and the rows of all parts."""
        out.write((",".join(columns_of(table)) + "\n").encode("utf-8"))
        for part in parts:
            out.write(part.read_bytes())


class JsonLines:
    """One JSON object a line; what is not known is null."""

    tables: tuple[str, ...] = (LINES, POEMS)

    def render(self, annotated: Sequence[Annotated], table: str) -> bytes:
        """The rows."""
        return "".join(json_row(row) + "\n" for row in rows_of(annotated, table)).encode("utf-8")

    def join(self, parts: Iterable[Path], table: str, out: BinaryIO) -> None:
        """The rows of all parts."""
        for part in parts:
            out.write(part.read_bytes())


class Parquet:
    """Apache parquet, a row group per part.

    Raises:
        RlpoetError: pyarrow is not installed.
    """

    tables: tuple[str, ...] = (LINES, POEMS)

    def __init__(self) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError:
            raise RlpoetError("--out: parquet needs pyarrow; expected it installed. Run `pip install pyarrow`, or write .csv.") from None
        self.arrow = pyarrow

    def render(self, annotated: Sequence[Annotated], table: str) -> bytes:
        """A whole file with the rows."""
        out = io.BytesIO()
        rows = self.arrow.Table.from_pylist(list(rows_of(annotated, table)), schema=self._schema(table))
        self.arrow.parquet.write_table(rows, out)
        return out.getvalue()

    def join(self, parts: Iterable[Path], table: str, out: BinaryIO) -> None:
        """One file with the rows of all parts."""
        with self.arrow.parquet.ParquetWriter(out, self._schema(table)) as writer:
            for part in parts:
                writer.write_table(self.arrow.parquet.read_table(part))

    def _schema(self, table: str) -> Any:
        kinds = {str: self.arrow.string(), int: self.arrow.int64(), float: self.arrow.float64(), bool: self.arrow.bool_()}
        hints = typing.get_type_hints(ROWS[table])
        return self.arrow.schema([(name, kinds[_plain(hints[name])]) for name in columns_of(table)])


def _plain(hint: Any) -> type[Any]:
    """``int`` of ``int | None``."""
    return next((kind for kind in typing.get_args(hint) if kind is not type(None)), hint)


def _cell(value: Any, *, given: bool) -> Any:
    if given and isinstance(value, str):
        return cell(value)
    if isinstance(value, bool):
        return int(value)
    return round(value, 4) if isinstance(value, float) else value
