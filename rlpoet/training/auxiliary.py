"""The auxiliary rhyming-word task: single words after plan tokens, beside the poems of any trainer that learns.

What a tiny policy lacks is which words have a sound (``experiments/LOG.md``). Nearly all pairs that fail do so because a line ends in
a word that has not the sound of its plan token. In poems a step meets 768 words, each after lines of its own. The task meets twice as
many for two fifths of the tokens, several of them after the same sounds, with nothing but a few words between.

Its target is one for each word, given what stands before it in its row::

    p0(word | before) exp(b right) / Z(before)

Z differs from row to row after the first word, and no two rows share what stands before. So nothing here needs it: see ``word_weights``.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from rlpoet.rollout import DrawsRhymingWords, Policy, RhymingWords, Rollout

SOUNDS = 8  # of a row, two words each
WORD_SHARE = 0.25  # of beta, what a right word is worth: about what it decides in a quatrain


@dataclass(frozen=True)
class Practice:
    """What was drawn for the task; adds up over the processes of a step.

    Attributes:
        right: words of the policy that were right.
        finished: words of the policy that were finished.
        words: words begun by whoever drew them, those of the measure included.
        tokens: tokens drawn for them, the marks between words included.
    """

    right: int
    finished: int
    words: int
    tokens: int

    def __add__(self, other: Practice) -> Practice:
        return Practice(
            self.right + other.right, self.finished + other.finished, self.words + other.words, self.tokens + other.tokens
        )  # fmt: skip

    def figures(self) -> dict[str, float]:
        """By the tag they are monitored under."""
        accuracy = {"aux/rhyme_accuracy": self.right / self.finished} if self.finished else {}
        return {**accuracy, "aux/words": float(self.words)}


def add_gradient(
    policy: Policy, prior: Policy, fresh: Rollout, *, beta: float, weight: float, group_size: int, by_reference: bool, rng: random.Random
) -> Practice | None:
    """Add the gradient of the task, after the plan tokens of fresh texts, to those of the policy's parameters.

    Args:
        fresh: texts in groups of ``group_size``; there is a row of sounds for two groups.
        beta: of the step.
        weight: of the task.
        group_size: rows per row of sounds.
        by_reference: whether the prior draws the words that are learned from; the policy then draws one row per row of sounds, to be
            measured.

    Returns:
        What was drawn; None from a policy that cannot do the task.
    """
    if not isinstance(policy, DrawsRhymingWords) or not isinstance(prior, DrawsRhymingWords):
        return None
    sounds = sounds_met(fresh, max(1, len(fresh) // group_size // 2), rng)
    own = policy.rhyming_words(sounds, 1 if by_reference else group_size) if sounds else None
    words = prior.rhyming_words(sounds, group_size) if by_reference and own is not None else own
    if own is None or words is None:
        return None
    with torch.no_grad():
        log_prior = prior.log_prob(words.rollout).cpu()
    policy.model.train()
    log_pi = policy.log_prob(words.rollout).cpu()
    group = torch.arange(len(log_pi)) // group_size
    weights = word_weights(words, log_pi.detach(), log_prior, beta=WORD_SHARE * beta, group=group, by_reference=by_reference)
    (weight * 2 * (weights * log_pi).sum(1).mean()).backward()
    policy.model.eval()
    drawn = [own, words] if by_reference else [own]
    return Practice(
        int(own.right.sum()), int(own.whole.sum()), sum(int(_begun(each).sum()) for each in drawn), sum(map(_n_tokens, drawn))
    )  # fmt: skip


def task_line(weight: float, sampler: str) -> str:
    """For a user, where the task is on.

    >>> task_line(2.0, "reference")
    'auxiliary task: single words for the sounds of the poems, weight 2, drawn by the reference. Their tokens count as drawn.'
    """
    drawn = f"weight {weight:g}, drawn by the {sampler}"
    return f"auxiliary task: single words for the sounds of the poems, {drawn}. Their tokens count as drawn."


def sounds_met(fresh: Rollout, n: int, rng: random.Random) -> list[list[int]]:
    """``n`` rows of sounds, drawn as often as they are plan tokens of fresh texts; none if lines have no plan tokens."""
    if fresh.sounds is None:
        return []
    begun = fresh.sounds >= 0
    rows = begun.nonzero()[:, 0]
    met = fresh.ids[rows, fresh.sounds[begun]].tolist()
    return [rng.choices(met, k=SOUNDS) for _ in range(n)] if met else []


def word_weights(words: RhymingWords, log_pi: Tensor, log_prior: Tensor, *, beta: float, group: Tensor, by_reference: bool) -> Tensor:
    """What the log-probability of each token is weighed by, ``(B, S)``, so that every word comes to its target.

    Where the policy drew the words, a word counts by its balance residual ``log pi - log p0 - b right``, less the mean residual of other
    rows. That mean depends on nothing the word chose, and ``grad log pi`` has mean zero over the policy's own words. So the gradient is
    that of trajectory balance with the word's own log Z, whatever the mean is.

    Where the prior drew them, ``grad log pi`` has not mean zero, and any wrong log Z would move the fixed point. There a word counts by::

        b [pi / p0 - exp(b right) / Z']

    Its mean is ``b Z / Z'`` times the gradient of ``KL(target || policy)`` for *any* Z' that depends on nothing the word chose. It keeps
    in use what the target holds. At the target all weights are nearly 0, since ``Z' = 1 + (exp(b) - 1) P(right)`` with the share of
    right words in other rows.

    A word that was cut off is a word that is not right.

    Args:
        log_pi, log_prior: log-probability of each token under policy and prior, detached, ``(B, S)``, nats.
        beta: b, nats a right word is worth.
        group: list of sounds of each row, ``(B,)``.
        by_reference: whether the prior drew the words, or the policy.

    References:
        On the mean over other rows: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free".
    """
    chosen = words.rollout.chosen
    begun, right = _begun(words), (words.right & words.whole).to(log_pi.dtype)
    log_ratio = torch.zeros_like(right).scatter_add(1, words.word_of, (log_pi - log_prior) * chosen)
    if by_reference:
        p_right = mean_of_others(right, begun, group, start=0.5)
        weights = beta * (log_ratio.exp() - (beta * right).exp() / (1 + p_right * torch.tensor(beta).expm1()))
    else:
        residual = log_ratio - beta * right
        weights = residual - mean_of_others(residual, begun, group, start=0.0)
    return (weights * begun).gather(1, words.word_of) * chosen


def mean_of_others(values: Tensor, counts: Tensor, group: Tensor, *, start: float) -> Tensor:
    """Mean of what counts at the same place in the other rows of a group, ``(B, K)``.

    With few rows such a mean is 0 or 1 by chance. So the mean of all places of all other rows counts as one value more.

    Args:
        values, counts: ``(B, K)``.
        group: of each row, ``(B,)``, integers from 0.
        start: what the mean of all other rows begins with, as one value more.

    >>> right, all_count = torch.tensor([[1.0], [0.0], [1.0]]), torch.ones(3, 1, dtype=torch.bool)
    >>> mean_of_others(right, all_count, torch.tensor([0, 0, 1]), start=0.5).T
    tensor([[0.2500, 0.9167, 0.5000]])
    """
    number = counts.to(values.dtype)
    values = values * number
    total, size = (torch.zeros(int(group.max()) + 1, x.shape[1], dtype=x.dtype).index_add(0, group, x)[group] for x in (values, number))
    elsewhere, n_elsewhere = (x.sum() - x.sum(1, keepdim=True) for x in (values, number))
    overall = (elsewhere + start) / (n_elsewhere + 1)
    return (total - values + overall) / (size - number + 1)


def _begun(words: RhymingWords) -> Tensor:
    """Words of which at least a token was drawn, ``(B, K)`` bool."""
    chosen = words.rollout.chosen
    return torch.zeros(words.right.shape, dtype=torch.long).scatter_add(1, words.word_of, chosen.long()) > 0


def _n_tokens(words: RhymingWords) -> int:
    """Tokens drawn, from the first of a row's first word to the last; marks that the grammar left no choice of are among them."""
    chosen = words.rollout.chosen
    places = torch.arange(chosen.shape[1])
    last = torch.where(chosen, places, -1).amax(1)
    first = torch.where(chosen, places, chosen.shape[1]).amin(1)
    return int((last - first + 1).clamp_min(0).sum())
