"""What a grammar does to logits: each row is in a phase that bars some pieces, and may be spared one of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from policies import kernels


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
