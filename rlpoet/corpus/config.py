"""The configuration of ``rlpoet corpus``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusConfig:
    """Gather poems, filter and clean them, drop duplicates, and show counts; --out writes the corpus.

    Attributes:
        sources: files (.xml .jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        out: file to write, .jsonl or .jsonl.gz; pretrain, finetune and evaluate read it.
        where: only poems that meet these conditions, such as age=Renaissance,type=Love|Nature or author!=Anonymous,year<1600;
            = and != compare values, ~ looks for a part of a value, < <= > >= compare numbers.
        validation: share of poems held out, written beside --out as NAME.held.jsonl.
        lang: fr, es or en; needed to count rhymes and syllables.
        clean: clean lines (notes, margin numbers, references, ornaments); --no_clean leaves them as they are.
        min_lines: leave out shorter poems.
        max_line: leave out poems that have a line with more characters, since they are prose.
        text_column: column of a table that holds the poems, if its name does not show it.
        author_column: column of a table that names the author.
        title_column: column of a table that holds the title.
        split: split of a hub data set; by default all.
        strict: stop at the first file of a folder that cannot be read; without this option such a file is named, counted and left out.
        picture: PNG file for a chart of the counts.
        json: print one JSON object instead of tables, for programs.
    """

    sources: tuple[str, ...] = ()
    out: str | None = None
    where: str = ""
    validation: float = 0.0
    lang: str | None = None
    clean: bool = True
    min_lines: int = 2
    max_line: int = 300
    text_column: str | None = None
    author_column: str | None = None
    title_column: str | None = None
    split: str | None = None
    strict: bool = False
    picture: str | None = None
    json: bool = False
