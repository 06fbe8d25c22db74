"""Trajectory balance on a language small enough to write down whole."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlpoet.training.gflownet.objectives import (
    balance_residual,
    centred,
    group_log_z,
    residual_to_go,
    target_log_reward,
    trajectory_balance,
    vargrad,
)

VOCAB, LENGTH, BETA = 4, 4, 3.0
TEXTS = list(itertools.product(range(VOCAB), repeat=LENGTH))  # 256 texts, all of them
PREFIXES = [p for depth in range(LENGTH) for p in itertools.product(range(VOCAB), repeat=depth)]
PLACE = {p: i for i, p in enumerate(PREFIXES)}
WALK = torch.tensor([[PLACE[t[:k]] for k in range(LENGTH)] for t in TEXTS])  # (N, T): state before each token
TOKENS = torch.tensor(TEXTS)  # (N, T)
SCORE = torch.tensor([float(t[1] == t[3]) for t in TEXTS], dtype=torch.float64)  # the "lines" end alike
ZERO = torch.zeros(len(TEXTS), dtype=torch.long)


def log_pf_of(logits: torch.Tensor) -> torch.Tensor:
    """``(N, T)`` log-probabilities of every text under a table of logits ``(states, V)``."""
    return logits.log_softmax(-1)[WALK, TOKENS]


@pytest.fixture(scope="module")
def prior() -> torch.Tensor:
    generator = torch.Generator().manual_seed(7)
    return log_pf_of(torch.randn(len(PREFIXES), VOCAB, dtype=torch.float64, generator=generator))


@pytest.fixture(scope="module")
def log_reward(prior: torch.Tensor) -> torch.Tensor:
    return target_log_reward(SCORE, prior, BETA)


def trained(log_reward: torch.Tensor, loss_of, steps: int = 500) -> torch.Tensor:
    logits = torch.zeros(len(PREFIXES), VOCAB, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss = loss_of(log_pf_of(logits))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return logits.detach()


def test_vargrad_reaches_the_exact_target_and_its_log_z(prior, log_reward):
    logits = trained(log_reward, lambda log_pf: vargrad(log_pf, log_reward, ZERO))
    log_pf = log_pf_of(logits)
    target = log_reward.softmax(0)
    assert 0.5 * (log_pf.sum(1).exp() - target).abs().sum() < 0.02
    assert group_log_z(log_pf, log_reward, ZERO)[0].item() == pytest.approx(log_reward.logsumexp(0).item(), abs=0.02)
    assert 0.5 * (prior.sum(1).exp() - target).abs().sum() > 0.2  # the prior was not there already


def test_vargrad_reaches_the_target_from_samples_alone(log_reward):
    """On-policy batches of 64 in place of the enumeration: what the trainer does."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(len(PREFIXES), VOCAB, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500)
    for _ in range(1500):
        with torch.no_grad():
            rows = torch.multinomial(log_pf_of(logits).sum(1).exp(), 64, replacement=True, generator=generator)
        loss = vargrad(logits.log_softmax(-1)[WALK[rows], TOKENS[rows]], log_reward[rows], ZERO[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    log_p = log_pf_of(logits.detach()).sum(1)
    assert 0.5 * (log_p.exp() - log_reward.softmax(0)).abs().sum() < 0.02
    log_z = (log_p.exp() * (log_reward - log_p)).sum()  # what the group estimate is in the mean over the policy's own texts
    assert log_z.item() == pytest.approx(log_reward.logsumexp(0).item(), abs=0.02)


def test_loss_is_zero_exactly_at_the_target(log_reward):
    exact = (log_reward - log_reward.logsumexp(0))[:, None]  # one step a text: its log-probability
    assert trajectory_balance(exact, log_reward, log_reward.logsumexp(0)).item() == pytest.approx(0.0, abs=1e-20)


def test_credit_by_line_has_the_gradient_of_tb_in_the_mean(prior, log_reward):
    """Exact, over all texts: lines of two tokens, each with a gain of its own."""
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(len(PREFIXES), VOCAB, dtype=torch.float64, generator=generator, requires_grad=True)
    log_pf = log_pf_of(logits)
    p = log_pf.detach().sum(1).exp()
    gains = torch.stack([(TOKENS[:, 0] == 1).double() / 2, (TOKENS[:, 1] == TOKENS[:, 3]).double() / 2], 1)  # the second line's looks back
    line_of = torch.tensor([0, 0, 1, 1]).expand(len(TEXTS), 4)
    whole = balance_residual(log_pf.detach(), target_log_reward(gains.sum(1), prior, BETA), torch.tensor(0.0))
    (by_poem,) = torch.autograd.grad((p * whole * log_pf.sum(1)).sum(), logits, retain_graph=True)
    to_go = residual_to_go((log_pf - prior).detach(), gains, line_of, BETA)
    (by_line,) = torch.autograd.grad((p[:, None] * to_go.gather(1, line_of) * log_pf).sum(), logits)
    assert by_poem.abs().max() > 1e-3 and torch.allclose(by_poem, by_line, atol=1e-12)
    assert torch.allclose(to_go[:, 0], whole)  # at the first line everything is still to go


def test_a_prompt_with_one_text_teaches_nothing(log_reward):
    log_pf = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    vargrad(log_pf, torch.randn(3, dtype=torch.float64), torch.tensor([0, 1, 2])).backward()
    assert log_pf.grad is not None and log_pf.grad.abs().max() < 1e-12


def test_gradient_is_reinforce_with_the_group_mean_as_baseline():
    generator = torch.Generator().manual_seed(3)
    log_pf = torch.randn(6, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    log_r = torch.randn(6, dtype=torch.float64, generator=generator)
    group = torch.tensor([0, 0, 0, 1, 1, 1])
    vargrad(log_pf, log_r, group).backward()
    gap = (log_r - log_pf.detach().sum(1)).view(2, 3)
    advantage = (gap - gap.mean(1, keepdim=True)).flatten()
    assert torch.allclose(log_pf.grad, (-2 / 6 * advantage)[:, None].expand(6, 3))


@given(st.integers(0, 10_000), st.floats(-50, 50))
def test_a_constant_in_the_reward_of_a_prompt_changes_nothing(seed, constant):
    generator = torch.Generator().manual_seed(seed)
    log_pf, log_r = torch.randn(4, 3, dtype=torch.float64, generator=generator), torch.randn(4, dtype=torch.float64, generator=generator)
    group = torch.tensor([0, 0, 1, 1])
    assert vargrad(log_pf, log_r + constant, group).item() == pytest.approx(vargrad(log_pf, log_r, group).item(), abs=1e-9)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_padding_is_neutral(seed, extra):
    generator = torch.Generator().manual_seed(seed)
    log_pf, log_r = torch.randn(4, 3, generator=generator), torch.randn(4, generator=generator)
    padded = torch.nn.functional.pad(log_pf, (0, extra))
    assert torch.allclose(balance_residual(log_pf, log_r, torch.tensor(0.0)), balance_residual(padded, log_r, torch.tensor(0.0)), atol=1e-6)


@given(st.integers(0, 10_000))
def test_the_group_estimate_is_the_log_z_of_least_loss(seed):
    generator = torch.Generator().manual_seed(seed)
    log_pf, log_r = torch.randn(5, 2, dtype=torch.float64, generator=generator), torch.randn(5, dtype=torch.float64, generator=generator)
    best = group_log_z(log_pf, log_r, torch.zeros(5, dtype=torch.long))[0]
    least = trajectory_balance(log_pf, log_r, best)
    assert all(trajectory_balance(log_pf, log_r, best + d) > least for d in (-0.1, 0.1))


@pytest.mark.parametrize(
    "score, message", [([0.5, 1.5], r"score\[1\] is 1.5"), ([0.5, -0.5], r"score\[1\] is -0.5"), ([math.nan, 0.0], r"score\[0\] is nan")]
)
def test_a_score_outside_its_range_is_named(score, message):
    with pytest.raises(ValueError, match=message):
        target_log_reward(torch.tensor(score), torch.zeros(2, 3), 1.0)


def test_a_target_is_the_prior_of_all_tokens_times_the_tempered_reward():
    found = target_log_reward(torch.tensor([0.0, 0.25, 1.0]), torch.tensor([[-1.0, -2.0], [-0.5, 0.0], [-3.0, -3.0]]), 4.0)
    assert found.tolist() == [-3.0, 0.5, -2.0]


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_reward_without_a_finite_logarithm_is_named(value):
    with pytest.raises(ValueError, match=rf"log_reward\[1\] is {value}"):
        balance_residual(torch.zeros(2, 3), torch.tensor([0.0, value]), torch.tensor(0.0))


def test_shape_error_names_what_it_wanted_and_got():
    with pytest.raises(ValueError, match=r"log_reward \(B,\).*got \(2, 3\), \(3,\)"):
        trajectory_balance(torch.zeros(2, 3), torch.zeros(3), torch.zeros(()))
    with pytest.raises(ValueError, match=r"log_z \(\) or \(B,\); got \(2, 3\), \(2,\), \(2, 1\)"):
        trajectory_balance(torch.zeros(2, 3), torch.zeros(2), torch.zeros(2, 1))  # would be broadcast to all pairs of texts
    with pytest.raises(ValueError, match=r"expected score \(B,\), log_prior \(B, T\); got \(2, 1\), \(2, 3\)"):
        target_log_reward(torch.zeros(2, 1), torch.zeros(2, 3), 1.0)
    with pytest.raises(ValueError, match=r"expected log_ratio \(B, T\).*got \(2, 3\), \(1, 2\), \(2, 3\)"):
        residual_to_go(torch.zeros(2, 3), torch.zeros(1, 2), torch.zeros(2, 3, dtype=torch.long), 1.0)
    with pytest.raises(ValueError, match=r"got \(2, 3\), \(2, 2\), \(2, 4\)"):
        residual_to_go(torch.zeros(2, 3), torch.zeros(2, 2), torch.zeros(2, 4, dtype=torch.long), 1.0)


def test_prompts_of_unequal_size_have_each_their_own_mean():
    log_pf = torch.tensor([[-1.0], [-2.0], [-3.0], [-8.0]], requires_grad=True)
    group = torch.tensor([1, 1, 1, 0])
    log_z = group_log_z(log_pf, torch.zeros(4), group)
    assert log_z.tolist() == [2.0, 2.0, 2.0, 8.0] and not log_z.requires_grad
    values = torch.tensor([[3.0, 0.0], [6.0, 0.0], [9.0, 3.0], [5.0, 7.0]])
    assert centred(values, group).tolist() == [[-3.0, -1.0], [0.0, -1.0], [3.0, 2.0], [0.0, 0.0]]


def test_what_came_before_a_line_is_no_part_of_what_it_can_still_change():
    log_ratio, gains, line_of = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.0, 0.5, 1.0]]), torch.tensor([[0, 1, 2]])
    whole = torch.ones(1, 3, 3)  # below the diagonal too
    own_and_last = torch.tensor([[[1.0, 0.0, 1.0], [0.0, 1.0, 0.0], [9.0, 9.0, 1.0]]])  # row l, column k
    assert residual_to_go(log_ratio, gains, line_of, 2.0).tolist() == [[4.0, 3.0, 2.0]]
    assert residual_to_go(log_ratio, gains, line_of, 2.0, whole).tolist() == [[4.0, 3.0, 2.0]]
    assert residual_to_go(log_ratio, gains, line_of, 2.0, 0.5 * whole).tolist() == [[2.0, 1.5, 1.0]]
    assert residual_to_go(log_ratio, gains, line_of, 2.0, own_and_last).tolist() == [[3.0, 1.0, 2.0]]
