"""The trainers a run is compared with, from its configuration: trl's GRPO and RLOO, and those without a gradient of the reward."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.rollout import Policy
from rlpoet.training.baselines.best_of_n import BestOfN
from rlpoet.training.baselines.rejection import RejectionOptions, RejectionTrainer, check_rejection
from rlpoet.training.budget import MOST_PROMPTS
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.trainer import Scorer
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from rlpoet.training.baselines.trl import TRLTrainer

FROM_TRL = ("grpo", "rloo")
BASELINES = (*FROM_TRL, "rft", "best-of-n")
SAMPLERS = ("own", "trl")
SCALES = ("none", "group", "batch")


def baseline_of(
    config: TrainConfig, policy: Policy, score: Scorer, prompts: Sequence[Prompt], places: Sequence[Prompt]
) -> TRLTrainer | RejectionTrainer | BestOfN:
    """The trainer of ``config.algo``, one of ``BASELINES``.

    Args:
        prompts: to train on.
        places: prompts of the poems measured in the end; best-of-n spends its budget on them.
    """
    if config.algo == "best-of-n":
        return BestOfN(policy, score, places, per_step=(config.prompts_per_step or MOST_PROMPTS) * config.group_size)
    if config.algo == "rft":
        return RejectionTrainer(policy, score, prompts, _rejection(config), seed=config.seed)
    noisy = logging.getLogger("bitsandbytes")  # which trl's imports may import, and which then misses a kernel nobody asked for
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        from rlpoet.training.baselines.trl import TRLOptions, TRLTrainer
    finally:
        noisy.setLevel(level)
    options = TRLOptions(
        algo=config.algo, prompts_per_step=config.prompts_per_step or MOST_PROMPTS, group_size=config.group_size, beta=config.beta,
        beta_warmup=config.beta_warmup, learning_rate=config.learning_rate, freeze_embeddings=config.freeze_embeddings,
        sampler=config.sampler, scale_rewards=config.scale_rewards,
    )  # fmt: skip
    return TRLTrainer(policy, score, prompts, options, seed=config.seed)


def check_baseline(config: TrainConfig) -> None:
    """Refuse what the trainers of ``BASELINES`` cannot do.

    Raises:
        RlpoetError, UnknownName: a field that cannot be meant.
    """
    if config.sampler not in SAMPLERS:
        raise UnknownName("sampler", config.sampler, SAMPLERS)
    if config.scale_rewards not in SCALES:
        raise UnknownName("scale_rewards", config.scale_rewards, SCALES)
    check_rejection(_rejection(config))
    if config.algo in FROM_TRL and config.group_size < 2:
        raise RlpoetError(f"--group_size: {config.group_size}; expected 2 or more, {config.algo} compares the poems of a prompt.")
    if config.algo in FROM_TRL and not config.beta > 0:
        raise RlpoetError(f"--beta: {config.beta}; expected more than 0, the KL coefficient of {config.algo} is 1 / beta.")


def _rejection(config: TrainConfig) -> RejectionOptions:
    return RejectionOptions(
        prompts_per_step=config.prompts_per_step or MOST_PROMPTS, group_size=config.group_size, keep_share=config.keep_share,
        keep_above=config.keep_above, same_end=config.same_end, refresh_steps=config.refresh_steps,
        learning_rate=config.learning_rate, freeze_embeddings=config.freeze_embeddings,
    )  # fmt: skip
