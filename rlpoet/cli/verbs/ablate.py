"""``rlpoet ablate``: what a reward, a factor or the strength of the reward contributes."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.sweeps.config import AblateConfig


def run(config: AblateConfig) -> int:
    from rlpoet.sweeps.ablation import arms_of, baseline_of
    from rlpoet.sweeps.compare import run_comparison

    arms = arms_of(config.kind, config.common, betas=config.betas, pick=config.pick)
    return run_comparison(COMMAND, config, arms, baseline=baseline_of(config.kind, config.common))


COMMAND = Command("ablate", "leave one reward or one factor out, or sweep beta, and measure it", AblateConfig, run)
