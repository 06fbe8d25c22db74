"""``rlpoet studio``: a web page on this machine to write, compose and compare verse."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError

NEEDED = ("pydantic", "starlette", "uvicorn")  # of the extra "studio"


@dataclass(frozen=True)
class StudioConfig:
    """Open a web page on this machine, and stay until Ctrl-C: a pad that hears what you type, composing, and runs before and after.

    The page needs no account and no network, and only this machine can reach it. No model is opened before something is composed.

    Attributes:
        lang: language of a new page: fr, es or en, a variety such as es-distincion, or the folder of a language.
        port: port on 127.0.0.1; 0 takes a free one.
        runs: folder of the runs to compare.
        policy: policy that composes, as for rlpoet generate; by default the rhyming policy of the language.
        open: open the page in the browser.
    """

    lang: str = "fr"
    port: int = 8017
    runs: str = "runs"
    policy: str | None = None
    open: bool = False


def check(port: int) -> None:
    """Refuse to serve without the extra, or at a port that cannot be.

    Raises:
        RlpoetError: one of the two.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise RlpoetError(f"{', '.join(missing)}: not installed; expected what the studio needs. Run `pip install 'rlpoet[studio]'`.")
    if not 0 <= port < 65536:
        raise RlpoetError(f"--port: {port}; expected 0 to 65535, where 0 takes a free port.")


def run(config: StudioConfig) -> int:
    check(config.port)
    from rlpoet.languages import code_of
    from rlpoet.studio.listen import listen, open_composer
    from rlpoet.studio.server import Studio

    code_of(config.lang)  # a name that is unknown is said now
    studio = Studio(partial(open_composer, config.policy), runs=Path(config.runs), lang=config.lang, policy=config.policy)
    listen(studio, port=config.port, out=sys.stderr, browse=config.open)
    return 0


COMMAND = Command("studio", "a web page to write, compose and compare verse", StudioConfig, run)
