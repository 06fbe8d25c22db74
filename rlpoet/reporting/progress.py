"""Signs of life of a long job: a bar in a terminal, a line every half minute in a log.

On a slow machine a step takes half a minute and a run ten: whoever waits wants to know at once that something moves, and when it ends.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY_S = 30.0  # between lines where there is no terminal


class Pulse:
    """What a job is at, how much of it is done and when it ends; a context manager.

    Args:
        out: where to write.
        every: seconds between lines in a log.
    """

    def __init__(self, out: Console, *, every: float = EVERY_S) -> None:
        self.out, self.every = out, every
        self.words, self.share = "", 0.0
        self.ends: float | None = None  # on ``time.monotonic``'s clock
        self._done = threading.Event()
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.percentage:.0f} %"),
            TextColumn("{task.fields[left]}"),
            console=out,
            disable=not out.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, left="")
        self._writer: threading.Thread | None = None

    def tell(self, words: str | None = None, *, share: float | None = None, left: float | None = None) -> None:
        """Note where the job is.

        Args:
            words: what it is at, such as ``96 of 192 poems drawn``.
            share: how much of all is done, in [0, 1].
            left: seconds to its end, as far as can be told.
        """
        self.words = self.words if words is None else words
        self.share = self.share if share is None else min(1.0, max(0.0, share))
        self.ends = self.ends if left is None else time.monotonic() + left
        self._bar.update(self._task, description=self.words, completed=self.share, left=self._left())

    def part(self, words: str, total: float) -> Callable[..., None]:
        """Begin a part of the job whose end is told from its own pace.

        Args:
            words: what it is at.
            total: how much there is to do, in whatever it is counted in.

        Returns:
            ``tick(done)`` or ``tick(done, words)``, to be called as it goes on.
        """
        first: list[tuple[float, float]] = []  # when and where the first tick found it: a job taken up again begins in the middle
        self.ends = None
        self.tell(words, share=0.0)

        def tick(done: float, words: str | None = None) -> None:
            now, share = time.monotonic(), done / total if total else 1.0
            first.append((now, share)) if not first else None
            began, before = first[0]
            self.tell(words, share=share, left=(now - began) * (1 - share) / (share - before) if share > before else None)

        return tick

    def line(self) -> str:
        """The same as one line."""
        return "  ".join(part for part in (self.words, f"{self.share:.0%}", self._left()) if part)

    def _left(self) -> str:
        if self.ends is None:
            return ""
        left = max(0.0, self.ends - time.monotonic())
        return f"about {duration(left)} left, ends {datetime.now() + timedelta(seconds=left):%H:%M}"

    def _write(self) -> None:
        while not self._done.wait(self.every):
            self.out.print(self.line(), highlight=False, markup=False)

    def __enter__(self) -> Pulse:
        self._bar.start()
        if not self.out.is_terminal:
            self._writer = threading.Thread(target=self._write, daemon=True, name="rlpoet-pulse")
            self._writer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._done.set()
        if self._writer is not None:
            self._writer.join()
        self._bar.stop()


def duration(seconds: float) -> str:
    """Seconds for a reader.

    >>> duration(12), duration(89), duration(600), duration(9000)
    ('12 s', '1.5 min', '10 min', '2.5 h')
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    if minutes < 90:
        return f"{minutes:.1f} min" if minutes < 10 and round(minutes, 1) != round(minutes) else f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h"


def told_of_lines(out: Console, what: str, *, every: float = 10.0) -> Callable[[int, int], None]:
    """What a job calls with its poems and lines so far, and what writes a line of them now and then; nobody knows how many there are.

    Args:
        out: where to write.
        what: the job.
        every: seconds between two lines.
    """
    started = told = time.monotonic()

    def tell(poems: int, lines: int) -> None:
        nonlocal told
        if time.monotonic() - told >= every:
            told = time.monotonic()
            out.print(f"{what}: {lines:,} lines of {poems:,} poems in {told - started:.0f} s", highlight=False)

    return tell
