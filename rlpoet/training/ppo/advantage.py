"""What PPO needs beside a reward, as pure tensor functions: advantages, clipped losses, diagnostics. No model, no device, no I/O.

Shapes: B sequences in a batch, S places in a row. ``mask`` is True where the policy acted (drew a token); whatever stands
elsewhere, in any argument, changes nothing. A mean is over the tokens drawn in the whole minibatch, never within a text first:
a mean by text would weigh a token of a short text more, and the fixed point would favour lengths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def gae(rewards: Tensor, values: Tensor, mask: Tensor, *, lam: float | Tensor, gamma: float = 1.0) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimates and the returns a value function is to learn, both ``(B, S)``, 0 where the policy did not act.

    ``A_t = delta_t + gamma lam_t A_{t+1}`` with ``delta_t = r_t + gamma V_{t+1} - V_t``; places between two actions are skipped,
    and the value after the last one is 0: a text ends there, be it by END or by the limit of length. The return is ``A_t + V_t``.
    Where lambda is one number, ``A_t = sum_k (gamma lam)^k delta_{t+k}``.

    Args:
        rewards: of each token, ``(B, S)``.
        values: expected return before each token is drawn, detached, ``(B, S)``.
        mask: ``(B, S)`` bool.
        lam: 1 trusts rewards alone (returns less values), 0 the next value alone (TD error). A tensor ``(B, S)`` has the lambda of the
            step from each action to the next (``lambda_per_segment``).
        gamma: discount; any but 1 would change the target that a KL penalty gives PPO.

    Raises:
        ValueError: shapes disagree.

    Example:
        >>> ones = torch.ones(1, 3)
        >>> gae(ones, torch.zeros(1, 3), ones.bool(), lam=1.0)[0]
        tensor([[3., 2., 1.]])

    References:
        Schulman et al. 2016, "High-dimensional continuous control using GAE", arXiv:1506.02438, equation 16. Sutton and Barto 2018,
        "Reinforcement learning", section 12.8, for a lambda of each step.
    """
    if not rewards.shape == values.shape == mask.shape or rewards.ndim != 2:
        shapes = ", ".join(str(tuple(x.shape)) for x in (rewards, values, mask))
        raise ValueError(f"expected rewards, values and mask (B, S); got {shapes}")
    if isinstance(lam, Tensor) and lam.shape != values.shape:
        raise ValueError(f"expected lam {tuple(values.shape)}, as the values are; got {tuple(lam.shape)}")
    lams = torch.as_tensor(lam, dtype=values.dtype).expand(values.shape)
    advantages = torch.zeros_like(values)
    ahead = torch.zeros_like(values[:, 0])  # advantage and value of the next action
    after = torch.zeros_like(ahead)
    for t in range(values.shape[1] - 1, -1, -1):
        acted = mask[:, t]
        here = rewards[:, t] + gamma * after - values[:, t] + gamma * lams[:, t] * ahead
        ahead, after = torch.where(acted, here, ahead), torch.where(acted, values[:, t], after)
        advantages[:, t] = torch.where(acted, here, 0.0)
    return advantages, torch.where(mask, advantages + values, 0.0)


def lambda_per_segment(segment_of: Tensor, mask: Tensor, lam: float) -> Tensor:
    """The lambda of each step where it counts at the ends of segments only, ``(B, S)`` float64: 1 from an action to one of its own segment.

    Args:
        segment_of: segment of each action, ``(B, S)``, which never falls from an action to the next; read where ``mask`` is True.
        mask: ``(B, S)`` bool.
        lam: of a step into another segment.

    Example:
        >>> lambda_per_segment(torch.tensor([[0, 0, 1, 3]]), torch.ones(1, 4, dtype=torch.bool), 0.9)[:, :3]
        tensor([[1.0000, 0.9000, 0.9000]], dtype=torch.float64)
    """
    beyond = torch.iinfo(segment_of.dtype).max
    acted = segment_of.masked_fill(~mask, beyond)
    # since segments only rise, that of the next action is the least of those to come
    following = torch.nn.functional.pad(acted.flip(1).cummin(1).values.flip(1)[:, 1:], (0, 1), value=beyond)
    return torch.ones(mask.shape, dtype=torch.float64).masked_fill(mask & (following > segment_of), lam)


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """Mean over the places marked, scalar; 0 where none is."""
    return torch.where(mask, x, 0.0).sum() / mask.sum().clamp_min(1)


