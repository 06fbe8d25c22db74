"""What a grammar does to logits: each row is in a phase that bars some pieces, and may be spared one of them.

And what it did: a policy drawn under a grammar is another distribution than its model's, and who takes the one for the other is fooled.
PPO's penalty ``log pi - log p0`` falls without end while the model moves its odds to pieces that are barred and never seen
(``experiments/LOG.md``); of the odds among what may be drawn it is a divergence again.
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


class Holding(Protocol):
    """A grammar that tells what it bars (``policies.formats.grammar``)."""

    def held(self, row: int) -> Any: ...
    def bars(self, held: Any) -> Tensor: ...
    def advance(self, tokens: Sequence[int]) -> None: ...
    def keep(self, rows: Sequence[int]) -> None: ...


def bar(logits: Tensor, barred: Tensor, phases: Sequence[int], spared: Sequence[int]) -> None:
    """Set what may not come next to ``-inf``, in place.

    Args:
        logits: ``(B, V)``.
        barred: what each phase bars, ``(phases, V)`` bool.
        phases: that of each row.
        spared: a piece that each row may draw all the same, below 0 for none.
    """
    if logits.device.type == "cpu" and logits.dtype in (torch.float32, torch.bfloat16):
        never = torch.full((1,), -torch.inf, dtype=logits.dtype)
        asked = np.asarray(phases, np.int64), np.asarray(spared, np.int64)
        kernels.bar(kernels.array_of(logits), barred.numpy(), *asked, kernels.array_of(never))
        return
    rows = [i for i, mark in enumerate(spared) if mark >= 0]
    marks = [spared[i] for i in rows]
    kept = logits[rows, marks]
    logits.masked_fill_(barred.to(logits.device)[list(phases)], -torch.inf)
    logits[rows, marks] = kept


def held(rollout: Rollout, grammar: Holding) -> Rollout:
    """A batch with the bars under which it was drawn.

    Args:
        grammar: as it was when the first token was to be drawn.
    """
    first, rest = rollout.chosen.int().argmax(1).tolist(), rollout.n_tokens.tolist()
    drawn = [ids[start : start + n] for ids, start, n in zip(rollout.ids.tolist(), first, rest, strict=True)]
    known: dict[Any, int] = {}
    bar_of = [[0] * rollout.ids.shape[1] for _ in drawn]
    live = list(range(len(drawn)))
    for step in range(max(rest, default=0)):
        going = [at for at, row in enumerate(live) if step < rest[row]]
        if len(going) < len(live):
            grammar.keep(going)
            live = [live[at] for at in going]
        for at, row in enumerate(live):
            bar_of[row][first[row] + step] = known.setdefault(grammar.held(at), len(known))
        grammar.advance([drawn[row][step] for row in live])
    if not known:
        return rollout
    return replace(rollout, bars=torch.stack([grammar.bars(each) for each in known]), bar_of=torch.tensor(bar_of))
