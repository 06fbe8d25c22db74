"""Faults and ratings are told by source as judges gave them, with intervals, and agreement is Krippendorff's."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.human_ratings import ALL, NONE, krippendorff, read_ratings, report
from rlpoet.evaluation.rating_sheets import FAULTS, GUIDE, SCALES, Item, Sheet, write_sheet

_ = None
# the worked example of Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, section E: four observers, twelve units
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
# section A of the same: two observers, ten units, two values
BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
KEY = {"p1": "policy", "p2": "policy", "p3": "policy", "h1": "human", "h2": "human", "h3": "human"}
FIGURES = [*FAULTS, ALL, NONE]


def counted(path="ann.csv", ratings=None, **by_poem):
    """A judge's sheet: faults of the poems as ``p1={"syntax": 2}``, 0 where nothing is said."""
    poems = {poem: by_poem.get(poem, {}) for poem in KEY}
    return Sheet(path, {kind: {poem: own.get(kind, 0) for poem, own in poems.items()} for kind in FAULTS}, ratings or {})


def rated(path="ann.csv", **by_poem):
    return Sheet(path, {}, {scale: dict(by_poem) for scale in SCALES})


def by_name(figures):
    return {own.name: own for own in figures}


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "sheet.csv"
    write_sheet([Item(poem, source, f"{poem}\nB") for poem, source in KEY.items()], path)
    return path


