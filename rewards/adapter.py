"""Rewards for other trainers: the plain function of completions and dataset columns that trl's GRPO and RLOO call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlpoet.protocols import Reward
from rlpoet.types import Prompt

Completion = str | Sequence[Mapping[str, str]]  # a text, or chat messages of which the last one is the poem


def as_function(reward: Reward) -> Callable[..., list[float | None]]:
    """``f(prompts, completions, *, lang, form, **columns) -> scores``, named as the reward.

    ``prompts`` are the model's own and not looked at: what was asked for comes in the columns ``lang`` and ``form``
    of the dataset, one value a completion.

    >>> from rewards.rhyme import Rhyme
    >>> as_function(Rhyme())(["..."], ["amor\\ndolor"], lang=["es"], form=["pareado"])
    [1.0]
    """

    def score(
        prompts: Sequence[Any], completions: Sequence[Completion], *, lang: Sequence[str], form: Sequence[str], **columns: Any
    ) -> list[float | None]:
        asked = [Prompt(*pair) for pair in zip(lang, form, strict=True)]
        return reward.score(asked, [c if isinstance(c, str) else c[-1]["content"] for c in completions])

    score.__name__ = reward.name  # the name trl logs it under
    return score
