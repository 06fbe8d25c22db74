"""``rlpoet score``: a poem held against its form, with reasons line by line."""

from __future__ import annotations

import dataclasses
import json
import sys
from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class ScoreConfig:
    """Show a poem's rhymes and syllables, and why each line gets its score.

    Attributes:
        file: text with one poem or several of the same form, "-" for standard input.
        lang: fr, es or en, a variety such as es-distincion, or the folder of a language.
        form: the form to hold it against; without it the likeliest one, marked as guessed.
        json: one JSON object a poem instead, for machines.
    """

    file: str
    lang: str
    form: str | None = None
    json: bool = False


def run(config: ScoreConfig) -> int:
    from rlpoet.evaluation.score import score_file
    from rlpoet.reporting.poems import console, poem_text

    poems = score_file(config.file, config.lang, config.form)
    if config.json:
        sys.stdout.writelines(json.dumps(dataclasses.asdict(poem), ensure_ascii=False) + "\n" for poem in poems)
        return 0
    out = console()
    for i, poem in enumerate(poems):
        if i:
            out.print()
        out.print(poem_text(poem, reasons=True))
    return 0


COMMAND = Command("score", "a poem with its scheme, its counts, and why each line scores", ScoreConfig, run, positional=("file",))
