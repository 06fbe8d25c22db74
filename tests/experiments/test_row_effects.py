"""Rows of rule tables and the lines of a corpus that they change (``experiments.release.tables.row_effects``)."""

from __future__ import annotations

import functools
import itertools
import shutil

import pytest

from experiments.release.tables.row_effects import Effects, drop, remembered
from experiments.release.tables.rules.english import EnglishRules
from experiments.release.tables.rules.french import FrenchRules
from experiments.release.tables.rules.language import MOST_LINES, left_out, without
from experiments.release.tables.rules.spanish import SpanishRules
from rlpoet.phonology import phonology
from rlpoet.prosody.es import scansion


def row_with(rules, table, start):
    """The row of a table that begins with some cells."""
    lines = (rules.folder / table).read_text(encoding="utf-8").split("\n")
    return next(f"{table}:{n}" for n, line in enumerate(lines, 1) if line.startswith(start))


@pytest.mark.parametrize(
    ("rules", "table", "start", "touched", "elsewhere"),
    [
        (EnglishRules, "final_stress.tsv", "ee\t", "The grandee came", "The coffee came"),
        (EnglishRules, "endings.tsv", "ness\t", "In deepness lost", "In darkness lost"),
        pytest.param(FrenchRules, "names.tsv", "agen\t", "Les prunes d'Agen", "Les prunes d'antan", marks=pytest.mark.slow),
        pytest.param(FrenchRules, "homographs.tsv", "fils\t", "Le fils", "Le soir", marks=pytest.mark.slow),
        (SpanishRules, "doublets.tsv", "océano\t", "El océano azul", "El mar azul"),
        pytest.param(SpanishRules, "reductions.tsv", "ɡn\t", "Que es digno", "Que es divino", marks=pytest.mark.slow),
        (SpanishRules, "unstressed.tsv", "del\t", "La rosa del jardín", "La rosa roja"),
    ],
)
def test_a_row_counts_the_lines_that_it_changes_and_is_idle_elsewhere(rules, table, start, touched, elsewhere):
    own = rules()
    own.tables = (table,)
    own.line_tables = tuple(name for name in own.line_tables if name == table)
    row = row_with(own, table, start)
    assert Effects(own, [touched], []).n_lines[row] == 1
    alone = Effects(own, [elsewhere], [])
    assert alone.n_lines[row] == 0 and row in alone.idle
    kept = Effects(own, [elsewhere], [touched])
    assert row in kept.for_cases and row not in kept.idle


def test_what_is_left_out_comes_back():
    rules, word = FrenchRules(), "fils"
    before = rules.answer(word)
    with without(rules, row_with(rules, "homographs.tsv", "fils\t")):
        assert rules.answer(word) != before
    assert rules.answer(word) == before and not left_out
    assert len(phonology("fr").transcribe(word).pronunciations) == 3


def test_drop_deletes_the_rows_and_nothing_else(tmp_path):
    shutil.copy(SpanishRules.folder / "doublets.tsv", tmp_path)
    before = (tmp_path / "doublets.tsv").read_text(encoding="utf-8").split("\n")
    drop(tmp_path, ["doublets.tsv:5", "doublets.tsv:3"])
    assert (tmp_path / "doublets.tsv").read_text(encoding="utf-8").split("\n") == [*before[:2], before[3], *before[5:]]


def test_a_new_cache_of_lines_makes_no_row_idle(monkeypatch):
    """A cache of whole readings that nobody told the tables of: a row left out would seem to change nothing."""
    monkeypatch.setattr(scansion, "choose", functools.lru_cache(maxsize=1024)(scansion.choose))
    own = SpanishRules()
    own.tables = own.line_tables = ("unstressed.tsv",)
    row = row_with(own, "unstressed.tsv", "del\t")
    found = Effects(own, ["La rosa del jardín", "La rosa roja"], [])
    assert found.n_lines[row] == 1 and row not in found.idle


def test_a_row_that_wants_a_word_after_its_own_is_asked_of_lines_that_have_it():
    own = SpanishRules()
    own.tables = own.line_tables = ("unstressed.tsv",)
    row = row_with(own, "unstressed.tsv", "tres\tmil\t")
    others = [f"Los tres {word} amigos" for word in map("".join, itertools.product("lmprst", "aeo", "bdlm", "aeo"))]
    assert len(others) > MOST_LINES
    assert Effects(own, [*others, "Treinta soldados en tres mil galeras"], []).n_lines[row] == 1


def test_a_table_without_any_effect_is_told_apart():
    own = SpanishRules()
    own.tables = ("doublets.tsv", "unstressed.tsv")
    rows = own.rows("doublets.tsv")
    assert remembered(own, [*rows, *own.rows("unstressed.tsv")[1:]]) == ["doublets.tsv"]
    assert remembered(own, rows[1:]) == []
