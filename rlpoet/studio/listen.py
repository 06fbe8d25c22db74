"""The studio on a port of this machine, and of this machine only."""

from __future__ import annotations

import contextlib
import importlib
import socket
import webbrowser
from collections.abc import Callable, Sequence
from typing import TextIO, cast

import uvicorn

from rlpoet.errors import RlpoetError
from rlpoet.registry import first_import
from rlpoet.studio.server import Composer, Studio

HERE = "127.0.0.1"
MOST_CONNECTIONS = 64
COMPOSER = "rlpoet.studio.composer"  # imported when something is to be composed, since torch takes seconds


def open_composer(policy: str | None, langs: Sequence[str] = ()) -> Composer:
    """What composes, with a policy as ``rlpoet generate`` names it; None: the rhyming policy of the language.

    Args:
        langs: languages whose policies are opened now; those of others when they are asked for.

    Raises:
        RlpoetError: there is no policy for one of them.
    """
    with first_import("torch"):
        module = importlib.import_module(COMPOSER)
    composer = module.PolicyComposer(policy)
    for lang in langs:
        composer.policy(lang)
    return cast(Composer, composer)


def listen(studio: Studio, *, port: int, out: TextIO, name: str = "studio", browse: bool = False) -> None:
    """Serve until Ctrl-C.

    Args:
        port: 0 takes a free one.
        out: told the page's address once connections are taken.
        name: what it is called there.
        browse: open the page in the browser then.

    Raises:
        RlpoetError: the port cannot be had.
    """

    def ready() -> None:
        address = f"http://{HERE}:{port}/"
        out.write(f"The {name} is at {address} (Ctrl-C ends it).\n")
        out.flush()
        if browse:
            webbrowser.open(address)

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
            _Server(options, ready).run(sockets=[door])


class _Server(uvicorn.Server):
    """A server that says when it takes connections."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()
