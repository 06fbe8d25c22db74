"""The table of the benchmark: people first, then models best first, of one version of the benchmark alone."""

from __future__ import annotations

import doctest

import pytest

from experiments.studies import bench_table
from experiments.studies.bench_table import table


def figures(perfect, right=0.5):
    return {
        "all": {
            "n": 20,
            "perfect_stanzas": perfect,
            "perfect_stanzas_95": [0.0, perfect],
            "right_lines": right,
            "right_lines_95": [0.1, 0.9],
        }
    }


def board(models, version=1, people=("fr", "en")):
    return {
        "version": version,
        "people": {lang: figures(0.6) for lang in people},
        "models": [{"model": name, "seed": 3, "langs": {lang: figures(*of) for lang, of in langs.items()}} for name, langs in models],
    }


def test_examples():
    assert doctest.testmod(bench_table).failed == 0


def test_rows_stand_by_language_with_people_first_and_the_best_model_next():
    found = table(
        [board([("a", {"en": (0.0, 0.2)}), ("b", {"en": (0.0, 0.4), "fr": (0.1,)})]), board([("c", {"en": (0.3,)})])],
        "abc1234",
        "2026-12-01",
    )
    assert [tuple(row[:2]) for row in found["rows"]] == [
        ("people", "fr"),
        ("b", "fr"),
        ("people", "en"),
        ("c", "en"),
        ("b", "en"),
        ("a", "en"),
    ]
    assert found["seeds"] == [3] and all(len(row) == len(found["columns"]) for row in found["rows"])
    assert found["rows"][3][-1] == {"mean": 30, "interval": [0, 30]} and found["rows"][3][4] is None


def test_boards_of_two_versions_stand_in_no_table():
    with pytest.raises(SystemExit, match="different versions"):
        table([board([("a", {"en": (0.0,)})]), board([("b", {"en": (0.0,)})], version=2)], "abc1234", "2026-12-01")
