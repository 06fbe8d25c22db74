"""Sources to one clean corpus: read, choose, mend, drop what is no verse or was there already, split, write, show."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet.cli.verbs.corpus import CorpusConfig
from rlpoet.corpus.clean import cleaned, is_prose
from rlpoet.corpus.picture import corpus_tables, write_picture
from rlpoet.corpus.poem import Poem, deduplicated, split_poems
from rlpoet.corpus.read import Columns, poems_of, write_poems
from rlpoet.corpus.statistics import statistics
from rlpoet.corpus.where import select
from rlpoet.errors import RlpoetError
from rlpoet.reporting.poems import console


@dataclass(frozen=True)
class Built:
    """A corpus, and how many poems each step took away."""

    poems: tuple[Poem, ...]
    read: int
    filtered: int
    empty: int
    short: int
    prose: int
    twice: int


def build(config: CorpusConfig) -> int:
    """Do what ``rlpoet corpus`` was asked for."""
    _check(config)
    built = collect(config)
    parts: list[tuple[Path, list[Poem]]] = []
    if config.out is not None:
        train, held = split_poems(built.poems, validation=config.validation)
        parts = [(Path(config.out), train)] + ([(held_path(config.out), held)] if config.validation else [])
        for path, poems in parts:
            write_poems(path, poems)
    found = statistics(built.poems, lang=config.lang)
    if config.picture is not None:
        write_picture(config.picture, found, ", ".join(Path(source).name or source for source in config.sources[:3]))
    gone = {"filtered": built.filtered, "without_a_line": built.empty, "too_short": built.short, "prose": built.prose, "twice": built.twice}
    if config.json:
        item: dict[str, Any] = {"sources": list(config.sources), "read": built.read, "left_out": gone, **found.as_json()}
        item |= {"written": {str(path): len(poems) for path, poems in parts}} if parts else {}
        item |= {"picture": config.picture} if config.picture else {}
        sys.stdout.write(json.dumps(item, ensure_ascii=False) + "\n")
        return 0
    out = console()
    told = ", ".join(f"{n:,} {name.replace('_', ' ')}" for name, n in gone.items() if n)
    out.print(f"{built.read:,} poems read, {len(built.poems):,} kept" + (f"; left out: {told}" if told else ""))
    for table in corpus_tables(found):
        out.print(table)
    for path, poems in parts:
        out.print(f"{path}: {len(poems):,} poems")
    if config.picture is not None:
        out.print(f"picture: {config.picture}")
    return 0


def collect(config: CorpusConfig) -> Built:
    """The poems a configuration asks for.

    Raises:
        RlpoetError, UnknownName: as ``read_poems`` and ``select``, or nothing is left.
    """
    columns = Columns(config.text_column, config.author_column, config.title_column)
    every: list[Poem] = []
    for source in config.sources:
        new = list(poems_of(source, columns=columns, split=config.split))
        if not new:
            raise RlpoetError(
                f"{source}: no poem in it; expected JSON Lines with stanzas, a table with a column of poems, or verse as text."
            )
        every += new
    chosen = select(every, config.where)
    mended = [cleaned(poem) for poem in chosen] if config.clean else list(chosen)
    whole = [poem for poem in mended if poem is not None and poem.stanzas]
    long = [poem for poem in whole if len(poem.lines) >= config.min_lines]
    verse = [poem for poem in long if not is_prose(poem.lines, config.max_line)]
    kept = deduplicated(verse)
    if not kept:
        raise RlpoetError(
            f"{' '.join(config.sources)}: none of {len(chosen)} poems is left ({len(whole) - len(long)} shorter than --min_lines "
            f"{config.min_lines}, {len(long) - len(verse)} with a line over --max_line {config.max_line}); expected some. Loosen these."
        )
    return Built(
        tuple(kept), len(every), len(every) - len(chosen), len(chosen) - len(whole), len(whole) - len(long), len(long) - len(verse),
        len(verse) - len(kept),
    )  # fmt: skip


def held_path(out: str | Path) -> Path:
    """Where the poems held out go.

    >>> held_path("fr.jsonl.gz").name
    'fr.held.jsonl.gz'
    """
    path = Path(out)
    stem, dot, rest = path.name.partition(".jsonl")
    return path.with_name(f"{stem}.held{dot}{rest}")


def _check(config: CorpusConfig) -> None:
    from rlpoet.prosody import verse

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
