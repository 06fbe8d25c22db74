"""Passages of prose: rows of JSON with paragraphs, or text with an empty line between paragraphs."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlpoet.corpus.read import suffix
from rlpoet.corpus.stream import lines_of, objects_of
from rlpoet.errors import RlpoetError

EXPECTED = 'expected JSON Lines with "paragraphs" or "text", or a text file with an empty line between paragraphs'


@dataclass(frozen=True)
class Passage:
    """Paragraphs that follow one another, and who wrote them."""

    paragraphs: tuple[str, ...]
    author: str | None = None


def read_prose(sources: Iterable[str | Path]) -> Iterator[Passage]:
    """The passages of files, one after the other; a text file is one.

    Raises:
        RlpoetError: a file cannot be read, or a row holds no prose.
    """
    for source in sources:
        path = Path(source)
        if suffix(path) not in (".jsonl", ".json", ".ndjson"):
            blocks = itertools.groupby(lines_of(path), key=lambda line: bool(line.strip()))
            yield Passage(tuple(" ".join(map(str.strip, lines)) for filled, lines in blocks if filled))
            continue
        for number, item in objects_of(path):
            yield Passage(_paragraphs(item, f"{path}:{number}"), _author(item.get("author")))


def _paragraphs(item: dict[str, object], at: str) -> tuple[str, ...]:
    found = item.get("paragraphs", item.get("text"))
    if isinstance(found, str):
        found = found.split("\n")
    if not isinstance(found, Sequence) or not all(isinstance(part, str) for part in found):
        raise RlpoetError(f"{at}: no prose in this row; {EXPECTED}.")
    return tuple(" ".join(part.split()) for part in found if part.strip())


def _author(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None
