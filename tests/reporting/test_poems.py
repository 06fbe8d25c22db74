"""One poem, three spellings; none of them says by colour what it does not say otherwise."""

from __future__ import annotations

import dataclasses
import importlib
import io
import re
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

import rlpoet
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.prosody.explain import LineExplained, RhymeExplained, explain, explain_rhyme
from rlpoet.reporting import poems as render
from rlpoet.reporting.figures import poems_figure
from rlpoet.reporting.notebook import cell
from rlpoet.types import Scansion, Syllable

POEM = ScoredPoem(
    lines=("Le jour s’en va vers l’ombre,", "La nuit <descend> | partout,", "Et la forêt est sombre,", "Mais rien ne va au *bout*."),
    asked="ab ab",
    found="axax",
    syllables=(6, 6, 6, 7),
    targets=((6,), (6,), (6,), (6, 8)),
    scores={"rhyme": 0.5, "meter": 0.75, "absent": None},
    reasons=(("rhyme: first",), ("rhyme: no mate",), ("rhyme: with line 1",), ("rhyme: no mate", "meter: 7")),
    tails=("ombre", "out", "ombre", "out"),
    lang="fr",
    form="ab-ab",
)


def printed(renderable: object, *, width: int = 100, terminal: bool = False) -> str:
    out = io.StringIO()
    color = "truecolor" if terminal else None
    Console(file=out, width=width, force_terminal=terminal, color_system=color, highlight=False, soft_wrap=True).print(renderable)
    return out.getvalue()


def test_plain_text_holds_every_line_letter_and_count():
    rows = printed(render.poem_text(POEM)).splitlines()
    assert rows[0] == "ab-ab · scheme ab ab, heard axax · rhyme 0.50 · meter 0.75"
    assert rows[1] == " a     6  Le jour s’en va vers l’ombre,"
    assert rows[3] == "" and rows[4].startswith(" a ")
    assert rows[5] == " x 7≠6|8  Mais rien ne va au *bout*."


def test_nothing_but_text_reaches_a_pipe():
    assert "\x1b" not in printed(render.poem_text(POEM, reasons=True))


def test_a_terminal_shows_the_tail_underlined_and_a_family_in_one_hue():
    lines = printed(render.poem_text(POEM), terminal=True).splitlines()
    assert "\x1b[1;4;38;2;47;125;225mombre" in lines[1] and "\x1b[1;4;38;2;47;125;225mombre" in lines[4]
    assert "\x1b[4;90mout" in lines[2]


def test_reasons_follow_their_line():
    rows = [row.strip() for row in printed(render.poem_text(POEM, reasons=True)).splitlines()]
    assert rows[-2:] == ["rhyme: no mate", "meter: 7"]


def test_html_escapes_the_poem_and_marks_the_tail():
    page = render.poem_html(POEM)
    assert "&lt;descend&gt;" in page and "<descend>" not in page
    assert page.count('<span class="tail">ombre</span>') == 2
    assert page.count('class="gap"') == 1 and 'class="count off">7≠6|8<' in page
    assert re.findall(r'<li class="(\w+)"><span class="letter">(\w)', page) == [("f0", "a"), ("x", "x"), ("f0", "a"), ("x", "x")]


def test_markdown_keeps_the_poem_inside_one_table():
    rows = render.poem_markdown(POEM).split("\n")
    assert rows[4] == "| a | 6 | Le jour s’en va vers l’**ombre**, |"
    assert rows[5] == r"| x | 6 | La nuit \<descend\> \| part**out**, |"
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 4 for row in rows[2:])


def test_a_tail_that_is_not_in_its_line_marks_nothing():
    poem = dataclasses.replace(POEM, tails=("zzz", "", "OMBRE", "out"))
    tails = [line.tail for line in render.drawn(poem) if line]
    assert tails == ["", "", "ombre", "out"]


def test_a_scheme_that_does_not_cover_the_poem_breaks_no_stanza():
    assert None not in render.drawn(dataclasses.replace(POEM, asked="abab cdcd"))


def test_an_empty_poem_is_drawn_as_its_heading():
    empty = ScoredPoem((), "", "", (), (), {}, (), ())
    assert printed(render.poem_text(empty)) == "no line of verse\n"
    assert render.poem_html(empty).startswith("<div")


def test_side_by_side_stands_beside_where_there_is_room_and_below_where_not():
    pair = render.SideBySide([POEM], [POEM])
    assert "before" in printed(pair, width=120).splitlines()[0] and "after" in printed(pair, width=120).splitlines()[0]
    narrow = printed(pair, width=60).splitlines()
    assert narrow[0] == "before" and "after" in narrow[1:]
    assert printed(pair, width=60).count("Le jour s’en va vers l’ombre,") == 2


