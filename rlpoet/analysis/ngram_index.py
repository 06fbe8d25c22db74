"""Finds copied verse: an index of a corpus's word n-grams, as sorted 64-bit hashes.

Words are compared in lower case, with accents. Punctuation, line breaks, apostrophes inside a word and invisible characters do not
matter; a hyphen separates words. Eight words in a row hardly ever occur twice by chance, so a run of them is a copy, a quotation, or a
formula.

An n-gram that is not in the corpus is taken for one that is with probability N / 2**64, where N is the number of n-grams in the index:
about 4e-13 per lookup for a corpus of eight million words. An n-gram of the corpus is never missed.
"""

from __future__ import annotations

import array
import hashlib
import itertools
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlpoet.analysis.arrays import save_arrays, saved_arrays
from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError
from rlpoet.text import split_poem

N = 8  # words in a row that make a copy
WHOLE = 5  # words from which a whole line found in the corpus is one too: "et la nuit" is everybody's
BEGINNING = 4  # lines by which a poem is known again
FORMAT = 1  # of the file; a change of hashing or of normal form raises it

_UNPRINTED = re.compile("[\u00ad\u0300-\u036f\u200b-\u200f\u2060-\u2064\ufeff]")
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHE = re.compile(r"(?<=[^\W_])['’ʼ](?=[^\W_])")
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no power of it is lost modulo 2**64
_LINE = np.uint64(0xD1B54A32D192ED03)  # keeps hashes of lines apart from those of n-grams


@dataclass(frozen=True)
class Copied:
    """The parts of a text that stand in the corpus. Tuples have one entry per line.

    Attributes:
        longest: words of the longest run whose n-grams all stand in the corpus; 0 if there is none.
        covered: number of words of the line that lie in such a run.
        runs: whether the line counts as copied: n / 2 of its words are covered, or all it has. Every run marks at least one line.
        whole: whether the line is, as a whole, a line of the corpus and has ``WHOLE`` words or more.
    """

    longest: int
    covered: tuple[int, ...]
    runs: tuple[bool, ...]
    whole: tuple[bool, ...]

    @property
    def lines(self) -> tuple[bool, ...]:
        """Whether the line is copied, in a run or as a whole."""
        return tuple(run or whole for run, whole in zip(self.runs, self.whole, strict=True))


