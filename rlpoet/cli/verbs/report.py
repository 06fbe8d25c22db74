"""``rlpoet report``: make a run's page again."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class ReportConfig:
    """Write report.html of a run from its own files.

    Attributes:
        run: folder of the run, such as runs/NAME.
    """

    run: str


def run(config: ReportConfig) -> int:
    from rlpoet.reporting.run_report import write_report
    from rlpoet.reporting.terminal import write_plain

    write_plain(f"{write_report(config.run)}\n")
    return 0


COMMAND = Command("report", "the page of a run, from its own files", ReportConfig, run, positional=("run",))
