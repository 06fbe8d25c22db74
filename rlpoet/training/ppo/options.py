"""Options of proximal policy optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.ranges import Count, Natural, NonNegative, Options, Positive, Share


@dataclass(frozen=True)
class PPOOptions(Options):
    """Proximal policy optimisation (ppo).

    Attributes:
        credit: where gains are paid. word pays the gain of a line's last word right after that word, which is early in a line written from
            its end, and the other gain at the end of the line. line pays both at the end of the line. poem pays everything at the end of
            the poem.
        epochs: passes of the policy over a batch. Drawing poems costs less than computing their gradient, so a second pass saves little.
        minibatches: updates of the policy per pass.
        cliprange: how far the ratio of a token's probabilities may move from 1.
        lam: lambda of the advantages; 1 uses rewards alone, 0 relies on the critic.
        lam_per: where lambda applies: at every token, or only where a segment ends. Segments are a line's last word and the rest of the
            line; unless credit is word, they are whole lines. With segment, the first word of a rhyme keeps about lam to the power of 4 of
            what the second word earns.
        whiten: give the advantages of a batch mean 0 and deviation 1.
        kl_target: KL per text, in nats, that the KL coefficient is adjusted to reach, starting from 1 / beta; 0 keeps the coefficient at 1
            / beta.
        entropy_bonus: units of reward per nat of entropy; any but 0 moves the target.
        critic: states is a small network on the policy's last hidden states. model is a copy of the whole policy with a linear head, which
            learns in the layers that the policy learns in. It reads the texts itself, and a step takes 2 to 2.5 times as long.
        value_rate: peak rate of the critic; by default 1e-3 with critic states, and the policy's own peak rate with critic model.
        value_epochs: passes of the critic over a batch, which cost next to nothing with critic states.
        value_minibatches: updates of the critic per pass.
        value_lam: lambda of the returns that the critic learns; 1 is unbiased even if the critic is wrong.
        cliprange_value: how far a value may move in one step, in units of reward; 0 for no limit.
        critic_first: passes of the critic over the first batch, before the policy moves.
    """

    credit: Literal["word", "line", "poem"] = "word"
    epochs: Count = 1
    minibatches: Count = 2
    cliprange: NonNegative = 0.2
    lam: Share = 0.95
    lam_per: Literal["token", "segment"] = "token"
    whiten: bool = True
    kl_target: NonNegative = 0.0
    entropy_bonus: NonNegative = 0.0
    critic: Literal["states", "model"] = "states"
    value_rate: Positive | None = None
    value_epochs: Count = 2
    value_minibatches: Count = 8
    value_lam: Share = 1.0
    cliprange_value: NonNegative = 0.2
    critic_first: Natural = 8
