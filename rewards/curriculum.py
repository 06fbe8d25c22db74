"""Rewards whose weights change while a policy learns."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

from rewards.adapters.functions import Scoring, as_reward
from rewards.compose import Composition, Scored, WeightedMean, names_of
from rlpoet.protocols import Reward
from rlpoet.types import Explained, Prompt

Points = Sequence[Sequence[float]]  # (progress, factor), progress ascending


class Curriculum:
    """A composition whose weights follow a schedule of the run's progress. ``score`` uses the weights of the end.

    ``weight(progress) = weight * factor(progress)``. The factor is linear between the points of its term, constant before the first and
    after the last, and 1 for terms without points. ``at(progress)`` is the composition at that progress, a reward like any other: pure
    and picklable. Trainers call it before every step. Scores at different progress are not comparable, so none may be kept for replay.

    Args:
        terms: ``(reward, weight)`` pairs, as for ``Composition``.
        schedule: name -> ``[progress, factor]`` points, progress in [0, 1] and ascending, factors of 0 or more. A gated term has its
            own name or that of its reward.
        combine: ``WeightedMean`` or ``Product``.

    Raises:
        ValueError: as ``Composition``; a schedule without points, for no term, out of order, or with a moment at which no term
            weighs anything.

    >>> from rewards.meter import Meter
    >>> from rewards.rhyme import Rhyme
    >>> lesson = Curriculum([(Rhyme(), 2.0), (Meter(), 1.0)], {"meter": [[0.25, 0], [0.75, 1]]})
    >>> lesson.weights(0.1), lesson.weights(0.5), lesson.weights(1.0)
    ({'rhyme': 2.0}, {'rhyme': 2.0, 'meter': 0.5}, {'rhyme': 2.0, 'meter': 1.0})
    """

    name = "curriculum"

    def __init__(
        self,
        terms: Sequence[tuple[Reward | Scoring, float]],
        schedule: Mapping[str, Points],
        *,
        combine: type[Composition] = WeightedMean,
    ) -> None:
        self.terms = tuple((as_reward(reward), weight) for reward, weight in terms)
        self.combine = combine
        combine(self.terms)  # which refuses what is no term
        term_names = {term_name for reward, _ in self.terms for term_name in names_of(reward)}
        for name, points in schedule.items():
            if name not in term_names:
                raise ValueError(f"no term is called {name!r}; expected one of {', '.join(sorted(term_names))}")
            _check(name, points)
        self.schedule = {name: tuple((float(at), float(factor)) for at, factor in points) for name, points in schedule.items()}
        for at in sorted({0.0, 1.0, *(at for points in self.schedule.values() for at, _ in points)}):
            if not self.weights(at):  # factors are linear in between: what weighs something here does so on the way
                raise ValueError(f"at progress {at:g} no term weighs anything; expected one that does at every moment")
        self._aim = self.at(1.0)

    def weights(self, progress: float) -> dict[str, float]:
        """Weight of each term at a progress in [0, 1]; terms with weight 0 are left out."""
        weights = {reward.name: weight * self._factor(reward, progress) for reward, weight in self.terms}
        return {name: weight for name, weight in weights.items() if weight > 0}

    def at(self, progress: float) -> Composition:
        """The composition at a progress in [0, 1]."""
        weights = self.weights(progress)
        return self.combine([(reward, weights[reward.name]) for reward, _ in self.terms if reward.name in weights])

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        return self._aim(prompts, texts)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return self._aim.score(prompts, texts)

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        return self._aim.by_line(prompt, text)

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        return self._aim.by_part(prompt, text)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        explained = self._aim.explain(prompt, text)
        return Explained(self.name, explained.score, explained.lines)

    def without(self, name: str) -> Curriculum:
        """The same without one term and its schedule.

        Raises:
            ValueError: no term of that name, no other, or a moment at which none is left.
        """
        terms = self.combine(self.terms).without(name).terms
        term_names = {term_name for reward, _ in terms for term_name in names_of(reward)}
        return Curriculum(
            terms, {term_name: points for term_name, points in self.schedule.items() if term_name in term_names}, combine=self.combine
        )

    def _factor(self, reward: Reward, progress: float) -> float:
        points = next((self.schedule[name] for name in names_of(reward) if name in self.schedule), ((0.0, 1.0),))
        for (start, low), (end, high) in itertools.pairwise(points):
            if start <= progress <= end:
                return low + (high - low) * (progress - start) / (end - start)
        return points[0][1] if progress < points[0][0] else points[-1][1]


def _check(name: str, points: Points) -> None:
    expected = "expected [progress, factor] points such as [[0, 0], [0.5, 1]]"
    if not isinstance(points, Sequence) or not points or any(len(point) != 2 for point in points):
        raise ValueError(f"{name}: {points!r}; {expected}")
    moments = [at for at, _ in points]
    if not all(0 <= at <= 1 for at in moments) or any(a >= b for a, b in itertools.pairwise(moments)):
        raise ValueError(f"{name}: progress {moments}; expected it in [0, 1] and ascending")
    if not all(factor >= 0 and math.isfinite(factor) for _, factor in points):
        raise ValueError(f"{name}: factors {[factor for _, factor in points]}; expected 0 or more")
