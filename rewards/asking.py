"""The one place where a reward is asked. What it answers is checked here, so that nothing else reaches a gradient."""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rlpoet.errors import BrokenContractError, RlpoetError
from rlpoet.protocols import Reward
from rlpoet.types import Prompt

SHOWN, LONGEST = 60, 300  # characters of a text, and of what an error says, in a message
FIX = "Try the reward with rewards.testing.contract.check_reward."


def scores_of(reward: Reward, prompts: Sequence[Prompt], texts: Sequence[str]) -> tuple[float | None, ...]:
    """The score of each text, in [0, 1], or None where its prompt does not ask for the reward.

    Raises:
        BrokenContractError: another number of scores, one that is no number in [0, 1], or an error of the reward's own.
    """
    answer = _attempt(reward, prompts, texts)
    if not isinstance(answer, Iterable):
        raise BrokenContractError(f"{reward.name}: gives {reprlib.repr(answer)}; expected a list of scores. {FIX}")
    try:
        scores = tuple(itertools.islice(answer, len(texts) + 1))  # it may have no end
    except Exception as error:  # it may be computed only now
        raise _raised(reward, error, None) from error
    if len(scores) != len(texts):
        n = f"{len(scores)}" if len(scores) < len(texts) else f"more than {len(texts)}"
        raise BrokenContractError(f"{reward.name}: {n} scores for {len(texts)} texts; expected one per text, in order. {FIX}")
    return tuple(_score(reward, text, score) for text, score in zip(texts, scores, strict=True))


def gains_of_lines(by_line: Callable[[Prompt, str], Sequence[float]], reward: Reward, prompt: Prompt, text: str) -> list[float]:
    """What each line of a text adds to its score.

    Raises:
        BrokenContractError: one that is no finite number, or an error of the reward's own.
    """
    try:
        gains = [float(gain) for gain in by_line(prompt, text)]
    except RlpoetError:
        raise
    except Exception as error:  # a reward may be anybody's code
        raise _raised(reward, error, text) from error
    if not all(map(math.isfinite, gains)):
        raise BrokenContractError(f"{reward.name}: by_line gives {gains} for {text[:SHOWN]!r}; expected finite numbers. {FIX}")
    return gains


def _attempt(reward: Reward, prompts: Sequence[Prompt], texts: Sequence[str]) -> Any:
    try:
        return reward.score(prompts, texts)
    except (RlpoetError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # a reward may be anybody's code
        raise _raised(reward, error, _culprit(reward, prompts, texts)) from error


def _culprit(reward: Reward, prompts: Sequence[Prompt], texts: Sequence[str]) -> str | None:
    """The first text that the reward fails on when it is asked for it alone."""
    for prompt, text in zip(prompts, texts, strict=True):
        try:
            reward.score([prompt], [text])
        except (Exception, SystemExit):
            return text
    return None


def _raised(reward: Reward, error: BaseException, text: str | None) -> BrokenContractError:
    about = f" for {text[:SHOWN]!r}" if text is not None else ""
    said = str(error)
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]} ..."
    return BrokenContractError(f"{reward.name}: {type(error).__name__}: {said}{about}; expected a number in [0, 1]. {FIX}")


def _score(reward: Reward, text: str, score: Any) -> float | None:
    if score is None:
        return None
    try:
        if isinstance(score, str | bytes):
            raise TypeError
        number = float(score)
    except Exception:  # a number of somebody's own kind
        raise BrokenContractError(
            f"{reward.name}: gives {reprlib.repr(score)} for {text[:SHOWN]!r}; expected a number in [0, 1]. {FIX}"
        ) from None
    if not 0.0 <= number <= 1.0:
        raise BrokenContractError(f"{reward.name}: score {score} of {text[:SHOWN]!r} is outside [0, 1]. {FIX}")
    return number
