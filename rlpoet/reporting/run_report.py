"""``report.html``: one page about a run, made from the run's own files and nothing else. No script, nothing fetched."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet.config.documents import read_settings
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.prosody.forms import form as find_form
from rlpoet.reporting.charts import line_chart
from rlpoet.reporting.pages import render
from rlpoet.reporting.poems import HUES, METRICS, comparison_html, poem_html
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.text import read_object, split_poem, write_atomically

PAIRS = 8  # poems shown of each side
# the curves shown before one asks for all, by the beginnings of their names
FIRST = ("rewards/rhyme/mean", "rewards/meter/mean", "reward/mean", "objective/", "gfn/", "rewards/", "loss")
N_FIRST = 6
LOGARITHMIC = ("loss", "var_residual")  # curves that fall by orders of magnitude
AVERAGED = 10  # steps behind a figure of the rewards' table
TOTAL, REWARD = "reward/mean", re.compile(r"reward/mean|rewards/[^/]+/mean")
FLAG = re.compile(r"(--\w+(?:\.\w+)*)")  # in brackets: split() keeps it


def write_report(run_folder: str | Path) -> Path:
    """Make ``report.html`` in a run's folder and return its path. A run that was interrupted gets what it has.

    Raises:
        RlpoetError: no such folder, no log in it, or a log that cannot be read.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise RlpoetError(f"{folder}: no such folder; expected the folder of a run, such as runs/NAME.")
    metrics = _read_metrics(folder / "metrics.jsonl")
    samples, alarms = (read_jsonl(folder / f"{log}.jsonl") for log in ("samples", "alarms"))
    result, config = _read_result(folder / "result.json"), _read_config(folder / "config.yaml")
    if not metrics and not samples and not result:
        raise RlpoetError(f"{folder}: no metrics.jsonl, samples.jsonl or result.json; expected the folder of a run.")
    name = folder.resolve().name
    rewards, n_averaged = _reward_rows(metrics, config)
    page = render(
        "run.html",
        title=f"rlpoet: {name}",
        hues=HUES,
        name=name,
        shares=_rhyming_pairs(result),
        facts=_facts(config, result),
        alarms=[{**_texts(row, "name", "step", "seen"), "advice": FLAG.split(str(row.get("advice", "")))} for row in alarms],
        change=_change(result),
        fell=_fell(result),
        rewards=rewards,
        n_averaged=n_averaged,
        pairs=_pairs(samples),
        curves=_curves(metrics),
        n_first=N_FIRST,
        on_the_way=_on_the_way(samples),
        settings=[(key, json.dumps(value, ensure_ascii=False)) for key, value in config.items()],
    )
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


