"""Siblings of faults that were reported: for each kind words and lines that were not reported, through the same rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlpoet.cli.jsonl import answer_rhymes
from rlpoet.prosody import verse
from rlpoet.text.tables import read_table

ROWS = [
    cells for _, cells in read_table(Path(__file__).parents[1] / "golden" / "kinds.tsv", ("kind", "lang", "check", "input", "expected"))
]
GROUPS = sorted({(lang, kind, check) for kind, lang, check, *_ in ROWS})


def answer(lang: str, check: str, question: str) -> str:
    parts = [part.strip() for part in question.rsplit("|", 1)]
    if check == "rhyme":
        (row,) = answer_rhymes([json.dumps({"lines": parts, "pairs": [[0, 1]]})], lang)
        return "yes" if row["rhymes"][0] else "no"
    if check == "gender":
        return verse(lang).endings(question)[0].gender
    if check == "count":
        return str(verse(lang).scan(question).syllables)
    assert check == "fits"
    return "yes" if verse(lang).scan(parts[0], int(parts[1])).fits else "no"


@pytest.mark.parametrize("lang, kind, check", GROUPS)
def test_a_kind_holds_for_its_siblings(lang, kind, check):
    asked = [(question, expected) for k, code, c, question, expected in ROWS if (code, k, c) == (lang, kind, check)]
    wrong = [
        f"{question}: {given}, expected {expected}" for question, expected in asked if (given := answer(lang, check, question)) != expected
    ]
    assert not wrong, "\n".join(wrong)
