"""Pictures of a comparison: arms over fresh samples, and arms against each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from rlpoet.reporting.charts import INK, canvas, inline, literal, smooth
from rlpoet.reporting.poems import HUES
from rlpoet.sweeps.figures import Curve
from rlpoet.sweeps.results import pareto_front

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

DASHES, MARKS = ("-", "--", ":", "-."), ("o", "s", "^", "D", "v", "P", "X", "*")
SIZE = (5.0, 3.1)  # inches: letters stay readable where the picture is as wide as a phone


def learning_curves(
    title: str, curves: Mapping[str, Sequence[Curve]], *, ylabel: str, order: Sequence[str], level: float | None = None, bands: bool = True
) -> Markup:
    """Running means over fresh samples: for each arm a line for the mean of its seeds, and a band from the least to the greatest.

    Args:
        curves: arm -> one curve per seed. Bands end with the shortest seed.
        order: all arms, which sets their colours.
        level: a value to draw as a thin line.
        bands: whether to draw bands; leave them out if many would cover each other.
    """
    figure, (axes,) = canvas(*SIZE)
    descriptions = []
    for arm, seeds in curves.items():
        means = [([x for x, _ in curve], smooth([y for _, y in curve])) for curve in seeds if curve]
        if not means:
            continue
        end = min(xs[-1] for xs, _ in means)
        grid = np.linspace(max(xs[0] for xs, _ in means), end, 200)
        rows = np.array([np.interp(grid, xs, ys) for xs, ys in means])
        color, dashes, _ = _style(order, arm)
        axes.plot(grid, rows.mean(0), color=color, linestyle=dashes, linewidth=1.8, label=literal(arm))
        if len(rows) > 1 and bands:
            axes.fill_between(grid, rows.min(0), rows.max(0), color=color, alpha=0.18, linewidth=0)
        descriptions.append(f"{arm} from {rows.mean(0)[0]:.2f} to {rows.mean(0)[-1]:.2f} after {end:.0f}")
    if level is not None:
        axes.axhline(level, color=INK, alpha=0.4, linewidth=0.8, linestyle=":")
    axes.set_xlabel("fresh samples", color=INK)
    axes.set_ylabel(ylabel, color=INK)
    return _finished(figure, title, f"{title}: {'; '.join(descriptions)}")


def pareto(
    title: str, points: Mapping[str, Sequence[tuple[float, float]]], *, xlabel: str, ylabel: str, order: Sequence[str], low_x: bool
) -> Markup:
    """Arms as marks at the mean of their seeds, seeds as small dots, and the front: arms that none beats in both directions.

    Args:
        points: arm -> (x, y) of each seed.
        low_x: whether a lower x is better.
    """
    figure, (axes,) = canvas(*SIZE)
    means = {
        arm: (float(np.mean([x for x, _ in arm_points])), float(np.mean([y for _, y in arm_points])))
        for arm, arm_points in points.items()
        if arm_points
    }
    front = [list(means)[i] for i in pareto_front(list(means.values()), low_x=low_x)]
    if len(front) > 1:
        axes.plot(*zip(*(means[arm] for arm in front), strict=True), color=INK, alpha=0.35, linewidth=1, zorder=1)
    for arm, (x, y) in means.items():
        color, _, mark = _style(order, arm)
        if len(points[arm]) > 1:
            axes.scatter(*zip(*points[arm], strict=True), s=9, color=color, alpha=0.5, linewidths=0, zorder=2)
        axes.scatter([x], [y], s=46, color=color, marker=mark, label=literal(arm), zorder=3)
    axes.margins(0.12)
    axes.set_xlabel(xlabel, color=INK)
    axes.set_ylabel(ylabel, color=INK)
    description = "; ".join(f"{arm} {x:.3g}, {y:.3g}" for arm, (x, y) in means.items())
    return _finished(figure, title, f"{title} ({xlabel}, {ylabel}): {description}. Not beaten in both: {', '.join(front)}")


def _style(order: Sequence[str], arm: str) -> tuple[str, str, str]:
    i = order.index(arm) if arm in order else len(order)
    turn = i // len(HUES)  # when colours come again, dashes and marks are others
    return HUES[i % len(HUES)], DASHES[turn % len(DASHES)], MARKS[(i + 3 * turn) % len(MARKS)]


def _finished(figure: Figure, title: str, told: str) -> Markup:
    """The figure in a page, with few enough marks on its axis that they stay apart, and a legend below it as high as it needs."""
    figure.axes[0].locator_params(axis="x", nbins=6)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    if handles:
        columns = min(len(labels), 4 if max(map(len, labels)) < 11 else 3 if max(map(len, labels)) < 16 else 2)
        rows = -(-len(labels) // columns)
        figure.set_size_inches(SIZE[0], SIZE[1] + 0.19 * rows)
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, fontsize=10, frameon=False, labelcolor=INK)
    return inline(figure, title, told)
