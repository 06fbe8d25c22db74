"""Runs a grid on Ray: a task per run, on this machine or on a cluster that shares its files.

Ray places the tasks. A worker that dies is replaced, and its run goes on from its checkpoint (``max_retries``). The files are those of a
grid of processes (``rlpoet.sweeps.run``), so that either goes on with what the other began.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import runpy
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from rlpoet.machine import AUTO, gpu
from rlpoet.sweeps.grid import ATTEMPTS, LOG, Cell, state_of
from rlpoet.sweeps.run import Outcome, Running, locked, n_cores, print_outcome, signals, words_of
from rlpoet.training.distributed.ray_cluster import ray_cluster

RETRIES = 3  # of a run whose worker died
POLL = 0.5  # seconds between looks at the tasks and at the signals


def run_on_ray(cells: Sequence[Cell], *, jobs: int, out: Console, address: str = "") -> dict[str, Outcome]:
    """Run every cell as a Ray task; as ``rlpoet.sweeps.run.run_grid``.

    Args:
        jobs: most runs at the same time; 0 for as many as Ray has processors for.
        out: console for messages when a run begins and ends.
        address: of a cluster to join, as Ray writes it (``auto``, ``10.0.0.1:6379``); "" starts Ray on this machine.

    Raises:
        RlpoetError: Ray is not installed, or does not start.
    """
    if all(state_of(cell) == "done" for cell in cells):
        out.print(f"{len(cells)} of {len(cells)} runs are done already.")
        return {cell.name: "done" for cell in cells}
    most = jobs or len(cells)
    with contextlib.ExitStack() as stack:
        stack.enter_context(locked(Path(cells[0].folder).parents[1], out))
        states = {cell.name: state_of(cell) for cell in cells}  # now that nobody else works there
        ended: dict[str, Outcome] = {cell.name: "done" for cell in cells if states[cell.name] == "done"}
        waiting = [cell for cell in cells if cell.name not in ended]
        if ended:
            out.print(f"{len(ended)} of {len(cells)} runs are done already.")
        each = int(max(needs(cell)["num_cpus"] for cell in waiting))
        ray = stack.enter_context(ray_cluster(address, n_cpus=max(each * jobs or n_cores(), each), flag="--cluster ray"))
        interrupts = stack.enter_context(signals())
        # a worker of its own for each run, which leaves nothing behind for the next
        task = ray.remote(max_calls=1, max_retries=RETRIES)(train_cell)
        running: dict[Any, Running] = {}
        n_reported = 0
        try:
            while running or (waiting and not interrupts):
                while waiting and len(running) < most and not interrupts:
                    cell = waiting.pop(0)
                    reference = task.options(**needs(cell)).remote(cell, str(Path.cwd()))
                    running[reference] = Running(cell)
                    out.print(f"{cell.name}: {'goes on' if states[cell.name] == 'stopped' else 'begins'} ({len(waiting)} more to come)")
                if len(interrupts) > n_reported:
                    n_reported = len(interrupts)
                    for reference in running:
                        ray.cancel(reference, force=n_reported > 1)
                    out.print(f"Stopping {len(running)} runs; they save and measure." if n_reported == 1 else "Ended at once.")
                over = ray.wait(list(running), num_returns=1, timeout=POLL)[0] if running else []  # a signal came before the first began
                for reference in over:
                    one = running.pop(reference)
                    one.code = _code(ray, reference)
                    ended[one.cell.name] = outcome = _outcome(one.cell, one.code, stopped=bool(interrupts))
                    print_outcome(one, outcome, out)
        finally:
            for reference in running:  # nothing is left behind, whatever happened here
                ray.cancel(reference, force=True)
    return ended


def needs(cell: Cell) -> dict[str, float]:
    """Processors and GPUs of a run.

    >>> from rlpoet.training.config import TrainConfig
    >>> needs(Cell("tb", "fr", 0, TrainConfig(threads=2, processes=2, device="cpu")))
    {'num_cpus': 4}
    """
    config = cell.config
    device = gpu() if config.device == AUTO else config.device
    found: dict[str, float] = {"num_cpus": (config.threads or 1) * (config.processes or 1)}
    return found | ({"num_gpus": 1} if device.startswith("cuda") else {})


def train_cell(cell: Cell, folder: str) -> int:
    """Train one cell in this process; returns the exit code of ``rlpoet train``. Called again, it goes on from the checkpoint.

    Args:
        folder: working directory of the grid, from which the paths of its configuration start.
    """
    os.chdir(folder)
    words, since = words_of(cell, state_of(cell)), time.monotonic()
    code = 0
    with _logged(cell.folder / LOG):
        sys.argv = ["rlpoet", *words]
        try:
            runpy.run_module("rlpoet", run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except KeyboardInterrupt:
            code = 130
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    row = {
        "command": " ".join(["rlpoet", *words]), "seconds": round(time.monotonic() - since, 1),
        "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 1), "exit": code,
    }  # fmt: skip
    with (cell.folder / ATTEMPTS).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    return code


@contextlib.contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What this process writes to its output goes to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with path.open("ab") as log:
        for number in (1, 2):
            os.dup2(log.fileno(), number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, old in zip((1, 2), kept, strict=True):
            os.dup2(old, number)
            os.close(old)


def _code(ray: Any, reference: Any) -> int:
    """The exit code of a task; 1 for one whose worker died once too often, 130 for one that was cancelled."""
    try:
        return int(ray.get(reference))
    except ray.exceptions.TaskCancelledError:
        return 130
    except ray.exceptions.RayError:
        return 1


def _outcome(cell: Cell, code: int, *, stopped: bool) -> Outcome:
    if state_of(cell) == "done":
        return "done"
    return "stopped" if stopped or code == 130 else "failed"
