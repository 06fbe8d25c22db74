"""``rlpoet compare``: the same task, other trainers or other settings."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.sweeps.config import CompareConfig


def run(config: CompareConfig) -> int:
    from rlpoet.sweeps.compare import run_comparison
    from rlpoet.sweeps.grid import Arm

    algos = config.algos or (() if config.arms else ("tb", "ppo"))
    arms = [Arm(name, {"algo": name}) for name in algos]
    arms += [Arm(name, settings) for name, settings in config.arms.items()]
    return run_comparison(COMMAND, config, arms, baseline=config.baseline)


COMMAND = Command("compare", "train several arms on one task, over seeds, and compare them", CompareConfig, run)
