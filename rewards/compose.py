"""Several rewards as one, and what each of them contributed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rlpoet.protocols import Reward
from rlpoet.text import split_poem
from rlpoet.types import Explained, LineScore, Prompt


@dataclass(frozen=True)
class Scored:
    """Totals and their parts: ``parts[name][i]`` is the unweighted score of text i, None where its prompt does not ask for it."""

    total: tuple[float | None, ...]
    parts: Mapping[str, tuple[float | None, ...]]


class WeightedMean:
    """Mean of the terms a prompt asks for, by weight; stays in [0, 1]. None if it asks for none of them.

    Args:
        terms: ``(reward, weight)`` pairs. Names are distinct, weights positive and finite.

    Raises:
        ValueError: no terms, two of one name, or a weight that is not positive.
    """

    name = "weighted_mean"

    def __init__(self, terms: Sequence[tuple[Reward, float]]) -> None:
        _check_names([reward for reward, _ in terms])
        for reward, weight in terms:
            if not (weight > 0 and math.isfinite(weight)):
                raise ValueError(f"weight of {reward.name!r} is {weight}; expected a positive number. Leave the term out instead.")
        self.terms = tuple(terms)

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        """Totals with their parts; ``score`` is the totals alone."""
        parts = _parts([reward for reward, _ in self.terms], prompts, texts)
        return Scored(tuple(self._mean({name: scores[i] for name, scores in parts.items()}) for i in range(len(texts))), parts)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return list(self(prompts, texts).total)

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds; sums to the score. A term that cannot tell its lines apart pays at the last one."""
        return [at_end + within for at_end, within in zip(*self.by_part(prompt, text), strict=True)]

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        """What each line adds by its last word and by all of it: terms with ``end_words_decide``, and the others; sums to the score."""
        n_lines = len(split_poem(text))
        at_end, within = [0.0] * n_lines, [0.0] * n_lines
        asked = [(reward, weight, score) for reward, weight in self.terms if (score := reward.score([prompt], [text])[0]) is not None]
        mass = sum(weight for _, weight, _ in asked)
        for reward, weight, score in asked:
            part = at_end if getattr(reward, "end_words_decide", False) else within
            for n, gain in enumerate(_gains(reward, prompt, text, score, n_lines)):
                part[n] += weight / mass * gain
        return at_end, within

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """Every line's reasons of all terms, each under its name, joined by semicolons."""
        told = [reward.explain(prompt, text) for reward, _ in self.terms]
        rows = [LineScore(line, None, _reasons(told, n)) for n, line in enumerate(split_poem(text))]
        return Explained(self.name, self._mean({e.name: e.score for e in told}), tuple(rows))

    def without(self, name: str) -> WeightedMean:
        """The same reward less one term: the unit of an ablation.

        Raises:
            ValueError: no term of that name, or no other.
        """
        kept = [(reward, weight) for reward, weight in self.terms if reward.name != name]
        if len(kept) == len(self.terms):
            raise ValueError(f"no term is called {name!r}; expected one of {', '.join(reward.name for reward, _ in self.terms)}")
        return WeightedMean(kept)

    def _mean(self, scores: Mapping[str, float | None]) -> float | None:
        asked = [(weight, score) for reward, weight in self.terms if (score := scores[reward.name]) is not None]
        return sum(weight * score for weight, score in asked) / sum(weight for weight, _ in asked) if asked else None


class Gate:
    """``reward``, but 0 where ``gate`` scores below ``at_least``: credit only for what passes a test first.

    Raises:
        ValueError: ``at_least`` is outside (0, 1].
    """

    def __init__(self, gate: Reward, reward: Reward, *, at_least: float = 1.0) -> None:
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
        told = [self.gate.explain(prompt, text), self.reward.explain(prompt, text)]
        rows = [LineScore(line, None, _reasons(told, n)) for n, line in enumerate(split_poem(text))]
        return Explained(self.name, self.score([prompt], [text])[0], tuple(rows))


def _check_names(rewards: Sequence[Reward]) -> None:
    names = [reward.name for reward in rewards]
    if not names:
        raise ValueError("a reward needs at least one term")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two reward terms are called {twice[0]!r}; give each its own name")


def _parts(rewards: Sequence[Reward], prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, tuple[float | None, ...]]:
    parts = {}
    for reward in rewards:
        scores = tuple(reward.score(prompts, texts))
        if len(scores) != len(texts):
            raise ValueError(f"{reward.name}: {len(scores)} scores for {len(texts)} texts")
        for text, score in zip(texts, scores, strict=True):
            if score is not None and not 0.0 <= score <= 1.0:
                raise ValueError(f"{reward.name}: score {score} of {text[:40]!r} is outside [0, 1]")
        parts[reward.name] = scores
    return parts


def _gains(reward: Reward, prompt: Prompt, text: str, score: float, n_lines: int) -> list[float]:
    by_line = getattr(reward, "by_line", None)
    if by_line is not None:
        return list(by_line(prompt, text))
    return [0.0] * (n_lines - 1) + [score] if n_lines else []


def _reasons(told: Sequence[Explained], n: int) -> str:
    return "; ".join(f"{e.name}: {e.lines[n].reason}" for e in told if n < len(e.lines) and e.lines[n].reason)
