"""A trainer of one's own: REINFORCE with the KL penalty of the other trainers and the mean of each prompt's other poems as baseline."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rlpoet.config.ranges import NonNegative, Options
from rlpoet.errors import RlpoetError
from rlpoet.training.common import batch_figures, totals
from rlpoet.training.options import StepOptions
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt


@dataclass(frozen=True)
class ReinforceOptions(Options):
    """Options of the trainer.

    Attributes:
        kl_weight: factor of the KL coefficient 1 / beta; 1 aims at the target of the other trainers.
    """

    kl_weight: NonNegative = 1.0


class Reinforce(Trainer):
    """The base class keeps clocks, optimizer, schedules and checkpoints; here is the algorithm."""

    OPTIONS = ReinforceOptions
    options: ReinforceOptions

    @classmethod
    def check(cls, common: StepOptions, options: ReinforceOptions) -> None:
        super().check(common, options)
        if common.group_size < 2 or not common.beta > 0:
            raise RlpoetError(f"--group_size {common.group_size}, --beta {common.beta}: expected 2 or more, and more than 0.")

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        started = time.perf_counter()
        fresh = self.draw(prompts)  # with the masks it was drawn under, so that log_prob is of what was sampled
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        with torch.no_grad():
            log_prior = self.prior.log_prob(fresh).sum(1)
        self.policy.model.train()
        log_pi = self.policy.log_prob(fresh).sum(1)
        value = totals(scored) - self.options.kl_weight / beta * (log_pi.detach() - log_prior)
        groups = value.view(len(prompts), -1)
        baseline = (groups.sum(1, keepdim=True) - groups) / (groups.shape[1] - 1)
        loss = -((groups - baseline).flatten() * log_pi).mean()
        assert self.optimizer is not None
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = self.descend()
        self.policy.model.eval()
        figures = {
            **batch_figures(fresh, scored, len(prompts), log_pi.detach(), log_prior),
            "reinforce/loss": loss.item(),
            "train/grad_norm": norm,
        }
        return Update(fresh, scored, figures, sampled - started)