@dataclass(frozen=True, eq=False)
class NgramIndex:
    """N-grams and lines of a corpus.

    Attributes:
        n: words of an n-gram.
        grams, lines: hashes of n-grams and of lines, ascending, each once.
        shared, shared_lines: for each of them, whether two or more poems have it.
        poems: hashes of the poems' beginnings, ascending, which identify a poem of the corpus.
    """

    n: int
    grams: np.ndarray
    shared: np.ndarray
    lines: np.ndarray
    shared_lines: np.ndarray
    poems: np.ndarray

    @classmethod
    def build(cls, poems: Iterable[Poem], n: int = N) -> NgramIndex:
        """Index a corpus. N-grams cross the line and stanza breaks of a poem, but never go from one poem into the next.

        Args:
            n: words of an n-gram, 2 or more.

        Raises:
            ValueError: ``n`` is below 2.

        >>> index = NgramIndex.build([Poem((("Ô temps, suspends ton vol !", "et vous, heures propices,"),))])
        >>> index.copied("Je dis : ô temps suspends ton\\nvol et vous heures rapides").longest
        8
        """
        if n < 2:
            raise ValueError(f"n is {n}; expected 2 words or more")
        poems = list(poems)
        hashed = _HashedTexts([poem.lines for poem in poems])
        starts = _HashedTexts([_beginning(poem) for poem in poems]).texts()
        return cls(n, *_counted(*hashed.ngrams(n)), *_counted(*hashed.lines()), np.unique(starts))

    def knows(self, poem: Poem) -> bool:
        """Whether a poem that begins like this one (its first four lines with a letter) was indexed."""
        return bool(_lookup(self.poems, _HashedTexts([_beginning(poem)]).texts())[0])

    def copied(self, text: str | Sequence[str], *, own: bool = False) -> Copied:
        """The parts of one text, or of its lines, that stand in the corpus; see ``copied_all``."""
        return self.copied_all([split_poem(text) if isinstance(text, str) else text], own=[own])[0]

    def copied_all(self, texts: Sequence[Sequence[str]], *, own: Sequence[bool] | None = None) -> list[Copied]:
        """The parts of each text, given as its lines, that stand in the corpus.

        Args:
            own: for each text, whether it is itself a poem of the corpus; then only what another poem also has counts as copied.
        """
        hashed = _HashedTexts(texts)
        is_own = np.array(own if own is not None else [False] * len(texts), dtype=bool)
        grams, poem = hashed.ngrams(self.n)
        hits = _lookup(self.grams, grams, self.shared, is_own[poem])
        lines, poem = hashed.lines()
        whole = np.zeros(len(hashed.sizes), dtype=bool)
        whole[hashed.sizes >= WHOLE] = _lookup(self.lines, lines, self.shared_lines, is_own[poem])
        return list(self._per_text(hashed, hits, whole))

    def save(self, path: str | Path) -> None:
        """Write the index atomically.

        Raises:
            RlpoetError: a name that does not end in ``.npz``, or a folder that cannot be written.
        """
        path = Path(path)
        if path.suffix != ".npz":
            raise RlpoetError(f"{path}: not the name of an index; expected one that ends in .npz.")
        save_arrays(path, {"format": FORMAT, "n": self.n, **{name: getattr(self, name) for name in _ARRAYS}}, packed=False)

    @classmethod
    def load(cls, path: str | Path) -> NgramIndex:
        """Read what ``save`` wrote.

        Raises:
            RlpoetError: no such file, no index, or one of another version.
        """
        fix = "Build it with `rlpoet evaluate --corpus FILES --index FILE`."
        with saved_arrays(path, "an index of n-grams", fix=fix) as arrays:
            if (version := int(arrays["format"])) != FORMAT:
                raise RlpoetError(f"{path}: an index of version {version}; expected version {FORMAT}. {fix}")
            return cls(int(arrays["n"]), *(arrays[name] for name in _ARRAYS))

    def _per_text(self, hashed: _HashedTexts, hits: np.ndarray, whole: np.ndarray) -> Iterator[Copied]:
        """One result per text; ``hits`` has one entry per window that lies within a text, ``whole`` one per line."""
        starts = np.flatnonzero(hashed.windows(self.n))[hits]
        inside = np.zeros(len(hashed.words), dtype=bool)
        for shift in range(self.n):
            inside[starts + shift] = True
        upto = np.concatenate([[0], np.cumsum(inside)])
        ends = np.cumsum(hashed.sizes)
        covered = upto[ends] - upto[ends - hashed.sizes]
        runs = (covered > 0) & ((2 * covered >= self.n) | (covered == hashed.sizes))
        longest = np.zeros(len(hashed.counts), dtype=np.int64)
        parts = np.split(starts, np.flatnonzero((np.diff(starts) != 1) | (np.diff(hashed.text_of[starts]) != 0)) + 1) if len(starts) else []
        for part in parts:
            text = hashed.text_of[part[0]]
            longest[text] = max(longest[text], len(part) + self.n - 1)
        rows = zip(covered.tolist(), runs.tolist(), whole.tolist(), strict=True)
        for most, count in zip(longest.tolist(), hashed.counts, strict=True):
            text_rows = list(itertools.islice(rows, count))
            yield Copied(most, *(tuple(column) for column in zip(*text_rows, strict=True))) if text_rows else Copied(0, (), (), ())


_ARRAYS = ("grams", "shared", "lines", "shared_lines", "poems")


def words_of(line: str) -> list[str]:
    """The words of a line in the form in which they are compared.

    >>> words_of("« L’ÉTÉ, c'est là-bas ! »")
    ['lété', 'cest', 'là', 'bas']
    """
    if not line.isascii():
        line = _UNPRINTED.sub("", unicodedata.normalize("NFC", line))
    return _WORD.findall(_APOSTROPHE.sub("", line.casefold()))


