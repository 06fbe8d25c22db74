"""Log-probabilities of texts under a Llama on a CPU, with its own backward pass, which makes scoring and training fast.

The same arithmetic as ``policies.llama.decoder``, over whole texts: only matrix products run in the precision asked for, norms are
folded into the matrices after them, and between two products there is one compiled loop (``policies.llama.scoring_kernels``). Texts of like
length are read together, few at a time, so that there is little padding and what one operation writes is still in the cache when the
next one reads it; autograd over the whole batch would spend most of its time on memory. Texts are padded on the right and attention
looks back, so that padding needs no mask.

Shapes: R rows of S places in one reading, N = R S, of which n are followed by a token drawn; H query heads in G groups, D head size,
E width, F inner width, V pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from policies.llama import sampling_kernels as kernels
from policies.llama import scoring_kernels as reader_kernels
from policies.llama.decoder import can_step, whole_weight
from policies.llama.sampling_kernels import array_of as array

if TYPE_CHECKING:
    from transformers import PreTrainedModel

AT_ONCE = 1024  # places read together
HEAD_ROWS = 192  # of them, whose distributions over all pieces are held at once


def can_read(model: PreTrainedModel) -> bool:
    """Whether a model is a plain Llama on a CPU, without dropout and hooks; its layers may have plain LoRA."""
    if hasattr(model, "get_base_model") or not can_step(model):
        return False
    layers = model.model.layers
    linear = [m for layer in layers for m in (*layer.self_attn.children(), *layer.mlp.children()) if hasattr(m, "weight")]
    modules = [model, model.model, model.lm_head]
    frugal = any(getattr(m, "gradient_checkpointing", False) for m in (model.model, *layers))
    return (
        model.lm_head.weight.device.type == "cpu"
        and not frugal
        and all(type(m) is torch.nn.Linear or _is_plain_lora(m) for m in linear)
        and not (getattr(model.config, "attention_dropout", 0.0) and model.training)
        and not any(m._forward_hooks or m._forward_pre_hooks for m in modules)
    )


def _is_plain_lora(module: Any) -> bool:
    """Whether a layer is one whose weight is its base's and a low-rank product, and nothing else."""
    if not hasattr(module, "lora_A") or type(module.get_base_layer()) is not torch.nn.Linear:
        return False
    no_dropout = all(isinstance(dropout, torch.nn.Identity) for dropout in module.lora_dropout.values())
    return no_dropout and not len(module.lora_embedding_A) and not any(getattr(module, "use_dora", {}).values())


@dataclass
class Trunk:
    """States of one batch above the lowest layers, stored by the model that reads it first for another one with the same lower layers.

    A policy with frozen lower layers shares them with its prior, which reads each batch first. So half of the policy's forward pass is
    done already.

    Attributes:
        n_layers: how many layers two models share; 0 until the one that learns has been read.
        ids, drawn: the batch, ``(B, S)``, by identity.
        dtype: precision of the products.
        weights: of the embeddings and these layers, as the states were made with.
        states: of each reading, the stream and what its last layer has still to add; taken out as they are used.
    """

    n_layers: int = 0
    ids: Tensor | None = None
    drawn: Tensor | None = None
    dtype: torch.dtype | None = None
    weights: Sequence[Tensor] = ()
    states: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def keep(self, plan: Plan) -> None:
        """Make room for what this model reads now."""
        self.ids, self.drawn, self.dtype = plan.ids, plan.drawn, plan.dtype
        self.weights, self.states = plan.weights[: 1 + 4 * self.n_layers], []

    def fits(self, plan: Plan) -> bool:
        """Whether what is kept is what this model would make of its batch."""
        weights = plan.weights[: 1 + 4 * self.n_layers]
        return (
            0 < self.n_layers <= plan.lowest
            and self.ids is plan.ids
            and self.drawn is plan.drawn
            and self.dtype == plan.dtype
            and bool(self.states)
            and all(torch.equal(a, b) for a, b in zip(weights, self.weights, strict=True))
        )


