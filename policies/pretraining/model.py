"""Train a tiny causal LM on verse from nothing: a budget of minutes or steps, resumable (the loop is ``policies.training_loop``).

Matrices are updated by Muon and the rest by AdamW: at a few million parameters Muon needs about two thirds of AdamW's tokens for the same
loss. The learning rate warms up, stays, and falls to zero over the last
part of the budget, whichever of minutes and steps ends first.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from policies.formats.data import IGNORED, Piece, bos_id, excerpts, pack
from policies.likelihood import excerpts_of, row_nats
from policies.llama.scorer import can_read, score_tokens
from policies.pretraining.muon import Float32Muon
from policies.training_loop import Batch, Patience, Schedule, checkpoint_step, learn
from rlpoet.checkpoints.signals import Stop
from rlpoet.errors import RlpoetError, UnknownName

__all__ = ["SIZES", "Schedule", "Size", "bits_per_char", "build_model", "checkpoint_step", "grown", "optimizers", "pretrain", "windows"]


@dataclass(frozen=True)
class Size:
    """Shape of a Llama: width, layers, query heads, one key head (multi-query attention), feed-forward width."""

    width: int
    layers: int
    heads: int
    feed: int
    groups: int = 1


SIZES = {
    "nano": Size(96, 3, 3, 256),
    "tiny": Size(256, 4, 4, 704),
    "small": Size(384, 8, 6, 1024),
    "gpoet-40m": Size(448, 16, 7, 1216, groups=7),
}


def build_model(size: str, tokenizer: PreTrainedTokenizerBase, *, seed: int, key_heads: int | None = None) -> LlamaForCausalLM:
    """A fresh Llama with tied embeddings and rotary positions.

    Args:
        key_heads: key/value heads; None for those of the size.

    Raises:
        UnknownName: no such size.
        RlpoetError: key heads that do not divide the query heads.
    """
    if size not in SIZES:
        raise UnknownName("size", size, SIZES)
    shape = SIZES[size]
    if key_heads is not None and (key_heads < 1 or shape.heads % key_heads):
        raise RlpoetError(f"key_heads: {key_heads}; expected a divisor of the {shape.heads} query heads of size {size}.")
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=-(-len(tokenizer) // 64) * 64,  # a multiple of 64 multiplies faster
        hidden_size=shape.width,
        intermediate_size=shape.feed,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=key_heads or shape.groups,
        head_dim=shape.width // shape.heads,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def grown(model: LlamaForCausalLM, layers: int) -> LlamaForCausalLM:
    """The same function with more layers: evenly spaced copies of its layers that add nothing before training.

    A copy stands after its original; its output matrices are zero, so it adds nothing to the residual stream.

    Raises:
        RlpoetError: a negative number, or more than the model has.

    References:
        Wu et al. 2024, "LLaMA Pro: progressive LLaMA with block expansion", arXiv:2401.02415.
    """
    n = model.config.num_hidden_layers
    if not 0 <= layers <= n:
        raise RlpoetError(f"--grow {layers}: the policy has {n} layers; expected 0 to {n} more.")
    doubled = {(i + 1) * n // layers - 1 for i in range(layers)}
    sources = [i for i in range(n) for _ in range(2 if i in doubled else 1)]
    config = copy.deepcopy(model.config)
    config.num_hidden_layers = n + layers
    if getattr(config, "layer_types", None):
        config.layer_types = [config.layer_types[i] for i in sources]
    larger = LlamaForCausalLM(config).to(model.dtype)
    larger.model.embed_tokens.load_state_dict(model.model.embed_tokens.state_dict())
    larger.model.norm.load_state_dict(model.model.norm.state_dict())
    for place, source in enumerate(sources):
        layer = larger.model.layers[place]
        layer.load_state_dict(model.model.layers[source].state_dict())
        if place and sources[place - 1] == source:
            torch.nn.init.zeros_(layer.self_attn.o_proj.weight)
            torch.nn.init.zeros_(layer.mlp.down_proj.weight)
    return larger


def optimizers(model: LlamaForCausalLM, schedule: Schedule, *, precision: torch.dtype = torch.float32) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside, AdamW for embeddings and norms.

    Args:
        precision: of Muon's matrix products, float32 or bfloat16.
    """
    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name and "lm_head" not in name]
    ids = set(map(id, inner))
    outer = [p for p in model.parameters() if id(p) not in ids]
    rate, decay = schedule.learning_rate, schedule.weight_decay
    return [
        (torch.optim.Muon if precision == torch.bfloat16 else Float32Muon)(
            inner, lr=rate * schedule.muon_ratio, weight_decay=decay, momentum=0.95
        ),
        torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
    ]


