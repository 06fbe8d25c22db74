"""``rlpoet compare``: the same task, other trainers or other settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rlpoet.command import Command
from rlpoet.sweeps.config import GridConfig


@dataclass(frozen=True)
class CompareConfig(GridConfig):
    """Train several arms on one task, over languages and seeds, and tell which are better and by how much.

    Ctrl-C saves; the same command goes on.

    Attributes:
        algos: trainers, an arm each; none if --arms has what is to be compared.
        arms: name -> settings of that arm over the common ones, {hot: {explore: [hot]}}. A key rewards.meter sets one weight, rewards all.
        baseline: the arm the others are held against; the first by default.
    """

    algos: tuple[str, ...] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    baseline: str | None = None


def run(config: CompareConfig) -> int:
    from rlpoet.sweeps.compare import run_comparison
    from rlpoet.sweeps.grid import Arm

    algos = config.algos or (() if config.arms else ("tb", "ppo"))
    arms = [Arm(name, {"algo": name}) for name in algos]
    arms += [Arm(name, settings) for name, settings in config.arms.items()]
    return run_comparison(COMMAND, config, arms, baseline=config.baseline)


COMMAND = Command("compare", "train several arms on one task, over seeds, and compare them", CompareConfig, run)
