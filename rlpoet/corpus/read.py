"""Reads poems from files, folders, data sets of the Hugging Face hub, and Project Gutenberg.

Files: ``.jsonl`` and ``.json`` (a list, or one object per line), ``.csv``, ``.tsv``, ``.parquet``, ``.xml`` (TEI), ``.txt``; all but
parquet also with ``.gz``. In a text file two empty lines separate poems and one separates stanzas, and a line that begins with ``# `` is
the title of the poem below it. A Project Gutenberg ebook is recognised by its marks. A text that is JSON, a table or TEI by what stands in
it is read as that; one that is HTML or RTF is refused. ``-`` is a text on standard input. ``hf:owner/name`` (or ``owner/name`` if there is
no such file) is a data set, ``gutenberg:1065`` an ebook.
"""

from __future__ import annotations

import gzip
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rlpoet.corpus.clean import LINE_BREAK, stanzas_of
from rlpoet.corpus.gutenberg import PREFIX as GUTENBERG
from rlpoet.corpus.gutenberg import book_poems, fetch, is_gutenberg
from rlpoet.corpus.headings import form_of_heading
from rlpoet.corpus.hub import PREFIX as HUB
from rlpoet.corpus.hub import hub_rows
from rlpoet.corpus.kinds import kind_of, refuse_binary
from rlpoet.corpus.poem import Poem, deduplicated
from rlpoet.corpus.tables import Columns, Row, poems_of_rows
from rlpoet.corpus.tei import tei_poems
from rlpoet.errors import RlpoetError
from rlpoet.tables import read_csv
from rlpoet.text import read_text, whole_file

ROWS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet")
MARKUP = (".xml", ".tei")
SUFFIXES = (*ROWS, ".txt", ".text", ".md", *MARKUP)
NEXT_POEM = re.compile(r"\n(?:[ \t]*\n){2,}|\n(?=#{1,6} )")  # two empty lines, or a heading as `generate --out` writes it
HEADING = re.compile(r"#{1,6} +(.*)")
BLOCK = 1 << 16  # bytes read at a time
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?")


def read_poems(sources: Sequence[str | Path], *, columns: Columns | None = None, split: str | None = None) -> list[Poem]:
    """Poems of all sources in order, the same poem once.

    Args:
        sources: files, folders of such files, ``hf:NAME``, ``gutenberg:NUMBER``.
        columns: the columns of a table for text, author and title; by default found by their names.
        split: split of a hub data set; by default all.

    Raises:
        RlpoetError: a source is missing, empty, not UTF-8, unreachable, or holds no new poem.
        UnknownName: a column or split that is not there.
    """
    seen: set[str] = set()
    poems: list[Poem] = []
    for source in sources:
        new = deduplicated(poems_of(source, columns=columns, split=split), seen=seen)
        if not new:
            raise RlpoetError(f"{source}: no poem in it (or only ones already read); expected JSON Lines with stanzas, a table, or text.")
        poems += new
    return poems


def poems_of(source: str | Path, *, columns: Columns | None = None, split: str | None = None) -> Iterator[Poem]:
    """All poems of one source, the same one as often as it is there."""
    columns = columns or Columns()
    name, path = str(source), Path(source)
    if name.startswith(GUTENBERG):
        yield from book_poems(fetch(name.removeprefix(GUTENBERG).strip()))
    elif name.startswith(HUB):
        dataset = name.removeprefix(HUB)
        yield from poems_of_rows(hub_rows(dataset, split=split), columns, name)
    elif name == "-":
        yield from poems_of_text(read_text("-"), "<stdin>", columns)
    elif path.is_dir():
        yield from _folder(path, columns, split)
    elif path.exists():
        yield from _file(path, columns)
    elif isinstance(source, str) and _HUB_NAME.fullmatch(name) and suffix(path) not in SUFFIXES:
        try:
            yield from poems_of_rows(hub_rows(name, split=split), columns, name)
        except RlpoetError as error:
            raise RlpoetError(f"{name}: no such file or folder, so taken for a data set. {error}") from None
    else:
        raise RlpoetError(
            f"{source}: no such file; expected a corpus of poems ({' '.join(SUFFIXES[:7])}, also .gz), a folder of them, "
            f"{HUB}owner/name or {GUTENBERG}NUMBER."
        )


def write_poems(path: str | Path, poems: Iterable[Poem]) -> None:
    """Write JSON Lines, atomically, that ``read_poems`` reads back; compressed if the name ends in ``.gz``.

    Raises:
        RlpoetError: a name that does not say JSON Lines.
    """
    path = Path(path)
    if not path.name.removesuffix(".gz").endswith(".jsonl"):
        raise RlpoetError(f"{path}: expected a name that ends in .jsonl or .jsonl.gz.")
    text = "".join(json.dumps(as_row(poem), ensure_ascii=False) + "\n" for poem in poems).encode("utf-8")
    with whole_file(path) as stream:
        stream.write(gzip.compress(text, 6, mtime=0) if path.suffix == ".gz" else text)  # mtime=0: the same poems, the same bytes


def as_row(poem: Poem) -> dict[str, Any]:
    """A poem as one JSON object."""
    row: dict[str, Any] = {"author": poem.author, "title": poem.title, **poem.columns, "stanzas": [list(s) for s in poem.stanzas]}
    if poem.rhymed is not None:
        row["rhymed"] = poem.rhymed
    return row if poem.core else row | {"core": False}


