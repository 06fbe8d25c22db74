"""``rlpoet explain``: why a line scans as it does, and why two lines rhyme or do not."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class ExplainConfig:
    """Tell what is heard in a line of verse: its sounds, its syllables and stresses, its meter, and what decided each of them.

    Above the syllables stand their stresses (/ strong, x weak), or their numbers where the meter counts no stress; a caesura is ‖,
    ‿ ties words that share a syllable, brackets hold what is written but not counted, and ? marks a guess.

    With --rhyme, tell how lines or words rhyme, which pronunciations were tried and why the answer is what it is.

    Attributes:
        lang: fr, es or en, or another language that is installed; a variety follows a hyphen (fr-modern).
        lines: the lines or words, or what has them: a file or a folder/ as rlpoet corpus reads them, "-" for standard input.
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
    from rlpoet.corpus.given import lines_given
    from rlpoet.reporting.explanations import explained, show_explanations

    told = explained(lines_given(config.lines), config.lang, rhyme=config.rhyme, target=config.target)
    show_explanations(told, json=config.json)
    return 0


COMMAND = Command("explain", "why a line scans and why lines rhyme, sound by sound", ExplainConfig, run, positional=("lines",))
