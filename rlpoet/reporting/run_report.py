"""``report.html``: one page about a run, made from the run's own files and nothing else. No script, nothing fetched."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.prosody.forms import form as find_form
from rlpoet.reporting import charts
from rlpoet.reporting.poems import CSS, METRICS, comparison_html, poem_html
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.text import split_poem, write_atomically

PAIRS = 8  # poems shown of each side
# the curves shown before one asks for all, by the beginnings of their names
FIRST = ("rewards/rhyme/mean", "rewards/meter/mean", "reward/mean", "objective/", "gfn/", "rewards/", "loss")
N_FIRST = 6
LOGARITHMIC = ("loss", "var_residual")  # curves that fall by orders of magnitude
AVERAGED = 10  # steps behind a figure of the rewards' table
TOTAL, REWARD = "reward/mean", re.compile(r"reward/mean|rewards/[^/]+/mean")
FLAG = re.compile(r"--\w+(?:\.\w+)*")

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root{{color-scheme:light dark;--line:#8884}}
body{{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:0 auto;padding:1rem;background:Canvas;color:CanvasText}}
h1{{font-size:1.5rem;margin:.5rem 0}} h2{{font-size:1.15rem;margin:2rem 0 .75rem}} h3{{font-size:.95rem;margin:0 0 .25rem;opacity:.75}}
.lead{{font-size:1.1rem}}
.scroll{{overflow-x:auto}}
table{{border-collapse:collapse}}
th,td{{padding:.3rem .75rem .3rem 0;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}}
.figures td,.figures thead th{{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}} .figures th[scope]{{font-weight:400}}
.pair,.charts{{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr));gap:0 2rem}}
.charts{{gap:1rem 1.5rem}}
.pair{{border-top:1px solid var(--line);padding-top:.75rem}}
.pair>div{{min-width:0}}
.alarms{{border-left:.3rem solid #d9730d;margin:0;padding:.25rem 0 .25rem 2rem}} .alarms code{{white-space:nowrap}}
@media(max-width:30rem){{th,td{{padding-right:.45rem}}.figures{{font-size:.9rem}}}}
summary{{cursor:pointer;padding:.4rem 0}}
code{{font-size:.9em;overflow-wrap:anywhere}}
{css}
</style>
</head>
<body>
{body}
</body>
</html>
"""


