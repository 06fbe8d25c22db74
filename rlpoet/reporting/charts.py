"""Small line charts as inline SVG: no script, no image, and they take the page's colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 26, 24
MOST = 240  # points drawn: more than pixels tell nothing
CSS = "\n".join(
    [
        ".chart{width:100%;height:auto;display:block}",
        ".chart text{fill:currentColor;font-size:11px}",
        ".chart .title{font-weight:600;font-size:12px}",
        ".chart .grid{stroke:currentColor;stroke-opacity:.15}",
        ".chart .raw{fill:none;stroke:#2f7de1;stroke-opacity:.35}",
        ".chart .line{fill:none;stroke:#2f7de1;stroke-width:2}",
    ]
)


def line_chart(title: str, points: Sequence[tuple[float, float]], *, log: bool = False) -> str:
    """One curve over steps, with its running mean once it is long enough to be noisy.

    Args:
        title: name of the metric; it is also what a screen reader says, with first and last value.
        points: ``(step, value)``, by step, at least one; finite.
        log: ask for a logarithmic scale; kept linear when a value is not positive.
    """
    shown = _thin(points)
    log = log and all(value > 0 for _, value in shown)
    heights = [math.log10(value) if log else value for _, value in shown]
    low, high = min(heights), max(heights)
    if high == low:
        low, high = low - 0.5, high + 0.5
    first, last = shown[0][0], shown[-1][0]

    def place(step: float, height: float) -> str:
        x = LEFT + (WIDTH - LEFT - RIGHT) * ((step - first) / (last - first) if last > first else 0.5)
        y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (height - low) / (high - low)
        return f"{x:.1f},{y:.1f}"

    raw = " ".join(place(step, height) for (step, _), height in zip(shown, heights, strict=True))
    noisy = len(shown) >= 30
    mean = " ".join(place(step, height) for (step, _), height in zip(shown, smooth(heights), strict=True)) if noisy else raw
    parts = [
        f'<text class="title" x="4" y="14">{html.escape(title)}{" (log scale)" if log else ""}</text>',
        *(_tick(value, low, high, log) for value in (low, (low + high) / 2, high)),
        f'<text x="{LEFT}" y="{HEIGHT - 6}">{_short(points[0][0])}</text>',
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">step {_short(points[-1][0])}</text>',
        f'<polyline class="raw" points="{raw}"/>' if noisy else "",
        f'<polyline class="line" points="{mean}"/>' if len(shown) > 1 else _dot(mean),
    ]
    label = f"{title}: {_short(points[0][1])} at first, {_short(points[-1][1])} at last"
    return f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(label)}">{"".join(parts)}</svg>'


def _tick(height: float, low: float, high: float, log: bool) -> str:
    y = HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (height - low) / (high - low)
    line = f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return f'{line}<text x="{LEFT - 5}" y="{y + 4:.1f}" text-anchor="end">{_short(10**height if log else height)}</text>'


def _dot(place: str) -> str:
    x, _, y = place.partition(",")
    return f'<circle cx="{x}" cy="{y}" r="3" fill="#2f7de1"/>'


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most ``MOST`` points: means of equal runs of neighbours."""
    size = -(-len(points) // MOST)
    runs = [points[i : i + size] for i in range(0, len(points), size)]
    return [(run[-1][0], sum(value for _, value in run) / len(run)) for run in runs]


def smooth(values: Sequence[float]) -> list[float]:
    """Centred running means over a twelfth of the curve, so that nothing lags; half as wide at the ends."""
    reach = max(1, len(values) // 24)
    windows = (values[max(0, i - reach) : i + reach + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


def _short(value: float) -> str:
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.1 else f"{value:.2g}"
