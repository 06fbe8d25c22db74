"""A limit of time for what a reward is asked: a loop without end in somebody's code ends a run with one line, not never."""

from __future__ import annotations

import functools
import itertools
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import Any

from rlpoet.errors import BrokenContractError
from rlpoet.protocols import Reward
from rlpoet.types import Explained, Prompt

SECONDS = 600.0  # of one call of a reward, where nothing else is said: a batch takes the rewards of this project one or two
AGAIN = 1.0  # seconds to the next attempt, if a reward catches whatever is raised in it


class TimeIsUp(BaseException):
    """Raised within ``within``. No ``Exception``: a reward that goes on after errors is to end too."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise ``TimeIsUp`` in what is done here once so many seconds have passed; 0 for no limit.

    By the timer of the process, so it interrupts Python code, waiting for files and networks, and regular expressions, but no call of a
    compiled library that does not return. Only a main thread of a Unix system has one; elsewhere there is no limit.
    """
    if not seconds or not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return
    at_work = True

    def ring(*_: object) -> None:
        if at_work:
            raise TimeIsUp

    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        try:
            yield
        finally:
            at_work = False
    finally:  # also if it rang just now
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, handler)


def lazy(answer: Any) -> bool:
    """Whether an answer is one that has to be gone through to know how much there is of it."""
    return isinstance(answer, Iterable) and not isinstance(answer, Sized)


class TimeLimited:
    """A reward whose every answer has to come in time; else as the reward itself.

    Args:
        reward: any.
        seconds: for one call; see ``within``.

    Raises:
        BrokenContractError: by ``score`` and ``by_line``, if it takes longer.
    """

    def __init__(self, reward: Reward, seconds: float) -> None:
        self.reward, self.seconds, self.name = reward, seconds, reward.name

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return self._asked(self.reward.score, len(texts), prompts, texts)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        return self.reward.explain(prompt, text)

    def __getattr__(self, name: str) -> Any:
        if name == "reward":  # while it is unpickled
            raise AttributeError(name)
        found = getattr(self.reward, name)
        return functools.partial(self._asked, found, 1) if name == "by_line" else found

    def _asked(self, call: Callable[..., Any], n_texts: int, *args: Any) -> Any:
        try:
            with within(self.seconds):
                answer = call(*args)
                # a generator computes its answers only now, and may have no end
                return list(itertools.islice(answer, n_texts + 1)) if lazy(answer) else answer
        except TimeIsUp:
            texts = "a text" if n_texts == 1 else f"{n_texts} texts"
            raise BrokenContractError(
                f"{self.name}: no answer for {texts} within {self.seconds:g} seconds; expected one. Look for a loop without end in it, "
                "or set a higher --reward_timeout."
            ) from None
