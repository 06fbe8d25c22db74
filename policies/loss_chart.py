"""The picture of a run of pretraining or fine-tuning: training loss, and what held-out verse cost before, during and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rlpoet.reporting.charts import BLUE, GREY, RED, canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BITS = "eval/bits_per_char"


def loss_figure(rows: Sequence[Mapping[str, Any]], before: float | None, after: float | None, last: int) -> Figure:
    """Two panels; the right one is left out where no poem was held out.

    Args:
        rows: of ``metrics.jsonl``.
        before, after: bits per character of all held-out poems; before is None for a model made from nothing.
        last: step the run ended at.
    """
    measured = after is not None
    figure, panels = canvas(9.0 if measured else 4.8, 3.4, columns=2 if measured else 1)
    steps = [(row["step"], row["train/loss"]) for row in rows if "train/loss" in row]
    panels[0].plot(*zip(*steps, strict=True), color=BLUE) if steps else None
    panels[0].set(title="training loss (running mean)", xlabel="update", ylabel="nats a token")
    if measured:
        during = [(row["step"], row[BITS]) for row in rows if BITS in row and row["step"] > 0]
        panel = panels[1]
        if during:
            panel.plot(*zip(*during, strict=True), color=BLUE, marker=".", label="during")
        if before is not None:
            panel.plot([0], [before], "o", color=GREY, label=f"before {before:.3f}")
        panel.plot([last], [after], "D", color=RED, label=f"after {after:.3f}")
        panel.set(title="held-out poems", xlabel="update", ylabel="bits a character")
        panel.legend(frameon=False)
    return figure