def whitened(advantages: Tensor, mask: Tensor, total: Callable[[Sequence[float]], Sequence[float]] = list) -> Tensor:
    """Advantages of mean 0 and standard deviation 1 over the places marked, 0 elsewhere.

    Taking one constant from all leaves the gradient's mean as it is; the scale makes one learning rate do for any reward.

    Args:
        advantages, mask: ``(B, S)``.
        total: adds numbers up over processes that share a batch.
    """
    n, added = total([float(mask.sum()), torch.where(mask, advantages, 0.0).sum().item()])
    centred = torch.where(mask, advantages - added / max(n, 1.0), 0.0)
    (squares,) = total([centred.square().sum().item()])
    return centred / (math.sqrt(squares / max(n, 1.0)) + 1e-8)


def clipped_policy_loss(log_p: Tensor, old_log_p: Tensor, advantages: Tensor, mask: Tensor, *, clip: float) -> Tensor:
    """PPO's surrogate, negated: mean of ``-min(ratio A, clamp(ratio, 1 - clip, 1 + clip) A)`` over the tokens drawn, scalar.

    Args:
        log_p: log-probability of each token under the policy in training, ``(B, S)``, nats.
        old_log_p: the same under the policy that drew the tokens, detached.
        advantages: detached, ``(B, S)``.
        mask: ``(B, S)`` bool.
        clip: how far a ratio may move from 1 before its token stops teaching.

    Example:
        >>> acted = torch.ones(1, 1, dtype=torch.bool)
        >>> clipped_policy_loss(torch.tensor([[2.0]]).log(), torch.zeros(1, 1), torch.ones(1, 1), acted, clip=0.2)
        tensor(-1.2000)

    References:
        Schulman et al. 2017, "Proximal policy optimization algorithms", arXiv:1707.06347, equation 7.
    """
    ratio = torch.where(mask, log_p - old_log_p, 0.0).exp()
    advantages = torch.where(mask, advantages, 0.0)
    return -masked_mean(torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages), mask)


def clipped_value_loss(values: Tensor, old_values: Tensor, returns: Tensor, mask: Tensor, *, clip: float) -> Tensor:
    """Half the squared error of the values, the worse of the value and the value held within ``clip`` of its old self; scalar.

    Args:
        values: ``(B, S)``.
        old_values: what the advantages were computed with, detached.
        returns: detached, ``(B, S)``.
        mask: ``(B, S)`` bool.
        clip: in units of reward; 0 leaves the plain squared error.

    References:
        Huang et al. 2022, "The 37 implementation details of PPO", detail 9.
    """
    error = torch.where(mask, values - returns, 0.0).square()
    if clip > 0:
        held = old_values + (values - old_values).clamp(-clip, clip)
        error = torch.maximum(error, torch.where(mask, held - returns, 0.0).square())
    return 0.5 * masked_mean(error, mask)


def approx_kl(log_p: Tensor, old_log_p: Tensor, mask: Tensor) -> Tensor:
    """KL of the old policy from the new one by token, nats, scalar: mean of ``ratio - 1 - log ratio``, never negative.

    References:
        Schulman 2020, "Approximating KL divergence", http://joschu.net/blog/kl-approx.html, estimator k3.
    """
    log_ratio = torch.where(mask, log_p - old_log_p, 0.0)
    return masked_mean(log_ratio.exp() - 1 - log_ratio, mask)


def clip_fraction(log_p: Tensor, old_log_p: Tensor, mask: Tensor, *, clip: float) -> Tensor:
    """Share of the tokens drawn whose ratio is further than ``clip`` from 1, scalar."""
    log_ratio = torch.where(mask, log_p - old_log_p, 0.0)
    return masked_mean(((log_ratio.exp() - 1).abs() > clip).to(log_p.dtype), mask)


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> Tensor:
    """``1 - var(returns - values) / var(returns)``, scalar: 1 for a perfect value function, 0 for a constant, negative for a worse one."""
    left, whole = (returns - values)[mask], returns[mask]
    return 1 - left.var(correction=0) / whole.var(correction=0).clamp_min(1e-12)


def steered(coefficient: float, kl: float, *, target: float, gain: float = 0.1) -> float:
    """The KL coefficient after one batch, nearer to what keeps the KL at its target.

    Proportional, at most ``gain * 0.2`` of itself a batch; a policy further from the prior than asked for is pulled harder.

    Args:
        coefficient: units of reward a nat.
        kl: mean sequence KL of the batch, nats.
        target: nats, above 0.

    Example:
        >>> steered(0.05, 60.0, target=30.0), steered(0.05, 30.0, target=30.0)
        (0.051000000000000004, 0.05)

    References:
        Ziegler et al. 2019, "Fine-tuning language models from human preferences", arXiv:1909.08593, section 2.2.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return coefficient * (1 + gain * error)
