"""The small loops between the matrix products of a model this size, compiled by numba: on a CPU, one pass of each instead of five.

torch spends as long on them, one call and one fresh result at a time, as on the products. Arrays are views of tensors (``array_of``);
bfloat16, which NumPy lacks, travels as its sixteen bits. Rounding is to nearest even, as in torch; ``exp`` is a polynomial, off by
less than 3e-7 of itself near 0 and by 4e-6 at the far ends. Kept between runs in numba's cache, else compiled at first use (a few
seconds). Uncompiled (``loop.py_func``, ``NUMBA_DISABLE_JIT=1``) the loops are slow Python that does the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch
from numba.core import types
from numba.extending import overload
from torch import Tensor

CLASSES = 64  # groups of pieces between which a draw chooses first
LANES = 16  # numbers of one vector
_LOWEST, _HIGHEST = np.float32(-87.0), np.float32(88.0)  # e to these is nearly the least and the largest float32
_QUICK = {"reassoc", "contract", "arcp", "nsz", "afn", "nnan"}  # infinities stay: a masked piece has one


def array_of(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A tensor's memory for these loops: bfloat16 as ``uint16``, any other type as it is."""
    return tensor.view(torch.int16).numpy().view(np.uint16) if tensor.dtype == torch.bfloat16 else tensor.numpy()


def compiled(loop: Callable[..., None]) -> Any:
    """A loop as machine code, kept for the next run where a folder for it can be written."""
    try:
        return numba.njit(loop, cache=True, nogil=True, error_model="numpy", fastmath=_QUICK)
    except RuntimeError:  # no such folder
        return numba.njit(loop, nogil=True, error_model="numpy", fastmath=_QUICK)


def _wide(x):  # type: ignore[no-untyped-def]
    """A number of an array: float64 as it is, else as float32."""
    return np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32) if isinstance(x, np.uint16) else x


@overload(_wide)
def _wide_of(x):  # type: ignore[no-untyped-def]
    if x == types.uint16:
        return lambda x: np.uint32(np.uint32(x) << np.uint32(16)).view(np.float32)
    return lambda x: x


def _narrow(x, like):  # type: ignore[no-untyped-def]
    """A number in the type of an array."""
    if like.dtype != np.uint16:
        return x
    bits = np.float32(x).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@overload(_narrow)
def _narrow_to(x, like):  # type: ignore[no-untyped-def]
    if like.dtype == types.uint16:

        def rounded(x, like):  # type: ignore[no-untyped-def]
            bits = np.float32(x).view(np.uint32)
            return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))

        return rounded
    return lambda x, like: x


def _exp(x):  # type: ignore[no-untyped-def]
    """e to the power of x."""
    return np.exp(x)


@overload(_exp, jit_options={"fastmath": _QUICK})
def _exp_of(x):  # type: ignore[no-untyped-def]
    if x == types.float64:
        return lambda x: np.exp(x)  # noqa: PLW0108

    def quick(x):  # type: ignore[no-untyped-def]
        """By 2 to a whole number times a polynomial in what is left: unlike ``np.exp`` it becomes vectors."""
        t = min(max(x, _LOWEST), _HIGHEST) * np.float32(1.4426950408889634)
        whole = np.floor(t + np.float32(0.5))
        f = t - whole
        p = np.float32(1.5403530e-4)
        p = p * f + np.float32(1.3333558e-3)
        p = p * f + np.float32(9.6181291e-3)
        p = p * f + np.float32(5.5504109e-2)
        p = p * f + np.float32(2.4022651e-1)
        p = p * f + np.float32(6.9314718e-1)
        p = p * f + np.float32(1.0)
        power = np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)
        return p * power if x > _LOWEST else np.float32(0.0)

    return quick


@numba.njit(fastmath=_QUICK)
def highest(row, n, tops):  # type: ignore[no-untyped-def]
    """The largest of the first n numbers of a row, at least one; ``tops`` is room for ``LANES`` of its type."""
    parts = n // LANES
    for j in range(LANES):
        tops[j] = row[min(j, n - 1)]
    for k in range(1, parts):
        part = row[k * LANES : (k + 1) * LANES]
        for j in range(LANES):  # loops of a fixed length over a slice become vectors, others do not
            tops[j] = max(part[j], tops[j])
    top = tops[0]
    for j in range(1, LANES):
        top = max(top, tops[j])
    for j in range(parts * LANES, n):
        top = max(top, row[j])
    return top


@numba.njit(fastmath=_QUICK)
def turn(source, target, cosine, sine):  # type: ignore[no-untyped-def]
    """Turn the neighbours of a vector ``(D,)`` together, each pair by its angle, ``(D / 2,)``."""
    for d in range(len(cosine)):
        a, b = _wide(source[2 * d]), _wide(source[2 * d + 1])
        target[2 * d] = _narrow(a * cosine[d] - b * sine[d], target)
        target[2 * d + 1] = _narrow(a * sine[d] + b * cosine[d], target)


@compiled
def add_norm(x, added, eps, out, scale):  # type: ignore[no-untyped-def]
    """Add to the residual stream ``(B, E)`` in place; its root-mean-square norm without weights into ``out``, its factor into ``scale``."""
    n_rows, width = x.shape
    for i in range(n_rows):
        total = x[i, 0] * np.float32(0.0)
        for j in range(width):
            value = x[i, j] + _wide(added[i, j])
            x[i, j] = value
            total += value * value
        factor = np.float32(1.0) / np.sqrt(total / np.float32(width) + eps)
        scale[i] = factor
        for j in range(width):
            out[i, j] = _narrow(x[i, j] * factor, out)


