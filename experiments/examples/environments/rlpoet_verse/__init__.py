"""Verse as an environment: endless tasks in three languages, rewards by part, for verifiers, trl and OpenEnv.

Each library is imported only where its class is asked for, so one of them is enough.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["VerseEnvironment", "VerseTaskset"]  # verifiers finds the taskset here
PLACES = {
    "VerseEnvironment": "rlpoet_verse.environment",
    "VerseTask": "rlpoet_verse.taskset",
    "VerseTaskset": "rlpoet_verse.taskset",
    "VerseServer": "rlpoet_verse.server",
    "VerseClient": "rlpoet_verse.client",
}


def __getattr__(name: str) -> Any:
    if name not in PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(PLACES[name]), name)
