"""The flags of a verb as words: how an argument list is read, which names it may use, and how a value goes to the parser."""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from rlpoet.config.command import Command, chosen, renames_of
from rlpoet.config.documents import read_yaml
from rlpoet.config.ranges import expected, hints_of, leaves
from rlpoet.errors import RlpoetError, UnknownName, did_you_mean


class Flags:
    """The names a verb takes, and how to read an argument list that uses them."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.fields: dict[str, Any] = dict(leaves(command.config))  # by dotted name
        self.tables = {table for name in self.fields for table in _tables_of(name)}
        self.many = {name for name, hint in self.fields.items() if typing.get_origin(hint) in (tuple, list)}
        self.switches = {name for name, hint in self.fields.items() if hint is bool}
        self.were_switches = set(getattr(command.config, "EARLIER_SWITCHES", {}))
        self.renames = renames_of(command.config)
        for names in (self.many, self.switches):
            names |= {".".join(old) for old, new in self.renames.keys.items() if ".".join(new) in names}

    def read(self, argv: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """``(field -> word, list of words or bool)`` and the config files, in order."""
        given: dict[str, Any] = {}
        configs: list[str] = []
        bare: list[str] = []
        rest = list(argv)
        while rest:
            word = rest.pop(0)
            if word == "--":
                bare += rest
                break
            if word in ("-h", "--help"):
                return {"help": True}, []
            if not word.startswith("-") or word == "-":
                bare.append(word)
                continue
            name, value = self._split(word)
            if name in self.switches or self._off(name):
                if value is not None:
                    raise RlpoetError(f"{word}: this flag takes no value; expected --{name} or --{negated(name)}.")
                given[name if name in self.switches else self._off(name)] = name in self.switches
                continue
            if value is None and name in self.were_switches and (not rest or _is_flag(rest[0])):
                given[name] = True
                continue
            if name.removeprefix("no_") in self.were_switches - {name}:
                given[name.removeprefix("no_")] = False
                continue
            if value is None:
                if not rest or _is_flag(rest[0]):
                    raise RlpoetError(f"--{name}: no value; expected {self.wanted(name)}.")
                value = rest.pop(0)
            if name == "config":
                configs.append(value)
            elif name in self.many:
                if name not in given:
                    given[name] = []
                given[name].append(value)
                while rest and not _is_flag(rest[0]) and name not in self.command.positional:
                    given[name].append(rest.pop(0))
            else:
                given[name] = value
        for name in self.command.positional:
            if bare and name in self.many:
                given[name], bare = [*given.get(name, []), *bare], []
            elif bare and name not in given:
                given[name] = bare.pop(0)
        if bare:
            raise RlpoetError(f"{bare[0]!r}: one word too many; expected {self._usage()}.")
        return {name: _listed(value) for name, value in given.items()}, configs

    def wanted(self, name: str) -> str:
        """What a field takes, for people."""
        return "a YAML file" if name == "config" else described(self.hint(name))

    def hint(self, name: str) -> Any:
        """The type of a field by its dotted name; of a table or of what is in one, the table's."""
        return self.fields.get(self.leaf(self.today(name))[0], str)

    def leaf(self, name: str) -> tuple[str, str]:
        """The field a dotted name belongs to, and what follows it: ``rewards`` and ``rhyme``. An unknown name is its own field."""
        parts = name.split(".")
        heads = (".".join(parts[:n]) for n in range(1, len(parts) + 1))
        return next(((head, name[len(head) + 1 :]) for head in heads if head in self.fields), (name, ""))

    def today(self, name: str) -> str:
        """A flag by its name of today."""
        return ".".join(chosen(self.renames.key(tuple(name.split("."))), {}, ()))

    def _split(self, word: str) -> tuple[str, str | None]:
        if not word.startswith("--"):
            name = self.command.short.get(word[1])
            if name is None:
                raise RlpoetError(f"unknown flag {word!r}; expected one of {self._usage()}.")
            return name, word[2:].removeprefix("=") or None
        name, equals, value = word[2:].partition("=")
        today = self.today(name)
        known = today in ("config", "help", *self.tables) or self.leaf(today)[0] in self.fields
        if not known and not self._off(name) and name.removeprefix("no_") not in self.were_switches:
            room = next((table for table in sorted(self.tables, key=len, reverse=True) if today.startswith(f"{table}.")), "")
            spelt = sorted({f"--{key}" for key in self._beside(room)})
            raise RlpoetError(f"unknown flag '--{name}'{did_you_mean('--' + name, spelt)}; expected one of {', '.join(spelt)}.")
        return name, value if equals else None

    def _off(self, name: str) -> str:
        """The switch that ``no_whiten`` or ``ppo.no_whiten`` turns off; empty if it is none."""
        table, _, last = name.rpartition(".")
        switch = f"{table}.{last[3:]}".lstrip(".")
        return switch if last.startswith("no_") and switch in self.switches else ""

    def _beside(self, table: str) -> list[str]:
        """What stands in a table, or at the top: fields, and tables that hold more."""
        inside = [name[len(table) + 1 if table else 0 :] for name in self.fields if name.startswith(f"{table}." if table else "")]
        own = [name for name in inside if "." not in name]
        below = dict.fromkeys(name.partition(".")[0] for name in inside if "." in name)
        names = own + [f"{name}.OPTION" for name in below]
        return [f"{table}.{name}" for name in names] if table else [*names, "config", "help"]

    def _usage(self) -> str:
        places = [f"{name.upper()} ..." if name in self.many else name.upper() for name in self.command.positional]
        return " ".join(
            [
                *places,
                *(f"-{letter}" for letter in self.command.short),
                *(f"--{name}" for name in self._beside("") if name not in ("config", "help")),
            ]
        )


