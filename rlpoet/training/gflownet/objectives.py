"""Training objectives as pure tensor functions: no model, no device, no I/O.

Shapes: B sequences in a batch, T tokens, G prompts. All logs are natural (nats). A padded step has
log-probability exactly 0, so sums over T need no mask. Text is a tree (one path a string), so the backward
policy is 1 and drops out of every balance condition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def log_mean_weight(rewards: Sequence[float], beta: float) -> float:
    """Log Z from rewards of the prior's own texts: ``log mean exp(beta r)``, nats.

    Too low by about ``CV² / 2n``, with the deviation of a weight over its mean (``rlpoet.evaluation.target``).

    References:
        Brantley et al. 2025, "Accelerating RL for LLM reasoning with optimal advantage regression" (A*-PO), arXiv:2505.20686.

    >>> round(log_mean_weight([1.0, 1.0, 0.0, 0.0], 30.0), 3)
    29.307
    """
    return float(torch.logsumexp(beta * torch.tensor(rewards, dtype=torch.float64), 0)) - math.log(len(rewards))


def vargrad(log_pf: Tensor, log_reward: Tensor, group: Tensor) -> Tensor:
    """TB with the group estimate of log Z: mean squared residual, scalar, nats squared."""
    return trajectory_balance(log_pf, log_reward, group_log_z(log_pf, log_reward, group))


def residual_to_go(log_ratio: Tensor, gains: Tensor, line_of: Tensor, beta: float, cross_segment_credit: Tensor | None = None) -> Tensor:
    """The part of a balance residual that a line can still change, ``(B, L)``, nats.

    ``sum over lines k >= l of cross_segment_credit[l, k] * ((log pi - log p0)(line k) - beta * gains[k])``. In the gradient of TB on the
    policy's own texts the terms of earlier lines have mean zero, because ``grad log pi`` of a token has mean zero given all
    before it; leaving them out keeps the gradient's mean (``cross_segment_credit`` None: all ones) and takes away much of its variance
    where rewards come line by line. Less credit of line l for a later line k trusts that k depends little on l: less
    variance, for a bias, the trade of lambda in GAE and SubTB.

    Args:
        log_ratio: ``log pi - log p0`` of each token, detached, ``(B, T)``, 0 on padding.
        gains: what each line adds to the reward, ``(B, L)``; sums to the reward, and depends on no later line.
        line_of: line each token decides, ``(B, T)``, in [0, L).
        beta: inverse temperature.
        cross_segment_credit: ``(B, L, L)``, in [0, 1]; only its upper triangle is read.

    References:
        Schulman et al. 2016, "High-dimensional continuous control using GAE", arXiv:1506.02438; Madan et al. 2023, "Learning
        GFlowNets from partial episodes", arXiv:2209.12782. The identity with TB is checked in tests.
    """
    if log_ratio.shape != line_of.shape or gains.shape[:1] != log_ratio.shape[:1]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (log_ratio, gains, line_of))
        raise ValueError(f"expected log_ratio (B, T), gains (B, L), line_of (B, T); got {shapes}")
    per_line = torch.zeros(gains.shape, dtype=log_ratio.dtype, device=log_ratio.device).scatter_add(1, line_of, log_ratio) - beta * gains
    if cross_segment_credit is None:
        cross_segment_credit = torch.ones((*gains.shape, gains.shape[1]), dtype=per_line.dtype, device=per_line.device)
    return (cross_segment_credit.to(per_line.dtype).triu() @ per_line[:, :, None]).squeeze(2)


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


def flow_residuals(steps: Tensor, flow: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
    """Balance residuals of all stretches of a text between two line ends, and which exist, both ``(B, L + 1, L + 1)``.

    ``flow[i] + sum over i <= k < j of steps[k] - flow[j]`` in row i, column j: what the flow into node i and the policy
    along the stretch say about node j, less what its own flow says. Node 0 is the prompt, node l the end of line l.
    Flows are relative to the prior: ``log F(s) = log p0(s) + flow(s)``, so that a head has to learn what the reward is worth, not
    the hundred nats of a poem. At the end of a text the flow is the target itself, whatever ``flow`` says there:
    ``log F = log p0 + beta r``, flow 0 once all gains are in ``steps``.

    Args:
        steps: ``log pi - log p0 - beta * gain`` of each line, ``(B, L)``, nats. Gains paid at the line that earns them make the
            flows forward-looking (Pan et al.: ``log F(s) = log F~(s) + beta * reward so far``); the whole reward as the last line's
            gain gives plain SubTB.
        flow: ``(B, L + 1)``; column 0 is log Z(x).
        last: number of lines of each text, ``(B,)``, at least 1; later columns are not read.

    Raises:
        ValueError: shapes disagree.
    """
    n_nodes = steps.shape[1] + 1
    if flow.shape != (steps.shape[0], n_nodes) or last.shape != steps.shape[:1]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (steps, flow, last))
        raise ValueError(f"expected steps (B, L), flow (B, L + 1), last (B,); got {shapes}")
    node = torch.arange(n_nodes, device=steps.device)
    known = flow.masked_fill(node >= last[:, None], 0.0)
    reached = torch.nn.functional.pad(steps.cumsum(1), (1, 0))  # (B, L + 1): the sum of steps up to each node
    height = reached - known
    exists = (node[:, None] < node) & (node <= last[:, None, None])
    return (height[:, None, :] - height[:, :, None]).masked_fill(~exists, 0.0), exists


def subtrajectory_balance(steps: Tensor, flow: Tensor, last: Tensor, decay: float) -> Tensor:
    """SubTB(lambda) over line ends: weighted mean of the squared residuals of a text's stretches, ``(B,)``, nats squared.

    ``sum over i < j of lambda^(j - i) residual(i, j)^2 / sum over i < j of lambda^(j - i)``. A small lambda is detailed balance
    from line to line, a large one trajectory balance; 0 residuals everywhere iff flows and policy are those of the target.

    Deviations: nodes are line ends, not tokens (a line is one action of Madan et al.); flows are relative to the prior; the
    weights are normalised in each text, not in the batch, so that short texts count as much as long ones.

    Args:
        steps, flow, last: as for ``flow_residuals``.
        decay: lambda, positive.

    Example:
        >>> one = torch.tensor([[1.0, 2.0]])
        >>> subtrajectory_balance(one, torch.tensor([[-3.0, -2.0, 0.0]]), torch.tensor([2]), 0.9)
        tensor([0.])

    References:
        Madan et al. 2023, "Learning GFlowNets from partial episodes", arXiv:2209.12782 (SubTB(lambda)); Pan et al. 2023, "Better
        training of GFlowNets with local credit and incomplete trajectories", arXiv:2302.01687 (forward-looking flows).
    """
    residual, exists = flow_residuals(steps, flow, last)
    weight = _stretch_weights(exists, decay).to(steps.dtype)
    return (weight * residual.square()).sum((1, 2))


def group_flow(steps: Tensor, flow: Tensor, last: Tensor, decay: float, group: Tensor) -> Tensor:
    """The log Z of each text, ``(B,)``, that makes its prompt's SubTB loss least; detached. VarGrad's estimate where L is 1.

    Only stretches that begin at the prompt know log Z, so it is the weighted mean of what each of them says it is.

    Args:
        steps, flow, last, decay: as for ``subtrajectory_balance``; column 0 of ``flow`` is not read.
        group: prompt of each text, ``(B,)``, integers from 0.
    """
    blank = flow.detach().clone()
    blank[:, 0] = 0.0
    residual, exists = flow_residuals(steps.detach(), blank, last)
    weight = _stretch_weights(exists, decay)[:, 0].to(steps.dtype)  # (B, L + 1)
    told = -(weight * residual[:, 0]).sum(1)
    total, mass = (torch.zeros(int(group.max()) + 1, dtype=told.dtype, device=told.device) for _ in range(2))
    total, mass = total.index_add(0, group, told), mass.index_add(0, group, weight.sum(1))
    return (total / mass)[group]


def _stretch_weights(exists: Tensor, decay: float) -> Tensor:
    """``lambda^(j - i)`` of the stretches that exist, over their sum in each text, ``(B, L + 1, L + 1)``, float64."""
    if not decay > 0:
        raise ValueError(f"decay is {decay}; expected lambda > 0")
    node = torch.arange(exists.shape[1], device=exists.device)
    length = (node - node[:, None]).to(torch.float64)
    weight = (decay**length).masked_fill(~exists, 0.0)
    return weight / weight.sum((1, 2), keepdim=True)
