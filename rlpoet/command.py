"""What a verb of the command line is; one module a verb, imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Command:
    """A verb: ``rlpoet NAME``. Other rooms add theirs by the entry-point group ``rlpoet.commands``.

    The module that defines one is imported to show its help, so it keeps heavy imports inside ``run``.

    Attributes:
        name: the verb.
        help: one line for ``rlpoet --help``; the config's docstring is the rest.
        config: a frozen dataclass, the one schema of flags and YAML files. A field ``seed: int = 0`` is the flag
            ``--seed`` and the key ``seed``; its line under ``Attributes:`` is its help. A field without a default is required.
        run: does the work; its int is the exit code.
        positional: fields that may be given without their flag, in order; one of a tuple type takes all that is left, so it is last.
        short: one letter -> field, ``{"t": "temperature"}`` is ``-t 0.9``.
    """

    name: str
    help: str
    config: type[Any]
    run: Callable[[Any], int]
    positional: tuple[str, ...] = ()
    short: Mapping[str, str] = field(default_factory=dict)
