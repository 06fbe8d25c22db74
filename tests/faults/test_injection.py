"""Poems, names and paths are data: to a terminal, to rich, to a browser and to a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from rlpoet.cli.main import main
from rlpoet.errors import TableError
from rlpoet.evaluation.rating_sheets import Item, key_of, read_key, write_sheet
from rlpoet.evaluation.score import score_text
from rlpoet.languages.settings import read_settings
from rlpoet.reporting.notebook import cell
from rlpoet.reporting.poems import poem_html
from rlpoet.reporting.progress import Pulse
from rlpoet.reporting.terminal import Terminal
from rlpoet.text import visible

ROOT = Path(__file__).resolve().parents[2]
MARKUP = ["[/b]", "[b]x", "[link=file:///etc/passwd]x", "[/]", ":smile:", "[red]", "\\[b]"]
ESCAPES = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "a\rb", "\x1b]8;;http://x\x1b\\", "\u202egnp", "\x08\x08"]
ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printed(*shown: object, colours: bool = False) -> str:
    out = io.StringIO()
    Terminal(file=out, width=200, soft_wrap=True, force_terminal=colours, color_system="truecolor" if colours else None).print(*shown)
    return out.getvalue()


def table(text: str) -> Table:
    found = Table(text, title=text, caption=text)
    found.add_row(text)
    return found


# -- a terminal -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_shown_as_it_is_written(text):
    assert printed(text) == f"{text}\n" and printed(Text(text)) == f"{text}\n"
    assert printed(table(text)).count(text) == 4  # heading, cell, title and caption


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=30).map(str.strip))
def test_what_has_no_control_characters_comes_out_as_it_went_in(text):
    assert printed(text).rstrip("\n") == visible(text)


@pytest.mark.parametrize("text", ESCAPES)
def test_a_text_gives_a_terminal_no_orders(text):
    for shown in (text, Text(text, style="red"), table(text)):
        assert not ORDERS.search(printed(shown))
        coloured = re.sub(r"\x1b\[[\d;]*m", "", printed(shown, colours=True))  # rich's own styles
        assert not ORDERS.search(coloured)


def test_a_bar_still_moves_its_cursor():
    out = io.StringIO()
    with Pulse(Terminal(file=out, width=80, force_terminal=True)) as pulse:
        pulse.tell("[b] \x1b[2J", share=0.5)
    assert "\x1b[2K" in out.getvalue() and "\x1b[2J" not in out.getvalue() and "[b] ␛[2" in out.getvalue()


def test_no_other_console_is_made():
    found = set()
    for path in (path for room in ("rlpoet", "rewards", "policies") for path in (ROOT / room).rglob("*.py")):
        if re.search(
            r"(?<!\w)(?:Console|from_markup|render_markup)\(", path.read_text(encoding="utf-8").replace("class Terminal(Console)", "")
        ):
            found.add(path.name)
    assert found == set()


@pytest.mark.parametrize("evil", ["[/b]", "\x1b[2J", "<script>"])
def test_an_author_of_any_name_is_counted(evil, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    row = {"author": evil, "title": evil, "stanzas": [["Le jour se lève", f"et moi {evil}"]]}
    Path("poems.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert main(["corpus", "poems.jsonl", "--lang", "fr", "--no_clean"]) == 0
    told = capsys.readouterr()
    assert visible(evil) in told.out and not ORDERS.search(told.out + told.err)


@pytest.mark.parametrize(
    "argv", [["score", "poem.txt"], ["rhymes", "nuit\x1b[2J", "bruit[/b]"], ["scan", "nuit\x9b2J"], ["score", "\x1b[2J"]]
)
def test_no_verb_passes_escapes_on(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("poem.txt").write_text("Le jour\x1b[2J se lève\nsur la grève \x9b2J [/b]\n", encoding="utf-8")
    assert main([*argv, "--lang", "fr"]) in (0, 2)
    told = capsys.readouterr()
    assert not ORDERS.search(told.out + told.err) and "Traceback" not in told.err


# -- a browser --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["<script>", "</pre><b onload='z'>", '" onclick="x', "&lt;img src=x>"]), st.integers(0, 2))
def test_no_poem_is_markup_in_a_page(evil, at):
    lines = ["Le jour se lève", "sur la grève", "et moi"]
    lines[at] += f" {evil}"
    poem = score_text("\n".join(lines), "fr")[0]
    for page in (str(poem_html(poem, reasons=True, scansion=True)), cell(poem)):
        assert not re.search(r"<script|<b on|\" onclick|<img", page)


@pytest.mark.parametrize("code", ['it\\"><script>alert(1)</script>', "../../x", "/tmp/x", "it\\n", "é", "", "i t"])
def test_a_language_has_a_plain_code(code, tmp_path):
    folder = tmp_path / "it"
    shutil.copytree(ROOT / "experiments" / "languages" / "it", folder)
    path = folder / "language.toml"
    path.write_text(re.sub(r"^code = .*$", lambda _: f'code = "{code}"', path.read_text(encoding="utf-8"), flags=re.M), encoding="utf-8")
    with pytest.raises(TableError, match=r"language\.toml:\d+: code is .*; expected"):
        read_settings(folder)


# -- a spreadsheet ----------------------------------------------------------------------------------


def test_no_cell_of_a_sheet_is_a_formula(tmp_path):
    starts = ['=HYPERLINK("http://x")', "+1", "-1+1", "@SUM(1)", "'=1", "Le jour"]
    items = [Item(f"p{i}", start, f"{start}\nLa nuit") for i, start in enumerate(starts)]
    sheet = tmp_path / "sheet.csv"
    key = write_sheet(items, sheet)
    for path in (sheet, key):
        cells = [cell for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"))) for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
        assert any(cell.startswith("Le jour") for cell in cells)  # what is none stays as it is
    assert read_key(key_of(sheet)) == {item.number: item.source for item in items}
