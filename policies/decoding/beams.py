"""Beam search: the likeliest poems instead of drawn ones, on the same decoders and grammar as sampling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policies.decoding.sampler import Decoding, Grammar, decoder_for, refuse_broken, right_padded

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.inference_mode()
def beam_tokens(
    model: PreTrainedModel,
    prompt: Sequence[int],
    decoding: Decoding,
    *,
    end: int,
    pad: int,
    n: int = 1,
    dtype: torch.dtype | None = None,
    grammar: Grammar | None = None,
    shape: Callable[[list[list[int]], Tensor], Tensor] | None = None,
) -> list[list[int]]:
    """The ``n`` best continuations of one prompt, best first; the search keeps ``decoding.beams`` hypotheses at a time.

    The score of a hypothesis is the sum of its log-probabilities. It is not normalised by length, since poems of one form have
    about the same length. The search ends when no unfinished hypothesis can still enter the best ``beams`` finished ones.

    Args:
        grammar: made for ``decoding.beams`` rows.
    """
    beams = decoding.beams
    decoder = decoder_for(model, dtype)
    ids, lengths = right_padded([prompt] * beams, pad, next(model.parameters()).device)
    logits = decoder.start(ids, lengths, len(prompt) + decoding.max_new_tokens)
    scores = torch.full((beams,), -torch.inf)
    scores[0] = 0.0  # all rows are alike yet: only one may branch
    rows: list[list[int]] = [[] for _ in range(beams)]
    finished: list[tuple[float, list[int]]] = []
    for _ in range(decoding.max_new_tokens):
        logits = logits.float()
        if shape is not None:
            logits = shape([[*prompt, *row] for row in rows], logits)
        logits[:, pad] = -torch.inf
        if grammar is not None:
            grammar.allow(logits)
        refuse_broken(logits)
        totals = scores[:, None] + logits.log_softmax(-1).cpu()
        best, at = totals.flatten().topk(min(2 * beams, totals.numel()))
        chosen: list[tuple[float, int, int]] = []
        for value, place in zip(best.tolist(), at.tolist(), strict=True):
            row, token = divmod(place, totals.shape[1])
            if value == -torch.inf:
                continue
            if token == end:
                finished.append((value, [*rows[row], end]))
            elif len(chosen) < beams:
                chosen.append((value, row, token))
        finished = sorted(finished, key=lambda item: -item[0])[:beams]
        if not chosen or (len(finished) == beams and chosen[0][0] <= finished[-1][0]):
            break
        chosen += [(-torch.inf, row, token) for _, row, token in [chosen[-1]] * (beams - len(chosen))]
        origins, tokens = [row for _, row, _ in chosen], [token for _, _, token in chosen]
        rows = [[*rows[row], token] for row, token in zip(origins, tokens, strict=True)]
        scores = torch.tensor([value for value, _, _ in chosen])
        if grammar is not None:
            grammar.keep(origins)
            grammar.advance(tokens)
        decoder.reorder(torch.tensor(origins, device=ids.device))
        logits = decoder.step(torch.tensor(tokens, device=ids.device))
    unfinished = sorted(zip(scores.tolist(), rows, strict=True), key=lambda item: -item[0])
    return [row for _, row in [*finished, *unfinished][:n]]
