"""What a process made of the prompts of a step, and what several processes made of theirs as one."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from rlpoet.protocols import Scored
from rlpoet.rollout import Rollout, join
from rlpoet.training.auxiliary import Practice

COUNTED = frozenset({"explore/texts", "rft/kept", "replay/size"})  # metrics that add up over processes
HIGHEST = frozenset({"ppo/ratio_max"})  # those of which the highest counts; all others are means over texts


@dataclass(frozen=True)
class Scores:
    """``rlpoet.protocols.Scored`` as plain data."""

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True)
class Update:
    """What a trainer made of the prompts of a step.

    Attributes:
        fresh: the texts drawn, in groups of one prompt.
        scored: their scores.
        figures: metrics that are the trainer's own.
        sampling_seconds: of drawing.
        n_drawn: texts drawn beside the fresh ones.
        practice: of the auxiliary task; None without it.
        found: what the trainer wants of it in its next steps (``Trainer.take_in``).
    """

    fresh: Rollout
    scored: Scored
    figures: dict[str, float] = field(default_factory=dict)
    sampling_seconds: float = 0.0
    n_drawn: int = 0
    practice: Practice | None = None
    found: Any = None

    def plain(self) -> Update:
        """Without masks and without the reward's own classes, to be sent to another process."""
        scores = Scores(tuple(self.scored.total), {name: tuple(part) for name, part in self.scored.parts.items()})
        return dataclasses.replace(self, fresh=dataclasses.replace(self.fresh, token_masks=None, mask_of=None), scored=scores)


def joined(updates: Sequence[Update], *, pad: int) -> Update:
    """The updates of several processes as one, in order; the seconds are the first's, for all draw at the same time.

    Args:
        pad: id of padding.
    """
    if len(updates) == 1:
        return updates[0]
    parts = [update.plain() for update in updates]
    practices = [part.practice for part in parts if part.practice is not None]
    return Update(
        fresh=join([part.fresh for part in parts], pad=pad),
        scored=joined_scores([part.scored for part in parts]),
        figures={name: _figure(name, parts) for name in dict.fromkeys(chain.from_iterable(part.figures for part in parts))},
        sampling_seconds=parts[0].sampling_seconds,
        n_drawn=sum(part.n_drawn for part in parts),
        practice=functools.reduce(operator.add, practices) if practices else None,
    )


def joined_scores(parts: Sequence[Scored]) -> Scores:
    """The scores of several batches as those of one, in order."""
    return Scores(
        tuple(chain.from_iterable(part.total for part in parts)),
        {name: tuple(chain.from_iterable(part.parts[name] for part in parts)) for name in parts[0].parts},
    )


def _figure(name: str, parts: Sequence[Update]) -> float:
    told = [(part.figures[name], len(part.fresh)) for part in parts if name in part.figures]
    if name in COUNTED:
        return sum(value for value, _ in told)
    if name in HIGHEST:
        return max(value for value, _ in told)
    return sum(value * n for value, n in told) / sum(n for _, n in told)
