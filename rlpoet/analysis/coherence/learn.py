"""Learns word vectors with which a line can be matched with its own stanza among those of other poems.

A batch holds runs of a few lines of one stanza each, B lines in all. ``S_ij`` is the score of ``rlpoet.analysis.coherence.model`` for
line i and the other lines of line j's run. Here it is divided by the root of their numbers of words, not by the norms of their vectors,
so the norm of a word's vector can express its weight. The loss is the cross entropy of finding j = i, by row and by column (InfoNCE);
its optimum is the pointwise mutual information of a line and its neighbours. Lines of one poem are not used as negatives for each other.
The optimizer is Adagrad with one rate per word, so rare words move as far as common ones.

Reference: van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018, eq. 4 (InfoNCE and its optimum).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.coherence.words import WordLines, find_entry

BARRED = -1e4  # a figure that never wins
WIDEST = 14  # words of a line that are read; longer lines are hardly verse
Rows = NDArray[np.int32]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class LearnOptions:
    """How the vectors are learned.

    Attributes:
        dimensions: of a vector.
        epochs: passes over the lines; may be fractional.
        batch: runs of lines per batch.
        run: lines per run.
        rate: learning rate of the first step; it falls linearly to 0.
        forget: share of words that are dropped, drawn anew each time.
        seed: seed of all draws.
    """

    dimensions: int = 64
    epochs: float = 4.0
    batch: int = 128
    run: int = 4
    rate: float = 0.1
    forget: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class LineRows:
    """Lines as rows of a model with V entries; V itself pads.

    Attributes:
        rows: [N, WIDEST] the words of each line. ends: [N] its end word.
        stanza, poem: [N] the number of its stanza and of its poem, ascending.
    """

    rows: Rows
    ends: Rows
    stanza: NDArray[np.int64]
    poem: NDArray[np.int64]

    @classmethod
    def of(cls, lines: WordLines, index: dict[str, int]) -> LineRows:
        """Lines as a model with these entries knows them."""
        pad = len(index)
        entries = [find_entry(word, index) for word in lines.words]
        flat_rows = np.array([pad if row is None else row for row in entries], np.int32)[lines.flat]
        start, line = np.cumsum(lines.sizes) - lines.sizes, np.repeat(np.arange(len(lines.sizes)), lines.sizes)
        place = np.arange(len(flat_rows)) - start[line]
        within = place < WIDEST
        rows = np.full((len(lines.sizes), WIDEST), pad, np.int32)
        rows[line[within], place[within]] = flat_rows[within]
        ends = np.full(len(lines.sizes), pad, np.int32)
        whole = (lines.sizes > 0) & (lines.sizes <= WIDEST)
        ends[whole] = flat_rows[(start + lines.sizes - 1)[whole]]
        return cls(rows, ends, lines.stanza, lines.poem)


def learn(lines: LineRows, n_entries: int, options: LearnOptions, *, say: Callable[[str], object] = lambda text: None) -> Vectors:
    """Vectors of all entries, [V, D].

    Args:
        n_entries: V.
        say: called once per epoch with a progress message.

    Raises:
        ValueError: fewer runs of lines than one batch.
    """
    rng = np.random.default_rng(options.seed)
    runs = _Runs(lines.stanza, options.run)
    per_epoch = len(runs.draw(rng)) // options.batch
    if not per_epoch:
        raise ValueError(f"{len(runs.draw(rng))} runs of {options.run} lines of one stanza; expected {options.batch} or more")
    table = _Table(n_entries, options.dimensions, rng)
    steps, loss = max(1, round(options.epochs * per_epoch)), 0.0
    for step, batch in enumerate(_batches(runs, options.batch, steps, rng)):
        bags = Bags(table.vectors, *_batch_rows(lines, batch, n_entries, options.forget, rng))
        poem = np.where(batch < 0, -1, lines.poem[batch]).ravel()
        batch_loss, error = contrast(bags, poem)
        loss += batch_loss
        table.step(bags.rows, bags.ends, *bags.gradients(error), rate=options.rate * (1 - step / steps))
        if (step + 1) % per_epoch == 0 or step + 1 == steps:
            say(f"{(step + 1) / per_epoch:.1f} of {steps / per_epoch:.1f} epochs: {loss / (step % per_epoch + 1):.3f} nats a line")
            loss = 0.0
    return table.vectors[:-1]


class Bags:
    """Lines of runs and the other lines of their runs. R runs of L lines, K words per line.

    Attributes:
        rows: [R, L, K] words that count, V pads. ends: [R, L] end words, V if it does not count.
        near: [R * L, 2D], the line's sum and the sum of its end words. far: the same of the other lines of its run, end words with a
            minus; both over the root of their number of words, so that ``S = near @ far.T``.
    """

    def __init__(self, vectors: Vectors, rows: Rows, ends: Rows) -> None:
        pad = len(vectors) - 1
        self.rows, self.ends = rows, np.where((rows == ends[:, :, None]).any(axis=2), ends, pad)
        n_runs, n_lines, _ = rows.shape
        count = (rows < pad).sum(axis=2)
        self.empty = (count == 0).ravel()
        self._root = 1 / np.sqrt(np.maximum(count, 1)).astype(np.float32)[:, :, None]
        self._far_root = 1 / np.sqrt(np.maximum(count.sum(axis=1, keepdims=True) - count, 1)).astype(np.float32)[:, :, None]
        flat = rows.reshape(n_runs * n_lines, -1)
        sums = _sums(vectors, flat, pad).reshape(n_runs, n_lines, -1)
        last = vectors[self.ends]
        self._size = sums.shape
        self.near = (np.concatenate([sums, last], axis=2) * self._root).reshape(n_runs * n_lines, -1)
        other = np.concatenate([sums.sum(axis=1, keepdims=True) - sums, last - last.sum(axis=1, keepdims=True)], axis=2)
        self.far = (other * self._far_root).reshape(n_runs * n_lines, -1)

    def gradients(self, error: NDArray[np.float32]) -> tuple[Vectors, Vectors]:
        """[R, L, D] gradients of each word of a line, and additional ones of its end word; ``error`` is the gradient of S."""
        n_runs, n_lines, size = self._size
        near = (error @ self.far).reshape(n_runs, n_lines, -1) * self._root
        far = (error.T @ self.near).reshape(n_runs, n_lines, -1) * self._far_root
        others = far.sum(axis=1, keepdims=True) - far
        return near[:, :, :size] + others[:, :, :size], near[:, :, size:] - others[:, :, size:]


def contrast(bags: Bags, poem: NDArray[np.int64]) -> tuple[float, NDArray[np.float32]]:
    """The mean loss of a line by row, and the gradient with respect to S, [B, B], of the sum of both losses halved.

    Args:
        poem: [B] the number of each line's poem; lines of one poem are not negatives for each other.
    """
    figure = bags.near @ bags.far.T
    barred = poem[:, None] == poem[None, :]
    np.fill_diagonal(barred, False)
    out = bags.empty
    if out.any():  # such a line says nothing, and costs nothing
        barred |= (out[:, None] | out[None, :]) & ~np.eye(len(out), dtype=bool)
    np.copyto(figure, BARRED, where=barred)
    diagonal = np.diag(figure)
    by_row, by_column = (figure - figure.max(axis=axis, keepdims=True) for axis in (1, 0))
    rows, columns = (np.exp(part, out=part).sum(axis=axis, keepdims=True) for part, axis in ((by_row, 1), (by_column, 0)))
    loss = float((np.log(rows[:, 0]) + figure.max(axis=1) - diagonal)[~out].mean()) if not out.all() else 0.0
    by_row /= rows
    by_column /= columns
    error = by_row
    error += by_column
    error /= 2
    error[np.diag_indices_from(error)] -= 1
    return loss, error


def once(rows: Rows, pad: int) -> Rows:
    """Bags in which each entry is kept at its first place and padded at later ones.

    >>> once(np.array([[3, 1, 3, 9]]), 9).tolist()
    [[3, 1, 9, 9]]
    """
    order = np.argsort(rows, axis=1, kind="stable")
    sorted_ = np.take_along_axis(rows, order, axis=1)
    again = np.zeros(rows.shape, dtype=bool)
    np.put_along_axis(again, order[:, 1:], sorted_[:, 1:] == sorted_[:, :-1], axis=1)
    return np.where(again, pad, rows)


class _Runs:
    """Runs of consecutive lines of one stanza that do not overlap, cut anew for each epoch."""

    def __init__(self, stanza: NDArray[np.int64], n_lines: int) -> None:
        self._stanza, self._n = stanza, n_lines
        self._place = np.arange(len(stanza)) - np.searchsorted(stanza, stanza, "left")

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """[R, L] numbers of lines, -1 after the last of a shorter run; runs of one line are left out."""
        size = np.bincount(self._stanza)
        shift = rng.integers(0, self._n, len(size))
        shift[size <= self._n] = 0  # a stanza that fits stays whole
        label = (self._place + shift[self._stanza]) // self._n
        new = np.ones(len(label), dtype=bool)
        new[1:] = (self._stanza[1:] != self._stanza[:-1]) | (label[1:] != label[:-1])
        first = np.flatnonzero(new)
        length = np.diff(first, append=len(label))
        first, length = first[length > 1], length[length > 1]
        lines = first[:, None] + np.arange(self._n)
        return np.where(np.arange(self._n) < length[:, None], lines, -1)


class _Table:
    """Vectors with Adagrad's accumulated squared gradients; the last row is padding and stays zero."""

    def __init__(self, n: int, dimensions: int, rng: np.random.Generator) -> None:
        self.vectors: Vectors = (rng.normal(size=(n + 1, dimensions)) * 0.25).astype(np.float32)
        self.vectors[n] = 0
        self._moved = np.full(n + 1, 1e-8, np.float32)

    def step(self, rows: Rows, ends: Rows, gradient: Vectors, end_gradient: Vectors, *, rate: float) -> None:
        size, width = gradient.shape[-1], rows.shape[-1]
        shared = np.concatenate([gradient.reshape(-1, size), end_gradient.reshape(-1, size)])
        names = np.concatenate([rows.ravel(), ends.ravel()])
        source = np.concatenate([np.repeat(np.arange(ends.size), width), np.arange(ends.size, 2 * ends.size)])
        is_entry = names < len(self.vectors) - 1
        names, source = names[is_entry], source[is_entry]
        if not len(names):
            return
        order = np.argsort(names, kind="stable")
        names = names[order]
        cut = np.flatnonzero(np.concatenate([[True], names[1:] != names[:-1]]))
        met, total = names[cut], np.add.reduceat(shared[source[order]], cut, axis=0)
        self._moved[met] += (total * total).mean(axis=1)
        self.vectors[met] -= rate * total / np.sqrt(self._moved[met])[:, None]


