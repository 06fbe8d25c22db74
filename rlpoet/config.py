"""One schema a verb: a frozen dataclass, filled from YAML files and flags over them.

jsonargparse reads and checks the values. What is here turns an argument list into one spelling (``--key=value``) first, so that
positional words, short flags and lists work alike, and turns every complaint into one line with the nearest known name.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ActionYesNo, ArgumentError, ArgumentParser

from rlpoet.command import Command, current, renames_of
from rlpoet.errors import RlpoetError, did_you_mean
from rlpoet.text import read_text

Schema = TypeVar("Schema")


def parse(command: Command, argv: Sequence[str], *, tell: Callable[[str], None] | None = None) -> Any:
    """The config a verb runs with. Names of an earlier release are read too (``rlpoet.command.Renames``).

    Args:
        command: whose schema.
        argv: what follows the verb. ``--config FILE`` may stand anywhere; flags win over files, later files over earlier ones.
        tell: called once, with one line, if flags or files use earlier names.

    Raises:
        RlpoetError: an unknown flag or key, a value of the wrong type, a required one missing, or one given by its earlier name too.
        SystemExit: ``--help`` was asked for and shown.
    """
    flags = _Flags(command)
    given, configs = flags.read(argv)
    notes: list[str] = []
    given = current(command.config, given, where="--", note=notes.append)
    values: dict[str, Any] = {}
    sources: list[str] = []  # each a path, or what stands in the file, by today's names
    for path in configs:
        n_notes = len(notes)
        content = _read_yaml(path, command.config, flags.fields, notes.append)
        values |= content
        sources.append(path if len(notes) == n_notes else yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
    if notes and tell is not None:
        tell("; ".join(dict.fromkeys(notes)))
    given = _by_path(_gathered(given, values, flags.fields), values, command.config)
    values |= given
    parser = _parser(command, with_help="help" in given)
    if "help" in given:
        parser.print_help()
        raise SystemExit(0)
    words = [f"--config={source}" for source in sources] + [word for key, value in given.items() for word in _spell(key, value)]
    try:
        namespace = parser.instantiate(parser.parse_args(words))
    except ArgumentError as error:
        raise RlpoetError(_complaint(str(error), flags, values)) from None
    return command.config(**{name: getattr(namespace, name) for name in flags.fields})


def read(schema: type[Schema], path: str | Path) -> Schema:
    """The configuration in a YAML file.

    Args:
        schema: a frozen dataclass.

    Raises:
        RlpoetError: as ``parse``.
    """
    config: Schema = parse(Command(schema.__name__, "", schema, lambda config: 0), ["--config", str(path)])
    return config


class _Flags:
    """The names a verb takes, and how to read an argument list that uses them."""

    def __init__(self, command: Command) -> None:
        self.command = command
        self.fields: dict[str, Any] = typing.get_type_hints(command.config)
        self.many = {name for name, hint in self.fields.items() if typing.get_origin(hint) in (tuple, list)}
        self.switches = {name for name, hint in self.fields.items() if hint is bool}
        self.renames = renames_of(command.config)
        for names in (self.many, self.switches):
            names |= {old[0] for old, new in self.renames.keys.items() if len(old) == 1 and new[0] in names}

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
            if name in self.switches or (name.startswith("no_") and name[3:] in self.switches):
                if value is not None:
                    raise RlpoetError(f"{word}: this flag takes no value; expected --{name} or --no_{name}.")
                given[name.removeprefix("no_") if name not in self.switches else name] = name in self.switches
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
        return given, configs

    def wanted(self, name: str) -> str:
        """What a field takes, for people."""
        return "a YAML file" if name == "config" else _describe(self.hint(name))

    def hint(self, name: str) -> Any:
        """The type of a field, ``beta`` or ``common.beta``; of a table for what is in it."""
        root, _, rest = self.today(name).partition(".")
        found = self.fields.get(root, str)
        return typing.get_type_hints(found).get(rest.partition(".")[0], str) if rest and dataclasses.is_dataclass(found) else found

    def today(self, name: str) -> str:
        """A flag by its name of today."""
        return ".".join(self.renames.key(tuple(name.split("."))))

    def _split(self, word: str) -> tuple[str, str | None]:
        if not word.startswith("--"):
            name = self.command.short.get(word[1])
            if name is None:
                raise RlpoetError(f"unknown flag {word!r}; expected one of {self._usage()}.")
            return name, word[2:].removeprefix("=") or None
        name, equals, value = word[2:].partition("=")
        known = [*self.fields, "config", "help"]
        today = self.today(name)
        if today.partition(".")[0] not in known and name.removeprefix("no_") not in self.switches:
            spelt = [f"--{k}" for k in known]
            raise RlpoetError(f"unknown flag '--{name}'{did_you_mean('--' + name, spelt)}; expected one of {', '.join(sorted(spelt))}.")
        root, _, inner = today.partition(".")
        if dataclasses.is_dataclass(self.fields.get(root)):
            parts = [f"--{root}.{key}" for key in typing.get_type_hints(self.fields[root])]
            if f"--{root}.{inner.partition('.')[0]}" not in parts:
                raise RlpoetError(f"unknown flag '--{name}'{did_you_mean('--' + name, parts)}; expected one of {', '.join(parts)}.")
        return name, value if equals else None

    def _usage(self) -> str:
        places = [f"{name.upper()} ..." if name in self.many else name.upper() for name in self.command.positional]
        return " ".join([*places, *(f"-{letter}" for letter in self.command.short), *(f"--{name}" for name in self.fields)])


def _gathered(given: dict[str, Any], from_files: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Flags with ``--arms.hot.beta 3 --arms.hot.tries 2`` as one table: jsonargparse keeps only the last key of a table in a table."""
    out: dict[str, Any] = {}
    for key, value in given.items():
        root, _, rest = key.partition(".")
        hint: Any = fields.get(root)
        if dataclasses.is_dataclass(hint) and "." in rest:
            inner, _, rest = rest.partition(".")
            root, hint = f"{root}.{inner}", typing.get_type_hints(hint).get(inner)
        name, dot, last = rest.rpartition(".") if ":" in rest else rest.partition(".")
        if not dot or typing.get_origin(typing.get_args(hint)[-1] if typing.get_args(hint) else None) is not Mapping:
            out[key] = value
            continue
        known = functools.reduce(lambda table, part: table.get(part) or {}, [*root.split("."), name], from_files)
        table = out.setdefault(f"{root}.{name}", dict(known))
        table[last] = yaml.safe_load(value) if isinstance(value, str) else value
    return out


