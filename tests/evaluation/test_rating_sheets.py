"""A sheet tells nothing of its sources and all of its rules, human stanzas match the others, and no wrong cell is passed over."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter

import pytest

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.rating_sheets import FAULTS, GUIDE, SCALES, Item, items_of, key_of, make_sheet, read_key, read_sheet, write_sheet

POEMS = {
    "prior": "Le jour « s’en va »\nla nuit ;\n\nRien ne va !\nplus\n",
    "human": "Le soir descend\nsans bruit\n\nTout dort\nencor\n",
}
ENDS = {"abab": ("profonde", "chanson", "seconde", "saison"), "abba": ("profonde", "chanson", "saison", "seconde")}
FIRST = ["il vient", "il part", "il dort", "il rit", "tu viens", "tu pars", "tu dors", "tu ris", "je viens", "je pars", "je dors", "je ris"]


def stanza(scheme, number, night="noire"):
    """Four alexandrines that keep a form; the first words tell one stanza from the next."""
    return [f"{FIRST[number]} dans la nuit {night}, au bord de la {end}" for end in ENDS[scheme]]


def corpus(path, **stanzas):
    """A file with so many stanzas of each scheme, one poem a stanza."""
    poems = ["\n".join(stanza(scheme, number)) for scheme, n in stanzas.items() for number in range(n)]
    path.write_text("\n\n\n".join(poems) + "\n", encoding="utf-8")
    return str(path)


def generated(path, scheme, n, *, form="quatrain-{}", lines=None):
    """What `rlpoet generate --out` writes: a heading above each poem."""
    head = f"# fr {form.format(scheme)}, temperature 1, seed 1"
    bodies = lines or ["\n".join(stanza(scheme, number, "pure")) for number in range(n)]
    path.write_text("".join(f"{head}\n{body}\n\n" for body in bodies), encoding="utf-8")
    return str(path)


@pytest.fixture
def sources(tmp_path):
    for name, text in POEMS.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return [str(tmp_path / f"{name}.txt") for name in POEMS]


@pytest.fixture
def sheet(tmp_path):
    path = tmp_path / "sheet.csv"
    write_sheet([Item("p1", "x", "A\nB"), Item("p2", "x", "C\nD"), Item("p3", "y", "E\nF")], path)
    return path


def fill(path, **cells):
    """All counts 0, but for ``p1_syntax="2"`` and the like."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    for row in rows:
        if row["id"] != GUIDE:
            row.update(dict.fromkeys(FAULTS, "0"))
            row.update({name.partition("_")[2]: cell for name, cell in cells.items() if name.startswith(f"{row['id']}_")})
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


# -- what stands on a sheet ------------------------------------------------------------------------------


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
    assert not read_sheet(sheet).faults and not any(read_sheet(sheet).ratings.values())  # nobody has judged yet
    with pytest.raises(RlpoetError, match="there already"):
        write_sheet(items, sheet)


def test_a_sheet_says_under_each_column_what_to_count_and_how_to_rate(sheet):
    guide, first, *_ = csv.DictReader(io.StringIO(sheet.read_text(encoding="utf-8")))
    assert guide["id"] == GUIDE and "0 for none" in guide["poem"] and first["id"] == "p1"
    assert all(guide[kind].startswith(("How many", "1 if")) for kind in FAULTS)
    assert all("1 poor, 5 good" in guide[scale] for scale in SCALES)
    assert list(guide) == ["id", "poem", *FAULTS, *SCALES] and not any(first[name] for name in (*FAULTS, *SCALES))


def test_no_id_is_a_date_or_a_number_to_a_spreadsheet(sources):
    assert all(re.fullmatch(r"p[0-9a-f]{4}-\d{3}", item.number) for seed in range(5) for item in items_of(sources, n=9, lines=2, seed=seed))


def test_what_generate_wrote_is_taken_poem_by_poem_without_its_headings(tmp_path):
    file = generated(tmp_path / "samples.txt", "abab", 2, lines=["un\ndeux\ntrois\nquatre", "cinq\nsix\nsept\nhuit"])
    assert {item.text for item in items_of([file], n=9, lines=4, seed=0)} == {"Un\nDeux\nTrois\nQuatre", "Cinq\nSix\nSept\nHuit"}
    assert len(items_of([file], n=9, lines=0, seed=0)) == 2


# -- human stanzas of the same forms ---------------------------------------------------------------------


def scheme_of(item):
    ends = [line.split()[-1] for line in item.text.split("\n")]
    return next(scheme for scheme, own in ENDS.items() if list(own) == ends)


