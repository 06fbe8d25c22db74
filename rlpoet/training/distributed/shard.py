"""What a process made of its share of a step: texts, scores, balance. Shares of several processes add up to the step's."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor

from rlpoet.protocols import Scored
from rlpoet.rollout import Rollout, join
from rlpoet.training.auxiliary import Practice
from rlpoet.training.common import batch_figures


@dataclass(frozen=True)
class Scores:
    """``rlpoet.protocols.Scored`` as plain data."""

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Shard:
    """F fresh texts in groups of one prompt, and with them A that exploration or replay added: B = F + A.

    Attributes:
        fresh: the texts drawn.
        scored: their scores.
        explored: scores of those that exploration added.
        n_drawn: texts that were drawn for exploration.
        n_prompts: groups of ``fresh``, all of one size.
        log_pf, prior: log-probability under the policy and under the prior, ``(B,)``, nats, the fresh ones first.
        residual: of balance, ``(B,)``.
        log_reward: ``log p0 + beta r``, ``(B,)``.
        practice: what the auxiliary task drew; None without the task.
        seconds: of drawing.
    """

    fresh: Rollout
    scored: Scored
    explored: tuple[float, ...]
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
        log_pf, prior = self.log_pf[:n], self.prior[:n]
        figures = {
            **batch_figures(self.fresh, self.scored, self.n_prompts, log_pf, prior),
            "gfn/loss": self.residual.square().mean().item(),
            "gfn/log_z": (self.log_reward - self.log_pf + self.residual).mean().item(),
            "gfn/var_residual": self.residual[:n].var().item(),
            "explore/texts": float(len(self.explored)),
        }
        if self.explored:
            figures["explore/reward"] = sum(self.explored) / len(self.explored)
        return figures


def joined(shares: Sequence[Shard], *, pad: int) -> Shard:
    """Several shares as one; its seconds are the first's, all draw at the same time."""
    if len(shares) == 1:
        return shares[0]
    names = shares[0].scored.parts
    scored = Scores(
        tuple(chain.from_iterable(share.scored.total for share in shares)),
        {name: tuple(chain.from_iterable(share.scored.parts[name] for share in shares)) for name in names},
    )

    def rows(of: str) -> Tensor:
        told: list[tuple[Tensor, int]] = [(getattr(share, of), len(share.fresh)) for share in shares]
        return torch.cat([*(x[:n] for x, n in told), *(x[n:] for x, n in told)])

    practices = [share.practice for share in shares if share.practice is not None]
    return Shard(
        fresh=join([share.fresh for share in shares], pad=pad),
        scored=scored,
        explored=tuple(chain.from_iterable(share.explored for share in shares)),
        n_drawn=sum(share.n_drawn for share in shares),
        n_prompts=sum(share.n_prompts for share in shares),
        log_pf=rows("log_pf"),
        prior=rows("prior"),
        residual=rows("residual"),
        log_reward=rows("log_reward"),
        practice=functools.reduce(operator.add, practices) if practices else None,
        seconds=shares[0].seconds,
    )
