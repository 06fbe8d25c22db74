"""Poems as a picture, for TensorBoard's image tab, which keeps the colours its text tab strips."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rlpoet.evaluation.score import ScoredPoem
from rlpoet.reporting.charts import DPI, GREY
from rlpoet.reporting.poems import HUES, about, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONT, BOX = "DejaVu Sans Mono", "\u25a1"
INK = "#1f2328"
SIZE = 10  # points
COLUMN, ROW = 10 / DPI, 0.21  # inches of a character, which is ten pixels wide, so that hinting moves none, and of a line
MARGIN = 2  # columns
START = 10  # column of a line's first letter


def poems_figure(poems: Sequence[ScoredPoem]) -> Figure:
    """Poems one below the other: rhyme letter, count, line; tails in their family's hue and underlined.

    Letters are placed by column, in the monospaced font that comes with matplotlib: a script it lacks is shown as boxes.
    """
    from matplotlib.figure import Figure

    rows = [row for poem in poems for row in [(about(poem), None), *[("", line) for line in drawn(poem)], ("", None)]]
    width = max([START + len(line.head + line.tail + line.rest) for _, line in rows if line] + [len(text) for text, _ in rows] + [20])
    inches = (width + 2 * MARGIN) * COLUMN, (len(rows) + 1) * ROW
    figure = Figure(figsize=inches, dpi=DPI, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-MARGIN, width + MARGIN)
    axes.set_ylim(len(rows) + 0.5, -0.5)

    def put(column: int, row: int, text: str, colour: str, *, bold: bool = False) -> None:
        style: dict[str, Any] = {"family": FONT, "size": SIZE, "va": "center", "weight": "bold" if bold else "normal"}
        axes.text(column, row, _drawable(text), color=colour, parse_math=False, **style)

    for row, (heading, line) in enumerate(rows):
        if line is None:
            put(0, row, heading, GREY)
            continue
        hue = GREY if line.hue is None else HUES[line.hue]
        put(0, row, line.letter, hue, bold=True)
        put(2, row, f"{line.count:>6}", GREY if line.in_meter else INK, bold=not line.in_meter)
        at = START
        for part, colour in ((line.head, INK), (line.tail, hue), (line.rest, INK)):
            put(at, row, part, colour, bold=part is line.tail and line.hue is not None)
            if part and part is line.tail:
                axes.plot([at, at + len(part)], [row + 0.42] * 2, color=hue, linewidth=1, linestyle=":" if line.hue is None else "-")
            at += len(part)
    return figure


def _drawable(text: str) -> str:
    """The text with a box for each character the font lacks: matplotlib would draw one too, and warn of every one of them."""
    known = _characters()
    return "".join(own if ord(own) in known else BOX for own in text)


@functools.cache
def _characters() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(FONT)).get_charmap())
