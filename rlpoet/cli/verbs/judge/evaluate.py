"""``rlpoet evaluate``: what a policy knows of verse, and what poems are worth, its own or any others."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.evaluation.config import EvaluateConfig
from rlpoet.registry import first_import


def run(config: EvaluateConfig) -> int:
    with first_import("torch"):
        from policies.evaluate import evaluate

    return evaluate(config)


COMMAND = Command("evaluate", "what a policy, or any poems, are worth beside people's", EvaluateConfig, run, short={"n": "n"})
