"""What a notebook shows of a poem, of poems side by side, of an explanation: the renderers of the page and of the terminal, in a cell.

``import rlpoet`` in IPython calls ``register``; the data classes themselves know nothing of how they are shown.
"""

from __future__ import annotations

import io
from typing import Any

from markupsafe import Markup
from rich.console import RenderableType

from rlpoet.evaluation.score import ScoredPoem
from rlpoet.prosody.explain import LineExplained, RhymeExplained
from rlpoet.reporting.explanations import LineView, RhymeView
from rlpoet.reporting.pages import render
from rlpoet.reporting.poems import HUES, SideBySide, poem_html
from rlpoet.reporting.terminal import Terminal

WIDTH = 100  # columns of an explanation


def register(formatter: Any) -> None:
    """Have IPython show these types as HTML.

    Args:
        formatter: IPython's HTML formatter, ``get_ipython().display_formatter.formatters["text/html"]``.
    """
    for kind in (ScoredPoem, SideBySide, LineExplained, RhymeExplained):
        formatter.for_type(kind, cell)


def cell(shown: ScoredPoem | SideBySide | LineExplained | RhymeExplained) -> str:
    """The HTML of any of them."""
    if isinstance(shown, ScoredPoem):
        return poem_cell(shown)
    if isinstance(shown, SideBySide):
        return pairs_cell(shown)
    return terminal_cell(LineView(shown) if isinstance(shown, LineExplained) else RhymeView(shown))


def poem_cell(poem: ScoredPoem) -> str:
    """One poem with its syllables, césures and the reasons of its rewards, line by line; it brings its own style."""
    return render("notebook_poem.html", hues=HUES, poem=poem_html(poem, reasons=True, scansion=True))


def pairs_cell(both: SideBySide) -> str:
    """Pairs of poems in two columns, in one where the cell is narrow."""
    pairs = [list(zip(both.titles, map(poem_html, pair), strict=True)) for pair in zip(both.before, both.after, strict=True)]
    return render("notebook_pairs.html", hues=HUES, pairs=pairs)


def terminal_cell(shown: RenderableType) -> str:
    """What a terminal of ``WIDTH`` columns shows, colours and all."""
    console = Terminal(file=io.StringIO(), width=WIDTH, record=True, force_jupyter=False, soft_wrap=True)
    console.print(shown)
    coloured = Markup(console.export_html(inline_styles=True, code_format="{code}"))  # rich has escaped the text
    return render("notebook_terminal.html", shown=coloured)
