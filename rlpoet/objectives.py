"""Training objectives as pure tensor functions: no model, no device, no I/O.

Shapes: B sequences in a batch, T tokens, G prompts. All logs are natural (nats). A padded step has
log-probability exactly 0, so sums over T need no mask. Text is a tree (one path a string), so the backward
policy is 1 and drops out of every balance condition.
"""

from __future__ import annotations

import torch
from torch import Tensor


def target_log_reward(score: Tensor, log_prior: Tensor, beta: float) -> Tensor:
    """Unnormalised log target ``log p0(y|x) + beta * r(x, y)``, ``(B,)``, nats.

    Args:
        score: reward in [0, 1], ``(B,)``.
        log_prior: per-token log-probabilities under the frozen prior, ``(B, T)``, 0 on padding.
        beta: inverse temperature, at least 0; 0 leaves the prior itself as the target.

    Raises:
        ValueError: a score outside [0, 1] or not finite: the balance conditions need finite log rewards.
    """
    if score.ndim != 1 or log_prior.shape[:1] != score.shape:
        raise ValueError(f"expected score (B,), log_prior (B, T); got {tuple(score.shape)}, {tuple(log_prior.shape)}")
    wrong = ~((score >= 0) & (score <= 1))
    if wrong.any():
        row = int(wrong.nonzero()[0])
        raise ValueError(f"score[{row}] is {score[row].item()}; expected a reward in [0, 1]")
    return log_prior.sum(1) + beta * score


def trajectory_balance(log_pf: Tensor, log_reward: Tensor, log_z: Tensor) -> Tensor:
    """Mean squared balance residual of whole sequences, scalar, nats squared.

    Zero for every sequence iff the policy samples in proportion to the reward.

    Args:
        log_pf: per-token forward log-probabilities, ``(B, T)``, 0 on padding; END counts as a step.
        log_reward: unnormalised log target, ``(B,)``.
        log_z: log partition function, ``()`` or one a sequence ``(B,)``.

    Raises:
        ValueError: shapes disagree, or ``log_reward`` is not finite.

    Example:
        >>> trajectory_balance(torch.tensor([[-1.0, -1.0]]), torch.tensor([1.0]), torch.tensor(3.0))
        tensor(0.)

    References:
        Malkin et al. 2022, "Trajectory balance", arXiv:2201.13259, equation 14.
    """
    return balance_residual(log_pf, log_reward, log_z).square().mean()


def balance_residual(log_pf: Tensor, log_reward: Tensor, log_z: Tensor) -> Tensor:
    """``log_z + sum_t log_pf - log_reward`` of each sequence, ``(B,)``, nats."""
    if log_pf.ndim != 2 or log_reward.shape != log_pf.shape[:1] or log_z.shape not in ((), log_reward.shape):
        shapes = ", ".join(str(tuple(x.shape)) for x in (log_pf, log_reward, log_z))
        raise ValueError(f"expected log_pf (B, T), log_reward (B,), log_z () or (B,); got {shapes}")
    if not torch.isfinite(log_reward).all():
        row = int((~torch.isfinite(log_reward)).nonzero()[0])
        raise ValueError(f"log_reward[{row}] is {log_reward[row].item()}; rewards must be finite in log space")
    return log_z + log_pf.sum(1) - log_reward


def group_log_z(log_pf: Tensor, log_reward: Tensor, group: Tensor) -> Tensor:
    """VarGrad's estimate of log Z for each sequence, ``(B,)``: the mean of ``log_reward - log_pf`` over its prompt.

    It is the log Z that makes the batch's TB loss least, so that the loss becomes the variance of the residual within a
    prompt. Detached: its gradient through the mean would vanish anyway.

    Args:
        log_pf: ``(B, T)``.
        log_reward: ``(B,)``.
        group: prompt of each sequence, ``(B,)``, integers from 0; a prompt of one sequence teaches nothing.

    References:
        Richter et al. 2020, "VarGrad", arXiv:2010.10436; Zhang et al. 2023, "Robust scheduling with GFlowNets", arXiv:2302.05446.
    """
    gap = (log_reward - log_pf.sum(1)).detach()
    n_groups = int(group.max()) + 1
    total = torch.zeros(n_groups, dtype=gap.dtype, device=gap.device).index_add(0, group, gap)
    size = torch.zeros(n_groups, dtype=gap.dtype, device=gap.device).index_add(0, group, torch.ones_like(gap))
    return (total / size.clamp_min(1))[group]


def vargrad(log_pf: Tensor, log_reward: Tensor, group: Tensor) -> Tensor:
    """TB with the group estimate of log Z: mean squared residual, scalar, nats squared."""
    return trajectory_balance(log_pf, log_reward, group_log_z(log_pf, log_reward, group))


def residual_to_go(log_ratio: Tensor, gains: Tensor, line_of: Tensor, beta: float, bearing: Tensor | None = None) -> Tensor:
    """The part of a balance residual that a line can still change, ``(B, L)``, nats.

    ``sum over lines k >= l of bearing[l, k] * ((log pi - log p0)(line k) - beta * gains[k])``. In the gradient of TB on the
    policy's own texts the terms of earlier lines have mean zero, because ``grad log pi`` of a token has mean zero given all
    before it; leaving them out keeps the gradient's mean (``bearing`` None: all ones) and takes away much of its variance
    where rewards come line by line. A smaller bearing of line l on a later line k trusts that k depends little on l: less
    variance, for a bias, the trade of lambda in GAE and SubTB.

    Args:
        log_ratio: ``log pi - log p0`` of each token, detached, ``(B, T)``, 0 on padding.
        gains: what each line adds to the reward, ``(B, L)``; sums to the reward, and depends on no later line.
        line_of: line each token decides, ``(B, T)``, in [0, L).
        beta: inverse temperature.
        bearing: ``(B, L, L)``, in [0, 1]; only its upper triangle is read.

    References:
        Schulman et al. 2016, "High-dimensional continuous control using GAE", arXiv:1506.02438; Madan et al. 2023, "Learning
        GFlowNets from partial episodes", arXiv:2209.12782. The identity with TB is checked in tests.
    """
    if log_ratio.shape != line_of.shape or gains.shape[:1] != log_ratio.shape[:1]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (log_ratio, gains, line_of))
        raise ValueError(f"expected log_ratio (B, T), gains (B, L), line_of (B, T); got {shapes}")
    per_line = torch.zeros(gains.shape, dtype=log_ratio.dtype, device=log_ratio.device).scatter_add(1, line_of, log_ratio) - beta * gains
    if bearing is None:
        bearing = torch.ones((*gains.shape, gains.shape[1]), dtype=per_line.dtype, device=per_line.device)
    return (bearing.triu() @ per_line[:, :, None]).squeeze(2)


def centred(values: Tensor, group: Tensor) -> Tensor:
    """Each column less its mean over the rows of one prompt, ``(B, L)``.

    Args:
        values: ``(B, L)``.
        group: prompt of each row, ``(B,)``, integers from 0.
    """
    n_groups = int(group.max()) + 1
    total = torch.zeros((n_groups, values.shape[1]), dtype=values.dtype, device=values.device).index_add(0, group, values)
    size = torch.zeros(n_groups, dtype=values.dtype, device=values.device).index_add(0, group, torch.ones_like(values[:, 0]))
    return values - (total / size.clamp_min(1)[:, None])[group]