def _beginning(poem: Poem) -> list[str]:
    return list(itertools.islice((line for line in poem.lines if any(map(str.isalpha, line))), BEGINNING))


class _Hashes(dict[str, int]):
    """Words to 64-bit hashes that are the same in every process; each word is hashed once."""

    def __missing__(self, word: str) -> int:
        self[word] = value = int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
        return value


class _HashedTexts:
    """Texts as one array of hashed words, so that a whole corpus needs a few array operations.

    Attributes:
        words: hashes of all words in order.
        text_of: for each word the number of its text.
        sizes: number of words of each line. counts: number of lines of each text.
    """

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        hashes, flat, sizes = _Hashes(), array.array("Q"), []
        for lines in texts:
            for line in lines:
                line_words = words_of(line)
                sizes.append(len(line_words))
                flat.extend([hashes[word] for word in line_words])
        self.words = np.array(flat, dtype=np.uint64)
        self.sizes = np.array(sizes, dtype=np.int64)
        self.counts = [len(lines) for lines in texts]
        self.line_text = np.repeat(np.arange(len(texts)), self.counts)
        self.text_of = np.repeat(self.line_text, self.sizes)

    def windows(self, n: int) -> np.ndarray:
        """For each window of n words whether it lies within one text."""
        last = max(0, len(self.words) - n + 1)
        return self.text_of[:last] == self.text_of[n - 1 :][:last]

    def ngrams(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of all windows within a text, and the number of the text."""
        inside = np.flatnonzero(self.windows(n))
        return self._hashed(inside, n), self.text_of[inside]

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of the lines of ``WHOLE`` words or more, and the number of the text."""
        long = self.sizes >= WHOLE
        starts, sizes = (np.cumsum(self.sizes) - self.sizes)[long], self.sizes[long]
        return self._spans(starts, sizes) ^ _LINE, self.line_text[long]

    def texts(self) -> np.ndarray:
        """A hash of each text as a whole."""
        sizes = np.bincount(self.text_of, minlength=len(self.counts))
        return self._spans(np.cumsum(sizes) - sizes, sizes)

    def _spans(self, starts: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        out = np.zeros(len(starts), dtype=np.uint64)
        for size in np.unique(sizes).tolist():
            same = sizes == size
            out[same] = self._hashed(starts[same], size)
        return out

    def _hashed(self, starts: np.ndarray, size: int) -> np.ndarray:
        """A polynomial of the words' hashes modulo 2**64 by Horner's rule, then mixed; uint64 arrays wrap on purpose."""
        total = np.full(len(starts), size, dtype=np.uint64)
        for shift in range(size):
            total = total * _BASE + self.words[starts + shift]
        return _mixed(total)


def _mixed(value: np.ndarray) -> np.ndarray:
    """SplitMix64's last step: every bit of the input moves every bit of the output."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _counted(hashes: np.ndarray, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All hashes once, ascending, and whether more than one text has them."""
    order = np.lexsort((texts, hashes))
    hashes, texts = hashes[order], texts[order]
    first = np.ones(len(hashes), dtype=bool)
    first[1:] = hashes[1:] != hashes[:-1]
    starts = np.flatnonzero(first)
    ends = np.append(starts[1:], len(hashes)) - 1
    return hashes[starts], texts[starts] != texts[ends] if len(hashes) else np.empty(0, dtype=bool)


def _lookup(index: np.ndarray, queries: np.ndarray, shared: np.ndarray | None = None, own: np.ndarray | None = None) -> np.ndarray:
    if not len(index) or not len(queries):
        return np.zeros(len(queries), dtype=bool)
    at = np.minimum(np.searchsorted(index, queries), len(index) - 1)
    hits = index[at] == queries
    return hits if shared is None or own is None else hits & (shared[at] | ~own)
