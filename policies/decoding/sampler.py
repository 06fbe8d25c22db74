"""Draw token sequences from a causal LM, fast on a CPU.

A plain Llama is stepped by hand (``policies.llama.decoder``); any other Hugging Face causal LM through its own forward
and cache (``policies.hub.decoder``). PAD can never be drawn: a policy allowed to would use it as a free stop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from policies.hub.decoder import hub_decoder
from policies.llama import sampling_kernels as kernels
from policies.llama.decoder import LlamaDecoder, can_step
from rlpoet.errors import RlpoetError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Decoder(Protocol):
    """A model with its caches: rows of prompts, extended by one token at a time."""

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor: ...
    def keep(self, rows: Tensor) -> None: ...
    def reorder(self, rows: Tensor) -> None: ...
    def step(self, tokens: Tensor) -> Tensor: ...


class Grammar(Protocol):
    """Rules of which tokens may follow, with one state per row (``policies.formats.grammar``)."""

    def allow(self, logits: Tensor) -> None: ...
    def advance(self, tokens: Sequence[int]) -> None: ...
    def keep(self, rows: Sequence[int]) -> None: ...


@dataclass(frozen=True)
class Decoding:
    """How to draw.

    Attributes:
        temperature: divides the logits; 0 takes the likeliest token.
        top_k: only the k likeliest tokens, 0 for all.
        top_p: only the smallest set whose probability reaches p, 1 for all.
        max_new_tokens: longest continuation, END included.
        beams: number of beams of a beam search (``policies.decoding.beams``); 0 samples instead.
        repetition_penalty: divides the odds of pieces that stand in the row already (Keskar et al. 2019), 1 for none.
        no_repeat_ngram: length of the n-grams that may not occur twice in a row of tokens; 0 for no limit.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new_tokens: int = 128
    beams: int = 0
    repetition_penalty: float = 1.0
    no_repeat_ngram: int = 0


