"""Annotates a corpus of any size: poems are read as a stream, annotated in parts, on several processes, and joined in the end.

Each part is a file beside the output, in a hidden folder. A run that was stopped finds the parts that are whole, if sources, options and
the rules of verse are the same, and goes on behind them. No output is there until all of it is.
"""

from __future__ import annotations

import concurrent.futures
import functools
import gzip
import hashlib
import itertools
import json
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from rlpoet import __version__
from rlpoet.checkpoints.signals import end_with_parent
from rlpoet.corpus.clean import cleaned
from rlpoet.corpus.poem import Poem
from rlpoet.corpus.read import files_of, poems_of
from rlpoet.corpus.tables import Columns
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.annotation.config import AnnotateConfig
from rlpoet.evaluation.annotation.rows import Annotated, annotate_poem
from rlpoet.evaluation.annotation.tables import LINES, Csv, JsonLines, Parquet
from rlpoet.evaluation.annotation.tei import DOCUMENT, Tei
from rlpoet.prosody import verse
from rlpoet.prosody.digest import verse_version
from rlpoet.text import read_object, whole_file, write_atomically
from rlpoet.text.held import LOCK, held

PART_LINES = 4_000  # lines of a part at least, but for the last: some seconds of work, which is what a stop can lose
PENDING = 3  # parts per process that wait with their poems in memory
JOB = "job.json"
COUNT = ".json"  # of a part, written last: the part is whole


class Format(Protocol):
    """A kind of output: the tables it has, their pieces, and how these are joined."""

    tables: tuple[str, ...]

    def render(self, annotated: Sequence[Annotated], table: str) -> bytes: ...
    def join(self, parts: Iterable[Path], table: str, out: BinaryIO) -> None: ...


FORMATS: dict[str, Callable[[], Format]] = {".csv": Csv, ".jsonl": JsonLines, ".parquet": Parquet, ".tei": Tei, ".xml": Tei}


@dataclass(frozen=True)
class Outcome:
    """What was written: files, poems and lines; how many poems an earlier run had done; seconds of this one."""

    files: tuple[Path, ...]
    poems: int
    lines: int
    kept: int
    seconds: float


def annotate(
    config: AnnotateConfig,
    progress: Callable[[int, int], None] = lambda poems, lines: None,
    tell: Callable[[str], object] = lambda line: None,
) -> Outcome:
    """Write the tables of a corpus.

    Args:
        progress: called after each part with the poems and lines that are done.
        tell: called with one line for each file of a folder that cannot be read to its end; the others are read all the same.

    Raises:
        RlpoetError, UnknownName: a field is not valid, a source cannot be read, or no poem is in any.
    """
    start = time.monotonic()
    ending = _check(config)
    out = Path(config.out)
    folder = out.with_name(f".{out.name}.parts")
    with held(folder, fix="Choose another --out."):
        kept = _prepare(folder, config)
        counts: list[tuple[int, int]] = []
        poems = lines = 0
        for count in _annotated(config, folder, ending, kept, tell):
            counts.append(count)
            poems, lines = poems + count[0], lines + count[1]
            progress(poems, lines)
        if not poems:
            _empty(folder)
            raise RlpoetError(f"{' '.join(config.sources)}: no line of verse in it; expected poems, as `rlpoet corpus` reads them.")
        files = _join(out, folder, ending, len(counts))
        _empty(folder)
    return Outcome(files, poems, lines, sum(count[0] for count in counts[:kept]), time.monotonic() - start)


def table_path(out: Path, table: str) -> Path:
    """Where a table goes.

    >>> table_path(Path("verse.csv.gz"), "poems").name, table_path(Path("verse.csv"), "lines").name
    ('verse.poems.csv.gz', 'verse.csv')
    """
    if table in (LINES, DOCUMENT):
        return out
    zipped = out.suffix == ".gz"
    plain = out.with_suffix("") if zipped else out
    return plain.with_name(f"{plain.stem}.{table}{plain.suffix}{'.gz' if zipped else ''}")


def _check(config: AnnotateConfig) -> str:
    if not config.sources:
        raise RlpoetError("SOURCES: none given; expected files, folders, hf:owner/name or gutenberg:NUMBER.")
    verse(config.lang)
    if config.processes < 1:
        raise RlpoetError(f"--processes: {config.processes}; expected 1 or more.")
    name = config.out.lower()
    ending = Path(name.removesuffix(".gz")).suffix
    if ending not in FORMATS or (name.endswith(".gz") and ending == ".parquet"):
        raise RlpoetError(f"--out {config.out}: expected a name that ends in {' '.join(FORMATS)}; all but parquet also with .gz.")
    FORMATS[ending]()  # says now what is not installed
    return ending


def _prepare(folder: Path, config: AnnotateConfig) -> int:
    """Make the folder of parts; the number of parts in it that belong to this very job."""
    job = _job(config)
    record = folder / JOB
    if not record.is_file() or record.read_text(encoding="utf-8", errors="replace") != job:
        _empty(folder)
        write_atomically(record, job)
    return next(n for n in itertools.count() if not _is_whole(folder / f"{n:06}{COUNT}"))


def _is_whole(count: Path) -> bool:
    """Whether a part is there, and says what is in it."""
    try:
        found = read_object(count, "the count of a part")
    except RlpoetError:
        return False
    return all(isinstance(found.get(name), int) for name in ("poems", "lines"))


