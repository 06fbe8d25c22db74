"""Log-probabilities of texts under any Hugging Face causal LM, in parts, so that memory does not grow with the batch or the vocabulary.

Rows are read ``micro_batch`` at a time. The head is applied only to the states before tokens that were drawn, and to a part of them at a
time: of a vocabulary of 262,000 pieces one token's distribution is a megabyte, and a step draws ten thousand. What a part holds is made
again in the backward pass (``torch.utils.checkpoint``) where there is more than one.

Shapes: B rows of S places, of which n are followed by a token drawn; E width of the states, V pieces.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

if TYPE_CHECKING:
    from transformers import PreTrainedModel

LOGITS = 8_000_000  # numbers of a part of the head's work; several arrays of this size are held at once
NO_PROBABILITY = -30.0  # logit of PAD, which is masked in sampling; finite, since some models give all others less
_HEADED: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Scores:
    """Of the n tokens drawn, row by row.

    Attributes:
        log_p: ``(n,)``, nats.
        states: what the head reads before each token, detached, ``(n, E)``; None where they were not asked for.
        entropy: of each distribution, PAD left out, detached, ``(n,)``, nats; None as there.
    """

    log_p: Tensor
    states: Tensor | None = None
    entropy: Tensor | None = None


def score_tokens(
    model: PreTrainedModel,
    ids: Tensor,
    drawn: Tensor,
    *,
    pad: int,
    dtype: torch.dtype | None = None,
    token_masks: tuple[Tensor, Tensor] | None = None,
    micro_batch: int | None = None,
    details: bool = False,
) -> Scores:
    """Log-probabilities of the tokens drawn; gradients flow to the model's parameters if they need them.

    Args:
        ids: ``(B, S)``, padded on the right, on any device.
        drawn: ``(B, S)`` bool, True on the tokens asked for; never on the first of a row.
        pad: piece without probability.
        dtype: precision of the matrix products, bfloat16 by autocast; any other keeps the model's own.
        token_masks: sets of pieces without probability, ``(U, V)`` bool, and which of them holds at each place, ``(B, S)``.
        micro_batch: rows read together; None for all of them.
        details: whether to give states and entropies, for which the model must be ``headed``.
    """
    head = Head(model, pad, None if token_masks is None else token_masks[0])
    device = next(model.parameters()).device
    size = micro_batch or max(len(ids), 1)

    def read(rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        own, at = ids[rows].to(device), drawn[rows, 1:].to(device)
        chosen = drawn[rows].any(0).nonzero()
        width = int(chosen.amax()) if len(chosen) else 1  # what comes after changes nothing
        own, at = own[:, : width + 1], at[:, :width]
        mask_of = None if token_masks is None else token_masks[1][rows, 1 : width + 1].to(device)[at]
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            return head(own[:, :-1], at, own[:, 1:][at], mask_of, details=details)

    parts = [slice(begin, begin + size) for begin in range(0, len(ids), size)]
    found = [_again(read, rows) if len(parts) > 1 else read(rows) for rows in parts]
    log_p, states, entropy = (torch.cat([part[i] for part in found]) for i in range(3))
    return Scores(log_p, states.detach(), entropy.detach()) if details else Scores(log_p)


class Head:
    """A model's distribution over the next token at the places asked for, part by part.

    Args:
        pad: piece without probability.
        masks: further sets of such pieces, ``(U, V)`` bool.
    """

    def __init__(self, model: PreTrainedModel, pad: int, masks: Tensor | None) -> None:
        device = next(model.parameters()).device
        self.model, self.pad, self.headed = model, pad, headed(model)
        self.masks = None if masks is None else masks.to(device)

    def __call__(self, ids: Tensor, at: Tensor, target: Tensor, mask_of: Tensor | None, *, details: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities ``(n,)`` of the targets; with details the states ``(n, E)`` and entropies ``(n,)``, else empty ones.

        Args:
            ids, at: ``(B, S)``; the n places marked are those before a token drawn.
            target, mask_of: ``(n,)``, the token and the number of its set of masked pieces.
        """
        if not self.headed:
            logits = self.model(input_ids=ids, use_cache=False).logits[at]
            log_p, entropy = self._log_p(logits, target, mask_of, details=details)
            return log_p, logits[:, :0], entropy
        states = body_of(self.model)(input_ids=ids, use_cache=False).last_hidden_state[at]  # (n, E)
        n = max(1, LOGITS // self.model.config.vocab_size)
        parts = [slice(begin, begin + n) for begin in range(0, len(states), n)] or [slice(0, 0)]

        def part(rows: slice) -> tuple[Tensor, Tensor]:
            logits = capped(self.model, self.model.get_output_embeddings()(states[rows]))
            return self._log_p(logits, target[rows], None if mask_of is None else mask_of[rows], details=details)

        found = [_again(part, rows) if len(parts) > 1 else part(rows) for rows in parts]
        return torch.cat([each for each, _ in found]), states, torch.cat([each for _, each in found])

    def _log_p(self, logits: Tensor, target: Tensor, mask_of: Tensor | None, *, details: bool) -> tuple[Tensor, Tensor]:
        logits = logits.float()
        if self.masks is not None and mask_of is not None:
            logits = logits.masked_fill(self.masks[mask_of], -torch.inf)
        is_pad = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        is_pad[self.pad] = True
        logits = logits.masked_fill(is_pad, NO_PROBABILITY)
        log_p = logits.gather(1, target[:, None]).squeeze(1) - logits.logsumexp(-1)
        if not details:
            return log_p, log_p[:0]
        with torch.no_grad():
            every = logits.log_softmax(-1)
            return log_p, -(every.exp() * every.clamp_min(-1e30)).sum(-1)


def headed(model: PreTrainedModel) -> bool:
    """Whether the logits are the head applied to the body's last states, and ``capped``; tested on two tokens.

    If so, the head is applied only where needed: with a vocabulary of 250,000 it is most of the work. Some models change what the head
    reads, or have a body of another make, which the test detects.
    """
    if (known := _HEADED.get(model)) is not None:
        return known
    if model.config.model_type == "llama":
        return _HEADED.setdefault(model, True)
    ids = torch.tensor([[1 % model.config.vocab_size] * 2], device=next(model.parameters()).device)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        whole = model(input_ids=ids, use_cache=False).logits.float()
        try:
            parted = capped(model, model.get_output_embeddings()(body_of(model)(input_ids=ids, use_cache=False).last_hidden_state)).float()
        except (AttributeError, TypeError):  # a body or a head of another make
            parted = whole[..., :0]
    model.train(was_training)
    found = parted.shape == whole.shape and torch.allclose(parted, whole, atol=1e-4, rtol=1e-4)
    _HEADED[model] = found
    return found


def capped(model: PreTrainedModel, logits: Tensor) -> Tensor:
    """What a model makes of its head's answers by its configuration: scaled (Granite, Cohere), or bent to stay within bounds (Gemma 2).

    Bounds must be known: logits as small as those of the trial are far within them.
    """
    config = model.config
    if (divisor := getattr(config, "logits_scaling", None)) is not None:
        logits = logits / divisor
    if (factor := getattr(config, "logit_scale", None)) is not None:
        logits = logits * factor
    if (cap := getattr(config, "final_logit_softcapping", None)) is not None:
        logits = torch.tanh(logits / cap) * cap
    return logits


def body_of(model: PreTrainedModel) -> PreTrainedModel:
    """The model without its head."""
    body: PreTrainedModel = getattr(model, model.base_model_prefix)
    return body


def _again(read: Callable[[slice], Sequence[Tensor]], rows: slice) -> Any:
    """A part whose insides are made again for its gradient, not held until then."""
    return checkpoint(read, rows, use_reentrant=False) if torch.is_grad_enabled() else read(rows)
