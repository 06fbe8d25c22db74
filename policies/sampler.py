"""Draw token sequences from a causal LM, fast on a CPU.

A Llama (grouped or multi-query attention, tied or untied head) is stepped by hand with a preallocated
key/value cache; any other Hugging Face causal LM through its own forward and cache. PAD can never be drawn:
a policy allowed to would use it as a free stop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel


class Grammar(Protocol):
    """Rules of what may follow, one state a row (``policies.grammar``)."""

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
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    max_new_tokens: int = 128


@torch.no_grad()
def sample_tokens(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    *,
    end: int,
    pad: int,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    grammar: Grammar | None = None,
) -> list[list[int]]:
    """Continuations of each prompt, without the prompt; END kept where the policy wrote it.

    Args:
        prompts: token ids, any lengths, none empty.
        end: id that ends a sequence.
        pad: id that is never drawn.
        generator: source of randomness, on the CPU.
        dtype: precision of the fast path; None keeps the model's own.
        grammar: what may come next, row by row; None allows everything but PAD.
    """
    if not prompts:
        return []
    device = next(model.parameters()).device
    decoder = LlamaDecoder(model, dtype) if model.config.model_type == "llama" else HubDecoder(model)
    lengths = torch.tensor([len(p) for p in prompts], device=device)
    ids = torch.full((len(prompts), int(lengths.max())), pad, dtype=torch.long, device=device)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)] = torch.tensor(prompt, device=device)
    logits = decoder.start(ids, lengths, int(lengths.max()) + decoding.max_new_tokens)  # (B, V)
    rows = list(range(len(prompts)))  # which prompt each live row continues
    out: list[list[int]] = [[] for _ in prompts]
    for step in range(decoding.max_new_tokens):
        logits[:, pad] = -torch.inf
        if grammar is not None:
            grammar.allow(logits)
        tokens = draw(logits, decoding, generator)  # (B,)
        drawn = tokens.tolist()
        if grammar is not None:
            grammar.advance(drawn)
        for row, token in zip(rows, drawn, strict=True):
            out[row].append(token)
        live = [i for i, token in enumerate(drawn) if token != end]
        if not live or step + 1 == decoding.max_new_tokens:
            break
        if len(live) < len(rows):
            keep = torch.tensor(live, device=device)
            decoder.keep(keep)
            if grammar is not None:
                grammar.keep(live)
            rows, tokens = [rows[i] for i in live], tokens[keep]
        logits = decoder.step(tokens)
    return out


def draw(logits: Tensor, decoding: Decoding, generator: torch.Generator | None) -> Tensor:
    """One token a row, ``(B,)``, from ``(B, V)`` logits.

    Inverse-CDF sampling: a cumulative sum and a binary search cost a tenth of ``torch.multinomial`` here.
    """
    if decoding.temperature == 0:
        return logits.argmax(-1)
    logits = logits.float() / decoding.temperature
    if decoding.top_k:
        kth = logits.topk(min(decoding.top_k, logits.shape[-1]), dim=-1).values[:, -1:]
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if decoding.top_p < 1.0:
        ordered, order = logits.sort(dim=-1, descending=True)
        mass = ordered.softmax(-1).cumsum(-1)
        beyond = (mass - ordered.softmax(-1)) >= decoding.top_p  # the token that crosses p stays
        logits = logits.masked_fill(torch.zeros_like(beyond).scatter(1, order, beyond), -torch.inf)
    cumulative = logits.softmax(-1).cumsum(-1)  # (B, V)
    point = torch.rand(logits.shape[0], 1, generator=generator).to(logits.device) * cumulative[:, -1:]
    # right=True skips tokens of zero probability, whose cumulative sum equals their neighbour's
    return torch.searchsorted(cumulative, point, right=True).squeeze(1).clamp_max(logits.shape[-1] - 1)


class HubDecoder:
    """Any Hugging Face causal LM through its own forward; prompts are padded on the left."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor:
        shift = ids.shape[1] - lengths
        place = torch.arange(ids.shape[1], device=ids.device)[None] - shift[:, None]  # (B, S), negative on padding
        self.mask = (place >= 0).long()
        moved = ids.gather(1, place.clamp_min(0))
        self.position = lengths.clone()
        answer = self.model(input_ids=moved, attention_mask=self.mask, position_ids=place.clamp_min(0), use_cache=True)
        self.cache = answer.past_key_values
        return answer.logits[:, -1].float()

    def keep(self, rows: Tensor) -> None:
        self.cache.batch_select_indices(rows)
        self.mask, self.position = self.mask[rows], self.position[rows]

    def step(self, tokens: Tensor) -> Tensor:
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(tokens), 1)], dim=1)
        answer = self.model(
            input_ids=tokens[:, None],
            attention_mask=self.mask,
            position_ids=self.position[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.position = self.position + 1
        return answer.logits[:, -1].float()


class LlamaDecoder:
    """A Llama stepped by hand: fused projections, one cache a layer, rows of different lengths side by side.

    Each row writes its keys at its own position, so prompts need no padding on the left. Shapes: B rows,
    H query heads, G key heads, D head size, R room.
    """

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
        config, body = model.config, model.model
        self.n_heads, self.n_groups = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.eps = config.rms_norm_eps
        dtype = dtype or model.dtype

        def of(*weights: Tensor) -> Tensor:
            return torch.cat([w.detach() for w in weights]).to(dtype) if len(weights) > 1 else weights[0].detach().to(dtype)

        self.layers = [
            (
                of(layer.input_layernorm.weight),
                of(layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight, layer.self_attn.v_proj.weight),
                of(layer.self_attn.o_proj.weight),
                of(layer.post_attention_layernorm.weight),
                of(layer.mlp.gate_proj.weight, layer.mlp.up_proj.weight),
                of(layer.mlp.down_proj.weight),
            )
            for layer in body.layers
        ]
        self.embed, self.norm, self.head = of(body.embed_tokens.weight), of(body.norm.weight), of(model.lm_head.weight)
        self.frequencies = body.rotary_emb.inv_freq.float()  # (D/2,)
        self.dtype, self.device = dtype, self.embed.device

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor:
        """Read right-padded prompts ``(B, S)``; logits of the token after each row's last, ``(B, V)``."""
        n_rows, width = ids.shape
        angles = torch.arange(room, device=self.device).float()[:, None] * self.frequencies  # (R, D/2)
        self.cos = angles.cos().repeat(1, 2).to(self.dtype)
        self.sin = torch.cat([-angles.sin(), angles.sin()], dim=1).to(self.dtype)  # signs of rotate-half folded in
        shape = (n_rows, self.n_groups, room, self.size)
        self.keys = [torch.zeros(shape, dtype=self.dtype, device=self.device) for _ in self.layers]
        self.values = [torch.zeros(shape, dtype=self.dtype, device=self.device) for _ in self.layers]
        self.position, self.rows = lengths.clone(), torch.arange(n_rows, device=self.device)
        self.reach = int(lengths.max())
        x = F.embedding(ids, self.embed)  # (B, S, E)
        cos, sin = self.cos[:width, None], self.sin[:width, None]  # (S, 1, D): over heads
        for i, (norm1, qkv, out, norm2, up, down) in enumerate(self.layers):
            q, k, v = self._heads(F.linear(F.rms_norm(x, (x.shape[-1],), norm1, self.eps), qkv))
            q, k = self._rotate(q, cos, sin), self._rotate(k, cos, sin)
            self.keys[i][:, :, :width], self.values[i][:, :, :width] = k.transpose(1, 2), v.transpose(1, 2)
            mixed = F.scaled_dot_product_attention(
                q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=self.n_groups != self.n_heads
            )
            x = x + F.linear(mixed.transpose(1, 2).flatten(2), out)
            x = x + self._feed(x, norm2, up, down)
        return self._logits(x[self.rows, lengths - 1])

    def keep(self, rows: Tensor) -> None:
        """Forget all other rows. Copying the caches costs, so it waits until a quarter of them are dead weight."""
        self.rows, self.position = self.rows[rows], self.position[rows]
        if len(self.rows) <= 0.75 * len(self.keys[0]):
            self.keys = [cache[self.rows] for cache in self.keys]
            self.values = [cache[self.rows] for cache in self.values]
            self.rows = torch.arange(len(self.rows), device=self.device)

    def step(self, tokens: Tensor) -> Tensor:
        """Logits ``(B, V)`` after one more token a row, ``(B,)``."""
        position, n_rows = self.position, len(tokens)
        self.reach += 1
        cos, sin = self.cos[position][:, None], self.sin[position][:, None]  # (B, 1, D)
        seen = torch.arange(self.reach, device=self.device)[None] <= position[:, None]  # (B, R)
        hidden = torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill_(~seen, -torch.inf)[:, None, None]
        whole = len(self.rows) == len(self.keys[0])
        x = F.embedding(tokens, self.embed)  # (B, E)
        for i, (norm1, qkv, out, norm2, up, down) in enumerate(self.layers):
            q, k, v = self._heads(F.linear(F.rms_norm(x, (x.shape[-1],), norm1, self.eps), qkv))  # (B, heads, D)
            q, k = self._rotate(q, cos, sin), self._rotate(k, cos, sin)
            self.keys[i][self.rows, :, position], self.values[i][self.rows, :, position] = k, v
            keys, values = self.keys[i][:, :, : self.reach], self.values[i][:, :, : self.reach]
            if not whole:
                keys, values = keys[self.rows], values[self.rows]
            q = q.view(n_rows, self.n_groups, -1, self.size) * self.size**-0.5  # heads of a group share its keys
            weights = (q @ keys.transpose(-1, -2) + hidden).softmax(-1)
            x = x + F.linear((weights @ values).view(n_rows, -1), out)
            x = x + self._feed(x, norm2, up, down)
        self.position = position + 1
        return self._logits(x)

    def _heads(self, mixed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = mixed.unflatten(-1, (-1, self.size))
        return parts.split([self.n_heads, self.n_groups, self.n_groups], dim=-2)

    def _rotate(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return x * cos + x.roll(self.size // 2, dims=-1) * sin

    def _feed(self, x: Tensor, norm: Tensor, up: Tensor, down: Tensor) -> Tensor:
        gate, value = F.linear(F.rms_norm(x, (x.shape[-1],), norm, self.eps), up).chunk(2, dim=-1)
        return F.linear(F.silu(gate) * value, down)

    def _logits(self, x: Tensor) -> Tensor:
        return F.linear(F.rms_norm(x, (x.shape[-1],), self.norm, self.eps), self.head).float()
