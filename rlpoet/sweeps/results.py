"""What can be said of a grid of runs: figures of each arm, differences from the baseline, and what a reader has to know."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.analysis.intervals import Interval, Value, difference, interval, number_of
from rlpoet.config.ranges import flat
from rlpoet.reporting.tracking import plain
from rlpoet.sweeps.config import GridConfig
from rlpoet.sweeps.figures import FIGURES, Trained
from rlpoet.sweeps.grid import Cell
from rlpoet.training.config import TrainConfig

FREE = 0.85  # processor time over time of a run that nobody disturbs, reading and writing files included
PRIOR = "prior"  # the row of the policy before any training
TARGET = ("beta", "rewards", "reward_options", "compose", "gates", "curriculum")  # settings that make the target of a run


@dataclass(frozen=True)
class Row:
    """An arm in a language, over its finished seeds.

    Attributes:
        figures: by the names of ``FIGURES``.
        differences: from the baseline, over the seeds both have; empty for the baseline itself.
    """

    arm: str
    lang: str
    seeds: tuple[int, ...]
    figures: Mapping[str, Interval]
    differences: Mapping[str, Interval]


@dataclass(frozen=True)
class Comparison:
    """Everything the tables and the page are made of.

    Attributes:
        states: cell name -> what has become of it.
        warnings: what a reader of the tables has to know.
    """

    config: GridConfig
    command: str
    baseline: str
    arms: tuple[str, ...]
    cells: Sequence[Cell]
    trained: Sequence[Trained]
    rows: Sequence[Row]
    states: Mapping[str, str]
    warnings: Sequence[str]

    def of(self, arm: str, lang: str) -> list[Trained]:
        """The finished cells of an arm in a language, by seed."""
        return sorted((t for t in self.trained if (t.cell.arm, t.cell.lang) == (arm, lang)), key=lambda t: t.cell.seed)

    def one_target(self, lang: str) -> bool:
        """Whether all arms of a language aim at one target, so that their distances from it can be compared."""
        return len({target_of(cell.config) for cell in self.cells if cell.lang == lang}) == 1

    @property
    def langs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.lang for cell in self.cells))


def compared(
    config: GridConfig, cells: Sequence[Cell], states: Mapping[str, str], trained: Sequence[Trained], *, baseline: str, command: str
) -> Comparison:
    """Hold the arms against each other.

    Args:
        trained: the finished cells.
        command: what was typed, for the record.
    """
    arms = tuple(dict.fromkeys(cell.arm for cell in cells))
    rows = []
    for lang in dict.fromkeys(cell.lang for cell in cells):
        base = {t.cell.seed: t for t in trained if (t.cell.arm, t.cell.lang) == (baseline, lang)}
        if base:
            rows.append(_row(PRIOR, lang, {seed: t.before for seed, t in base.items()}, {}))
        for arm in arms:
            by_seed = {t.cell.seed: t.figures for t in trained if (t.cell.arm, t.cell.lang) == (arm, lang)}
            if by_seed:
                row = _row(arm, lang, by_seed, {} if arm == baseline else {seed: t.figures for seed, t in base.items()})
                of_arms = {target_of(cell.config) for cell in cells if cell.lang == lang and cell.arm in (arm, baseline)}
                if len(of_arms) > 1:  # distances from two targets have no difference
                    row = dataclasses.replace(row, differences={k: v for k, v in row.differences.items() if k != "target_kl"})
                rows.append(row)
    return Comparison(config, command, baseline, arms, cells, trained, rows, states, _warnings(cells, trained, states))


def pareto_front(points: Sequence[tuple[float, float]], *, low_x: bool = False) -> list[int]:
    """Positions of the points that no other beats in both directions, by x. A higher y is better, and a higher x unless ``low_x``.

    >>> pareto_front([(1.0, 1.0), (2.0, 2.0), (3.0, 1.5)], low_x=True), pareto_front([(1.0, 1.0), (2.0, 2.0), (3.0, 1.5)])
    ([0, 1], [1, 2])
    """
    sign = -1.0 if low_x else 1.0
    undominated = [i for i, (x, y) in enumerate(points) if not any(sign * a >= sign * x and b >= y and (a, b) != (x, y) for a, b in points)]
    return sorted(undominated, key=lambda i: points[i])


def as_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain data."""
    by_name = {t.cell.name: t for t in comparison.trained}
    cells = []
    for cell in comparison.cells:
        row: dict[str, Any] = {"arm": cell.arm, "lang": cell.lang, "seed": cell.seed, "state": comparison.states[cell.name]}
        row |= {"folder": str(cell.folder), "settings": own_settings(cell.config)}
        if cell.name in by_name:
            one = by_name[cell.name]
            row |= {"figures": _values(one.figures), "before": _values(one.before), "commit": one.commit, "command": one.command}
            row |= {"prior": one.prior, "notes": list(one.notes)}
        cells.append(row)
    rows = [
        {
            "arm": row.arm, "lang": row.lang, "seeds": list(row.seeds),
            "figures": {name: dataclasses.asdict(value) for name, value in row.figures.items()},
            "differences": {name: {**dataclasses.asdict(value), "separated": value.separated} for name, value in row.differences.items()},
        }
        for row in comparison.rows
    ]  # fmt: skip
    head = {
        "command": comparison.command,
        "baseline": comparison.baseline,
        "reach": comparison.config.reach,
        "warnings": list(comparison.warnings),
    }
    return {**head, "rows": rows, "cells": cells}


