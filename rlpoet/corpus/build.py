"""Sources to one clean corpus: read, filter, clean, drop prose and duplicates, split, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rlpoet.corpus.clean import cleaned, is_prose
from rlpoet.corpus.config import CorpusConfig
from rlpoet.corpus.poem import Poem, deduplicated, split_poems
from rlpoet.corpus.read import Columns, poems_of, write_poems
from rlpoet.corpus.where import select
from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse


@dataclass(frozen=True)
class Built:
    """A corpus, and how many poems each step removed."""

    poems: tuple[Poem, ...]
    read: int
    filtered: int
    empty: int
    short: int
    prose: int
    twice: int


def build(config: CorpusConfig) -> tuple[Built, dict[Path, int]]:
    """Gather the poems a configuration asks for and write them where it says.

    Returns:
        The corpus, and each file that was written with its number of poems.

    Raises:
        RlpoetError, UnknownName: as ``collect``, or a field is not valid.
    """
    _check(config)
    built = collect(config)
    if config.out is None:
        return built, {}
    train, held_out = split_poems(built.poems, validation=config.validation)
    parts = {Path(config.out): train} | ({held_path(config.out): held_out} if config.validation else {})
    for path, poems in parts.items():
        write_poems(path, poems)
    return built, {path: len(poems) for path, poems in parts.items()}


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
    unique = deduplicated(verse)
    if not unique:
        raise RlpoetError(
            f"{' '.join(config.sources)}: none of {len(chosen)} poems is left ({len(whole) - len(long)} shorter than --min_lines "
            f"{config.min_lines}, {len(long) - len(verse)} with a line over --max_line {config.max_line}); expected some. Loosen these."
        )
    return Built(
        tuple(unique), len(every), len(every) - len(chosen), len(chosen) - len(whole), len(whole) - len(long), len(long) - len(verse),
        len(verse) - len(unique),
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
