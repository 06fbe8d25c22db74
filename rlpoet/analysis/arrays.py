"""Models of texts as files of arrays, NumPy's ``.npz``: written whole, and read with errors that say how to get a good one."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import ArrayLike

from rlpoet.errors import RlpoetError
from rlpoet.text import whole_file

MADE = (1980, 1, 1, 0, 0, 0)  # a fixed date: the same arrays are the same bytes


def save_arrays(path: str | Path, arrays: Mapping[str, ArrayLike], *, packed: bool = True) -> None:
    """Write arrays by name; never half a file.

    Args:
        path: of the file; its folder is made if it is missing.
        arrays: by name, of numbers or of text.
        packed: compress them. Hashes cannot be compressed.

    Raises:
        RlpoetError: a folder that cannot be written.
    """
    how = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    try:
        with whole_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
            for name, array in arrays.items():
                held = io.BytesIO()
                np.lib.format.write_array(held, np.asanyarray(array), allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy", MADE), held.getvalue(), how)
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror}; expected a folder that can be written.") from None


@contextmanager
def saved_arrays(path: str | Path, what: str, *, fix: str) -> Iterator[NpzFile]:
    """The arrays of a file by name, while they are taken up.

    Args:
        path: of the file.
        what: it is to be, with its article: ``a theme model``.
        fix: how to get one.

    Raises:
        RlpoetError: no such file, or none that ``save_arrays`` wrote for this purpose, whether reading or taking it up fails.
    """
    try:
        with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as held:
            yield held
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror or error}; expected {what} (.npz). {fix}") from None
    except (
        ValueError,
        TypeError,
        KeyError,
        EOFError,
        AttributeError,
        RecursionError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ):  # what NumPy raises for other files
        name = what.partition(" ")[2]
        raise RlpoetError(f"{path}: no {name}; expected a file that rlpoet wrote (.npz). {fix}") from None
