"""What PPO computes: each figure by hand, at numbers that tell it from its nearest mistake, and the laws it keeps."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rlpoet.training.ppo.advantage import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    gae,
    lambda_per_segment,
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


def test_a_lambda_of_each_step_stands_between_an_action_and_the_next() -> None:
    rewards, values = row(1.0, 2.0, 4.0), row(0.5, 0.25, 1.0)
    third = 4.0 - 1.0
    second = 2.0 + 0.9 * 1.0 - 0.25 + 0.9 * 0.3 * third
    advantages, returns = gae(rewards, values, THREE, lam=row(0.7, 0.3, 9.0), gamma=0.9)  # what stands on the last step counts nowhere
    assert advantages[THREE].tolist() == pytest.approx([1.0 + 0.9 * 0.25 - 0.5 + 0.9 * 0.7 * second, second, third])
    assert returns[THREE].tolist() == pytest.approx((advantages + values)[THREE].tolist())
    same = gae(rewards, values, THREE, lam=torch.full((1, 4), 0.7), gamma=0.9)
    for found, wanted in zip(same, gae(rewards, values, THREE, lam=0.7, gamma=0.9), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-7, equal_nan=True)
    with pytest.raises(ValueError, match="lam"):
        gae(rewards, values, THREE, lam=torch.ones(4))


def test_lambda_per_segment_counts_at_the_last_action_of_a_segment_whatever_stands_between_two() -> None:
    segment_of = torch.tensor([[7, 0, 0, 5, 0, 1, 1, 3, 3]])
    mask = torch.tensor([[False, True, True, False, True, True, True, True, False]])
    found = lambda_per_segment(segment_of, mask, 0.9)
    assert found[mask].tolist()[:-1] == [1.0, 1.0, 0.9, 1.0, 0.9]
    assert torch.equal(found, lambda_per_segment(torch.where(mask, segment_of, 99), mask, 0.9))


def test_an_opening_rhyme_word_keeps_lambda_to_the_power_of_the_segments_before_its_mate_is_paid() -> None:
    """Four lines, each a word of two tokens and a rest of six; in abab the first word is paid with the third, in segment 4."""
    segment_of = torch.tensor([[2 * line + (token > 1) for line in range(4) for token in range(8)]])
    every, rewards = torch.ones(1, 32, dtype=torch.bool), torch.zeros(1, 32, dtype=torch.float64)
    rewards[0, 17] = 1.0  # on the token that ends the third line's word
    advantages, _ = gae(rewards, torch.zeros_like(rewards), every, lam=lambda_per_segment(segment_of, every, 0.95))
    powers = [*[4] * 2, *[3] * 6, *[2] * 2, *[1] * 6, *[0] * 2]
    assert advantages[0].tolist() == pytest.approx([0.95**n for n in powers] + [0.0] * 14)


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


# -- laws, on texts drawn at random -----------------------------------------------------------------------

ROWS, STEPS = 5, 7


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards, values and a mask with a prompt before and padding behind, as a rollout has them."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, ROWS, STEPS, dtype=torch.float64, generator=generator)
    start = torch.randint(0, 3, (ROWS, 1), generator=generator)
    length = torch.randint(1, 5, (ROWS, 1), generator=generator)
    place = torch.arange(STEPS)[None]
    return rewards, values, (place >= start) & (place < start + length)


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_lambda_one_is_returns_less_values_and_lambda_zero_the_td_error(seed):
    rewards, values, mask = drawn(seed)
    whole, returns = gae(rewards, values, mask, lam=1.0)
    near, _ = gae(rewards, values, mask, lam=0.0)
    for row in range(ROWS):
        places = mask[row].nonzero().flatten().tolist()
        for k, t in enumerate(places):
            to_go = sum(rewards[row, u].item() for u in places[k:])
            after = values[row, places[k + 1]].item() if k + 1 < len(places) else 0.0
            assert whole[row, t].item() == pytest.approx(to_go - values[row, t].item())
            assert returns[row, t].item() == pytest.approx(to_go)
            assert near[row, t].item() == pytest.approx(rewards[row, t].item() + after - values[row, t].item())


def test_gae_is_the_weighted_sum_of_td_errors_of_its_paper():
    rewards, values, mask = drawn(3)
    lam, gamma = 0.7, 0.9
    found, _ = gae(rewards, values, mask, lam=lam, gamma=gamma)
    for row in range(ROWS):
        places = mask[row].nonzero().flatten().tolist()
        following = [*(values[row, u].item() for u in places[1:]), 0.0]
        delta = [rewards[row, t].item() + gamma * v - values[row, t].item() for t, v in zip(places, following, strict=True)]
        expected = [sum((gamma * lam) ** k * d for k, d in enumerate(delta[i:])) for i in range(len(delta))]
        assert found[row, places].tolist() == pytest.approx(expected)


@given(seeds, st.sampled_from([0.0, 0.5, 1.0]))
def test_masked_tokens_never_matter(seed, lam):
    rewards, values, mask = drawn(seed)
    noise = torch.where(mask, 0.0, 1e6 * torch.randn(ROWS, STEPS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    for clean, dirty in zip(gae(rewards, values, mask, lam=lam), gae(rewards + noise, values + noise, mask, lam=lam), strict=True):
        assert torch.equal(clean, dirty)
        assert not clean[~mask].any()
    log_p, old = -rewards.abs(), -values.abs()
    assert torch.equal(whitened(values, mask), whitened(values + noise, mask))
    for loss in (clipped_policy_loss, clipped_value_loss):
        assert torch.equal(loss(log_p, old, rewards, mask, clip=0.2), loss(log_p + noise, old - noise, rewards + noise, mask, clip=0.2))
    assert torch.equal(approx_kl(log_p, old, mask), approx_kl(log_p - noise, old + noise, mask))
    assert torch.equal(explained_variance(values, rewards, mask), explained_variance(values + noise, rewards - noise, mask))


def test_at_ratio_one_the_gradient_is_the_policy_gradient():
    rewards, values, mask = drawn(5)
    log_p = values.clone().requires_grad_()
    clipped_policy_loss(log_p, values, rewards, mask, clip=0.2).backward()
    assert log_p.grad is not None
    assert torch.allclose(log_p.grad, torch.where(mask, -rewards, 0.0) / mask.sum())


def test_losses_agree_with_finite_differences():
    rewards, values, mask = drawn(11)
    log_p = (values + 0.3 * rewards).requires_grad_()  # ratios on both sides of the clip
    assert 0 < clip_fraction(log_p, values, mask, clip=0.2) < 1
    for loss in (clipped_policy_loss, clipped_value_loss):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, values, rewards.flip(0), mask, clip=0.2), (log_p,))


def test_a_token_that_moved_past_the_clip_its_own_way_teaches_no_more():
    old, every = torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    log_p = torch.tensor([[1.5, 0.5, 1.5, 0.5]]).log().requires_grad_()
    clipped_policy_loss(log_p, old, torch.tensor([[1.0, 1.0, -1.0, -1.0]]), every, clip=0.2).backward()
    assert log_p.grad is not None
    assert (log_p.grad[0] != 0).tolist() == [False, True, True, False]  # only moves in the wrong direction are still corrected


def test_whitened_advantages_have_mean_0_and_deviation_1():
    _, values, mask = drawn(2)
    found = whitened(values, mask)[mask]
    assert found.mean().item() == pytest.approx(0, abs=1e-9) and found.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_explained_variance_of_the_truth_is_1_and_of_a_constant_0():
    rewards, _, mask = drawn(2)
    assert explained_variance(rewards, rewards, mask).item() == pytest.approx(1)
    assert explained_variance(torch.full_like(rewards, 9.0), rewards, mask).item() == pytest.approx(0)


@given(st.floats(0.1, 100))
def test_the_coefficient_rises_exactly_when_the_kl_is_above_its_target(kl):
    found = steered(0.05, kl, target=10.0)
    assert (found > 0.05) == (kl > 10.0) and (found < 0.05) == (kl < 10.0)
    assert 0.98 * 0.05 <= found <= 1.02 * 0.05 + 1e-12
