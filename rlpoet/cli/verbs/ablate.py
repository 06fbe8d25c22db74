"""``rlpoet ablate``: what a reward, a lever or the strength of the reward contributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.command import Command
from rlpoet.sweeps.config import GridConfig


@dataclass(frozen=True)
class AblateConfig(GridConfig):
    """Leave out one thing at a time and measure what it was good for, over languages and seeds.

    Ctrl-C saves; the same command goes on.

    Attributes:
        kind: rewards leaves one reward out of the mix; levers turns one setting of the trainer (--common.algo) off, or on where it is off;
            beta sweeps the strength of the reward.
        betas: those of the sweep; that of --common joins them.
        pick: only these arms, by name; all by default (--dry_run lists them).
    """

    output_dir: str = "runs/ablate"
    kind: Literal["rewards", "levers", "beta"] = "levers"
    betas: tuple[float, ...] = (5.5, 11.0, 22.0, 44.0)
    pick: tuple[str, ...] = ()


def run(config: AblateConfig) -> int:
    from rlpoet.sweeps.ablation import arms_of, baseline_of
    from rlpoet.sweeps.compare import run_comparison

    arms = arms_of(config.kind, config.common, betas=config.betas, pick=config.pick)
    return run_comparison(COMMAND, config, arms, baseline=baseline_of(config.kind, config.common))


COMMAND = Command("ablate", "leave one reward or one lever out, or sweep beta, and measure it", AblateConfig, run)
