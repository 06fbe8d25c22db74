"""A Llama decoder on the bare weights, which makes sampling on a CPU several times faster than a general ``generate``.

Only the matrix products run in the precision asked for; the residual stream, attention and the rotations stay in float32,
which is both faster for matrices this small and closer to the model. Norm weights and the scale of attention are folded
into the matrices that follow them; what is left between two products is one compiled loop each (``policies.llama.sampling_kernels``).
Rows are
aligned at their right end: a rotary model sees only distances, so that all rows write their keys at one column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from policies.llama import sampling_kernels as kernels

if TYPE_CHECKING:
    from transformers import PreTrainedModel

DEAD_WEIGHT = 0.125  # share of finished rows that is carried along before the caches are copied


def can_step(model: PreTrainedModel) -> bool:
    """Whether a model is a plain Llama: no biases, SiLU, unscaled rotary positions over whole heads, unquantized weights."""
    config = model.config
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    return (
        config.model_type == "llama"
        and not getattr(config, "attention_bias", False)
        and not getattr(config, "mlp_bias", False)
        and config.hidden_act == "silu"
        and rope.get("rope_type", "default") == "default"
        and rope.get("partial_rotary_factor", 1.0) == 1.0
        and model.model.layers[0].self_attn.q_proj.weight.is_floating_point()  # not packed in four bits
    )


def whole_weight(module: Any) -> Tensor:
    """Weight of a linear layer plus its low-rank updates; gradients flow to the trained parts."""
    weight: Tensor = module.weight
    if hasattr(module, "get_delta_weight") and not module.merged and not module.disable_adapters:
        for name in module.active_adapters:
            if name in module.lora_A:
                weight = weight + module.get_delta_weight(name)
    return weight


def effective_weight(module: Any) -> Tensor:
    """The same, without gradients."""
    return whole_weight(module).detach()


class LlamaDecoder:
    """The key/value caches of B rows and the weights that extend them.

    Shapes: H query heads, G key heads, D head size, R room, V pieces.

    Args:
        model: for which ``can_step`` holds, bare or with LoRA layers.
        dtype: precision of the matrix products; None keeps the model's own.
    """

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype | None = None) -> None:
        config, body = model.config, model.model
        self.n_heads, self.n_groups = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.dtype, self.width = dtype or model.dtype, config.hidden_size
        self.layers = []
        for layer in body.layers:
            attention, mlp = layer.self_attn, layer.mlp
            query = self._interleave(effective_weight(attention.q_proj)) * self.size**-0.5
            key, value = self._interleave(effective_weight(attention.k_proj)), effective_weight(attention.v_proj)
            mixed = torch.cat([query, key, value]) * layer.input_layernorm.weight.detach()
            up = torch.cat([effective_weight(mlp.gate_proj), effective_weight(mlp.up_proj)])
            up = up * layer.post_attention_layernorm.weight.detach()
            weights = (mixed, effective_weight(attention.o_proj), up, effective_weight(mlp.down_proj))
            self.layers.append(tuple(w.to(self.dtype).contiguous() for w in weights))
        self.embed = body.embed_tokens.weight.detach()
        self.head = (effective_weight(model.lm_head) * body.norm.weight.detach()).to(self.dtype)
        self.device = self.embed.device
        self.frequencies = body.rotary_emb.inv_freq.float().to(self.device)  # (D/2,)
        self.eps = torch.full((1, 1), config.rms_norm_eps, device=self.device)

    def start(self, ids: Tensor, lengths: Tensor, room: int) -> Tensor:
        """Read right-padded prompts ``(B, S)``; logits of the token after each row's last, ``(B, V)``."""
        n_rows, width = ids.shape
        place = torch.arange(width, device=self.device)[None] - (width - lengths)[:, None]  # negative on padding
        angles = torch.arange(room, device=self.device).float()[:, None] * self.frequencies  # (R, D/2)
        self.turns = torch.polar(torch.ones_like(angles), angles)
        self.keys = [torch.zeros(n_rows, self.n_groups, self.size, room, device=self.device) for _ in self.layers]
        self.values = [torch.zeros(n_rows, self.n_groups, room, self.size, device=self.device) for _ in self.layers]
        self.hidden: Tensor | None = None  # (B, R): -inf on the padding of prompts of different lengths
        mask = torch.ones(width, width, dtype=torch.bool, device=self.device).tril()
        if bool((lengths != width).any()):
            padding = torch.arange(room, device=self.device)[None] < (width - lengths)[:, None]
            self.hidden = torch.zeros(n_rows, room, device=self.device).masked_fill_(padding, -torch.inf)
            diagonal = torch.eye(width, dtype=torch.bool, device=self.device)  # padding sees itself: no row of the softmax is empty
            mask = (mask & ~padding[:, None, None, :width]) | diagonal
        self.reach = width
        self.live: Tensor | None = None  # which rows of the caches go on; None: all
        turned = self.n_heads + self.n_groups
        x = F.embedding(ids.gather(1, place.clamp_min(0)), self.embed).float()  # (B, S, E)
        for (mixed, out, up, down), keys, values in zip(self.layers, self.keys, self.values, strict=True):
            heads = F.linear(self.norm(x, torch.empty_like(x, dtype=self.dtype)), mixed).float().unflatten(-1, (-1, self.size))
            pairs = torch.view_as_complex(heads[:, :, :turned].unflatten(-1, (-1, 2))) * self.turns[:width, None]
            q, k = torch.view_as_real(pairs).flatten(-2).split([self.n_heads, self.n_groups], dim=2)  # (B, S, heads, D)
            v = heads[:, :, turned:]
            keys[..., :width], values[:, :, :width] = k.permute(0, 2, 3, 1), v.transpose(1, 2)
            attended = F.scaled_dot_product_attention(
                q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, scale=1.0, enable_gqa=self.n_groups != self.n_heads
            )
            x += F.linear(attended.transpose(1, 2).flatten(2).to(self.dtype), out)
            gate, value = F.linear(self.norm(x, torch.empty_like(x, dtype=self.dtype)), up).chunk(2, dim=-1)
            x += F.linear(F.silu(gate).mul_(value), down)
        self.room = room_for(self)
        return F.linear(self.norm(x[:, -1], self.room.normed), self.head)

    def keep(self, rows: Tensor) -> None:
        """Keep only these rows. Copying the caches is slow, so finished rows are kept until they are an eighth."""
        self.live = rows if self.live is None else self.live[rows]
        if len(self.live) <= (1 - DEAD_WEIGHT) * len(self.keys[0]):
            self.room.close_up(self.live)
            self._settle(self.live)

    def reorder(self, rows: Tensor) -> None:
        """Continue from these rows, any of them several times, as a beam search needs."""
        rows = rows if self.live is None else self.live[rows]
        self.keys, self.values = [cache[rows] for cache in self.keys], [cache[rows] for cache in self.values]
        self._settle(rows)

    def step(self, tokens: Tensor) -> Tensor:
        """Logits ``(B, V)`` after one more token a row, ``(B,)``; the next step writes over them."""
        if self.live is not None:
            tokens = torch.zeros(len(self.keys[0]), dtype=tokens.dtype, device=self.device).index_copy_(0, self.live, tokens)
        at, room = self.reach, self.room
        self.reach += 1
        room.x.copy_(F.embedding(tokens, self.embed))  # (B, E)
        room.added.zero_()
        for layer, (mixed, out, up, down) in enumerate(self.layers):
            room.add_norm()
            torch.mm(room.normed, mixed.t(), out=room.mixed)
            room.rotate(layer, at)
            weights = torch.bmm(room.grouped, room.keys[layer][..., : self.reach])  # (B * G, H / G, R)
            room.softmax(weights)
            room.seen.copy_(torch.bmm(weights, room.values[layer][:, : self.reach]).view(room.seen.shape))
            torch.mm(room.seen, out.t(), out=room.added)
            room.add_norm()
            torch.mm(room.normed, up.t(), out=room.wide)
            room.gate()
            torch.mm(room.gated, down.t(), out=room.added)
        room.add_norm()
        torch.mm(room.normed, self.head.t(), out=room.scores)
        return room.scores if self.live is None else room.scores[self.live]

    def _settle(self, rows: Tensor) -> None:
        """Go on with caches that hold these rows alone."""
        self.hidden = None if self.hidden is None else self.hidden[rows]
        self.live = None
        self.room = room_for(self)

    def _interleave(self, weight: Tensor) -> Tensor:
        """Rows of each head in an order in which a rotation turns neighbours, so that it is one complex product."""
        return weight.view(-1, 2, self.size // 2, weight.shape[1]).transpose(1, 2).reshape(weight.shape)

    def norm(self, x: Tensor, out: Tensor) -> Tensor:
        """Root-mean-square norm without its weight; ``F.rms_norm`` costs four times as much at this width."""
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        return torch.mul(x, torch.addcmul(self.eps, norm, norm, value=1 / self.width).rsqrt_(), out=out)  # rounds as it multiplies


class Room:
    """Memory of one step for the rows of a decoder, with the views into it that a step needs, and what happens between its products.

    At this size a view costs as much as a sum, and fresh pages for a large result as much as the product that fills them.
    """

    def __init__(self, decoder: LlamaDecoder) -> None:
        n_rows, groups, size = len(decoder.keys[0]), decoder.n_groups, decoder.size
        self.decoder = decoder

        def empty(*shape: int, dtype: torch.dtype = decoder.dtype) -> Tensor:
            return torch.empty(*shape, dtype=dtype, device=decoder.device)

        self.x = empty(n_rows, decoder.width, dtype=torch.float32)  # the residual stream
        self.added, self.normed, self.seen = empty(*self.x.shape), empty(*self.x.shape), empty(n_rows, decoder.n_heads * size)
        self.mixed = empty(n_rows, (decoder.n_heads + 2 * groups) * size)
        self.query = empty(n_rows, decoder.n_heads, size, dtype=torch.float32)
        self.grouped = self.query.view(n_rows * groups, -1, size)  # heads of a group share its keys
        self.keys, self.values = [k.flatten(0, 1) for k in decoder.keys], [v.flatten(0, 1) for v in decoder.values]
        self.wide = empty(n_rows, len(decoder.layers[0][2]))
        self.gated = empty(n_rows, self.wide.shape[1] // 2)
        self.scores = empty(n_rows, len(decoder.head))

    def add_norm(self) -> None:
        """Take up ``added`` into the residual stream, whose norm goes to ``normed``."""
        self.x += self.added
        self.decoder.norm(self.x, self.normed)

    def rotate(self, layer: int, at: int) -> None:
        """From ``mixed`` the turned queries into ``query``, and the turned keys and the values into the caches."""
        decoder = self.decoder
        heads = self.mixed.float().view(len(self.x), -1, decoder.size)
        n_heads, n_turned = decoder.n_heads, decoder.n_heads + decoder.n_groups
        turned = torch.view_as_complex(heads[:, :n_turned].unflatten(-1, (-1, 2))) * decoder.turns[at]
        query, key = torch.view_as_real(turned).flatten(-2).split([n_heads, decoder.n_groups], dim=1)
        self.query.copy_(query)
        decoder.keys[layer][..., at], decoder.values[layer][:, :, at] = key, heads[:, n_turned:]

    def softmax(self, weights: Tensor) -> None:
        """Attention from its scores, ``(B * G, H / G, R)``, in place."""
        if self.decoder.hidden is not None:
            by_row = weights.view(len(self.x), -1, weights.shape[2])
            by_row += self.decoder.hidden[:, None, : weights.shape[2]]
        weights.copy_(weights.softmax(-1))

    def close_up(self, rows: Tensor) -> None:
        """Leave these rows alone, which ascend, in the decoder's caches."""
        decoder = self.decoder
        decoder.keys, decoder.values = [cache[rows] for cache in decoder.keys], [cache[rows] for cache in decoder.values]

    def gate(self) -> None:
        """SwiGLU of ``wide`` into ``gated``."""
        gate, value = self.wide.chunk(2, dim=-1)
        torch.mul(F.silu(gate, inplace=True), value, out=self.gated)


class CompiledRoom(Room):
    """The same on a CPU, between the products one compiled loop each (``policies.llama.sampling_kernels``) instead of several calls of
    torch."""

    def __init__(self, decoder: LlamaDecoder) -> None:
        super().__init__(decoder)
        n_rows, shape = len(self.x), (len(self.x), -1, decoder.size)
        self._stream, self._added, self._normed = kernels.array_of(self.x), kernels.array_of(self.added), kernels.array_of(self.normed)
        self._mixed, self._query = kernels.array_of(self.mixed.view(shape)), kernels.array_of(self.query)
        self._caches = [(kernels.array_of(k), kernels.array_of(v)) for k, v in zip(decoder.keys, decoder.values, strict=True)]
        self._wide, self._gated = kernels.array_of(self.wide), kernels.array_of(self.gated)
        turns = torch.view_as_real(decoder.turns)
        self._cosine, self._sine = turns[..., 0].contiguous().numpy(), turns[..., 1].contiguous().numpy()
        self._hidden = np.zeros((0, 0), np.float32) if decoder.hidden is None else kernels.array_of(decoder.hidden)
        self._rows, self._eps, self._scale = n_rows, np.float32(decoder.eps.item()), np.empty(n_rows, np.float32)

    def add_norm(self) -> None:
        kernels.add_norm(self._stream, self._added, self._eps, self._normed, self._scale)

    def rotate(self, layer: int, at: int) -> None:
        kernels.rotate(self._mixed, self._cosine[at], self._sine[at], at, self._query, *self._caches[layer])

    def softmax(self, weights: Tensor) -> None:
        kernels.softmax(weights.view(self._rows, -1, weights.shape[2]).numpy(), self._hidden)

    def close_up(self, rows: Tensor) -> None:  # in place: fresh pages for the caches cost as much as what is moved
        decoder, n = self.decoder, len(rows)
        for keys, values in self._caches:
            kernels.close_up(keys, values, rows.numpy(), decoder.reach)
        decoder.keys, decoder.values = [cache[:n] for cache in decoder.keys], [cache[:n] for cache in decoder.values]

    def gate(self) -> None:
        kernels.gate(self._wide, self._gated)


def room_for(decoder: LlamaDecoder) -> Room:
    """The fastest memory for where the decoder is and what it computes in."""
    quick = decoder.device.type == "cpu" and decoder.dtype in (torch.float32, torch.bfloat16)
    return CompiledRoom(decoder) if quick else Room(decoder)
