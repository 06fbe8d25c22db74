"""Charts are told in words, stay inside their frame, are the same every time, and leave no global state behind."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape

import pytest

from rlpoet.corpus import Poem
from rlpoet.corpus.statistics import statistics
from rlpoet.reporting.charts import INK, canvas, inline, line_chart, literal, save_png
from rlpoet.reporting.corpus import corpus_figure


def lines_of(svg: str, colour: str) -> list[list[tuple[float, float]]]:
    """The points of every line of a colour."""
    paths = re.findall(rf'<path d="([^"]*)" style="[^"]*stroke: {colour}', svg)
    return [[(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)] for path in paths]


@pytest.mark.parametrize("points", [[(1, 2.0), (2, 2.0)], [(i, -1.0 / (i + 1)) for i in range(5000)], [(i, 10.0**-i) for i in range(9)]])
def test_every_curve_stays_inside_its_frame(points):
    svg = line_chart("x", points, log=True)
    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    drawn = lines_of(svg, "#2f7de1")
    assert len(drawn) == (2 if len(points) >= 30 else 1) and all(1 < len(line) <= 240 for line in drawn)
    assert all(0 <= x <= width and 0 <= y <= height for line in drawn for x, y in line)


def test_a_curve_rises_where_its_values_do_and_a_logarithm_straightens_it():
    rising, falling = ([y for _, y in lines_of(line_chart("x", [(i, sign * i) for i in range(9)]), "#2f7de1")[0]] for sign in (1.0, -1.0))
    assert rising[0] > rising[-1] and falling[0] < falling[-1]  # an SVG counts from above
    powers = [(float(i), 10.0**i) for i in range(5)]
    (line,) = lines_of(line_chart("x", powers, log=True), "#2f7de1")
    middle = line[len(line) // 2]
    assert middle[1] == pytest.approx((line[0][1] + line[-1][1]) / 2, abs=0.1)
    (bent,) = lines_of(line_chart("x", powers), "#2f7de1")
    assert bent[len(bent) // 2][1] > (bent[0][1] + bent[-1][1]) / 2 + 10
    assert "(log scale)" in line_chart("x", powers, log=True) and "(log scale)" not in line_chart("x", [(0, 0.0), (1, 1.0)], log=True)


def test_a_single_point_is_a_dot_and_no_tick_is_wider_than_its_margin():
    assert "<use" in line_chart("x", [(1, 0.0)])
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", line_chart("x", [(1, -0.0002213), (2, 1.5e7)]))
    assert "-2.2e-4" in texts and all(len(text) <= 7 for text in texts)


def test_a_chart_is_told_in_words_and_takes_the_colour_of_the_page():
    svg = line_chart("loss", [(1, 4.0), (2, 0.5)])
    assert 'aria-label="loss: 4 at first, 0.5 at last"' in svg and "<figcaption>loss</figcaption>" in svg
    assert INK not in svg and "currentColor" in svg and "xmlns" not in svg


def test_the_same_chart_is_the_same_text_and_names_inside_two_charts_do_not_meet():
    a, b = line_chart("a", [(1, 1.0), (2, 2.0)]), line_chart("b", [(1, 1.0), (2, 2.0)])
    assert a == line_chart("a", [(1, 1.0), (2, 2.0)])
    names = [set(re.findall(r' id="([^"]*)"', svg)) for svg in (a, b)]
    assert names[0] and names[1] and not names[0] & names[1]


@pytest.mark.parametrize("name", ["$x$", "漢字 o҈", "<script>"])
def test_any_name_can_stand_in_a_chart(name, tmp_path):
    figure, (axes,) = canvas(4, 3)
    axes.plot([0, 1], label=literal(name))
    axes.legend()
    assert name in unescape(inline(figure, name, "told")).split("<svg")[1]
    save_png(figure, tmp_path / "new" / "x.png")  # a warning would fail here
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x.png"]


def test_the_picture_of_a_small_corpus_counts_in_whole_numbers_and_says_what_is_not_known():
    figure = corpus_figure(statistics([Poem((("l'ombre", "sombre"),), None)], lang="fr"), "a $b$ c")
    who, wide, sizes, _ = figure.axes
    figure.draw_without_rendering()
    ticks = [tick for axes in (wide, sizes) for axis in (axes.xaxis, axes.yaxis) for tick in axis.get_majorticklocs()]
    assert ticks and all(float(tick).is_integer() for tick in ticks) and wide.get_xlim() == (0, 3)
    assert [text.get_text() for text in who.texts] == ["no author is named"] and not len(who.get_xticks())
    assert figure.get_suptitle().startswith(r"a \$b\$ c: ")


def test_a_picture_that_cannot_be_drawn_leaves_the_one_before(tmp_path, monkeypatch):
    figure, _ = canvas(4, 3)
    save_png(figure, tmp_path / "x.png")
    before = (tmp_path / "x.png").read_bytes()
    monkeypatch.setattr(figure, "savefig", lambda stream, **options: stream.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save_png(figure, tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes() == before


def test_matplotlib_is_loaded_by_the_first_chart_and_pyplot_never():
    code = """
import sys
import policies.loss_chart, rlpoet.reporting.corpus, rlpoet.reporting.figures, rlpoet.reporting.run_report, rlpoet.sweeps.charts
early = {name for name in sys.modules if name.split(".")[0] in ("matplotlib", "jinja2")}
policies.loss_chart.loss_figure([{"step": 1, "train/loss": 1.0}], 2.0, 1.0, 1)
rlpoet.reporting.run_report.line_chart("x", [(1, 1.0)])
rlpoet.sweeps.charts.pareto("x", {"a": [(1.0, 1.0)]}, xlabel="x", ylabel="y", order=["a"], low_x=True)
sys.exit(f"loaded {early}" if early or "matplotlib.pyplot" in sys.modules else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
