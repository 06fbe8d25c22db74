"""``rlpoet train``: make a policy rhyme."""

from __future__ import annotations

from rlpoet.command import Command
from rlpoet.training.config import TrainConfig


def run(config: TrainConfig) -> int:
    from rlpoet.training import run as training
    from rlpoet.training.build import settled

    return training.run(settled(config))


COMMAND = Command("train", "train a policy to rhyme, and report what changed", TrainConfig, run)
