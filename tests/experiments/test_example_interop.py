"""The rewards inside other trainers: each script runs where its library is installed, and compares with scores worked out by hand."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INTEROP = ROOT / "experiments" / "examples" / "interop"
ENVIRONMENTS = ROOT / "experiments" / "examples" / "environments"
LIBRARY = {
    "run_nemo_gym.py": "nemo_gym",
    "run_openrlhf.py": "openrlhf",
    "run_trl.py": "trl",
    "run_trl_environment.py": "trl",
    "run_verifiers.py": "verifiers",
    "run_verl.py": "verl",
}


def test_every_script_is_run():
    assert {path.name for path in INTEROP.glob("run_*.py")} == set(LIBRARY)


@pytest.mark.slow
@pytest.mark.parametrize("name", LIBRARY)
def test_a_library_gives_each_text_the_score_worked_out_by_hand(name):
    if importlib.util.find_spec(LIBRARY[name]) is None:
        pytest.skip(f"{LIBRARY[name]} is not installed")
    path = os.pathsep.join([str(ROOT), str(ENVIRONMENTS)])
    done = subprocess.run(
        [sys.executable, str(INTEROP / name)], capture_output=True, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "DIFF" not in done.stdout and (name == "run_trl_environment.py" or done.stdout.count("  ok  ") == 4), done.stdout
