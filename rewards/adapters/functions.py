"""Rewards as functions, for other trainers, and functions as rewards."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from rewards.lines import explain_miscount, read
from rlpoet.errors import BrokenContractError
from rlpoet.protocols import Reward
from rlpoet.types import Explained, LineScore, Prompt

Completion = str | Sequence[Mapping[str, str]]  # a text, or chat messages of which the last one is the poem
Scoring = Callable[[list[str]], Sequence[float]]


def as_function(reward: Reward) -> Callable[..., list[float | None]]:
    """``f(prompts, completions, *, lang, form, **columns) -> scores``, named as the reward, for trl's GRPO and RLOO.

    ``prompts`` are ignored. The prompt comes from the dataset's columns ``lang``, ``form`` and, if it has one, ``author``, with one value
    per completion.

    >>> from rewards.rhyme import Rhyme
    >>> as_function(Rhyme())(["..."], ["amor\\ndolor"], lang=["es"], form=["pareado"])
    [1.0]
    """

    def score(
        prompts: Sequence[Any],
        completions: Sequence[Completion],
        *,
        lang: Sequence[str],
        form: Sequence[str],
        author: Sequence[str | None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        authors = [None] * len(lang) if author is None else author
        all_prompts = [Prompt(language, name, poet or None) for language, name, poet in zip(lang, form, authors, strict=True)]
        return reward.score(all_prompts, [c if isinstance(c, str) else c[-1]["content"] for c in completions])

    score.__name__ = reward.name  # the name trl logs it under
    return score


class FunctionReward:
    """Any function ``f(texts) -> list[float]`` as a reward.

    It sees the texts that have as many lines as their form; all others score 0. Its own business is to give every text a number in
    [0, 1] that depends on that text alone. Never None: a function knows no prompts.

    Args:
        function: at the top level of a module if the reward is to be pickled.
        name: the function's own by default.
        options: keyword arguments for it.

    >>> def brevity(texts):
    ...     return [1 / (1 + len(text)) for text in texts]
    >>> reward = FunctionReward(brevity)
    >>> reward.name, reward.score([Prompt("es", "pareado")] * 2, ["ay\\nay yay", "one line"])
    ('brevity', [0.1, 0.0])
    """

    def __init__(self, function: Callable[..., Sequence[float]], *, name: str = "", **options: Any) -> None:
        self.function = functools.partial(function, **options) if options else function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        whole = [read(prompt, text)[2] for prompt, text in zip(prompts, texts, strict=True)]
        complete_texts = [text for text, complete in zip(texts, whole, strict=True) if complete]
        scores = [self._number(value) for value in self.function(complete_texts)] if complete_texts else []
        if len(scores) != len(complete_texts):
            raise BrokenContractError(
                f"{self.name}: {len(scores)} scores for {len(complete_texts)} texts; expected one per text, in order."
            )
        remaining = iter(scores)
        return [next(remaining) if complete else 0.0 for complete in whole]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The score; what a plain function thinks of each line it does not say."""
        form, lines, complete = read(prompt, text)
        if not complete:
            return explain_miscount(self.name, form, lines)
        return Explained(self.name, self.score([prompt], [text])[0], tuple(LineScore(line, None, "") for line in lines))

    def _number(self, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            raise BrokenContractError(f"{self.name}: gives {value!r} for a text; expected a number in [0, 1].") from None


def as_reward(reward: Reward | Scoring) -> Reward:
    """A reward as it is, a function as a ``FunctionReward``.

    Raises:
        ValueError: neither.
    """
    if hasattr(reward, "score"):
        return cast(Reward, reward)
    if not callable(reward):
        raise ValueError(f"{reward!r} is no reward; expected one, or a function f(texts) -> list[float]")
    return FunctionReward(reward)