def test_comparison_tells_points_for_shares_and_percent_for_numbers():
    before, after = {"rhyme_pairs": 0.04, "prior_nll_per_token": 2.0, "n": 256}, {"rhyme_pairs": 0.8, "prior_nll_per_token": 2.2}
    assert render.comparison_rows(before, after) == [
        ("pairs that rhyme", "4.0 %", "80.0 %", "+76.0 points"),
        ("prior nats/token", "2.000", "2.200", "+10.0 %"),
        ("fresh samples", "256", "-", ""),
    ]


@pytest.mark.parametrize("spell", [render.comparison_html, lambda a, b: printed(render.comparison_table(a, b))])
def test_every_spelling_of_the_comparison_has_the_same_figures(spell):
    text = spell({"rhyme_pairs": 0.04}, {"rhyme_pairs": 0.8})
    assert "4.0 %" in text and "80.0 %" in text and "+76.0 points" in text


def test_scansion_puts_each_mark_above_its_syllable():
    units = (*map(Syllable, ("La ", "ro", "se ", "est ", "bel")), Syllable("le", None, False, "elided"))
    rows = printed(render.scansion_text(Scansion("La rose est belle", 5, None, True, units, 3))).splitlines()
    assert rows[0].split() == ["1", "2", "3", "4", "5"]
    assert rows[1] == "La ro·se ‖ est bel·(le)"
    assert [rows[1][rows[0].index(mark)] for mark in "1245"] == ["L", "r", "e", "b"]
    assert rows[2] == "5 syllables · caesura 3+2 · fits · le: elided"


def test_scansion_joins_a_sinalefa_and_marks_stress():
    units = (Syllable("la al", False, True, "sinalefa"), Syllable("ma", True))
    rows = printed(render.scansion_text(Scansion("la alma", 2, "-+", None, units))).splitlines()
    assert rows[0] == "x     /" and rows[1] == "la‿al·ma" and rows[2].startswith("2 syllables · -+")


def test_a_line_tells_what_it_earned_before_the_reason():
    (poem,) = score_text("ombre\nsombre", "fr", "couplet")
    told = [reason for line in render.drawn(poem) if line for reason in line.reasons]
    assert "rhyme 1.00: rhymes with line 2 (riche, -ombre)" in told and any(reason.startswith("meter 0.00: ") for reason in told)


def test_syllables_in_html_are_those_of_the_line_with_their_marks_and_the_cesure():
    (poem,) = score_text("C'est Vénus tout entière à sa proie attachée\nLe jour", "fr", "couplet")
    (first, _) = (line for line in render.drawn(poem, scansion=True) if line)
    assert [mark for mark, _ in first.syllables if mark] == [str(n) for n in range(1, 13)]
    assert any("‖" in below for _, below in first.syllables)
    letters = "".join(char for _, below in first.syllables for char in below if char.isalpha())
    assert letters == "".join(char for char in poem.lines[0] if char.isalpha())
    assert render.poem_html(poem, scansion=True).count('class="scansion"') == 2 and "scansion" not in render.poem_html(poem)


@pytest.mark.parametrize("shown, holds", [
    (POEM, ["&lt;descend&gt;", "x", "rhyme: no mate"]),
    (render.SideBySide([POEM], [POEM]), ["before", "after", "ombre"]),
    (explain("Vénus <b>tout", "fr"), ["nus", "&lt;b"]),
    (explain_rhyme("ombre", "sombre", "fr"), ["riche"]),
])  # fmt: skip
def test_a_notebook_cell_brings_its_style_and_escapes_what_it_shows(shown, holds):
    drawn = cell(shown)
    assert "style" in drawn and "<descend>" not in drawn and "<b>tout" not in drawn and "<script" not in drawn
    assert all(part in drawn for part in holds)


def test_ipython_is_given_a_renderer_of_each_type(monkeypatch):
    known: dict[type, object] = {}
    html = SimpleNamespace(for_type=known.__setitem__)
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters={"text/html": html}))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    importlib.reload(rlpoet)
    assert set(known) == {type(POEM), render.SideBySide, LineExplained, RhymeExplained}
    assert known[type(POEM)](POEM) == cell(POEM)


def test_a_picture_has_a_box_for_what_its_font_lacks():
    odd = dataclasses.replace(POEM, lines=("o҈ 漢",), found="x", syllables=(1,), targets=((),), tails=("",), reasons=((),))
    figure = poems_figure([odd])
    assert "o□ □" in {text.get_text() for text in figure.axes[0].texts}
    figure.canvas.draw()  # a warning would fail here


def test_a_picture_has_every_line_in_its_column_and_the_tail_in_its_hue():
    figure = poems_figure(
        [POEM, dataclasses.replace(POEM, lines=("$x^",), found="x", syllables=(1,), targets=((),), tails=("",), reasons=((),))]
    )
    (axes,) = figure.axes
    told = {(text.get_text(), text.get_color()): text.get_position() for text in axes.texts}
    row, column = told[("ombre", render.HUES[0])][1], told[("ombre", render.HUES[0])][0]
    assert column == 10 + len("Et la forêt est s") and told[("Et la forêt est s", "#1f2328")] == (10, row)
    assert ("$x^", "#1f2328") in told  # no formula
    figure.canvas.draw()
