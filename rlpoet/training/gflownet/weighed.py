"""Texts of a step with their scores and their balance, and what a run is told of them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from rlpoet.protocols import Scored
from rlpoet.rollout import Rollout
from rlpoet.training.auxiliary import Practice
from rlpoet.training.common import batch_figures


@dataclass(frozen=True)
class Weighed:
    """F fresh texts in groups of one prompt, and with them A that exploration or replay added: B = F + A.

    Attributes:
        fresh: the texts drawn.
        scored: their scores.
        new: the fresh texts and those that exploration added, N of them, F <= N <= B.
        scores: of the new ones.
        n_drawn: texts that were drawn for exploration.
        n_prompts: groups of ``fresh``, all of one size.
        log_pf, prior: log-probability under the policy and under the prior, ``(B,)``, nats, the new ones first.
        residual: of balance, ``(B,)``.
        log_reward: ``log p0 + beta r``, ``(B,)``.
        practice: what the auxiliary task drew; None without the task.
        seconds: of drawing.
    """

    fresh: Rollout
    scored: Scored
    new: Rollout
    scores: list[float]
    n_drawn: int
    n_prompts: int
    log_pf: Tensor
    prior: Tensor
    residual: Tensor
    log_reward: Tensor
    practice: Practice | None
    seconds: float

    def figures(self) -> dict[str, float]:
        """What the run is told of it, by the tag it is monitored under."""
        n = len(self.fresh)
        log_pf, prior, explored = self.log_pf[:n], self.prior[:n], self.scores[n:]
        figures = {
            **batch_figures(self.fresh, self.scored, self.n_prompts, log_pf, prior),
            "gfn/loss": self.residual.square().mean().item(),
            "gfn/log_z": (self.log_reward - self.log_pf + self.residual).mean().item(),
            "gfn/var_residual": self.residual[:n].var().item(),
            "explore/texts": float(len(explored)),
        }
        if explored:
            figures["explore/reward"] = sum(explored) / len(explored)
        return figures
