"""A grid on Ray: the files of a grid of processes, also where a worker is killed in the middle of a run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tiny_policy import tiny_policy

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.reporting.poems import console
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.sweeps.config import CompareConfig
from rlpoet.sweeps.grid import Arm, plan, state_of
from rlpoet.sweeps.ray_grid import needs, run_on_ray
from rlpoet.sweeps.run import attempts, run_grid
from rlpoet.training.config import TrainConfig

ROOT = Path(__file__).parents[2]
TIMES = ("seconds", "minutes", "per_second", "time", "memory", "cpu")


def grid(folder: Path, policy: Path, *, steps: int) -> CompareConfig:
    common = TrainConfig(
        policy=str(policy), max_steps=steps, minutes=0, eval_samples=8, prompts_per_step=2, group_size=2, save_steps=1, threads=1,
        report_to="none",
    )  # fmt: skip
    return CompareConfig(output_dir=str(folder), langs=("fr",), seeds=(0,), common=common)


def written(folder: Path) -> dict[str, object]:
    """What a run wrote, times left out."""
    rows = [
        {key: value for key, value in row.items() if not any(word in key for word in TIMES)} for row in read_jsonl(folder / "metrics.jsonl")
    ]
    weights = (folder / "policy/model.safetensors").read_bytes()
    return {"metrics": rows, "weights": weights, "after": json.loads((folder / "after.json").read_text(encoding="utf-8"))}


def test_without_ray_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RlpoetError, match=r"rlpoet\[ray\]"):
        run_on_ray(plan(grid(tmp_path / "out", tmp_path, steps=1), [Arm("tb", {})]), jobs=1, out=console(stderr=True))
    assert not (tmp_path / "out/tb/fr-s0").exists()


def test_another_kind_of_cluster_is_refused(tmp_path, capsys):
    assert main(["compare", "--cluster", "slurm", "--output_dir", str(tmp_path / "out"), "--dry_run"]) == 2
    assert "--cluster" in capsys.readouterr().err


def test_a_run_asks_for_the_processors_and_the_gpu_it_uses(tmp_path):
    cells = plan(grid(tmp_path, tmp_path, steps=1), [Arm("one", {}), Arm("more", {"threads": 3, "processes": 2, "device": "cuda:0"})])
    assert [needs(cell) for cell in cells] == [{"num_cpus": 1}, {"num_cpus": 6, "num_gpus": 1}]


@pytest.mark.slow
def test_a_grid_on_ray_writes_the_files_of_a_serial_one_though_a_worker_is_killed(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'rlpoet[ray]'")
    tiny_policy().save(tmp_path / "policy")
    arms = [Arm("tb", {}), Arm("ppo", {"algo": "ppo"})]
    serial, cells = (plan(grid(tmp_path / name, tmp_path / "policy", steps=12), arms) for name in ("serial", "ray"))
    assert set(run_grid(serial, jobs=2, out=console(stderr=True)).values()) == {"done"}
    small = {"policy": tmp_path / "policy", "max_steps": 12, "minutes": 0, "eval_samples": 8, "prompts_per_step": 2, "group_size": 2,
             "save_steps": 1, "threads": 1, "report_to": "none"}  # fmt: skip
    flags = [str(word) for key, value in small.items() for word in (f"--common.{key}", value)]
    words = ["compare", "--cluster", "ray", "--jobs", "2", "--seeds", "0", "--output_dir", str(tmp_path / "ray"), *flags]
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    on_ray = subprocess.Popen(
        [sys.executable, "-m", "rlpoet", *words], cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True
    )
    killed = kill_worker(cells[0].folder, on_ray)
    _, told = on_ray.communicate()
    assert on_ray.returncode == 0, told
    assert len(killed) == 1 and "train --resume" in attempts(cells[0])[-1]["command"]
    for one, other in zip(serial, cells, strict=True):
        assert state_of(other) == "done" and written(one.folder) == written(other.folder)
    assert run_on_ray(cells, jobs=2, out=console(stderr=True)) == {"tb/fr-s0": "done", "ppo/fr-s0": "done"}  # nothing is left to do


def kill_worker(folder: Path, grid_process: subprocess.Popen[str]) -> list[int]:
    """End the worker that trains in a folder once it has taken some steps; returns its process id."""
    while grid_process.poll() is None:
        if len(read_steps(folder)) >= 3:
            for process in psutil.Process(grid_process.pid).children(recursive=True):
                if str(folder) in opened(process) and any("train_cell" in word for word in process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    return [process.pid]
        time.sleep(0.05)
    return []


def read_steps(folder: Path) -> list[object]:
    try:
        return [row for row in read_jsonl(folder / "metrics.jsonl") if row.get("step")]
    except (OSError, ValueError):
        return []


def opened(process: psutil.Process) -> str:
    """The files that a process has open; none if it ends meanwhile."""
    with contextlib.suppress(psutil.Error):
        return " ".join(file.path for file in process.open_files())
    return ""
