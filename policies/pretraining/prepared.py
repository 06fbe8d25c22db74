"""What a pretraining run reads: token ids of verse, rhyme pairs, prose and held-out verse, made from the corpora once and kept.

Hearing and encoding a corpus takes minutes of all cores. A run that goes on reads the file, so it needs no corpora, and what was prepared
on one machine can be trained on another.
"""

from __future__ import annotations

import gzip
import itertools
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from policies.formats.data import Piece
from rlpoet.text import whole_file

FILE = "prepared.gz"  # a compressed safetensors file
PARTS = ("verse", "pairs", "prose", "held")


@dataclass(frozen=True)
class Prepared:
    """Pieces of the poems of each part; a row of rhyme pairs or a passage of prose counts as a poem.

    Attributes:
        verse, pairs, prose, held: poems to train on, rhyme pairs, prose, and held-out poems.
        order: indices into ``verse``, in the order of reading; some poems are read twice.
        share: of an epoch's verse that this is; a short budget needs no more.
        budget: updates that it was chosen for; 0 for any number.
        n_train, n_held: poems of the corpora that the run trains on, and that it holds out.
    """

    verse: list[list[Piece]]
    pairs: list[list[Piece]]
    prose: list[list[Piece]]
    held: list[list[Piece]]
    order: list[int]
    share: float
    budget: int
    n_train: int
    n_held: int

    @property
    def late(self) -> list[list[Piece]]:
        """What is read when prose has been: verse and rhyme pairs."""
        return [self.verse[i] for i in self.order] + self.pairs

    @property
    def early(self) -> list[list[Piece]]:
        """What is read as long as prose is."""
        return self.late + self.prose

    def n_tokens(self) -> int:
        """Of a whole epoch, as far as it can be told."""
        return round(count(self.early) / self.share)

    def serves(self, max_steps: int) -> bool:
        """Whether it is what a budget of so many updates asks for."""
        return self.share == 1.0 or max_steps == self.budget

    def write(self, folder: Path) -> None:
        """Write the file; equal runs write equal files.

        Raises:
            OSError: it cannot be written.
        """
        arrays: dict[str, NDArray[np.generic]] = {"order": np.array(self.order, np.int32)}
        for part in PARTS:
            poems: list[list[Piece]] = getattr(self, part)
            pieces = list(itertools.chain.from_iterable(poems))
            ids = np.fromiter((i for piece in pieces for i in (*piece.header, *piece.body)), np.int32)
            arrays[f"{part}.poems"] = np.array([len(poem) for poem in poems], np.int32)
            sizes = [(len(piece.header), len(piece.body), piece.n_chars) for piece in pieces]
            arrays[f"{part}.pieces"] = np.array(sizes, np.int32).reshape(-1, 3)
            arrays[f"{part}.ids"] = ids.astype(np.uint16) if not len(ids) or ids.max() < 1 << 16 else ids
        numbers = {name: getattr(self, name) for name in ("share", "budget", "n_train", "n_held")}
        with whole_file(folder / FILE) as stream, gzip.GzipFile(filename="", fileobj=stream, mode="wb", compresslevel=3, mtime=0) as file:
            file.write(save(arrays, {"numbers": json.dumps(numbers)}))

    @classmethod
    def read(cls, folder: Path) -> Prepared | None:
        """What a folder holds; None if it holds nothing, or a damaged file."""
        try:
            with gzip.open(folder / FILE) as file:
                data = file.read()
            arrays = load(data)
            header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
            numbers: dict[str, Any] = json.loads(header["__metadata__"]["numbers"])
            numbers |= {part: _poems(*(arrays[f"{part}.{of}"] for of in ("poems", "pieces", "ids"))) for part in PARTS}
            return cls(order=arrays["order"].tolist(), **numbers)
        except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, SafetensorError):
            return None


def _poems(lengths: NDArray[np.int32], sizes: NDArray[np.int32], ids: NDArray[np.integer]) -> list[list[Piece]]:
    known = list(range(int(ids.max()) + 1 if len(ids) else 0))  # one object for each id, not one for each token
    pieces, at = [], 0
    for n_header, n_body, n_chars in sizes.tolist():
        header, body = (
            tuple(map(known.__getitem__, ids[a:b].tolist())) for a, b in ((at, at + n_header), (at + n_header, at + n_header + n_body))
        )
        pieces.append(Piece(header, body, n_chars))
        at += n_header + n_body
    rest = iter(pieces)
    return [list(itertools.islice(rest, n)) for n in lengths.tolist()]


def count(poems: Sequence[Sequence[Piece]]) -> int:
    """Tokens of poems."""
    return sum(len(piece.header) + len(piece.body) for poem in poems for piece in poem)
