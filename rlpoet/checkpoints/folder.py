"""The folder of a run: what state it is in, and that one process at a time writes to it.

A run's files come in this order: its configuration, what was measured before, the checkpoint of step 0, logs and further checkpoints, its
result. So a checkpoint says that all before it is there, and a folder without one holds nothing that took a step.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from rlpoet.checkpoints.files import earlier, mend_checkpoint
from rlpoet.errors import RlpoetError
from rlpoet.text import read_object, remove_parts, write_atomically
from rlpoet.text.held import held

CONFIG, CHECKPOINT, BEST, BEFORE, AFTER, RESULT = "config.yaml", "checkpoint.pt", "best.pt", "before.json", "after.json", "result.json"
LOGS = ("metrics.jsonl", "samples.jsonl", "alarms.jsonl", "samples.txt")
RunState = Literal["new", "stopped", "done"]


def run_state(folder: Path) -> RunState:
    """The state of a run.

    ``new``: no step was ever saved there, so it can begin; ``stopped``: it can go on from a checkpoint; ``done``: its result is there.

    Raises:
        RlpoetError: ``result.json`` is damaged.
    """
    result = folder / RESULT
    if result.exists() and not _result(result).get("interrupted"):
        return "done"
    checkpoint = folder / CHECKPOINT
    return "stopped" if checkpoint.exists() or earlier(checkpoint).exists() else "new"


def clear_run(folder: Path) -> None:
    """Delete what a run wrote, but for its configuration and its trained policy; anything else in the folder stays."""
    checkpoints = [name for path in (Path(CHECKPOINT), Path(BEST)) for name in (path.name, earlier(path).name)]
    for name in (*checkpoints, *LOGS, BEFORE, AFTER, RESULT, "events.out.*"):  # first what says that the run can go on
        for path in folder.glob(name):
            path.unlink(missing_ok=True)


def refuse_run(folder: Path, *, fix: str = "") -> None:
    """Refuse a folder whose run can go on, or is done; also one with logs that are not known to be of a run which took no step.

    Args:
        fix: what else the user can do, a clause that begins with a comma.

    Raises:
        RlpoetError: it holds one.
    """
    logs = [folder / name for name in LOGS if not (folder / CONFIG).exists()]
    if run_state(folder) != "new" or any(path.exists() and path.stat().st_size for path in logs):
        raise RlpoetError(
            f"{folder}: holds a run already; expected a new folder. Go on with --resume {folder}{fix}, or choose another --output_dir."
        )


@contextlib.contextmanager
def run_folder(folder: Path, *, resume: bool, tell: Callable[[str], object], overwrite: bool = False, fix: str = "") -> Iterator[bool]:
    """Hold a folder for a run to begin in, or to go on in; yields whether it goes on from a checkpoint.

    A run that ended before its first checkpoint begins again, asked to go on or not. One that goes on is no longer done.

    Args:
        tell: called with one line if something is not as it was left.
        overwrite: delete the run that is there.
        fix: as in ``refuse_run``.

    Raises:
        RlpoetError: there is none to go on with, or one that nobody said to go on with; or another process holds the folder.
    """
    if resume and not (folder / CONFIG).exists():
        raise RlpoetError(f"--resume {folder}: no {CONFIG}; expected the folder of a run that was stopped. Start one without --resume.")
    with held(folder):
        if not resume and not overwrite:
            refuse_run(folder, fix=fix)
        remove_parts(folder)
        goes_on = resume and run_state(folder) != "new"
        if goes_on:
            mend_checkpoint(folder / CHECKPOINT, tell)
            mend_checkpoint(folder / BEST, tell)
            if not (folder / CHECKPOINT).exists():
                raise RlpoetError(f"--resume {folder}: no {CHECKPOINT}; expected the folder of a run that was stopped. Start a new one.")
            _reopen(folder / RESULT)
        else:
            if resume:
                tell(f"{folder}: the run ended before its first checkpoint; it begins again.")
            clear_run(folder)
        yield goes_on


def _reopen(path: Path) -> None:
    """Say in a result that its run goes on, so that nobody takes it for done if that is cut off."""
    if path.exists():
        write_atomically(path, json.dumps({**_result(path), "interrupted": True}, ensure_ascii=False, indent=2) + "\n")


def _result(path: Path) -> dict[str, object]:
    return read_object(path, "the result of a run; delete it, if it is damaged")
