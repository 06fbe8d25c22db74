"""How well lines keep a form, which one they keep best, and that a text is held to its number of lines in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rlpoet.errors import UnknownName
from rlpoet.prosody.fit import form_and_lines, guess_form, has_its_lines, kept, lines_in_meter, pairs_that_rhyme
from rlpoet.prosody.forms import form, forms
from rlpoet.types import Form, Prompt

ROOT = Path(__file__).resolve().parents[2]
CURFEW = (
    "The curfew tolls the knell of parting day,",
    "The lowing herd winds slowly o'er the lea,",
    "The ploughman homeward plods his weary way,",
    "And leaves the world to darkness and to me.",
)
HALF = (CURFEW[0], CURFEW[1], "The ploughman homeward plods his weary road,", CURFEW[3])  # xaxa, in the meter of abab
FREE = Form("free", "en", "xxxx", ((10,),) * 4)


@pytest.mark.parametrize("text, complete", [("un\n\ndeux", True), ("un\n", False), ("un\ndeux\ntrois", False), ("", False)])
def test_a_text_has_its_lines_or_not_whatever_its_blank_lines(text, complete):
    asked, lines, found = form_and_lines(Prompt("fr", "couplet"), text)
    assert asked is form("couplet", "fr") and lines == text.split() and found == has_its_lines(lines, asked) == complete


def test_pairs_and_lines_are_told_one_by_one():
    asked = form("quatrain-abab", "en")
    assert pairs_that_rhyme(HALF, asked) == [i == 1 for i, _ in asked.pairs]
    assert lines_in_meter([*HALF[:3], "And leaves the world"], asked) == [True, True, True, False]
    assert kept(HALF, asked) == (0.5, 1.0)
    assert kept(HALF, FREE) == (1.0,)  # no share of pairs where none is asked for


def test_a_form_is_guessed_by_rhyme_and_meter_together():
    assert guess_form(CURFEW, "en") is form("quatrain-abab", "en")
    ballad = form("ballad", "en")
    assert kept(HALF, ballad)[0] == 1.0 and kept(HALF, ballad)[1] < 1.0  # its one pair rhymes, its lines are of other lengths
    assert guess_form(HALF, "en") is form("quatrain-abab", "en")
    assert guess_form(CURFEW, "en", among=[ballad, form("couplet", "en")]) is None
    assert guess_form(CURFEW, "en", among=[ballad, form("couplet", "en")], least=0.0) is ballad
    assert guess_form(CURFEW, "en", among=[FREE]) is FREE


def test_the_first_of_equals_is_the_commonest():
    lines = ["la mer"] * 4
    equals = [own for own in forms("fr") if own.n_lines == 4 and not any(lines_in_meter(lines, own))]
    assert guess_form(lines, "fr", among=equals, least=0.0) is equals[0]


def test_what_no_form_has_so_many_lines_for_is_no_form():
    assert guess_form(["la mer"] * 97, "fr", least=0.0) is None
    with pytest.raises(UnknownName):
        guess_form(CURFEW, "xx")


def test_no_other_module_counts_lines_against_a_form():
    found = set()
    for path in (path for room in ("rlpoet", "rewards", "policies") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
                if any(side.endswith("n_lines") for side in sides) and any(side.startswith("len(") for side in sides):
                    found.add(path.relative_to(ROOT).as_posix())
    stanzas_alone = {"rlpoet/analysis/coherence/shuffles.py", "policies/formats/verse.py"}  # n_lines of no form
    given = {"policies/completion/gaps.py", "policies/generation/generate.py"}  # whether a user gave as many lines as a form has
    assert found - {"rlpoet/training/gflownet/exploration.py"} - given == {"rlpoet/prosody/fit.py", *stanzas_alone}
