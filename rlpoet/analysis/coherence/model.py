"""How well lines fit together, and how close they are to given words, by word vectors trained to separate stanzas from other lines.

A line is a bag of words; its vector ``U_i`` is the sum of their vectors. The score of line i with the other lines of its stanza is

    s_i = (U_i . T_i - L_i . M_i) / (|U_i| |T_i|)

where ``T_i`` is the sum over the other lines, ``L_i`` is the vector of the line's end word, and ``M_i`` the sum of the others' end words.
This is a cosine minus one term, which removes the comparison of end words with each other, since rhyme is not theme. A word counts only
at its first occurrence in the stanza, so no line is coherent by repeating another.

The mean of s_i is compared with that of stanzas whose lines come from different poems. Coherence is the share of such shuffled stanzas
that have a lower mean, by a normal distribution, times the share of words that count (``StanzaWords.fresh``).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.arrays import save_arrays, saved_arrays
from rlpoet.analysis.coherence.words import find_entry, leans, words_apart
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of

Array = NDArray[np.float32]
SHIPPED = Path(__file__).parent / "data"
FILE = "theme.npz"
FORMAT = 1  # of the file; a change of the formula above or of what a word is raises it
ENOUGH = 0.5  # share of a line's words that must be known and new for the line to count in full


@dataclass(frozen=True)
class StanzaWords:
    """The words of a stanza that count, each at its first occurrence.

    Attributes:
        lines: for each line the model's rows of its words. ends: the row of its end word, or None if that word does not count.
        words: for each line its number of words.
    """

    lines: tuple[tuple[int, ...], ...]
    ends: tuple[int | None, ...]
    words: tuple[int, ...]

    @property
    def lines_with_words(self) -> list[int]:
        """Numbers of the lines that have a word that counts."""
        return [n for n, rows in enumerate(self.lines) if rows]

    @property
    def fresh(self) -> float:
        """Mean over the lines of the share of words that count, in [0, 1]: 1 if at least half of a line's words count, 0 if none does.

        Invented words, words of another language and repeated words do not count, and so lower it.
        """
        parts = [min(1.0, len(rows) / (ENOUGH * words)) if words else 0.0 for rows, words in zip(self.lines, self.words, strict=True)]
        return sum(parts) / len(parts) if parts else 0.0


@dataclass(frozen=True, eq=False)
class ThemeModel:
    """Word vectors of a language, and how stanzas shuffled across poems come out. V entries, D dimensions, N lengths.

    Attributes:
        lang: code of the language.
        entries: words and beginnings of words (``rlpoet.analysis.coherence.words``).
        vectors: [V, D].
        lengths: [N] numbers of lines, ascending.
        shuffled: [N, 3] for shuffled stanzas of each length: mean and deviation of the stanza's score, and deviation of a line's score.
        centre, spread: [D] and [D, D], mean and covariance of ``stanza_vector`` over real stanzas.
    """

    lang: str
    entries: tuple[str, ...]
    vectors: Array
    lengths: NDArray[np.int64]
    shuffled: NDArray[np.float64]
    centre: NDArray[np.float64]
    spread: NDArray[np.float64]

    @functools.cached_property
    def index(self) -> dict[str, int]:
        return {entry: row for row, entry in enumerate(self.entries)}

    def stanza_words(self, lines: Sequence[str]) -> StanzaWords:
        """The words that count."""
        met: set[int] = set()
        rows, ends, sizes = [], [], []
        for line in lines:
            words = words_apart(line)
            entries = [find_entry(word, self.index) for word in words]
            new = [row for row in dict.fromkeys(entries) if row is not None and row not in met]
            met.update(new)
            rows.append(tuple(new))
            ends.append(entries[-1] if entries and entries[-1] in new else None)
            sizes.append(len(words))
        return StanzaWords(tuple(rows), tuple(ends), tuple(sizes))

    def evidence(self, stanza: StanzaWords) -> NDArray[np.float64]:
        """``s_i`` of the lines that have a word that counts, in order; comparable only between stanzas of one length."""
        with_words = stanza.lines_with_words
        if len(with_words) < 2:
            return np.zeros(len(with_words))
        sums = np.stack([self.vectors[list(stanza.lines[n])].sum(axis=0) for n in with_words]).astype(np.float64)
        none = np.zeros(self.vectors.shape[1])
        ends = np.stack([none if (end := stanza.ends[n]) is None else self.vectors[end] for n in with_words])
        return set_against(sums, ends)

    def coherence(self, lines: Sequence[str]) -> float:
        """How well the lines fit together, in [0, 1]; 0 if fewer than two have a word that the model knows.

        Shuffled stanzas have mean 1/2 or a little less.
        """
        stanza = self.stanza_words(lines)
        values = self.evidence(stanza)
        if len(values) < 2:
            return 0.0
        mean, deviation, _ = self._usual(len(values))
        return _normal((float(values.mean()) - mean) / deviation) * stanza.fresh

    def line_shares(self, lines: Sequence[str]) -> list[float]:
        """For each line the share of lines of shuffled stanzas that fit less well; 0 for a line with no word that counts."""
        stanza = self.stanza_words(lines)
        values = self.evidence(stanza)
        shares = [0.0] * len(lines)
        if len(values) > 1:
            mean, _, deviation = self._usual(len(values))
            for n, value in zip(stanza.lines_with_words, values.tolist(), strict=True):
                shares[n] = _normal((value - mean) / deviation)
        return shares

    def known(self, words: Sequence[str]) -> list[int]:
        """Rows of the theme words that the model knows, each once."""
        entries = [find_entry(word, self.index) for text in words for word in words_apart(text)]
        return [row for row in dict.fromkeys(entries) if row is not None]

    def closeness(self, lines: Sequence[str], words: Sequence[str]) -> float | None:
        """How near the lines are to theme words, in [0, 1]: the share of real stanzas of the language that are less near.

        The words themselves count as any other: once each, where they are said. None where the model knows none of them.
        """
        theme_rows = self.known(words)
        if not theme_rows:
            return None
        stanza = self.stanza_words(lines)
        rows = [row for line_rows in stanza.lines for row in line_rows]
        if not rows:
            return 0.0
        theme = self.stanza_vector(theme_rows)
        deviation = math.sqrt(float(theme @ self.spread @ theme))
        return _normal(float(theme @ (self.stanza_vector(rows) - self.centre)) / max(deviation, 1e-9)) * stanza.fresh

    def stanza_vector(self, rows: Sequence[int]) -> NDArray[np.float64]:
        """Sum of the words' vectors over the root of their number."""
        return self.vectors[list(rows)].sum(axis=0, dtype=np.float64) / math.sqrt(len(rows))

    def tie(self, stanza: StanzaWords, line: int) -> tuple[str, str] | None:
        """The word of a line and the word of another line that speak loudest for their being together; None if no two do.

        Words that lean on others (m', the) count in the score and are not told.
        """
        told = {row for rows in stanza.lines for row in rows if not leans(self.entries[row], self.lang)}
        pairs = [
            (float(self.vectors[row] @ self.vectors[other]), row, other)
            for row in stanza.lines[line]
            for n, rows in enumerate(stanza.lines)
            if n != line
            for other in rows
            if row in told and other in told and not (row == stanza.ends[line] and other == stanza.ends[n])
        ]
        best = max(pairs, default=(0.0, 0, 0))
        return (self.entries[best[1]], self.entries[best[2]]) if best[0] > 0 else None

    def near(self, words: Sequence[str], n: int = 10) -> list[tuple[str, float]]:
        """The entries nearest to the words by cosine, nearest first, without the words; none if the model knows none of them."""
        theme_rows = self.known(words)
        if not theme_rows:
            return []
        theme = self.vectors[theme_rows].sum(axis=0)
        sizes = np.linalg.norm(self.vectors, axis=1) * np.linalg.norm(theme)
        likeness = self.vectors @ theme / np.maximum(sizes, 1e-9)
        ranked = [row for row in np.argsort(-likeness, kind="stable").tolist() if row not in theme_rows]
        return [(self.entries[row], float(likeness[row])) for row in ranked[:n]]

    def _usual(self, n: int) -> tuple[float, float, float]:
        mean, deviation, of_line = (float(np.interp(n, self.lengths, column)) for column in self.shuffled.T)
        return mean, deviation, of_line

    def save(self, path: str | Path) -> None:
        """Write the model, vectors in eight bits a number; never half a file, and the same bytes for the same model.

        Raises:
            RlpoetError: a folder that cannot be written.
        """
        small, scale = quantised(self.vectors)
        arrays = {
            "format": np.int64(FORMAT),
            "lang": np.array(self.lang),
            "entries": np.frombuffer("\n".join(self.entries).encode("utf-8"), dtype=np.uint8),
            "vectors": small,
            "scale": scale,
            **{name: getattr(self, name) for name in _TABLES},
        }
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: str | Path) -> ThemeModel:
        """Read what ``save`` wrote.

        Raises:
            RlpoetError: no such file, no theme model, or one of another version.
        """
        fix = "Build it with `rlpoet theme build --lang LANG --data POEMS`."
        with saved_arrays(path, "a theme model", fix=fix) as arrays:
            if (version := int(arrays["format"])) != FORMAT:
                raise RlpoetError(f"{path}: a theme model of version {version}; expected version {FORMAT}. {fix}")
            entries = tuple(arrays["entries"].tobytes().decode("utf-8").split("\n"))
            vectors = arrays["vectors"].astype(np.float32) * arrays["scale"][:, None]
            return cls(str(arrays["lang"]), entries, vectors, *(arrays[name] for name in _TABLES))


