"""Options of the trainers a run is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.ranges import Count, Natural, Options, Positive, Share, ShareAboveZero


@dataclass(frozen=True)
class TRLOptions(Options):
    """GRPO and RLOO of trl (grpo, rloo).

    Attributes:
        sampler: own draws under the grammar of the form, as the other trainers do; trl draws with transformers' generate, without the
            grammar.
        scale_rewards: for grpo. none divides by nothing; group divides advantages by the deviation of their prompt's rewards, as published;
            batch divides them by the deviation of all rewards.
    """

    sampler: Literal["own", "trl"] = "own"
    scale_rewards: Literal["none", "group", "batch"] = "none"


@dataclass(frozen=True)
class RFTOptions(Options):
    """Rejection-sampling fine-tuning (rft).

    Attributes:
        keep: best keeps the best poems of each prompt. target keeps all poems of the reference, each with the weight exp(beta (reward -
            1)), which is maximum likelihood on exact samples of the target. target needs refresh_steps 0 and ignores keep_share, keep_above
            and same_end.
        keep_share: largest share of a prompt's poems that is learned, at least one poem.
        keep_above: least reward of a poem that is learned.
        same_end: poems of a batch that may end a line with the same word.
        refresh_steps: steps between renewals of the policy that draws. 1 always draws from the policy in training, 0 always from the prior.
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