def decoder_for(model: PreTrainedModel, dtype: torch.dtype | None = None) -> Decoder:
    """The fast decoder of a model if there is one, else one that uses its own forward pass."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return LlamaDecoder(base, dtype) if can_step(base) else hub_decoder(model, dtype)


def table_of_positions(model: PreTrainedModel) -> int | None:
    """The most tokens that a model with learned positions can read; None for rotary positions, which have no such limit."""
    config = model.config
    rotates = getattr(config, "rope_parameters", None) or getattr(config, "rope_theta", None)
    return None if rotates else getattr(config, "max_position_embeddings", None)


def right_padded(prompts: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts as ``(B, S)`` and their lengths ``(B,)``."""
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    ids = torch.full((len(prompts), int(lengths.max())), pad, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
    return ids, lengths


@torch.inference_mode()
def sample_tokens(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    end: int | Collection[int],
    pad: int,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    grammar: Grammar | None = None,
    shape: Callable[[list[list[int]], Tensor], Tensor] | None = None,
    watch: Callable[[int, int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[list[int]]:
    """Continuations of each prompt, without the prompt; includes END if the policy wrote it.

    They end where the model has read its table of positions to the end: all at the length that the longest prompt of the batch leaves.

    Args:
        prompts: token ids, any lengths, none empty.
        end: id that ends a sequence, or several.
        pad: id that is never drawn.
        generator: source of randomness, on the CPU.
        dtype: precision of the matrix products; None keeps the model's own.
        grammar: which tokens may come next in each row; None allows everything but PAD.
        shape: changes the logits ``(B, V)``, given the tokens of each live row, prompt included
            (``policies.decoding.logits_processors``).
        watch: called once per drawn token with its row and id.
        progress: called whenever a row ends, with the number of finished rows and their total.
    """
    if not prompts:
        return []
    ends = {end} if isinstance(end, int) else set(end)
    longest, most = max(map(len, prompts)), decoding.max_new_tokens
    if (reach := table_of_positions(model)) is not None:
        most = min(most, reach - longest)
        if most < 1:
            return [[] for _ in prompts]
    device = next(model.parameters()).device
    decoder = decoder_for(model, dtype)
    distinct = {prompt: i for i, prompt in enumerate(dict.fromkeys(map(tuple, prompts)))}
    ids, lengths = right_padded(list(distinct), pad, device)
    logits = decoder.start(ids, lengths, longest + most)  # (prompts, V)
    if len(distinct) < len(prompts):  # poems of one prompt: it is read once
        copies = torch.tensor([distinct[tuple(prompt)] for prompt in prompts], device=device)
        decoder.reorder(copies)
        logits = logits[copies]  # (B, V)
    rows = list(range(len(prompts)))  # which prompt each live row continues
    out: list[list[int]] = [[] for _ in prompts]
    for step in range(most):
        if shape is not None:
            logits = shape([[*prompts[row], *out[row]] for row in rows], logits.float())
        logits[:, pad] = -torch.inf
        if grammar is not None:
            grammar.allow(logits)
        tokens = draw(logits, decoding, generator)  # (B,)
        token_ids = tokens.tolist()
        if grammar is not None:
            grammar.advance(token_ids)
        for row, token in zip(rows, token_ids, strict=True):
            out[row].append(token)
            if watch is not None:
                watch(row, token)
        live = [i for i, token in enumerate(token_ids) if token not in ends]
        if not live or step + 1 == most:
            break
        if len(live) < len(rows):
            if progress is not None:
                progress(len(prompts) - len(live), len(prompts))
            live_rows = torch.tensor(live, device=device)
            decoder.keep(live_rows)
            if grammar is not None:
                grammar.keep(live)
            rows, tokens = [rows[i] for i in live], tokens[live_rows]
        logits = decoder.step(tokens)
    if progress is not None:
        progress(len(prompts), len(prompts))
    return out


def draw(logits: Tensor, decoding: Decoding, generator: torch.Generator | None) -> Tensor:
    """One token per row, ``(B,)``, from ``(B, V)`` logits.

    Inverse-CDF sampling in two steps: first a class of pieces, then a piece of it. On a CPU this takes a thirtieth of the time of
    ``torch.multinomial``.

    Raises:
        RlpoetError: logits that are no numbers.
    """
    if decoding.temperature == 0:
        refuse_broken(logits)
        return logits.argmax(-1)
    if decoding.temperature != 1.0:
        logits = logits.float() / decoding.temperature
    if decoding.top_k:
        kth = logits.topk(min(decoding.top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if decoding.top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        p = ordered.softmax(-1, dtype=torch.float32)
        beyond = (p.cumsum(-1) - p) >= decoding.top_p  # the token that crosses p stays
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf)
    uniform = torch.rand(len(logits), generator=generator)
    if logits.device.type != "cpu":
        refuse_broken(logits)
        return _draw_anywhere(logits, uniform.to(logits.device))
    if logits.dtype not in (torch.float32, torch.bfloat16):
        logits = logits.float()
    tokens = torch.empty(len(logits), dtype=torch.long)
    kernels.draw(kernels.array_of(logits), uniform.numpy(), *kernels.room_for_draws(logits.shape[1]), tokens.numpy())
    if int(tokens.min()) < 0:  # no piece has a probability above 0
        refuse_broken(logits)
    return tokens


def refuse_broken(logits: Tensor) -> None:
    """Refuse to draw from what is no distribution.

    Raises:
        RlpoetError: a logit is not a number, or none of a row is finite.
    """
    if not bool(torch.isfinite(logits.float().logsumexp(-1)).all()):
        raise RlpoetError(
            "sampling: the model gives logits that are no numbers; expected finite ones. Its weights are broken, or too large for their "
            "precision. Use an earlier checkpoint, or train with a lower --learning_rate."
        )


def _draw_anywhere(logits: Tensor, uniform: Tensor) -> Tensor:
    """The same as ``sampling_kernels.draw``, in torch alone; its classes are runs of pieces."""
    p = logits.float().softmax(-1)  # (B, V)
    blocks = F.pad(p, (0, -p.shape[1] % kernels.CLASSES)).view(len(p), -1, kernels.CLASSES)
    mass = blocks.sum(-1).cumsum(-1)  # (B, V / CLASSES)
    point = uniform[:, None] * mass[:, -1:]
    # right=True skips what has no probability, whose cumulative sum equals its neighbour's
    block = torch.searchsorted(mass, point, right=True).clamp_max(mass.shape[1] - 1)  # (B, 1)
    within = blocks.gather(1, block[:, :, None].expand(-1, 1, kernels.CLASSES)).squeeze(1).cumsum(-1)  # (B, CLASSES)
    rest = (point - (mass.gather(1, block) - within[:, -1:])).clamp_min(0.0)
    rest = torch.minimum(rest, within[:, -1:] * (1 - 1e-6))  # rounding must not step past the last piece with probability
    return (block * kernels.CLASSES + torch.searchsorted(within, rest, right=True).clamp_max(kernels.CLASSES - 1)).squeeze(1)
