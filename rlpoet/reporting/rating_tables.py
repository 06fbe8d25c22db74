"""What human judges said, as a table for a terminal."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from json import dumps as encode

from rich import box
from rich.table import Table

from rlpoet.evaluation.human_ratings import ScaleReport
from rlpoet.reporting.poems import console


def show_ratings(told: Sequence[ScaleReport], n_judges: int, *, json: bool = False) -> None:
    """Print them as a table, or as one JSON object."""
    if json:
        scales = [dataclasses.asdict(own) for own in told]
        sys.stdout.write(encode({"judges": n_judges, "scales": scales}, ensure_ascii=False) + "\n")
        return
    console().print(rating_table(told, n_judges))


def rating_table(told: Sequence[ScaleReport], n_judges: int) -> Table:
    """A row a source and scale, and the judges' agreement once a scale."""
    table = Table(box=box.SIMPLE_HEAD, title=f"{n_judges} judge{'s' if n_judges != 1 else ''}", title_justify="left")
    for name in ("scale", "source", "mean", "95 %", "poems", "alpha", "95 %"):
        table.add_column(name, justify="left" if name in ("scale", "source") else "right")
    for own in told:
        agreed = ["–" if own.alpha is None else f"{own.alpha:.2f}"]
        agreed += [f"{own.alpha_95[0]:.2f} – {own.alpha_95[1]:.2f}" if own.alpha_95 else ""]
        rows = list(own.means.items())
        for number, (source, (mean, low, high, n)) in enumerate(rows):
            cells = (own.scale, *(agreed if not number else ("", ""))) if not number else ("", "", "")
            span = f"{low:.2f} – {high:.2f}"
            table.add_row(cells[0], source, f"{mean:.2f}", span, str(n), cells[1], cells[2], end_section=number == len(rows) - 1)
        if not rows:
            table.add_row(own.scale, "–", "", "", "0", "", "", end_section=True)
    return table