def _reward_rows(metrics: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> tuple[list[tuple[str, ...]], int]:
    """Every reward's mean over the fresh poems of the first and of the last steps, and the number of these steps.

    Returns:
        Rows of name, weight, first, last and change, all rewards together last; and the steps behind each figure.
    """
    n = max(1, min(AVERAGED, len(metrics) // 2))
    names = [key for key in dict.fromkeys(key for row in metrics for key in row) if REWARD.fullmatch(key)]
    weights = config.get("rewards", {})
    rows = []
    for key in sorted(names, key=lambda key: (key == TOTAL, key)):
        name = "all together" if key == TOTAL else key.split("/")[1]
        was, now = (_mean([row[key] for row in part if key in row]) for part in (metrics[:n], metrics[-n:]))
        weight = weights.get(name) if isinstance(weights, Mapping) else None
        figures = ("–" if value is None else f"{value:.3f}" for value in (was, now))
        change = "" if was is None or now is None else f"{now - was:+.3f}"
        rows.append((name, "" if weight is None else f"{weight:g}", *figures, change))
    return rows, n


def _rhyming_pairs(result: Mapping[str, Any]) -> list[str]:
    """The share before and after, nothing where one of them was not measured."""
    blocks = [result.get(side, {}) for side in ("before", "after")]
    return [f"{100 * block['rhyme_pairs']:.1f} %" for block in blocks] if all("rhyme_pairs" in block for block in blocks) else []


def _facts(config: Mapping[str, Any], result: Mapping[str, Any]) -> list[str]:
    settings = {key: config[key] for key in ("lang", "algo", "form", "forms") if config.get(key)}
    facts = [f"{key} {', '.join(map(str, value)) if isinstance(value, list) else value}" for key, value in settings.items()]
    facts += [f"seed {result['seed']}"] if "seed" in result else []
    facts += [f"{result['seconds'] / 60:.1f} minutes"] if "seconds" in result else []
    facts += [f"{result['fresh_samples']} samples drawn in training"] if "fresh_samples" in result else []
    facts += [f"{result['tokens_drawn']} tokens"] if "tokens_drawn" in result else []
    if words := result.get("aux_words"):
        facts.append(f"auxiliary rhyming-word task: weight {result['aux_rhyme_weight']:g}, {words} words")
    facts += [f"commit {result['commit']}"] if result.get("commit") else []
    return facts + (["no alarm"] if result.get("alarms") == [] else [])


def _texts(row: Mapping[str, Any], *keys: str) -> dict[str, str]:
    return {key: str(row.get(key, "")) for key in keys}


def _change(result: Mapping[str, Any]) -> str:
    blocks = [result.get(side, {}) for side in ("before", "after")]
    if not any(blocks):
        return ""
    known = [{key: value for key, value in block.items() if key in METRICS or isinstance(value, int | float)} for block in blocks]
    return comparison_html(known[0], known[1], result.get("intervals", {}))


def _fell(result: Mapping[str, Any]) -> list[str]:
    """Mean reward before and after, if it fell; nothing where it did not, or nobody knows."""
    reward = result.get("reward") or {}
    return [f"{reward[side]:.3f}" for side in ("before", "after")] if reward.get("fell") else []


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _pairs(samples: Sequence[Mapping[str, Any]]) -> list[list[dict[str, str] | None]]:
    """Poems before and after, side by side; None where one side has fewer."""
    sides = [[_sample(phase, row) for row in samples if row.get("phase") == phase][:PAIRS] for phase in ("before", "after")]
    return [list(pair) for pair in itertools.zip_longest(*sides)]


def _sample(title: str, row: Mapping[str, Any]) -> dict[str, str]:
    """What a sample is called, its text, and the poem it makes where its language is known."""
    prompt, text = row.get("prompt", {}), row.get("text", "")
    manner = f" · in the manner of {prompt['author']}" if prompt.get("author") else ""
    shown = {"title": title + manner, "text": text, "poem": ""}
    if prompt.get("lang"):
        shown["poem"] = poem_html(heard(text, prompt["lang"], form=prompt.get("form"), scores=row.get("scores")))
    return shown


def _curves(metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """A chart of each metric, those that most readers want first."""
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in metrics:
        for key, value in row.items():
            if key != "step":
                curves.setdefault(key, []).append((row["step"], value))
    order = sorted(curves, key=lambda key: next((i for i, prefix in enumerate(FIRST) if key.startswith(prefix)), len(FIRST)))
    return [line_chart(key, curves[key], log=key.endswith(LOGARITHMIC)) for key in order]


def _on_the_way(samples: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    steps = [row for row in samples if row.get("phase") == "step"]
    return [_sample(f"step {row['step']}", row) for row in steps[:: -(-len(steps) // (2 * PAIRS)) or 1]]


def _read_result(path: Path) -> dict[str, Any]:
    result = read_object(path, "the file a run wrote") if path.exists() else {}
    for key in ("before", "after", "intervals", "reward"):
        if not isinstance(result.get(key, {}), dict):
            raise RlpoetError(f"{path}: {key} is {result[key]!r:.40}; expected a table, as a run writes it.")
    return result


def _read_metrics(path: Path) -> list[dict[str, Any]]:
    rows = read_jsonl(path)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row.get("step"), int) or not all(isinstance(value, int | float) for value in row.values()):
            raise RlpoetError(f"{path}:{number}: no row of metrics; expected a step, and numbers by their names.")
    return rows


def _read_config(path: Path) -> dict[str, Any]:
    return read_settings(path) if path.exists() else {}
