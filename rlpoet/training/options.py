"""Options that every trainer takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.ranges import Count, NonNegative, Options, Positive, Share

MOST_PROMPTS = 24  # of a step, where nothing else is said


@dataclass(frozen=True)
class StepOptions(Options):
    """What a step of any trainer is made of.

    Attributes:
        prompts_per_step: prompts in a batch; by default 24. It is as few as 8 if a budget of minutes would otherwise end after fewer than
            100 updates on this machine.
        group_size: fresh poems per prompt.
        beta: strength of the reward against the prior. The target is log pi* = log p0 + beta r.
        beta_warmup: share of the run over which beta rises from a quarter to its value.
        learning_rate: peak rate; by default the trainer's own, 3e-4 of ppo and 6e-4 of the others. It falls to a tenth over the budget.
        warmup: share of the run over which the rate rises from a tenth to its peak.
        clip: largest norm of a gradient.
        aux_rhyme_weight: weight of the auxiliary rhyming-word task, 0 for none; by default 2 for tb without a preset, else 0. The task has
            a target of its own, which moves the fixed point (docs/training.md). It needs a policy that was pretrained with rhyme-pair data;
            other policies learn from poems alone.
        aux_sampler: which model draws the words of the auxiliary task; the target is the same. Words of the policy teach more; words of the
            reference keep the policy nearer to the reference.
        freeze_embeddings: leave token embeddings and the head as they are; their gradients are mostly noise.
    """

    prompts_per_step: Count | None = None
    group_size: Count = 8
    beta: NonNegative = 30.0
    beta_warmup: Share = 0.2
    learning_rate: NonNegative | None = None
    warmup: Share = 0.1
    clip: Positive = 1.0
    aux_rhyme_weight: NonNegative | None = None
    aux_sampler: Literal["policy", "reference"] = "policy"
    freeze_embeddings: bool = True

    @property
    def n_prompts(self) -> int:
        """Prompts in a batch, as a number."""
        return self.prompts_per_step or MOST_PROMPTS
