"""``compare.html``: one page about a comparison, in the style of a run's report. No scripts, no external files."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rlpoet.analysis.intervals import Interval, Share
from rlpoet.reporting.poems import CSS, poem_html
from rlpoet.reporting.run_report import PAGE, heard
from rlpoet.sweeps import charts
from rlpoet.sweeps.figures import FIGURES, KL, PAIRS, REWARD, Curve, Judged, Trained
from rlpoet.sweeps.results import Comparison, Row, own_settings, spoken
from rlpoet.sweeps.run import last_words
from rlpoet.sweeps.tables import EXPLAINED, cell_text, columns, heading, leads, number, spelt, verdict

STYLE = "\n".join(
    [
        ".figures thead th{white-space:normal;min-width:5.5rem;vertical-align:bottom;font-size:.85rem}",
        ".figures th[scope]{position:sticky;left:0;background:Canvas;padding-right:1rem;white-space:nowrap}",
        ".figures small{display:block;opacity:.7}",
        ".figures small.told{opacity:1;font-weight:700}",
        ".poems{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:0 2rem}",
        ".poems>div{min-width:0}",
        "h3{margin-top:1.5rem}",
        ".warning{border-left:4px solid #d9730d;padding-left:.75rem}",
        ".charts.wide{margin-top:1.5rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr))}",
        "pre{overflow-x:auto;font-size:.85em}",
    ]
)
PLACES = ("best", "median", "worst")
FOLDED_FROM = 6  # arms from which only the best poems are open, and bands would cover each other


def page(comparison: Comparison) -> str:
    """The page."""
    title = f"rlpoet {comparison.command.split()[1]}: {Path(comparison.config.output_dir).resolve().name}"
    sections = [_head(title, comparison)]
    for lang in comparison.langs:
        if any(row.lang == lang for row in comparison.rows):
            sections += [f"<h2>{lang}</h2>", _tables(comparison, lang), _charts(comparison, lang), _poems(comparison, lang)]
    sections += ["<h2>Each run</h2>", _runs(comparison), _failures(comparison)]
    css = f"{CSS}\n{charts.CSS}\n{STYLE}"
    return PAGE.format(title=html.escape(title), css=css, body="\n".join(filter(None, sections)))


def _head(title: str, comparison: Comparison) -> str:
    sentences = (
        "".join(f'<p class="lead">{html.escape(text)}</p>' for text in leads(comparison)) or '<p class="lead">No run is done yet.</p>'
    )
    warnings = "".join(f'<p class="warning">{html.escape(text)}</p>' for text in comparison.warnings)
    commits = sorted({one.commit for one in comparison.trained if one.commit})
    facts = f"{len(comparison.trained)} of {len(comparison.cells)} runs done" + (f" · commit {', '.join(commits)}" if commits else "")
    return (
        f"<h1>{html.escape(title)}</h1>\n{sentences}\n{warnings}\n<p>{html.escape(facts)}</p>\n"
        f"<p><code>{html.escape(comparison.command)}</code></p>\n<p>{html.escape(EXPLAINED).replace('`', '')}</p>"
    )


def _tables(comparison: Comparison, lang: str) -> str:
    rows = [row for row in comparison.rows if row.lang == lang]
    names = columns(comparison, lang)
    heads = [heading(name, comparison.config.reach) for name in names]
    figures = [_row(row.arm, [_figure(comparison, row, name) for name in names]) for row in rows]
    parts = [_table(heads, figures)]
    apart = [row for row in rows if row.differences]
    if apart:
        judged = [name for name in names if FIGURES[name].better]
        gaps = [_row(row.arm, [_gap(row.differences.get(name), name) for name in judged]) for row in apart]
        heads = [heading(name, comparison.config.reach) for name in judged]
        parts.append(f"<h3>Differences from {html.escape(comparison.baseline)}</h3>{_table(heads, gaps)}")
    return "\n".join(parts)


def _figure(comparison: Comparison, row: Row, name: str) -> str:
    value = row.figures.get(name)
    if value is None or value.low is None:
        return _split(cell_text(comparison, row, name))
    figure = FIGURES[name]
    seeds = f"seeds {number(value.least, figure)} to {number(value.most, figure)}"
    return _split(spelt(value, figure)) + (f"<small>{seeds}</small>" if value.least < value.most else "")


def _gap(value: Interval | None, name: str) -> str:
    if value is None:
        return ""
    judged = verdict(value, FIGURES[name])
    mark = {"better": "▲ ", "worse": "▼ "}.get(judged, "")
    return _split(spelt(value, FIGURES[name], gap=True)) + f'<small class="{"told" if mark else ""}">{mark}{judged}</small>'


def _split(text: str) -> str:
    """The interval on a line of its own."""
    mean, bracket, rest = text.partition(" [" if " [" in text else " (")
    return html.escape(mean) + (f"<small>{html.escape(bracket[1:] + rest)}</small>" if bracket else "")


def _charts(comparison: Comparison, lang: str) -> str:
    arms = {arm: comparison.of(arm, lang) for arm in comparison.arms}
    rewards = {
        json.dumps([own_settings(t.cell.config).get(key) for key in ("rewards", "reward_options")])
        for arm_runs in arms.values()
        for t in arm_runs
    }
    height = "reward" if len(rewards) == 1 else "rhyme_pairs"  # other rewards are no common scale
    panels, each = [], ""
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
                each = _each(comparison, lang, curves, label)
    for key, low_x in (("kl", True), ("distinct_end_words", False)):
        points = {arm: _points(arm_runs, key, height) for arm, arm_runs in arms.items()}
        if any(points.values()):
            x, y = FIGURES[key].label, FIGURES[height].label
            title = f"{lang}: {y} against {'KL' if low_x else 'distinct end words'}"
            panels.append(charts.pareto(title, points, xlabel=x, ylabel=y, order=comparison.arms, low_x=low_x))
    note = (
        "Bands, where arms are few, reach from the lowest to the highest seed. Small dots are seeds, large marks their means; "
        "the thin line joins the arms that no other beats in both directions."
    )
    return f'<div class="charts wide">{"".join(panels)}</div>\n{each}<p>{note}</p>' if panels else ""


def _each(comparison: Comparison, lang: str, curves: Mapping[str, Sequence[Curve]], label: str) -> str:
    """One picture per arm, beside the baseline, if one picture of all arms would be too dense."""
    base = comparison.baseline
    panels = [
        charts.learning_curves(f"{lang}: {arm}", {base: curves.get(base, []), arm: arm_curves}, ylabel=label, order=comparison.arms)
        for arm, arm_curves in curves.items()
        if arm != base
    ]
    title = f"{label}: each arm beside {base}"
    return f'<details><summary>{html.escape(title)}</summary><div class="charts">{"".join(panels)}</div></details>\n'


def _points(runs: Sequence[Trained], x: str, y: str) -> list[tuple[float, float]]:
    return [(_value(t.figures, x), _value(t.figures, y)) for t in runs if x in t.figures and y in t.figures]


def _value(figures: Mapping[str, float | Share], name: str) -> float:
    value = figures[name]
    return value.value if isinstance(value, Share) else value


def _poems(comparison: Comparison, lang: str) -> str:
    arms = [arm for arm in comparison.arms if comparison.of(arm, lang)]
    blocks = []
    for place in PLACES:
        cells = "".join(_poem(arm, *_placed(comparison.of(arm, lang), place)) for arm in arms)
        content = f'<div class="poems">{cells}</div>'
        opened = " open" if place == "best" or len(arms) < FOLDED_FROM else ""
        blocks.append(f"<details{opened}><summary>{place} poem of each arm</summary>{content}</details>")
    note = (
        "Of all poems of the last examination, ranked by the share of pairs that rhyme plus the share of lines in meter; "
        "of equals, the first drawn."
    )
    return f"<h3>Poems</h3>\n<p>{note}</p>\n" + "\n".join(blocks)


def _placed(runs: Sequence[Trained], place: str) -> tuple[Judged, int]:
    """The best, median or worst poem of an arm, and its seed."""
    ranked = sorted(((poem, t.cell.seed) for t in runs for poem in t.poems), key=lambda pair: -pair[0].worth)
    return ranked[{"best": 0, "median": len(ranked) // 2, "worst": len(ranked) - 1}[place]]


def _poem(arm: str, poem: Judged, seed: int) -> str:
    manner = f" · in the manner of {poem.prompt.author}" if poem.prompt.author else ""
    verse_html = poem_html(heard(poem.text, poem.prompt.lang, form=poem.prompt.form))
    return f"<div><h3>{html.escape(f'{arm} · seed {seed}{manner}')}</h3>{verse_html}</div>"


def _runs(comparison: Comparison) -> str:
    by_name = {one.cell.name: one for one in comparison.trained}
    rows = []
    for cell in comparison.cells:
        one = by_name.get(cell.name)
        state, commit, command = comparison.states[cell.name], one.commit if one else "", one.command if one else ""
        notes = "; ".join(one.notes) if one else ""
        link = f"{html.escape(cell.arm)}/{html.escape(cell.folder.name)}/report.html"
        name = f'<a href="{link}">{html.escape(cell.name)}</a>' if one else html.escape(cell.name)
        cells = [
            name,
            state,
            html.escape(commit),
            f"<code>{html.escape(spoken(cell.config))}</code>",
            f"<code>{html.escape(command)}</code>",
            notes,
        ]
        rows.append("<tr>" + "".join(f"<td>{text}</td>" for text in cells) + "</tr>")
    heads = "".join(f"<th>{head}</th>" for head in ("run", "state", "commit", "settings that are not the defaults", "command", ""))
    table = f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    return f"<details><summary>{len(comparison.cells)} runs with their settings and commands</summary>{table}</details>"


def _failures(comparison: Comparison) -> str:
    failed = [cell for cell in comparison.cells if comparison.states[cell.name] == "failed"]
    logs = [f"<h3>{html.escape(cell.name)} failed</h3><pre>{html.escape(chr(10).join(last_words(cell)))}</pre>" for cell in failed]
    return "\n".join(logs)


def _row(arm: str, cells: Sequence[str]) -> str:
    return f'<tr><th scope="row">{html.escape(arm)}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _table(heads: Sequence[str], rows: Sequence[str]) -> str:
    head = "".join(f"<th>{html.escape(text)}</th>" for text in heads)
    return f'<div class="scroll"><table class="figures"><thead><tr><th></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
