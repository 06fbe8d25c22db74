"""``rlpoet explain``: why a line scans as it does, and why two lines rhyme or do not."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class ExplainConfig:
    """Show the sounds, syllables, stresses and meter of a line of verse, and the source of each.

    The row above the syllables shows stresses (/ strong, x weak), or numbers where the meter counts no stress. ‖ is a caesura, ‿ joins
    words that share a syllable, brackets mark letters that are not counted, and ? marks a guess.

    With --rhyme, show how lines or words rhyme, which pronunciations were tried, and the reason for the answer.

    Attributes:
        lang: fr, es or en, or another language that is installed; a variety follows a hyphen (fr-modern).
        lines: the lines or words; or a file or a folder/ with them, as rlpoet corpus reads it; "-" for standard input.
        rhyme: explain how each pair of lines rhymes, instead of how the lines scan.
        target: number of syllables that a line should have; a reading of that length is preferred, if a licence allows it.
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
