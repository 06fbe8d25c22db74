"""Intervals of 95 %: of a few seeds of a few hundred poems each, and of one run's poems before and after training.

Over seeds two things vary: the training (its seed) and the poems drawn from a trained policy. For a figure that is a sum over poems the
bootstrap draws seeds with replacement, then poems within each drawn seed. Simulated with 128 quatrains a seed, its 95 % hold the truth in
97 % of cases when three trainings differ by a deviation of 1 point, in 94 % at 2 points and 88 % at 4; with one seed, which says nothing
about another training, in 90, 85 and 71 %. A figure that no poem has by itself (KL, distinct end words) varies over seeds alone: the
seeds' range is told, and a difference gets Student's interval, wide as it is, because three seeds agree on a sign by chance one time in
four.

Within one run the poems of one prompt are alike, and the prompts are the same on both sides. So whole prompts are drawn again, the same
ones before and after. That gives the deviation of each side and how the two sides move together. The shape of an interval comes from the
kind of its figure: Wilson's for a share, one on the log scale for a positive number. ``share_bounds`` and the functions after it say why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit  # Student's quantile; scipy.stats has it too, but takes half a second to import

Array = NDArray[np.float64]
Bounds = tuple[float, float]
Draws = Callable[[np.random.Generator, int], Array]  # that many bootstrap values of one seed's figure
N_DRAWS = 2000
LEVEL = 0.95
KEPT = 0.75  # share of the prompts in a subsample
LEAST = 3  # prompts from which an interval can be told


@dataclass(frozen=True)
class Share:
    """A figure that is a ratio of sums over poems: pairs that rhyme over pairs asked for.

    Attributes:
        part, whole: one entry a poem, shape ``(P,)``.
    """

    part: Array
    whole: Array

    @property
    def value(self) -> float:
        return float(self.part.sum() / self.whole.sum())

    def grouped(self, group: NDArray[np.int64]) -> Share:
        """The same with one entry a group, the sums over its poems.

        Args:
            group: number of each poem's group, shape ``(P,)``, counted from 0.
        """
        return Share(np.bincount(group, self.part).astype(float), np.bincount(group, self.whole).astype(float))


@dataclass(frozen=True)
class Interval:
    """A figure over seeds.

    Attributes:
        mean: over seeds, each counting the same.
        low, high: of 95 %; None where poems have no part in the figure, or, in a difference, one seed is all there is.
        least, most: of the seeds' own figures.
        n: seeds.
    """

    mean: float
    low: float | None
    high: float | None
    least: float
    most: float
    n: int

    @property
    def separated(self) -> bool | None:
        """Whether the interval, of a difference, leaves 0 out; None without an interval."""
        return None if self.low is None or self.high is None else self.low > 0 or self.high < 0


def interval(values: Sequence[float | Share], *, seed: int = 0) -> Interval:
    """The mean over seeds, with its interval.

    >>> interval([0.5, 0.7]).most, interval([0.5, 0.7]).low
    (0.7, None)
    """
    shares = [value for value in values if isinstance(value, Share)]
    numbers = [_value(value) for value in values]
    low, high = _bootstrap([_alone(share) for share in shares], seed) if len(shares) == len(values) else (None, None)
    return Interval(float(np.mean(numbers)), low, high, min(numbers), max(numbers), len(numbers))


def difference(values: Mapping[int, float | Share], others: Mapping[int, float | Share], *, seed: int = 0) -> Interval | None:
    """The mean difference from ``others`` over the seeds both have, ``{seed: figure}``; None if they share none.

    Seeds are drawn in pairs. So are poems, place by place: the same seed sets the same prompts in the same order.
    """
    both = [key for key in values if key in others]
    if not both:
        return None
    pairs = [(values[key], others[key]) for key in both]
    shares = [(a, b) for a, b in pairs if isinstance(a, Share) and isinstance(b, Share)]
    gaps = [_value(a) - _value(b) for a, b in pairs]
    low, high = _bootstrap([_paired(a, b) for a, b in shares], seed) if len(shares) == len(pairs) else _student(gaps)
    return Interval(float(np.mean(gaps)), low, high, min(gaps), max(gaps), len(gaps))


# -- one run: the same prompts before and after ---------------------------------------------------------


@dataclass(frozen=True)
class Redrawn:
    """A figure of K prompts and their poems, and the same figure of prompts drawn again.

    Two sides with as many prompts are paired draw by draw: the same seed draws the same prompts.

    Attributes:
        value: of all prompts.
        drawn: of the prompts of each draw, shape ``(N_DRAWS,)``.
        n: K.
        factor: how far the value deviates for each unit by which the draws do.
    """

    value: float
    drawn: Array
    n: int
    factor: float

    @property
    def deviation(self) -> float:
        """Standard error of the value; 0 where all draws are alike."""
        found = self.factor * float(np.std(self.drawn))
        return found if found > 1e-9 * abs(self.value) else 0.0  # alike but for rounding


@dataclass(frozen=True)
class Change:
    """Intervals of a figure before and after, and of its change; None where there is none."""

    before: Bounds | None
    after: Bounds | None
    change: Bounds | None


def bootstrapped(share: Share, *, seed: int = 0) -> Redrawn:
    """A share, one entry a prompt, with its prompts drawn with replacement. Draws deviate by (K - 1) / K of the variance."""
    n = len(share.part)
    prompts = np.random.default_rng(seed).integers(n, size=(N_DRAWS, n))
    return Redrawn(share.value, _resampled(share, prompts), n, math.sqrt(n / max(n - 1, 1)))


def subsampled(statistic: Callable[[NDArray[np.bool_]], float], n: int, *, seed: int = 0) -> Redrawn:
    """A figure that repeats would bias, with three quarters of its prompts drawn without replacement.

    A prompt drawn twice brings no new words: a bootstrap of distinct words lies far below what it is meant to surround. The variance of a
    mean over k of K prompts is (K - k) / k times that over all K. Distinct words are no mean, but at k = 3 K / 4 their relative deviation
    follows the same rule: it was 1.01 to 1.11 times the true one for 64, 16 and 8 prompts of Spanish quatrains, before and after training.
    At K / 2 it was .81 to .87 times the true one, at K - 1 (the jackknife) 1.16 to 1.26 times. Of words from a closed list, which poets do
    not have, it is up to 1.35 times the true one: too wide, never too narrow.

    Args:
        statistic: of the prompts marked, shape ``(K,)``.
        n: K, at least 2.

    References:
        Shao and Wu, "A General Theory for Jackknife Variance Estimation", 1989: the delete-d jackknife.
    """
    rng = np.random.default_rng(seed)
    size = min(max(1, round(KEPT * n)), n - 1)
    drawn = np.array([statistic(rng.permutation(n) < size) for _ in range(N_DRAWS)])
    return Redrawn(statistic(np.ones(n, dtype=bool)), drawn, n, math.sqrt(size / (n - size)))


def share_change(before: Share, after: Share, group: NDArray[np.int64], *, seed: int = 0) -> Change:
    """Of a share, one entry a poem; the change is a difference.

    The difference lies as far from its ends as the two sides lie from theirs, squared and summed, less what the sides share.

    Args:
        group: number of each poem's prompt, shape ``(P,)``, the same on both sides.

    References:
        Newcombe, "Improved confidence intervals for the difference between binomial proportions based on paired data", 1998, method 10.
        Zou and Donner, "Construction of confidence limits about effect measures", 2008.
    """
    a, b = (bootstrapped(side.grouped(group), seed=seed) for side in (before, after))
    first, last = share_bounds(a, before), share_bounds(b, after)
    if first is None or last is None:
        return Change(first, last, None)
    shared = float(np.corrcoef(a.drawn, b.drawn)[0, 1]) if a.deviation and b.deviation else 0.0

    def reach(x: float, y: float) -> float:
        return math.sqrt(max(0.0, x * x - 2 * shared * x * y + y * y))

    gap = b.value - a.value
    low = gap - reach(b.value - last[0], first[1] - a.value)
    high = gap + reach(last[1] - b.value, a.value - first[0])
    return Change(first, last, (low, high))


def share_bounds(figure: Redrawn, poems: Share) -> Bounds | None:
    """Wilson's interval of a share, for as many independent trials as would deviate as much as its prompts do.

    Percentiles of the bootstrap are too narrow for few prompts, and for a share near 0 or 1: of 0 in 256 poems they say 0 to 0. Where no
    prompt differs from another the trials are the poems. They are never more than what was asked of the poems.

    References:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927.
        Korn and Graubard, "Confidence Intervals for Proportions With Small Expected Number of Positive Counts", 1998: effective trials.
    """
    if figure.n < LEAST:
        return None
    p, t = figure.value, _student_quantile(figure.n - 1)
    trials = min(p * (1 - p) / figure.deviation**2, float(poems.whole.sum())) if figure.deviation else float(len(poems.part))
    middle = (p + t * t / (2 * trials)) / (1 + t * t / trials)
    reach = t / (1 + t * t / trials) * math.sqrt(p * (1 - p) / trials + (t / (2 * trials)) ** 2)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def relative_change(before: Redrawn | None, after: Redrawn | None, *, most: float = math.inf) -> Change:
    """Of a positive figure, on the log scale; the change is relative, ``after / before - 1``.

    None for a side that is not known, and for one whose draws are all alike, such as poems in which no last word returns: they do not say
    how far other poems would be from these.

    Args:
        most: what a side cannot exceed.
    """

    def bounds(side: Redrawn | None) -> Bounds | None:
        if side is None or side.n < LEAST or not side.deviation or float(side.drawn.min()) <= 0:
            return None
        low, high = _log_bounds(side)
        return low, min(most, high)

    first, last = bounds(before), bounds(after)
    if before is None or after is None or first is None or last is None:
        return Change(first, last, None)
    low, high = _log_bounds(Redrawn(after.value / before.value, after.drawn / before.drawn, after.n, after.factor))
    return Change(first, last, (low - 1, high - 1))


def _log_bounds(figure: Redrawn) -> Bounds:
    reach = _student_quantile(figure.n - 1) * figure.factor * float(np.std(np.log(figure.drawn)))
    return figure.value * math.exp(-reach), figure.value * math.exp(reach)


def _student_quantile(degrees: int) -> float:
    return float(stdtrit(degrees, (1 + LEVEL) / 2))


# -- draws ----------------------------------------------------------------------------------------------


def _bootstrap(draws: Sequence[Draws], seed: int) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    picked = rng.integers(len(draws), size=(N_DRAWS, len(draws)))
    drawn = np.empty(picked.shape)
    for place, draw in enumerate(draws):
        here = picked == place
        drawn[here] = draw(rng, int(here.sum()))
    low, high = np.quantile(drawn.mean(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _student(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    n = len(values)
    if n < 2:
        return None, None
    reach = _student_quantile(n - 1) * float(np.std(values, ddof=1)) / math.sqrt(n)
    return float(np.mean(values)) - reach, float(np.mean(values)) + reach


def _value(value: float | Share) -> float:
    return value.value if isinstance(value, Share) else float(value)


def _alone(share: Share) -> Draws:
    return lambda rng, n: _resampled(share, rng.integers(len(share.part), size=(n, len(share.part))))


def _paired(a: Share, b: Share) -> Draws:
    if len(a.part) != len(b.part):
        return lambda rng, n: _alone(a)(rng, n) - _alone(b)(rng, n)

    def drawn(rng: np.random.Generator, n: int) -> Array:
        places = rng.integers(len(a.part), size=(n, len(a.part)))
        return _resampled(a, places) - _resampled(b, places)

    return drawn


def _resampled(share: Share, places: NDArray[np.int64]) -> Array:
    whole = share.whole[places].sum(axis=1)
    return share.part[places].sum(axis=1) / np.where(whole > 0, whole, 1.0)
