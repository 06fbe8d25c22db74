"""``rlpoet explain``: why a line scans as it does, and why two lines rhyme or do not."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from dataclasses import dataclass

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError


@dataclass(frozen=True)
class ExplainConfig:
    """Tell what is heard in a line of verse: its sounds, its syllables and stresses, its meter, and what decided each of them.

    Above the syllables stand their stresses (/ strong, x weak), or their numbers where the meter counts no stress; a caesura is ‖,
    ‿ ties words that share a syllable, brackets hold what is written but not counted, and ? marks a guess.

    With --rhyme, tell how lines or words rhyme, which pronunciations were tried and why the answer is what it is.

    Attributes:
        lang: fr, es or en, or another language that is installed; a variety follows a hyphen (fr-modern).
        lines: the lines or words, "-" for those of standard input; a text with line breaks is several lines.
        rhyme: explain how the lines rhyme, each with each, instead of how they scan.
        target: syllables a line should have; a licensed reading of that length is preferred.
        json: one JSON object a line, or a pair with --rhyme, for machines.
    """

    lang: str
    lines: tuple[str, ...] = ()
    rhyme: bool = False
    target: int | None = None
    json: bool = False


def run(config: ExplainConfig) -> int:
    from rlpoet.prosody.explain import LineExplained, RhymeExplained, explain, explain_rhyme
    from rlpoet.text import read_text, split_poem

    texts = [read_text("-") if text == "-" else text for text in config.lines]
    lines = [line for text in texts for line in (split_poem(text) if "\n" in text else [text])]
    if config.target is not None and config.target < 1:
        raise RlpoetError(f"--target: {config.target}; expected 1 or more syllables.")
    if config.rhyme and config.target is not None:
        raise RlpoetError("--target: given with --rhyme; expected one of them. A rhyme has no length.")
    if len(lines) < (2 if config.rhyme else 1):
        wanted = "two lines or words, or more" if config.rhyme else "a line of verse"
        raise RlpoetError(f"LINES: {len(lines) or 'none'} given; expected {wanted}.")
    told: list[LineExplained | RhymeExplained]
    if config.rhyme:
        told = [explain_rhyme(a, b, config.lang) for a, b in itertools.combinations(lines, 2)]
    else:
        told = [explain(line, config.lang, target=config.target) for line in lines]
    if config.json:
        sys.stdout.writelines(json.dumps(dataclasses.asdict(one), ensure_ascii=False) + "\n" for one in told)
        return 0
    from rlpoet.reporting.explanations import LineView, RhymeView
    from rlpoet.reporting.poems import console

    out = console()
    for i, one in enumerate(told):
        if i:
            out.print()
        out.print(RhymeView(one) if isinstance(one, RhymeExplained) else LineView(one))
    return 0


COMMAND = Command("explain", "why a line scans and why lines rhyme, sound by sound", ExplainConfig, run, positional=("lines",))
