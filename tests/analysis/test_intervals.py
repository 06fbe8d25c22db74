"""Intervals over seeds, of one seed's prompts, and of any set of poems: by hand, and how often they hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rlpoet.analysis import intervals
from rlpoet.analysis.intervals import (
    Share,
    bootstrapped,
    count_bounds,
    difference,
    interval,
    proportion_bounds,
    ratio_bounds,
    share_bounds,
    share_change,
    statistic_bounds,
    subsample_bounds,
)

T_2 = 4.302653  # Student's quantile of 97.5 %, two degrees of freedom
OF_PROMPT = np.repeat(np.arange(10), 4)


def coins(right: int, n: int, prompt: np.ndarray | None = None) -> Share:
    return Share(np.repeat([1.0, 0.0], [right, n - right]), np.ones(n), prompt)


# -- over seeds -------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [float, lambda value: coins(round(100 * value), 100, np.arange(100) // 4)])
def test_three_seeds_have_students_interval_whatever_their_poems_say(of):
    values = [0.5, 0.6, 0.55]
    found, reach = interval([of(value) for value in values]), T_2 * 0.05 / math.sqrt(3)
    assert (found.mean, found.low, found.high) == pytest.approx((0.55, 0.55 - reach, 0.55 + reach), abs=1e-6)
    assert (found.least, found.most, found.n) == (0.5, 0.6, 3)


def test_a_share_stays_a_share_and_a_number_need_not():
    assert interval([coins(1, 4), coins(4, 4)]).low == 0.0 and interval([coins(1, 4), coins(4, 4)]).high == 1.0
    assert interval([0.25, 1.0]).low < 0.0 < 1.0 < interval([0.25, 1.0]).high


def test_a_difference_is_students_of_the_gaps_of_the_seeds_both_have():
    mine, theirs = {0: 1.0, 1: 3.0, 2: 8.0, 9: 99.0}, {0: 0.0, 1: 1.0, 2: 5.0, 7: -99.0}
    gap, reach = difference(mine, theirs), T_2 * 1.0 / math.sqrt(3)
    assert (gap.mean, gap.low, gap.high, gap.n) == pytest.approx((2.0, 2.0 - reach, 2.0 + reach, 3), abs=1e-6)


@pytest.mark.parametrize("deviation", [0.0, 0.02, 0.08])
def test_the_truth_is_inside_however_far_trainings_differ(deviation):
    rng, inside, gaps = np.random.default_rng(0), [], []
    for _ in range(300):
        seeds = []
        for truth in 0.7 + deviation * rng.normal(size=6):
            prompts = np.clip(truth + 0.15 * rng.normal(size=32), 0.0, 1.0)  # some are harder
            seeds.append(Share(rng.binomial(2, np.repeat(prompts, 4)).astype(float), np.full(128, 2.0), np.arange(128) // 4))
        found, gap = interval(seeds[:3]), difference(dict(enumerate(seeds[:3])), dict(enumerate(seeds[3:])))
        inside.append(found.low <= 0.7 <= found.high)
        gaps.append(gap.low <= 0.0 <= gap.high)
    assert 0.91 < np.mean(inside) < 0.985 and 0.91 < np.mean(gaps) < 0.985


# -- one seed ---------------------------------------------------------------------------------------


def test_one_seed_has_the_interval_of_its_prompts_not_of_its_poems():
    alike = Share(np.repeat(np.tile([0.0, 1.0], 5), 4), np.ones(40), OF_PROMPT)  # the four poems of a prompt are all right or all wrong
    found, apart = interval([alike]), interval([Share(alike.part, alike.whole)])
    assert (found.low, found.high) == share_bounds(bootstrapped(alike.grouped(OF_PROMPT)), alike)
    assert found.high - found.low > 1.7 * (apart.high - apart.low)


def test_one_seeds_difference_is_paired_by_prompt():
    rng = np.random.default_rng(0)
    hard = np.repeat(rng.random(10), 4)
    before, after = (Share((rng.random(40) < hard + up).astype(float), np.ones(40), OF_PROMPT) for up in (0.0, 0.1))
    gap = difference({0: after}, {0: before})
    assert (gap.low, gap.high) == share_change(before, after, OF_PROMPT).change
    assert gap.mean == after.value - before.value
    assert difference({0: after}, {0: coins(3, 8)}).low is None  # other prompts


# -- a set of poems ---------------------------------------------------------------------------------


def test_the_same_is_drawn_a_block_at_a_time(monkeypatch):
    share = Share(np.random.default_rng(0).random(37), np.ones(37))
    whole = bootstrapped(share, seed=3).drawn
    monkeypatch.setattr(intervals, "BLOCK", 1000)
    assert np.array_equal(bootstrapped(share, seed=3).drawn, whole) and len(whole) == intervals.N_DRAWS


def test_none_right_of_a_few_is_not_never():
    low, high = proportion_bounds(coins(0, 40))
    assert low == 0.0 and 0.05 < high < 0.15
    assert proportion_bounds(coins(2, 2)) == (1.0, 1.0)  # two poems tell nothing


def test_poems_of_which_nothing_was_asked_tell_nothing():
    some, more = Share(np.ones(4), np.ones(4)), Share(np.array([1.0] * 4 + [0.0] * 40), np.array([1.0] * 4 + [0.0] * 40))
    assert proportion_bounds(some) == proportion_bounds(more) and ratio_bounds(more) == (1.0, 1.0)


def counts(values) -> Share:
    return Share(np.array(values, dtype=float), np.ones(len(values)))


def test_counts_that_deviate_as_poissons_have_the_score_interval():
    told = counts([0, 0, 0, 0, 0, 4] * 5)  # 30 poems with 20 faults, in bunches: the deviation says 11.6 poems
    variance = np.var(told.part, ddof=1) / 30
    poems, t = (2 / 3) / variance, 2.0452296  # Student's quantile of 97.5 %, 29 degrees of freedom
    low, high = count_bounds(told)
    for edge in (low, high):  # the mean's distance, squared, is that of a Poisson mean at the edge
        assert (edge - 2 / 3) ** 2 == pytest.approx(t * t * edge / poems, rel=0.1)
    assert low < 2 / 3 < high
    even = count_bounds(counts([1] * 30))  # all alike: as many poems as there are, not infinitely many
    assert even[0] < 0.75 and even[1] > 1.3
    assert count_bounds(counts([1, 3])) == (1.0, 3.0)  # two poems tell nothing but themselves


def test_a_poem_without_a_fault_is_not_the_last_word():
    low, high = count_bounds(counts([0] * 20))
    assert low == 0.0 and high == pytest.approx(2.0930241**2 / 20)
    assert count_bounds(counts([0] * 200))[1] < high / 9


@pytest.mark.parametrize("bunched", [False, True])
def test_intervals_of_counts_hold_the_truth_as_often_as_they_say(bunched):
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        rate = rng.gamma(1.0, 1.0, 40) if bunched else np.ones(40)
        low, high = count_bounds(counts(rng.poisson(0.5 * rate)))
        held += low <= 0.5 <= high
    assert held >= 184


def test_graded_scores_deviate_less_than_coins():
    scores = np.random.default_rng(0).normal(0.9, 0.02, 100)
    low, high = ratio_bounds(Share(scores, np.ones(100)))
    assert high - low == pytest.approx(2 * 1.96 * scores.std(ddof=1) / 10, rel=0.1) and low < scores.mean() < high


def test_a_statistic_is_drawn_by_poems_and_may_have_no_value():
    values = np.arange(9.0)
    low, high = statistic_bounds(lambda rows: float(values[rows].mean()) if rows[0] else None, 9, draws=500)
    assert 1.5 < low < 3.5 and 4.5 < high < 6.5
    assert statistic_bounds(lambda rows: None, 9, draws=5) is None


def test_a_statistic_that_repeats_would_bias_is_surrounded():
    words = np.random.default_rng(0).integers(0, 60, 100)
    low, high = subsample_bounds(lambda rows: len(set(words[list(rows)])) / len(rows), 100, most=1.0, draws=200)
    assert low < len(set(words)) / 100 < high and high - low < 0.25
    assert subsample_bounds(lambda rows: 0.25, 50) == (0.25, 0.25) == subsample_bounds(lambda rows: 0.25, 2)
    assert subsample_bounds(lambda rows: 1 - rows[0] / 50, 50, most=1.0)[1] == 1.0
