"""``rlpoet annotate``: a corpus as tables, with scheme, meter and rhyme of each line."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.evaluation.annotation.config import AnnotateConfig


def run(config: AnnotateConfig) -> int:
    from rlpoet.evaluation.annotation.run import annotate
    from rlpoet.reporting.poems import console
    from rlpoet.reporting.progress import told_of_lines

    err = console(stderr=True)
    done = annotate(config, told_of_lines(err, "rlpoet annotate"), tell=err.print)
    out = console()
    for path in done.files:
        out.print(str(path))
    kept = f"; {done.kept:,} poems of them by an earlier run" if done.kept else ""
    out.print(f"{done.lines:,} lines of {done.poems:,} poems in {done.seconds:.1f} s{kept}")
    return 0


COMMAND = Command("annotate", "a corpus as tables: form, rhyme and meter of every line", AnnotateConfig, run, positional=("sources",))
