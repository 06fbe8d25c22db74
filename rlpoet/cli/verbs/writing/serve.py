"""``rlpoet serve``: rlpoet as a server of this machine, warm, for programs that ask it often."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from rlpoet.cli.serving import check
from rlpoet.config.command import Command


@dataclass(frozen=True)
class ServeConfig:
    """Answer requests in JSON at http://127.0.0.1:PORT/api/ until Ctrl-C. Tables and policies stay open, so that no request waits for a
    start.

    It is the same server as `rlpoet studio`, and shows the same page. docs/studio.md lists the requests. Needs the extra studio.

    Attributes:
        langs: languages whose tables and policies are opened before the first request. Other languages are opened when a request needs
            them.
        port: port on 127.0.0.1; 0 takes a free one.
        policy: policy that composes, as for rlpoet generate; by default the rhyming policy of the language.
        runs: folder of the runs that can be asked for.
    """

    langs: tuple[str, ...] = ("fr",)
    port: int = 8018
    policy: str | None = None
    runs: str = "runs"


def run(config: ServeConfig) -> int:
    check(config.port)
    from rlpoet.studio.listen import listen, open_composer
    from rlpoet.studio.pad import warm
    from rlpoet.studio.server import Studio

    for lang in config.langs:
        warm(lang)
    composer = open_composer(config.policy, config.langs)
    lang = config.langs[0] if config.langs else "fr"
    studio = Studio(lambda: composer, runs=Path(config.runs), lang=lang, policy=config.policy, composer=composer)
    listen(studio, port=config.port, out=sys.stderr, name="server")
    return 0


COMMAND = Command("serve", "a warm server for programs: verse heard and written, in JSON", ServeConfig, run, positional=("langs",))
