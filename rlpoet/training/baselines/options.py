"""Options of the trainers a run is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.ranges import Count, Natural, Options, Positive, Share, ShareAboveZero


@dataclass(frozen=True)
class TRLOptions(Options):
    """GRPO and RLOO of trl (grpo, rloo).

    Attributes:
        sampler: own draws under the grammar of the form, as the other trainers do; trl draws with transformers' generate, without it.
        scale_rewards: of grpo. none; group divides advantages by the deviation of their prompt's rewards, as published; batch by
            that of all.
    """

    sampler: Literal["own", "trl"] = "own"
    scale_rewards: Literal["none", "group", "batch"] = "none"


@dataclass(frozen=True)
class RFTOptions(Options):
    """Rejection-sampling fine-tuning (rft).

    Attributes:
        keep: best, the best poems of each prompt; or target, all poems of the reference, each weighed by exp(beta (reward - 1)), which is
            maximum likelihood on exact samples of the target. target needs refresh_steps 0 and reads none of the three that follow.
        keep_share: largest share of a prompt's poems that is learned, at least one poem.
        keep_above: least reward of a poem that is learned.
        same_end: poems of a batch that may end a line with the same word.
        refresh_steps: steps between renewals of the policy that draws; 1 is the one in training, 0 leaves it the prior.
    """

    keep: Literal["best", "target"] = "best"
    keep_share: ShareAboveZero = 0.25
    keep_above: Share = 0.0
    same_end: Count = 3
    refresh_steps: Natural = 1


@dataclass(frozen=True)
class BestOfNOptions(Options):
    """Best of n (best-of-n): no training, the budget spent on drawing.

    Attributes:
        temperature: of the poems drawn.
    """

    temperature: Positive = 1.0