def windows(pieces: list[list[Piece]], tokenizer: PreTrainedTokenizerBase, schedule: Schedule) -> Iterator[tuple[int, Tensor]]:
    """Endless batches ``(epoch, (rows, window))``, shuffled anew each epoch."""
    bos, pad = bos_id(tokenizer), int(tokenizer.pad_token_id)
    rows = [row for poem in pieces for row in excerpts(poem, bos, schedule.window)]
    per_batch = max(1, schedule.batch_tokens // schedule.window)
    epoch = 0
    while True:
        packed = pack(rows, window=schedule.window, pad=pad, seed=schedule.seed + epoch)
        if len(packed) < per_batch:
            packed = packed.repeat(-(-per_batch // len(packed)), 1)
        for start in range(0, len(packed) - per_batch + 1, per_batch):
            yield epoch, packed[start : start + per_batch]
        epoch += 1


def bits_per_char(model: LlamaForCausalLM, pieces: list[list[Piece]], tokenizer: PreTrainedTokenizerBase, *, window: int = 256) -> float:
    """Held-out cross-entropy in bits per printed character; ``policies.likelihood`` defines the count.

    The header is given and not charged. All other tokens are charged, also marks that are not text (place, tail, END). Rows are as
    long as in training and longer groups are cut, since a model is much worse at positions that it was not trained on.
    """
    bos = bos_id(tokenizer)
    nats = sum(row_nats(model, excerpts_of(pieces, bos=bos, window=window), pad=bos))
    return nats / math.log(2) / sum(piece.n_chars for poem in pieces for piece in poem)


def nats_of(model: LlamaForCausalLM, ids: Tensor, labels: Tensor, *, dtype: torch.dtype) -> Tensor:
    """Summed cross-entropy of labels ``(B, S)`` in nats, by the fast path; products are in ``dtype``, gradients flow to the parameters."""
    is_scored = labels != IGNORED
    is_scored[:, 0] = False  # nothing stands before it
    return -score_tokens(model, ids, is_scored, pad=-1, dtype=dtype)[0].sum()


def pretrain(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    train: list[list[Piece]],
    schedule: Schedule,
    *,
    late: list[list[Piece]] | None = None,
    late_from: float = 1.0,
    checkpoint: Path,
    report: Callable[[int, dict[str, float]], None],
    evaluate: Callable[[], dict[str, float]],
    every: int = 250,
    accumulate: int = 1,
    patience: Patience | None = None,
    compiled: bool = False,
    precision: torch.dtype = torch.float32,
    generator: torch.Generator | None = None,
    stop: Stop | None = None,
) -> dict[str, float]:
    """Train to the end of the budget; save at the start and every ``every`` steps; continue from ``checkpoint`` if it exists.

    Args:
        late: read instead of ``train`` from the share ``late_from`` of the budget on.

    On a CPU the fast path (``policies.llama.scorer``) replaces the model's forward pass, compiled or not: 1.7 times as many tokens per
    second.

    Returns:
        ``steps``, ``tokens``, ``seconds``, ``epochs``.

    Raises:
        Stopped: asked to stop, and saved.
    """
    pad = int(tokenizer.pad_token_id)
    by_hand = can_read(model)

    def batches(pieces: list[list[Piece]]) -> Iterator[Batch]:
        return (Batch(epoch, ids, ids.masked_fill(ids == pad, IGNORED)) for epoch, ids in windows(pieces, tokenizer, schedule))

    return learn(
        model, batches(train), optimizers(model, schedule, precision=precision), schedule,
        late=None if late is None else batches(late), late_from=late_from, checkpoint=checkpoint, report=report, evaluate=evaluate,
        every=every, accumulate=accumulate, patience=patience, generator=generator, stop=stop, bf16=precision == torch.bfloat16,
        nats_of=functools.partial(nats_of, model, dtype=precision) if by_hand else None,
        forward=torch.compile(model, dynamic=False) if compiled and not by_hand else None,
    )  # fmt: skip