@compiled
def gate(wide, out):  # type: ignore[no-untyped-def]
    """SwiGLU: SiLU of the left half of ``(B, 2 M)`` times the right half, into ``(B, M)``."""
    n_rows, width = out.shape
    for i in range(n_rows):
        for j in range(width):
            x = _wide(wide[i, j])
            out[i, j] = _narrow(x / (np.float32(1.0) + _exp(-x)) * _wide(wide[i, width + j]), out)


@compiled
def rotate(mixed, cosine, sine, at, query, keys, values):  # type: ignore[no-untyped-def]
    """Turn queries and keys of one new token a row to its place and put keys and values into the caches.

    Shapes: ``mixed`` ``(B, H + 2 G, D)``, neighbours turned together; ``cosine``, ``sine`` ``(D / 2,)``; ``query`` ``(B, H, D)``;
    ``keys`` ``(B, G, D, R)``; ``values`` ``(B, G, R, D)``.
    """
    n_rows, n_heads, size = query.shape
    groups = keys.shape[1]
    for i in range(n_rows):
        for h in range(n_heads):
            turn(mixed[i, h], query[i, h], cosine, sine)
        for g in range(groups):
            turn(mixed[i, n_heads + g], keys[i, g, :, at], cosine, sine)
            for d in range(size):
                values[i, g, at, d] = _wide(mixed[i, n_heads + groups + g, d])


@compiled
def softmax(scores, hidden):  # type: ignore[no-untyped-def]
    """Softmax of ``(B, H, R)`` over its last axis, in place; ``hidden`` ``(B, R)`` is added first, or ``(0, 0)``."""
    n_rows, n_heads, reach = scores.shape
    tops = np.empty(LANES, np.float32)
    for i in range(n_rows):
        for h in range(n_heads):
            row = scores[i, h]
            if hidden.shape[0]:
                for j in range(reach):
                    row[j] += hidden[i, j]
            top = highest(row, reach, tops)
            total = np.float32(0.0)
            for j in range(reach):
                p = _exp(row[j] - top)
                row[j] = p
                total += p
            share = np.float32(1.0) / total
            for j in range(reach):
                row[j] *= share


@compiled
def close_up(keys, values, rows, reach):  # type: ignore[no-untyped-def]
    """Move what rows of the caches hold of their first ``reach`` places to the front, in place.

    Shapes: ``keys`` ``(B, G, D, R)``, ``values`` ``(B, G, R, D)``; ``rows`` ascend, so that nothing is written over before it has moved.
    """
    _, groups, size, _ = keys.shape
    for i in range(len(rows)):
        if rows[i] != i:
            for g in range(groups):
                for d in range(size):
                    source, target = keys[rows[i], g, d], keys[i, g, d]
                    for r in range(reach):
                        target[r] = source[r]
                for r in range(reach):
                    old, new = values[rows[i], g, r], values[i, g, r]
                    for d in range(size):
                        new[d] = old[d]


@compiled
def mask_tokens(logits, token_masks, phase, spared, never):  # type: ignore[no-untyped-def]
    """Set what a row's phase masks to ``never[0]``, in place, but for the one piece it is spared.

    Shapes: ``logits`` ``(B, V)``, ``token_masks`` ``(phases, V)`` bool, ``phase`` ``(B,)``, ``spared`` ``(B,)``, below 0 for none.
    """
    n_rows, n_pieces = logits.shape
    lowest = never[0]
    for i in range(n_rows):
        row, masked, mark = logits[i], token_masks[phase[i]], spared[i]
        mark_logit = row[max(mark, 0)]
        for j in range(n_pieces):
            row[j] = lowest if masked[j] else row[j]
        if mark >= 0:
            row[mark] = mark_logit


@compiled
def draw(logits, uniform, p, mass, out):  # type: ignore[no-untyped-def]
    """One piece a row of ``(B, V)`` logits by inverting the cumulative distribution: first a class of pieces, then one of it.

    Pieces whose numbers leave the same rest by ``CLASSES`` make a class: their sums are a vector's.

    Args:
        uniform: ``(B,)``, in [0, 1).
        p: room for V rounded up to whole rows of classes.
        mass: room for ``CLASSES``.
        out: ``(B,)``.
    """
    n_rows, n_pieces = logits.shape
    parts = len(p) // CLASSES
    tops = np.empty(LANES, np.float32)
    for i in range(n_rows):
        row = logits[i]
        for j in range(n_pieces):
            p[j] = _wide(row[j])
        for j in range(n_pieces, len(p)):
            p[j] = np.float32(-np.inf)
        top = highest(p, len(p), tops)
        for j in range(len(p)):
            p[j] = _exp(p[j] - top)
        for j in range(CLASSES):
            mass[j] = np.float32(0.0)
        for k in range(parts):
            part = p[k * CLASSES : (k + 1) * CLASSES]
            for j in range(CLASSES):
                mass[j] += part[j]
        total = np.float32(0.0)
        for j in range(CLASSES):
            total += mass[j]
        point = uniform[i] * total
        chosen, last = -1, 0  # rounding must not step past the last class, or piece, that has probability
        for j in range(CLASSES):
            if mass[j] > 0:
                last = j
                if point < mass[j]:
                    chosen = j
                    break
                point -= mass[j]
        if chosen < 0:
            chosen, point = last, mass[last]
        piece = -1
        for k in range(chosen, len(p), CLASSES):
            if p[k] > 0:
                piece = k
                if point < p[k]:
                    break
                point -= p[k]
        out[i] = piece


def room_for_draws(n_pieces: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """``p`` and ``mass`` of ``draw``."""
    return np.empty(math.ceil(n_pieces / CLASSES) * CLASSES, np.float32), np.empty(CLASSES, np.float32)
