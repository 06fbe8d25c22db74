"""What a run can do in its time on this machine: how many updates, of how many prompts, and whether that is enough for a gain.

A fast machine makes a hundred updates of large batches in its time. A slow one that kept to those batches would make a dozen. With smaller
batches it makes more updates, each of them noisier.
"""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.reporting.progress import duration
from rlpoet.training.options import MOST_PROMPTS

MINUTES, UPDATES = 11.5, 100  # of a run that is given no budget: whichever is over first
LEAST_PROMPTS = 8  # of a step, where it is left to the machine
ENOUGH = 30  # updates before a gain can be told from chance
READINGS = {"tb": 3.0, "ppo": 5.0, "grpo": 4.0, "rloo": 4.0, "rft": 1.0, "best-of-n": 0.0}  # of a poem in a step, in readings by the prior
PRACTICE = 2.5  # more of them where the auxiliary task stands beside the poems
CRITIC, CRITIC_PASS = 1.2, 2.2  # more of them for a critic of PPO that is a whole model, and for each of its passes over a batch


@dataclass(frozen=True)
class Cost:
    """Seconds of one poem, as measured when the prior was.

    Attributes:
        draw: to draw it.
        read: to read it once, without a gradient.
        speedup: of a step over that measuring, by precision and processes.
    """

    draw: float
    read: float
    speedup: float = 1.0

    def of_step(self, algo: str, *, practice: bool, critic_passes: int = 0) -> float:
        """Seconds of a poem in a step of this trainer; good to a third.

        Args:
            practice: whether the auxiliary task stands beside the poems.
            critic_passes: over a batch, of a critic that is a whole model; 0 without one.

        >>> round(Cost(0.02, 0.016).of_step("tb", practice=True), 3)
        0.108
        >>> round(Cost(0.02, 0.016).of_step("ppo", practice=False, critic_passes=2), 3)
        0.19
        """
        readings = READINGS.get(algo, 5.0) + (PRACTICE if practice else 0.0)
        readings += CRITIC + critic_passes * CRITIC_PASS if critic_passes else 0.0
        return (self.draw + readings * self.read) / self.speedup


@dataclass(frozen=True)
class Plan:
    """Updates of a run.

    Attributes:
        prompts: of a step.
        updates: that fit the budget.
        seconds: that they take; of one step ``step_seconds``.
    """

    prompts: int
    updates: int
    seconds: float
    step_seconds: float

    def lines(self, group_size: int) -> list[str]:
        """For a user, before the run starts; a warning where no gain is to be expected."""
        told = [
            f"{self.updates} updates of {self.prompts} prompts x {group_size} poems, some {duration(self.step_seconds)} each: "
            f"about {duration(self.seconds)} of training."
        ]
        if self.updates < ENOUGH:
            needed = max(1, round(self.step_seconds * ENOUGH / 60 + 0.5))
            told.append(
                f"That is too little for a gain that can be told from chance: expected {ENOUGH} updates or more. "
                f"This machine needs about {needed} minutes: --minutes {needed}."
            )
        return told


def plan(cost: float, *, minutes: float, max_steps: int, group_size: int, prompts: int | None, least: int = 1) -> Plan:
    """How a run spends its budget.

    Args:
        cost: seconds of a poem in a step.
        minutes, max_steps: the budget; 0 for no limit, not both.
        prompts: of a step; None for as many as leave a budget of minutes its ``UPDATES``, within bounds.
        least: prompts a step must have, one a process.

    >>> plan(0.13, minutes=10, max_steps=100, group_size=8, prompts=None)
    Plan(prompts=8, updates=72, seconds=599.0, step_seconds=8.32)
    >>> plan(0.018, minutes=10, max_steps=100, group_size=8, prompts=None).prompts
    24
    """
    of_prompt = cost * group_size
    if prompts is None:
        prompts = MOST_PROMPTS
        if minutes:
            prompts = int(60 * minutes / (max_steps or UPDATES) / max(of_prompt, 1e-9))
        prompts = max(least, LEAST_PROMPTS, min(MOST_PROMPTS, prompts))
    step = of_prompt * prompts
    fit = [max_steps] if max_steps else []
    fit += [max(1, round(60 * minutes / max(step, 1e-9)))] if minutes else []
    updates = min(fit)
    return Plan(prompts, updates, round(updates * step, 1), round(step, 3))
