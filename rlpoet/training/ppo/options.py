"""Options of proximal policy optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.ranges import Count, Natural, NonNegative, Options, Positive, Share


@dataclass(frozen=True)
class PPOOptions(Options):
    """Proximal policy optimisation (ppo).

    Attributes:
        credit: word pays what a line's last word earns where that word is over, which is early in a line written from its end,
            and the line's other part where the line ends; line pays both at the line's end, poem everything at the poem's.
        epochs: passes of the policy over a batch; drawing poems costs less than weighing them, so nothing is gained by using one twice.
        minibatches: updates of the policy per pass.
        cliprange: how far the ratio of a token's probabilities may move from 1.
        lam: lambda of the advantages; 1 trusts rewards alone, 0 the critic.
        lam_per: where lambda counts: at every token, or where a segment ends. Segments are a line's last word and its rest, or whole lines
            unless credit is word. With segment, an opening rhyme word keeps lam to the power of some 4 segments of what its mate earns.
        whiten: give the advantages of a batch mean 0 and deviation 1.
        kl_target: sequence KL in nats that the KL coefficient is steered to, from 1 / beta on; 0 keeps it at 1 / beta.
        entropy_bonus: units of reward per nat of entropy; any but 0 moves the target.
        critic: states is a small network on the policy's last hidden states. model is a copy of the whole policy with a linear head, which
            learns in the layers that the policy learns in. It reads the texts itself, and a step takes 2 to 2.5 times as long.
        value_rate: peak rate of the critic; by default 1e-3 with critic states, and the policy's own peak rate with critic model.
        value_epochs: passes of the critic over a batch, which cost next to nothing with critic states.
        value_minibatches: updates of the critic per pass.
        value_lam: lambda of the returns the critic learns; 1 is unbiased whatever the critic knows.
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
