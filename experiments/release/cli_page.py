"""Write ``docs/cli.md`` from the configurations of the verbs.

    python -m experiments.release.cli_page            # or: make docs

A verb's page shows what ``rlpoet VERB --help`` shows: what the verb does, its options, their defaults and their meaning. A field that is a
dataclass itself is one table of its own, with options such as ``--ppo.lam``.
"""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docstring_parser
import yaml

from experiments.release.pages import write_page
from rlpoet.cli.main import CORE, find_command
from rlpoet.config.command import Command
from rlpoet.config.ranges import expected, in_order

PAGE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HEAD = """# Command line

This page is written by `make docs` from the configurations of the verbs: change those, never this page.

Every option is also a key of a YAML file, given with `--config FILE`. An option on the command line wins over the file.
A switch takes no value: `--json` turns it on, `--no_json` turns it off. A list takes several values: `--seeds 0 1 2`.
A table takes its keys after a point: `--rewards.rhyme 2`. `rlpoet VERB --help` shows the same text.

Exit codes: 0 done, 1 the verb found something wrong, 2 bad input (with an error of one line), 130 interrupted.
"""


def kind(hint: Any) -> str:
    """A type as the page names it.

    >>> from rlpoet.config.ranges import Count
    >>> kind(Count), kind(float | None), kind(typing.Literal["make", "read"]), kind(tuple[str, ...]), kind(Mapping[str, float])
    ('whole number, 1 or more', 'number', '`make`, `read`', 'texts', 'table')
    """
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return f"{kind(args[0])}, {expected(hint)}"
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in args)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind(arg) for arg in args if arg is not type(None)))
    if origin in (tuple, list):
        return f"any of {kind(args[0])}" if typing.get_origin(args[0]) is typing.Literal else f"{kind(args[0])}s"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "table"
    return {int: "whole number", float: "number", str: "text", bool: "switch"}.get(hint, "path" if hint is Path else "text")


def default(item: dataclasses.Field[Any]) -> str:
    """The default of a field as the page shows it; empty where it is nothing, or chosen by the program.

    >>> @dataclasses.dataclass
    ... class Config:
    ...     a: int
    ...     b: float = 0.5
    ...     c: tuple[str, ...] = ("x", "y")
    ...     d: str = ""
    ...     e: bool = True
    >>> [default(item) for item in dataclasses.fields(Config)]
    ['required', '`0.5`', '`x y`', '', 'on']
    """
    if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
        return "required"
    value = item.default if item.default_factory is dataclasses.MISSING else item.default_factory()
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or value == "" or (isinstance(value, Sequence | Mapping) and not value):
        return ""
    if isinstance(value, tuple | list):
        return f"`{' '.join(map(str, value))}`"
    if isinstance(value, Mapping):
        return f"`{yaml.safe_dump(dict(value), default_flow_style=True, sort_keys=False, width=1000).strip()[1:-1]}`"
    return f"`{value}`"


def about(config: type[Any]) -> tuple[str, dict[str, str]]:
    """What a configuration says of itself, and of each field, from its docstring and those of its bases."""
    fields: dict[str, str] = {}
    text = ""
    for base in reversed(config.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        parsed = docstring_parser.parse(base.__doc__ or "")
        text = parsed.description or text
        fields |= {one.arg_name: " ".join((one.description or "").split()) for one in parsed.params}
    return (text or "").strip().replace("``", "`"), fields


def rows(config: type[Any], short: Mapping[str, str], prefix: str = "") -> Iterator[str]:
    """Rows of the table of a configuration, without the fields that are configurations themselves."""
    hints = typing.get_type_hints(config, include_extras=True)
    _, said = about(config)
    letters = {name: letter for letter, name in short.items()}
    for item in in_order(config):
        if dataclasses.is_dataclass(hints[item.name]):
            continue
        letter = f", `-{letters[item.name]}`" if item.name in letters else ""
        meaning = said.get(item.name, "").replace("``", "`")
        cells = (f"`--{prefix}{item.name}`{letter}", kind(hints[item.name]), default(item), meaning)
        yield "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;") for cell in cells) + " |"


def table(config: type[Any], short: Mapping[str, str], verbs: Mapping[type[Any], str], prefix: str = "") -> list[str]:
    """A configuration as Markdown: its own options, then those of each configuration inside it under a heading.

    Args:
        config: a dataclass.
        short: letter -> field.
        verbs: configuration of a verb -> its name. Inside another one it is named, not repeated.
        prefix: names of the tables that hold it, such as ``ppo.``.
    """
    own = list(rows(config, short, prefix))
    lines = ["| option | value | default | meaning |", "| --- | --- | --- | --- |", *own, ""] if own else []
    for name, hint in typing.get_type_hints(config).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            lines += [f"### `--{prefix}{name}`", ""]
            if hint in verbs:
                lines += [f"Every option of [`{verbs[hint]}`](#{verbs[hint]}), as `--{prefix}{name}.OPTION`.", ""]
            else:
                lines += [about(hint)[0].split("\n\n")[0].replace("\n", " "), "", *table(hint, {}, verbs, f"{prefix}{name}.")]
    return lines


def section(command: Command, verbs: Mapping[type[Any], str]) -> str:
    """A verb's part of the page."""
    words = " ".join(f"[{name.upper()}]" for name in command.positional)
    usage = re.sub(r" +", " ", f"rlpoet {command.name} {words} [--option VALUE ...]")
    text = about(command.config)[0].strip()
    return "\n".join([f"## {command.name}", "", f"    {usage}", "", text, "", *table(command.config, command.short, verbs)])


def page() -> str:
    """The page as Markdown."""
    commands = [find_command(name) for name in CORE]
    verbs = {one.config: one.name for one in commands}
    overview = ["| verb | what it does |", "| --- | --- |", *(f"| [`{one.name}`](#{one.name}) | {one.help} |" for one in commands)]
    return "\n".join([HEAD, *overview, "", *(section(one, verbs) for one in commands)]).rstrip() + "\n"


def main() -> None:
    write_page(PAGE, page, about=__doc__)


if __name__ == "__main__":
    main()