def _empty(folder: Path) -> None:
    """Delete all parts; the lock that this process holds there stays."""
    for path in folder.iterdir():
        if path.name != LOCK:
            path.unlink()


def _job(config: AnnotateConfig) -> str:
    """What decides the output: options, the files with their sizes and times, and the rules of verse."""
    options = {key: value for key, value in asdict(config).items() if key != "processes"}
    files = [
        (str(file), stat.st_size, stat.st_mtime_ns) for file in _sources(config) if Path(file).is_file() and (stat := Path(file).stat())
    ]
    rules = hashlib.sha1(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))).hexdigest()
    fresh = time.time_ns() if "-" in config.sources else 0  # standard input is another one each time
    return json.dumps([__version__, verse_version(), rules, options, files, fresh], ensure_ascii=False)


def _sources(config: AnnotateConfig) -> Iterator[str | Path]:
    """The sources, of a folder its files."""
    for source in config.sources:
        yield from files_of(source)


def _annotated(config: AnnotateConfig, folder: Path, ending: str, kept: int, tell: Callable[[str], object]) -> Iterator[tuple[int, int]]:
    """Annotate what is not done yet; poems and lines of each part, in order."""
    work = functools.partial(annotate_part, folder=folder, ending=ending, lang=config.lang)
    numbered = enumerate(_parts(config, tell))
    for n, _ in itertools.islice(numbered, kept):
        done = json.loads((folder / f"{n:06}{COUNT}").read_text(encoding="utf-8"))
        yield done["poems"], done["lines"]
    if config.processes == 1:
        for n, part in numbered:
            yield work(n, part)
        return
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(config.processes, mp_context=context, initializer=end_with_parent) as pool:
        waiting: deque[concurrent.futures.Future[tuple[int, int]]] = deque()
        try:
            for n, part in numbered:
                waiting.append(pool.submit(work, n, part))
                if len(waiting) >= PENDING * config.processes:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise RlpoetError(
                f"--processes {config.processes}: a process ended (out of memory?); expected it to live. The same command goes on from the "
                "parts that are whole. Lower --processes if memory is short."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _parts(config: AnnotateConfig, tell: Callable[[str], object]) -> Iterator[list[tuple[str, str, Poem]]]:
    """The poems with their ids and sources, in parts of some thousand lines."""
    columns = Columns(config.text_column, config.author_column, config.title_column)
    part: list[tuple[str, str, Poem]] = []
    size = 0
    for source in _sources(config):
        name = _name(source, config.sources)
        poems = poems_of(source, columns=columns, split=config.split)
        for number, poem in enumerate(poems if source in config.sources else _readable(poems, tell), start=1):
            mended = cleaned(poem) if config.clean else poem
            if mended is None or not mended.stanzas:
                continue
            part.append((f"{name}:{number}", name, mended))
            size += len(mended.lines)
            if size >= PART_LINES:
                yield part
                part, size = [], 0
    if part:
        yield part


def _readable(poems: Iterator[Poem], tell: Callable[[str], object]) -> Iterator[Poem]:
    """The poems of a file of a folder, up to where it cannot be read."""
    try:
        yield from poems
    except UnknownName:  # a column that was asked for: no damage of the file
        raise
    except RlpoetError as error:
        tell(f"{error} What comes before it is kept, the rest of the file is left out.")


def _name(source: str | Path, sources: Sequence[str]) -> str:
    """A file's name in the tables: below the folder that was given, or alone."""
    path = Path(source)
    above = next((Path(own) for own in sources if Path(own).is_dir() and path.is_relative_to(own)), None)
    if above is not None:
        return path.relative_to(above).as_posix()
    return path.name if path.is_file() else str(source)


def annotate_part(number: int, part: Sequence[tuple[str, str, Poem]], *, folder: Path, ending: str, lang: str) -> tuple[int, int]:
    """Annotate the poems of a part and write its pieces; its poems and lines."""
    annotated = [annotate_poem(poem, lang, name=name, source=source) for name, source, poem in part]
    form = FORMATS[ending]()
    for table in form.tables:
        with whole_file(folder / f"{number:06}.{table}") as stream:
            stream.write(form.render(annotated, table))
    count = {"poems": len(annotated), "lines": sum(len(one.lines) for one in annotated)}
    write_atomically(folder / f"{number:06}{COUNT}", json.dumps(count))
    return count["poems"], count["lines"]


def _join(out: Path, folder: Path, ending: str, n_parts: int) -> tuple[Path, ...]:
    """Write the outputs whole from their pieces; they take their places when all are written."""
    form = FORMATS[ending]()
    paths = {table: table_path(out, table) for table in form.tables}
    whole = {table: folder / f"whole.{table}" for table in paths}  # there, so that nothing of a killed run lies beside the output
    for table, path in paths.items():
        pieces = [folder / f"{n:06}.{table}" for n in range(n_parts)]
        with whole_file(whole[table]) as stream:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=6, mtime=0) as packed:
                    form.join(pieces, table, packed)  # type: ignore[arg-type]
            else:
                form.join(pieces, table, stream)
    for table, path in sorted(paths.items(), key=lambda item: item[0] == LINES):  # by which a reader knows that the others are there
        whole[table].replace(path)
    return tuple(paths.values())
