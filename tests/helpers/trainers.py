"""A trainer of any kind from settings that tests write side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeVar

from rlpoet.training.options import StepOptions
from rlpoet.training.trainer import Trainer
from rlpoet.types import Prompt

Kind = TypeVar("Kind", bound=Trainer)


def make(
    kind: type[Kind], policy: Any, score: Any, prompts: Sequence[Prompt], *, seed: int = 0, slots: Sequence[Prompt] = (), **settings: Any
) -> Kind:
    """A trainer; each setting goes to the options that have it, the shared ones or the trainer's own."""
    shared = {item.name for item in dataclasses.fields(StepOptions)}
    common = StepOptions(**{name: value for name, value in settings.items() if name in shared})
    own = kind.OPTIONS(**{name: value for name, value in settings.items() if name not in shared})
    return kind(policy, score, prompts, common, own, seed=seed, slots=slots)
