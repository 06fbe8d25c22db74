"""A folder that one process at a time writes to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from rlpoet.errors import RlpoetError

try:
    import fcntl
except ImportError:  # not on Windows, where two runs in one folder are the user's to avoid
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"


@contextlib.contextmanager
def held(folder: Path, *, fix: str = "Choose another --output_dir.") -> Iterator[None]:
    """A lock on a folder, which is made if missing; gone with the process, however that ends.

    Args:
        fix: what the user can do about a folder that cannot be made.

    Raises:
        RlpoetError: another process holds it, or it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _locked(folder / LOCK)
    except BlockingIOError:
        raise RlpoetError(f"{folder}: another run is at work here; expected one at a time. Wait for it, or stop it.") from None
    except OSError as error:
        raise RlpoetError(f"{folder}: {error.strerror}; expected a folder that can be made and written to. {fix}") from None
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()  # still held: whoever opened it meanwhile sees that it is gone
            folder.rmdir()  # if nothing was written
        lock.close()


def _locked(path: Path) -> IO[str]:
    while True:
        stream = path.open("w", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.fstat(stream.fileno()).st_ino == path.stat().st_ino:
                return stream
        except BlockingIOError:
            stream.close()
            raise
        except OSError:  # a file system without locks, or the file went away again
            if path.exists():
                return stream
        stream.close()
