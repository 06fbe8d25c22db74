"""The auxiliary rhyming-word task of trajectory balance: single words after plan tokens.

What a tiny policy lacks is which words have a sound (``experiments/LOG.md``). Nearly all pairs that fail do so because a line ends in
a word that has not the sound of its plan token. In poems a step meets 768 words, each after lines of its own. The task meets twice as
many for two fifths of the tokens, several of them after the same sounds, with nothing but a few words between. Words that the
reference draws teach as much as the policy's own, and keep those in use that training would drop. Its target is another than that of the
poems, and both share their weights: a run with the task settles between the two.
"""

from __future__ import annotations

import random

from torch import Tensor

from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training.gflownet.credit import scaled_by_probability
from rlpoet.training.gflownet.objectives import centred

SOUNDS = 8  # of a row, two words each


def sounds_met(fresh: Rollout, n: int, rng: random.Random) -> list[list[int]]:
    """``n`` rows of sounds, drawn as often as they are plan tokens of fresh texts; none if lines have no plan tokens."""
    if fresh.sounds is None:
        return []
    begun = fresh.sounds >= 0
    rows = begun.nonzero()[:, 0]
    met = fresh.ids[rows, fresh.sounds[begun]].tolist()
    return [rng.choices(met, k=SOUNDS) for _ in range(n)] if met else []


def auxiliary_weights(
    words: RhymingWords, log_pi: Tensor, log_ratio: Tensor, *, beta: float, group: Tensor, token_prob_exponent: float
) -> Tensor:
    """Weight of each token, ``(B, S)``: the balance residual of its word, ``log pi - log p0 - beta * right``, centred in its group.

    A word is a text of its own here: its target is ``p0 exp(beta right)`` given what stands before it. Its log Z is taken to be that of
    the same place in the other rows of its list, which is exact for the first word of a row and leaves the words before it out of account
    for the others.

    Args:
        log_pi: ``log pi`` of each token, detached, ``(B, S)``, nats; ``log_ratio`` the same less ``log p0``.
        beta: nats a right word is worth.
        group: list of sounds of each row, ``(B,)``.
        token_prob_exponent: exponent of a word's probability by which it counts
            (``rlpoet.training.gflownet.credit.scaled_by_probability``).
    """
    chosen = words.rollout.chosen
    own = log_ratio.new_zeros(words.right.shape).scatter_add(1, words.word_of, log_ratio * chosen) - beta * words.right.float()
    weights = centred(own, group)
    if token_prob_exponent:
        log_p = log_pi.new_zeros(words.right.shape).scatter_add(1, words.word_of, log_pi * chosen)
        weights = weights * scaled_by_probability(log_p, token_prob_exponent)
    return (weights * words.whole).gather(1, words.word_of) * chosen
