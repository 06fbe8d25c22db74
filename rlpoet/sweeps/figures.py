"""The figures of one finished training of a grid, read from its files.

Poems are measured again with the present verse module, so that all runs of a table are measured alike, whenever they were trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.analysis.intervals import Share, Value
from rlpoet.evaluation.form import SHARES, PoemFacts, figures_of
from rlpoet.evaluation.sampled import Measured, distance, read, shares_by_prompt
from rlpoet.evaluation.sense import figures_of_texts
from rlpoet.reporting.charts import smooth
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.sweeps.grid import Cell
from rlpoet.sweeps.run import attempts
from rlpoet.text import read_object
from rlpoet.types import Prompt

END = 0.1  # share of the steps that say where training arrived
PAIRS, REWARD, KL, FRESH = "samples/rhyme_pairs", "reward/mean", "objective/kl", "time/fresh_samples"
Curve = list[tuple[float, float]]  # (fresh samples, value)


@dataclass(frozen=True)
class Figure:
    """A column of the tables.

    Attributes:
        label: its name in tables.
        kind: ``share`` (shown in per cent), ``relative`` (a change, in per cent), ``number`` or ``count``.
        better: ``high``, ``low``, or empty if neither is better.
    """

    label: str
    kind: str
    better: str = ""


FIGURES = {  # in the order of the columns; the first is the primary one
    "target_kl": Figure("nats from the target", "number", "low"),
    "credited_pairs": Figure("pairs by the reward's rule", "share", "high"),
    "rhyme_pairs": Figure("pairs that rhyme", "share", "high"),
    "lines_in_meter": Figure("lines in meter", "share", "high"),
    "perfect_stanzas": Figure("perfect stanzas", "share", "high"),
    "prior_nll_change": Figure("prior nats per token, change", "relative", "low"),
    "kl": Figure("KL to the prior, nats a poem", "number", "low"),
    "distinct_end_words": Figure("distinct end words", "number", "high"),
    "rhyme_sound_entropy": Figure("entropy of rhyme sounds, nats", "number", "high"),
    "invented_words": Figure("poems with an invented word", "share", "low"),
    "distinct_bigrams": Figure("distinct bigrams", "number", "high"),
    "reward": Figure("reward", "number", "high"),
    "samples_to_reach": Figure("fresh samples to {reach}", "count", "low"),
    "fresh_samples": Figure("fresh samples", "count"),
    "tokens_drawn": Figure("tokens drawn", "count"),
    "minutes": Figure("minutes", "number"),
    "cpu_minutes": Figure("CPU minutes, measuring too", "number"),
}


@dataclass(frozen=True)
class Judged:
    """A poem of the last evaluation, and how many of its pairs and lines are right."""

    prompt: Prompt
    text: str
    facts: PoemFacts

    @property
    def worth(self) -> float:
        return self.facts.rhymed / max(self.facts.pairs, 1) + self.facts.in_meter / max(self.facts.lines, 1)


@dataclass(frozen=True)
class Trained:
    """A finished cell.

    Attributes:
        figures: by the names of ``FIGURES``; what was not measured is absent.
        before: the same figures for the prior, as far as it has them.
        curves: metric -> its values over fresh samples.
        poems: the poems of the last evaluation.
        notes: warnings about its figures.
        prior: digest of the prior's weights, if the run recorded it.
        cores: processor time divided by wall time of the process, if recorded.
    """

    cell: Cell
    figures: Mapping[str, Value]
    before: Mapping[str, Value]
    curves: Mapping[str, Curve]
    poems: Sequence[Judged]
    commit: str
    command: str
    notes: Sequence[str]
    prior: str
    cores: float | None = None


def read_cell(cell: Cell, *, reach: float) -> Trained:
    """The figures, curves and poems of a finished cell.

    Args:
        reach: share of rhyming pairs at which fresh samples are counted.
    """
    folder = cell.folder
    result = read_object(folder / "result.json", "the result of a run")
    first, last = (read(folder / f"{side}.json") for side in ("before", "after"))
    rows = read_jsonl(folder / "metrics.jsonl")
    before, figures = _counted(first), _counted(last)
    for figures_of_side, side in ((before, first), (figures, last)):
        if (away := distance(first, side)) is not None:
            figures_of_side["target_kl"] = away
    nats = [side.figures.get("prior_nll_per_token") for side in (first, last)]
    if nats[0] is not None and nats[1] is not None and nats[0] > 0:
        figures["prior_nll_change"], before["prior_nll_change"] = nats[1] / nats[0] - 1, 0.0
    curves = {name: curve for name in (PAIRS, REWARD, KL) if (curve := _curve(rows, name, result))}
    for name, key in (("kl", KL), ("reward", REWARD)):
        if key in curves:
            figures[name] = _arrival(curves[key])
    before["kl"] = 0.0
    if (needed := samples_to_reach(curves.get(PAIRS, []), reach)) is not None:
        figures["samples_to_reach"] = needed
    figures["fresh_samples"] = result.get("fresh_samples", 0)
    if "tokens_drawn" in result:  # of poems and of the auxiliary task: equal samples are not equal tokens where one arm has the task
        figures["tokens_drawn"] = result["tokens_drawn"]
    if "seconds" in result:
        figures["minutes"] = result["seconds"] / 60
    poems = [Judged(*one) for one in zip(last.prompts, last.texts, last.facts, strict=True)]
    started, cores = attempts(cell), None
    if started:
        cpu, wall = (sum(one[key] for one in started) for key in ("cpu_seconds", "seconds"))
        figures["cpu_minutes"], cores = cpu / 60, cpu / max(wall, 0.1)
    return Trained(
        cell, figures, before, curves, poems, str(result.get("commit", "")), started[-1]["command"] if started else "",
        _notes(result, figures, n_starts=len(started)), first.prior or "", cores,
    )  # fmt: skip


def samples_to_reach(curve: Curve, level: float) -> float | None:
    """Fresh samples at which the running mean of a curve first reaches a level, by linear interpolation; None if it never does.

    >>> samples_to_reach([(100.0, 0.5), (200.0, 0.75), (300.0, 1.0)], 0.6875), samples_to_reach([(100.0, 0.5)], 0.8)
    (150.0, None)
    """
    means = list(zip((x for x, _ in curve), smooth([y for _, y in curve]), strict=True))
    for i, (x, y) in enumerate(means):
        if y >= level:
            if i == 0:
                return x
            x0, y0 = means[i - 1]
            return x0 + (x - x0) * (level - y0) / (y - y0)
    return None


def _counted(measured: Measured) -> dict[str, Value]:
    counted = figures_of(measured.facts) | figures_of_texts(measured.prompts, measured.texts)
    varied = ("distinct_end_words", "rhyme_sound_entropy", "distinct_bigrams")
    return {**shares_by_prompt(measured), **{name: counted[name] for name in varied if name in counted}}


def _curve(rows: Sequence[Mapping[str, Any]], name: str, result: Mapping[str, Any]) -> Curve:
    each = result.get("fresh_samples", 0) / max(result.get("steps", 0), 1)  # where a trainer does not count them step by step
    return [(float(row.get(FRESH, row["step"] * each)), float(row[name])) for row in rows if name in row]


def _arrival(curve: Curve) -> float:
    tail = [value for _, value in curve[-max(1, math.ceil(END * len(curve))) :]]
    return sum(tail) / len(tail)


def _notes(result: Mapping[str, Any], counted: Mapping[str, Value], *, n_starts: int) -> list[str]:
    after = result.get("after", {})
    notes = [f"alarms: {', '.join(result['alarms'])}"] if result.get("alarms") else []
    if result.get("reward", {}).get("fell"):
        notes.append("the reward fell")
    if "best_of" in result:
        notes.append(f"each poem the best of {result['best_of']:g}")
    for name in SHARES:
        value = counted.get(name)
        if name in after and isinstance(value, Share) and abs(after[name] - value.value) > 1e-9:
            notes.append(f"{name} was {after[name]:.4f} when measured, {value.value:.4f} as counted today")
    if n_starts > 1:
        notes.append(f"started {n_starts} times")
    return notes
