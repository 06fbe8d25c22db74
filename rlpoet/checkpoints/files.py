"""Files a run goes on from: written whole or not at all, in two generations, and told apart from files that are damaged."""

from __future__ import annotations

import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from rlpoet.checkpoints.signals import put_off
from rlpoet.errors import RlpoetError
from rlpoet.text import whole_file


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; what stood there before is kept as ``earlier(path)``.

    A full disk or a killed process leaves the checkpoint that stood there before, at every moment. A signal waits until it is written.
    """
    with put_off(), whole_file(path) as stream:
        torch.save(dict(state), stream)
        if path.exists():
            _keep(path, earlier(path))


def earlier(path: Path) -> Path:
    """Where the generation before a checkpoint lies.

    >>> earlier(Path("checkpoint.pt")).name
    'checkpoint.earlier.pt'
    """
    return path.with_suffix(f".earlier{path.suffix}")


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in a file.

    Args:
        device: where its tensors go.

    Raises:
        RlpoetError: the file is damaged, or missing.
    """
    try:
        with zipfile.ZipFile(path) as archive:  # torch does not look at the checksums of tensors
            if (damaged := archive.testzip()) is not None:
                raise ValueError(f"{damaged} has another checksum")
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        if not isinstance(state, dict):
            raise ValueError(f"{type(state).__name__} instead of a table")
    except Exception as error:  # of reading alone: torch raises a dozen kinds for a damaged file
        raise RlpoetError(
            f"{path}: broken checkpoint ({error!s:.80}); expected one this command wrote. Delete it, or start a new run without --resume."
        ) from error
    return state


def mend_checkpoint(path: Path, tell: Callable[[str], object]) -> None:
    """Put the generation before in the place of a checkpoint that is damaged or missing, if that one can be read.

    Args:
        tell: called with one line if that was done.
    """
    before = earlier(path)
    if not before.exists():
        return
    try:
        read_checkpoint(path)
    except RlpoetError:
        try:
            read_checkpoint(before)
        except RlpoetError:
            return  # whoever reads the first one says what is wrong with it
        _keep(before, path)
        tell(f"{path}: damaged; going on from the checkpoint before it.")


def _keep(path: Path, name: Path) -> None:
    """Give a file another name as well, in place of what had it; there is no moment at which neither is there."""
    spare = name.with_name(f".{name.name}.{os.getpid()}.part")  # by which the next run knows what a killed one left
    spare.unlink(missing_ok=True)
    try:
        os.link(path, spare)
    except OSError:  # no links on this file system
        shutil.copyfile(path, spare)
    spare.replace(name)
    spare.unlink(missing_ok=True)  # where both were names of one file, which a rename leaves as they are
