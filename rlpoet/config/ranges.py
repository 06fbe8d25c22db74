"""Ranges and choices of options as types: written once, held from Python and from the command line, shown by the help.

    beta: NonNegative = 30.0
    objective: Literal["tb", "subtb"] = "tb"

A configuration class that extends ``Options`` refuses a value outside its type whoever makes it.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any

from annotated_types import BaseMetadata, Ge, Gt, Le, Lt

from rlpoet.errors import RlpoetError, UnknownName, did_you_mean

Natural = Annotated[int, Ge(0)]
Count = Annotated[int, Ge(1)]
Several = Annotated[int, Ge(2)]
MOST_SEED = 2**32 - 1  # that every library takes
Seed = Annotated[int, Ge(0), Le(MOST_SEED)]
NonNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
ShareAboveZero = Annotated[float, Gt(0), Le(1)]
ShareBelowOne = Annotated[float, Ge(0), Lt(1)]

WORDS: dict[tuple[BaseMetadata, ...], str] = {
    (Ge(0),): "0 or more",
    (Ge(1),): "1 or more",
    (Ge(2),): "2 or more",
    (Ge(0), Le(MOST_SEED)): f"0 to {MOST_SEED}",
    (Gt(0),): "more than 0",
    (Ge(0), Le(1)): "a share in [0, 1]",
    (Gt(0), Le(1)): "a share in (0, 1]",
    (Ge(0), Lt(1)): "a share in [0, 1)",
}


def bare(hint: Any) -> Any:
    """A type without its ranges, for a parser that knows none.

    >>> bare(Count), bare(Share | None)
    (<class 'int'>, float | None)
    """
    if typing.get_origin(hint) is Annotated:
        return bare(typing.get_args(hint)[0])
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = [bare(part) for part in typing.get_args(hint)]
        union = parts[0]
        for part in parts[1:]:
            union = union | part
        return union
    return hint


def expected(hint: Any) -> str:
    """The range of a type in words; empty for one without a range.

    >>> expected(Count), expected(ShareBelowOne | None), expected(int), expected(typing.Literal["own", "trl"])
    ('1 or more', 'a share in [0, 1)', '', "one of 'own', 'trl'")
    """
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(hint)))
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(filter(None, map(expected, typing.get_args(hint))))
    bounds = tuple(part for part in getattr(hint, "__metadata__", ()) if isinstance(part, BaseMetadata))
    return WORDS[bounds] if bounds else ""


def outside(hint: Any, value: Any) -> str:
    """What a value outside its type should have been; empty for one inside.

    Args:
        hint: ranges, choices and their unions are looked at; of any other type every value is inside.

    >>> outside(Count, 0), outside(Count, 3), outside(Share | None, None), outside(Share, float("nan"))
    ('1 or more', '', '', 'a share in [0, 1]')
    >>> outside(typing.Literal["own", "trl"], "owm")
    "one of 'own', 'trl'"
    >>> outside(tuple[typing.Literal["hot", "human"], ...], ("hot", "cold"))
    "one of 'hot', 'human'"
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple and isinstance(value, tuple | list):
        return next((why for item in value if (why := outside(args[0], item))), "")
    if origin in (typing.Union, types.UnionType):
        whys = [outside(part, value) for part in args]
        return "" if not all(whys) else " or ".join(why for why in whys if why != "nothing")
    if hint is type(None):
        return "" if value is None else "nothing"
    if not expected(hint):
        return ""
    if origin is typing.Literal:
        return "" if value in args else expected(hint)
    number = args[0] if args else getattr(hint, "__origin__", None)
    kinds = (int,) if number is int else (int, float)
    inside = isinstance(value, kinds) and not isinstance(value, bool) and all(_holds(bound, value) for bound in hint.__metadata__)
    return "" if inside else expected(hint)


def _holds(bound: BaseMetadata, value: Any) -> bool:
    match bound:
        case Ge(ge):
            return bool(value >= ge)
        case Gt(gt):
            return bool(value > gt)
        case Le(le):
            return bool(value <= le)
        case Lt(lt):
            return bool(value < lt)
    raise TypeError(f"{bound!r}: expected Ge, Gt, Le or Lt")


@cache
def hints_of(schema: Any) -> dict[str, Any]:
    """Field of a dataclass -> its type, ranges included."""
    hints = typing.get_type_hints(schema, include_extras=True)
    return {item.name: hints[item.name] for item in dataclasses.fields(schema)}


def in_order(schema: Any) -> list[dataclasses.Field[Any]]:
    """Fields of a dataclass, its own before those of its bases: in the order in which a reader wants them."""
    named = inspect.get_annotations(schema)
    own = [item for item in dataclasses.fields(schema) if item.name in named]
    return own + [item for item in dataclasses.fields(schema) if item not in own]


