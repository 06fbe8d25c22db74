"""Runs a grid: each cell in its own process, several at a time. A signal stops them in order. One grid never runs twice at once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from rlpoet.checkpoints.folder import BEFORE, clear_run
from rlpoet.checkpoints.signals import to_take
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.sweeps.grid import ATTEMPTS, CONFIG_FILE, LOG, Cell, State, changes, state_of, write_config
from rlpoet.text import read_object

LOCK, TRAININGS = ".lock", ".trainings.lock"
POLL = 0.1  # seconds between looks at the processes
N_LOG_LINES = 6  # last lines of a failed run's log
Outcome = Literal["done", "failed", "stopped"]


@dataclass
class Running:
    """A cell that is running.

    Attributes:
        since: when it began.
        code: exit code, once it is over.
    """

    cell: Cell
    since: float = field(default_factory=time.monotonic)
    code: int | None = None


@dataclass
class RunningProcess(Running):
    """A cell whose process is running."""

    process: subprocess.Popen[bytes] = field(kw_only=True)
    words: Sequence[str] = field(kw_only=True)


def refuse_changes(cells: Sequence[Cell]) -> None:
    """Raise an error before anything runs if a folder holds a run with other settings.

    Raises:
        RlpoetError: the first such cell, with what differs.
    """
    for cell in cells:
        if state_of(cell) == "changed":
            changed = ", ".join(f"{key} {old!r} -> {new!r}" for key, (old, new) in changes(cell).items())
            raise RlpoetError(
                f"{cell.folder}: begun with other settings ({changed}); expected the same. "
                "Put them back, choose another --output_dir, or --overwrite."
            )


def run_grid(cells: Sequence[Cell], *, jobs: int, out: Console) -> dict[str, Outcome]:
    """Run every cell; returns name of the cell -> outcome. Cells that did not start are absent.

    On a signal that stops a run (``rlpoet.checkpoints.signals``) the trainings save and measure; a second one ends them at once.

    Args:
        jobs: number of processes at the same time.
        out: console for messages when a run begins and ends.
    """
    if all(state_of(cell) == "done" for cell in cells):
        out.print(f"{len(cells)} of {len(cells)} runs are done already.")
        return {cell.name: "done" for cell in cells}
    running: list[RunningProcess] = []
    with locked(Path(cells[0].folder).parents[1], out) as lock, signals() as interrupts:
        states = {cell.name: state_of(cell) for cell in cells}  # now that nobody else works there
        ended: dict[str, Outcome] = {cell.name: "done" for cell in cells if states[cell.name] == "done"}
        waiting = [cell for cell in cells if cell.name not in ended]
        if ended:
            out.print(f"{len(ended)} of {len(cells)} runs are done already.")
        n_reported = 0
        starting: list[RunningProcess] = []  # when they were asked to stop
        try:
            while running or (waiting and not interrupts):
                while waiting and len(running) < jobs and not interrupts:
                    cell = waiting.pop(0)
                    running.append(_start(cell, states[cell.name], lock))
                    out.print(f"{cell.name}: {'goes on' if states[cell.name] == 'stopped' else 'begins'} ({len(waiting)} more to come)")
                if len(interrupts) > n_reported:
                    n_reported = len(interrupts)
                    _stop(running, signal.SIGINT if n_reported == 1 else signal.SIGKILL)
                    out.print(f"Stopping {len(running)} runs; they save and measure." if n_reported == 1 else "Ended at once.")
                    starting = [one for one in running if not (one.cell.folder / BEFORE).exists()]
                # an interrupt in the middle of an import can be lost: whoever goes on all the same is asked again
                deaf = [one for one in starting if one in running and (one.cell.folder / BEFORE).exists()]
                _stop(deaf, signal.SIGINT)
                starting = [one for one in starting if one not in deaf]
                for one in [one for one in running if _over(one)]:
                    running.remove(one)
                    ended[one.cell.name] = _outcome(one, stopped=bool(interrupts))
                    print_outcome(one, ended[one.cell.name], out)
                time.sleep(POLL)
        finally:
            _stop(running, signal.SIGTERM)  # nothing is left behind, whatever happened here
    return ended


def n_cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def attempts(cell: Cell) -> list[dict[str, Any]]:
    """The processes that were started for a cell: ``command``, ``seconds``, ``cpu_seconds``, ``exit`` code."""
    return read_jsonl(cell.folder / ATTEMPTS)


def last_words(cell: Cell) -> list[str]:
    """The end of a run's log."""
    path = cell.folder / LOG
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return [line for line in lines if line.strip()][-N_LOG_LINES:]


