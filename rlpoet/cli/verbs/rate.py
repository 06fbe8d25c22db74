"""``rlpoet rate``: a blind sheet of poems for human judges, and what their ratings say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlpoet.config.command import Command
from rlpoet.config.ranges import Seed


@dataclass(frozen=True)
class RateConfig:
    """Make a rating sheet of poems for human judges that hides the sources, or read sheets that judges have filled in.

    `rate make POLICY=poems.txt --human held.jsonl.gz --lang fr` shuffles stanzas of all sources into a sheet, with as many human stanzas of
    the same forms. Judges count faults by kind: syntax, agreement, invented word, broken sentence, no thread, punctuation. They rate meter,
    rhyme, readability and emotion from 1 (poor) to 5 (good). The row under the header explains this to them. A separate key file says where
    the poems come from. Give each judge a copy of the sheet, not the key.

    `rate read ann.csv bob.csv --key sheet.key.csv` gives for each source, with 95-percent intervals, the faults per poem, the share of
    poems without a fault and the mean ratings. For each it gives Krippendorff's alpha between the judges. A sheet that counts faults needs
    a number in each cell, 0 for none. An error names all wrong cells by row and column.

    Attributes:
        action: make or read.
        files: sources of poems, NAME=FILE to name one; or filled sheets, one a judge.
        out: the sheet to make; the key file is written beside it.
        key: the key file; by default sheet.key.csv beside the first sheet.
        n: stanzas of each source, at most.
        lines: number of lines of every stanza, so that judges cannot guess the source from the length; 0 for whole poems.
        human: poems by people (file or folder) to add; for each form as many as the largest other source has.
        lang: language of the poems, needed with --human where the files have no headings by generate --out.
        partial: read sheets of judges who counted the faults of some poems only; poems without any count are left out.
        seed: of choosing and shuffling, and of resampling.
        json: one JSON object instead of tables, for machines.
    """

    action: Literal["make", "read"]
    files: tuple[str, ...]
    out: str = "sheet.csv"
    key: str | None = None
    n: int = 20
    lines: int = 4
    human: str | None = None
    lang: str | None = None
    partial: bool = False
    seed: Seed = 0
    json: bool = False


def run(config: RateConfig) -> int:
    from rlpoet.evaluation.human_ratings import read_ratings
    from rlpoet.evaluation.rating_sheets import make_sheet
    from rlpoet.reporting.rating_tables import show_ratings
    from rlpoet.reporting.terminal import write_plain

    if config.action == "make":
        counts, key = make_sheet(
            config.files, Path(config.out), n=config.n, lines=config.lines, seed=config.seed, human=config.human, lang=config.lang
        )
        by_source = ", ".join(f"{n} {source}" for source, n in sorted(counts.items()))
        write_plain(f"sheet  {config.out}  {counts.total()} poems ({by_source}), to be filled in by each judge in a copy\n")
        write_plain(f"key    {key}  not for judges\n")
        return 0
    show_ratings(read_ratings(config.files, config.key, partial=config.partial, seed=config.seed), json=config.json)
    return 0


COMMAND = Command("rate", "a blind rating sheet for human judges, and what they say", RateConfig, run, positional=("action", "files"))
