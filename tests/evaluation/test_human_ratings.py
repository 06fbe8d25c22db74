"""A sheet tells nothing of its sources, ratings come back as they were given, and agreement is Krippendorff's."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.human_ratings import SCALES, Item, items_of, key_of, krippendorff, read_key, read_sheet, report, write_sheet

_ = None
# the worked example of Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, section E: four observers, twelve units
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
POEMS = {
    "prior": "Le jour « s’en va »\nla nuit ;\n\nRien ne va !\nplus\n",
    "human": "Le soir descend\nsans bruit\n\nTout dort\nencor\n",
}


@pytest.fixture
def sources(tmp_path):
    for name, text in POEMS.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return [str(tmp_path / f"{name}.txt") for name in POEMS]


def filled(path, ratings):
    """A judge's copy: ``ratings`` by poem, the same for all scales; None leaves the cells empty."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    for row in rows:
        value = ratings(row["id"])
        row.update({scale: "" if value is None else str(value) for scale in SCALES})
    return rows


def write(path, rows, *, delimiter=","):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_alpha_is_that_of_the_published_example():
    assert krippendorff(PUBLISHED) == pytest.approx(0.815, abs=5e-4)


grids = st.lists(st.lists(st.none() | st.integers(1, 5), min_size=6, max_size=6), min_size=2, max_size=4)


@settings(max_examples=100, deadline=None)
@given(grids, st.permutations(range(6)))
def test_alpha_knows_no_order_of_judges_or_poems_and_only_the_order_of_values(grid, order):
    alpha = krippendorff(grid)
    shuffled = [[row[i] for i in order] for row in grid[::-1]]
    stretched = [[None if value is None else value**3 for value in row] for row in grid]
    for other in (shuffled, stretched):
        again = krippendorff(other)
        assert again is None if alpha is None else again == pytest.approx(alpha)
    assert alpha is None or alpha <= 1.0


def test_opposed_judges_are_worse_than_chance():
    assert krippendorff([[1, 5, 1, 5], [5, 1, 5, 1]]) < 0


def test_a_sheet_hides_its_sources_and_the_key_knows_them(sources, tmp_path):
    items = items_of(sources, n=9, lines=2, seed=1)
    assert sorted(item.source for item in items) == ["human", "human", "prior", "prior"]
    sheet = tmp_path / "sheet.csv"
    key = write_sheet(items, sheet)
    text = sheet.read_text(encoding="utf-8")
    assert "prior" not in text and "human" not in text and not re.search("[«»’]", text)
    assert read_key(key) == {item.number: item.source for item in items} and key == key_of(sheet)
    assert any(item.text == 'Le jour " s\'en va "\nLa nuit;' for item in items)
    assert [item.number for item in items_of(sources, n=9, lines=2, seed=1)] == [item.number for item in items]
    assert not any(value for own in read_sheet(sheet).values() for value in own)  # nobody has rated yet
    with pytest.raises(RlpoetError, match="there already"):
        write_sheet(items, sheet)


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_means_by_source_and_agreement_are_those_of_the_ratings(sources, tmp_path, delimiter):
    items = items_of(sources, n=9, lines=2, seed=0)
    sheet = tmp_path / "sheet.csv"
    key = read_key(write_sheet(items, sheet))
    first = filled(sheet, lambda i: 5 if key[i] == "human" else 1)
    second = filled(sheet, lambda i: 5 if key[i] == "human" else 2)
    ratings = [write(tmp_path / name, rows, delimiter=delimiter) for name, rows in (("a.csv", first), ("b.csv", second))]
    told = report([read_sheet(path) for path in ratings], key)
    assert [own.scale for own in told] == list(SCALES)
    assert told[0].means["human"] == (5.0, 5.0, 5.0, 2) and told[0].means["prior"][0] == 1.5
    assert told[0].alpha == krippendorff([[1, 1, 5, 5], [2, 2, 5, 5]]) and told[0].alpha_95 is None


def test_a_poem_rated_by_nobody_counts_nowhere():
    told = report([{scale: {"a": 3.0} for scale in SCALES}, {scale: {} for scale in SCALES}], {"a": "x", "b": "x", "c": "y"})
    assert told[0].means == {"x": (3.0, 3.0, 3.0, 1)} and told[0].alpha is None


@pytest.mark.parametrize("cell, message", [("6", "from 1 to 5"), ("good", "from 1 to 5"), ("nan", "from 1 to 5")])
def test_a_rating_that_is_none_is_refused_with_its_row(sources, tmp_path, cell, message):
    sheet = tmp_path / "sheet.csv"
    write_sheet([Item("1", "x", "A\nB")], sheet)
    write(sheet, filled(sheet, lambda i: cell))
    with pytest.raises(RlpoetError, match=f"row 2: meter is '{cell}'; expected a number {message}"):
        read_sheet(sheet)


def test_the_verb_makes_a_sheet_and_reads_it(sources, tmp_path, capsys):
    sheet = str(tmp_path / "s.csv")
    named = [f"{name}={path}" for name, path in zip("AB", sources, strict=True)]
    assert main(["rate", "make", *named, "--lines", "2", "--out", sheet]) == 0
    assert "4 poems" in capsys.readouterr().out
    key = read_key(tmp_path / "s.key.csv")
    ann = write(tmp_path / "ann.csv", filled(tmp_path / "s.csv", lambda i: 4 if key[i] == "A" else 2))
    argv = ["rate", "read", str(ann), str(ann), "--key", str(tmp_path / "s.key.csv")]
    assert main([*argv, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["judges"] == 2 and told["scales"][1]["means"]["A"][0] == 4.0 and told["scales"][1]["alpha"] == 1.0
    assert main(argv) == 0
    assert "2 judges" in capsys.readouterr().out
    assert main(["rate", "make", *named, "--lines", "9", "--out", sheet]) == 2 and "no stanza of 9 lines" in capsys.readouterr().err
    assert main(["rate", "make", sources[0], sources[0], "--lines", "2"]) == 2 and "second source" in capsys.readouterr().err
    assert main(["rate", "read", str(tmp_path / "s.key.csv")]) == 2 and "no column 'meter'" in capsys.readouterr().err


def test_what_generate_wrote_is_taken_poem_by_poem_without_its_headings(tmp_path):
    label = "# fr quatrain-abab, temperature 0.9, seed 1"
    file = tmp_path / "samples.txt"
    file.write_text(f"{label}\nun\ndeux\ntrois\nquatre\n\n{label}\ncinq\nsix\nsept\nhuit\n\n", encoding="utf-8")
    assert {item.text for item in items_of([str(file)], n=9, lines=4, seed=0)} == {"Un\nDeux\nTrois\nQuatre", "Cinq\nSix\nSept\nHuit"}
    assert len(items_of([str(file)], n=9, lines=0, seed=0)) == 2
