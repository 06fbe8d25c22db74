"""What a run earned before and after, and the weights with which it earned most: a run that went wrong says so, and keeps them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rlpoet.analysis.intervals import Bounds, Share, share_change
from rlpoet.checkpoints.files import read_checkpoint, write_checkpoint
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.sampled import PER_PROMPT, Measured
from rlpoet.protocols import Scorer
from rlpoet.training.common import totals

STEPS = 10  # whose mean reward says how good weights are: that of one step is noise
REWARD = "reward/mean"


@dataclass(frozen=True)
class RewardChange:
    """Mean reward of the poems measured before and after.

    Attributes:
        change: interval of 95 % of the difference; None where the poems are too few.
    """

    before: float
    after: float
    change: Bounds | None

    @property
    def fell(self) -> bool:
        """Whether the poems earn less, by more than chance where that can be told."""
        return self.after < self.before if self.change is None else self.change[1] < 0

    def plain(self) -> dict[str, Any]:
        """For ``result.json``."""
        change = {} if self.change is None else {"change": list(self.change)}
        return {"before": self.before, "after": self.after, **change, "fell": self.fell}

    def line(self, policy: Path) -> str:
        """What a user is told of a reward that fell."""
        sure = "too few poems for an interval" if self.change is None else f"95 %: {self.change[0]:+.3f} to {self.change[1]:+.3f}"
        return (
            f"The reward fell: {self.before:.3f} before, {self.after:.3f} after ({sure}). {policy} is worse than the policy it began with. "
            "Try a lower --learning_rate."
        )


def reward_change(before: Measured, after: Measured, score: Scorer) -> RewardChange:
    """What the poems of both sides earn, by the weights of rewards at the end of the run."""
    final = score.at(1.0) if hasattr(score, "at") else score
    sides = [totals(final(side.prompts, side.texts)).double().numpy() for side in (before, after)]
    change = None
    if before.prompts == after.prompts:
        group = np.arange(len(before.prompts)) // PER_PROMPT
        first, last = (Share(side, np.ones(len(side))) for side in sides)
        change = share_change(first, last, group).change
    return RewardChange(float(sides[0].mean()), float(sides[1].mean()), change)


class Best:
    """The weights that learned, as they were when the mean reward of the last ``STEPS`` steps was highest.

    Attributes:
        mean: that reward; ``-inf`` before the first of them.
        step: when that was.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.mean, self.step = -math.inf, 0
        self._rewards: list[float] = []
        self._weights: dict[str, Tensor] = {}
        self._kept = True

    def look(self, step: int, metrics: Mapping[str, float]) -> None:
        """Take note of a step that is done."""
        self._hear([metrics])
        mean = sum(self._rewards) / max(len(self._rewards), 1)
        if len(self._rewards) == STEPS and mean > self.mean:
            self.mean, self.step, self._kept = mean, step, False
            self._weights = {name: weight.detach().clone() for name, weight in self._learned()}

    def keep(self, path: Path) -> None:
        """Write them, if they are better than those of the file."""
        if not self._kept:
            write_checkpoint(path, {"weights": self._weights, "mean": self.mean, "step": self.step})
            self._kept = True

    def take_up(self, path: Path, rows: Iterable[Mapping[str, float]]) -> None:
        """Go on from what a run kept, if it can be read, and from its log."""
        self._hear(rows)
        if path.exists():
            try:
                state = read_checkpoint(path)
                self.mean, self.step, self._weights = float(state["mean"]), int(state["step"]), dict(state["weights"])
            except (RlpoetError, KeyError, TypeError, ValueError):  # nothing that a run needs
                return

    def line(self, policy: Path) -> str:
        """What a user is told of them, once they are saved as a policy."""
        return f"In steps {self.step - STEPS + 1} to {self.step} it was {self.mean:.3f}: the weights after them are in {policy}."

    @contextmanager
    def put_in(self) -> Iterator[None]:
        """The model with these weights; afterwards as it was."""
        now = {name: weight.detach().clone() for name, weight in self._learned()}
        self._load(self._weights)
        try:
            yield
        finally:
            self._load(now)

    def _hear(self, rows: Iterable[Mapping[str, float]]) -> None:
        self._rewards = [*self._rewards, *(row[REWARD] for row in rows if REWARD in row)][-STEPS:]

    def _learned(self) -> list[tuple[str, nn.Parameter]]:
        return [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]

    def _load(self, weights: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, weight in self._learned():
                if name in weights:
                    weight.copy_(weights[name])