def test_as_many_human_stanzas_of_each_form_are_mixed_in(tmp_path):
    before = generated(tmp_path / "before.txt", "abab", 3)
    after = corpus(tmp_path / "after.txt", abab=2, abba=4)  # no headings: the forms are those that its stanzas keep
    human = corpus(tmp_path / "people.txt", abab=9, abba=9)
    items = items_of([before, after], n=9, lines=4, seed=3, human=human)
    found = Counter((item.source, scheme_of(item)) for item in items)
    assert found["before", "abab"] == 3 and found["after", "abab"] == 2 and found["after", "abba"] == 4
    assert found["human", "abab"] == 3 and found["human", "abba"] == 4  # the most that a source has of each
    assert len({item.text for item in items}) == len(items)  # no human stanza that stands there already
    assert len(list(itertools.groupby(item.source for item in items))) > 3  # no source stands in one block
    drawn = [items_of([before, after], n=9, lines=4, seed=seed, human=human) for seed in (3, 4, 5)]
    assert drawn[0] == items and len({frozenset(item.text for item in own if item.source == "human") for own in drawn}) == 3


def test_a_heading_counts_before_what_the_lines_keep_and_only_with_its_number_of_lines(tmp_path):
    human = corpus(tmp_path / "people.txt", abab=5, abba=5)
    unrhymed = ["Un mur\nUne porte\nDeux arbres\nLe ciel"]
    file = generated(tmp_path / "a.txt", "abba", 1, lines=unrhymed)
    (item,) = [item for item in items_of([file], n=1, lines=4, seed=0, human=human) if item.source == "human"]
    assert scheme_of(item) == "abba"
    cut = generated(tmp_path / "b.txt", "abba", 1, form="sonnet", lines=["\n".join(stanza("abba", 7))])
    (item,) = [item for item in items_of([cut], n=1, lines=4, seed=0, human=human) if item.source == "human"]
    assert scheme_of(item) == "abba"


