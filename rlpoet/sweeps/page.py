"""``compare.html``: one page about a comparison, in the style of a run's report. No scripts, no external files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet.analysis.intervals import Interval, number_of
from rlpoet.reporting.pages import render
from rlpoet.reporting.poems import HUES, poem_html
from rlpoet.reporting.run_report import heard
from rlpoet.sweeps import charts
from rlpoet.sweeps.figures import FIGURES, KL, PAIRS, REWARD, Curve, Judged, Trained
from rlpoet.sweeps.results import Comparison, Row, own_settings, spoken
from rlpoet.sweeps.run import last_words
from rlpoet.sweeps.tables import EXPLAINED, cell_text, columns, heading, leads, number, spelt, verdict

PLACES = ("best", "median", "worst")
FOLDED_FROM = 6  # arms from which only the best poems are open, and bands would cover each other


def page(comparison: Comparison) -> str:
    """The page."""
    title = f"rlpoet {comparison.command.split()[1]}: {Path(comparison.config.output_dir).resolve().name}"
    commits = sorted({one.commit for one in comparison.trained if one.commit})
    return render(
        "comparison.html",
        title=title,
        hues=HUES,
        leads=leads(comparison),
        warnings=comparison.warnings,
        facts=f"{len(comparison.trained)} of {len(comparison.cells)} runs done" + (f" · commit {', '.join(commits)}" if commits else ""),
        command=comparison.command,
        explained=EXPLAINED.replace("`", ""),
        baseline=comparison.baseline,
        parts=[_part(comparison, lang) for lang in comparison.langs if any(row.lang == lang for row in comparison.rows)],
        runs=_runs(comparison),
        failures=[
            {"name": cell.name, "log": "\n".join(last_words(cell))} for cell in comparison.cells if comparison.states[cell.name] == "failed"
        ],
    )


def _part(comparison: Comparison, lang: str) -> dict[str, Any]:
    """What the page shows of a language."""
    rows = [row for row in comparison.rows if row.lang == lang]
    names = columns(comparison, lang)
    judged = [name for name in names if FIGURES[name].better]
    apart = [row for row in rows if row.differences]
    gaps = [(row.arm, [_gap(row.differences.get(name), name) for name in judged]) for row in apart]
    return {
        "lang": lang,
        "figures": (_heads(comparison, names), [(row.arm, [_figure(comparison, row, name) for name in names]) for row in rows]),
        "differences": (_heads(comparison, judged), gaps) if apart else None,
        "places": _places(comparison, lang),
        **_charts(comparison, lang),
    }


def _heads(comparison: Comparison, names: Sequence[str]) -> list[str]:
    return [heading(name, comparison.config.reach) for name in names]


def _figure(comparison: Comparison, row: Row, name: str) -> dict[str, Any]:
    value = row.figures.get(name)
    if value is None or value.low is None:
        return _cell(cell_text(comparison, row, name))
    figure = FIGURES[name]
    seeds = f"seeds {number(value.least, figure)} to {number(value.most, figure)}"
    return _cell(spelt(value, figure), seeds if value.least < value.most else "")


def _gap(value: Interval | None, name: str) -> dict[str, Any]:
    if value is None:
        return _cell("")
    judged = verdict(value, FIGURES[name])
    mark = {"better": "▲ ", "worse": "▼ "}.get(judged, "")
    return _cell(spelt(value, FIGURES[name], gap=True), mark + judged, strong=bool(mark))


def _cell(text: str, note: str = "", *, strong: bool = False) -> dict[str, Any]:
    """A figure, its interval on a line of its own, and what else there is to say of it."""
    mean, bracket, rest = text.partition(" [" if " [" in text else " (")
    notes = [{"text": bracket[1:] + rest, "strong": False}, {"text": note, "strong": strong}]
    return {"mean": mean, "notes": [own for own in notes if own["text"]]}


def _charts(comparison: Comparison, lang: str) -> dict[str, Any]:
    """Curves and fronts of all arms; where all arms in one picture are a tangle, also each beside the baseline."""
    arms = {arm: comparison.of(arm, lang) for arm in comparison.arms}
    rewards = {
        json.dumps([own_settings(t.cell.config).get(key) for key in ("rewards", "reward_options")])
        for arm_runs in arms.values()
        for t in arm_runs
    }
    height = "reward" if len(rewards) == 1 else "rhyme_pairs"  # other rewards are no common scale
    panels, each, each_title = [], [], ""
    for key, label, level in (
        (PAIRS, "pairs that rhyme", comparison.config.reach),
        (REWARD, "reward", None),
        (KL, "KL to the prior, nats", None),
    ):
        curves = {arm: [t.curves[key] for t in arm_runs if key in t.curves] for arm, arm_runs in arms.items()}
        curves = {arm: arm_runs for arm, arm_runs in curves.items() if arm_runs}
        if curves and (key != REWARD or height == "reward"):
            title = f"{lang}: {label} against fresh samples"
            few = len(curves) < FOLDED_FROM
            panels.append(charts.learning_curves(title, curves, ylabel=label, order=comparison.arms, level=level, bands=few))
            if key == PAIRS and not few:
                each, each_title = _each(comparison, lang, curves, label), f"{label}: each arm beside {comparison.baseline}"
    for key, low_x in (("kl", True), ("distinct_end_words", False)):
        points = {arm: _points(arm_runs, key, height) for arm, arm_runs in arms.items()}
        if any(points.values()):
            x, y = FIGURES[key].label, FIGURES[height].label
            title = f"{lang}: {y} against {'KL' if low_x else 'distinct end words'}"
            panels.append(charts.pareto(title, points, xlabel=x, ylabel=y, order=comparison.arms, low_x=low_x))
    return {"charts": panels, "each": each, "each_title": each_title}


def _each(comparison: Comparison, lang: str, curves: Mapping[str, Sequence[Curve]], label: str) -> list[str]:
    base = comparison.baseline
    return [
        charts.learning_curves(f"{lang}: {arm}", {base: curves.get(base, []), arm: arm_curves}, ylabel=label, order=comparison.arms)
        for arm, arm_curves in curves.items()
        if arm != base
    ]


def _points(runs: Sequence[Trained], x: str, y: str) -> list[tuple[float, float]]:
    return [(number_of(t.figures[x]), number_of(t.figures[y])) for t in runs if x in t.figures and y in t.figures]


def _places(comparison: Comparison, lang: str) -> list[dict[str, Any]]:
    """The best, the median and the worst poem of each arm."""
    arms = [arm for arm in comparison.arms if comparison.of(arm, lang)]
    return [
        {
            "name": place,
            "open": place == "best" or len(arms) < FOLDED_FROM,
            "poems": [_poem(arm, *_placed(comparison.of(arm, lang), place)) for arm in arms],
        }
        for place in PLACES
    ]


def _placed(runs: Sequence[Trained], place: str) -> tuple[Judged, int]:
    """The best, median or worst poem of an arm, and its seed."""
    ranked = sorted(((poem, t.cell.seed) for t in runs for poem in t.poems), key=lambda pair: -pair[0].worth)
    return ranked[{"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}[place]]


def _poem(arm: str, poem: Judged, seed: int) -> tuple[str, str]:
    """What stands above a poem, and the poem."""
    manner = f" · in the manner of {poem.prompt.author}" if poem.prompt.author else ""
    return f"{arm} · seed {seed}{manner}", poem_html(heard(poem.text, poem.prompt.lang, form=poem.prompt.form))


def _runs(comparison: Comparison) -> list[dict[str, str]]:
    by_name = {one.cell.name: one for one in comparison.trained}
    rows = []
    for cell in comparison.cells:
        one = by_name.get(cell.name)
        own = {"name": cell.name, "state": comparison.states[cell.name], "settings": spoken(cell.config)}
        own |= {"link": "", "commit": "", "command": "", "notes": ""}
        if one:
            own |= {"commit": one.commit, "command": one.command, "notes": "; ".join(one.notes)}
            own |= {"link": f"{cell.arm}/{cell.folder.name}/report.html"}
        rows.append(own)
    return rows
