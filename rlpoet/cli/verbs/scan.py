"""``rlpoet scan``: the metrical syllables of a line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class ScanConfig:
    """Show how lines of verse scan.

    Attributes:
        lang: fr, es or en, a variety such as es-distincion, or the folder of a language.
        lines: the lines to scan; or a file or a folder/ with them, as rlpoet corpus reads it; "-" for standard input. A text with line
            breaks is several lines.
        target: number of syllables that the line should have; a reading of that length is preferred, if a licence allows it.
        jsonl: file of {"line": "...", "target": 12}, one object a line, "-" for standard input; answers are JSON Lines too.
        on_error: what to do if a row of --jsonl cannot be answered. go_on writes {"error": "...", "line": n} in its place, and ends with
            exit code 1; stop ends there, with exit code 2.
    """

    lang: str
    lines: tuple[str, ...] = ()
    target: int | None = None
    jsonl: str | None = None
    on_error: Literal["go_on", "stop"] = "go_on"


def run(config: ScanConfig) -> int:
    if config.target is not None and config.target < 1:
        raise RlpoetError(f"--target: {config.target}; expected 1 or more syllables.")
    if config.jsonl is not None:
        from rlpoet.cli.jsonl import answer_scans, write_answers

        if config.target is not None:
            raise RlpoetError('--target: given with --jsonl; expected it in the rows, as {"line": "...", "target": 12}.')
        return write_answers(answer_scans, config.jsonl, config.lang, config.on_error)
    if not config.lines:
        raise RlpoetError("LINES: none given; expected a line of verse, or --jsonl FILE.")
    from rlpoet.analysis.lexicon.which import warning
    from rlpoet.corpus.given import lines_given
    from rlpoet.prosody.meter import scan
    from rlpoet.reporting.poems import console, scansion_text
    from rlpoet.reporting.terminal import write_plain

    lines = lines_given(config.lines)
    if told := warning(lines, config.lang):
        write_plain(told + "\n", stderr=True)
    for line in lines:
        console().print(scansion_text(scan(line, config.lang, config.target)))
    return 0


COMMAND = Command("scan", "the metrical syllables and stresses of a line", ScanConfig, run, positional=("lines",))