def _listed(value: Any) -> Any:
    """Words of a list, where they were written as one: ``'[couplet, sonnet]'``."""
    if isinstance(value, list) and len(value) == 1 and re.fullmatch(r"\[.*\]", value[0], re.S):
        try:
            items = read_yaml(value[0])
        except yaml.YAMLError:  # a text with brackets at both ends: ``[sic] or [not]``
            return value
        return items if isinstance(items, list) else value
    return value


def _parsed(key: str, value: Any) -> Any:
    """A value of a table as YAML reads it, if it is still a word.

    Raises:
        RlpoetError: it is no YAML.
    """
    try:
        return read_yaml(value) if isinstance(value, str) else value
    except yaml.YAMLError:
        raise RlpoetError(f"--{key}: {value!r}; expected YAML. Close its brackets and quotes, or quote the whole of it.") from None


def _tables_of(name: str) -> list[str]:
    """``a.b.c`` lies in ``a`` and ``a.b``."""
    parts = name.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]


def negated(name: str) -> str:
    """``ppo.whiten`` as the flag that turns it off: ``ppo.no_whiten``."""
    table, dot, last = name.rpartition(".")
    return f"{table}{dot}no_{last}"


def opened(given: dict[str, Any], flags: Flags) -> dict[str, Any]:
    """Flags with ``--common '{beta: 3}'``, a whole table, as its single options."""
    out: dict[str, Any] = {}
    for key, value in given.items():
        if key not in flags.tables or not isinstance(value, str):
            out[key] = value
            continue
        table = _parsed(key, value)
        if not isinstance(table, Mapping):
            raise RlpoetError(f"--{key}: {value!r}; expected a table such as {{OPTION: VALUE}}, or one option: --{key}.OPTION VALUE.")
        for name, item in table.items():
            if flags.leaf(f"{key}.{name}")[0] not in flags.fields and f"{key}.{name}" not in flags.tables:
                known = [other.rpartition(".")[2] for other in flags.fields if other.rpartition(".")[0] == key]
                raise UnknownName(f"--{key}", str(name), known)
            out |= opened({f"{key}.{name}": json.dumps(item, ensure_ascii=False) if isinstance(item, Mapping) else item}, flags)
    return out


