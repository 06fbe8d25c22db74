"""The configuration of ``rlpoet annotate``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnnotateConfig:
    """Analyse a corpus and write tables, one row per line and one row per poem: form, scheme, rhyme, syllables, stress and caesura.

    The ending of --out says the format. NAME.csv, NAME.jsonl and NAME.parquet have the lines, and NAME.poems.csv and so on the poems.
    NAME.tei or NAME.xml is one TEI document with @met, @real and @rhyme. To continue a run that was stopped, give the same command again.

    Attributes:
        sources: files (.xml .jsonl .json .csv .tsv .parquet .txt, also .gz), folders of them, hf:owner/name, gutenberg:NUMBER.
        lang: fr, es or en, a variety such as es-distincion, or the folder of a language.
        out: file to write: .csv, .jsonl (both also with .gz), .parquet, .tei or .xml.
        processes: number of processes that annotate at the same time.
        clean: clean lines (notes, margin numbers, references, ornaments); --no_clean leaves them as they are.
        text_column: column of a table that holds the poems, if its name does not show it.
        author_column: column of a table that names the author.
        title_column: column of a table that holds the title.
        split: split of a hub data set; by default all.
    """

    sources: tuple[str, ...]
    lang: str
    out: str
    processes: int = 1
    clean: bool = True
    text_column: str | None = None
    author_column: str | None = None
    title_column: str | None = None
    split: str | None = None
