"""One step of each trainer, whole: the gradient is that of the losses the exact tests prove, clipped, at the rate and beta of the schedule.

Progress is a twentieth: half of the rate's warm-up, a quarter of beta's. What the schedule makes of it is written here as numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from test_auxiliary import with_rhyme_pairs
from test_gflownet import PROMPTS, plain
from tiny_policy import tiny_policy
from torch import Tensor
from trainers import make

from policies.causal_lm import CausalPolicy
from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training.auxiliary import word_weights
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.baselines.trl import GRPOTrainer
from rlpoet.training.gflownet.credit import token_weights
from rlpoet.training.gflownet.objectives import target_log_reward, vargrad
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.ppo.advantage import clipped_policy_loss, gae, whitened
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.training.trainer import BETAS

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


def held(
    run: Any, clip: float, rate: float, loss: Callable[[Rollout, Tensor, Tensor, Tensor], Tensor], *, twin: CausalPolicy | None = None
) -> dict[str, float]:
    """Take one step, and compare gradient and movement with those of a loss of the same texts under the same weights.

    Args:
        twin: a policy like that of the run; a tiny one by default.
    """
    twin = moved(twin or tiny_policy())
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


def test_a_step_of_grpo_is_the_gradient_of_its_loss_under_the_masks() -> None:
    clip = 1e-4  # its loss is a mean over tokens, and small
    run = make(GRPOTrainer, tiny_policy(), plain, PROMPTS, **SIZE, clip=clip)

    def loss(fresh: Rollout, scores: Tensor, log_pi: Tensor, prior: Tensor) -> Tensor:
        assert fresh.token_masks is not None  # log_pi and prior are renormalised under them
        advantage = scores - scores.view(2, 4).mean(1, keepdim=True).expand(2, 4).flatten()  # not divided by the deviation
        kl = (prior - log_pi).exp() - (prior - log_pi) - 1  # of each token, the estimate that is never negative
        ratio = (log_pi - log_pi.detach()).exp()  # 1; before the estimate too, so that its gradient is that of the KL it estimates
        by_token = ratio * (kl / BETA - advantage[:, None])
        return by_token[fresh.chosen].mean()  # over all tokens of the batch: a long text counts more

    told = held(run, clip, 6e-4 * RATE_FACTOR, loss)
    assert told["trl/kl_coefficient"] == pytest.approx(1 / BETA)


def test_a_step_of_trajectory_balance_adds_the_auxiliary_task_at_its_weight() -> None:
    """The words are drawn by the reference; each is right or wrong, and a right one is worth a quarter of beta."""
    weight = 0.7
    task = {"aux_rhyme_weight": weight, "aux_sampler": "reference"}
    run = make(TBTrainer, with_rhyme_pairs(), plain, PROMPTS, **SIZE, credit="poem", clip=0.01, **task)
    twin, draw, seen = with_rhyme_pairs(), run.prior.rhyming_words, []

    def half_right(rows: list[list[int]], n: int) -> RhymingWords:
        words = draw(rows, n)  # of random weights, which are never right
        right = torch.rand(words.right.shape, generator=torch.Generator().manual_seed(0)) < 0.5
        seen.append(replace(words, right=right))
        return seen[-1]

    run.prior.rhyming_words = half_right

    def loss(fresh: Rollout, scores: Tensor, log_pi: Tensor, prior: Tensor) -> Tensor:
        (words,) = seen
        log_word = twin.log_prob(words.rollout)
        with torch.no_grad():
            log_prior = run.prior.log_prob(words.rollout)
        group = torch.zeros(len(log_prior), dtype=torch.long)  # one list of sounds for two prompts
        weights = word_weights(words, log_word.detach(), log_prior, beta=BETA / 4, group=group, by_reference=True)
        main = vargrad(log_pi, target_log_reward(scores, prior, BETA), GROUP)
        return main + weight * 2 * (weights * log_word).sum(1).mean()

    held(run, 0.01, 6e-4 * RATE_FACTOR, loss, twin=twin)


def test_the_second_minibatch_of_ppo_is_weighed_against_the_policy_that_drew_it() -> None:
    """Half of the texts, then the other half: old log-probabilities and whitened advantages are those of the whole batch before both."""
    clip, rate = 0.01, 3e-4 * RATE_FACTOR
    run = make(PPOTrainer, moved(tiny_policy()), plain, PROMPTS, **SIZE, critic_first=0, credit="poem", clip=clip)
    twin, order, parts = moved(tiny_policy()), random.Random(0), list(range(8))
    run.prior = tiny_policy()
    order.sample(PROMPTS, 2)
    order.shuffle(parts)
    _, fresh, scored = run.step(PROGRESS)
    mask = fresh.chosen
    with torch.no_grad():
        old, prior = twin.log_prob(fresh), run.prior.log_prob(fresh)
    rewards = (prior - old) / BETA
    for row, score in enumerate(scored.total):
        rewards[row, mask[row].nonzero()[-1]] += score
    advantages = whitened(gae(rewards, torch.zeros_like(rewards), mask, lam=0.95)[0], mask)
    learns = {name: parameter.requires_grad for name, parameter in run.policy.model.named_parameters()}
    learned = [parameter for name, parameter in twin.model.named_parameters() if learns[name]]
    optimizer = torch.optim.AdamW(learned, lr=rate, betas=BETAS, weight_decay=0.0)
    ratios = []
    for rows in (parts[::2], parts[1::2]):
        log_pi = twin.log_prob(fresh)[rows]
        ratios.append((log_pi.detach() - old[rows]).abs().max().item())
        optimizer.zero_grad()
        clipped_policy_loss(log_pi, old[rows], advantages[rows], mask[rows], clip=0.2).backward()
        torch.nn.utils.clip_grad_norm_(learned, clip)
        optimizer.step()
    assert ratios[0] == 0.0 < ratios[1]
    before, after = dict(moved(tiny_policy()).model.named_parameters()), dict(run.policy.model.named_parameters())
    for name, wanted in twin.model.named_parameters():
        assert torch.allclose(after[name], wanted, atol=0.02 * rate), name
    furthest = max((after[name] - before[name]).abs().max().item() for name in after)
    assert rate < furthest <= 2.01 * rate  # two steps, each at most as long as the rate
