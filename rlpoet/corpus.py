"""Poems on disk: read them whole, tell them apart, split them by poem.

One JSON object a line (``.jsonl`` or ``.jsonl.gz``) with ``stanzas`` (lists of lines) and, where known,
``author``, ``title``, ``rhymed``, ``core``; or a text file, poems parted by two blank lines and
stanzas by one. Line breaks are data: a line that holds a line break is an error.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class Poem:
    """A poem of a corpus: its stanzas as tuples of lines, and whose it is."""

    stanzas: tuple[tuple[str, ...], ...]
    author: str | None = None
    title: str = ""
    rhymed: float | None = None
    core: bool = True

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line for stanza in self.stanzas for line in stanza)

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the words, so that two editions of one poem fall on the same side of a split."""
        words = " ".join(line.lower() for line in self.lines[:4])
        return hashlib.sha1("".join(c for c in words if c.isalpha()).encode()).hexdigest()


def read_poems(paths: Sequence[str | Path]) -> list[Poem]:
    """Poems of all files in order, the same poem once.

    Raises:
        RlpoetError: a path that is missing, a folder, empty, not UTF-8, or a row that is no poem.
    """
    seen: set[str] = set()
    poems: list[Poem] = []
    for path in map(Path, paths):
        before = len(poems)
        for poem in _read(path):
            if poem.fingerprint not in seen:
                seen.add(poem.fingerprint)
                poems.append(poem)
        if len(poems) == before:
            raise RlpoetError(f"{path}: no poem in it (or only ones already read); expected JSON Lines with stanzas, or text.")
    return poems


def split_poems(poems: Iterable[Poem], *, validation: float = 0.03) -> tuple[list[Poem], list[Poem]]:
    """Train and validation poems, whole poems only; the side depends on the poem alone, not on the order.

    Args:
        validation: share of poems held out, in [0, 1).
    """
    train: list[Poem] = []
    held: list[Poem] = []
    for poem in poems:
        # the last 8 hex digits: the first ones would be shared with other users of the fingerprint
        (held if int(poem.fingerprint[-8:], 16) / 16**8 < validation else train).append(poem)
    return train, held


def _read(path: Path) -> Iterator[Poem]:
    if not path.exists():
        raise RlpoetError(f"{path}: no such file; expected a corpus of poems (.jsonl, .jsonl.gz or .txt).")
    if path.is_dir():
        raise RlpoetError(f"{path}: is a folder; expected a corpus file. Name the files in it.")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise RlpoetError(f"{path}: cannot be read ({error}); expected a readable file, gzip-compressed if it ends in .gz.") from None
    try:
        text = unicodedata.normalize("NFC", raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RlpoetError(f"{path}: byte {error.start} is not UTF-8; expected UTF-8 text. Convert it with iconv first.") from None
    if not text.strip():
        raise RlpoetError(f"{path}: the file is empty; expected poems.")
    rows = path.name.removesuffix(".gz").endswith((".jsonl", ".json"))
    yield from _from_rows(text, path) if rows else _from_text(text)


def _from_rows(text: str, path: Path) -> Iterator[Poem]:
    for number, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        where = f"{path}:{number}"
        try:
            item: dict[str, Any] = json.loads(row)
        except json.JSONDecodeError as error:
            raise RlpoetError(f"{where}: not JSON ({error.msg}); expected one poem a line.") from None
        stanzas = item.get("stanzas") if isinstance(item, dict) else None
        if not isinstance(stanzas, list) or not all(isinstance(s, list) and all(isinstance(x, str) for x in s) for s in stanzas):
            raise RlpoetError(f'{where}: no "stanzas"; expected a list of lists of lines.')
        for stanza in stanzas:
            for line in stanza:
                if "\n" in line:
                    raise RlpoetError(f"{where}: a line holds a line break ({line[:40]!r}); expected one string a line.")
        kept = tuple(tuple(line.strip() for line in stanza if line.strip()) for stanza in stanzas)
        kept = tuple(stanza for stanza in kept if stanza)
        if kept:
            yield Poem(kept, item.get("author"), item.get("title") or "", item.get("rhymed"), bool(item.get("core", True)))


def _from_text(text: str) -> Iterator[Poem]:
    for block in text.replace("\r\n", "\n").split("\n\n\n"):
        stanzas = [tuple(line.strip() for line in part.split("\n") if line.strip()) for part in block.split("\n\n")]
        stanzas = [stanza for stanza in stanzas if stanza]
        if stanzas:
            yield Poem(tuple(stanzas))
