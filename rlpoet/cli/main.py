"""The command line: ``rlpoet VERB ...``. The only place that prints errors, and the only one that decides exit codes.

0: done. 1: a verb found what it was looking for to be wrong. 2: bad input, told in one line on standard error. 130: interrupted.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence

from rlpoet import __version__
from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.text import visible

# the verbs of this project by what they are for; other packages add theirs by the entry-point group rlpoet.commands
VERBS = {
    "write": ("generate", "complete", "words", "studio", "serve", "forms", "authors"),
    "look at verse": ("scan", "rhymes", "explain", "score", "style", "theme"),
    "teach and compare models": ("train", "preflight", "compare", "ablate", "report", "redteam", "pretrain", "finetune"),
    "judge poems and gather them": ("evaluate", "bench", "rate", "corpus", "annotate"),
    "help": ("env", "completion"),
}
FOLDERS = {  # of verbs in a folder of their own
    **dict.fromkeys(VERBS["write"], "writing."),
    **dict.fromkeys(("evaluate", "bench"), "judge."),
    **dict.fromkeys(VERBS["help"], "help."),
}
CORE = tuple(sorted(verb for verbs in VERBS.values() for verb in verbs))
GROUP = "rlpoet.commands"
FIRST_STEPS = """first steps:
  rlpoet generate --lang fr                  a poem
  rlpoet words night --lang en               what rhymes with a word
  rlpoet explain "To be or not" --lang en    how a line sounds and scans"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code of the process."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # poems are UTF-8 whatever the locale says; half a surrogate pair becomes \\ud83d, which is how JSON spells it
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    who = "rlpoet"
    if "_ARGCOMPLETE" in os.environ and argv is None:
        _complete()
    try:
        if not words or words[0] in ("-h", "--help", "help"):
            print(_overview())
            return 0 if words else 2
        if words[0] in ("-V", "--version"):
            print(f"rlpoet {__version__}")
            return 0
        command = find_command(words[0])
        who = f"rlpoet {command.name}"
        code = _run(command, words[1:])
        sys.stdout.flush()  # here, where a reader that went away can still be met quietly
        return code
    except RlpoetError as error:
        _complain(f"{who}: {' '.join(str(error).splitlines())}")
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes once more on its way out
        return 141
    except KeyboardInterrupt:
        _complain(f"{who}: interrupted")
        return 130
    except OSError as error:
        if error.filename is None:
            raise  # not about a path the user named: a bug, to be seen whole
        _complain(f"{who}: {error.filename}: {error.strerror}")
        return 2


def find_command(name: str) -> Command:
    """The verb of that name, imported now.

    Raises:
        UnknownName: neither one of ours nor a plug-in.
    """
    if name in CORE:
        command: Command = importlib.import_module(f"rlpoet.cli.verbs.{FOLDERS.get(name, '')}{name}").COMMAND
        return command
    from rlpoet.registry import load, names

    others = names(GROUP)
    if name not in others:
        raise UnknownName("command", name, [*CORE, *others])
    return load(GROUP, name)


def _run(command: Command, words: Sequence[str]) -> int:
    from rlpoet.config.parser import parse

    try:
        config = parse(command, words, tell=lambda line: _complain(f"rlpoet {command.name}: {line}"))
    except SystemExit as exit_:  # --help
        return int(exit_.code or 0)
    return command.run(config)


def _complete() -> None:
    """Answer a shell whose Tab key was pressed."""
    from rlpoet.cli.completion import answer
    from rlpoet.registry import names

    answer([*CORE, *(name for name in names(GROUP) if name not in CORE)], find_command)


def _complain(line: str) -> None:
    """One line on standard error; names of files and words of poems in it give the terminal no orders."""
    print(visible(line), file=sys.stderr)


def _overview() -> str:
    from rlpoet.registry import names

    groups = {**VERBS, "of other packages": tuple(name for name in names(GROUP) if name not in CORE)}
    lines = ["usage: rlpoet VERB [--flag VALUE ...]", "", "Makes tiny French, Spanish and English language models rhyme."]
    for title, verbs in groups.items():
        if verbs:
            lines += ["", f"{title}:", *(f"  {name:<10} {_said(name)}" for name in verbs)]
    return "\n".join([*lines, "", FIRST_STEPS, "", "`rlpoet VERB --help` tells the flags of a verb; `rlpoet --version` the version."])


def _said(name: str) -> str:
    try:
        return find_command(name).help
    except Exception as error:  # one broken plug-in, whatever is wrong with it, must not hide the others
        return f"(cannot be loaded: {error})"


if __name__ == "__main__":
    sys.exit(main())
