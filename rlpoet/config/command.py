"""What a verb of the command line is, and the earlier names by which its options are still read.

One module per verb, imported only when it is asked for.
"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from rlpoet.config.documents import read_yaml
from rlpoet.errors import RlpoetError

Key = tuple[str, ...]  # the parts of ``reward_options.meter.licence_credit``


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


# -- names of an earlier release ----------------------------------------------------------------------


@dataclass(frozen=True)
class Renames:
    """Names that keys of a configuration class had in an earlier release, those of the classes nested in it included.

    A class lists them in two class variables. ``EARLIER`` maps an old key to the new one, ``EARLIER_VALUES`` maps a new key to its old
    values, numbers as text. A key is a path such as ``reward_options.meter.licence_credit``; ``*`` stands for one part of it, such as
    an arm's name. A part ``{algo:tb,ppo}`` of a new key is the value of the key ``algo`` beside the old one, if it is one of these names,
    else the first of them.

    Attributes:
        keys: old path -> new path.
        values: new path -> old value -> new value.
    """

    keys: Mapping[Key, Key]
    values: Mapping[Key, Mapping[Any, Any]]

    def key(self, path: Key) -> Key:
        """The path as it is spelled today."""
        for old, new in self.keys.items():
            if len(path) >= len(old) and _matches(path, old):
                any_name = iter([own for own, part in zip(path, old, strict=False) if part == "*"])
                return (*(next(any_name) if part == "*" else part for part in new), *path[len(old) :])
        return path

    def value(self, path: Key, value: Any) -> Any:
        """A value, or each item of a list, as it is spelled today; ``path`` is the new one."""
        known = next((table for at, table in self.values.items() if len(at) == len(path) and _matches(path, at)), None)
        if not known:
            return value
        if isinstance(value, list):
            return [known.get(item, item) if isinstance(item, str) else item for item in value]
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return known.get(str(value), value) if isinstance(value, str | int) and not isinstance(value, bool) else value

    def below(self, path: Key) -> bool:
        """Whether something in the table at this path was renamed."""
        return any(len(old) > len(path) and _matches(path, old[: len(path)]) for old in (*self.keys, *self.values))


def renames_of(schema: type[Any]) -> Renames:
    """The old names of a configuration class.

    Args:
        schema: a dataclass; ``EARLIER`` and ``EARLIER_VALUES`` may be absent.
    """
    keys = {_parts(old): _parts(new) for old, new in getattr(schema, "EARLIER", {}).items()}
    values = {_parts(key): {str(was): now for was, now in table.items()} for key, table in getattr(schema, "EARLIER_VALUES", {}).items()}
    for name, hint in typing.get_type_hints(schema).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            inner = renames_of(hint)
            keys |= {(name, *old): (name, *new) for old, new in inner.keys.items()}
            values |= {(name, *key): dict(table) for key, table in inner.values.items()}
    return Renames(keys, values)


@dataclass(frozen=True)
class Switch:
    """What an option that was a switch in an earlier release stands for today.

    A class lists its own in a class variable ``EARLIER_SWITCHES``, by name.

    Attributes:
        on: option whose value it takes where its flag is given without one.
        off: switch that ``--no_NAME`` means; "" if that is what happens anyway.
    """

    on: str
    off: str = ""


def switched(schema: type[Any], flags: Mapping[str, Any], others: Mapping[str, Any], note: Callable[[str], None]) -> dict[str, Any]:
    """Flags with those that were switches as they are today.

    Args:
        flags: by name; one that was a switch, and is given as one, is True or False.
        others: values from files.
        note: called with one text per old spelling.

    Raises:
        RlpoetError: the option whose value it takes is not given.
    """
    out = dict(flags)
    for name, switch in getattr(schema, "EARLIER_SWITCHES", {}).items():
        was = out.get(name)
        if was is True:
            value = out[name] = out.get(switch.on, others.get(switch.on))
            if value is None:
                raise RlpoetError(f"--{name}: no value; expected a text.")
            note(f"--{name} without a value is --{name} {value} now")
        elif was is False:
            del out[name]
            out |= {switch.off: True} if switch.off else {}
            note(f"--no_{name} is {f'--{switch.off}' if switch.off else 'left out'} now")
    return out


def without_switches(schema: type[Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a file less the options that were switches, and stand there as true or false: every run's file had them."""
    old = getattr(schema, "EARLIER_SWITCHES", {})
    return {key: value for key, value in content.items() if not (key in old and isinstance(value, bool))}


