"""`rlpoet forms` and `rlpoet authors`: tables for people, JSON for programs, and errors that name what there is."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest

from rlpoet.cli.main import CORE, VERBS, main
from rlpoet.prosody.forms import form, forms


def rows(text: str) -> list[dict]:
    return [json.loads(row) for row in text.splitlines()]


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_every_form_of_a_language_is_listed(capsys, lang):
    assert main(["forms", "--lang", lang, "--json"]) == 0
    found = rows(capsys.readouterr().out)
    assert [one["name"] for one in found] == [one.name for one in forms(lang)]
    assert all(form(name, lang).name == one["name"] for one in found for name in one["names"])
    assert [one["name"] for one in found if "villanelle" in one["names"] and one["writable"]] == []


def test_one_form_is_shown_with_its_scheme(capsys):
    assert main(["forms", "redondilla", "--lang", "es"]) == 0
    shown = capsys.readouterr().out
    assert "quatrain-abba-8" in shown and "redondilla" in shown and "abba" in shown
    assert main(["forms", "terza-rima:7", "--lang", "fr", "--json"]) == 0
    (one,) = rows(capsys.readouterr().out)
    assert one["lines"] == 7 and one["writable"]


def test_authors_are_those_that_a_policy_has_marks_for(capsys):
    assert main(["authors", "--lang", "fr", "--json"]) == 0
    names = json.loads(capsys.readouterr().out)
    assert "Victor Hugo" in names and len(names) == len(set(names)) > 50
    assert main(["authors", "--policy", "es-tb"]) == 0
    assert "Quevedo" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["forms", "sonet", "--lang", "en"], "did you mean 'sonnet'"),
        (["forms", "--lang", "xx"], "unknown 'xx'"),
        (["authors"], "expected fr, es or en"),
        (["authors", "--policy", "frr"], "policy"),
        (["authors", "--policy", "."], "no verse_format.json"),
    ],
)
def test_errors_say_what_there_is(capsys, argv, message):
    assert main(argv) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and shown.out == ""


def test_every_verb_has_its_place_in_the_help_and_first_steps_stand_below(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert sorted(verb for verbs in VERBS.values() for verb in verbs) == list(CORE)
    assert all(f"  {verb:<10} " in shown for verb in CORE) and all(f"{title}:" in shown for title in VERBS)
    assert "first steps:" in shown


def test_scan_reads_standard_input_as_explain_does(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Je suis le ténébreux\n\nle veuf\n".encode())))
    assert main(["scan", "-", "--lang", "fr"]) == 0
    assert capsys.readouterr().out.count("syllables") == 2


def test_tables_load_no_torch():
    code = """
import sys
from rlpoet.cli.main import main
assert main(["forms", "--lang", "fr"]) == main(["authors", "--lang", "en"]) == main(["rhymes", "a", "b", "--lang", "es"]) == 0
heavy = {"torch", "transformers", "numpy", "scipy", "numba"} & set(sys.modules)
sys.exit(f"loaded {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
