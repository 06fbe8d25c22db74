"""Several rewards as one, and what each of them contributed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from rewards.adapters.functions import Scoring, as_reward
from rewards.asking import gains_of_lines, scores_of
from rlpoet.protocols import Reward
from rlpoet.text import split_poem
from rlpoet.types import Explained, LineScore, Prompt

MOST_KNOWN = 4096  # texts whose scores are remembered


@dataclass(frozen=True)
class Scored:
    """Totals and their parts: ``parts[name][i]`` is the unweighted score of text i, None where its prompt does not ask for it."""

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]


class Composition:
    """Several weighted rewards as one; the subclass defines how they are combined.

    Args:
        terms: ``(reward, weight)`` pairs. Names are distinct, weights positive and finite. A plain function ``f(texts) -> list[float]``
            is as good as a reward (``rewards.adapters.functions.FunctionReward``).

    Raises:
        ValueError: no terms, two of one name, or a weight that is not positive.
    """

    name = "composition"

    def __init__(self, terms: Sequence[tuple[Reward | Scoring, float]]) -> None:
        self.terms = tuple((as_reward(reward), weight) for reward, weight in terms)
        self._known: dict[tuple[Prompt, str], tuple[float | None, ...]] = {}  # of the last batches, whose lines may be asked for next
        _check_names([reward for reward, _ in self.terms])
        for reward, weight in self.terms:
            if not (weight > 0 and math.isfinite(weight)):
                raise ValueError(f"weight of {reward.name!r} is {weight}; expected a positive number. Leave the term out instead.")

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        """Totals with their parts; ``score`` gives the totals alone."""
        parts = _parts([reward for reward, _ in self.terms], prompts, texts)
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
        for i, key in enumerate(zip(prompts, texts, strict=True)):
            self._known[key] = tuple(scores[i] for scores in parts.values())
        return Scored(tuple(self._total({name: scores[i] for name, scores in parts.items()}) for i in range(len(texts))), parts)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return list(self(prompts, texts).total)

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score. A term without ``by_line`` pays at the last line."""
        return [at_end + within for at_end, within in zip(*self.by_part(prompt, text), strict=True)]

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        """What each line adds by terms with ``end_words_decide``, and by the other terms; the sum is the score."""
        raise TypeError(f"{type(self).__name__}: says not what a line adds; expected by_part. Use WeightedMean or Product.")

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For each line the reasons of all terms, each with the term's name, joined by semicolons."""
        explained = [reward.explain(prompt, text) for reward, _ in self.terms]
        rows = [LineScore(line, None, _reasons(explained, n)) for n, line in enumerate(split_poem(text))]
        return Explained(self.name, self._total({e.name: e.score for e in explained}), tuple(rows))

    def without(self, name: str) -> Self:
        """The same reward without one term: the unit of an ablation. A gated term has its own name or that of its reward.

        Raises:
            ValueError: no term of that name, or no other.
        """
        remaining = [(reward, weight) for reward, weight in self.terms if name not in names_of(reward)]
        if len(remaining) == len(self.terms):
            raise ValueError(f"no term is called {name!r}; expected one of {', '.join(reward.name for reward, _ in self.terms)}")
        return type(self)(remaining)

    def _total(self, scores: Mapping[str, float | None]) -> float | None:
        raise TypeError(f"{type(self).__name__}: says not how terms combine; expected _total. Use WeightedMean or Product.")

    def _applicable(self, prompt: Prompt, text: str) -> list[tuple[Reward, float, float]]:
        """The terms that the prompt asks for: reward, weight, score."""
        known = self._known.get((prompt, text))
        scores = known or [scores_of(reward, [prompt], [text])[0] for reward, _ in self.terms]
        return [(reward, weight, score) for (reward, weight), score in zip(self.terms, scores, strict=True) if score is not None]


class WeightedMean(Composition):
    """Weighted mean of the terms that a prompt asks for, in [0, 1]. None if it asks for none of them."""

    name = "weighted_mean"

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        n_lines = len(split_poem(text))
        at_end, within = [0.0] * n_lines, [0.0] * n_lines
        applicable = self._applicable(prompt, text)
        mass = sum(weight for _, weight, _ in applicable)
        for reward, weight, score in applicable:
            part = at_end if _at_end(reward) else within
            for n, gain in enumerate(_gains(reward, prompt, text, score, n_lines)):
                part[n] += weight / mass * gain
        return at_end, within

    def _total(self, scores: Mapping[str, float | None]) -> float | None:
        applicable = [(weight, score) for reward, weight in self.terms if (score := scores[reward.name]) is not None]
        return sum(weight * score for weight, score in applicable) / sum(weight for weight, _ in applicable) if applicable else None


