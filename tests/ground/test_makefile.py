"""Which torch `make install` asks pip for; python, uname and nvidia-smi are stand-ins that note how they were called."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PINNED = re.search(r"^torch==(.+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)[1]
CPU_INDEX = "--index-url https://download.pytorch.org/whl/cpu"

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def install(tmp_path):
    """Run ``make install``; the calls of pip and what was printed."""

    def run(
        choice: str, *, machine: str = "Linux x86_64", gpu: bool = False, reachable: bool = True, installed: str = ""
    ) -> tuple[list[str], str, int]:
        folder, log = tmp_path / "venv" / "bin", tmp_path / "calls"
        folder.mkdir(parents=True)
        stand_ins = {
            "python": f"""case "$*" in
                -c*) [ -n "{installed}" ] && echo "{installed}" ;;
                *) echo "$*" >> "{log}"; case "$*" in *download.pytorch.org*) exit {0 if reachable else 1} ;; esac ;;
                esac""",
            "uname": f"echo {machine}",
            "nvidia-smi": f"exit {0 if gpu else 9}",
        }
        for name, body in stand_ins.items():
            (folder / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            (folder / name).chmod(0o755)
        environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
        environment = {name: value for name, value in environment.items() if name not in ("MAKEFLAGS", "TORCH", "PIP_FLAGS")}
        words = ["make", "-C", str(ROOT), "install", f"VENV={tmp_path / 'venv'}", f"TORCH={choice}"]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
        calls = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return calls, done.stdout + done.stderr, done.returncode

    return run


def asks_for_cpu(call: str) -> bool:
    return "pip install" in call and CPU_INDEX in call and "--no-deps" in call and "-c constraints.txt" in call


def test_the_build_without_cuda_comes_first(install):
    calls, _, code = install("cpu")
    assert code == 0 and len(calls) == 3
    assert calls[0].startswith("-m pip index versions torch") and CPU_INDEX in calls[0] and asks_for_cpu(calls[1])
    assert calls[2].endswith("-c constraints.txt -e .") and CPU_INDEX not in calls[2]


def test_an_index_that_cannot_be_reached_is_told_in_one_line(install):
    calls, told, code = install("cpu", reachable=False)
    assert code == 0 and len(calls) == 2 and calls[-1].endswith("-e .")
    assert told.count("cannot be had from download.pytorch.org") == 1


@pytest.mark.parametrize(
    "choice, options",
    [
        ("default", {}),
        ("auto", {"gpu": True}),
        ("auto", {"machine": "Darwin arm64"}),
        ("cpu", {"machine": "Linux aarch64"}),
        ("cpu", {"installed": PINNED}),
    ],
    ids=str,
)
def test_otherwise_torch_comes_with_the_rest(install, choice, options):
    calls, told, code = install(choice, **options)
    assert code == 0 and len(calls) == 1 and calls[0].endswith("-e .") and "CUDA" not in told


@pytest.mark.skipif(any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/nvidia0")), reason="an NVIDIA GPU is here")
def test_a_machine_without_a_gpu_gets_the_build_without_cuda(install):
    calls, _, code = install("auto")
    assert code == 0 and len(calls) == 3 and asks_for_cpu(calls[1])


def test_another_torch_than_the_pinned_one_is_replaced(install):
    calls, _, _ = install("cpu", installed="1.0.0")
    assert len(calls) == 3


def test_an_unknown_choice_is_an_error(install):
    calls, told, code = install("gpu")
    assert code != 0 and calls == [] and "expected auto, cpu or default" in told