def score_tokens(
    model: PreTrainedModel,
    ids: Tensor,
    drawn: Tensor,
    *,
    pad: int,
    dtype: torch.dtype | None = None,
    entropy: bool = False,
    token_masks: tuple[Tensor, Tensor] | None = None,
    trunk: Trunk | None = None,
    keeps: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities of the tokens drawn, row by row, ``(n,)``, nats; gradients flow to the model's parameters.

    Args:
        model: for which ``can_read`` holds.
        ids: ``(B, S)``, padded on the right.
        drawn: ``(B, S)`` bool, True on the tokens asked for; never on the first of a row.
        pad: piece without probability; below 0 for none.
        dtype: precision of the matrix products; None keeps the model's own.
        entropy: whether to return entropies.
        trunk: states of the lower layers that another model left of this batch, or, with ``keeps``, room to leave some.
        token_masks: sets of pieces without probability, ``(U, V)`` bool, and which of them holds at each place, ``(B, S)``.

    Returns:
        Also what the head reads before each token, detached, ``(n, E)``, and the entropies of the distributions, PAD left out, ``(n,)``,
        nats; none of them unless asked for.
    """
    plan = Plan(model, ids, drawn, pad, dtype or model.dtype, entropy, token_masks)
    plan.trunk, plan.keeps = trunk, keeps
    scores: tuple[Tensor, Tensor, Tensor] = Reading.apply(plan, *plan.weights)
    return scores


class Plan:
    """What to read, and the weights to read it with: folded here, so that autograd unfolds their gradients."""

    def __init__(
        self,
        model: PreTrainedModel,
        ids: Tensor,
        drawn: Tensor,
        pad: int,
        dtype: torch.dtype,
        entropy: bool,
        token_masks: tuple[Tensor, Tensor] | None,
    ) -> None:
        config, body = model.config, model.model
        self.token_masks = torch.zeros(0, 0, dtype=torch.bool) if token_masks is None else token_masks[0]
        self.mask_of = None if token_masks is None else token_masks[1]
        self.ids, self.drawn, self.pad, self.dtype, self.entropy = ids, drawn, pad, dtype, entropy
        self.n_heads, self.n_groups = config.num_attention_heads, config.num_key_value_heads
        self.size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self.weights: list[Tensor] = [body.embed_tokens.weight]
        for layer in body.layers:
            attention, mlp = layer.self_attn, layer.mlp
            turned = torch.cat([whole_weight(attention.q_proj) * self.size**-0.5, whole_weight(attention.k_proj)])
            # rows of each head in an order in which a rotation turns neighbours, so that it is one complex product
            turned = turned.view(-1, 2, self.size // 2, turned.shape[1]).transpose(1, 2).reshape(turned.shape)
            mixed = torch.cat([turned, whole_weight(attention.v_proj)]) * layer.input_layernorm.weight
            up = torch.cat([whole_weight(mlp.gate_proj), whole_weight(mlp.up_proj)]) * layer.post_attention_layernorm.weight
            self.weights += [mixed, whole_weight(attention.o_proj), up, whole_weight(mlp.down_proj)]
        self.weights += [body.norm.weight, model.lm_head.weight]  # apart: the head is often frozen where the norm is not
        self.learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in self.weights)
        learning = [layer for layer in range(len(body.layers)) if any(w.requires_grad for w in self.weights[1 + 4 * layer : 5 + 4 * layer])]
        # the lowest layer through which a gradient has to go: below it nothing learns
        self.lowest = 0 if self.weights[0].requires_grad else min(learning, default=len(body.layers))
        self.trunk: Trunk | None = None
        self.keeps = False
        self.exact = torch.promote_types(torch.float32, model.dtype)  # of all but the products
        self.eps = torch.tensor([config.rms_norm_eps], dtype=self.exact)
        angles = torch.arange(ids.shape[1], dtype=self.exact)[:, None] * body.rotary_emb.inv_freq.to(self.exact)
        run = self.n_heads // self.n_groups
        self.turns = array(angles.cos().tile(1, run)), array(angles.sin().tile(1, run))  # (S, H/G D/2) each

    def readings(self) -> list[tuple[list[int], int]]:
        """Rows to read together, of like length, and the places to read of each: all before its last token drawn."""
        places = torch.arange(self.ids.shape[1])
        lengths = (self.drawn * places).amax(1).tolist()
        parts: list[tuple[list[int], int]] = []
        for row in sorted((row for row, n in enumerate(lengths) if n), key=lambda row: -lengths[row]):
            if parts and (len(parts[-1][0]) + 1) * parts[-1][1] <= AT_ONCE:
                parts[-1][0].append(row)
            else:
                parts.append(([row], lengths[row]))
        return parts


class Reading(torch.autograd.Function):
    """Log-probabilities, states and entropies of the tokens drawn; only the first has a gradient."""

    @staticmethod
    def forward(ctx: Any, plan: Plan, *weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        cast = [weight.to(plan.dtype) for weight in weights[1:-2]]
        embed, norm, head = weights[0], weights[-2], weights[-1].to(plan.dtype)
        first = (plan.drawn.sum(1).cumsum(0) - plan.drawn.sum(1)).tolist()  # of each row's tokens, in the order of the answer
        n = int(plan.drawn.sum())
        log_p, states = torch.empty(n, dtype=plan.exact), torch.empty(n, embed.shape[1], dtype=plan.exact)
        entropies = torch.empty(n if plan.entropy else 0, dtype=plan.exact)
        ctx.plan, ctx.cast, ctx.kept, ctx.places, ctx.shapes = plan, [*cast, head], [], [], [w.shape for w in weights]
        ctx.norm = norm
        trunk, takes = plan.trunk, False
        if trunk is not None and plan.keeps:
            trunk.keep(plan)
        elif trunk is not None:
            takes = trunk.fits(plan)
            n_shared = trunk.n_layers
            trunk.n_layers = plan.lowest if plan.learns else trunk.n_layers
        for rows, width in plan.readings():
            ids = plan.ids[rows, :width]
            at = plan.drawn[rows, 1 : width + 1]
            if trunk is not None and takes:
                x, added = trunk.states.pop(0)
                first_layer = n_shared
            else:
                x = F.embedding(ids, embed).to(plan.exact).view(-1, embed.shape[1])  # (N, E)
                added = torch.zeros(x.shape, dtype=plan.dtype)
                first_layer = 0
            saved: list[tuple[Tensor, ...]] = [()] * first_layer
            for layer in range(first_layer, len(cast) // 4):
                if trunk is not None and plan.keeps and layer == trunk.n_layers > 0:
                    trunk.states.append((x.clone(), added))  # the stream goes on in place
                added, needed = _layer(x, added, plan, cast[4 * layer : 4 * layer + 4], len(rows), width)
                saved.append(needed if plan.learns and layer >= plan.lowest else ())
            target = plan.ids[rows, 1 : width + 1][at]
            places = torch.cat([torch.arange(first[row], first[row] + int(n)) for row, n in zip(rows, at.sum(1).tolist(), strict=True)])
            mask_of = torch.zeros(0, dtype=torch.long) if plan.mask_of is None else plan.mask_of[rows, 1 : width + 1][at]
            head_scores, state, entropy, end = _head(x[at.view(-1)], added[at.view(-1)], plan, norm, head, target, mask_of)
            log_p[places], states[places] = head_scores, state.to(plan.exact)
            if plan.entropy:
                entropies[places] = entropy
            if plan.learns:
                ctx.kept.append((rows, width, at.reshape(-1), target, saved, end))
                ctx.places.append(places)
        ctx.mark_non_differentiable(states, entropies)
        return log_p, states, entropies

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        plan: Plan = ctx.plan
        *cast, head = ctx.cast
        if ctx.places and not ctx.kept:
            raise RuntimeError("log_prob: its gradient was taken before and what it needs is gone; expected one backward pass a reading.")
        needs_gradient = ctx.needs_input_grad[1:]
        grads = [torch.zeros(shape, dtype=plan.exact) if want else None for shape, want in zip(ctx.shapes, needs_gradient, strict=True)]
        for (rows, width, at, target, saved, end), places in zip(ctx.kept, ctx.places, strict=True):
            back = torch.zeros(len(at), head.shape[1], dtype=plan.exact)  # (N, E): the gradient by the stream of states
            back[at] = _head_back(gradient[places].to(plan.exact), plan, ctx.norm, head, target, end, grads)
            narrow = back.to(plan.dtype, copy=True)
            for layer in reversed(range(plan.lowest, len(cast) // 4)):
                _layer_back(back, narrow, plan, cast[4 * layer : 4 * layer + 4], saved[layer], grads[1 + 4 * layer : 5 + 4 * layer], width)
            if grads[0] is not None:
                grads[0].index_add_(0, plan.ids[rows, :width].reshape(-1), back)
        ctx.kept.clear()
        return (None, *grads)


def _norm(x: Tensor, added: Tensor, plan: Plan) -> tuple[Tensor, Tensor]:
    """Add to the stream in place; its rows over their root mean square, in the precision of the products, and their factors, ``(N,)``."""
    normed, scale = torch.empty(x.shape, dtype=plan.dtype), torch.empty(len(x), dtype=plan.exact)
    kernels.add_norm(array(x), array(added), array(plan.eps)[0], array(normed), array(scale))
    return normed, scale


def _layer(x: Tensor, added: Tensor, plan: Plan, weights: Sequence[Tensor], n_rows: int, width: int) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Add what the layer before has to say to the stream ``(N, E)``, in place; what this one has, and what its backward pass needs."""
    mixed, out, up, down = weights
    normed, scale = _norm(x, added, plan)
    heads = (normed @ mixed.T).view(n_rows, width, -1)
    q = torch.empty(n_rows, plan.n_groups, width, plan.n_heads // plan.n_groups * plan.size, dtype=plan.dtype)
    k = torch.empty(n_rows, plan.n_groups, width, plan.size, dtype=plan.dtype)
    v = torch.empty_like(k)
    reader_kernels.rotate(array(heads), *plan.turns, array(q), array(k), array(v))
    q = q.view(n_rows * plan.n_groups, -1, plan.size)  # (R G, S H/G, D): the heads of a group share its keys
    k, v = k.flatten(0, 1), v.flatten(0, 1)
    attention = torch.bmm(q, k.transpose(1, 2))  # (R G, S H/G, S)
    reader_kernels.softmax(array(attention.view(len(q), width, -1, width)), array(torch.empty(width, dtype=plan.exact)))
    context = torch.bmm(attention, v).view(n_rows, plan.n_groups, width, -1).transpose(1, 2).reshape(len(x), -1)  # a copy only where G > 1
    inner, inner_scale = _norm(x, context @ out.T, plan)
    wide = inner @ up.T
    gated = torch.empty(len(wide), wide.shape[1] // 2, dtype=plan.dtype)
    kernels.gate(array(wide), array(gated))
    return gated @ down.T, (normed, scale, q, k, v, attention, context, inner, inner_scale, wide, gated)


def _layer_back(
    back: Tensor, at: Tensor, plan: Plan, weights: Sequence[Tensor], saved: tuple[Tensor, ...], grads: Sequence[Tensor | None], width: int
) -> None:
    """Turn the gradient by a layer's output into that by its input, in place, and add up those of its weights.

    Args:
        at: ``back`` in the precision of the products, in and out.
    """
    mixed, out, up, down = weights
    normed, scale, q, k, v, attention, context, inner, inner_scale, wide, gated = saved
    _add(grads[3], at, gated)
    by_gated, by_wide = at @ down, torch.empty_like(wide)
    reader_kernels.gate_back(array(wide), array(by_gated), array(by_wide))
    _add(grads[2], by_wide, inner)
    reader_kernels.norm_back(array(back), array(by_wide @ up), array(inner), array(inner_scale), array(at))

    _add(grads[1], at, context)
    n_rows = len(back) // width
    by_context = (at @ out).view(n_rows, width, plan.n_groups, -1).transpose(1, 2).reshape(q.shape)
    by_attention = torch.bmm(by_context, v.transpose(1, 2))
    square = (len(q), width, -1, width)
    reader_kernels.softmax_back(array(by_attention.view(square)), array(attention.view(square)), array(plan.eps))
    by_q, by_k, by_v = (
        torch.bmm(by_attention, k),
        torch.bmm(by_attention.transpose(1, 2), q),
        torch.bmm(attention.transpose(1, 2), by_context),
    )
    sides = [array(part.view(n_rows, plan.n_groups, width, -1)) for part in (by_q, by_k, by_v)]
    by_mixed = torch.empty(len(back), len(mixed), dtype=plan.dtype)
    reader_kernels.rotate_back(*sides, *plan.turns, array(by_mixed.view(n_rows, width, -1)))
    _add(grads[0], by_mixed, normed)
    reader_kernels.norm_back(array(back), array(by_mixed @ mixed), array(normed), array(scale), array(at))


def _add(grad: Tensor | None, by_output: Tensor, inputs: Tensor) -> None:
    """Add the gradient of the weights of ``inputs @ weight.T`` where it is wanted."""
    if grad is not None:
        grad += by_output.T @ inputs


def _head(
    x: Tensor, added: Tensor, plan: Plan, norm: Tensor, head: Tensor, target: Tensor, mask_of: Tensor
) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, ...]]:
    """Log-probabilities ``(n,)``, states ``(n, E)`` and entropies of the tokens drawn, and what the backward pass needs."""
    normed, scale = _norm(x, added, plan)
    state = normed * norm.to(plan.dtype)
    log_p = torch.empty(len(x), dtype=plan.exact)
    entropy = torch.empty(len(x) if plan.entropy else 0, dtype=plan.exact)
    p = torch.empty(len(x) if plan.learns else 0, len(head), dtype=plan.dtype)
    row = array(torch.empty(len(head), dtype=plan.exact))
    for begin in range(0, len(x), HEAD_ROWS):
        part = slice(begin, begin + HEAD_ROWS)
        arrays = [array(each[part]) for each in (log_p, entropy, p)]
        reader_kernels.score_tokens(
            array(state[part] @ head.T), array(target[part]), plan.pad, array(plan.token_masks), array(mask_of[part]), row, *arrays
        )
    return log_p, state, entropy, (normed, scale, state, p)


def _head_back(
    gradient: Tensor, plan: Plan, norm: Tensor, head: Tensor, target: Tensor, saved: tuple[Tensor, ...], grads: Sequence[Tensor | None]
) -> Tensor:
    """The gradient by the last states ``(n, E)``."""
    normed, scale, state, p = saved
    reader_kernels.weigh_back(array(p), array(gradient), array(target), plan.pad)
    _add(grads[-1], p, state)
    by_state = (p @ head).to(plan.exact)
    if grads[-2] is not None:
        grads[-2] += (by_state * normed).sum(0)
    back = torch.zeros(len(p), head.shape[1], dtype=plan.exact)
    reader_kernels.norm_back(array(back), array(by_state.mul_(norm)), array(normed), array(scale), array(torch.empty_like(normed)))
    return back
