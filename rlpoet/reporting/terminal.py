"""The class of every console here: what it shows is data, of poems, files and people, and data give no orders."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rlpoet.text import visible
from rlpoet.text.escapes import json_row

PLAIN_WIDTH = 160  # columns of a file or a pipe: two alexandrines side by side


class Terminal(Console):
    """A console without markup and emoji codes, where styles come from renderables alone, and control characters are shown as pictures."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; those that move the cursor, of bars, are rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text, keep="\n\t"))

    def on_broken_pipe(self) -> None:
        """Leave it to whoever decides exit codes; rich would end the process with one of its own.

        Raises:
            BrokenPipeError: always.
        """
        raise BrokenPipeError


class Watched:
    """A stream for what is told meanwhile: where nobody can read it any more, as in a terminal that was closed, it is told to nobody.

    A run has to save and report all the same.

    Args:
        stream: where it goes.
    """

    def __init__(self, stream: IO[str]) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError):
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self.stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def write_plain(text: str, *, stderr: bool = False) -> None:
    """A text on standard output, or on standard error, as it is but for orders to a terminal."""
    (sys.stderr if stderr else sys.stdout).write(visible(text, keep="\n\t"))


def write_row(item: Any) -> None:
    """A row of JSON on standard output."""
    sys.stdout.write(json_row(item) + "\n")


def console(*, stderr: bool = False) -> Console:
    """A console that never breaks a line of verse, and is plain when nobody is watching."""
    stream = sys.stderr if stderr else sys.stdout
    file: Any = Watched(stream) if stderr else stream
    return Terminal(file=file, soft_wrap=True, width=None if stream.isatty() else PLAIN_WIDTH)