_TABLES = ("lengths", "shuffled", "centre", "spread")


def set_against(sums: np.ndarray, ends: np.ndarray) -> NDArray[np.float64]:
    """``s_i`` of each line against the other lines of its stanza.

    Args:
        sums, ends: [..., L, D], sum of the line's vectors and vector of its end word, zero where it has none.

    Returns:
        [..., L].

    >>> set_against(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]])).round(3).tolist()
    [0.667, 0.667]
    """
    other, other_ends = sums.sum(axis=-2, keepdims=True) - sums, ends.sum(axis=-2, keepdims=True) - ends
    spoken = (sums * other).sum(axis=-1) - (ends * other_ends).sum(axis=-1)
    sizes = np.linalg.norm(sums, axis=-1) * np.linalg.norm(other, axis=-1)
    return spoken / np.maximum(sizes, 1e-9)


def quantised(vectors: np.ndarray) -> tuple[NDArray[np.int8], Array]:
    """Vectors in eight bits a number and one scale a row: ``vectors = small * scale[:, None]`` within half a step."""
    scale = (np.abs(vectors).max(axis=1, initial=0.0) / 127).astype(np.float32)
    steps = np.where(scale > 0, scale, 1.0)[:, None]
    return np.rint(vectors / steps).astype(np.int8), scale


@functools.cache
def theme_model(lang: str) -> ThemeModel | None:
    """The shipped model of a language, read once a process; None for a language that has none.

    Raises:
        UnknownName: no such language.
    """
    path = SHIPPED / code_of(lang) / FILE
    return ThemeModel.load(path) if path.exists() else None


def near_words(words: Sequence[str], lang: str, *, n: int = 10, path: str = "") -> list[tuple[str, float]]:
    """The words nearest to the sum of these, with their likeness.

    Args:
        path: file of a model; the shipped one of the language by default.

    Raises:
        RlpoetError: no words, no model, or no word that it knows.
    """
    if not words:
        raise RlpoetError("WORDS: none given; expected a word or more: theme near --lang fr mer.")
    model = ThemeModel.load(path) if path else theme_model(lang)
    if model is None:
        raise RlpoetError(f"--lang {lang}: no theme model is shipped; expected fr, es or en, or --model FILE. Build one: theme build.")
    found = model.near(words, n)
    if not found:
        raise RlpoetError(f"{' '.join(words)}: no word the {model.lang} model knows; expected commoner words.")
    return found


def _normal(z: float) -> float:
    """The share of a normal distribution below z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))
