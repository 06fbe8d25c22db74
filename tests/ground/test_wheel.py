"""The wheel as `pip install rlpoet` gets it: what is in it, how large it is, and that it works without the folder of the project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="needs build")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("rlpoet", "rewards", "policies")
MOST_BYTES = 100_000_000


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of what is tracked or about to be, so that no earlier build lends it a file."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    top = ("setup.py", "pyproject.toml", "README.md", "LICENSE")
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (name.split("/")[0] in ROOMS or name in top) and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (built,) = out.iterdir()
    return built


def test_the_wheel_has_the_three_packages_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        meta = next(name for name in names if name.endswith(".dist-info/METADATA"))
        extras = [line.partition(": ")[2] for line in packed.read(meta).decode().splitlines() if line.startswith("Provides-Extra")]
        points = packed.read(meta.replace("METADATA", "entry_points.txt")).decode()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(ROOMS)
    assert wheel.stat().st_size < MOST_BYTES
    assert {"studio", "sense", "completion", "tracking"} <= set(extras)
    assert "rlpoet = rlpoet.cli.main:main" in points
    for room in ROOMS:
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / room).rglob("*.tsv")}
        assert here <= set(names)
    assert any(name.endswith("fr-tb/model.int8.safetensors") for name in names) and "rlpoet/studio/static/index.html" in names
    assert "rlpoet/evaluation/bench/data/people.json" in names


def test_the_packages_of_the_wheel_work_away_from_the_project(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path / "site")
    (tmp_path / "here").mkdir()
    code = """
import sys, rlpoet
from rlpoet.cli.main import main
assert rlpoet.__file__.startswith(sys.argv[1]), rlpoet.__file__
assert main(["words", "amor", "--lang", "es", "-n", "1"]) == 0
assert main(["forms", "--lang", "es"]) == 0
"""
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path / "here", env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "serventesio" in done.stdout
