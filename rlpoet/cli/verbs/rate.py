"""``rlpoet rate``: a blind sheet of poems for human judges, and what their ratings say."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlpoet.config.command import Command


@dataclass(frozen=True)
class RateConfig:
    """Make a blind rating sheet of poems, or read sheets that judges have filled in.

    `rate make PRIOR=before.txt TRAINED=after.txt PEOPLE=poems.jsonl` shuffles stanzas of all sources into a sheet with columns for
    meter, rhyme, readability and emotion, 1 to 5, and puts where they come from into a key apart. Give each judge a copy of the sheet,
    not the key. `rate read ann.csv bob.csv --key sheet.key.csv` gives means by source with 95-percent intervals and, for each
    scale, Krippendorff's alpha between the judges.

    Attributes:
        action: make or read.
        files: sources of poems, NAME=FILE to name one; or filled sheets, one a judge.
        out: the sheet to make; its key lies beside it.
        key: the key of the sheets; sheet.key.csv beside the first of them by default.
        n: stanzas of each source, at most.
        lines: lines of a stanza, so that length tells nothing; 0 for whole poems.
        seed: of choosing and shuffling, and of resampling.
        json: one JSON object instead of tables, for machines.
    """

    action: Literal["make", "read"]
    files: tuple[str, ...]
    out: str = "sheet.csv"
    key: str | None = None
    n: int = 20
    lines: int = 4
    seed: int = 0
    json: bool = False


def run(config: RateConfig) -> int:
    from rlpoet.evaluation.human_ratings import make_sheet, read_ratings
    from rlpoet.reporting.rating_tables import show_ratings

    if config.action == "make":
        n, key = make_sheet(config.files, Path(config.out), n=config.n, lines=config.lines, seed=config.seed)
        sys.stdout.write(f"sheet  {config.out}  {n} poems, to be filled in by each judge in a copy\nkey    {key}  not for judges\n")
        return 0
    show_ratings(read_ratings(config.files, config.key, seed=config.seed), len(config.files), json=config.json)
    return 0


COMMAND = Command("rate", "a blind rating sheet for human judges, and what they say", RateConfig, run, positional=("action", "files"))
