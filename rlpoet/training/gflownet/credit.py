"""Which tokens of a poem earn which part of its reward.

The gradient of trajectory balance weighs every token by the residual of the whole poem. What a token cannot change has mean zero
in it, and is noise: rewards of earlier lines always, those of later lines nearly. A policy that writes each line from its last word
has settled the rhyme before it begins the rest of the line, and the rest settles the meter: two parts a line, each paid for what
it decides. What that brought in first runs is in ``experiments/RESULTS.md``, "Credit by word".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from rlpoet.prosody.forms import form
from rlpoet.rollout import Rollout
from rlpoet.training.gflownet.flows import lines_of
from rlpoet.training.gflownet.objectives import centred, residual_to_go
from rlpoet.types import Prompt

MeterErrorSpans = Callable[[Sequence[tuple[int, int]]], Tensor | None]


class Parted(Protocol):
    """A reward that tells what each line adds by its last word and by the rest of it."""

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]: ...


def parts_of(rollout: Rollout, *, words: bool) -> tuple[Tensor, Tensor]:
    """Where a batch's parts are: two a line, its last word and its rest.

    Args:
        words: False puts whole lines into the first part.

    Returns:
        The part each token decides ``(B, S)``, in [0, 2L); whether a line has a rest ``(B, L)``. Where the last word ends the
        line, as in every line written forward, it has none. A word's own part includes the token after it, which says that it is over.
    """
    line_of, _, nodes = lines_of(rollout)
    n_missing = nodes.shape[1] - rollout.line_ends.shape[1]  # a batch without a finished line has one all the same
    ends, last = (torch.nn.functional.pad(places, (0, n_missing), value=-1) for places in (rollout.end_words, rollout.line_ends))
    parted = (ends < last) & (ends >= 0) & words  # (B, L)
    width = rollout.ids.shape[1]
    heads = ends.masked_fill(~parted, width) + 1
    return 2 * line_of + (torch.arange(width)[None] > heads.gather(1, line_of)).long(), parted


def token_weights(
    rollout: Rollout,
    log_ratio: Tensor,
    score: Parted,
    *,
    beta: float,
    group: Tensor,
    cross_segment_credit: float,
    words: bool = True,
    log_pi: Tensor | None = None,
    token_prob_exponent: float = 0.0,
    plan_token_weight: float = 1.0,
    rhyme_word_weight: float = 1.0,
    meter_error_spans: MeterErrorSpans | None = None,
) -> Tensor:
    """Weight of each token, ``(B, S)``: its part's residual to go, centred among the same parts of one prompt.

    Args:
        log_ratio: ``log pi - log p0`` of each token, detached, ``(B, S)``.
        beta: inverse temperature.
        group: prompt of each text, ``(B,)``.
        cross_segment_credit: how much a segment counts of what later segments add that it does not rhyme with, in [0, 1]. A word that
            opens a rhyme counts fully what its mate adds. 1 keeps the mean of the gradient of plain VarGrad, if ``words`` is False or
            the reward's rhymes depend on nothing but last words.
        log_pi: ``log pi`` of each token, detached, ``(B, S)``; with ``token_prob_exponent`` only.
        token_prob_exponent: exponent of the probability by which last words count (``scaled_by_probability``).
        plan_token_weight: how much of its segment's residual a plan token counts, which names the sound of a line's rhyme. The rest of
            its weight is its own log-ratio, which draws the choice of sounds back to the prior's. 0 leaves that choice to the prior.
        rhyme_word_weight: how much of its segment's residual a line's last word counts, and its plan token, where that is a segment of
            its own. Less of it leaves more of the choice of words to the auxiliary task (``rlpoet.training.auxiliary``).
        words: whether a line's last word is a segment of its own; False: credit by line.
        meter_error_spans: finds where lines went wrong (``localized``); None: the whole rest of a line answers for its meter.
    """
    part_of, parted = parts_of(rollout, words=words)
    n_lines = parted.shape[1]
    gained = [[0.0] * (2 * n_lines) for _ in rollout.prompts]  # lists, since a tensor's single numbers are slow to write
    with_rest = parted.tolist()
    bears = torch.full((len(rollout), 2 * n_lines, 2 * n_lines), cross_segment_credit)
    bears.diagonal(dim1=1, dim2=2).fill_(1.0)
    borne: list[tuple[int, int, int]] = []
    for row, (prompt, text) in enumerate(zip(rollout.prompts, rollout.texts, strict=True)):
        given = len(prompt.opening)
        for n, gain in enumerate(zip(*score.by_part(prompt, text), strict=True)):
            if given <= n < given + n_lines:
                at = 2 * (n - given)
                gained[row][at] += gain[0]
                gained[row][at + with_rest[row][n - given]] += gain[1]
        letters = form(prompt.form, prompt.lang).letters[given:][:n_lines]
        borne += [(row, 2 * early, 2 * late) for early, late in rhyming(letters)]
    gains = torch.tensor(gained)  # (B, 2 L)
    if borne:
        bears[tuple(torch.tensor(borne).T)] = 1.0
    weights = centred(residual_to_go(log_ratio, gains, part_of, beta, bears), group)
    if token_prob_exponent and log_pi is not None and parted.any():
        log_p = torch.zeros_like(weights).scatter_add(1, part_of, log_pi)[:, ::2]  # (B, L), of each line's last word
        weights[:, ::2][parted] *= scaled_by_probability(log_p[parted], token_prob_exponent)
    if parted.any():
        weights[:, ::2][parted] *= rhyme_word_weight
    of_token = weights.gather(1, part_of)  # (B, S)
    if meter_error_spans is not None and parted.any():
        of_token -= beta * localized(rollout, gains[:, 1::2], part_of, group, meter_error_spans)
    if plan_token_weight < 1.0 and rollout.sounds is not None and (rollout.sounds >= 0).any():
        begun = rollout.sounds >= 0  # (B, L)
        rows, places = begun.nonzero()[:, 0], rollout.sounds[begun]
        own = log_ratio.new_zeros(rollout.sounds.shape)
        own[begun] = log_ratio[rows, places]
        of_token[rows, places] = plan_token_weight * of_token[rows, places] + (1.0 - plan_token_weight) * centred(own, group)[begun]
    return of_token


def localized(rollout: Rollout, gains: Tensor, part_of: Tensor, group: Tensor, meter_error_spans: MeterErrorSpans) -> Tensor:
    """What tokens of a line's rest are credited with beyond their line's gain, for an error that is not theirs, ``(B, S)``.

    One word of a syllable too many puts a line out of meter, and all of its twenty tokens would count as wrong. Those
    outside the error are given what the line would have earned without it, the mean of the same prompt's lines that have none, less the
    mean of what is given to the same lines. Like ``cross_segment_credit`` it trusts that the error of one word depends little on
    the others.

    Args:
        gains: of each line's rest, ``(B, L)``.
        part_of: as ``parts_of`` gives it.
        meter_error_spans: from rows and lines to the tokens that went wrong, ``(B, S)`` bool, or None where that cannot be told.
    """
    n_groups, n_lines = int(group.max()) + 1, gains.shape[1]
    best = torch.zeros(n_groups, n_lines)
    for g in group.unique().tolist():  # a batch may ask for one prompt twice: then a number is nobody's
        best[g] = gains[group == g].amax(0)
    best = best[group]  # (B, L)
    short = (gains < best - 1e-6) & (rollout.line_ends[:, :n_lines] >= 0)
    blank = torch.zeros(part_of.shape)
    lines = [(row, n) for row, n in short.nonzero().tolist()]
    wrong = meter_error_spans(lines) if lines else None
    if wrong is None or not wrong.any():
        return blank
    place = part_of // 2
    within = rollout.chosen & (part_of % 2 == 1)  # tokens of lines' rests
    with_error = torch.zeros(gains.shape).scatter_add(1, place, wrong.float()) > 0  # (B, L)
    whole = _group_mean(gains, ~with_error, group)
    spared = ((whole - gains).clamp_min(0.0) * with_error).gather(1, place) * (within & ~wrong)
    total, size = (torch.zeros(gains.shape).scatter_add(1, place, x) for x in (spared, within.float()))
    n = torch.zeros(n_groups, n_lines).index_add(0, group, size).clamp_min(1.0)
    mean = (torch.zeros(n_groups, n_lines).index_add(0, group, total) / n)[group]
    return (spared - mean.gather(1, place)) * within


def _group_mean(values: Tensor, counts: Tensor, group: Tensor) -> Tensor:
    """Mean of the values that count over the rows of one prompt, ``(B, L)``; 0 where none does."""
    shape = (int(group.max()) + 1, values.shape[1])
    total = torch.zeros(shape).index_add(0, group, values * counts)
    return (total / torch.zeros(shape).index_add(0, group, counts.float()).clamp_min(1.0))[group]


def scaled_by_probability(log_p: Tensor, exponent: float) -> Tensor:
    """Factors ``p ** exponent`` over their mean, held within a fifth and five times.

    Rare last words fail more often, and their gradients are the largest: what one of them teaches is unlearned for all that are like
    it, and the policy ends with fewer words than the target holds. The fixed point moves a little: at the target a residual to go is
    a constant of what stands before it, and zero only in a text's first part. A factor that depends on the word drawn gives that
    constant a gradient (``tests/training/test_fixed_points.py``).

    Args:
        log_p: log-probabilities of words, any shape, nats.

    References:
        Yang et al. 2025, "Do not let low-probability tokens over-dominate in RL for LLMs", arXiv:2505.12929, who count a token by
        a linear function of its probability.
    """
    factor = (exponent * log_p).clamp(-6.0, 6.0).exp()
    return (factor / factor.mean()).clamp(0.2, 5.0)


def rhyming(letters: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of lines of one rhyme, the earlier first.

    >>> rhyming("abab"), rhyming("xaxa")
    ([(0, 2), (1, 3)], [(1, 3)])
    """
    return [(i, j) for j in range(len(letters)) for i in range(j) if letters[i] == letters[j] != "x"]
