"""One step of each trainer, whole: the gradient is that of the losses the exact tests prove, clipped, at the rate and beta of the schedule.

Progress is a twentieth: half of the rate's warm-up, a quarter of beta's. What the schedule makes of it is written here as numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_gflownet import PROMPTS, plain
from tiny_policy import tiny_policy
from torch import Tensor
from trainers import make

from policies.causal_lm import CausalPolicy
from rlpoet.rollout import Rollout
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.gflownet.credit import token_weights
from rlpoet.training.gflownet.objectives import target_log_reward, vargrad
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.ppo.advantage import clipped_policy_loss, gae, whitened
from rlpoet.training.ppo.trainer import PPOTrainer

PROGRESS = 0.05
RATE_FACTOR = 0.52525  # (0.1 + 0.9 / 2) (1 - 0.9 / 20)
BETA = 13.125  # 30 (0.25 + 0.75 / 4)
SIZE: dict[str, Any] = {"prompts_per_step": 2, "group_size": 4}
GROUP = torch.tensor([0] * 4 + [1] * 4)


def moved(policy: CausalPolicy) -> CausalPolicy:
    """Away from its prior, so that a ratio of the two is not 1."""
    noise = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in policy.model.parameters():
            parameter += 0.02 * torch.randn(parameter.shape, generator=noise)
    return policy


def held(run: Any, clip: float, rate: float, loss: Callable[[Rollout, Tensor, Tensor, Tensor], Tensor]) -> dict[str, float]:
    """Take one step, and compare gradient and movement with those of a loss of the same texts under the same weights."""
    twin = moved(tiny_policy())
    moved(run.policy)
    learn = [name for name, parameter in run.policy.model.named_parameters() if parameter.requires_grad]
    told, fresh, scored = run.step(PROGRESS)
    scores = torch.tensor(scored.total)
    assert scores.std() > 0  # or nothing would be learned of them
    with torch.no_grad():
        prior = run.prior.log_prob(fresh)
    loss(fresh, scores, twin.log_prob(fresh), prior).backward()
    before, after = dict(twin.model.named_parameters()), dict(run.policy.model.named_parameters())
    norm = torch.stack([before[name].grad.norm() for name in learn]).norm().item()
    assert told["train/grad_norm"] == pytest.approx(norm, rel=1e-3) and norm > clip
    for name in learn:
        found, wanted = after[name].grad, before[name].grad * clip / norm
        assert torch.allclose(found, wanted, atol=1e-4 * clip, rtol=1e-3), name
    # Adam's first step is as long as its rate wherever there is a gradient
    furthest = max((after[name] - before[name]).abs().max().item() for name in learn)
    assert furthest == pytest.approx(rate, rel=1e-2)
    assert told["train/learning_rate"] == pytest.approx(rate)
    for name in before.keys() - set(learn):
        assert torch.equal(before[name], after[name]), name
    return told


def tb(credit: str) -> tuple[TBTrainer, Callable[[Rollout, Tensor, Tensor, Tensor], Tensor]]:
    run = make(TBTrainer, tiny_policy(), plain, PROMPTS, **SIZE, credit=credit, clip=0.01)

    def loss(fresh: Rollout, scores: Tensor, log_pi: Tensor, prior: Tensor) -> Tensor:
        if credit == "poem":
            return vargrad(log_pi, target_log_reward(scores, prior, BETA), GROUP)
        steps = log_pi.detach()
        weights = token_weights(
            fresh, steps - prior, plain, beta=BETA, group=GROUP, cross_segment_credit=0.2, words=credit == "word", log_pi=steps,
            plan_token_weight=0.7 if credit == "word" else 1.0,
        )  # fmt: skip
        return 2 * (weights * log_pi).sum(1).mean()

    return run, loss


@pytest.mark.parametrize("credit", ["word", "poem"])
def test_a_step_of_trajectory_balance_is_the_gradient_of_its_loss(credit: str) -> None:
    run, loss = tb(credit)
    told = held(run, 0.01, 6e-4 * RATE_FACTOR, loss)
    assert told["gfn/beta"] == pytest.approx(BETA)


def test_a_step_of_ppo_is_the_gradient_of_its_surrogate_with_a_kl_of_one_over_beta() -> None:
    options = {**SIZE, "minibatches": 1, "critic_first": 0, "credit": "poem", "clip": 0.01}
    run = make(PPOTrainer, tiny_policy(), plain, PROMPTS, **options)

    def loss(fresh: Rollout, scores: Tensor, log_pi: Tensor, prior: Tensor) -> Tensor:
        mask, old = fresh.chosen, log_pi.detach()
        rewards = (prior - old) / BETA
        for row, score in enumerate(scores.tolist()):
            rewards[row, mask[row].nonzero()[-1]] += score
        advantages, _ = gae(rewards, torch.zeros_like(rewards), mask, lam=0.95)  # the critic knows nothing yet
        return clipped_policy_loss(log_pi, old, whitened(advantages, mask), mask, clip=0.2)

    told = held(run, 0.01, 3e-4 * RATE_FACTOR, loss)
    assert told["ppo/kl_coefficient"] == pytest.approx(1 / BETA)
    assert [group["lr"] for group in run.value_optimizer.param_groups] == pytest.approx([9.55e-4])  # falls, and does not warm up


def test_a_step_of_rejection_sampling_is_the_cross_entropy_of_what_it_kept() -> None:
    run = make(RejectionTrainer, tiny_policy(), plain, PROMPTS, **SIZE, clip=0.01)

    def loss(fresh: Rollout, scores: Tensor, log_pi: Tensor, prior: Tensor) -> Tensor:
        kept = [int(scores[:4].argmax()), 4 + int(scores[4:].argmax())]  # a quarter of four texts
        return -log_pi[kept].sum() / fresh.chosen[kept].sum()

    assert held(run, 0.01, 6e-4 * RATE_FACTOR, loss)["rft/kept"] == 2
