"""A GGUF file as a plain folder, made once: unpacking the blocks of a small model takes minutes, reading the folder a second.

The copy lies in the user's cache folder (``XDG_CACHE_HOME`` moves it) under the digest of the file's content. It is whole float32 weights
with their tokenizer, so what is trained from it saves like any other model.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import platformdirs

DONE = "config.json"


@contextlib.contextmanager
def plain_folder(path: Path, write: Callable[[Path], None], *, keep: bool) -> Iterator[Path]:
    """The folder that stands for a GGUF file, made by ``write`` if the cache has none; deleted afterwards unless it is kept.

    Args:
        path: the file.
        write: writes config, weights and tokenizer into an empty folder.
        keep: whether the cache is used; one that cannot be written is not.
    """
    place = cached_folder(path) if keep else None
    if place is not None and (place / DONE).exists():
        yield place
        return
    with tempfile.TemporaryDirectory(prefix="rlpoet-gguf-", dir=_parent(place)) as spare:
        made = Path(spare) / "model"
        made.mkdir()
        write(made)
        if place is not None:
            try:
                made.rename(place)
            except OSError:  # another process was first, or the disk will not have it
                shutil.rmtree(place if not (place / DONE).exists() else made, ignore_errors=True)
            else:
                made = place
        yield made if made.exists() else place or made


def cached_folder(path: Path) -> Path | None:
    """Where the copy of a file is or would be; None if there can be none."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 22):
            digest.update(block)
    digest.update(version("transformers").encode())  # which may read a file better than the one before
    folder = Path(platformdirs.user_cache_dir("rlpoet")) / "gguf"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder / digest.hexdigest()[:24]


def _parent(place: Path | None) -> Path | None:
    """Where to write first: beside the place, so that a rename is enough; None for the system's own folder."""
    if place is None:
        return None
    try:
        with tempfile.TemporaryFile(dir=place.parent):
            return place.parent
    except OSError:
        return None