def _by_path(given: dict[str, Any], from_files: dict[str, Any], config: type[Any]) -> dict[str, Any]:
    """Flags with ``--rewards.my.module:function 1`` as whole tables: jsonargparse would take every dot of the path for a table."""
    out = dict(given)
    hints = typing.get_type_hints(config)
    makers = {item.name: item.default_factory for item in dataclasses.fields(config) if typing.get_origin(hints[item.name]) is Mapping}
    for root in {key.partition(".")[0] for key in given if ":" in key} & makers.keys():
        known, make = from_files.get(root), makers[root]
        own = out.pop(root, known if known is not None else {} if make is dataclasses.MISSING else make())
        table = dict(yaml.safe_load(own) if isinstance(own, str) else own)
        for key in [key for key in out if key.startswith(f"{root}.")]:
            value = out.pop(key)
            name, old = key.partition(".")[2], table.get(key.partition(".")[2])
            new = yaml.safe_load(value) if isinstance(value, str) else value
            table[name] = {**old, **new} if isinstance(old, Mapping) and isinstance(new, Mapping) else new
        out[root] = table
    return out


def _is_flag(word: str) -> bool:
    return re.match(r"-[A-Za-z]|--", word) is not None  # "-" and "-0.5" are values


def _spell(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}" if value else f"--no_{key}"]
    return [f"--{key}={json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict | None) else value}"]


