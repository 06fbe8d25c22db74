"""Intervals by hand: over seeds and within a run, at numbers small enough to work out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlpoet.analysis.intervals import Change, Interval, Redrawn, Share, difference, interval, relative_change, share_bounds, subsampled


def share(*part: float, whole: float = 1.0) -> Share:
    return Share(np.array(part), np.full(len(part), whole))


def test_a_difference_of_numbers_over_seeds_has_students_interval() -> None:
    found = difference({0: 1.0, 1: 2.0, 2: 6.0}, {2: 0.0, 1: 0.0, 0: 0.0, 9: 5.0})  # deviation sqrt(7), a mean of three
    assert found is not None and (found.mean, found.least, found.most, found.n) == (3.0, 1.0, 6.0, 3)
    reach = 4.3026527 * math.sqrt(7.0 / 3.0)
    assert (found.low, found.high) == pytest.approx((3.0 - reach, 3.0 + reach), rel=1e-6)
    assert found.separated is False


@pytest.mark.parametrize(
    "low, high, separated", [(0.1, 0.2, True), (-0.2, -0.1, True), (-0.1, 0.1, False), (0.0, 0.1, False), (None, None, None)]
)
def test_an_interval_is_separated_where_it_leaves_0_out_on_either_side(low: float, high: float, separated: bool) -> None:
    assert Interval(0.0, low, high, 0.0, 0.0, 1).separated is separated


def test_seeds_are_drawn_again_as_poems_are() -> None:
    """Poems of one seed are all alike, so that all there is to see is that seeds differ: three values, drawn three at a time."""
    found = interval([share(*[rate] * 50) for rate in (0.2, 0.5, 0.8)])
    assert (found.low, found.high) == pytest.approx((0.2, 0.8))  # one draw in 27 is three times the lowest: more than 2.5 %


def test_an_interval_has_two_and_a_half_per_cent_on_either_side() -> None:
    """A mean of 100 coins: normal, with a deviation of a twentieth."""
    found = interval([share(*[0.0, 1.0] * 50)])
    assert (found.low, found.high) == pytest.approx((0.5 - 1.96 * 0.05, 0.5 + 1.96 * 0.05), abs=0.012)


def test_figures_that_only_some_seeds_have_by_poem_have_no_interval() -> None:
    assert interval([share(0.0, 1.0), 0.5]).low is None


def test_poems_that_cannot_be_paired_are_drawn_apart() -> None:
    found = difference({0: share(*[0.0, 1.0] * 20)}, {0: share(*[0.0, 1.0] * 30)})
    assert found is not None and found.low is not None and found.high is not None
    deviation = math.sqrt(0.25 / 40 + 0.25 / 60)
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_draws_of_poems_that_were_asked_for_nothing_count_as_none() -> None:
    found = interval([Share(np.array([1.0, 0.0]), np.array([1.0, 0.0]))])  # a quarter of the draws have the second poem alone
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize("n, size", [(2, 1), (3, 2), (4, 3), (64, 48)])
def test_a_subsample_leaves_at_least_one_prompt_out(n: int, size: int) -> None:
    found = subsampled(lambda kept: float(kept.sum()), n)
    assert set(found.drawn) == {size} and found.factor == pytest.approx(math.sqrt(size / (n - size))) and found.value == n


def test_draws_that_differ_by_rounding_are_all_alike() -> None:
    assert Redrawn(0.3, np.array([0.1 + 0.2, 0.3]), 8, 1.0).deviation == 0.0
    assert Redrawn(0.3, np.array([0.2, 0.4]), 8, 2.0).deviation == pytest.approx(0.2)


def test_bounds_of_a_share_stay_within_0_and_1() -> None:
    near_one = Redrawn(0.98, np.array([0.94, 1.0]), 3, 1.0)
    low, high = share_bounds(near_one, share(*[0.98] * 12)) or (math.nan, math.nan)
    assert 0.0 <= low < 0.98 < high <= 1.0


def test_a_side_cannot_exceed_what_it_cannot_exceed_and_one_that_touches_0_has_no_logarithm() -> None:
    wide, zero = Redrawn(0.9, np.array([0.6, 1.2]), 4, 1.0), Redrawn(0.5, np.array([0.0, 1.0]), 4, 1.0)
    change = relative_change(wide, wide, most=1.0)
    assert change.before is not None and change.before[0] < 0.9 and change.before[1] == 1.0
    assert relative_change(wide, zero) == Change(relative_change(wide, wide).before, None, None)
    still = Redrawn(0.9, np.array([0.9, 0.9]), 4, 1.0)
    assert relative_change(still, None) == Change(None, None, None)