def gathered(given: dict[str, Any], from_files: dict[str, Any], flags: Flags) -> dict[str, Any]:
    """Flags with ``--arms.hot.beta 3 --arms.hot.tries 2`` as one table: jsonargparse keeps only the last key of a table in a table."""
    out: dict[str, Any] = {}
    for key, value in given.items():
        root, rest = flags.leaf(key)
        hint: Any = flags.fields.get(root)
        module, colon, option = rest.rpartition(":")  # ``my.module:function.option``: dots before the colon are of the path
        name, dot, last = option.partition(".")
        name = module + colon + name
        if not dot or typing.get_origin(typing.get_args(hint)[-1] if typing.get_args(hint) else None) is not Mapping:
            out[key] = value
            continue
        known = functools.reduce(lambda table, part: table.get(part) or {}, [root, name], from_files)
        table = out.setdefault(f"{root}.{name}", dict(known))
        table[last] = _parsed(key, value)
    return out


def by_path(given: dict[str, Any], from_files: dict[str, Any], config: type[Any], flags: Flags) -> dict[str, Any]:
    """Flags with ``--rewards.my.module:function 1`` as whole tables: jsonargparse would take every dot of the path for a table."""
    out = dict(given)
    defaults = _defaults(config)
    tables = {name for name, hint in flags.fields.items() if typing.get_origin(hint) is Mapping}
    for root in {flags.leaf(key)[0] for key in given if ":" in key} & tables:
        known = from_files.get(root)
        own = out.pop(root, known if known is not None else defaults.get(root, {}))
        table = dict(_parsed(root, own))
        for key in [key for key in out if key.startswith(f"{root}.")]:
            value = out.pop(key)
            name = key[len(root) + 1 :]
            old = table.get(name)
            new = _parsed(key, value)
            table[name] = {**old, **new} if isinstance(old, Mapping) and isinstance(new, Mapping) else new
        out[root] = table
    return out


def _defaults(schema: Any, prefix: str = "") -> dict[str, Any]:
    """Default of every field that has one, by dotted name."""
    out: dict[str, Any] = {}
    for item in dataclasses.fields(schema):
        if item.default is not dataclasses.MISSING:
            value = item.default
        elif item.default_factory is not dataclasses.MISSING:
            value = item.default_factory()
        else:
            continue
        hint = hints_of(schema)[item.name]
        if dataclasses.is_dataclass(hint):
            inner = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
            out |= {f"{prefix}{item.name}.{key}": each for key, each in _opened_values(inner).items()}
        else:
            out[f"{prefix}{item.name}"] = value
    return out


def _opened_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a configuration object by dotted name, those of configurations in it included."""
    out: dict[str, Any] = {}
    for name, value in values.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            inner = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
            out |= {f"{name}.{key}": each for key, each in _opened_values(inner).items()}
        else:
            out[name] = value
    return out


def _is_flag(word: str) -> bool:
    return re.match(r"-[A-Za-z]|--", word) is not None  # "-" and "-0.5" are values


def spelled(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}={str(value).lower()}"]
    if value is None:
        return [f"--{key}=null"]
    return [f"--{key}={json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value}"]


@functools.cache
def described(hint: Any) -> str:
    """A type in words.

    >>> described(int | None), described(typing.Literal["fr", "es"]), described(tuple[str, ...])
    ('a whole number or nothing', "one of 'fr', 'es'", 'a list, each item a text')
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return f"{described(args[0])}, {expected(hint)}"
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(described, args))
    if origin in (tuple, list):
        return f"a list, each item {described(args[0])}"
    if origin is dict:
        return f"a table of names, each with {described(args[1])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "nothing"}
    return words.get(hint, "a path" if getattr(hint, "__name__", "") == "Path" else str(getattr(hint, "__name__", hint)))