def _read_yaml(path: str, schema: type[Any], known: Iterable[str], note: Callable[[str], None]) -> dict[str, Any]:
    text = read_text(path)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise RlpoetError(f"{where}: not YAML ({getattr(error, 'problem', None) or error}); expected `key: value` lines.") from None
    if not isinstance(content, dict):
        raise RlpoetError(f"{path}: {type(content).__name__}; expected `key: value` lines.")
    content = current(schema, content, where=f"{path}: ", note=note)
    known = sorted(known)
    for key in content:
        if key not in known:
            raise RlpoetError(f"{path}: unknown key {key!r}{did_you_mean(str(key), known)}; expected one of {', '.join(known)}.")
    return content


def _parser(command: Command, *, with_help: bool) -> ArgumentParser:
    docs = _docs(command.config) if with_help else {}
    usage = " ".join(["rlpoet", command.name, *(f"[{p.upper()}]" for p in command.positional), "[--config FILE]", "[--flag VALUE ...]"])
    about = docs.get("", command.help)
    parser = ArgumentParser(prog=f"rlpoet {command.name}", usage=usage, description=about, exit_on_error=False, print_config=None)
    parser.add_argument("--config", action="config", help="YAML file with these keys; flags win over it.")
    letters = {name: letter for letter, name in command.short.items()}
    hints = typing.get_type_hints(command.config)
    for item in dataclasses.fields(command.config):
        options: dict[str, Any] = {"help": docs.get(item.name)}
        if item.default is not dataclasses.MISSING:
            options["default"] = item.default
        elif item.default_factory is not dataclasses.MISSING:
            options["default"] = item.default_factory()
        else:
            options["required"] = True
        names = [f"--{item.name}"]
        if hints[item.name] is bool:
            options["action"] = ActionYesNo
        else:
            options |= {"type": hints[item.name]}
            if not dataclasses.is_dataclass(hints[item.name]):  # each of its fields gets a flag and a name of its own
                options["metavar"] = item.name.rpartition("_")[2].upper()
            names += [f"-{letters[item.name]}"] if item.name in letters else []
        parser.add_argument(*names, **options)
    return parser


def _docs(config: type[Any]) -> dict[str, str]:
    """Field -> its line in the docstring's ``Attributes:``; ``""`` -> the docstring's own text."""
    import docstring_parser

    docs: dict[str, str] = {}
    for kind in reversed(config.__mro__):  # a schema may extend another
        parsed = docstring_parser.parse(kind.__doc__ or "")
        docs |= {p.arg_name: " ".join((p.description or "").split()).replace("%", "%%") for p in parsed.params}
    return {"": (parsed.description or "").replace("``", "").replace("%", "%%"), **docs}


def _complaint(message: str, flags: _Flags, values: dict[str, Any]) -> str:
    missing = re.match(r"the following arguments are required: (.*)", message)
    if missing:
        name = missing[1].split(",")[0].strip().lstrip("-")
        shown = name.upper() if name in flags.command.positional else f"--{name}"
        return f"{shown} is missing; expected {flags.wanted(name)}."
    key = re.search(r'[Kk]ey "([\w.]+)"', message)
    if key is None or key[1] not in values:
        return " ".join(message.split())
    value, hint = values[key[1]], flags.hint(key[1])
    near = did_you_mean(str(value), map(str, typing.get_args(hint))) if typing.get_origin(hint) is typing.Literal else ""
    return f"--{key[1]}: {value!r}{near}; expected {_describe(hint)}."


@functools.cache
def _describe(hint: Any) -> str:
    """A type in words.

    >>> _describe(int | None), _describe(typing.Literal["fr", "es"]), _describe(tuple[str, ...])
    ('a whole number or nothing', "one of 'fr', 'es'", 'a list, each item a text')
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(repr, args))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_describe, args))
    if origin in (tuple, list):
        return f"a list, each item {_describe(args[0])}"
    if origin is dict:
        return f"a table of names, each with {_describe(args[1])}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false", type(None): "nothing"}
    return words.get(hint, "a path" if getattr(hint, "__name__", "") == "Path" else str(getattr(hint, "__name__", hint)))
