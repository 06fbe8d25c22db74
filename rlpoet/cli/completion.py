"""What the Tab key of a shell offers: verbs, their options, and the values of options that have choices.

argcomplete speaks with the shell. It is asked for a script once (``rlpoet completion bash``); from then on the shell starts ``rlpoet`` at
each Tab, with ``_ARGCOMPLETE`` and the line so far in the environment, and ``answer`` replies.
"""

from __future__ import annotations

import argparse
import os
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rlpoet.config.command import Command
from rlpoet.config.flags import Flags, negated
from rlpoet.errors import RlpoetError

ASKED = "_ARGCOMPLETE"  # set where a shell asks; its number less one is how many words of the line stand before the program's own name


def script(shell: str) -> str:
    """The lines that a shell has to read.

    Raises:
        RlpoetError: argcomplete is not installed.
    """
    try:
        import argcomplete
    except ImportError:
        raise RlpoetError("argcomplete: not installed; expected it for completion. Run `pip install 'rlpoet[completion]'`.") from None
    return str(argcomplete.shellcode(["rlpoet"], shell=shell)).strip()


def answer(verbs: Sequence[str], find: Callable[[str], Command]) -> None:
    """Tell the shell what may follow, and end the process. Returns only where argcomplete is not installed.

    Args:
        verbs: names of all verbs.
        find: the verb of a name.
    """
    try:
        import argcomplete
    except ImportError:
        return
    line = os.environ["COMP_LINE"].encode()[: int(os.environ["COMP_POINT"])].decode(errors="ignore")
    typed, complete = line.split(), line.endswith((" ", "\t"))
    if len(typed) > 2 or (len(typed) == 2 and complete):
        os.environ[ASKED] = str(int(os.environ[ASKED]) + 1)  # the verb is the program now
        try:
            parser = parser_of(find(typed[1]))
        except RlpoetError:  # no such verb: nothing to offer
            parser = argparse.ArgumentParser(add_help=False)
    else:
        parser = argparse.ArgumentParser()
        parser.add_argument("verb", choices=verbs)
    argcomplete.autocomplete(parser, always_complete_options="long")


def parser_of(command: Command) -> argparse.ArgumentParser:
    """The options of a verb, each with what may follow it; words without an option are files.

    It is only asked what may come next: ``rlpoet.config.parser`` reads the values.
    """
    from argcomplete.completers import FilesCompleter

    flags = Flags(command)
    parser = argparse.ArgumentParser(prog=f"rlpoet {command.name}")
    letters = {name: letter for letter, name in command.short.items()}
    for name, hint in {**flags.fields, "config": str}.items():
        names = [f"--{name}", *([f"-{letters[name]}"] if name in letters else [])]
        if name in flags.switches:
            parser.add_argument(*names, f"--{negated(name)}", action="store_true")
            continue
        action: Any = parser.add_argument(*names, nargs="+" if name in flags.many else None)
        action.completer = _completer(name, hint) or FilesCompleter()
    words: Any = parser.add_argument("words", nargs="*")
    own = [choices for name in command.positional if (choices := _completer(name, flags.fields[name]))]
    words.completer = own[0] if own else FilesCompleter()
    return parser


def _completer(name: str, hint: Any) -> Callable[..., Iterable[str]] | None:
    """What offers the values of an option; None for one whose values cannot be listed, such as a file."""
    if choices := _choices(hint):
        return lambda **_: choices
    if name in ("lang", "langs"):
        from rlpoet.languages import codes

        return lambda **_: codes()
    if name in ("algo", "algos"):
        from rlpoet.registry import names

        return lambda **_: names("rlpoet.trainers")
    return _forms if name in ("form", "forms") else None


def _choices(hint: Any) -> tuple[str, ...]:
    """The values of a type that lists them.

    >>> _choices(typing.Literal["a", "b"] | None), _choices(tuple[typing.Literal["a", "b"], ...]), _choices(str)
    (('a', 'b'), ('a', 'b'), ())
    """
    if typing.get_origin(hint) is typing.Literal:
        return tuple(map(str, typing.get_args(hint)))
    return next((found for part in typing.get_args(hint) if (found := _choices(part))), ())


def _forms(parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """The names of the forms of the language that was given, or else of all."""
    from rlpoet.languages import CORE
    from rlpoet.prosody.forms import forms, names_of

    given = getattr(parsed_args, "lang", None)
    try:
        return sorted({name for lang in ([given] if isinstance(given, str) else CORE) for one in forms(lang) for name in names_of(one)})
    except RlpoetError:  # of a language that does not exist
        return ()