def files_of(source: str | Path) -> list[str | Path]:
    """The files of a folder in order, each of which ``poems_of`` reads alone; of another source the source itself.

    Raises:
        RlpoetError: a folder without a file of poems.
    """
    path = Path(source)
    if not path.is_dir() or any((path / name).exists() for name in ("dataset_dict.json", "state.json")):
        return [source]
    files: list[str | Path] = [
        file for file in sorted(path.rglob("*")) if file.is_file() and suffix(file) in SUFFIXES and file.name.lower() != "readme.md"
    ]
    if not files:
        raise RlpoetError(f"{path}: is a folder without a corpus file; expected {' '.join(SUFFIXES)} in it.")
    return files


def _folder(path: Path, columns: Columns, split: str | None) -> Iterator[Poem]:
    files = files_of(path)
    if files == [path]:
        yield from poems_of_rows(hub_rows(str(path), split=split), columns, str(path))
        return
    for file in files:
        yield from _file(Path(file), columns)


def _file(path: Path, columns: Columns) -> Iterator[Poem]:
    kind = suffix(path)
    if kind == ".parquet":
        yield from poems_of_rows(_parquet(path), columns, str(path))
        return
    if kind in MARKUP:
        yield from tei_poems(_blocks(path), str(path))
        return
    if path.suffix.lower() != ".gz":
        with path.open("rb") as stream:
            refuse_binary(stream.read(16), str(path))
    text = _read(path)
    if kind in (".csv", ".tsv"):
        yield from poems_of_rows(read_csv(text, str(path), delimiter="\t" if kind == ".tsv" else None), columns, str(path))
    elif kind in (".jsonl", ".json", ".ndjson"):
        yield from poems_of_rows(_json(text, path), columns, str(path))
    else:
        yield from poems_of_text(text, str(path), columns)


def poems_of_text(text: str, where: str, columns: Columns | None = None) -> Iterator[Poem]:
    """The poems of a text, which may also be TEI, JSON, a table with a column of poems, or a Project Gutenberg ebook.

    Args:
        where: what the text is called in errors.

    Raises:
        RlpoetError: it is HTML, RTF or another kind that is no verse, or data without a poem in it.
    """
    kind, columns = kind_of(text, where), columns or Columns()
    if kind == "xml":
        yield from tei_poems([text.encode("utf-8")], where, encoding="utf-8")
    elif kind == "json":
        yield from poems_of_rows(_json(text, Path(where)), columns, where)
    elif kind == "table":
        yield from poems_of_rows(read_csv(text, where), columns, where)
    elif is_gutenberg(text):
        yield from book_poems(text)
    else:
        yield from _verse(text)


def _verse(text: str) -> Iterator[Poem]:
    """The poems of a text of verse; each heading is the title of the poem below it."""
    heading = ""
    for block in NEXT_POEM.split(LINE_BREAK.sub("\n", text)):
        first, _, rest = block.lstrip("\n").partition("\n")
        if HEADING.match(first):
            heading, block = first.strip(), rest
        if stanzas := stanzas_of(block):
            if form_of_heading(heading) is None:
                yield Poem(stanzas, title=" ".join(heading.lstrip("#").split()))
            else:
                yield Poem(stanzas, columns={"heading": heading})
            heading = ""


def _blocks(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            while block := stream.read(BLOCK):
                yield block
    except (OSError, EOFError) as error:
        raise RlpoetError(f"{path}: cannot be read ({error}); expected a readable file, gzip-compressed if it ends in .gz.") from None


def suffix(path: Path) -> str:
    """The ending of a file's name, in small letters, without ``.gz``."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _read(path: Path) -> str:
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise RlpoetError(f"{path}: cannot be read ({error}); expected a readable file, gzip-compressed if it ends in .gz.") from None
    try:
        text = unicodedata.normalize("NFC", raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RlpoetError(f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text. Convert it with iconv first.") from None
    if not text.strip():
        raise RlpoetError(f"{path}: the file is empty; expected poems.")
    return text


def _json(text: str, path: Path) -> Iterator[Row]:
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except json.JSONDecodeError as error:
            raise RlpoetError(f"{path}:{error.lineno}: not JSON ({error.msg}); expected a list of poems, or one a line.") from None
        rows: Iterable[tuple[int, Any]] = enumerate(items, start=1)
    else:
        rows = _json_lines(text, path)
    for number, item in rows:
        if not isinstance(item, dict):
            raise RlpoetError(f'{path}:{number}: {str(item)[:40]!r} is no poem; expected an object with "stanzas" or a column of text.')
        yield f"{path}:{number}", item


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any]]:
    for number, row in enumerate(text.split("\n"), start=1):
        if row.strip():
            try:
                yield number, json.loads(row)
            except json.JSONDecodeError as error:
                raise RlpoetError(f"{path}:{number}: not JSON ({error.msg}); expected one poem a line.") from None


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise RlpoetError(f"{path}: not parquet ({str(error).splitlines()[0][:120]}); expected a table of poems.") from None
    for number, row in enumerate(table.to_pylist(), start=1):
        yield f"{path}:{number}", row
