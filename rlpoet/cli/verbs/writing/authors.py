"""``rlpoet authors``: whose manner a policy can be asked for."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class AuthorsConfig:
    """List the authors that a policy can imitate, those with most training verse first. `rlpoet generate --author hugo` imitates one.

    Attributes:
        lang: fr, es or en: the shipped policy of that language.
        policy: another policy: a shipped one, a folder, or the folder of a run.
        json: print one JSON list of names.
    """

    lang: str | None = None
    policy: str | None = None
    json: bool = False


def run(config: AuthorsConfig) -> int:
    from policies.generation.author_names import author_names
    from rlpoet.languages import code_of
    from rlpoet.reporting.forms import authors_table
    from rlpoet.reporting.terminal import console, write_row

    if config.policy is None and config.lang is None:
        raise RlpoetError("--lang: none given; expected fr, es or en, or a --policy.")
    names = author_names(config.policy or code_of(config.lang or ""))
    if config.json:
        write_row(names)
    else:
        console().print(authors_table(names))
    return 0


COMMAND = Command("authors", "the authors whose manner a policy can follow", AuthorsConfig, run)
