"""Rewards as functions, for other trainers, and functions as rewards.

What stands here is picklable where its reward is, so process pools, Ray and spawned workers may have it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from rewards.adapters.completions import Completion, poem_of
from rewards.lines import explain_miscount, read
from rlpoet.errors import BrokenContractError
from rlpoet.protocols import Reward
from rlpoet.types import Explained, LineScore, Prompt

Scoring = Callable[[list[str]], Sequence[float]]
Parts = Mapping[str, Sequence[float | None]]


def as_function(reward: Reward) -> Callable[..., list[float | None]]:
    """``f(prompts, completions, *, lang, form, **columns) -> scores``, named as the reward, for trl's GRPO and RLOO.

    ``prompts`` are ignored. The prompt comes from the dataset's columns ``lang``, ``form`` and, if it has them, ``author`` and
    ``opening``, with one value per completion or one for all. A row whose ``lang`` or ``form`` is None belongs to another task: its score
    is None. A composed reward logs the mean of each part by trl's ``log_metric``, as ``NAME/PART``.

    Raises:
        ValueError: the dataset has no column ``lang`` or ``form``, or another number of values than completions.

    >>> from rewards.rhyme import Rhyme
    >>> as_function(Rhyme())(["...", "2 + 2 ="], ["amor\\ndolor", "4"], lang=["es", None], form=["pareado", None])
    [1.0, None]
    """
    return _ColumnFunction(reward)


def as_async_function(reward: Reward) -> Callable[..., Awaitable[list[float | None]]]:
    """``as_function`` as a coroutine, which scores in a thread: trl runs several of them side by side."""
    return _AsyncColumnFunction(reward)


def as_functions(reward: Reward) -> tuple[list[Callable[..., list[float | None]]], list[float]]:
    """The terms of a weighted mean as functions of their own, and their weights: ``reward_funcs`` and ``reward_weights`` of trl.

    GDPO normalises each reward by itself (``multi_objective_aggregation="normalize_then_sum"``), so it needs them apart. A reward that is
    not composed is one function of weight 1.

    Raises:
        ValueError: a reward whose terms are not added up, such as a product.
    """
    if not hasattr(reward, "terms"):
        return [as_function(reward)], [1.0]
    if reward.name != "weighted_mean":
        raise ValueError(f"{reward.name}: its terms are not added up; expected a WeightedMean. Give trl the whole: as_function(reward).")
    return [as_function(term) for term, _ in reward.terms], [float(weight) for _, weight in reward.terms]


def totals_and_parts(reward: Reward, prompts: Sequence[Prompt], texts: Sequence[str]) -> tuple[list[float | None], Parts]:
    """The score of each text, and the scores of each part of a composed reward, by name."""
    if callable(reward):
        scored = reward(prompts, texts)
        return list(scored.total), scored.parts
    return reward.score(prompts, texts), {}


class _ColumnFunction:
    """A reward as a function of completions and columns."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward
        self.__name__ = reward.name  # the name trl logs it under

    def __call__(
        self,
        prompts: Sequence[Any] | None = None,
        completions: Sequence[Completion] = (),
        *,
        lang: Sequence[str | None] | str | None = None,
        form: Sequence[str | None] | str | None = None,
        author: Sequence[str | None] | str | None = None,
        opening: Sequence[Sequence[str] | str | None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: Any,
    ) -> list[float | None]:
        if lang is None or form is None:
            missing = "lang" if lang is None else "form"
            raise ValueError(f"{self.__name__}: no column {missing!r}; expected the columns lang and form. Add them to the data set.")
        n = len(completions)
        langs, forms, authors, openings = (self._column(*pair, n) for pair in _named(lang, form, author, opening))
        wanted = [i for i in range(n) if langs[i] and forms[i]]
        asked = [Prompt(langs[i], forms[i], authors[i] or None, _lines(openings[i])) for i in wanted]
        totals, parts = totals_and_parts(self.reward, asked, [poem_of(completions[i]) for i in wanted])
        if log_metric is not None:
            _log(log_metric, self.__name__, parts)
        scores: list[float | None] = [None] * n
        for i, score in zip(wanted, totals, strict=True):
            scores[i] = score
        return scores

    def _column(self, name: str, values: Any, n: int) -> Sequence[Any]:
        if values is None or isinstance(values, str):
            return [values] * n
        if len(values) != n:
            raise ValueError(f"{self.__name__}: {len(values)} values of {name!r} for {n} completions; expected one per completion.")
        return cast(Sequence[Any], values)


class _AsyncColumnFunction(_ColumnFunction):
    async def __call__(self, *args: Any, **columns: Any) -> list[float | None]:  # type: ignore[override]
        return await asyncio.to_thread(super().__call__, *args, **columns)


def _named(*values: Any) -> list[tuple[str, Any]]:
    return list(zip(("lang", "form", "author", "opening"), values, strict=True))


def _lines(opening: Sequence[str] | str | None) -> tuple[str, ...]:
    return tuple(opening.splitlines()) if isinstance(opening, str) else tuple(opening or ())


def _log(log_metric: Callable[[str, float], None], name: str, parts: Parts) -> None:
    """The mean of each part over the texts whose prompt asks for it."""
    for part, scores in parts.items():
        asked = [score for score in scores if score is not None]
        if asked:
            log_metric(f"{name}/{part}", sum(asked) / len(asked))


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
