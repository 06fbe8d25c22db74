"""The command line: ``rlpoet VERB ...``. The only place that prints errors, and the only one that decides exit codes.

0: done. 1: a verb found what it was looking for to be wrong. 2: bad input, told in one line on standard error. 130: interrupted.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rlpoet import __version__
from rlpoet.checkpoints.signals import stop_signals
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
OF_OUTPUT = (errno.ENOSPC, errno.EFBIG, errno.EIO, errno.EBADF)  # a disk that is full, a limit, a terminal or a stream that was closed
LONG_WORD, LONGEST = re.compile(r"\S{500,}"), 2000  # of what a message quotes: as long as paths may be; characters of a message
FIRST_STEPS = """first steps:
  rlpoet generate --lang fr                  a poem
  rlpoet words night --lang en               what rhymes with a word
  rlpoet explain "To be or not" --lang en    how a line sounds and scans"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code of the process."""
    words = list(sys.argv[1:] if argv is None else argv)
    sys.stdout, sys.stderr = (stream or _nowhere() for stream in (sys.stdout, sys.stderr))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # poems are UTF-8 whatever the locale says; half a surrogate pair becomes \\ud83d, which is how JSON spells it
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    who = "rlpoet"
    if "_ARGCOMPLETE" in os.environ and argv is None:
        _complete()
    try:
        _check_place()
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
        _leave_output()
        return 141
    except KeyboardInterrupt:
        _complain(f"{who}: interrupted")
        return 130
    except OverflowError as error:
        _complain(f"{who}: a number is too large ({error}); expected a smaller one.")
        return 2
    except MemoryError:
        _complain(f"{who}: out of memory; expected more of it. Ask for less at once, such as a smaller batch, or close other programs.")
        return 2
    except OSError as error:
        if error.filename is None and not _has_temporary():  # which libraries ask for while they are imported, each in its own words
            _complain(f"{who}: no folder for temporary files can be written to; expected one. Set TMPDIR to one.")
            return 2
        if error.filename is None and error.errno not in OF_OUTPUT:
            raise  # not about a path the user named: a bug, to be seen whole
        if error.filename is None:
            _leave_output()
        what = error.filename or ("the output, or a file" if error.errno == errno.EIO else "the output")
        _complain(f"{who}: {what}: {error.strerror}")
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
    with stop_signals():  # whatever stops a verb, what it had half written is deleted
        return command.run(config)


def _complete() -> None:
    """Answer a shell whose Tab key was pressed."""
    from rlpoet.cli.completion import answer
    from rlpoet.registry import names

    answer([*CORE, *(name for name in names(GROUP) if name not in CORE)], find_command)


def _complain(line: str) -> None:
    """One line on standard error; names of files and words of poems in it give the terminal no orders."""
    with contextlib.suppress(OSError):  # nobody reads it
        print(visible(shortened(line)), file=sys.stderr)


def shortened(line: str) -> str:
    """A line that can be read, whatever it quotes: a number of thousands of digits, or a whole file.

    >>> len(shortened("--seed: '" + "9" * 5000 + "'; expected less.")), shortened("a short one")
    (186, 'a short one')
    """
    line = LONG_WORD.sub(lambda found: f"{found[0][:100]}...{found[0][-60:]}", line)
    return line if len(line) <= LONGEST else f"{line[: LONGEST * 3 // 4]} ... {line[-LONGEST // 4 :]}"


def _check_place() -> None:
    """Refuse to work in a folder that was deleted: no relative path means anything there.

    Raises:
        RlpoetError: it was.
    """
    try:
        Path.cwd()
    except FileNotFoundError:
        raise RlpoetError("the folder you work in was deleted; expected one that is there. Change to it, and try again.") from None


def _has_temporary() -> bool:
    """Whether there is a folder for temporary files."""
    try:
        tempfile.gettempdir()
    except OSError:
        return False
    return True


def _nowhere() -> TextIO:
    """In place of a stream that was closed by ``>&-``."""
    return os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8")


def _leave_output() -> None:
    """Have nothing go to standard output any more: the interpreter flushes once more on its way out."""
    with contextlib.suppress(OSError, ValueError):  # none that the system knows, such as a notebook's
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
