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
    """A grammar that tells its token masks (``policies.formats.grammar``)."""

    def mask_key(self, row: int) -> Any: ...
    def token_mask(self, mask_key: Any) -> Tensor: ...
    def advance(self, tokens: Sequence[int]) -> None: ...
    def keep(self, rows: Sequence[int]) -> None: ...


def mask_tokens(logits: Tensor, token_masks: Tensor, phases: Sequence[int], spared: Sequence[int]) -> None:
    """Set what may not come next to ``-inf``, in place.

    Args:
        logits: ``(B, V)``.
        token_masks: True on what may not be drawn in a phase, ``(phases, V)`` bool.
        phases: that of each row.
        spared: a piece that each row may draw all the same, below 0 for none.
    """
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.bfloat16):
        never = torch.full((1,), -torch.inf, dtype=logits.dtype)
        asked = np.asarray(phases, np.int64), np.asarray(spared, np.int64)
        kernels.mask_tokens(kernels.array_of(logits), token_masks.numpy(), *asked, kernels.array_of(never))
        return
    rows = [i for i, mark in enumerate(spared) if mark >= 0]
    marks = [spared[i] for i in rows]
    kept = logits[rows, marks]
    logits.masked_fill_(token_masks.to(logits.device)[list(phases)], -torch.inf)
    logits[rows, marks] = kept


def with_masks(rollout: Rollout, grammar: Masking) -> Rollout:
    """A batch with the token masks under which it was drawn.

    Args:
        grammar: as it was when the first token was to be drawn.
    """
    first, rest = rollout.chosen.int().argmax(1).tolist(), rollout.n_tokens.tolist()
    drawn = [ids[start : start + n] for ids, start, n in zip(rollout.ids.tolist(), first, rest, strict=True)]
    known: dict[Any, int] = {}
    masks: list[Tensor] = []
    bans: list[np.ndarray] = []  # the same, quicker to look into
    mask_of = [[0] * rollout.ids.shape[1] for _ in drawn]
    live = list(range(len(drawn)))
    broken: set[int] = set()  # rows that the grammar does not let be drawn: it has no state after their first such token
    for step in range(max(rest, default=0)):
        going = [at for at, row in enumerate(live) if step < rest[row] and row not in broken]
        if len(going) < len(live):
            grammar.keep(going)
            live = [live[at] for at in going]
        for at, row in enumerate(live):
            key = grammar.mask_key(at)
            which = known.setdefault(key, len(known))
            if which == len(masks):
                masks.append(grammar.token_mask(key))
                bans.append(masks[-1].numpy())
            mask_of[row][first[row] + step] = which
            if bans[which][drawn[row][step]]:
                broken.add(row)
        if going := [at for at, row in enumerate(live) if row not in broken]:
            if len(going) < len(live):
                grammar.keep(going)
                live = [live[at] for at in going]
            grammar.advance([drawn[row][step] for row in live])
        else:
            break
    return replace(rollout, token_masks=torch.stack(masks), mask_of=torch.tensor(mask_of)) if masks else rollout
