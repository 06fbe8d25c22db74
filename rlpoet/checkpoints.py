"""Files a run goes on from: written whole or not at all, and told apart from files that are damaged."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from rlpoet.errors import RlpoetError
from rlpoet.text import whole_file


def write_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values. A full disk or a killed process leaves the checkpoint that stood there before."""
    with whole_file(path) as stream:
        torch.save(dict(state), stream)


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The state in a file.

    Args:
        device: where its tensors go.

    Raises:
        RlpoetError: the file is damaged, or missing.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # of reading alone: torch raises a dozen kinds for a damaged file
        raise RlpoetError(
            f"{path}: broken checkpoint ({error!s:.80}); expected one this command wrote. Delete it, or start a new run without --resume."
        ) from error
    return state
