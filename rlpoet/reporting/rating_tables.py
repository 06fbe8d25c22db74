"""What human judges said, as tables for a terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rich import box
from rich.table import Table

from rlpoet.evaluation.human_ratings import NONE, Judged, JudgeReport
from rlpoet.reporting.poems import console
from rlpoet.reporting.terminal import write_row


def show_ratings(told: JudgeReport, *, json: bool = False) -> None:
    """Print them as tables, or as one JSON object."""
    if json:
        write_row(dataclasses.asdict(told))
        return
    out = console()
    if told.faults:
        out.print(judged_table(told.faults, "faults per poem, and poems without a fault", "fault"))
    if told.scales:
        out.print(judged_table(told.scales, "ratings from 1 to 5", "scale"))
    out.print(agreement_line(told))


def agreement_line(told: JudgeReport) -> str:
    """Who judged, and whether their agreement can be told."""
    if told.judges == 1:
        return "1 judge: agreement cannot be told. Give a second judge a copy of the sheet."
    if not told.shared:
        return f"{told.judges} judges, but no poem has two of them: agreement cannot be told. Give judges the same poems."
    return f"{told.judges} judges, {told.shared} poems with two or more of them. alpha is Krippendorff's: 1 full agreement, 0 chance."


def judged_table(told: Sequence[Judged], title: str, name: str) -> Table:
    """A row a source and figure, and the judges' agreement once a figure."""
    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
    for column in (name, "source", "mean", "95 %", "poems", "alpha", "95 %"):
        table.add_column(column, justify="left" if column in (name, "source") else "right", no_wrap=True)
    for own in told:
        label = own.name.replace("_", " ")
        agreed = ["–" if own.alpha is None else f"{own.alpha:.2f}"]
        agreed += [f"{own.alpha_95[0]:.2f} – {own.alpha_95[1]:.2f}" if own.alpha_95 else ""]
        rows = list(own.means.items())
        for number, (source, (mean, low, high, n)) in enumerate(rows):
            cells = (label, *agreed) if not number else ("", "", "")
            shown = [f"{100 * value:.0f} %" if own.name == NONE else f"{value:.2f}" for value in (mean, low, high)]
            table.add_row(
                cells[0], source, shown[0], f"{shown[1]} – {shown[2]}", str(n), cells[1], cells[2], end_section=number == len(rows) - 1
            )
        if not rows:
            table.add_row(label, "–", "", "", "0", "", "", end_section=True)
    return table
