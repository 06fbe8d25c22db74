"""A poem for other programs: its lines and stanzas stay, and nothing in it is taken for a command."""

from __future__ import annotations

import itertools
import re

import pytest

from rlpoet.errors import UnknownName
from rlpoet.studio.typeset import FORMATS, Manuscript, typeset

LINES = [
    "# ombre",
    "- sombre",
    "> nombre",
    "1. un",
    "2) deux",
    "* trois",
    "+ quatre",
    "= cinq",
    "    retrait",
    "$x$ & 100 % de #1_a^b~c\\d{e}<f>|`g`[h]",
]


def poem(text: str, **more: str) -> Manuscript:
    return Manuscript(text, "fr", **more)


@pytest.mark.parametrize("name", FORMATS)
def test_every_line_stays_a_line_and_every_stanza_a_stanza(name):
    letters = [chr(ord("a") + n) * 3 for n in range(7)]
    text = f"\n\n{letters[0]}\n{letters[1]}\n\n\n\n{letters[2]}\n\n{letters[3]}\n{letters[4]}\n{letters[5]}\n{letters[6]}\n\n"
    made = typeset(poem(text), name)
    shown = made.split("\\begin{verse}")[-1]  # before it LaTeX measures the widest line
    assert re.findall("|".join(letters), shown) == letters
    breaks = [shown[shown.index(a) : shown.index(b)] for a, b in itertools.pairwise(letters)]
    assert all("\n" in between for between in breaks)
    new = {"text": "\n\n", "markdown": "\n\n", "latex": "\n\n", "tei": "<lg"}[name]
    assert [new in between for between in breaks] == [False, True, True, False, False, False]


@pytest.mark.parametrize("line", LINES)
def test_markdown_takes_no_line_for_a_list_a_heading_or_a_mark(line):
    (shown,) = typeset(poem(line), "markdown").removesuffix("\n").split("\n")
    assert not re.match(r"\s*([#>+=*-]|\d+[.)])", shown)
    assert re.sub(r"\\([^\w\s]|_)", r"\1", shown.replace("&nbsp;", " ")) == line


@pytest.mark.parametrize("line", LINES)
def test_latex_escapes_what_it_would_take_for_a_command(line):
    made = typeset(poem(line), "latex")
    body = made.split("\\begin{verse}[\\versewidth]\n")[1].split("\\\\!")[0]
    bare = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar)\{\}|\\hspace\*\{[\d.]+em\}|\\[{}$&#%_]|^\{\}",
        "",
        body,
    )
    assert not set(bare) & set("\\{}$&#%_^~<>|")
    assert not bare.startswith(("*", "[")) or body.startswith("{}")


def test_an_unknown_format_is_named():
    with pytest.raises(UnknownName, match="docx"):
        typeset(poem("a"), "docx")
