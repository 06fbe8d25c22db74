"""Token masks: what a grammar does to logits, and what it did.

Each row is in a phase that masks some pieces; one of them may be spared. A policy under a grammar is another distribution than its
model's: an objective that weighs the model's can be met while what is drawn is not the target, for mass parks on pieces that are never
drawn. Log-probabilities renormalised over what may be drawn are those of the distribution that is sampled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from policies.llama import sampling_kernels as kernels
from rlpoet.rollout import Rollout


class Masking(Protocol):
    """A grammar that gives its token masks (``policies.formats.grammar``)."""

    def mask_key(self, row: int) -> Any: ...
    def token_mask(self, mask_key: Any) -> Tensor: ...
    def advance(self, tokens: Sequence[int]) -> None: ...
    def keep(self, rows: Sequence[int]) -> None: ...


def mask_tokens(logits: Tensor, token_masks: Tensor, phases: Sequence[int], spared: Sequence[int]) -> None:
    """Set the logits of masked tokens to ``-inf``, in place.

    Args:
        logits: ``(B, V)``.
        token_masks: ``(phases, V)`` bool, True for tokens that may not be drawn in a phase.
        phases: the phase of each row.
        spared: for each row a masked token that it may still draw; below 0 for none.
    """
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.bfloat16):
        never = torch.full((1,), -torch.inf, dtype=logits.dtype)
        phase_rows = np.asarray(phases, np.int64), np.asarray(spared, np.int64)
        kernels.mask_tokens(kernels.array_of(logits), token_masks.numpy(), *phase_rows, kernels.array_of(never))
        return
    rows = [i for i, mark in enumerate(spared) if mark >= 0]
    marks = [spared[i] for i in rows]
    mark_logits = logits[rows, marks]
    logits.masked_fill_(token_masks.to(logits.device)[list(phases)], -torch.inf)
    logits[rows, marks] = mark_logits


def with_masks(rollout: Rollout, grammar: Masking) -> Rollout:
    """A rollout with the token masks under which it was drawn.

    Args:
        grammar: in its state before the first token was drawn.
    """
    first, rest = rollout.chosen.int().argmax(1).tolist(), rollout.n_tokens.tolist()
    completions = [ids[start : start + n] for ids, start, n in zip(rollout.ids.tolist(), first, rest, strict=True)]
    numbers: dict[Any, int] = {}
    masks: list[Tensor] = []
    bans: list[np.ndarray] = []  # the same, quicker to look into
    mask_of = [[0] * rollout.ids.shape[1] for _ in completions]
    live = list(range(len(completions)))
    broken: set[int] = set()  # rows that the grammar does not let be drawn: it has no state after their first such token
    for step in range(max(rest, default=0)):
        active = [at for at, row in enumerate(live) if step < rest[row] and row not in broken]
        if len(active) < len(live):
            grammar.keep(active)
            live = [live[at] for at in active]
        for at, row in enumerate(live):
            key = grammar.mask_key(at)
            which = numbers.setdefault(key, len(numbers))
            if which == len(masks):
                masks.append(grammar.token_mask(key))
                bans.append(masks[-1].numpy())
            mask_of[row][first[row] + step] = which
            if bans[which][completions[row][step]]:
                broken.add(row)
        if active := [at for at, row in enumerate(live) if row not in broken]:
            if len(active) < len(live):
                grammar.keep(active)
                live = [live[at] for at in active]
            grammar.advance([completions[row][step] for row in live])
        else:
            break
    return replace(rollout, token_masks=torch.stack(masks), mask_of=torch.tensor(mask_of)) if masks else rollout
