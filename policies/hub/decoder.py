"""A Hugging Face causal LM that extends rows by one token at a time, with its own cache or, where that fails, without any.

A cache is trusted only after a trial: architectures keep keys and values, the last inputs of a convolution or the state of a recurrence,
under two names of the argument, and not every cache can drop rows or read prompts of several lengths. The trial reads a few tokens both
ways, once per model. A model that fails it reads its whole text again for each token: slower, and right.
"""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-6}  # of the range of the logits; a wrong row is off by a tenth of it or more
COARSE = 0.05  # of weights in half precision
_TRIED: weakref.WeakKeyDictionary[Any, bool] = weakref.WeakKeyDictionary()


def hub_decoder(model: PreTrainedModel, dtype: torch.dtype | None = None) -> CachedDecoder | RereadingDecoder:
    """The decoder of a model: with its cache if that passes the trial.

    Args:
        dtype: precision of the matrix products, bfloat16 by autocast; None or any other keeps the model's own.
    """
    return CachedDecoder(model, dtype) if cache_works(model) else RereadingDecoder(model, dtype)


class _Decoder:
    """What both ways share: the model, its precision, and one call of it."""

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
        self.model, self.coarse = model, dtype == torch.bfloat16
        self.takes = set(inspect.signature(model.forward).parameters)
        self.cache_name = "past_key_values" if "past_key_values" in self.takes else "cache_params"

    def _call(self, ids: Tensor, **given: Any) -> Any:
        known = {name: value for name, value in given.items() if name in self.takes and value is not None}
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.coarse):
            return self.model(input_ids=ids, **known)


class CachedDecoder(_Decoder):
    """By the model's own cache; prompts are padded on the left."""

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor:
        shift = ids.shape[1] - lengths
        place = torch.arange(ids.shape[1], device=ids.device)[None] - shift[:, None]  # (B, S), negative on padding
        self.mask = (place >= 0).long()
        moved = ids.gather(1, place.clamp_min(0))
        self.position = lengths.clone()
        answer = self._call(moved, attention_mask=self.mask, position_ids=place.clamp_min(0), use_cache=True)
        self.cache = getattr(answer, self.cache_name)
        return answer.logits[:, -1].float()

    def keep(self, rows: Tensor) -> None:
        self.cache.reorder_cache(rows)  # not batch_select_indices, which leaves the states of convolutions and recurrences as they are
        self.mask, self.position = self.mask[rows], self.position[rows]

    def reorder(self, rows: Tensor) -> None:
        self.keep(rows)

    def step(self, tokens: Tensor) -> Tensor:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        purely_recurrent = self.cache_name == "cache_params"  # its mask would be of the new token alone
        answer = self._call(
            tokens[:, None], attention_mask=None if purely_recurrent else self.mask, position_ids=self.position[:, None], use_cache=True,
            **{self.cache_name: self.cache},
        )  # fmt: skip
        self.position = self.position + 1
        return answer.logits[:, -1].float()


class RereadingDecoder(_Decoder):
    """Without a cache: each step reads all rows from their beginning, padded on the right."""

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor:
        self.ids, self.lengths = ids, lengths.clone()
        return self._read()

    def keep(self, rows: Tensor) -> None:
        self.ids, self.lengths = self.ids[rows], self.lengths[rows]

    def reorder(self, rows: Tensor) -> None:
        self.keep(rows)

    def step(self, tokens: Tensor) -> Tensor:
        if int(self.lengths.max()) == self.ids.shape[1]:
            self.ids = torch.nn.functional.pad(self.ids, (0, 1))
        self.ids = self.ids.scatter(1, self.lengths[:, None], tokens[:, None])
        self.lengths = self.lengths + 1
        return self._read()

    def _read(self) -> Tensor:
        logits = self._call(self.ids, use_cache=False).logits  # what is right of a token does not change it
        last: Tensor = logits[torch.arange(len(self.ids), device=self.ids.device), self.lengths - 1]
        return last.float()


@torch.inference_mode()
def cache_works(model: PreTrainedModel) -> bool:
    """Whether a model's cache gives what reading again gives, with prompts of two lengths, rows in a new order and rows left out."""
    if (known := _TRIED.get(model)) is not None:
        return known
    was_training = model.training
    model.eval()
    try:
        found = _trial(model)
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, RuntimeError, NotImplementedError):
        found = False  # an attribute that the cache lacks, shapes that do not fit, an argument it does not know
    model.train(was_training)
    _TRIED[model] = found
    return found


def _trial(model: PreTrainedModel) -> bool:
    parameter = next(model.parameters())
    device, n = parameter.device, model.config.vocab_size
    ids = torch.tensor([[1 % n, 2 % n, 3 % n], [4 % n, 0, 0]], device=device)
    lengths = torch.tensor([3, 1], device=device)
    decoders = CachedDecoder(model), RereadingDecoder(model)
    seen: list[list[Tensor]] = []
    for decoder in decoders:
        logits = [decoder.start(ids, lengths, 6)]
        decoder.reorder(torch.tensor([1, 0, 1], device=device))
        logits.append(decoder.step(torch.tensor([5 % n, 6 % n, 7 % n], device=device)))
        decoder.keep(torch.tensor([0, 2], device=device))
        logits += [decoder.step(torch.tensor(tokens, device=device)) for tokens in ([3 % n, 2 % n], [6 % n, 6 % n])]
        seen.append(logits)
    tolerance = TOLERANCE.get(parameter.dtype, COARSE)
    return all(bool(((a - b).abs().amax() <= tolerance * (b.amax() - b.amin())).item()) for a, b in zip(*seen, strict=True))