def write_report(run_folder: str | Path) -> Path:
    """Make ``report.html`` in a run's folder and return its path. A run that was interrupted gets what it has.

    Raises:
        RlpoetError: no such folder, no log in it, or a log that cannot be read.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise RlpoetError(f"{folder}: no such folder; expected the folder of a run, such as runs/NAME.")
    metrics, samples = read_jsonl(folder / "metrics.jsonl"), read_jsonl(folder / "samples.jsonl")
    result, config = _read_result(folder / "result.json"), _read_config(folder / "config.yaml")
    if not metrics and not samples and not result:
        raise RlpoetError(f"{folder}: no metrics.jsonl, samples.jsonl or result.json; expected the folder of a run.")
    name = folder.resolve().name
    sections = [
        _head(name, config, result),
        _alarms(read_jsonl(folder / "alarms.jsonl")),
        _figures(result),
        _rewards(metrics, config),
        _before_and_after(samples),
        _curves(metrics),
        _on_the_way(samples),
        _settings(config),
    ]
    page = PAGE.format(title=html.escape(f"rlpoet: {name}"), css=f"{CSS}\n{charts.CSS}", body="\n".join(filter(None, sections)))
    path = folder / "report.html"
    write_atomically(path, page)
    return path


def heard(text: str, lang: str, *, form: str | None = None, scores: Mapping[str, float | None] | None = None) -> ScoredPoem:
    """A generated text as one poem that can be drawn: what it sounds like, with scores that are known already.

    Blank lines do not cut it: they are the policy's, and a form says itself where its stanzas end.
    """
    lines = split_poem(text)
    if not lines:
        asked = find_form(form, lang) if form else None
        return ScoredPoem((), asked.scheme if asked else "", "", (), (), dict(scores or {}), (), (), lang, asked.name if asked else None)
    (poem,) = score_text("\n".join(lines), lang, form, rewards=())
    return dataclasses.replace(poem, scores=dict(scores or {}))


def _head(name: str, config: Mapping[str, Any], result: Mapping[str, Any]) -> str:
    before, after = result.get("before", {}), result.get("after", {})
    lead = "This run has no result yet."
    if "rhyme_pairs" in before and "rhyme_pairs" in after:
        was, now = (f"{100 * block['rhyme_pairs']:.1f} %" for block in (before, after))
        lead = f"Rhyming pairs: {was} before, <strong>{now}</strong> after training."
    told = {key: config[key] for key in ("lang", "algo", "form", "forms") if config.get(key)}
    facts = [f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}" for key, value in told.items()]
    facts += [f"seed {result['seed']}"] if "seed" in result else []
    facts += [f"{result['seconds'] / 60:.1f} minutes"] if "seconds" in result else []
    facts += [f"{result['fresh_samples']} samples drawn in training"] if "fresh_samples" in result else []
    facts += [f"commit {result['commit']}"] if result.get("commit") else []
    facts += ["no alarm"] if result.get("alarms") == [] else []
    return f'<h1>{html.escape(name)}</h1>\n<p class="lead">{lead}</p>\n<p>{html.escape(" · ".join(facts))}</p>'


def _alarms(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    items = []
    for row in rows:
        name, step, seen, advice = (html.escape(str(row.get(key, ""))) for key in ("name", "step", "seen", "advice"))
        told = FLAG.sub(r"<code>\g<0></code>", advice)
        items.append(f"<li><strong>{name}</strong>, step {step}: {seen}. <em>{told}</em></li>")
    return f'<h2>Alarms</h2>\n<ul class="alarms">{"".join(items)}</ul>'


def _figures(result: Mapping[str, Any]) -> str:
    before, after = result.get("before", {}), result.get("after", {})
    if not before and not after:
        return ""
    known = [{key: value for key, value in block.items() if key in METRICS or isinstance(value, int | float)} for block in (before, after)]
    return f'<h2>Before and after</h2>\n<div class="scroll">{comparison_html(known[0], known[1], result.get("intervals", {}))}</div>'


def _rewards(metrics: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> str:
    """Every reward's mean over the fresh poems of the first and of the last steps."""
    n = max(1, min(AVERAGED, len(metrics) // 2))
    beginning, end = metrics[:n], metrics[-n:]
    names = [key for key in dict.fromkeys(key for row in metrics for key in row) if REWARD.fullmatch(key)]
    if not names:
        return ""
    weights = config.get("rewards", {})
    rows = []
    for key in sorted(names, key=lambda key: (key == TOTAL, key)):
        name = "all together" if key == TOTAL else key.split("/")[1]
        was, now = (_mean([row[key] for row in part if key in row]) for part in (beginning, end))
        weight = weights.get(name) if isinstance(weights, Mapping) else None
        cells = ["" if weight is None else f"{weight:g}", *("–" if value is None else f"{value:.3f}" for value in (was, now))]
        cells.append("" if was is None or now is None else f"{now - was:+.3f}")
        rows.append(f'<tr><th scope="row">{html.escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>')
    head = f"<tr><th></th><th>weight</th><th>first {n}</th><th>last {n}</th><th>change</th></tr>"
    note = f"Means in [0, 1] of the poems drawn in {n} step{'s' if n > 1 else ''}, while training."
    table = f'<div class="scroll"><table class="figures"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    return f"<h2>Rewards</h2>\n<p>{note}</p>\n{table}"


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _before_and_after(samples: Sequence[Mapping[str, Any]]) -> str:
    before = [row for row in samples if row.get("phase") == "before"]
    after = [row for row in samples if row.get("phase") == "after"]
    if not before and not after:
        return ""
    rows = []
    for i in range(min(PAIRS, max(len(before), len(after)))):
        sides = (("before", before), ("after", after))
        cells = [_sample(title, side[i]) if i < len(side) else "<div></div>" for title, side in sides]
        rows.append(f'<div class="pair">{"".join(cells)}</div>')
    note = "A letter and a hue for each rhyme family, x where a line rhymes with no other; the number counts its metrical syllables."
    return f"<h2>Samples side by side</h2>\n<p>{note}</p>\n" + "\n".join(rows)


def _sample(title: str, row: Mapping[str, Any]) -> str:
    prompt, text = row.get("prompt", {}), row.get("text", "")
    manner = f" · in the manner of {prompt['author']}" if prompt.get("author") else ""
    shown = f"<pre>{html.escape(text)}</pre>"
    if prompt.get("lang"):
        shown = poem_html(heard(text, prompt["lang"], form=prompt.get("form"), scores=row.get("scores")))
    return f"<div><h3>{html.escape(title + manner)}</h3>{shown}</div>"


def _curves(metrics: Sequence[Mapping[str, Any]]) -> str:
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in metrics:
        for key, value in row.items():
            if key != "step":
                curves.setdefault(key, []).append((row["step"], value))
    if not curves:
        return ""
    order = sorted(curves, key=lambda key: next((i for i, prefix in enumerate(FIRST) if key.startswith(prefix)), len(FIRST)))
    drawn = [charts.line_chart(key, curves[key], log=key.endswith(LOGARITHMIC)) for key in order]
    first, others = (f'<div class="charts">{"".join(part)}</div>' for part in (drawn[:N_FIRST], drawn[N_FIRST:]))
    more = f"\n{_folded(f'{len(drawn) - N_FIRST} more curves', others)}" if len(drawn) > N_FIRST else ""
    return f"<h2>Curves</h2>\n{first}{more}"


def _on_the_way(samples: Sequence[Mapping[str, Any]]) -> str:
    steps = [row for row in samples if row.get("phase") == "step"]
    if not steps:
        return ""
    every = -(-len(steps) // (2 * PAIRS))
    rows = "".join(_sample(f"step {row['step']}", row) for row in steps[::every])
    shown = _folded("Samples during training", f'<div class="charts">{rows}</div>')
    return f"<h2>On the way</h2>\n{shown}"


def _settings(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{html.escape(str(key))}</th><td><code>{html.escape(json.dumps(value, ensure_ascii=False))}</code></td></tr>'
        for key, value in config.items()
    )
    shown = _folded(f"{len(config)} settings", f'<div class="scroll"><table>{rows}</table></div>')
    return f"<h2>Configuration</h2>\n{shown}"


def _folded(summary: str, content: str) -> str:
    return f"<details><summary>{summary}</summary>{content}</details>"


def _read_result(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RlpoetError(f"{path}: not JSON ({error}); expected the file a run wrote.") from None


def _read_config(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise RlpoetError(f"{path}: not YAML ({error}); expected the file a run wrote.") from None
