"""The class of every console here: what it shows is data, of poems, files and people, and data give no orders."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from rlpoet.text import visible

PLAIN_WIDTH = 160  # columns of a file or a pipe: two alexandrines side by side


class Terminal(Console):
    """A console without markup and emoji codes, where styles come from renderables alone, and control characters are shown as pictures."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"highlight": False, "markup": False, "emoji": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable; those that move the cursor, of bars, are rich's own."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text, keep="\n\t"))


def console(*, stderr: bool = False) -> Console:
    """A console that never breaks a line of verse, and is plain when nobody is watching."""
    stream = sys.stderr if stderr else sys.stdout
    return Terminal(file=stream, soft_wrap=True, width=None if stream.isatty() else PLAIN_WIDTH)
