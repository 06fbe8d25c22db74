"""Asynchronous trajectory balance: which texts a step learns from, where searchers draw them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from rlpoet.rollout import join
from rlpoet.training.common import learned_state
from rlpoet.training.distributed.searchers import Found, Searchers
from rlpoet.training.update import joined_scores
from rlpoet.types import Prompt


class Ahead:
    """Keeps the searchers a step ahead of the learner.

    Each step asks for the texts of its prompts, and learns from as many texts as are done first. So while it learns, the texts of the
    next step are drawn, and no searcher is idle but for want of work.

    Args:
        searchers: who draw.
        refresh_steps: updates between two sendings of weights.
    """

    def __init__(self, searchers: Searchers, refresh_steps: int) -> None:
        self.searchers, self.refresh_steps = searchers, refresh_steps

    def next(
        self, model: nn.Module, asked: Sequence[Prompt], more: Callable[[], Sequence[Prompt]], *, n_steps: int, seed: Callable[[], int],
        progress: float, pad: int,
    ) -> tuple[Found, float]:  # fmt: skip
        """The texts of a step, and how many updates their weights are behind, in the mean over texts.

        Args:
            model: whose weights the searchers get.
            asked: prompts to begin.
            more: prompts of another step, to begin with.
            n_steps: updates made.
            seed: a new seed, for each job.
            progress: share of the budget that is spent.
            pad: id of padding.
        """
        searchers = self.searchers
        if searchers.version < 0 or n_steps % self.refresh_steps == 0:
            searchers.offer(learned_state(model), n_steps)
        begun = 0
        for prompts in (asked, *([more()] if not searchers.n_running else [])):
            n = min(len(searchers), len(prompts))
            for part in range(n):
                searchers.begin(prompts[part::n], seed=seed(), progress=progress)
            begun = begun or n
        found = [searchers.take() for _ in range(begun)]
        behind = sum((n_steps - one.version) * len(one.rollout) for one in found) / sum(len(one.rollout) for one in found)
        whole = Found(
            join([one.rollout for one in found], pad=pad),
            joined_scores([one.scored for one in found]),
            torch.cat([one.log_prior for one in found]),
            min(one.version for one in found),
        )
        return whole, behind
