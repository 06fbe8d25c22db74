"""One schema a verb: a frozen dataclass, filled from YAML files and flags over them.

jsonargparse reads and checks the values. What is here turns an argument list into one spelling (``--key=value``) first, so that
positional words, short flags and lists work alike, and turns every complaint into one line with the nearest known name.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from jsonargparse import ArgumentError, ArgumentParser

from rlpoet.config.command import Command, current, switched, without_switches
from rlpoet.config.documents import MOST_BRACKETS, endless, read_yaml
from rlpoet.config.flags import Flags, by_path, described, gathered, negated, opened, spelled
from rlpoet.config.ranges import bare, expected, flat, hints_of, in_order, left_to_preset, made, nested, refuse, refuse_unspeakable
from rlpoet.errors import RlpoetError, did_you_mean
from rlpoet.text import read_text

Schema = TypeVar("Schema")


def parse(command: Command, argv: Sequence[str], *, tell: Callable[[str], None] | None = None) -> Any:
    """The config a verb runs with. Names of an earlier release are read too (``rlpoet.config.command.Renames``).

    Args:
        command: whose schema.
        argv: what follows the verb. ``--config FILE`` may stand anywhere; flags win over files, later files over earlier ones.
        tell: called once, with one line, if flags or files use earlier names.

    Raises:
        RlpoetError: an unknown flag or key, a value of the wrong type, a required one missing, or one given by its earlier name too.
        SystemExit: ``--help`` was asked for and shown.
    """
    flags = Flags(command)
    for word in argv:
        if endless(word):
            raise RlpoetError(f"{word[:30]!r} ...: lists in lists without end; expected at most {MOST_BRACKETS} brackets that open one.")
        refuse_unspeakable("argument", word)
    given, configs = flags.read(argv)
    notes: list[str] = []
    given = current(command.config, given, where="--", note=notes.append)
    bare_resume = given.get("resume") is True  # of an earlier release: the same command again, which went on
    files = [_read_yaml(path, command.config, notes.append) for path in configs]
    given = switched(command.config, given, {key: value for content, _ in files for key, value in content.items()}, notes.append)
    if given.get("resume") == "":  # of a shell variable that nobody set: no order to begin a new run
        raise RlpoetError("--resume: empty; expected the folder of a run that was stopped. Leave --resume out to start a new one.")
    if given.get("resume") and (beside := getattr(command.config, "RESUME_WITH", None)) is not None:
        given, configs = _resumed(given, configs, beside, strict=not bare_resume)
        files = [_read_yaml(path, command.config, notes.append) for path in configs]
    values: dict[str, Any] = {}  # of files, by dotted name
    sources: list[str] = []  # each a path, or what stands in the file, by today's names
    for path, (content, changed) in zip(configs, files, strict=True):
        values |= flat(content, command.config)
        sources.append(yaml.safe_dump(content, allow_unicode=True, sort_keys=False) if changed else path)
    if notes and tell is not None:
        tell("; ".join(dict.fromkeys(notes)))
    given = by_path(gathered(opened(given, flags), values, flags), values, command.config, flags)
    values |= given
    parser = _parser(command, with_help="help" in given)
    if "help" in given:
        parser.print_help()
        raise SystemExit(0)
    words = [f"--config={source}" for source in sources] + [word for key, value in given.items() for word in spelled(key, value)]
    try:
        namespace = parser.parse_args(words)
    except ArgumentError as error:
        raise RlpoetError(_complaint(str(error), flags, values)) from None
    except OverflowError:
        told = next((f"--{key}: {value}" for key, value in values.items() if _endless_number(value)), "a flag")
        raise RlpoetError(f"{told}; expected a number of at most 300 digits.") from None
    for name, hint in flags.fields.items():
        refuse(f"--{name}", hint, namespace[name])
        refuse_unspeakable(f"--{name}", namespace[name])
    left = left_to_preset(command.config, values)
    return made(command.config, {name: namespace[name] for name in flags.fields if name not in left})


def _endless_number(value: Any) -> bool:
    return len(str(value)) > 300 and str(value).strip("+-").isdigit()


def _resumed(given: dict[str, Any], configs: list[str], beside: Sequence[str], *, strict: bool) -> tuple[dict[str, Any], list[str]]:
    """Flags and files of a run that goes on: its own configuration, and over it the flags that may be given anew.

    Args:
        beside: those flags.
        strict: refuse all others, which the run's own configuration decides; else they are left out.

    Raises:
        RlpoetError: no run there, or a flag that cannot be given anew.
    """
    folder = str(given["resume"])
    path = Path(folder) / "config.yaml"
    if not path.is_file():
        raise RlpoetError(f"--resume {folder}: no config.yaml; expected the folder of a run that was stopped. Start one without --resume.")
    others = [name for name in given if name not in (*beside, "resume", "help")] + ["config"] * bool(configs)
    if others and strict:
        known = ", ".join(f"--{name}" for name in beside)
        raise RlpoetError(
            f"--{others[0]}: given with --resume {folder}, whose own configuration holds; expected at most {known} beside it. "
            f"Leave --{others[0]} out, or start a new run."
        )
    kept = {name: value for name, value in given.items() if name in (*beside, "help")}
    return {**kept, "resume": folder, "output_dir": folder}, [str(path)]


def read(schema: type[Schema], path: str | Path) -> Schema:
    """The configuration in a YAML file.

    Args:
        schema: a frozen dataclass.

    Raises:
        RlpoetError: as ``parse``.
    """
    config: Schema = parse(Command(schema.__name__, "", schema, lambda config: 0), ["--config", str(path)])
    return config


def _read_yaml(path: str, schema: type[Any], note: Callable[[str], None]) -> tuple[dict[str, Any], bool]:
    """What a file holds by the names of today, and whether that differs from how it is written."""
    text = read_text(path)
    try:
        content = read_yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise RlpoetError(f"{where}: not YAML ({getattr(error, 'problem', None) or error}); expected `key: value` lines.") from None
    if not isinstance(content, dict):
        raise RlpoetError(f"{path}: {type(content).__name__}; expected `key: value` lines.")
    written, content = content, nested(without_switches(schema, current(schema, content, where=f"{path}: ", note=note)))
    _refuse_unknown(content, schema, path, "")
    return content, content != written


def _refuse_unknown(content: Mapping[str, Any], schema: Any, path: str, table: str) -> None:
    """Refuse a key that a configuration does not have, in its tables too."""
    hints = hints_of(schema)
    for key, value in content.items():
        if key not in hints:
            known = sorted(f"{table}{name}" for name in hints)
            raise RlpoetError(
                f"{path}: unknown key {f'{table}{key}'!r}{did_you_mean(f'{table}{key}', known)}; expected one of {', '.join(known)}."
            )
        hint = hints[key]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if not isinstance(value, Mapping):
                raise RlpoetError(f"{path}: {table}{key}: {value!r}; expected a table of its options.")
            _refuse_unknown(value, hint, path, f"{table}{key}.")


def _parser(command: Command, *, with_help: bool) -> ArgumentParser:
    about = _docs(command.config)[""] if with_help else command.help
    usage = " ".join(["rlpoet", command.name, *(f"[{p.upper()}]" for p in command.positional), "[--config FILE]", "[--flag VALUE ...]"])
    parser = ArgumentParser(prog=f"rlpoet {command.name}", usage=usage, description=about, exit_on_error=False, print_config=None)
    parser.add_argument("--config", action="config", help="YAML file with these keys; flags win over it.")
    _add(parser, parser, command.config, {name: letter for letter, name in command.short.items()}, with_help=with_help)
    return parser


def _add(
    parser: ArgumentParser,
    group: Any,
    schema: Any,
    letters: Mapping[str, str],
    *,
    with_help: bool,
    prefix: str = "",
    values: Any = None,
) -> None:
    """Give a parser the options of a configuration; those of a configuration in it stand in a group of their own, after the others.

    Args:
        letters: field -> its short flag.
        values: an object whose values are the defaults; None for those of the class.
    """
    docs = _docs(schema) if with_help else {}
    tables: list[tuple[str, Any, Any]] = []
    for item in in_order(schema):
        name, hint = f"{prefix}{item.name}", hints_of(schema)[item.name]
        options: dict[str, Any] = {"help": _help(docs.get(item.name), hint)}
        if values is not None:
            options["default"] = getattr(values, item.name)
        elif item.default is not dataclasses.MISSING:
            options["default"] = item.default
        elif item.default_factory is not dataclasses.MISSING:
            options["default"] = item.default_factory()
        else:
            options["required"] = True
        if dataclasses.is_dataclass(hint):
            tables.append((name, hint, options.get("default")))
            continue
        names = [f"--{name}"]
        options |= {"type": _plain(hint)}
        options["metavar"] = item.name.rpartition("_")[2].upper()
        names += [f"-{letters[name]}"] if name in letters else []
        if hint is bool and with_help:  # a switch is read without a value (``rlpoet.config.flags``)
            names, options = (
                [*names, f"--{negated(name)}"],
                {"action": "store_true", "help": options["help"], "default": options.get("default")},
            )
        group.add_argument(*names, **options)
    for name, hint, default in tables:
        title = _docs(hint)[""].splitlines()[0].rstrip(".") if with_help else name
        inner = parser.add_argument_group(title)
        _add(parser, inner, hint, letters, with_help=with_help, prefix=f"{name}.", values=default)


def _help(text: str | None, hint: Any) -> str | None:
    """What is said of a field, with its range or its choices."""
    allowed = expected(typing.get_args(hint)[0] if typing.get_origin(hint) is tuple else hint)
    return f"{text} [{allowed}]" if text and allowed else text


def _plain(hint: Any) -> Any:
    """A type as jsonargparse should read it: ranges and choices are checked afterwards, with our own words."""
    if typing.get_origin(hint) is tuple and typing.get_origin(typing.get_args(hint)[0]) is typing.Literal:
        return tuple[str, ...]
    if typing.get_origin(hint) is typing.Literal and all(isinstance(value, str) for value in typing.get_args(hint)):
        return str
    return bare(hint)


def _docs(config: type[Any]) -> dict[str, str]:
    """Field -> its line in the docstring's ``Attributes:``; ``""`` -> the docstring's own text."""
    import docstring_parser

    docs: dict[str, str] = {}
    for kind in reversed(config.__mro__):  # a schema may extend another
        parsed = docstring_parser.parse(kind.__doc__ or "")
        docs |= {p.arg_name: " ".join((p.description or "").split()).replace("%", "%%") for p in parsed.params}
    return {"": (parsed.description or "").replace("``", "").replace("%", "%%"), **docs}


def _complaint(message: str, flags: Flags, values: dict[str, Any]) -> str:
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
    return f"--{key[1]}: {value!r}{near}; expected {described(hint)}."
