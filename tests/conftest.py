"""Every test runs without a network and sees warnings as errors (pyproject.toml)."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: workers fill the cores, and more threads only wait for each other
matplotlib.use("Agg")
HERE = ("localhost", "127.0.0.1", "::1")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """A connection to anywhere but this machine is a failure that names the address."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guard(real: Any) -> Any:
        def guarded(self: socket.socket, address: Any) -> Any:
            if self.family != getattr(socket, "AF_UNIX", None) and address[0] not in HERE:
                raise AssertionError(f"a test tried to reach {address!r}; tests run without a network")
            return real(self, address)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guard(connect))
        patch.setattr(socket.socket, "connect_ex", guard(connect_ex))
        yield


@pytest.fixture(autouse=True, scope="session")
def interrupts() -> None:
    """Ctrl-C interrupts, also where the suite was started in the background, which ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


LINEAR, QUADRATIC = 4, 16  # what four times the text costs


@pytest.fixture
def growth() -> Callable[[Callable[[str], object], str, int], float]:
    """How many times longer a text of `size` characters, a repeated unit, takes than a quarter of it.

    A ratio, so that a slow or busy machine changes nothing. The least of three tries, each with a text of its own,
    since answers are remembered; 0.0 for what is too quick to be measured.
    """

    def ratio(work: Callable[[str], object], unit: str, size: int) -> float:
        def seconds(mark: str, length: int) -> float:
            text = (mark + unit * (length // len(unit) + 1))[:length]
            began = time.process_time()
            work(text)
            return time.process_time() - began

        found = []
        for mark in ("a ", "o ", "i "):
            whole = seconds(mark, size)
            if whole < 0.2:
                return 0.0
            found.append(whole / max(seconds(mark * 2, size // 4), 1e-3))
            if found[-1] < (LINEAR + QUADRATIC) / 2:
                break
        return min(found)

    return ratio
