"""The loops between the matrix products of reading and learning (``policies.llama.scorer``), compiled as those of sampling are.

Shapes as there: R rows of S places, N = R S; H heads in G groups, head size D, width E, inner width M, V pieces. ``_back`` loops take
the gradient by an output to that by the input.
"""

from __future__ import annotations

import numpy as np

from policies.llama.sampling_kernels import LANES, _exp, _narrow, _wide, compiled, highest, turn

NEVER = np.float32(-1e30)  # not infinite: an entropy multiplies it by its probability, 0


@compiled
def norm_back(back, by, normed, scale, narrow):  # type: ignore[no-untyped-def]
    """Add to ``back`` ``(N, E)`` the gradient by a norm's input, ``by`` that by its output; the sum in the products' precision too."""
    n_rows, width = back.shape
    for i in range(n_rows):
        shared = back[i, 0] * np.float32(0.0)
        for j in range(width):
            shared += _wide(by[i, j]) * _wide(normed[i, j])
        shared /= np.float32(width)
        factor = scale[i]
        for j in range(width):
            back[i, j] += (_wide(by[i, j]) - _wide(normed[i, j]) * shared) * factor
            narrow[i, j] = _narrow(back[i, j], narrow)


@compiled
def gate_back(wide, by_gated, by_wide):  # type: ignore[no-untyped-def]
    """Of SwiGLU: from ``(N, M)`` to ``(N, 2 M)``."""
    n_rows, width = by_gated.shape
    for i in range(n_rows):  # two loops over slices: one that writes both halves would not become vectors
        gates, values, gradient = wide[i, :width], wide[i, width:], by_gated[i]
        by_gates, by_values = by_wide[i, :width], by_wide[i, width:]
        for j in range(width):
            x = _wide(gates[j])
            by_values[j] = _narrow(_wide(gradient[j]) * x / (np.float32(1.0) + _exp(-x)), by_values)
        for j in range(width):
            x = _wide(gates[j])
            share = np.float32(1.0) / (np.float32(1.0) + _exp(-x))
            by_gates[j] = _narrow(
                _wide(gradient[j]) * _wide(values[j]) * share * (np.float32(1.0) + x * (np.float32(1.0) - share)), by_gates
            )