def under(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """The old names of settings that stand in a table of tables.

    >>> under("arms.*", {"drill": "aux_rhyme_weight"})
    {'arms.*.drill': 'arms.*.aux_rhyme_weight'}
    """
    return {f"{prefix}.{key}": f"{prefix}.{value}" if isinstance(value, str) else value for key, value in table.items()}


def current(schema: type[Any], values: Mapping[str, Any], *, where: str = "", note: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Values by the names of today.

    Args:
        values: keys, dotted or nested, as a file or a set of flags spells them.
        where: what a key is written behind in messages: ``--`` or ``FILE: ``.
        note: called with one text per old name, such as ``--drill is --aux_rhyme_weight now``.

    Raises:
        RlpoetError: a setting stands under its old name and its new one.
    """
    renames = renames_of(schema)
    if not renames.keys and not renames.values:
        return dict(values)
    return _walk(renames, values, (), where, note or (lambda text: None))


def _walk(renames: Renames, table: Mapping[str, Any], at: Key, where: str, note: Callable[[str], None]) -> dict[str, Any]:
    dashes = "--" if where == "--" else ""
    out: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    for key, value in table.items():
        path = (*at, *str(key).split("."))
        new_path = chosen(renames.key(path), table, at)
        name = ".".join(new_path[len(at) :]) if new_path != path else key
        old, new = ".".join(path), ".".join(new_path)
        if name in spelled:
            one, other = sorted((old, spelled[name]), key=lambda text: text == new)
            raise RlpoetError(f"{where}{one}: given beside {dashes}{other}, its new name; expected one of them. Leave out {dashes}{one}.")
        spelled[name] = old
        out[name] = _inside(renames, value, new_path, where, note)
        if isinstance(value, Mapping) or (isinstance(value, str) and out[name] != value and renames.below(new_path)):
            if new != old:
                note(f"{where}{old} is {dashes}{new} now")
            continue
        changed = out[name] != value
        if changed and out[name] is None:
            note(f"{where}{old} {_shown(value)} is the default of {dashes}{new} now")
        elif new != old or changed:
            was, now = (f" {_shown(value)}", f" {_shown(out[name])}") if changed else ("", "")
            note(f"{where}{old}{was} is {dashes}{new}{now} now")
    return out


def _inside(renames: Renames, value: Any, path: Key, where: str, note: Callable[[str], None]) -> Any:
    """A value with the names in it as of today; of a flag, a table may be written as YAML."""
    if isinstance(value, Mapping):
        return _walk(renames, value, path, where, note)
    if isinstance(value, str) and renames.below(path):
        try:
            table = read_yaml(value)
        except yaml.YAMLError:
            return value
        if isinstance(table, dict) and (walked := _walk(renames, table, path, where, note)) != table:
            return json.dumps(walked, ensure_ascii=False)
    return renames.value(path, value)


def chosen(path: Key, table: Mapping[str, Any], at: Key) -> Key:
    """A path whose part ``{algo:tb,ppo}`` is replaced by what the table says."""
    out: list[str] = []
    for part in path:
        if part.startswith("{"):
            key, _, known = part.strip("{}").partition(":")
            beside = table.get(".".join([*out[len(at) :], key]))
            part = beside if beside in known.split(",") else known.split(",")[0]
        out.append(part)
    return tuple(out)


def _parts(key: str) -> Key:
    return tuple(key.split("."))


def _matches(path: Key, pattern: Key) -> bool:
    return all(want in ("*", own) for own, want in zip(path, pattern, strict=False))


def _shown(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
