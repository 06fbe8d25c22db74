"""``rlpoet finetune``: teach a policy, or any Hugging Face language model, the poems of your choice."""

from __future__ import annotations

from policies.finetuning.config import FinetuneConfig
from rlpoet.config.command import Command


def run(config: FinetuneConfig) -> int:
    from policies.finetuning.run import finetune_run

    return finetune_run(config)


COMMAND = Command("finetune", "teach a policy or any Hugging Face model the poems of your choice", FinetuneConfig, run)
