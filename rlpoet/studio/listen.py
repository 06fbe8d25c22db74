"""The studio on a port of this machine, and of this machine only."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

import uvicorn

from rlpoet.errors import RlpoetError
from rlpoet.studio.server import Studio

HERE = "127.0.0.1"
MOST_CONNECTIONS = 64


def listen(studio: Studio, *, port: int, tell: Callable[[str], object]) -> None:
    """Serve until Ctrl-C.

    Args:
        port: 0 takes a free one.
        tell: called with the page's address once connections are taken.

    Raises:
        RlpoetError: the port cannot be had.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((HERE, port))
        except OSError as error:
            raise RlpoetError(
                f"--port {port}: {error.strerror}; expected a free port. Choose another, or 0 for any that is free."
            ) from None
        door.listen(MOST_CONNECTIONS)
        port = door.getsockname()[1]
        options = uvicorn.Config(
            studio.app(port=port), log_level="warning", access_log=False, server_header=False, limit_concurrency=MOST_CONNECTIONS,
            timeout_graceful_shutdown=1, ws="none", lifespan="off",
        )  # fmt: skip
        with contextlib.suppress(KeyboardInterrupt):  # it has closed its connections by then
            _Server(options, lambda: tell(f"http://{HERE}:{port}/")).run(sockets=[door])


class _Server(uvicorn.Server):
    """A server that says when it takes connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
