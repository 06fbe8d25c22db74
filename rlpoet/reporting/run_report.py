"""``report.html``: one page about a run, made from the run's own files and nothing else. No script, nothing fetched."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.prosody.forms import form as find_form
from rlpoet.reporting.charts import line_chart
from rlpoet.reporting.pages import render
from rlpoet.reporting.poems import HUES, METRICS, comparison_html, poem_html
from rlpoet.reporting.run_folder import N_FIRST, RunFolder, read_run
from rlpoet.text import split_poem, write_atomically

REPORT = "report.html"  # in a run's folder
PAIRS = 8  # poems shown of each side
FLAG = re.compile(r"(--\w+(?:\.\w+)*)")  # in brackets: split() keeps it


def write_report(run_folder: str | Path) -> Path:
    """Make ``report.html`` in a run's folder and return its path. A run that was interrupted gets what it has.

    Raises:
        RlpoetError: no such folder, no log in it, or a log that cannot be read.
    """
    run = read_run(run_folder)
    rewards, n_averaged = run.reward_rows()
    page = render(
        "run.html",
        title=f"rlpoet: {run.name}",
        hues=HUES,
        name=run.name,
        shares=run.rhyming_pairs(),
        facts=run.facts(),
        alarms=[{**_texts(row, "name", "step", "seen"), "advice": FLAG.split(str(row.get("advice", "")))} for row in run.alarms],
        change=_change(run.result),
        fell=run.fell(),
        rewards=rewards,
        n_averaged=n_averaged,
        pairs=_pairs(run),
        curves=[line_chart(curve.name, curve.points, log=curve.log) for curve in run.curves()],
        n_first=N_FIRST,
        on_the_way=_on_the_way(run.of_phase("step")),
        settings=[(key, json.dumps(value, ensure_ascii=False)) for key, value in run.config.items()],
    )
    path = Path(run_folder) / REPORT
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
    (poem,) = score_text("\n".join(lines), lang, form, rewards=(), headings=False)
    return dataclasses.replace(poem, scores=dict(scores or {}))


def measured(result: Mapping[str, Any]) -> list[dict[str, float]]:
    """The figures of before and of after that a table shows."""
    blocks = [result.get(side, {}) for side in ("before", "after")]
    return [{key: value for key, value in block.items() if key in METRICS or isinstance(value, int | float)} for block in blocks]


def _texts(row: Mapping[str, Any], *keys: str) -> dict[str, str]:
    return {key: str(row.get(key, "")) for key in keys}


def _change(result: Mapping[str, Any]) -> str:
    before, after = measured(result)
    return comparison_html(before, after, result.get("intervals", {})) if result.get("before") or result.get("after") else ""


def _pairs(run: RunFolder) -> list[list[dict[str, str] | None]]:
    """Poems before and after, side by side; None where one side has fewer."""
    sides = [[_sample(phase, row) for row in run.of_phase(phase)[:PAIRS]] for phase in ("before", "after")]
    return [list(pair) for pair in itertools.zip_longest(*sides)]


def _sample(title: str, row: Mapping[str, Any]) -> dict[str, str]:
    """What a sample is called, its text, and the poem it makes where its language is known."""
    prompt, text = row.get("prompt", {}), row.get("text", "")
    manner = f" · in the manner of {prompt['author']}" if prompt.get("author") else ""
    shown = {"title": title + manner, "text": text, "poem": ""}
    if prompt.get("lang"):
        shown["poem"] = poem_html(heard(text, prompt["lang"], form=prompt.get("form"), scores=row.get("scores")))
    return shown


def _on_the_way(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [_sample(f"step {row['step']}", row) for row in steps[:: -(-len(steps) // (2 * PAIRS)) or 1]]
