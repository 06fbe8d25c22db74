"""What the folder of a run holds, read once: its settings, its result, its log and its samples, in the order a reader wants them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet.config.documents import read_settings
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.text import read_object

# the curves shown before one asks for all, by the beginnings of their names
FIRST = ("rewards/rhyme/mean", "rewards/meter/mean", "reward/mean", "objective/", "gfn/", "rewards/", "loss")
N_FIRST = 6
LOGARITHMIC = ("loss", "var_residual")  # curves that fall by orders of magnitude
AVERAGED = 10  # steps behind a figure of the rewards' table
TOTAL, REWARD = "reward/mean", re.compile(r"reward/mean|rewards/[^/]+/mean")


@dataclass(frozen=True)
class Curve:
    """One metric over the steps of a run.

    Attributes:
        name: of the metric.
        points: ``(step, value)``, by step.
        log: whether it falls by orders of magnitude.
    """

    name: str
    points: tuple[tuple[float, float], ...]
    log: bool


@dataclass(frozen=True)
class RunFolder:
    """The files of a run. One that was interrupted has less in them.

    Attributes:
        name: of the folder.
        metrics, samples, alarms: rows of the logs.
        result: ``result.json``, empty where there is none yet.
        config: ``config.yaml``, empty where there is none.
    """

    name: str
    metrics: Sequence[Mapping[str, Any]]
    samples: Sequence[Mapping[str, Any]]
    alarms: Sequence[Mapping[str, Any]]
    result: Mapping[str, Any]
    config: Mapping[str, Any]

    def facts(self) -> list[str]:
        """Language, trainer, form, seed, minutes and such, one short text each."""
        config, result = self.config, self.result
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

    def rhyming_pairs(self) -> list[str]:
        """The share before and after, nothing where one of them was not measured."""
        blocks = [self.result.get(side, {}) for side in ("before", "after")]
        return [f"{100 * block['rhyme_pairs']:.1f} %" for block in blocks] if all("rhyme_pairs" in block for block in blocks) else []

    def fell(self) -> list[str]:
        """Mean reward before and after, if it fell; nothing where it did not, or nobody knows."""
        reward = self.result.get("reward") or {}
        return [f"{reward[side]:.3f}" for side in ("before", "after")] if reward.get("fell") else []

    def reward_rows(self) -> tuple[list[tuple[str, ...]], int]:
        """Every reward's mean over the fresh poems of the first and of the last steps, and the number of these steps.

        Returns:
            Rows of name, weight, first, last and change, all rewards together last; and the steps behind each figure.
        """
        n = max(1, min(AVERAGED, len(self.metrics) // 2))
        names = [key for key in dict.fromkeys(key for row in self.metrics for key in row) if REWARD.fullmatch(key)]
        weights = self.config.get("rewards", {})
        rows = []
        for key in sorted(names, key=lambda key: (key == TOTAL, key)):
            name = "all together" if key == TOTAL else key.split("/")[1]
            was, now = (_mean([row[key] for row in part if key in row]) for part in (self.metrics[:n], self.metrics[-n:]))
            weight = weights.get(name) if isinstance(weights, Mapping) else None
            figures = ("–" if value is None else f"{value:.3f}" for value in (was, now))
            change = "" if was is None or now is None else f"{now - was:+.3f}"
            rows.append((name, "" if weight is None else f"{weight:g}", *figures, change))
        return rows, n

    def curves(self) -> list[Curve]:
        """Every metric, those that most readers want first."""
        curves: dict[str, list[tuple[float, float]]] = {}
        for row in self.metrics:
            for key, value in row.items():
                if key != "step":
                    curves.setdefault(key, []).append((row["step"], value))
        order = sorted(curves, key=lambda key: next((i for i, prefix in enumerate(FIRST) if key.startswith(prefix)), len(FIRST)))
        return [Curve(key, tuple(curves[key]), key.endswith(LOGARITHMIC)) for key in order]

    def of_phase(self, phase: str) -> list[Mapping[str, Any]]:
        """The samples ``before`` or ``after`` training, or those of each ``step``."""
        return [row for row in self.samples if row.get("phase") == phase]


def read_run(path: str | Path) -> RunFolder:
    """The run of a folder.

    Raises:
        RlpoetError: no such folder, no log in it, or a log that cannot be read.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise RlpoetError(f"{folder}: no such folder; expected the folder of a run, such as runs/NAME.")
    metrics = _read_metrics(folder / "metrics.jsonl")
    samples, alarms = (read_jsonl(folder / f"{log}.jsonl") for log in ("samples", "alarms"))
    result, config = _read_result(folder / "result.json"), _read_config(folder / "config.yaml")
    if not metrics and not samples and not result:
        raise RlpoetError(f"{folder}: no metrics.jsonl, samples.jsonl or result.json; expected the folder of a run.")
    return RunFolder(folder.resolve().name, metrics, samples, alarms, result, config)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


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
