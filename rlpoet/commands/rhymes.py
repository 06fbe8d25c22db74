"""``rlpoet rhymes``: which lines rhyme, and how."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass

from rlpoet.commands import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class RhymesConfig:
    """Tell which lines rhyme, and what kind of rhyme it is.

    Attributes:
        lang: fr, es or en.
        lines: two or more lines or words; every pair is answered.
        jsonl: file of {"lines": [...], "pairs": [[i, j], ...]}, one object a line, "-" for standard input; answers are JSON Lines too.
    """

    lang: str
    lines: tuple[str, ...] = ()
    jsonl: str | None = None


def run(config: RhymesConfig) -> int:
    from rlpoet.batch import answer_rhymes
    from rlpoet.files import read_rows

    if config.jsonl is not None:
        where = "<stdin>" if config.jsonl == "-" else config.jsonl
        for answer in answer_rhymes(read_rows(config.jsonl), config.lang, where):
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
        return 0
    if len(config.lines) < 2:
        raise RlpoetError(f"LINES: {len(config.lines)} given; expected two lines or more, or --jsonl FILE.")
    from rlpoet.render import console, rhyme_table

    console().print(rhyme_table(config.lines, config.lang))
    return 0


COMMAND = Command("rhymes", "which lines rhyme, and how", RhymesConfig, run, positional=("lines",))
