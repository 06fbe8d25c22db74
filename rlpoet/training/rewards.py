"""A composed reward from what a configuration says: names, weights, options, gates, curricula. Knows no reward by itself."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet import registry
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.protocols import Reward
from rlpoet.training.time_limit import TimeLimited

REWARDS, COMPOSITIONS, WRAPPERS = "rlpoet.rewards", "rlpoet.compositions", "rlpoet.wrappers"
GATE_KEYS = ("if", "at_least")
Value = bool | int | float | str
Options = Mapping[str, Mapping[str, Value]]
Points = Sequence[Sequence[float]]


def composed(
    weights: Mapping[str, float],
    options: Options,
    *,
    compose: str = "weighted-mean",
    gates: Options | None = None,
    curriculum: Mapping[str, Points] | None = None,
    timeout: float = 0.0,
) -> Any:
    """The named rewards by weight, made with their options; a weight of 0 leaves one out, with its gate and its curriculum.

    Args:
        weights: of registered rewards, or of ``module:object`` paths: a function ``f(texts) -> list[float]`` or a class of rewards.
        options: keyword arguments of each.
        compose: name in the group ``rlpoet.compositions``.
        gates: reward -> ``{"if": other reward, "at_least": score}``: it earns only where the other one scores that much (1 by default).
        curriculum: reward -> ``[progress, factor]`` points of its weight.
        timeout: seconds that one call of a reward may take; 0 for no limit (``rlpoet.training.time_limit``).

    Raises:
        RlpoetError, UnknownName: something in it that cannot be meant, by the name of its flag.
    """
    gates, curriculum = gates or {}, curriculum or {}
    if compose not in registry.names(COMPOSITIONS):
        raise UnknownName("--compose", compose, registry.names(COMPOSITIONS))
    for flag, table in (("--gates", gates), ("--curriculum", curriculum)):
        for name in table:
            if name not in weights:
                raise UnknownName(f"{flag}: reward", name, weights, fix=f"Give it a weight: --rewards.{name} 1.")

    def limited(name: str) -> Reward:
        reward = made(name, options.get(name, {}))
        return TimeLimited(reward, timeout) if timeout else reward

    named = {name: limited(name) for name, weight in weights.items() if weight}
    if not named:
        raise RlpoetError(f"--rewards: {dict(weights)!r}; expected at least one positive weight.")
    terms = [(gated(named, name, gates[name], limited) if name in gates else reward, weights[name]) for name, reward in named.items()]
    try:
        combine = registry.load(COMPOSITIONS, compose)
        plain = combine(terms)
    except ValueError as error:
        raise RlpoetError(f"--rewards: {error}") from None
    schedule = {named[name].name: points for name, points in curriculum.items() if name in named}
    if not schedule:
        return plain
    try:
        return registry.load(WRAPPERS, "curriculum")(terms, schedule, combine=combine)
    except (TypeError, ValueError) as error:
        raise RlpoetError(f"--curriculum: {error}") from None


def made(name: str, options: Mapping[str, Value]) -> Reward:
    """One reward by its registered name or its path, with its options.

    Raises:
        RlpoetError, UnknownName: no such reward, or an option it does not take.
    """
    found = at_path(name) if ":" in name else registry.load(REWARDS, name)
    try:
        reward: Reward = found(**options) if isinstance(found, type) else registry.load(WRAPPERS, "function")(found, **options)
    except (TypeError, ValueError) as error:
        raise RlpoetError(f"--reward_options.{name}: {error}") from None
    if not isinstance(reward, Reward):
        raise RlpoetError(f"--rewards.{name}: a class without name, score and explain; expected a reward, or a function f(texts).")
    return reward


def gated(named: Mapping[str, Reward], name: str, gate: Mapping[str, Value], make: Callable[[str], Reward]) -> Reward:
    """A reward behind a gate that need not have a weight of its own.

    Args:
        make: a reward by its name, with its options.

    Raises:
        RlpoetError, UnknownName: a gate that is none.
    """
    for key in gate:
        if key not in GATE_KEYS:
            raise UnknownName(f"--gates.{name}", key, GATE_KEYS)
    if not isinstance(gate.get("if"), str):
        raise RlpoetError(f"--gates.{name}: no reward to look at; expected --gates.{name}.if NAME.")
    other = str(gate["if"])
    by = named[other] if other in named else make(other)
    try:
        reward: Reward = registry.load(WRAPPERS, "gate")(by, named[name], at_least=gate.get("at_least", 1.0))
    except (TypeError, ValueError) as error:
        raise RlpoetError(f"--gates.{name}: {error}") from None
    return reward


def at_path(path: str) -> Any:
    """The object at ``module:object``; modules of the folder one works in are found too, after all that is installed.

    Raises:
        RlpoetError: no such module, or no such callable in it.
    """
    module, _, attribute = path.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)
    try:
        found = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise RlpoetError(f"--rewards.{path}: {error}; expected MODULE:FUNCTION, importable from here.") from error
    if not callable(found):
        raise RlpoetError(f"--rewards.{path}: {type(found).__name__}; expected a function f(texts) or a class of rewards.")
    return found
