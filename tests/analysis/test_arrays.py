"""Files of arrays: the same arrays are the same bytes, and what is no such file is told."""

from __future__ import annotations

import numpy as np
import pytest

from rlpoet.analysis.arrays import save_arrays, saved_arrays
from rlpoet.errors import RlpoetError

ARRAYS = {"format": 3, "lang": np.array("fr"), "hashes": np.arange(5000, dtype=np.uint64)}


@pytest.mark.parametrize("packed", [True, False])
def test_arrays_come_back_and_are_the_same_bytes_again(tmp_path, packed):
    for name in ("a", "b"):
        save_arrays(tmp_path / "new" / f"{name}.npz", ARRAYS, packed=packed)
    with saved_arrays(tmp_path / "new" / "a.npz", "a model", fix="Build it.") as held:
        assert int(held["format"]) == 3 and str(held["lang"]) == "fr" and np.array_equal(held["hashes"], ARRAYS["hashes"])
    first, second = ((tmp_path / "new" / f"{name}.npz").read_bytes() for name in ("a", "b"))
    assert first == second and (len(first) < 30_000) == packed


def test_what_is_no_such_file_is_told_with_how_to_get_one(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(RlpoetError, match=r"a\.npz: No such file or directory; expected a model of x \(\.npz\)\. Build it\."):
        with saved_arrays(path, "a model of x", fix="Build it."):
            pass
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "one.npy").rename(path)
    with pytest.raises(RlpoetError, match=r"a\.npz: no model of x; expected a file that rlpoet wrote"):
        with saved_arrays(path, "a model of x", fix="Build it.") as held:
            held["x"]
    save_arrays(path, ARRAYS)
    with pytest.raises(RlpoetError, match=r"no model of x"):
        with saved_arrays(path, "a model of x", fix="Build it.") as held:
            held["weights"]
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RlpoetError, match=r"no model of x"):
        with saved_arrays(path, "a model of x", fix="Build it.") as held:
            held["hashes"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(RlpoetError, match="expected a folder that can be written"):
        save_arrays(tmp_path / "file" / "a.npz", ARRAYS)
