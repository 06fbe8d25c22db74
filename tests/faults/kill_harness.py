"""Kill a run at a chosen instant, and look at what it left.

A run's child process counts what it asks of the system that changes its folder: files opened for writing, renamed, linked, deleted, folders
made. It is killed before the n-th of these. So every state that a folder can be found in is one number, and none depends on a clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from rlpoet.cli.main import main

CHANGES = ("os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
TIMED = ("time/", "train/tokens_per_second")
OF_THE_WAY = ("checkpoint", "best.", "events.out", "config.yaml")  # files of how a run came to its end
UNCERTAIN = ("seconds", "seconds_per_poem", "commit")


def in_child(argv: Sequence[str], *, before: Callable[[], object] = lambda: None, log: Path) -> int:
    """Exit code of a command that is run in a fork of this process; below 0, the signal that ended it."""
    pid = forked(argv, before=before, log=log)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def forked(argv: Sequence[str], *, before: Callable[[], object] = lambda: None, log: Path) -> int:
    """Start a command in a fork of this process; its number. What it says goes into ``log``."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this process has none at work
        pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        with log.open("a", encoding="utf-8") as stream:
            for number in (1, 2):
                os.dup2(stream.fileno(), number)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        before()
        code = main(list(argv))
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):  # a stream that a test has closed
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def changes_counted(folder: Path, call: Callable[[int], object], *, but: Sequence[str] = ()) -> None:
    """From here on, call back before each change of a folder or of what is in it, with its number from 1.

    Args:
        but: events that are counted without a call.
    """
    where, n = os.fspath(folder), 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal n
        writes = event in CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        paths = [os.fspath(item) for item in arguments[:2] if isinstance(item, str | os.PathLike)]
        if writes and any(f"{path}/".startswith(f"{where}/") for path in paths):
            n += 1
            if event not in but:
                call(n)

    sys.addaudithook(hook)


def killed_at(number: int, folder: Path) -> Callable[[], None]:
    """For ``before`` of ``in_child``: kill the process before that change of a folder."""

    def kill(n: int) -> None:
        if n == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return lambda: changes_counted(folder, kill)


def n_changes(argv: Sequence[str], folder: Path, log: Path) -> int:
    """How often a command that is left alone changes its folder."""
    told = log.with_suffix(".changes")

    def note(n: int) -> None:
        number = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(number, str(n).encode())
        os.close(number)

    assert in_child(argv, before=lambda: changes_counted(folder, note), log=log) == 0, log.read_text(encoding="utf-8")
    return int(told.read_text(encoding="utf-8"))


def killed_after(pid: int, seconds: float) -> int:
    """Kill a process after a while, if it is still there; its exit code."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def some(total: int, n: int, *, seed: int = 0) -> list[int]:
    """``n`` numbers from 1 to ``total``, one in each stretch of equal length."""
    chance = random.Random(seed)
    n = min(n, total)
    return [chance.randint(1 + total * i // n, total * (i + 1) // n) for i in range(n)]


def left(folder: Path) -> dict[str, Any]:
    """What a finished run left, but for what a clock measured: equal for two runs that did the same."""
    found: dict[str, Any] = {}
    for name in ("metrics.jsonl", "samples.jsonl", "alarms.jsonl"):
        path = folder / name
        rows = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
        found[name] = [{key: value for key, value in row.items() if not key.startswith(TIMED)} for row in rows]
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    found["result"] = {key: value for key, value in result.items() if key not in UNCERTAIN}
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    found["weights"] = {name: weight.tolist() for name, weight in state["model"].items()}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in (*found, "result.json") and not name.startswith(OF_THE_WAY):
            found[name] = shown(path, folder)
    return found


def shown(path: Path, folder: Path) -> bytes | str:
    """A file of a run; a page or a card without pictures and numbers, which tell of times, and without the folder's name."""
    if path.suffix not in (".html", ".md"):
        return path.read_bytes()
    text = path.read_text(encoding="utf-8").replace(str(folder), "").replace(f": {folder.name}<", "").replace(f">{folder.name}<", "")
    return re.sub(r"<svg.*?</svg>|<tr><th scope=\"row\">output_dir</th>.*?</tr>|commit [\w.-]+|[-+]?\d[\d.,e-]*", "", text, flags=re.DOTALL)


def litter(folder: Path) -> list[str]:
    """Names in a folder that only a run at work has."""
    return sorted(path.name for path in folder.rglob("*") if path.name.endswith(".part") or path.name == ".lock")
