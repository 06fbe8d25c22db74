"""Rows of a table to poems: which column is the text, which the author, which the title, and the rest kept as it is."""

from __future__ import annotations

import itertools
import json
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.corpus.clean import stanzas_of
from rlpoet.corpus.layouts import layout_of, unfolded
from rlpoet.corpus.poem import Poem
from rlpoet.corpus.where import AUTHOR_NAMES, TITLE_NAMES, folded
from rlpoet.errors import RlpoetError, UnknownName

TEXT_NAMES = (
    "stanzas", "content", "poem", "text", "lines", "verses", "verse", "poem text", "poem content", "body", "contenu", "texte", "poème",
    "poeme", "contenido", "texto", "poema", "vers", "versos",
)  # fmt: skip
LOOKED_AT = 200  # rows by which the columns are told
Row = tuple[str, Mapping[str, Any]]  # where it stands, and its cells


@dataclass(frozen=True)
class Columns:
    """Which columns of a table are the text, the author and the title; None is found out from their names."""

    text: str | None = None
    author: str | None = None
    title: str | None = None


def poems_of_rows(rows: Iterable[Row], columns: Columns, where: str) -> Iterator[Poem]:
    """A poem a row, in order; rows without text are left out. Which column is which is told by the first ``LOOKED_AT`` rows.

    A text is a string with line breaks, a list of lines, or a list of stanzas, each a list of lines. A column without any line break may
    part its lines in one of the ways of ``rlpoet.corpus.layouts``.

    Args:
        where: name of the source, for errors.

    Raises:
        UnknownName: a column was named that the table does not have.
        RlpoetError: no column can be the text, a cell of it is no text, or no text in it has a line break.
    """
    rows = iter(rows)
    first: list[Row] = []
    damage: RlpoetError | None = None
    try:
        first.extend(itertools.islice(rows, LOOKED_AT))
    except RlpoetError as error:  # what stands before it is read all the same
        if not first:
            raise
        damage = error
    names = dict.fromkeys(name for _, row in first for name in row)
    text_name = _named(columns.text, list(names), TEXT_NAMES, f"{where}: text_column") or _lined(first, list(names))
    if text_name is None:
        shown = ", ".join(names) or "none"
        raise RlpoetError(
            f"{where}: no column of poems among {shown}; expected one of {', '.join(TEXT_NAMES[:5])}. Name it with --text_column."
        )

    def others() -> tuple[str | None, str | None, set[str | None]]:
        author = _named(columns.author, list(names), AUTHOR_NAMES, f"{where}: author_column")
        title = _named(columns.title, [n for n in names if n not in (text_name, author)], TITLE_NAMES, f"{where}: title_column")
        return author, title, {text_name, author, title, "rhymed", "core"}

    author_name, title_name, own = others()
    broken = seen = False
    layout = layout_of(text for _, row in first if isinstance(text := row.get(text_name), str))
    for place, row in itertools.chain(first, rows):
        if not names.keys() >= row.keys():
            names |= dict.fromkeys(row)
            author_name, title_name, own = others()
        if text_name not in row:
            raise RlpoetError(f"{place}: no {text_name!r}; expected it in every row, as text with line breaks or a list of lists of lines.")
        text = row[text_name]
        stanzas, lined = _stanzas(unfolded(text, layout) if isinstance(text, str) else text, f"{place}: column {text_name!r}")
        if not stanzas:
            continue
        seen, broken = True, broken or lined
        rest = {name: value for name, cell in row.items() if name not in own and (value := _text(cell))}
        author, title = _text(row.get(author_name)) if author_name else "", _text(row.get(title_name)) if title_name else ""
        yield Poem(stanzas, author or None, title, _share(row.get("rhymed"), place), _flag(row.get("core")), rest)
    if damage is not None:
        raise damage
    if seen and not broken:
        raise RlpoetError(
            f"{where}: no text in column {text_name!r} has a line break; expected verse, one line a line, as line breaks are data. "
            "Choose another column with --text_column, or a source that kept its lines."
        )


def _named(asked: str | None, names: Sequence[str], usual: Sequence[str], where: str) -> str | None:
    by_fold = {folded(name): name for name in names}
    if asked is not None:
        if folded(asked) not in by_fold:
            raise UnknownName(where, asked, names)
        return by_fold[folded(asked)]
    if "text_column" in where:
        return None
    return next((by_fold[name] for name in usual if name in by_fold), None)


def _lined(rows: Sequence[Row], names: Sequence[str]) -> str | None:
    """The first usual name of a text column whose cells have lines, or else the first usual name."""
    by_fold = {folded(name): name for name in names}
    usual = [by_fold[name] for name in TEXT_NAMES if name in by_fold]
    for name in usual:
        cells = [row.get(name) for _, row in rows]
        texts = [cell for cell in cells if isinstance(cell, str)]
        lists = any(isinstance(cell, list) and all(isinstance(part, str | list) for part in cell) for cell in cells)
        if lists or any(map(_breaks, texts)) or layout_of(texts):
            return name
    return usual[0] if usual else None


def _breaks(text: str) -> bool:
    inner = text.strip()
    return "\n" in inner or "\r" in inner or "<br" in inner.lower()


def _stanzas(value: Any, where: str) -> tuple[tuple[tuple[str, ...], ...], bool]:
    """Stanzas of a cell, and whether it told its lines apart."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return (), False
    if isinstance(value, str):
        return stanzas_of(value), _breaks(value)
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = [list(part) for part in _parted(value)]
    if not isinstance(value, list) or not all(isinstance(s, list) and all(isinstance(x, str) for x in s) for s in value):
        raise RlpoetError(f"{where}: {str(value)[:40]!r}; expected text with line breaks, a list of lines, or a list of lists of lines.")
    for stanza in value:
        for line in stanza:
            if "\n" in line or "\r" in line:
                raise RlpoetError(f"{where}: a line holds a line break ({line[:40]!r}); expected one string a line.")
    kept = (tuple(unicodedata.normalize("NFC", line.strip()) for line in stanza if line.strip()) for stanza in value)
    return tuple(stanza for stanza in kept if stanza), True


def _parted(lines: Sequence[str]) -> Iterator[list[str]]:
    """Lines to stanzas at empty strings."""
    part: list[str] = []
    for line in lines:
        if line.strip():
            part.append(line)
        elif part:
            yield part
            part = []
    if part:
        yield part


def _text(value: Any) -> str:
    """A cell as text; empty for nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a year in a column with gaps becomes a float on its way here
    return " ".join(unicodedata.normalize("NFC", str(value)).split())


def _share(value: Any, place: str) -> float | None:
    if value is None or value == "" or isinstance(value, str):
        text = (value or "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise RlpoetError(f"{place}: rhymed {text!r}; expected a share in [0, 1].") from None
    if not isinstance(value, int | float) or abs(value) > 1e9:
        raise RlpoetError(f"{place}: rhymed {str(value)[:40]!r}; expected a share in [0, 1].")
    return None if math.isnan(value) else float(value)


def _flag(value: Any) -> bool:
    return value.strip().lower() not in ("false", "0", "no") if isinstance(value, str) else value is None or bool(value)
