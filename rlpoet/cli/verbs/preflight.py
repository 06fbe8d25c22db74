"""``rlpoet preflight``: which prompts can be learned at all."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.training.monitoring.config import PreflightConfig


def run(config: PreflightConfig) -> int:
    from rlpoet.training.monitoring.preflight_run import run_preflight

    return run_preflight(config)


COMMAND = Command("preflight", "which prompts the rewards can teach at all", PreflightConfig, run)