def words_of(cell: Cell, state: State) -> list[str]:
    """The command that begins a cell, or goes on with it; what stood in the way in its folder is deleted."""
    if state == "stopped":
        return ["train", "--resume", str(cell.folder)]
    if state == "changed":  # to be overwritten
        _empty(cell.folder)
    clear_run(cell.folder)  # of one that ended before its first checkpoint; its log and its cost stay
    return ["train", "--config", str(write_config(cell))]


def _start(cell: Cell, state: State, lock: int) -> RunningProcess:
    words = words_of(cell, state)
    with (cell.folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rlpoet", *words],
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C comes to us alone, and we pass it on
            pass_fds=(lock,),  # a training that outlives us still holds the grid
        )  # fmt: skip
    return RunningProcess(cell, process=process, words=["rlpoet", *words])


def _empty(folder: Path) -> None:
    """Delete all but the configuration, by which the folder of a grid that is killed meanwhile is still known as one of its own."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != CONFIG_FILE:
            path.unlink()


def _over(one: RunningProcess) -> bool:
    """Whether a process ended; if so, its cost is noted."""
    pid, status, usage = os.wait4(one.process.pid, os.WNOHANG)
    if pid == 0:
        return False
    code = one.code = one.process.returncode = os.waitstatus_to_exitcode(status)
    row = {
        "command": " ".join(one.words), "seconds": round(time.monotonic() - one.since, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1), "exit": code,
    }  # fmt: skip
    with (one.cell.folder / ATTEMPTS).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    return True


def _outcome(one: RunningProcess, *, stopped: bool) -> Outcome:
    if state_of(one.cell) == "done":
        return "done"
    return "stopped" if stopped or one.process.returncode == 130 else "failed"


def print_outcome(one: Running, outcome: Outcome, out: Console) -> None:
    """Tell how a run ended, with the end of the log of one that failed."""
    minutes = (time.monotonic() - one.since) / 60
    text = f"{one.cell.name}: {outcome} after {minutes:.1f} min"
    if outcome == "done":
        result = read_object(one.cell.folder / "result.json", "the result of a run")
        before, after = (result.get(side, {}).get("rhyme_pairs") for side in ("before", "after"))
        text += f", pairs that rhyme {100 * before:.1f} -> {100 * after:.1f} %" if before is not None and after is not None else ""
    out.print(text, markup=False)
    if outcome == "failed":
        out.print(
            "\n".join([f"  exit code {one.code}; end of {one.cell.folder / LOG}:", *(f"  | {x}" for x in last_words(one.cell))]),
            markup=False,
        )


def _stop(running: Sequence[RunningProcess], number: int) -> None:
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.process.pid, number)


@contextlib.contextmanager
def signals() -> Iterator[list[int]]:
    """A list that gets every signal that stops a run; child processes have the default handlers."""
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    handlers = {number: signal.signal(number, lambda number, _: received.append(number)) for number in to_take()}
    try:
        yield received
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def locked(folder: Path, out: Console) -> Iterator[int]:
    """Two locks on the grid's folder: this process alone has the first, its trainings have the second with it, and keep it if it is killed.

    Trainings that a killed grid left are waited for: what they do counts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w", encoding="utf-8") as own, (folder / TRAININGS).open("w", encoding="utf-8") as shared:
        try:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RlpoetError(f"{folder}: another grid is at work here; expected one at a time. Wait for it, or stop it.") from None
        try:
            fcntl.flock(shared, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            out.print("Waiting for trainings of a grid that was killed. They go on by themselves.")
            fcntl.flock(shared, fcntl.LOCK_EX)
        yield shared.fileno()
