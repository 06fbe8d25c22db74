"""``rlpoet studio``: a web page on this machine to write, compose and compare verse."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rlpoet.cli.serving import check
from rlpoet.config.command import Command


@dataclass(frozen=True)
class StudioConfig:
    """Serve a web page on this machine until Ctrl-C. It analyses verse as you type, writes poems, and compares runs before and after
    training.

    The page needs no account and no network, and only this machine can reach it. No model is opened until you ask for a poem or a line.

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
