"""Adapters of rewards for other trainers: trl, verl, OpenRLHF, verifiers. None of these is imported here.

| library | signature | made by | the prompt comes from |
| --- | --- | --- | --- |
| trl | ``f(prompts, completions, **columns)`` | ``rewards.adapters.functions.as_function`` | columns ``lang``, ``form``, ``author`` |
| verl | ``compute_score(data_source, solution_str, ground_truth, extra_info)`` | ``verl_compute_score`` | ``ground_truth`` |
| OpenRLHF | ``reward_func(queries, prompts, labels)`` | ``openrlhf_reward_func`` | ``labels`` |
| verifiers 0.1 | a function of a ``Rubric`` | ``rubric_function`` | ``answer`` |
| verifiers 0.4 | ``async reward(task, trace)`` | ``task_reward`` | fields ``lang``, ``form``, ``author`` of the task's data |

The last four need a number for every text. If a prompt does not ask for the reward they get 0.0, which is the same for all texts of the
prompt, so no text gains. verl and OpenRLHF load a function by name from a Python file; ``experiments/examples/interop`` has such files,
and scripts that run each library with them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rewards.adapters.functions import Completion
from rlpoet.protocols import Reward
from rlpoet.types import Prompt

MARK = re.compile(r"<\|[^|<>\s]*\|>|</?(?:s|bos|eos|pad)>|\[(?:EOS|PAD|SEP|CLS)\]|<(?:end_of_turn|start_of_turn)>")
FIELDS = ("lang", "form", "author", "opening")


def asked_for(value: Any) -> Prompt:
    r"""The prompt of a label: a ``Prompt``, a mapping, JSON, or the words ``LANG FORM`` or ``LANG FORM AUTHOR``.

    Raises:
        ValueError: anything else, since a wrong label must not look like a poor poem.

    >>> asked_for("fr quatrain-abab Victor Hugo")
    Prompt(lang='fr', form='quatrain-abab', author='Victor Hugo', opening=())
    >>> asked_for('{"lang": "es", "form": "pareado"}') == asked_for({"lang": "es", "form": "pareado"})
    True
    """
    if isinstance(value, Prompt):
        return value
    if isinstance(value, str):
        if value.lstrip().startswith("{"):
            return asked_for(json.loads(value))
        words = value.split(maxsplit=2)
        if len(words) >= 2:
            return Prompt(words[0], words[1], words[2].strip() if len(words) == 3 else None)
    if isinstance(value, Mapping) and value.get("lang") and value.get("form"):
        return Prompt(value["lang"], value["form"], value.get("author") or None, tuple(value.get("opening") or ()))
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

    def compute_score(
        data_source: str, solution_str: str, ground_truth: Any, extra_info: Mapping[str, Any] | None = None, **_: Any
    ) -> dict[str, float]:
        total, parts = _judged(reward, asked_for(ground_truth), without_marks(solution_str))
        return {"score": total, **{name: math.nan if part is None else part for name, part in parts.items()}}

    return compute_score


def openrlhf_reward_func(reward: Reward) -> Callable[..., dict[str, Any]]:
    r"""``reward_func(queries, prompts, labels)`` of OpenRLHF, whose queries are the prompt followed by the completion.

    Returns:
        A function that gives ``rewards``, ``scores`` (both in [0, 1]) and ``extra_logs``: numbers for one text, as OpenRLHF 0.11 needs,
        or lists for several. Parts that the prompt does not ask for are left out of the logs.

    >>> from rewards.rhyme import Rhyme
    >>> openrlhf_reward_func(Rhyme())(["<s>Poème : ombre\nsombre</s>"], ["Poème : "], ["fr couplet"])
    {'rewards': 1.0, 'scores': 1.0, 'extra_logs': {'rhyme': 1.0}}
    """

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[Any], **_: Any) -> dict[str, Any]:
        scores = [
            _judged(reward, asked_for(label), without_marks(_after(query, prompt)))
            for query, prompt, label in zip(queries, prompts, labels, strict=True)
        ]
        totals = [total for total, _ in scores]
        logs = [{name: part for name, part in {reward.name: total, **parts}.items() if part is not None} for total, parts in scores]
        if len(scores) == 1:
            return {"rewards": totals[0], "scores": totals[0], "extra_logs": logs[0]}
        shared = [name for name in logs[0] if all(name in row for row in logs)] if logs else []
        return {"rewards": totals, "scores": totals, "extra_logs": {name: [row[name] for row in logs] for name in shared}}

    return reward_func


def rubric_function(reward: Reward) -> Callable[..., float]:
    """A function for ``verifiers.Rubric(funcs=[...])``, whose ``answer`` is a label (``asked_for``).

    >>> from rewards.rhyme import Rhyme
    >>> rubric_function(Rhyme())([{"role": "assistant", "content": "amor\\ndolor"}], "es pareado")
    1.0
    """

    def score(completion: Completion, answer: Any, **_: Any) -> float:
        return _judged(reward, asked_for(answer), text_of(completion))[0]

    score.__name__ = reward.name
    return score


def task_reward(reward: Reward) -> Callable[[Any, Any], Awaitable[float]]:
    """A reward of verifiers' tasks: scores the last reply of ``trace`` for the prompt in the data of ``task``."""

    async def score(task: Any, trace: Any) -> float:
        label = {name: getattr(task, name, None) for name in FIELDS}
        return _judged(reward, asked_for(label), trace.last_reply)[0]

    score.__name__ = reward.name
    return score


def text_of(completion: Completion) -> str:
    """The poem in a completion: the text itself, or the last message of a chat; may be ``""``.

    >>> text_of([{"role": "user", "content": "Rhyme!"}, {"role": "assistant", "content": "amor"}])
    'amor'
    """
    if isinstance(completion, str):
        return completion
    return (completion[-1]["content"] or "") if completion else ""


def without_marks(text: str) -> str:
    r"""A completion without the special tokens that OpenRLHF leaves in, and without spaces around it.

    >>> without_marks("<|assistant|> ombre\nsombre<|im_end|></s>")
    'ombre\nsombre'
    """
    return MARK.sub("", text).strip()


def _after(query: str, prompt: str) -> str:
    _, separator, completion = query.partition(prompt) if prompt else ("", "", query)
    if prompt and not separator:
        raise ValueError(f"query {query!r:.60} does not hold its prompt {prompt!r:.60}; expected prompt and completion in a row")
    return completion


def _judged(reward: Reward, prompt: Prompt, text: str) -> tuple[float, Mapping[str, float | None]]:
    """The total score (0 for None), and the parts of a composed reward."""
    if callable(reward):
        scored = reward([prompt], [text])
        total, parts = scored.total[0], {name: scores[0] for name, scores in scored.parts.items()}
    else:
        total, parts = reward.score([prompt], [text])[0], {}
    return (0.0 if total is None else float(total)), parts
