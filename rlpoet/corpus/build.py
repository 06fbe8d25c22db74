"""Sources to one clean corpus: read, filter, clean, drop prose and duplicates, split, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rlpoet.corpus.clean import cleaned, is_prose
from rlpoet.corpus.config import CorpusConfig
from rlpoet.corpus.poem import Poem, held_out
from rlpoet.corpus.read import Columns, poem_writer, poems_of
from rlpoet.corpus.statistics import Count, Statistics
from rlpoet.corpus.where import Filter
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse


@dataclass
class Built:
    """What became of the poems of a corpus: how many were read, how many each step removed, and counts of those kept.

    Attributes:
        damaged: files of folders that could not be read to their end.
        written: files, and the number of poems in each.
    """

    read: int = 0
    filtered: int = 0
    empty: int = 0
    short: int = 0
    prose: int = 0
    twice: int = 0
    damaged: int = 0
    count: Count = field(default_factory=Count)
    written: dict[Path, int] = field(default_factory=dict)
    found: Statistics | None = None

    @property
    def kept(self) -> int:
        return self.count.poems


def build(config: CorpusConfig, tell: Callable[[str], object] = lambda _: None) -> Built:
    """Gather the poems a configuration asks for and write them where it says, one after the other: only fingerprints stay in memory.

    Args:
        tell: called with one line for each file of a folder that cannot be read to its end.

    Raises:
        RlpoetError, UnknownName: as ``read_poems`` and ``select``, nothing is left, or a field is not valid. Nothing is written then.
    """
    _check(config)
    built = Built()
    with ExitStack() as stack:
        out = Path(config.out) if config.out is not None else None
        held = held_path(config.out) if config.out is not None and config.validation else None
        write = {path: stack.enter_context(poem_writer(path)) for path in (out, held) if path is not None}
        built.written = dict.fromkeys(write, 0)
        for poem in kept_poems(config, built, tell):
            built.count.add(poem)
            path = held if held is not None and held_out(poem, config.validation) else out
            if path is not None:
                write[path](poem)
                built.written[path] += 1
        built.found = built.count.found(config.lang)
    return built


def kept_poems(config: CorpusConfig, built: Built, tell: Callable[[str], object] = lambda _: None) -> Iterator[Poem]:
    """The poems a configuration asks for; what is left out is counted in ``built``.

    Raises:
        RlpoetError, UnknownName: as ``build``, some of them only after the last poem.
    """

    def damaged(line: str) -> None:
        built.damaged += 1
        tell(line)

    columns, chosen = Columns(config.text_column, config.author_column, config.title_column), Filter(config.where)
    seen: set[bytes] = set()
    for source in config.sources:
        before = built.read
        for poem in poems_of(source, columns=columns, split=config.split, tell=None if config.strict else damaged):
            built.read += 1
            if not chosen(poem):
                built.filtered += 1
                continue
            mended = cleaned(poem) if config.clean else poem
            if mended is None or not mended.stanzas:
                built.empty += 1
            elif len(mended.lines) < config.min_lines:
                built.short += 1
            elif is_prose(mended.lines, config.max_line):
                built.prose += 1
            elif (mark := bytes.fromhex(mended.fingerprint)) in seen:
                built.twice += 1
            else:
                seen.add(mark)
                yield mended
        if built.read == before:
            raise RlpoetError(
                f"{source}: no poem in it; expected JSON Lines with stanzas, a table with a column of poems, or verse as text."
            )
    chosen.check()
    if not seen:
        raise RlpoetError(
            f"{' '.join(config.sources)}: none of {built.read - built.filtered} poems is left ({built.short} shorter than --min_lines "
            f"{config.min_lines}, {built.prose} with a line over --max_line {config.max_line}); expected some. Loosen these."
        )


def held_path(out: str | Path) -> Path:
    """Where the poems held out go.

    >>> held_path("fr.jsonl.gz").name
    'fr.held.jsonl.gz'
    """
    path = Path(out)
    stem, dot, rest = path.name.partition(".jsonl")
    return path.with_name(f"{stem}.held{dot}{rest}")


def _check(config: CorpusConfig) -> None:
    if not config.sources:
        raise RlpoetError("SOURCES: none given; expected files, folders, hf:owner/name or gutenberg:NUMBER.")
    if config.lang is not None:
        verse(config.lang)
    if not 0 <= config.validation < 1:
        raise RlpoetError(f"--validation: {config.validation}; expected a share in [0, 1).")
    if config.validation and config.out is None:
        raise RlpoetError("--validation: given without --out; expected a file to write.")
    if config.out is not None and not config.out.removesuffix(".gz").endswith(".jsonl"):
        raise RlpoetError(f"--out {config.out}: expected a name that ends in .jsonl or .jsonl.gz.")
    if config.picture is not None and Path(config.picture).suffix.lower() != ".png":
        raise RlpoetError(f"--picture {config.picture}: expected a name that ends in .png.")
    for name in ("min_lines", "max_line"):
        if getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 1 or more.")