def target_of(config: TrainConfig) -> str:
    """The settings that make a run's target, spelt alike where they are alike."""
    return json.dumps([plain(getattr(config, name)) for name in TARGET], sort_keys=True)


def own_settings(config: TrainConfig) -> dict[str, Any]:
    """What a configuration says that the defaults do not."""
    settings, default = (flat(plain(dataclasses.asdict(one)), TrainConfig) for one in (config, TrainConfig()))
    return {key: value for key, value in settings.items() if value != default[key]}


def spoken(config: TrainConfig) -> str:
    """The same in one line, without what the cell's name says."""
    changed = {key: value for key, value in own_settings(config).items() if key not in ("lang", "seed", "output_dir")}
    return " ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in changed.items())


def _row(arm: str, lang: str, arm_figures: Mapping[int, Mapping[str, Value]], base: Mapping[int, Mapping[str, Value]]) -> Row:
    figures: dict[str, Interval] = {}
    differences: dict[str, Interval] = {}
    for name in FIGURES:
        arm_values = {seed: values[name] for seed, values in arm_figures.items() if name in values}
        base_values = {seed: values[name] for seed, values in base.items() if name in values}
        # a mean over the seeds that got somewhere would flatter an arm whose other seeds did not
        if arm_values and len(arm_values) == len(arm_figures):
            figures[name] = interval(list(arm_values.values()))
            if len(base_values) == len(base) and (gap := difference(arm_values, base_values)) is not None:
                differences[name] = gap
    return Row(arm, lang, tuple(sorted(arm_figures)), figures, differences)


def _values(figures: Mapping[str, Value]) -> dict[str, float]:
    return {name: number_of(value) for name, value in figures.items()}


def _warnings(cells: Sequence[Cell], trained: Sequence[Trained], states: Mapping[str, str]) -> list[str]:
    warnings = []
    missing = {name: state for name, state in states.items() if state != "done"}
    if missing:
        warnings.append(
            f"{len(missing)} of {len(cells)} runs are not done: {', '.join(f'{name} {state}' for name, state in missing.items())}."
        )
    commits = sorted({t.commit for t in trained})
    if len(commits) > 1:
        warnings.append(f"Runs of different commits: {', '.join(commits)}.")
    if any(commit.endswith("-dirty") for commit in commits):
        warnings.append("Runs of edited sources (-dirty): their commit does not say all.")
    for lang in dict.fromkeys(t.cell.lang for t in trained):
        if len({t.prior for t in trained if t.cell.lang == lang}) > 1:
            warnings.append(f"{lang}: runs began with different priors.")
    slow = [t for t in trained if t.cores is not None and t.cores < FREE * (t.cell.config.threads or 1) and t.cell.config.minutes]
    if slow:
        share = min(t.cores or 0.0 for t in slow)
        warnings.append(
            f"{len(slow)} runs with a budget of minutes had less than {FREE:g} of their cores, one {share:.2f}: the machine was shared, "
            "and they drew fewer poems than they might."
        )
    if any(len({target_of(cell.config) for cell in cells if cell.lang == lang}) > 1 for lang in {cell.lang for cell in cells}):
        warnings.append("The arms have different targets, by their beta or rewards: each distance is from the arm's own.")
    if len({cell.seed for cell in cells}) == 1:
        warnings.append("One seed: intervals are over prompts and poems alone and say nothing about another training.")
    return warnings
