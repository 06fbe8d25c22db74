"""Reads poems from files, folders, data sets of the Hugging Face hub, and Project Gutenberg.

Files: ``.jsonl`` and ``.json`` (a list, or one object per line), ``.csv``, ``.tsv``, ``.parquet``, ``.txt``; all but parquet also with
``.gz``. In a text file two empty lines separate poems and one separates stanzas; a Project Gutenberg ebook is recognised by its marks.
``hf:owner/name`` is a data set, ``gutenberg:1065`` an ebook. Poems come one after the other: only an ebook is read at once.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rlpoet.corpus.clean import LINE_BREAK, stanzas_of
from rlpoet.corpus.gutenberg import PREFIX as GUTENBERG
from rlpoet.corpus.gutenberg import book_poems, fetch, is_gutenberg
from rlpoet.corpus.hub import PREFIX as HUB
from rlpoet.corpus.hub import hub_rows
from rlpoet.corpus.poem import Poem, deduplicated
from rlpoet.corpus.stream import lines_of, objects_of, table_lines_of
from rlpoet.corpus.tables import Columns, Row, poems_of_rows
from rlpoet.errors import RlpoetError
from rlpoet.tables import read_csv
from rlpoet.text import whole_file

ROWS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet")
SUFFIXES = (*ROWS, ".txt", ".text", ".md")
HEAD = 1 << 18  # characters within which an ebook says that it is one
MOST_OF_BOOK = 1_000_000  # lines
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


def poems_of(
    source: str | Path, *, columns: Columns | None = None, split: str | None = None, tell: Callable[[str], object] | None = None
) -> Iterator[Poem]:
    """All poems of one source, the same one as often as it is there.

    Args:
        tell: called with one line for each file of a folder that cannot be read to its end, which is then left there; None raises instead.

    Raises:
        RlpoetError, UnknownName: as ``read_poems``.
    """
    columns = columns or Columns()
    name, path = str(source), Path(source)
    if name.startswith(GUTENBERG):
        yield from book_poems(fetch(name.removeprefix(GUTENBERG).strip()))
    elif name.startswith(HUB):
        dataset = name.removeprefix(HUB)
        yield from poems_of_rows(hub_rows(dataset, split=split), columns, name)
    elif path.is_dir():
        yield from _folder(path, columns, split, tell)
    elif path.exists():
        yield from _file(path, columns)
    elif isinstance(source, str) and _HUB_NAME.fullmatch(name) and _suffix(path) not in SUFFIXES:
        raise RlpoetError(f"{name}: no such file or folder; expected one. For the data set of that name write {HUB}{name}.")
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
    with poem_writer(path) as write:
        for poem in poems:
            write(poem)


@contextmanager
def poem_writer(path: str | Path) -> Iterator[Callable[[Poem], object]]:
    """What writes one poem after the other to a file, as ``write_poems``; the file takes its place when the block ends.

    Raises:
        RlpoetError: a name that does not say JSON Lines.
    """
    path = Path(path)
    if not path.name.removesuffix(".gz").endswith(".jsonl"):
        raise RlpoetError(f"{path}: expected a name that ends in .jsonl or .jsonl.gz.")
    with whole_file(path) as stream, ExitStack() as stack:
        # without name and time in it: the same poems, the same bytes
        packed = gzip.GzipFile("", "wb", 6, stream, mtime=0) if path.suffix == ".gz" else None
        out: Any = stack.enter_context(packed) if packed is not None else stream

        def write(poem: Poem) -> None:
            try:
                out.write((json.dumps(as_row(poem), ensure_ascii=False) + "\n").encode("utf-8"))
            except UnicodeEncodeError:  # half a surrogate pair, which JSON can spell and UTF-8 cannot
                out.write((json.dumps(as_row(poem)) + "\n").encode("ascii"))

        yield write


def as_row(poem: Poem) -> dict[str, Any]:
    """A poem as one JSON object."""
    row: dict[str, Any] = {"author": poem.author, "title": poem.title, **poem.columns, "stanzas": [list(s) for s in poem.stanzas]}
    if poem.rhymed is not None:
        row["rhymed"] = poem.rhymed
    return row if poem.core else row | {"core": False}


def _folder(path: Path, columns: Columns, split: str | None, tell: Callable[[str], object] | None) -> Iterator[Poem]:
    if any((path / name).exists() for name in ("dataset_dict.json", "state.json")):
        yield from poems_of_rows(hub_rows(str(path), split=split), columns, str(path))
        return
    files = [file for file in sorted(path.rglob("*")) if file.is_file() and _suffix(file) in SUFFIXES and file.name.lower() != "readme.md"]
    if not files:
        raise RlpoetError(f"{path}: is a folder without a corpus file; expected {' '.join(SUFFIXES)} in it.")
    for file in files:
        n = 0
        try:
            for poem in _file(file, columns):
                n += 1
                yield poem
        except RlpoetError as error:
            if tell is None:
                raise
            tell(f"{error} {f'{n} poems before it are kept, the rest of the file' if n else 'The file'} is left out.")


def _file(path: Path, columns: Columns) -> Iterator[Poem]:
    kind = _suffix(path)
    if kind == ".parquet":
        yield from poems_of_rows(_parquet(path), columns, str(path))
    elif kind in (".csv", ".tsv"):
        rows = read_csv(table_lines_of(path), str(path), delimiter="\t" if kind == ".tsv" else None)
        yield from poems_of_rows(rows, columns, str(path))
    elif kind in (".jsonl", ".json", ".ndjson"):
        yield from poems_of_rows(((f"{path}:{number}", item) for number, item in objects_of(path)), columns, str(path))
    else:
        yield from _text_poems(path)


def _text_poems(path: Path) -> Iterator[Poem]:
    """Poems between two empty lines; of an ebook, where its verse is."""
    lines = lines_of(path)
    head, size = [], 0
    for line in lines:
        head.append(line)
        size += len(line)
        if size > HEAD:
            break
    if is_gutenberg("".join(head)):
        yield from book_poems("".join([*head, *itertools.islice(lines, MOST_OF_BOOK)]))
        return
    block: list[str] = []
    empty = 0  # lines before this one
    for raw in itertools.chain(head, lines):
        for line in LINE_BREAK.sub("\n", raw).removesuffix("\n").split("\n"):
            if not line.strip(" \t"):
                empty += 1
            else:
                if empty >= 2 or (empty and line.startswith("# ")):
                    if stanzas := stanzas_of("\n".join(block)):
                        yield Poem(stanzas)
                    block.clear()
                empty = 0
            block.append(line)
    if stanzas := stanzas_of("\n".join(block)):
        yield Poem(stanzas)


def _suffix(path: Path) -> str:
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow.parquet

    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}:{number}", row
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        raise RlpoetError(f"{path}: not parquet ({str(error).splitlines()[0][:120]}); expected a table of poems.") from None
