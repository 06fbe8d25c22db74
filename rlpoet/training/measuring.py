"""Measuring a policy before and after training: its poems, how far they are, and their distance from the target of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console

from rlpoet.evaluation.sampled import PER_PROMPT, Measured, examine, toward, warm_up
from rlpoet.protocols import Scorer
from rlpoet.reporting.progress import Pulse
from rlpoet.rollout import Policy, ReportsProgress, Rollout
from rlpoet.training.config import TrainConfig
from rlpoet.types import Prompt


def measured(
    config: TrainConfig,
    policy: Policy,
    prior: Policy,
    eval_prompts: Sequence[Prompt],
    out: Console,
    *,
    whose: str,
    drawn: Rollout | None = None,
    weigh: bool = False,
) -> tuple[Measured, Rollout]:
    """Examine a policy, and say how far that is."""
    out.print(f"Measuring {config.eval_samples} poems of {whose} ...")
    warm_up(policy, prior, eval_prompts)
    asked = len(eval_prompts) * PER_PROMPT
    finished = before = 0

    def told(done: int, total: int) -> None:
        nonlocal finished, before
        if done < before:  # the next part
            finished += part
        before = done
        pulse.tell(f"{finished + done} of {asked} poems drawn", share=(finished + done) / asked)

    part = 32 * PER_PROMPT
    with Pulse(out) as pulse, watched(policy, told):
        return examine(
            policy, prior, eval_prompts, config.eval_samples, seed=config.seed, top_p=config.eval_top_p, drawn=drawn, weigh=weigh
        )


def aimed(config: TrainConfig, side: Measured, score: Scorer, *, prior: Measured | None = None) -> Measured:
    """With the distance from the target of the run, whose weights are those of its end; as it is where poems are not of all tokens."""
    if config.eval_top_p < 1:
        return side
    final = score.at(1.0) if hasattr(score, "at") else score
    return toward(side, final(side.prompts, side.texts).total, config.beta, prior=prior)


@contextmanager
def watched(policy: Policy, call: Callable[[int, int], None]) -> Iterator[None]:
    """Have a policy that can report how many poems it has drawn report it."""
    if not isinstance(policy, ReportsProgress):
        yield
        return
    policy.progress = call
    try:
        yield
    finally:
        policy.progress = None
