"""Whose verse poems sound like, for a terminal or for machines."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from rlpoet.analysis.authorship.attribution import Attribution
from rlpoet.reporting.poems import console
from rlpoet.reporting.terminal import write_row

N_SHOWN = 5  # voices of a table


def show_attributions(found: Iterable[Attribution], *, json: bool = False) -> None:
    """Print a table a poem as it comes, or one JSON object a poem."""
    out = console()
    for number, poem in enumerate(found, start=1):
        if not json:
            out.print(attribution_table(poem))
            continue
        voices = {voice.name: round(voice.probability, 4) for voice in poem.voices}
        write_row({"poem": number, "verselike": round(poem.verselike, 4), "voices": voices})


def attribution_table(poem: Attribution) -> Table:
    """The likeliest voices of a poem and what speaks for each."""
    title = Text(f"{poem.lines[0]} ... ({len(poem.lines)} lines, {poem.verselike:.0%} verse)", "table.title")
    table = Table(title=title, title_justify="left")
    table.add_column("voice")
    table.add_column("likely", justify="right")
    table.add_column("what speaks for it")
    for voice in poem.voices[:N_SHOWN]:
        table.add_row(Text(voice.name), f"{voice.probability:.1%}", Text(", ".join(voice.signs)))
    return table
