"""``rlpoet complete``: a poem with gaps, filled."""

from __future__ import annotations

from policies.completion.config import CompleteConfig
from rlpoet.config.command import Command
from rlpoet.registry import first_import


def run(config: CompleteConfig) -> int:
    with first_import("torch"):
        from policies.completion.run import run as complete

    return complete(config)


COMMAND = Command(
    "complete",
    "fill the gaps of a poem in rhyme and meter",
    CompleteConfig,
    run,
    positional=("file",),
    short={"t": "temperature", "n": "n", "i": "policy"},
)
