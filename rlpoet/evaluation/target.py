"""Distance of a policy from the target of training, ``p*(x) = p0(x) exp(beta r(x)) / Z``, in nats per poem.

    KL(pi || p*) = E_pi[log pi(x) - log p0(x) - beta r(x)] + log Z,    Z = E_p0[exp(beta r(x))]

0 is the target itself, which all trainers but rejection sampling and best of n aim at. The first part is a mean over poems of the policy.
All log-probabilities are those of the distribution that poems are drawn from: renormalised over the tokens that the form leaves
(``rlpoet.rollout.TracksMasks``). With others the figure is no divergence, and may lie below 0.

``log Z`` comes from poems of the prior: the logarithm of their mean weight ``exp(beta r)``. Four poems of a prompt are too few for that:
the logarithm of a mean of ``n`` weights is too low by about ``CV² / 2n``, where ``CV`` is the deviation of a weight over its mean. So the
poems of all prompts of one form are taken together. The result is too high by half the variance of ``log Z`` between prompts (Jensen's
inequality), since one mean stands for every prompt. Neither bias is in the difference of two policies on the same prompts.

Of the shipped Spanish prior, quatrains of 20 authors and of none, beta 30: from four poems of a prompt log Z is too low by 0.50 nats.
From four poems of each of 64 prompts, together by form, it is too high by 0.02, and its standard error is 0.07. Between prompts log Z
deviates by 0.16 (``python -m experiments.studies.target_distance --langs es --bias``). Where the prior's poems are worth few
(``PriorWeights.ess``), as of forms that it seldom keeps, log Z is probably too low by far more. The change is right all the same.

References:
    Korbak et al., "On Reinforcement Learning and Distribution Matching for Fine-Tuning Language Models with no Catastrophic Forgetting",
    2022: the target, and KL to it. Kong, "A note on importance sampling using standardized weights", 1992: the effective sample size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.intervals import N_DRAWS, Array, Redrawn
from rlpoet.types import Prompt

ENOUGH = 30.0  # poems that the prior's have to be worth, for log Z to be known


@dataclass(frozen=True)
class PriorWeights:
    """What poems of the prior say of the target.

    Attributes:
        log_z: of all prompts, the mean over poems, nats.
        acceptance: ``E_p0[exp(beta (r - 1))]``: the share of the prior's poems that rejection keeps. What it keeps are exact samples of the
            target, since no reward is above 1.
        ess: effective sample size, ``(sum w)² / sum w²``, of ``n`` poems.
        n: poems.
    """

    log_z: float
    acceptance: float
    ess: float
    n: int

    @property
    def known(self) -> bool:
        """Whether the poems suffice for ``log_z``; if not, it is probably too low, and so is a distance."""
        return self.ess >= ENOUGH

    def line(self) -> str:
        """What the prior's poems say, for people."""
        kept = (
            f"The target keeps {self.acceptance:.2%} of the prior's poems by exact rejection"
            if self.acceptance < 0.01
            else (f"The target keeps {self.acceptance:.0%} of the prior's poems by exact rejection, {1 / self.acceptance:.1f} draws a poem")
        )
        weak = "" if self.known else ": too few, distances are probably larger than shown; their change is right all the same"
        return f"{kept}. Log Z rests on {self.ess:.0f} of {self.n} poems{weak}."


def acceptance(rewards: Array, beta: float) -> float:
    """Share of poems that exact rejection keeps: each with probability ``exp(beta (r - 1))``.

    >>> acceptance(np.array([1.0, 1.0, 0.0, 0.0]), 30.0).__round__(6)
    0.5
    """
    return float(np.exp(beta * (np.asarray(rewards, dtype=float) - 1.0)).mean())


def strata_of(prompts: Sequence[Prompt]) -> NDArray[np.int64]:
    """Number of each poem's form, shape ``(P,)``: the prompts of a form, whose poems are weighed together for log Z."""
    numbers = {form: n for n, form in enumerate(dict.fromkeys(prompt.form for prompt in prompts))}
    return np.array([numbers[prompt.form] for prompt in prompts], dtype=np.int64)


def prior_weights(rewards: Array, strata: NDArray[np.int64], beta: float) -> PriorWeights:
    """Log Z, acceptance and effective sample size from poems of the prior.

    Args:
        rewards: in [0, 1], shape ``(P,)``.
        strata: as from ``strata_of``, shape ``(P,)``.
    """
    weight = np.exp(beta * (rewards - 1.0))
    n = np.bincount(strata)
    log_z = beta + np.log(np.bincount(strata, weight)[n > 0] / n[n > 0])
    return PriorWeights(
        float(np.average(log_z, weights=n[n > 0])), float(weight.mean()), float(weight.sum() ** 2 / (weight**2).sum()), len(rewards)
    )


def target_kl(
    rewards: Array,
    log_ratio: Array,
    prior_rewards: Array,
    *,
    beta: float,
    strata: NDArray[np.int64],
    group: NDArray[np.int64],
    seed: int = 0,
) -> Redrawn:
    """KL from a policy to the target, nats per poem, with its prompts drawn again.

    The two sides have the same prompts, row by row. Whole prompts are drawn again within their form, the policy's poems and the prior's
    together, so the standard error holds that of log Z. The same seed draws the same prompts for every policy.

    Args:
        rewards, log_ratio: of the policy's poems: ``r``, and ``log pi - log p0`` in nats, masked; 0 for the prior itself. ``(P,)``.
        prior_rewards: of the prior's poems, ``(P,)``.
        strata: of each row, ``(P,)``; see ``strata_of``.
        group: number of each row's prompt, ``(P,)``, counted from 0; the rows of a prompt have one stratum.
    """
    energy, weight, rows = log_ratio - beta * rewards, np.exp(beta * (prior_rewards - 1.0)), np.ones(len(rewards))
    energy_sum, weight_sum, n_rows = (np.bincount(group, values).astype(float) for values in (energy, weight, rows))
    first = np.unique(group, return_index=True)[1]
    of_prompt = strata[first]
    forms = [np.flatnonzero(of_prompt == form) for form in np.unique(of_prompt)]
    rng = np.random.default_rng(seed)
    value, drawn = 0.0, np.zeros(N_DRAWS)
    for prompts in forms:
        share = n_rows[prompts].sum() / len(rewards)
        value += share * float(_divergence(energy_sum[prompts], weight_sum[prompts], n_rows[prompts]))
        again = prompts[rng.integers(len(prompts), size=(N_DRAWS, len(prompts)))]
        drawn += share * _divergence(energy_sum[again], weight_sum[again], n_rows[again])
    value, drawn, n = value + beta, drawn + beta, len(of_prompt)
    return Redrawn(value, drawn, n, math.sqrt(n / max(n - len(forms), 1)))


def _divergence(energy: Array, weight: Array, rows: Array) -> Array:
    """Of sums over the poems of each prompt, ``(..., K)``: the mean energy, and the logarithm of the mean weight."""
    n = rows.sum(-1)
    return np.asarray(energy.sum(-1) / n + np.log(weight.sum(-1) / n))
