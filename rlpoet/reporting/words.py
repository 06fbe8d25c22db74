"""A rhyme dictionary's answer for people: one block a kind of rhyme, its words in columns, names and old words marked."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rlpoet.analysis.rhyme_dictionary import RhymingWord, first_of_each_kind
from rlpoet.prosody import verse
from rlpoet.reporting.terminal import console, write_row
from rlpoet.text import visible

NAME_MARK, OLD_MARK = "°", "†"
WIDEST = 110  # columns that are read with ease
MOST = 40  # words of each kind that people are shown
GAP = 2  # columns between words


@dataclasses.dataclass(frozen=True)
class WordsView:
    """The words of each kind, the first of them, with how many there are.

    Attributes:
        words: in the order in which they are shown.
        most: words shown of a kind.
    """

    words: Sequence[RhymingWord]
    most: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST) - 2
        marks: set[str] = set()
        for i, (kind, group) in enumerate(itertools.groupby(self.words, key=lambda word: word.kind)):
            members = list(group)
            if i:
                yield ""
            number = f"{len(members):,}" if len(members) <= self.most else f"{self.most:,} of {len(members):,}"
            verdict = "" if members[0].full else " · no full rhyme"
            yield Text(kind, "bold").append(f" · {number}{verdict}", "dim")
            shown = members[: self.most]
            marks |= {mark for word in shown for mark in _marks(word)}
            for row in _rows([_cell(word) for word in shown], width):
                yield Text("  ").append_text(row)
        notes = [f"{mark} {said}" for mark, said in ((NAME_MARK, "a name"), (OLD_MARK, "an old spelling or word")) if mark in marks]
        if notes:
            yield ""
            yield Text(" · ".join(notes), "dim")


def show_words(found: Sequence[RhymingWord], text: str, lang: str, *, n: int | None = None, json: bool = False) -> None:
    """Print what rhymes with a text, and on standard error what is to be known of it.

    Args:
        n: most words of each kind; by default ``MOST`` for people, all for programs.
        json: one JSON object a word.
    """
    if not text.startswith("/") and not any(ending.known for ending in verse(lang).endings(text)):
        sys.stderr.write(f"The sound of {text[:80]!r} is a guess from its spelling.\n")
    if not found:
        sys.stderr.write(f"Nothing in the dictionary of {lang} rhymes so with {text[:80]!r}. Ask for less.\n")
    elif json:
        shown = found if n is None else first_of_each_kind(found, n)
        for word in shown:
            write_row(dataclasses.asdict(word))
    else:
        console().print(WordsView(found, n or MOST))


def _marks(word: RhymingWord) -> str:
    return NAME_MARK * word.name + OLD_MARK * word.old


def _cell(word: RhymingWord) -> Text:
    return Text(visible(word.word)).append(_marks(word), "dim")


def _rows(cells: Sequence[Text], width: int) -> Iterator[Text]:
    """Cells side by side in columns of one width, row by row."""
    column = max((cell.cell_len for cell in cells), default=0) + GAP
    n = max(1, (width + GAP) // column)
    for start in range(0, len(cells), n):
        row = Text()
        for cell in cells[start : start + n]:
            row.append_text(cell).append(" " * (column - cell.cell_len))
        row.rstrip()
        yield row
