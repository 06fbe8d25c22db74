"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlpoet.text import whole_file, write_atomically

ROOT = Path(__file__).resolve().parents[2]


def test_a_file_takes_its_place_when_all_of_it_is_written(tmp_path):
    path = tmp_path / "new" / "a.txt"
    write_atomically(path, "before")
    with whole_file(path) as stream:
        stream.write("après\r\n".encode())
        stream.flush()
        assert path.read_text(encoding="utf-8") == "before"
    assert path.read_bytes() == "après\r\n".encode()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_what_stood_there_stays_where_writing_fails(tmp_path, error):
    path = tmp_path / "a.txt"
    write_atomically(path, "before")
    with pytest.raises(type(error)), whole_file(path) as stream:
        stream.write(b"half")
        raise error
    assert path.read_text(encoding="utf-8") == "before" and list(tmp_path.iterdir()) == [path]


def test_what_is_written_lies_on_the_disk_before_it_takes_its_place_and_so_does_its_name_after(tmp_path, monkeypatch):
    path, done = tmp_path / "a.txt", []
    monkeypatch.setattr("rlpoet.text.os.fsync", lambda number: done.append(path.exists()))
    write_atomically(path, "all of it")
    assert done == [False, True]


def test_no_other_module_writes_by_another_name():
    found = set()
    for path in (path for room in ("rlpoet", "rewards", "policies") for path in (ROOT / room).rglob("*.py")):
        if any(mark in path.read_text(encoding="utf-8") for mark in ('".part"', '.partial"', "fsync(", "os.replace(")):
            found.add(path.relative_to(ROOT).as_posix())
    trials = {"rlpoet/training/build.py", "policies/finetuning/run.py"}  # of saving, in a folder that is cleared like any part
    assert found - trials <= {"rlpoet/text/__init__.py", "rlpoet/reporting/corpus.py", "rlpoet/training/common.py"}