def leaves(schema: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and type of every field, those of nested dataclasses included."""
    for name, hint in hints_of(schema).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from leaves(hint, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", hint


def refuse(name: str, hint: Any, value: Any) -> None:
    """Refuse a value outside its type.

    Raises:
        RlpoetError: ``name: value; expected ...``.

    >>> refuse("--ppo.lam", Share, 1.5)
    Traceback (most recent call last):
    rlpoet.errors.RlpoetError: --ppo.lam: 1.5; expected a share in [0, 1].
    """
    if why := outside(hint, value):
        items = value if isinstance(value, tuple | list) else [value]
        wrong = next(item for item in items if outside(_item(hint), item))
        near = did_you_mean(str(wrong), map(str, typing.get_args(_item(hint)))) if typing.get_origin(_item(hint)) is typing.Literal else ""
        raise RlpoetError(f"{name}: {wrong!r}{near}; expected {why}.")


UNSPEAKABLE = re.compile("[\x00\ud800-\udc7f\udd00-\udfff]")  # but for U+DC80 to U+DCFF: bytes of a file's name that are no UTF-8


def refuse_unspeakable(name: str, value: Any) -> None:
    r"""Refuse a text with a character that no file, no name and no verse can have: NUL, or half a surrogate pair.

    Raises:
        RlpoetError: ``name: ...``; lists and tables are looked into.

    >>> refuse_unspeakable("--out", {"a": ["b" + chr(0)]})
    Traceback (most recent call last):
    rlpoet.errors.RlpoetError: --out: 'b\x00' has the character U+0000; expected text without it.
    """
    if isinstance(value, str):
        if found := UNSPEAKABLE.search(value):
            shown = value[max(0, found.start() - 30) : found.end() + 30]
            raise RlpoetError(f"{name}: {shown!r} has the character U+{ord(found[0]):04X}; expected text without it.")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            refuse_unspeakable(name, [str(key), item])
    elif isinstance(value, tuple | list):
        for item in value:
            refuse_unspeakable(name, item)


def _item(hint: Any) -> Any:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint


@dataclass(frozen=True)
class Options:
    """Base of configuration classes whose values are held to their types."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for name, hint in hints_of(kind).items():
            refuse(name, hint, getattr(self, name))


def flat(settings: Mapping[str, Any], schema: Any, prefix: str = "") -> dict[str, Any]:
    """Settings of a configuration by dotted name: tables of nested dataclasses are opened, other tables stay."""
    out: dict[str, Any] = {}
    hints = hints_of(schema)
    for name, value in settings.items():
        hint = hints.get(name)
        if isinstance(value, Mapping) and dataclasses.is_dataclass(hint) and isinstance(hint, type):
            out |= flat(value, hint, f"{prefix}{name}.")
        else:
            out[f"{prefix}{name}"] = value
    return out


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The reverse of ``flat``: a dotted name becomes a key in a table.

    >>> nested({"seed": 1, "ppo.lam": 0.5, "ppo": {"epochs": 2}})
    {'seed': 1, 'ppo': {'lam': 0.5, 'epochs': 2}}
    """
    out: dict[str, Any] = {}
    for name, value in settings.items():
        *tables, last = name.split(".")
        at = out
        for table in tables:
            at = at.setdefault(table, {})
        if isinstance(value, Mapping) and isinstance(at.get(last), dict):
            at[last] |= value
        else:
            at[last] = dict(value) if isinstance(value, Mapping) else value
    return out


def left_to_preset(schema: Any, given: Mapping[str, Any], prefix: str = "") -> set[str]:
    """Dotted names that a ``preset`` among the settings decides, and that are not given themselves.

    Args:
        schema: a configuration. One with presets, or one of those in it, has them in ``PRESETS``: preset -> field -> value.
        given: settings by dotted name.
    """
    presets: Mapping[str, Mapping[str, Any]] = getattr(schema, "PRESETS", {})
    left = {f"{prefix}{name}" for name in presets.get(str(given.get(f"{prefix}preset")), {})} - given.keys()
    for name, hint in hints_of(schema).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            left |= left_to_preset(hint, given, f"{prefix}{name}.")
    return left


def made(schema: Any, values: Mapping[str, Any]) -> Any:
    """A configuration from values, with those in it as mappings or made already; lists become tuples where the schema has them.

    Raises:
        UnknownName: a name the schema does not have.
        RlpoetError: a value outside its type.
    """
    hints: dict[str, Any] = hints_of(schema)
    out: dict[str, Any] = {}
    for name, value in nested(values).items():
        if name not in hints:
            raise UnknownName("setting", name, hints)
        inner = dataclasses.is_dataclass(hints[name]) and isinstance(value, Mapping)
        is_list = typing.get_origin(hints[name]) is tuple and isinstance(value, list)
        out[name] = made(hints[name], value) if inner else tuple(value) if is_list else value
    return schema(**out)
