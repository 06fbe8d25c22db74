"""Places that cannot be written: told before the work whose result would be lost."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_policy import tiny_policy

from policies.evaluate import corpus_index
from rlpoet.analysis.authorship.files import build_files
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.config import EvaluateConfig
from rlpoet.text import check_writable


@pytest.fixture
def nowhere(tmp_path) -> Path:
    """A path below a file."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "x.json"


def told(argv: list[str], capsys) -> str:
    assert main(argv) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize(
    "argv",
    [
        ["generate", "--policy", "missing", "--out"],
        ["bench", "missing", "--langs", "fr", "--out"],
        ["bench", "missing", "--langs", "fr", "--answers"],
    ],
)
def test_an_output_is_tried_before_a_policy_is_opened(argv, nowhere, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert str(nowhere) in told([*argv, str(nowhere)], capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_is_tried_before_corpora_are_read(nowhere):
    with pytest.raises(RlpoetError, match=r"x\.npz: .*expected a file that can be written"):
        corpus_index(EvaluateConfig(corpus=("missing.txt",), index=str(nowhere.with_suffix(".npz"))))
    with pytest.raises(RlpoetError, match=r"style\.npz: .*expected a file that can be written"):
        build_files("fr", ["missing.txt"], str(nowhere))


def test_a_file_that_can_be_written_is_left_as_it_is(tmp_path):
    check_writable(tmp_path / "a" / "b.json")
    assert list((tmp_path / "a").iterdir()) == []
    (tmp_path / "c").write_text("mine", encoding="utf-8")
    check_writable(tmp_path / "c")
    check_writable("/dev/null")
    assert (tmp_path / "c").read_text(encoding="utf-8") == "mine"
    with pytest.raises(RlpoetError, match="Is a directory"):
        check_writable(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_poems_that_cannot_be_kept_are_shown(tmp_path, capsys):
    tiny_policy().save(tmp_path)
    code = main(["generate", "--policy", str(tmp_path), "--form", "couplet", "--raw", "--seed", "1", "--json", "--out", "/dev/full"])
    said = capsys.readouterr()
    assert code == 2 and said.out.count('"text"') == 1
    assert said.err == "rlpoet generate: /dev/full: cannot be written (No space left on device); expected a file to add poems to.\n"


def test_a_machine_without_a_temporary_folder_is_told_so():
    """Libraries ask for one while they are imported; here no file can be written at all."""
    done = subprocess.run(
        [sys.executable, "-m", "rlpoet", "env"], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "Set TMPDIR" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("home", [None, "/nonexistent", "/dev/null"])
def test_a_home_folder_that_is_not_there_is_not_needed(home, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    environment |= {} if home is None else {"HOME": home}
    words = [sys.executable, "-m", "rlpoet", "generate", "--lang", "fr", "--form", "couplet", "-n", "1", "--seed", "0"]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and len(done.stdout.splitlines()) >= 2 and "Traceback" not in done.stderr and not list(tmp_path.iterdir())
