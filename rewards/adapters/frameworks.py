"""Adapters of rewards for other trainers: trl, verl, OpenRLHF, verifiers. None of these is imported here.

| library | signature | made by | the prompt comes from |
| --- | --- | --- | --- |
| trl | ``f(prompts, completions, **columns)`` | ``rewards.adapters.functions.as_function`` | columns ``lang``, ``form``, ``author`` |
| verl | ``compute_score(data_source, solution_str, ground_truth, extra_info)`` | ``verl_compute_score`` | ``ground_truth`` |
| OpenRLHF | ``reward_func(queries, prompts, labels)`` | ``openrlhf_reward_func`` | ``labels`` |
| verifiers 0.1 | a function of a ``Rubric`` | ``rubric_function`` | ``answer`` |
| verifiers 0.4 | ``async reward(task, trace)`` | ``task_reward`` | fields ``lang``, ``form``, ``author`` of the task's data |

The last four need a number for every text. If a prompt does not ask for the reward, or the label is None or one of another task, they get
0.0, which is the same for all texts of the prompt, so no text gains. What they make is picklable where the reward is. verl and OpenRLHF
load a function by name from a Python file; ``experiments/examples/interop`` has such files, and scripts that run each library with them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rewards.adapters.completions import Completion, after_prompt, poem_of
from rewards.adapters.functions import totals_and_parts
from rlpoet.protocols import Reward
from rlpoet.types import Prompt

FIELDS = ("lang", "form", "author", "opening")


def asked_for(value: Any) -> Prompt | None:
    r"""The prompt of a label: a ``Prompt``, a mapping, JSON, or the words ``LANG FORM`` or ``LANG FORM AUTHOR``.

    None for a row of another task: the label is None, or a mapping that has ``lang`` and ``form`` without a value in one of them.

    Raises:
        ValueError: anything else, since a wrong label must not look like a poor poem.

    >>> asked_for("fr quatrain-abab Victor Hugo")
    Prompt(lang='fr', form='quatrain-abab', author='Victor Hugo', opening=())
    >>> asked_for('{"lang": "es", "form": "pareado"}') == asked_for({"lang": "es", "form": "pareado"})
    True
    >>> asked_for({"lang": None, "form": None}) is None
    True
    """
    if value is None or isinstance(value, Prompt):
        return value
    if isinstance(value, str):
        if value.lstrip().startswith("{"):
            return asked_for(json.loads(value))
        words = value.split(maxsplit=2)
        if len(words) >= 2:
            return Prompt(words[0], words[1], words[2].strip() if len(words) == 3 else None)
    if isinstance(value, Mapping):
        if value.get("lang") and value.get("form"):
            return Prompt(value["lang"], value["form"], value.get("author") or None, tuple(value.get("opening") or ()))
        if "lang" in value and "form" in value and None in (value["lang"], value["form"]):
            return None
    raise ValueError(f"label {value!r:.80} says no form; expected 'fr quatrain-abab', or a mapping (or its JSON) with lang and form")


def verl_compute_score(reward: Reward) -> Callable[..., dict[str, float]]:
    """``compute_score`` of verl (``custom_reward_function``), whose ``ground_truth`` is a label (``asked_for``).

    Returns:
        A function that gives ``{"score": total}`` and, for a composed reward, each part under its name. A part that the prompt does not
        ask for is NaN, because verl needs the same keys for every text.

    >>> from rewards.rhyme import Rhyme
    >>> verl_compute_score(Rhyme())("verse", "amor\\ndolor", "es pareado")
    {'score': 1.0}
    """
    return _ComputeScore(reward)


def openrlhf_reward_func(reward: Reward) -> Callable[..., dict[str, Any]]:
    r"""``reward_func(queries, prompts, labels)`` of OpenRLHF, whose queries are the prompt followed by the completion.

    Returns:
        A function that gives ``rewards``, ``scores`` (both in [0, 1]) and ``extra_logs``: numbers for one text, as OpenRLHF 0.11 needs,
        or lists for several. Parts that the prompt does not ask for are left out of the logs.

    >>> from rewards.rhyme import Rhyme
    >>> openrlhf_reward_func(Rhyme())(["<s>Poème : ombre\nsombre</s>"], ["Poème : "], ["fr couplet"])
    {'rewards': 1.0, 'scores': 1.0, 'extra_logs': {'rhyme': 1.0}}
    """
    return _RewardFunc(reward)


def rubric_function(reward: Reward) -> Callable[..., float]:
    """A function for ``verifiers.Rubric(funcs=[...])``, whose ``answer`` is a label (``asked_for``).

    >>> from rewards.rhyme import Rhyme
    >>> rubric_function(Rhyme())([{"role": "assistant", "content": "amor\\ndolor"}], "es pareado")
    1.0
    """
    return _RubricFunction(reward)


def task_reward(reward: Reward) -> Callable[[Any, Any], Awaitable[float]]:
    """A reward of verifiers' tasks: scores the last reply of ``trace`` for the prompt in the data of ``task``."""
    return _TaskReward(reward)


class _Adapter:
    """Keeps the reward, and has its name."""

    def __init__(self, reward: Reward) -> None:
        self.reward = reward
        self.__name__ = reward.name

    def judged(self, prompt: Prompt | None, text: str) -> tuple[float, Mapping[str, float | None]]:
        """The total score (0 for None), and the parts of a composed reward."""
        if prompt is None:
            return 0.0, dict.fromkeys([term.name for term, _ in getattr(self.reward, "terms", ())])
        totals, parts = totals_and_parts(self.reward, [prompt], [text])
        return (0.0 if totals[0] is None else float(totals[0])), {name: scores[0] for name, scores in parts.items()}


class _ComputeScore(_Adapter):
    def __call__(
        self,
        data_source: str = "",
        solution_str: Completion = "",
        ground_truth: Any = None,
        extra_info: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, float]:
        total, parts = self.judged(asked_for(ground_truth), poem_of(solution_str))
        return {"score": total, **{name: math.nan if part is None else part for name, part in parts.items()}}


class _RewardFunc(_Adapter):
    def __call__(self, queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> dict[str, Any]:
        rows = zip(queries, prompts, labels, strict=True)
        scores = [self.judged(asked_for(label), poem_of(after_prompt(query, prompt))) for query, prompt, label in rows]
        totals = [total for total, _ in scores]
        logs = [{name: part for name, part in {self.__name__: total, **parts}.items() if part is not None} for total, parts in scores]
        if len(scores) == 1:
            return {"rewards": totals[0], "scores": totals[0], "extra_logs": logs[0]}
        shared = [name for name in logs[0] if all(name in row for row in logs)] if logs else []
        return {"rewards": totals, "scores": totals, "extra_logs": {name: [row[name] for row in logs] for name in shared}}


class _RubricFunction(_Adapter):
    def __call__(self, completion: Completion, answer: Any = None, **_: Any) -> float:
        return self.judged(asked_for(answer), poem_of(completion))[0]


class _TaskReward(_Adapter):
    async def __call__(self, task: Any, trace: Any) -> float:
        data = getattr(task, "data", task)
        label = {name: getattr(data, name, None) for name in FIELDS}
        return self.judged(asked_for(label), poem_of(trace.last_reply))[0]
