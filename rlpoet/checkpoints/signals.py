"""Signals that stop a run between two steps, so that no half-done step is ever kept.

Ctrl-C, and what a batch system or a closed terminal sends, mean one thing: finish the step, save, report. Whoever asks twice does not
want to wait.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")  # an interrupt, a kill, a terminal that went away, the notice of a batch system
NUMBERS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))

TOLD = b"\nStopping after this step. Ask again to stop at once, without saving it.\n"


class Stopped(KeyboardInterrupt):
    """A run was stopped between two steps, and all of them are saved."""


class Stop:
    """Whether a run was asked to stop.

    Attributes:
        asked: set by the first signal within ``between_steps``, and read between steps.
    """

    def __init__(self) -> None:
        self.asked = False
        self._waits = False

    @contextmanager
    def between_steps(self) -> Iterator[None]:
        """Within, a signal waits to be read; the second one is a ``KeyboardInterrupt`` at once. Outside, each is one."""
        self._waits = True
        try:
            yield
        finally:
            self._waits = False

    def take(self) -> None:
        """Note a signal.

        Raises:
            KeyboardInterrupt: nobody reads ``asked`` now, or it was the second one.
        """
        if not self._waits or self.asked:
            raise KeyboardInterrupt
        self.asked = True
        with suppress(OSError):
            os.write(2, TOLD)  # not by a console: this may be in the middle of its own printing


@contextmanager
def stop_signals() -> Iterator[Stop]:
    """Take the signals of ``NAMES`` while a run lasts. Only a main thread can; elsewhere nothing ever asks."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, lambda *_: stop.take()) for number in to_take()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def put_off() -> Iterator[None]:
    """Have signals wait while something is done that may not be broken off: torch's writer ends the process if its stream fails so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, _: came.append(number)) for number in to_take()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        for number in dict.fromkeys(came):
            signal.raise_signal(number)


def to_take() -> list[int]:
    """Numbers of these signals, but for a hang-up that is ignored: that is what ``nohup`` is for."""
    return [number for number in NUMBERS if signal.Signals(number).name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN]


def ignore_signals() -> None:
    """Leave all of them to the main process; for a process that works for it."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


def end_with_parent() -> None:
    """End this process with the one that started it: when that is killed, nobody else would ever tell it that there is no more to do."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        multiprocessing.connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="rlpoet-parent").start()
