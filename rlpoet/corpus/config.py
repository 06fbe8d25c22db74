"""What ``rlpoet corpus`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusConfig:
    """Gather poems, mend them, drop doubles, choose among them, and say what there is; --out writes them down.

    Attributes:
        sources: files (.jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        out: file to write, .jsonl or .jsonl.gz, what pretrain, finetune and evaluate read.
        where: only poems that meet these conditions, such as age=Renaissance,type=Love|Nature or author!=Anonymous,year<1600;
            = != compare values, ~ asks for a part of one, < <= > >= compare numbers.
        validation: share of poems held out whole, written beside --out as NAME.held.jsonl.
        lang: fr, es or en; then rhymes and syllables are heard and counted.
        clean: mend lines (notes, margin numbers, references, ornaments); --no_clean takes them as they are.
        min_lines: leave out shorter poems.
        max_line: leave out poems with a line of more characters: prose.
        text_column: column of a table that holds the poems, where its name does not say so.
        author_column: column of a table that names the author.
        title_column: column of a table that holds the title.
        split: of a hub's data set; all of them by default.
        picture: PNG file to draw the counts into.
        json: one JSON object instead of tables, for machines.
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
    picture: str | None = None
    json: bool = False