def _batches(runs: _Runs, size: int, steps: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    done = 0
    while True:
        mixed = rng.permutation(runs.draw(rng))
        for start in range(0, max(size, len(mixed) - size + 1), size):
            if done == steps:
                return
            done += 1
            yield mixed[start : start + size]


def _batch_rows(lines: LineRows, batch: NDArray[np.int64], pad: int, forget: float, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """The words of each line that do not occur earlier in its run, and its end word."""
    is_padding = batch < 0
    rows = lines.rows[batch]
    rows[is_padding] = pad
    rows = once(rows.reshape(len(batch), -1), pad).reshape(rows.shape)
    if forget:
        rows = np.where(rng.random(rows.shape) < forget, pad, rows)
    return rows, np.where(is_padding, pad, lines.ends[batch])


def _sums(vectors: Vectors, rows: Rows, pad: int) -> Vectors:
    """Sum of each bag's vectors, [B, D]; bags without a word have zeros."""
    is_entry = rows < pad
    count = is_entry.sum(axis=1)
    sums = np.zeros((len(rows), vectors.shape[1]), vectors.dtype)
    some = count > 0
    if some.any():
        sums[some] = np.add.reduceat(vectors[rows[is_entry]], (np.cumsum(count) - count)[some], axis=0)
    return sums
