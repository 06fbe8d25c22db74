"""The contract of a reward as a test: run it on your own reward before you train with it.

>>> from rewards.meter import Meter
>>> check_reward(Meter())
"""

from __future__ import annotations

import functools
import math
import pickle
from collections.abc import Callable, Sequence
from typing import Any

from rlpoet.errors import BrokenContractError
from rlpoet.protocols import Reward
from rlpoet.text import split_poem
from rlpoet.types import Prompt

Example = tuple[Prompt, str]
Scores = list[float | None]

PROMPTS = (Prompt("fr", "couplet"), Prompt("es", "redondilla"), Prompt("en", "limerick"), Prompt("fr", "sonnet"), Prompt("es", "romance"))
ODD_TEXTS = (
    "",
    "\n\n",
    "a",
    "ombre\nsombre",
    "ombre\nombre\nombre\nombre",
    "\n".join(["?!", "…", "12 345", "—"]),
    "l’été s'en va\nE\u0301TE\u0301",
    "\ud83d\n\u200b\n\x00\n\U0001f339",
    "ñandú\r\ncorazón\r\n\r\nrazón\r\nPerú\r\n",
    "x" * 3000 + "\n" + "la " * 1000,
    "\n".join(["un vers de trop"] * 15),
)  # fmt: skip


def check_reward(reward: Reward, *, perfect: Sequence[Example] = (), examples: Sequence[Example] = ()) -> None:
    """Test a reward against the contract of ``rlpoet.protocols.Reward``.

    Args:
        perfect: poems that must score 1.0.
        examples: more typical texts; unusual ones are always tested too.

    Raises:
        BrokenContractError: names the promise that was broken, and the text that shows it.
    """
    if not isinstance(reward, Reward) or not isinstance(reward.name, str) or not reward.name:
        raise BrokenContractError(f"{reward!r}: not a Reward; expected a name, score(prompts, texts) and explain(prompt, text).")
    pool = [*perfect, *examples, *((prompt, text) for prompt in PROMPTS for text in ODD_TEXTS)]
    scores = _score(reward, pool)
    for (prompt, text), score in zip(pool, scores, strict=True):
        if score is not None and not (isinstance(score, (int, float)) and math.isfinite(score) and 0.0 <= score <= 1.0):
            raise _broken(reward, text, f"scores {score!r}; expected a number in [0, 1] or None")
        if not split_poem(text) and score not in (0.0, None):
            raise _broken(reward, text, f"scores {score} for {prompt.form}; expected 0, since a text that fails its form scores 0")
    for (_, text), score in zip(perfect, scores, strict=False):
        if score != 1.0:
            raise _broken(reward, text, f"scores {score} for a perfect poem; expected 1.0")
    _check_none(reward, pool, scores)
    _check_repeatable(reward, pool, scores)
    _check_lines(reward, pool, scores)


def _check_none(reward: Reward, pool: Sequence[Example], scores: Scores) -> None:
    abstains: dict[Prompt, bool] = {}
    for (prompt, text), score in zip(pool, scores, strict=True):
        if abstains.setdefault(prompt, score is None) != (score is None):
            raise _broken(reward, text, f"None for some texts of {prompt} only; expected None to depend on the prompt alone")


def _check_repeatable(reward: Reward, pool: Sequence[Example], scores: Scores) -> None:
    copy = _attempt(reward, "", lambda: pickle.loads(pickle.dumps(reward)), "cannot be pickled")
    ways: dict[str, Callable[[], Scores]] = {
        "the second time": lambda: _score(reward, pool),
        "in reversed order": lambda: _score(reward, pool[::-1])[::-1],
        "one at a time": lambda: [_score(reward, [example])[0] for example in pool],
        "after pickling": lambda: _score(copy, pool),
    }
    for how, again in ways.items():
        for (_, text), first, second in zip(pool, scores, again(), strict=True):
            if first != second:
                raise _broken(reward, text, f"scores {first}, and {second} {how}; expected the same")


def _check_lines(reward: Reward, pool: Sequence[Example], scores: Scores) -> None:
    by_line = getattr(reward, "by_line", None)
    for (prompt, text), score in zip(pool, scores, strict=True):
        explained = _attempt(reward, text, functools.partial(reward.explain, prompt, text), "explain raised")
        if explained.score != score:
            raise _broken(reward, text, f"explains a score of {explained.score} but gives {score}; expected one score")
        if by_line is None:
            continue
        gains = _attempt(reward, text, functools.partial(by_line, prompt, text), "by_line raised")
        if len(gains) != len(split_poem(text)):
            raise _broken(reward, text, f"by_line gives {len(gains)} numbers for {len(split_poem(text))} lines; expected one a line")
        if not math.isclose(sum(gains), score if score is not None else 0.0, abs_tol=1e-9):
            raise _broken(reward, text, f"by_line sums to {sum(gains)} but the score is {score}; expected the score")


def _score(reward: Reward, pool: Sequence[Example]) -> Scores:
    texts = [text for _, text in pool]
    scores = _attempt(reward, texts[0] if len(texts) == 1 else "", lambda: reward.score([p for p, _ in pool], texts), "score raised")
    if len(scores) != len(texts):
        raise _broken(reward, texts[0], f"gives {len(scores)} scores for {len(texts)} texts; expected one a text")
    return list(scores)


def _attempt(reward: Reward, text: str, act: Callable[[], Any], what: str) -> Any:
    try:
        return act()
    except Exception as error:  # whatever it is, it is the finding
        raise _broken(reward, text, f"{what} ({type(error).__name__}: {error}); expected no exception on any text") from error


def _broken(reward: Reward, text: str, what: str) -> BrokenContractError:
    return BrokenContractError(f"{reward.name}: {what}." + (f" The text was {text[:60]!r}." if text else ""))
