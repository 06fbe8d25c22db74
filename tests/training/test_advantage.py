"""What PPO computes, by hand: each figure at numbers that tell it from its nearest mistake."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rlpoet.training.ppo.advantage import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    gae,
    masked_mean,
    steered,
    whitened,
)

THREE = torch.tensor([[True, True, True, False]])  # the last place is no token


def row(*numbers: float) -> Tensor:
    return torch.tensor([[*numbers, math.nan]], dtype=torch.float64)


def test_places_between_two_actions_are_skipped() -> None:
    rewards, values = row(1.0, 2.0, 4.0), row(0.5, 0.25, 1.0)
    whole = gae(rewards, values, THREE, lam=0.7, gamma=0.9)
    hole = torch.tensor([[False, True, False, True, False, False, True]])
    spread = torch.full((2, 1, 7), 99.0, dtype=torch.float64)
    spread[:, hole] = torch.stack([rewards[THREE], values[THREE]])
    for dense, loose in zip(whole, gae(spread[0], spread[1], hole, lam=0.7, gamma=0.9), strict=True):
        assert loose[hole].tolist() == pytest.approx(dense[THREE].tolist()) and not loose[~hole].any()
    third = 4.0 - 1.0
    second = 2.0 + 0.9 * 1.0 - 0.25 + 0.63 * third
    assert whole[0][THREE].tolist() == pytest.approx([1.0 + 0.9 * 0.25 - 0.5 + 0.63 * second, second, third])
    assert whole[1][THREE].tolist() == pytest.approx([1.0 + 0.9 * 0.25 + 0.63 * second, second + 0.25, 4.0])


def test_a_mean_is_over_the_tokens_drawn_and_0_where_there_is_none() -> None:
    assert masked_mean(row(1.0, 2.0, 6.0), THREE).item() == 3.0
    assert masked_mean(row(1.0, 2.0, 6.0), torch.zeros_like(THREE)).item() == 0.0


def test_whitened_is_over_the_deviation_and_survives_advantages_that_are_all_alike() -> None:
    assert whitened(row(-3.0, 0.0, 3.0), THREE).tolist() == [pytest.approx([-math.sqrt(1.5), 0.0, math.sqrt(1.5), 0.0])]
    assert whitened(row(2.0, 2.0, 2.0), THREE).tolist() == [[0.0] * 4]


@pytest.mark.parametrize(
    "ratio, advantage, loss",
    [(1.5, 1.0, -1.2), (1.1, 1.0, -1.1), (0.5, 1.0, -0.5), (0.5, -1.0, 0.8), (0.9, -1.0, 0.9), (1.5, -1.0, 1.5)],
)
def test_the_surrogate_takes_the_worse_of_ratio_and_clipped_ratio(ratio: float, advantage: float, loss: float) -> None:
    every = torch.ones(1, 1, dtype=torch.bool)
    log_p = torch.tensor([[math.log(ratio)]])
    assert clipped_policy_loss(log_p, torch.zeros(1, 1), torch.tensor([[advantage]]), every, clip=0.2).item() == pytest.approx(loss)


@pytest.mark.parametrize(
    "value, clip, loss",
    [
        (2.0, 0.5, 0.5 * 2.5**2),  # on its way to a return of 3 it is held at half a unit: the worse of 1 and 2.5
        (0.3, 0.5, 0.5 * 2.7**2),  # not yet held
        (-2.0, 0.5, 0.5 * 5.0**2),  # the wrong way: the value itself is the worse
        (2.0, 0.0, 0.5 * 1.0**2),  # 0 is no clip
    ],
)
def test_a_value_pays_for_the_worse_of_itself_and_of_itself_held(value: float, clip: float, loss: float) -> None:
    every = torch.ones(1, 1, dtype=torch.bool)
    values, returns = torch.tensor([[value]]), torch.tensor([[3.0]])
    assert clipped_value_loss(values, torch.zeros(1, 1), returns, every, clip=clip).item() == pytest.approx(loss)


def test_the_kl_of_a_step_is_ratio_less_1_less_its_log() -> None:
    log_p, old = row(math.log(2.0), 0.0, math.log(0.5)), row(0.0, 0.0, 0.0)
    expected = ((2.0 - 1 - math.log(2.0)) + 0.0 + (0.5 - 1 + math.log(2.0))) / 3
    assert approx_kl(log_p, old, THREE).item() == pytest.approx(expected)


def test_a_ratio_is_clipped_on_either_side_of_1_and_measured_as_a_ratio() -> None:
    log_p, old = row(math.log(1.3), math.log(0.79), math.log(0.81)), row(0.0, 0.0, 0.0)  # log 0.81 is further than 0.2 from 0
    assert clip_fraction(log_p, old, THREE, clip=0.2).item() == pytest.approx(2 / 3)


def test_values_that_err_by_one_constant_explain_all_the_variance() -> None:
    returns = row(1.0, 2.0, 6.0)
    assert explained_variance(returns + 5.0, returns, THREE).item() == pytest.approx(1.0)
    assert explained_variance(-returns, returns, THREE).item() == pytest.approx(-3.0)  # twice the error: four times the variance


@pytest.mark.parametrize("kl, factor", [(11.0, 1.01), (9.0, 0.99), (1e6, 1.02), (0.0, 0.98)])
def test_the_coefficient_moves_in_proportion_and_by_a_fiftieth_at_most(kl: float, factor: float) -> None:
    assert steered(1.0, kl, target=10.0) == pytest.approx(factor)
    assert steered(1.0, kl, target=10.0, gain=0.5) == pytest.approx(1 + 5 * (factor - 1))