def filled(sheet, name, cells, *, delimiter=","):
    """A judge's copy of the sheet; ``cells`` of a poem by column."""
    rows = list(csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8"))))
    for row in rows:
        row.update({column: str(value) for column, value in cells(row["id"]).items()} if row["id"] != GUIDE else {})
    path = sheet.with_name(name)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def test_alpha_is_that_of_the_published_examples():
    assert krippendorff(PUBLISHED) == pytest.approx(0.815, abs=5e-4)
    assert krippendorff(BINARY) == pytest.approx(0.095, abs=5e-4)


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


def test_faults_are_told_by_kind_and_source():
    told = report([counted(p1={"syntax": 2, "agreement": 1}, p2={"syntax": 1}, h1={"punctuation": 1})], KEY)
    assert [own.name for own in told.faults] == FIGURES and told.judges == 1 and told.scales == []
    means = {name: {source: mean for source, (mean, *_) in own.means.items()} for name, own in by_name(told.faults).items()}
    assert means["syntax"] == {"policy": 1.0, "human": 0.0} and means["agreement"] == {"policy": pytest.approx(1 / 3), "human": 0.0}
    assert means["punctuation"] == {"policy": 0.0, "human": pytest.approx(1 / 3)}
    assert means[ALL] == {"policy": pytest.approx(4 / 3), "human": pytest.approx(1 / 3)}
    assert means[NONE] == {"policy": pytest.approx(1 / 3), "human": pytest.approx(2 / 3)}  # p3; h2 and h3
    for own in told.faults:
        assert all(0 <= low <= mean + 1e-12 and mean < high and n == 3 for mean, low, high, n in own.means.values())
        assert own.alpha is None and own.alpha_95 is None
    figures = by_name(told.faults)
    assert figures[NONE].means["policy"][2] <= 1.0 and figures["no_thread"].means["human"][2] <= 1.0
    assert figures["syntax"].means["human"][2] > 0.3  # no fault in three poems is no proof of none
    assert by_name(report([counted()], KEY).faults)[ALL].means["human"][2] > 0.3


def test_a_poem_of_two_judges_counts_once_with_their_mean():
    ann, bob = counted(p1={"syntax": 2}, p2={"syntax": 1}), counted("bob.csv", p1={"syntax": 4})
    told = by_name(report([ann, bob], KEY).faults)
    assert told["syntax"].means["policy"][0] == pytest.approx((3 + 0.5 + 0) / 3) and told["syntax"].means["policy"][3] == 3
    assert told[NONE].means["policy"][0] == pytest.approx((0 + 0.5 + 1) / 3)
    assert told["syntax"].alpha == krippendorff([[2, 1, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0]])
    assert told[NONE].alpha == krippendorff([[0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 1]])
    assert told[NONE].alpha_95[0] <= told[NONE].alpha <= told[NONE].alpha_95[1]
    assert told["agreement"].alpha is None  # nobody found one: there is nothing to agree on


def test_the_order_of_sheets_and_poems_does_not_matter():
    ann, bob = counted(p1={"syntax": 2}, h2={"no_thread": 1}), counted("bob.csv", p1={"syntax": 1}, p3={"agreement": 2})
    there, back = report([ann, bob], KEY, seed=4), report([bob, ann], KEY, seed=4)
    assert there.faults == back.faults
    turned = by_name(report([ann, bob], dict(reversed(KEY.items())), seed=4).faults)
    for own in there.faults:
        assert {source: mean[0] for source, mean in own.means.items()} == {s: mean[0] for s, mean in turned[own.name].means.items()}
        assert own.alpha == turned[own.name].alpha or own.alpha == pytest.approx(turned[own.name].alpha)


def test_more_poems_narrow_the_interval():
    def width(n):
        key = {f"p{i}": "policy" for i in range(n)}
        faults = {kind: {poem: float(i % 3 == 0) for i, poem in enumerate(key)} for kind in FAULTS}
        return [high - low for own in report([Sheet("a", faults, {})], key).faults for _, low, high, _ in own.means.values()]

    assert all(many < 0.6 * few for many, few in zip(width(120), width(30), strict=True))


def test_a_judge_who_rates_and_one_who_counts_are_read_together():
    told = report([counted(p1={"syntax": 1}), rated("bob.csv", p1=4.0, h1=2.0)], KEY)
    assert told.judges == 2 and told.shared == 2  # p1 and h1 have both of them, but no figure has
    assert all(own.alpha is None for own in (*told.faults, *told.scales))
    assert by_name(told.scales)["rhyme"].means == {"policy": (4.0, 4.0, 4.0, 1), "human": (2.0, 2.0, 2.0, 1)}


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_ratings_by_source_are_those_of_the_judges(sheet, delimiter):
    first = filled(sheet, "a.csv", lambda poem: dict.fromkeys(SCALES, 5 if KEY[poem] == "human" else 1), delimiter=delimiter)
    second = filled(sheet, "b.csv", lambda poem: dict.fromkeys(SCALES, 5 if KEY[poem] == "human" else 2), delimiter=delimiter)
    told = read_ratings([first, second], str(sheet.with_name("sheet.key.csv")))
    assert [own.name for own in told.scales] == list(SCALES) and told.faults == [] and told.shared == 6
    assert told.scales[0].means["human"] == (5.0, 5.0, 5.0, 3) and told.scales[0].means["policy"][0] == 1.5
    assert told.scales[0].alpha == krippendorff([[1, 1, 1, 5, 5, 5], [2, 2, 2, 5, 5, 5]])


def test_a_poem_rated_by_nobody_counts_nowhere():
    told = report([rated(a=3.0), rated(b=2.0)], {"a": "x", "b": "y", "c": "x"})
    assert told.scales[0].means == {"x": (3.0, 3.0, 3.0, 1), "y": (2.0, 2.0, 2.0, 1)}
    assert told.scales[0].alpha is None and told.shared == 0


def test_sheets_that_do_not_fit_their_key_are_refused_by_name():
    with pytest.raises(RlpoetError, match=r"bob\.csv: 'zz' is not in the key; .*--key"):
        report([rated(p1=1.0), rated("bob.csv", zz=1.0)], KEY)
    with pytest.raises(RlpoetError, match=r"bob\.csv: nothing is filled in"):
        report([counted(), rated("bob.csv")], KEY)
    short = counted("bob.csv")
    short = Sheet("bob.csv", {kind: {poem: n for poem, n in own.items() if poem != "h2"} for kind, own in short.faults.items()}, {})
    with pytest.raises(RlpoetError, match=r"bob\.csv: no counts for 1 poems, the first is 'h2'; expected all 6"):
        report([counted(), short], KEY)
    told = report([short], KEY, partial=True)
    assert told.faults[0].means["human"][3] == 2 and told.faults[0].means["policy"][3] == 3


def test_the_verb_reads_what_judges_filled_in(sheet, capsys):
    found = {"p1": {"syntax": 2}, "p2": {"syntax": 1, "no_thread": 1}, "p3": {"agreement": 1}}
    ann = filled(sheet, "ann.csv", lambda poem: dict.fromkeys(FAULTS, 0) | found.get(poem, {}) | {"rhyme": 4})
    bob = filled(sheet, "bob.csv", lambda poem: dict.fromkeys(FAULTS, 0) | found.get(poem, {}))
    key = ["--key", str(sheet.with_name("sheet.key.csv"))]
    assert main(["rate", "read", ann, bob, *key, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    figures = {own["name"]: own for own in told["faults"]}
    assert told["judges"] == 2 and told["shared"] == 6 and figures[NONE]["means"]["policy"][0] == 0.0
    assert figures[NONE]["means"]["human"][0] == 1.0 and figures[NONE]["alpha"] == 1.0 and figures["syntax"]["means"]["policy"][0] == 1.0
    assert main(["rate", "read", ann, bob, *key]) == 0
    shown = capsys.readouterr().out
    assert "without a fault" in shown and "100 %" in shown and "no thread" in shown and "readability" in shown
    assert "2 judges, 6 poems" in shown and "cannot be told" not in shown
    assert main(["rate", "read", bob, *key]) == 0
    shown = capsys.readouterr().out
    assert "1 judge: agreement cannot be told" in shown and "readability" not in shown


def test_the_verb_leaves_out_poems_without_counts_only_when_told_to(sheet, capsys):
    ann = filled(sheet, "ann.csv", lambda poem: dict.fromkeys(FAULTS, 0) if poem != "h3" else {})
    bob = filled(sheet, "bob.csv", lambda poem: dict.fromkeys(FAULTS, 1) if poem == "h3" else {})
    argv = ["rate", "read", ann, bob, "--key", str(sheet.with_name("sheet.key.csv"))]
    assert main(argv) == 2 and "ann.csv: row 8, column syntax: empty" in capsys.readouterr().err
    assert main([*argv, "--partial"]) == 0
    assert "2 judges, but no poem has two of them" in capsys.readouterr().out
    assert main(["rate", "read", str(sheet)]) == 2 and "sheet.csv: nothing is filled in" in capsys.readouterr().err
    assert main(["rate", "read", argv[-1]]) == 2 and "no column of a rating sheet" in capsys.readouterr().err
    assert main(["rate", "read", ann, "--partial"]) == 2 and "ann.key.csv: no such file; expected the key" in capsys.readouterr().err
