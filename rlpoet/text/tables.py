"""The one reader of tables: TSV files of a language or of a user, and the CSV that spreadsheets write.

A TSV table has a header row and a row a line. ``%`` starts a comment line, blank lines are skipped, and text is read as NFC. A line ends at
a line feed and nowhere else, so that a cell may hold any other character. Errors say the file and the line: ``rules.tsv:12: ...``.
"""

from __future__ import annotations

import csv
import io
import itertools
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rlpoet.errors import RlpoetError, TableError
from rlpoet.text import read_text

MOST_CELL = 1 << 26  # characters of a cell of CSV; the default of the library refuses poems over 128 kB
CLASS = "class "  # a line such as "class V = aeiou" names a set of letters that cells may speak of


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    header: bool = True,
    optional: int = 0,
    classes: dict[str, str] | None = None,
    where: str | None = None,
) -> Iterator[tuple[str, list[str]]]:
    """The rows of a table as ``(file:line, cells)``, one cell a column.

    Args:
        path: of the file.
        columns: what the header has to say, in order; without a header what the cells of a row are.
        header: whether the first row is one.
        optional: how many of the last columns a row may leave out. What it leaves out is ``""``.
        classes: gets the ``class`` lines as they are met, name to members; None for a table that has none.
        where: what the file is called in ``file:line``; its name without its folders if None.

    Raises:
        TableError: another header or none, or a row with more or fewer cells.
        RlpoetError: no such file, or one that is not UTF-8.
    """
    name, most = path.name if where is None else where, len(columns)
    least = most - optional
    for number, raw in table_lines(path, columns if header else None, classes=classes, where=where):
        cells = raw.split("\t")
        n = len(cells)
        if n != most:
            if not least <= n < most:
                raise TableError(
                    f"{name}:{number}: {n} columns; expected {f'{least} to {most}' if optional else most}: {', '.join(columns)}. "
                    "Part them by single tabs."
                )
            cells += [""] * (most - n)
        yield f"{name}:{number}", cells


def table_lines(
    path: Path, columns: Sequence[str] | None, *, classes: dict[str, str] | None = None, where: str | None = None
) -> Iterator[tuple[int, str]]:
    """The lines of a table behind its header as ``(number, text)``, not yet cut into cells: for a large table of which few rows are used.

    Args:
        path: of the file.
        columns: what the header has to say; None for a table without one.
        classes, where: as for ``read_table``.

    Raises:
        TableError: another header or none.
        RlpoetError: no such file, or one that is not UTF-8.
    """
    name, header = path.name if where is None else where, None if columns is None else "\t".join(columns)
    for number, raw in enumerate(_text(path).split("\n"), start=1):
        if not raw or raw[0] == "%" or raw.isspace():
            continue
        if classes is not None and raw.startswith(CLASS):
            label, _, members = raw.removeprefix(CLASS).partition("=")
            classes[label.strip()] = members.strip()
        elif header is None:
            yield number, raw
        elif raw == header:
            header = None
        else:
            found = f"header is {raw.split(chr(9))!s:.200}"
            raise TableError(f"{name}:{number}: {found}; expected {header.split(chr(9))}. Part them by single tabs.")
    if header is not None:
        raise TableError(f"{name}:1: no header; expected {header.split(chr(9))}. Part them by single tabs.")


def read_csv(
    text: str | Iterable[str], where: str, *, columns: Sequence[str] = (), delimiter: str | None = None
) -> Iterator[tuple[str, dict[str, str | None]]]:
    """The rows of a spreadsheet's table as ``(file:line, cells by column)``; a cell may be quoted and then holds line breaks.

    Args:
        text: of the file, or its lines with their ends.
        where: what the file is called.
        columns: names that the header has to have, in any order.
        delimiter: between cells; None for the one of ``, ; tab |`` that the header has most of. Spreadsheets of some countries write ``;``.

    Returns:
        Of each row the last of its lines, and its cells by the names in the header. None is a cell that a short row does not have; a column
        without a name is left out.

    Raises:
        RlpoetError: no CSV, a header without one of the columns, or a row with more cells than the header.
    """
    csv.field_size_limit(MOST_CELL)
    lines = iter(io.StringIO(text, newline="") if isinstance(text, str) else text)
    blank: list[str] = []
    header = ""
    for header in lines:
        if header.strip("\n\r"):
            break
        blank.append(header)
    reader = csv.DictReader(itertools.chain(blank, [header], lines), delimiter=delimiter or max(",;\t|", key=header.count), strict=True)
    try:
        if missing := [name for name in columns if name not in (reader.fieldnames or ())]:
            raise RlpoetError(f"{where}: no column {missing[0]!r}; expected {', '.join(columns)} in the first row. Name the column.")
        for row in reader:
            long = row.pop(None, None)
            if long:
                n = len(reader.fieldnames or ())
                raise RlpoetError(f"{where}:{reader.line_num}: {n + len(long)} cells; expected {n}, as in the header. Quote the text.")
            yield f"{where}:{reader.line_num}", {name: value for name, value in row.items() if name}
    except csv.Error as error:
        raise RlpoetError(f"{where}:{reader.line_num}: not CSV ({error}); expected a header and quoted cells.") from None


def _text(path: Path) -> str:
    """The whole file at once, which takes a third of the time of line by line; what is wrong with it ``read_text`` says."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        text = read_text(path)
    return unicodedata.normalize("NFC", text)