@compiled
def rotate(mixed, cosine, sine, query, keys, values):  # type: ignore[no-untyped-def]
    """Turned queries ``(R, G, S, H/G D)``, turned keys and values, ``(R, G, S, D)``, of ``mixed`` ``(R, S, (H + 2 G) D)``.

    Args:
        cosine, sine: ``(S, H/G D/2)``, those of a head again for each head of a group: loops this short gain by every neighbour.
    """
    n_rows, groups, n_places, run = query.shape
    size = keys.shape[3]
    for i in range(n_rows):
        for s in range(n_places):
            row = mixed[i, s]
            for g in range(groups):
                turn(row[g * run : (g + 1) * run], query[i, g, s], cosine[s], sine[s])
                key = groups * run + g * size
                turn(row[key : key + size], keys[i, g, s], cosine[s, : size // 2], sine[s, : size // 2])
                source, target = row[key + groups * size : key + (groups + 1) * size], values[i, g, s]
                for d in range(size):
                    target[d] = source[d]


@compiled
def rotate_back(by_query, by_keys, by_values, cosine, sine, by_mixed):  # type: ignore[no-untyped-def]
    """The other way: turned back by the same angles."""
    n_rows, groups, n_places, run = by_query.shape
    size = by_keys.shape[3]
    for i in range(n_rows):
        for s in range(n_places):
            row, back = by_mixed[i, s], -sine[s]
            for g in range(groups):
                turn(by_query[i, g, s], row[g * run : (g + 1) * run], cosine[s], back)
                key = groups * run + g * size
                turn(by_keys[i, g, s], row[key : key + size], cosine[s, : size // 2], back[: size // 2])
                source, target = by_values[i, g, s], row[key + groups * size : key + (groups + 1) * size]
                for d in range(size):
                    target[d] = source[d]


@compiled
def softmax(scores, row):  # type: ignore[no-untyped-def]
    """Attention of each place to those up to itself, ``(B, S, H/G, S)``, in place; ``row`` is room for S float32 (or float64)."""
    n, n_places, n_heads, _ = scores.shape
    tops = np.empty(LANES, row.dtype)
    for i in range(n):
        for s in range(n_places):
            reach = s + 1
            for h in range(n_heads):
                logits = scores[i, s, h]
                for j in range(reach):
                    row[j] = _wide(logits[j])
                top = highest(row, reach, tops)
                total = row[0] * np.float32(0.0)
                for j in range(reach):
                    p = _exp(row[j] - top)
                    row[j] = p
                    total += p
                share = np.float32(1.0) / total
                for j in range(reach):
                    logits[j] = _narrow(row[j] * share, logits)
                for j in range(reach, n_places):
                    logits[j] = 0


@compiled
def softmax_back(by, p, exact):  # type: ignore[no-untyped-def]
    """From the gradient by attention to that by its scores, ``(B, S, H/G, S)``, in place; ``exact`` ``(1,)`` says how exactly to add."""
    n, n_places, n_heads, _ = by.shape
    for i in range(n):
        for s in range(n_places):
            for h in range(n_heads):
                row, shares = by[i, s, h], p[i, s, h]
                shared = exact[0] * np.float32(0.0)
                for j in range(s + 1):
                    shared += _wide(row[j]) * _wide(shares[j])
                for j in range(s + 1):
                    row[j] = _narrow(_wide(shares[j]) * (_wide(row[j]) - shared), row)
                for j in range(s + 1, n_places):
                    row[j] = 0


@compiled
def score_tokens(logits, target, pad, token_masks, mask_of, row, log_p, entropy, p):  # type: ignore[no-untyped-def]
    """Log-probabilities ``(N,)`` of the targets under ``logits`` ``(N, V)``, PAD as good as masked.

    Args:
        pad: its piece; below 0 for none.
        token_masks, mask_of: sets of pieces that have no probability, ``(U, V)`` bool, and each row's, ``(N,)``, or empty.
        row: room for V numbers.
        entropy: ``(N,)``, or empty where none is asked for.
        p: all probabilities, ``(N, V)``, or empty.
    """
    n_rows, n_pieces = logits.shape
    tops = np.empty(LANES, row.dtype)
    for i in range(n_rows):
        row_logits = logits[i]
        for j in range(n_pieces):
            row[j] = _wide(row_logits[j])
        if pad >= 0:
            row[pad] = -30.0
        if len(mask_of):
            masked = token_masks[mask_of[i]]
            for j in range(n_pieces):
                row[j] = NEVER if masked[j] else row[j]
        top = highest(row, n_pieces, tops)
        wanted = row[target[i]] - top
        mixed = row[0] * np.float32(0.0)
        if len(entropy):
            for j in range(n_pieces):
                x = row[j] - top
                mixed += _exp(x) * x
        total = row[0] * np.float32(0.0)
        for j in range(n_pieces):
            x = _exp(row[j] - top)
            row[j] = x
            total += x
        log_total = np.log(total)
        log_p[i] = wanted - log_total
        if len(entropy):
            entropy[i] = log_total - mixed / total
        if len(p):
            share = np.float32(1.0) / total
            into = p[i]
            for j in range(n_pieces):
                into[j] = _narrow(row[j] * share, into)


@compiled
def weigh_back(p, gradient, target, pad):  # type: ignore[no-untyped-def]
    """Turn probabilities into the gradient by the logits, in place: of one log-probability, the piece drawn less all probabilities."""
    n_rows, n_pieces = p.shape
    for i in range(n_rows):
        row, factor = p[i], gradient[i]
        for j in range(n_pieces):
            row[j] = _narrow(-factor * _wide(row[j]), row)
        row[target[i]] = _narrow(_wide(row[target[i]]) + factor, row)
        if pad >= 0:
            row[pad] = 0
