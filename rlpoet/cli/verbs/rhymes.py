"""``rlpoet rhymes``: which lines rhyme, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class RhymesConfig:
    """Say which lines rhyme, and what kind of rhyme it is.

    Attributes:
        lang: fr, es or en, a variety such as es-distincion, or the folder of a language.
        lines: two or more lines or words; every pair is answered.
        jsonl: file of {"lines": [...], "pairs": [[i, j], ...]}, one object a line, "-" for standard input; answers are JSON Lines too.
        on_error: what to do if a row of --jsonl cannot be answered. go_on writes {"error": "...", "line": n} in its place, and ends with
            exit code 1; stop ends there, with exit code 2.
    """

    lang: str
    lines: tuple[str, ...] = ()
    jsonl: str | None = None
    on_error: Literal["go_on", "stop"] = "go_on"


def run(config: RhymesConfig) -> int:
    if config.jsonl is not None:
        from rlpoet.cli.jsonl import answer_rhymes, write_answers

        return write_answers(answer_rhymes, config.jsonl, config.lang, config.on_error)
    if len(config.lines) < 2:
        raise RlpoetError(f"LINES: {len(config.lines)} given; expected two lines or more, or --jsonl FILE.")
    from rlpoet.reporting.poems import console, rhyme_table

    console().print(rhyme_table(config.lines, config.lang))
    return 0


COMMAND = Command("rhymes", "which lines rhyme, and how", RhymesConfig, run, positional=("lines",))
