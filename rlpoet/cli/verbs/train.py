"""``rlpoet train``: make a policy rhyme."""

from __future__ import annotations

from rlpoet.config.command import Command
from rlpoet.training.config import TrainConfig


def run(config: TrainConfig) -> int:
    from rlpoet.training import run as training

    return training.run(config, spawn=True)


COMMAND = Command("train", "train a policy to rhyme, and report what changed", TrainConfig, run)
