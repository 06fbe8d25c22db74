"""Reads poems from files, folders, data sets of the Hugging Face hub, and Project Gutenberg.

Files: ``.jsonl`` and ``.json`` (a list, or one object per line), ``.csv``, ``.tsv``, ``.parquet``, ``.xml`` (TEI), ``.txt``; all but
parquet also with ``.gz``. In a text file two empty lines separate poems and one separates stanzas, and a line that begins with ``# `` is
the title of the poem below it. A Project Gutenberg ebook is recognised by its marks. A text that is JSON, a table or TEI by what stands in
it is read as that; one that is HTML or RTF is refused. ``-`` is a text on standard input. ``hf:owner/name`` is a data set,
``gutenberg:1065`` an ebook. Poems come one after the other: only an ebook is read at once.
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
from rlpoet.corpus.headings import form_of_heading
from rlpoet.corpus.hub import PREFIX as HUB
from rlpoet.corpus.hub import hub_rows
from rlpoet.corpus.kinds import kind_of, refuse_binary
from rlpoet.corpus.poem import Poem, deduplicated
from rlpoet.corpus.stream import blocks_of, lines_of, objects_in, objects_of, table_lines_of
from rlpoet.corpus.tables import Columns, Row, poems_of_rows
from rlpoet.corpus.tei import tei_poems
from rlpoet.errors import RlpoetError
from rlpoet.text import read_text, whole_file
from rlpoet.text.tables import read_csv

ROWS = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".parquet")
MARKUP = (".xml", ".tei")
SUFFIXES = (*ROWS, ".txt", ".text", ".md", *MARKUP)
HEADING = re.compile(r"#{1,6} +(.*)")  # as `generate --out` writes it
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
    elif name == "-":
        yield from poems_of_text(read_text("-"), "<stdin>", columns)
    elif path.is_dir():
        yield from _folder(path, columns, split, tell)
    elif path.exists():
        yield from _file(path, columns)
    elif isinstance(source, str) and _HUB_NAME.fullmatch(name) and suffix(path) not in SUFFIXES:
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


def _folder(path: Path, columns: Columns, split: str | None, tell: Callable[[str], object] | None) -> Iterator[Poem]:
    files = files_of(path)
    if files == [path]:
        yield from poems_of_rows(hub_rows(str(path), split=split), columns, str(path))
        return
    for file in map(Path, files):
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
    kind = suffix(path)
    if kind == ".parquet":
        yield from poems_of_rows(_parquet(path), columns, str(path))
        return
    if kind in MARKUP:
        yield from tei_poems(blocks_of(path), str(path))
        return
    if path.suffix.lower() != ".gz":
        with path.open("rb") as stream:
            refuse_binary(stream.read(16), str(path))
    if kind in (".csv", ".tsv"):
        yield from _table(path, columns, "\t" if kind == ".tsv" else None)
    elif kind in (".jsonl", ".json", ".ndjson"):
        yield from _objects(path, columns)
    else:
        yield from _text_poems(path, columns)


def _table(path: Path, columns: Columns, delimiter: str | None = None) -> Iterator[Poem]:
    yield from poems_of_rows(read_csv(table_lines_of(path), str(path), delimiter=delimiter), columns, str(path))


def _objects(path: Path, columns: Columns) -> Iterator[Poem]:
    yield from poems_of_rows(((f"{path}:{number}", item) for number, item in objects_of(path)), columns, str(path))


def _text_poems(path: Path, columns: Columns) -> Iterator[Poem]:
    """As ``poems_of_text``, of a file that may be large."""
    lines = lines_of(path)
    head, size = [], 0
    for line in lines:
        head.append(line)
        size += len(line)
        if size > HEAD:
            break
    begin = "".join(head)
    kind = kind_of(begin, str(path))
    if kind == "xml":
        yield from tei_poems(blocks_of(path), str(path))
    elif kind == "json":
        yield from _objects(path, columns)
    elif kind == "table":
        yield from _table(path, columns)
    elif is_gutenberg(begin):
        yield from book_poems("".join([begin, *itertools.islice(lines, MOST_OF_BOOK)]))
    else:
        yield from _verse(itertools.chain(head, lines))


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
        yield from poems_of_rows(((f"{where}:{number}", item) for number, item in objects_in(text, where)), columns, where)
    elif kind == "table":
        yield from poems_of_rows(read_csv(text, where), columns, where)
    elif is_gutenberg(text):
        yield from book_poems(text)
    else:
        yield from _verse(text.split("\n"))


def _verse(lines: Iterable[str]) -> Iterator[Poem]:
    """The poems of verse: parted by two empty lines, or by a heading, which is the title of the poem below it."""
    block: list[str] = []
    heading, empty = "", 0  # empty lines before this one

    def poem() -> Iterator[Poem]:
        nonlocal heading
        if stanzas := stanzas_of("\n".join(block)):
            if form_of_heading(heading) is None:
                yield Poem(stanzas, title=" ".join(heading.lstrip("#").split()))
            else:
                yield Poem(stanzas, columns={"heading": heading})
            heading = ""
        block.clear()

    for raw in lines:
        for line in LINE_BREAK.sub("\n", raw).removesuffix("\n").split("\n"):
            if not line.strip(" \t"):
                empty += 1
                block.append(line)
            elif HEADING.match(line):
                yield from poem()
                heading, empty = line.strip(), 0
            else:
                if empty >= 2:
                    yield from poem()
                empty = 0
                block.append(line)
    yield from poem()


def suffix(path: Path) -> str:
    """The ending of a file's name, in small letters, without ``.gz``."""
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