class Product(Composition):
    """Product of the terms that a prompt asks for, each to the power of its weight, in [0, 1]. None if it asks for none of them.

    If one term is 0 the total is 0, so rhyme cannot make up for lines out of meter. A prior that scores almost nothing learns sooner
    from a mean.
    """

    name = "product"

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        """What each line adds to the product of the terms' scores so far: first by its last word, then by the rest of it."""
        n_lines = len(split_poem(text))
        at_end, within = [0.0] * n_lines, [0.0] * n_lines
        applicable = self._applicable(prompt, text)
        gains = [_gains(reward, prompt, text, score, n_lines) for reward, _, score in applicable]
        reached, before = [0.0] * len(applicable), 0.0
        for n in range(n_lines if applicable else 0):
            for early, part in ((True, at_end), (False, within)):
                for k, (reward, _, score) in enumerate(applicable):
                    if _at_end(reward) is early:
                        reached[k] = score if n == n_lines - 1 else max(0.0, reached[k] + gains[k][n])  # the sum, but for rounding
                now = _power([(weight, score_so_far) for (_, weight, _), score_so_far in zip(applicable, reached, strict=True)])
                part[n], before = now - before, now
        return at_end, within

    def _total(self, scores: Mapping[str, float | None]) -> float | None:
        applicable = [(weight, score) for reward, weight in self.terms if (score := scores[reward.name]) is not None]
        return _power(applicable) if applicable else None


class Gate:
    """``reward``, but 0 if ``gate`` scores below ``at_least``.

    The gate is open if the prompt does not ask for it. Only the whole poem decides whether it opens, so all credit goes to the last line.

    Raises:
        ValueError: ``at_least`` is outside (0, 1].
    """

    def __init__(self, gate: Reward | Scoring, reward: Reward | Scoring, *, at_least: float = 1.0) -> None:
        gate, reward = as_reward(gate), as_reward(reward)
        if not 0.0 < at_least <= 1.0:
            raise ValueError(f"at_least is {at_least}; expected a score in (0, 1]")
        _check_names([gate, reward])
        self.gate, self.reward, self.at_least = gate, reward, at_least
        self.name = f"{reward.name}_if_{gate.name}"

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        parts = _parts([self.gate, self.reward], prompts, texts)
        rows = zip(parts[self.gate.name], parts[self.reward.name], strict=True)
        return [0.0 if score is not None and gate is not None and gate < self.at_least else score for gate, score in rows]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        explained = [self.gate.explain(prompt, text), self.reward.explain(prompt, text)]
        rows = [LineScore(line, None, _reasons(explained, n)) for n, line in enumerate(split_poem(text))]
        return Explained(self.name, self.score([prompt], [text])[0], tuple(rows))


def names_of(reward: Reward) -> tuple[str, ...]:
    """The names of a term: its own, and for a gate also that of its reward."""
    return (reward.name, reward.reward.name) if isinstance(reward, Gate) else (reward.name,)


def _power(scores: Sequence[tuple[float, float]]) -> float:
    return math.prod(score**weight for weight, score in scores)


def _at_end(reward: Reward) -> bool:
    return bool(getattr(reward, "end_words_decide", False))


def _check_names(rewards: Sequence[Reward]) -> None:
    names = [reward.name for reward in rewards]
    if not names:
        raise ValueError("a reward needs at least one term")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two reward terms are called {twice[0]!r}; give each its own name")


def _parts(rewards: Sequence[Reward], prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, tuple[float | None, ...]]:
    return {reward.name: scores_of(reward, prompts, texts) for reward in rewards}


def _gains(reward: Reward, prompt: Prompt, text: str, score: float, n_lines: int) -> list[float]:
    by_line = getattr(reward, "by_line", None)
    if by_line is not None:
        return gains_of_lines(by_line, reward, prompt, text)
    return [0.0] * (n_lines - 1) + [score] if n_lines else []


def _reasons(explained: Sequence[Explained], n: int) -> str:
    return "; ".join(f"{e.name}: {e.lines[n].reason}" for e in explained if n < len(e.lines) and e.lines[n].reason)
