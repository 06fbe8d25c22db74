"""``rlpoet annotate``: a corpus as tables, with scheme, meter and rhyme of each line."""

from __future__ import annotations

import sys
import time

from rlpoet.config.command import Command
from rlpoet.evaluation.annotation.config import AnnotateConfig

EVERY = 10.0  # seconds between two lines of progress


def run(config: AnnotateConfig) -> int:
    from rlpoet.evaluation.annotation.run import annotate
    from rlpoet.reporting.poems import console

    started = told = time.monotonic()

    def progress(poems: int, lines: int) -> None:
        nonlocal told
        if time.monotonic() - told >= EVERY:
            told = time.monotonic()
            sys.stderr.write(f"rlpoet annotate: {lines:,} lines of {poems:,} poems in {told - started:.0f} s\n")
            sys.stderr.flush()

    done = annotate(config, progress, tell=console(stderr=True).print)
    out = console()
    for path in done.files:
        out.print(str(path))
    kept = f"; {done.kept:,} poems of them by an earlier run" if done.kept else ""
    out.print(f"{done.lines:,} lines of {done.poems:,} poems in {done.seconds:.1f} s{kept}")
    return 0


COMMAND = Command("annotate", "a corpus as tables: form, rhyme and meter of every line", AnnotateConfig, run, positional=("sources",))
