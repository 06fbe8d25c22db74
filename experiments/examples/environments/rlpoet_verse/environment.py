"""One task at a time: ``reset`` asks, ``submit`` answers, ``get_reward`` tells what the answer earned. trl's ``environment_factory``.

    GRPOTrainer(model, environment_factory=VerseEnvironment, train_dataset=Dataset.from_list(rows(1000)), args=GRPOConfig(...))

trl calls ``reset`` with the columns of a row, appends the text it returns to the row's last message, offers ``submit`` to the model as a
tool, and asks for ``get_reward`` at the end. All texts of a row have the same task, as group-relative advantages
need. Without a data set every ``reset`` draws the next task of the environment's own stream: the texts of a group are then asked for
different poems, which GRPO cannot compare.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from rewards.adapters.completions import Completion
from rlpoet_verse.scoring import Compose, Judged, judge
from rlpoet_verse.specs import Choice, VerseSpec, spec

_streams = itertools.count()  # environments made without a number of their own draw different tasks


class VerseEnvironment:
    """A task, and what was answered.

    Args:
        seed: of the stream of tasks.
        start, stride: this environment has the tasks ``start``, ``start + stride`` ... of the stream. Environments of one stream that
            run side by side need different starts and one stride; by default each environment has a stream of its own.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start: int | None = None,
        stride: int = 1,
        choice: Choice | None = None,
        compose: Compose = "product",
        index: str = "",
    ) -> None:
        self._seed, self._choice, self._compose, self._index = seed, choice, compose, index
        self._numbers = itertools.count(next(_streams) * 1_000_003 if start is None else start, stride)
        self._spec: VerseSpec | None = None
        self._judged: Judged | None = None

    def reset(self, *, task: int | None = None, **columns: Any) -> str:
        """Begin a task.

        Args:
            task: number in the stream; the next one if it is not given.
            columns: of a data set. A row with ``lang`` and ``form`` is a task of its own; other columns are not read.

        Returns:
            What the model is asked, with how to answer; empty if the row has a prompt with words in it.
        """
        told = _told(columns.get("prompt"))
        if columns.get("lang") and columns.get("form"):
            theme = columns.get("theme") or ()
            words = tuple(theme.split()) if isinstance(theme, str) else tuple(theme)
            self._spec = VerseSpec(columns["lang"], columns["form"], told, 0.0, columns.get("author") or None, words)
        else:
            self._spec = spec(self._seed, next(self._numbers) if task is None else task, self._choice)
        self._judged = None
        return "" if told and columns.get("lang") else self._spec.prompt

    def submit(self, poem: str) -> str:
        """
        Hand in the poem. Only the first poem counts.

        Args:
            poem: The whole poem, one verse per line.

        Returns:
            Whether it was taken.
        """
        if self._spec is None:
            return "No poem was asked for."
        if self._judged is not None:
            return "A poem was handed in already. The first one counts."
        self._judged = self._judge(poem)
        return "Thank you."

    def get_reward(self) -> float:
        """What the first poem earned, in [0, 1]; 0 if none was handed in."""
        return 0.0 if self._judged is None else self._judged.total

    def _judge(self, completion: Completion) -> Judged:
        assert self._spec is not None
        return judge(self._spec, completion, compose=self._compose, index=self._index)

    # not methods: trl would offer them to the model as tools
    spec = property(lambda self: self._spec, doc="The task, None before ``reset``.")
    judged = property(lambda self: self._judged, doc="What the poem earned, with its parts; None if none was handed in.")


def rows(n: int, *, seed: int = 0, choice: Choice | None = None) -> list[dict[str, Any]]:
    """The first tasks of a stream as rows of a data set for trl, with the columns that ``as_function`` and ``reset`` read."""
    tasks = [spec(seed, index, choice) for index in range(n)]
    return [
        {
            "prompt": [{"role": "user", "content": one.prompt}],
            "lang": one.lang,
            "form": one.form,
            "author": one.author,
            "theme": list(one.theme),
        }
        for one in tasks
    ]


def log_parts(environments: list[VerseEnvironment], log_metric: Any = None, **columns: Any) -> list[None]:
    """A reward function of trl that scores nothing and logs each part's mean as ``verse/PART``: ``reward_funcs=[log_parts]``."""
    found: dict[str, list[float]] = {}
    for environment in environments:
        parts: Mapping[str, float] = environment.judged.parts if environment.judged else {}
        for name, value in parts.items():
            found.setdefault(name, []).append(value)
    for name, values in found.items():
        if log_metric is not None:
            log_metric(f"verse/{name}", sum(values) / len(values))
    return [None] * len(environments)


def _told(prompt: Any) -> str:
    """The text of a row's prompt."""
    if isinstance(prompt, str):
        return prompt.strip()
    texts = [message.get("content") for message in prompt or () if isinstance(message, Mapping)]
    return "\n".join(text for text in texts if isinstance(text, str)).strip()
