"""Every test runs without a network and sees warnings as errors (pyproject.toml)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import matplotlib
import pytest

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