def test_verse_by_people_that_keeps_no_form_is_not_taken(tmp_path):
    file = generated(tmp_path / "a.txt", "abab", 2)
    prose = "\n\n\n".join(f"Ah, {word}\nUne porte\nDeux arbres\nLe ciel" for word in FIRST)
    path = tmp_path / "people.txt"
    corpus(path, abab=2)
    path.write_text(prose + "\n\n\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    items = items_of([file], n=2, lines=4, seed=0, human=str(path))
    assert Counter(scheme_of(item) for item in items if item.source == "human") == {"abab": 2}


def test_what_stops_human_stanzas_is_told(tmp_path):
    few, unmarked = corpus(tmp_path / "few.txt", abab=2), corpus(tmp_path / "plain.txt", abba=3)
    marked = generated(tmp_path / "a.txt", "abab", 4)
    with pytest.raises(RlpoetError, match=r"few\.txt: 2 stanzas of the form quatrain-abab; expected 4, as many as the others"):
        items_of([marked], n=9, lines=4, seed=0, human=few)
    with pytest.raises(RlpoetError, match=r"no heading that says the language.*Set --lang"):
        items_of([unmarked], n=2, lines=4, seed=0, human=few)
    with pytest.raises(RlpoetError, match="second source called 'human'"):
        items_of([f"human={marked}"], n=2, lines=4, seed=0, human=few)
    nine = tmp_path / "nine.txt"
    nine.write_text("\n".join(f"Ligne {word}" for word in FIRST[:11]), encoding="utf-8")
    with pytest.raises(RlpoetError, match="nine: a poem of 11 lines; expected one that a form of 'fr' has"):
        items_of([str(nine)], n=2, lines=11, seed=0, human=str(nine), lang="fr")


def test_the_verb_says_how_many_of_which_and_keeps_the_key_apart(tmp_path, capsys):
    file, human = corpus(tmp_path / "after.txt", abab=3), corpus(tmp_path / "people.txt", abab=8)
    argv = ["rate", "make", f"POLICY={file}", "--human", human, "--lang", "fr", "--n", "3", "--out", str(tmp_path / "s.csv")]
    assert main(argv) == 0
    assert "6 poems (3 POLICY, 3 human)" in capsys.readouterr().out
    assert Counter(read_key(tmp_path / "s.key.csv").values()) == {"POLICY": 3, "human": 3}
    assert main(argv) == 2 and "there already" in capsys.readouterr().err
    assert main([*argv[:-1], str(tmp_path / "t.csv"), "--lang", "xx"]) == 2 and "'xx'" in capsys.readouterr().err
    with pytest.raises(RlpoetError, match="no source of poems"):
        make_sheet([], tmp_path / "u.csv", n=2, lines=4, seed=0)


# -- what comes back -------------------------------------------------------------------------------------


def test_counts_and_ratings_come_back_as_they_were_given(sheet):
    told = read_sheet(fill(sheet, p1_syntax="2", p3_no_thread="1", p2_punctuation=" 3,0 ", p2_emotion="2,5", p3_rhyme="5"))
    assert told.path == str(sheet) and set(told.faults) == set(FAULTS)
    assert told.faults["syntax"] == {"p1": 2, "p2": 0, "p3": 0} and told.faults["punctuation"]["p2"] == 3
    assert told.faults["no_thread"] == {"p1": 0, "p2": 0, "p3": 1}
    assert told.ratings == {"meter": {}, "rhyme": {"p3": 5.0}, "readability": {}, "emotion": {"p2": 2.5}}


@pytest.mark.parametrize(
    "cell, message",
    [
        ("p2_syntax=", "row 4, column syntax: empty; expected a whole number of faults. Write 0"),
        ("p1_agreement=two", "row 3, column agreement: 'two'; expected a whole number"),
        ("p1_agreement=-1", "row 3, column agreement: '-1'; expected a whole number"),
        ("p1_syntax=1.5", "row 3, column syntax: '1.5'; expected a whole number"),
        ("p3_syntax=nan", "row 5, column syntax: 'nan'; expected a whole number"),
        ("p3_syntax=inf", "row 5, column syntax: 'inf'; expected a whole number"),
        ("p3_no_thread=2", "row 5, column no_thread: '2'; expected 0 or 1"),
        ("p1_meter=6", "row 3, column meter: '6'; expected a number from 1 to 5"),
        ("p1_meter=0", "row 3, column meter: '0'; expected a number from 1 to 5"),
        ("p2_emotion=nan", "row 4, column emotion: 'nan'; expected a number from 1 to 5"),
        ("p2_emotion=good", "row 4, column emotion: 'good'; expected a number from 1 to 5"),
    ],
)
@pytest.mark.parametrize("partial", [False, True])
def test_a_wrong_cell_is_named_by_file_row_and_column(sheet, cell, message, partial):
    name, _, value = cell.partition("=")
    before = fill(sheet, **{name: value}).read_bytes()
    with pytest.raises(RlpoetError, match=f"^{re.escape(f'{sheet}: {message}')}"):
        read_sheet(sheet, partial=partial)
    assert sheet.read_bytes() == before


def test_all_wrong_cells_are_named_at_once(sheet):
    fill(sheet, p1_syntax="x", p2_agreement="", p3_rhyme="9")
    with pytest.raises(RlpoetError) as caught:
        read_sheet(sheet)
    assert str(caught.value).endswith("2 more to mend: row 4, column agreement; row 5, column rhyme.")
    fill(sheet, **{f"{poem}_{kind}": "x" for poem in ("p1", "p2", "p3") for kind in FAULTS})
    with pytest.raises(RlpoetError, match=r"row 3, column syntax: 'x'.* 18 more to mend: row 3, column agreement; .*; and 10 others\.$"):
        read_sheet(sheet)


def test_a_poem_without_any_count_is_refused_or_left_out_but_never_without_a_fault(sheet):
    fill(sheet, **{f"p2_{kind}": "" for kind in FAULTS}, p2_rhyme="4", p1_syntax="1")
    with pytest.raises(RlpoetError, match=r"row 4, column syntax: empty; .* --partial .* 5 more to mend"):
        read_sheet(sheet)
    told = read_sheet(sheet, partial=True)
    assert all(set(by_poem) == {"p1", "p3"} for by_poem in told.faults.values()) and told.ratings["rhyme"] == {"p2": 4.0}


def edited(sheet, edit):
    rows = list(csv.reader(io.StringIO(fill(sheet, p1_rhyme="4").read_text(encoding="utf-8"))))
    with sheet.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(edit(rows))
    return sheet


def test_spreadsheets_may_sort_rows_add_columns_and_leave_blank_ones(sheet):
    told = read_sheet(edited(sheet, lambda rows: [[*row, "", "a note"] for row in [rows[0], *rows[:0:-1]]] + [[""] * 14]))
    assert told.faults["syntax"] == {"p1": 0, "p2": 0, "p3": 0} and told.ratings["rhyme"] == {"p1": 4.0}


def test_a_sheet_may_have_ratings_alone_or_faults_alone(sheet):
    only = read_sheet(edited(sheet, lambda rows: [row[:2] + row[8:] for row in rows if row[0] != GUIDE]))  # as sheets were before
    assert only.faults == {} and only.ratings["rhyme"] == {"p1": 4.0}
    sheet.unlink(), key_of(sheet).unlink()
    write_sheet([Item("p1", "x", "A\nB")], sheet)
    only = read_sheet(edited(sheet, lambda rows: [row[:8] for row in rows]))
    assert only.faults["syntax"] == {"p1": 0} and only.ratings == {}


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda rows: [row[:3] + row[4:] for row in rows], "no column 'agreement'; expected all of syntax, agreement"),
        (lambda rows: [row[:-1] for row in rows], "no column 'emotion'; expected all of meter"),
        (lambda rows: [row[:2] for row in rows], "no column of a rating sheet; expected syntax, agreement"),
        (lambda rows: [row[1:] for row in rows], "no column 'id'"),
        (lambda rows: rows[:2], "no poem"),
        (lambda rows: [*rows, rows[2]], "row 6: 'p1' a second time; expected each poem once"),
        (lambda rows: [*rows[:3], ["", *rows[3][1:]]], "row 4, column id: empty; expected the poem's id"),
    ],
)
def test_a_table_that_is_no_sheet_is_told_from_one(sheet, edit, message):
    with pytest.raises(RlpoetError, match=re.escape(message)):
        read_sheet(edited(sheet, edit))
