"""The one place where charts get their dress: matplotlib figures, as SVG inside a page or as a PNG file.

Other rooms draw into a ``canvas`` and hand it to ``inline`` or ``save_png``. matplotlib takes a second to import, so it is imported by
the first picture; pyplot, whose figures are global, is not used.
"""

from __future__ import annotations

import contextlib
import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlpoet.reporting.pages import render
from rlpoet.text import whole_file

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

INK = "#010203"  # black in a file; in a page it becomes the page's own colour
BLUE, RED, GREY = "#2f7de1", "#d1495b", "#8a8f98"
DPI = 120  # of files
POINT = 72  # of an inch: the unit of an SVG
LINE_CHART = (5.0, 2.3)  # inches: letters stay readable where the picture is as wide as a phone
LEFT, RIGHT, TOP, BOTTOM = 0.14, 0.02, 0.06, 0.14  # margins of a line chart, as shares
MOST = 240  # points drawn: more than pixels tell nothing
NOISY = 30  # points from which a curve gets a running mean


def canvas(width: float, height: float, *, columns: int = 1, rows: int = 1, grid: bool = True) -> tuple[Figure, list[Any]]:
    """An empty figure in the dress of all of them, and its panels row by row.

    Args:
        width, height: inches; in a page the picture is as wide as its column.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        dress(axes, grid=grid)
    return figure, panels


def dress(axes: Any, *, grid: bool = True) -> None:
    """No frame above and at the right, a faint one elsewhere, a fainter grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(INK)
    axes.spines[["left", "bottom"]].set_alpha(0.4)
    axes.tick_params(colors=INK, labelsize=10)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(color=INK, alpha=0.12, linewidth=0.6)


def literal(text: str) -> str:
    r"""Text that matplotlib shows as it is, dollar signs too: two of them would begin a formula.

    >>> literal("$x$")
    '\\$x\\$'
    """
    return text.replace("$", r"\$")


def inline(figure: Figure, title: str, told: str) -> Markup:
    """A figure as SVG for a page: in the page's colour, as wide as its column, and told in words as well.

    Args:
        title: stands above the picture, as text of the page.
        told: what it shows, for those who do not see it. It also seeds the names inside the SVG, so that the same picture is the same
            text every time.
    """
    import matplotlib

    stream = io.StringIO()
    with _any_script(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": told}):  # text stays text
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawing = stream.getvalue()
    drawing = drawing[drawing.index("<svg") :].replace(INK, "currentColor")
    drawing = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|</?svg[^>]*>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r' id="[a-z0-9.]+_[0-9_]+"', "", drawing)  # many pictures in one page
    drawing = re.sub(r" font-family: [^;\"]*;", "", drawing)  # the page's
    drawing = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]).replace("\n", " "), drawing)
    drawing = re.sub(r"\n\s*", "\n", drawing).strip()
    from markupsafe import Markup

    view = " ".join(f"{POINT * inches:g}" for inches in figure.get_size_inches())
    return render("chart.html", title=title, told=told, view=f"0 0 {view}", drawing=Markup(drawing))


def save_png(figure: Figure, path: Path) -> None:
    """Write a picture whole or not at all."""
    with whole_file(path) as stream, _any_script():
        figure.savefig(stream, format="png", dpi=DPI)


def line_chart(title: str, points: Sequence[tuple[float, float]], *, log: bool = False) -> Markup:
    """One curve over steps, with its running mean once it is long enough to be noisy.

    Args:
        title: name of the metric; it is also what a screen reader says, with first and last value.
        points: ``(step, value)``, by step, at least one; finite.
        log: ask for a logarithmic scale; kept linear when a value is not positive.
    """
    from matplotlib.figure import Figure

    shown = thinned(points)
    log = log and all(value > 0 for _, value in shown)
    steps, heights = [step for step, _ in shown], [math.log10(value) if log else value for _, value in shown]
    low, high = min(heights), max(heights)
    if high == low:
        low, high = low - 0.5, high + 0.5
    figure = Figure(figsize=LINE_CHART)
    axes: Any = figure.add_axes((LEFT, BOTTOM, 1 - LEFT - RIGHT, 1 - TOP - BOTTOM))  # margins by hand: a page may hold a hundred of these
    dress(axes)
    axes.grid(visible=False, axis="x")
    axes.grid(axis="y", clip_on=False)
    noisy = len(shown) >= NOISY
    if noisy:
        axes.plot(steps, heights, color=BLUE, alpha=0.35, linewidth=1, clip_on=False)
    marks: dict[str, Any] = {"marker": "o", "markersize": 4} if len(shown) == 1 else {}
    axes.plot(steps, smooth(heights) if noisy else heights, color=BLUE, linewidth=1.8, clip_on=False, **marks)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    axes.set_yticks([low, (low + high) / 2, high], [_short(10**y if log else y) for y in (low, (low + high) / 2, high)])
    first, last = points[0][0], points[-1][0]
    axes.set_xlim(first, last) if last > first else None
    ends = {first: _short(first), last: f"step {_short(last)}"}
    axes.set_xticks(list(ends), list(ends.values()))
    for label, side in zip(axes.get_xticklabels(), ("left", "right") if len(ends) > 1 else ("center",), strict=True):
        label.set_horizontalalignment(side)
    told = f"{title}: {_short(points[0][1])} at first, {_short(points[-1][1])} at last"
    return inline(figure, f"{title} (log scale)" if log else title, told)


def smooth(values: Sequence[float]) -> list[float]:
    """Centred running means over a twelfth of the curve, so that nothing lags; half as wide at the ends."""
    reach = max(1, len(values) // 24)
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``MOST`` points: means of equal runs of neighbours."""
    size = -(-len(points) // MOST)
    runs = [points[i : i + size] for i in range(0, len(points), size)]
    return [(run[-1][0], sum(value for _, value in run) / len(run)) for run in runs]


def _short(value: float) -> str:
    r"""At most seven characters, which is what fits beside a line chart.

    >>> [_short(value) for value in (3.0, -0.0123, 0.00033, 0.25125, 1234567.0)]
    ['3', '-0.012', '3.3e-4', '0.251', '1.2e6']
    """
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    if not 1e-3 <= abs(value) < 1e6:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits}e{int(power)}"
    return f"{value:.3g}" if 0.1 <= abs(value) < 1e3 else f"{value:.2g}" if abs(value) < 1e3 else f"{value:.0f}"


@contextlib.contextmanager
def _any_script() -> Iterator[None]:
    """Without matplotlib's warning for each letter that its own font lacks: a page has the reader's fonts, a file shows a box."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield
