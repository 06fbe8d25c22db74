"""``rlpoet pretrain``: a corpus of poems to a tiny policy that knows its forms."""

from __future__ import annotations

from policies.pretraining.config import PretrainConfig
from rlpoet.config.command import Command


def run(config: PretrainConfig) -> int:
    from policies.pretraining.run import pretrain_run

    return pretrain_run(config)


COMMAND = Command("pretrain", "train a tiny verse model on a corpus of poems", PretrainConfig, run)
