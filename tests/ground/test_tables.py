"""One reader of tables: what it skips, what it fills, what it refuses, and where it says that is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from rlpoet.errors import RlpoetError, TableError
from rlpoet.phonology.en.contexts import contexts
from rlpoet.text.tables import read_csv, read_table, table_lines

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["find", "put", "note"]
BY_HAND = {
    "rlpoet/text/tables.py",
    "rlpoet/phonology/fr/sounds.py",  # Lexique, another's file of another shape, 125,000 rows
    "rlpoet/phonology/en/contexts.py",  # rows of ``table_lines``, cut one by one when they are asked for
    "rlpoet/evaluation/rating_sheets.py",  # writes CSV
    "rlpoet/evaluation/annotation/tables.py",  # writes CSV
    "rlpoet/analysis/rhyme_dictionary/index.py",  # 65,000 rows or more in blocks by sound, of which few are cut
}


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.tsv"

    def write(text, encoding="utf-8"):
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_rows_come_with_their_lines_and_no_comment_blank_or_header(table):
    path = table("\ufeff% about\n\nfind\tput\tnote\n \t\na\tb\t\n% more\n#c\td\u2028e\tf\n")
    assert list(read_table(path, COLUMNS)) == [("t.tsv:5", ["a", "b", ""]), ("t.tsv:7", ["#c", "d\u2028e", "f"])]
    assert list(table_lines(path, COLUMNS)) == [(5, "a\tb\t"), (7, "#c\td\u2028e\tf")]
    assert [where for where, _ in read_table(path, COLUMNS, where="dir/t.tsv")] == ["dir/t.tsv:5", "dir/t.tsv:7"]


def test_text_is_nfc_and_windows_line_ends_are_line_ends(table):
    assert list(read_table(table("find\tput\tnote\r\ne\u0301\tb\tc\r\n"), COLUMNS)) == [("t.tsv:2", ["é", "b", "c"])]


def test_what_may_be_left_out_is_empty(table):
    path = table("find\tput\tnote\na\na\tb\n")
    assert [cells for _, cells in read_table(path, COLUMNS, optional=2)] == [["a", "", ""], ["a", "b", ""]]
    with pytest.raises(TableError, match=r"^t\.tsv:2: 1 columns; expected 2 to 3: find, put, note\."):
        list(read_table(path, COLUMNS, optional=1))


def test_class_lines_are_no_rows_where_classes_are_asked_for(table):
    path, classes = table("class V = aei\nfind\tput\tnote\nclass C=xyz\na\tb\tc\n"), {}
    assert [cells for _, cells in read_table(path, COLUMNS, classes=classes)] == [["a", "b", "c"]]
    assert classes == {"V": "aei", "C": "xyz"}
    with pytest.raises(TableError, match=r"t\.tsv:1: header is \['class V = aei'\]"):
        list(read_table(path, COLUMNS))


@pytest.mark.parametrize(
    "text, message",
    [
        ("% x\nfind\tput\na\tb\tc\n", r"^t\.tsv:2: header is \['find', 'put'\]; expected \['find', 'put', 'note'\]\."),
        ("% x\n\n", r"^t\.tsv:1: no header; expected \['find', 'put', 'note'\]"),
        ("find\tput\tnote\na\tb\tc\td\n", r"^t\.tsv:2: 4 columns; expected 3: find, put, note\."),
        ("find\tput\tnote\n\na\tb\n", r"^t\.tsv:3: 2 columns; expected 3"),
    ],
)
def test_another_shape_is_refused_with_its_line(table, text, message):
    with pytest.raises(TableError, match=message):
        list(read_table(table(text), COLUMNS, optional=0))


def test_a_table_without_a_header_has_its_first_row(table):
    assert list(read_table(table("% x\nday\tway\n"), ("word", "word"), header=False)) == [("t.tsv:2", ["day", "way"])]
    assert list(read_table(table("% nothing yet\n"), ("word", "word"), header=False)) == []


def test_a_file_that_is_not_there_or_not_utf_8_is_an_error_of_the_user(table, tmp_path):
    with pytest.raises(RlpoetError, match=r"none\.tsv: No such file or directory; expected a readable file"):
        list(read_table(tmp_path / "none.tsv", COLUMNS))
    with pytest.raises(RlpoetError, match=r"t\.tsv:2: byte 0xe9 at column 1 is not UTF-8"):
        list(read_table(table("find\tput\tnote\né\tb\tc\n", "latin-1"), COLUMNS))


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_a_spreadsheet_may_part_its_cells_as_it_likes(mark):
    rows = list(read_csv(f'id{mark}poem{mark}\n1{mark}"a{mark}\nb"{mark}\n2\n', "s.csv"))
    assert rows == [("s.csv:3", {"id": "1", "poem": f"a{mark}\nb"}), ("s.csv:4", {"id": "2", "poem": None})]


@pytest.mark.parametrize(
    "text, message",
    [
        ("id,x\n", r"^s\.csv: no column 'poem'; expected id, poem in the first row"),
        ("", r"^s\.csv: no column 'id'"),
        ("id,poem\n1,a,b\n", r"^s\.csv:2: 3 cells; expected 2, as in the header"),
        ('id,poem\n1,"a"b\n', r"^s\.csv:\d: not CSV"),
    ],
)
def test_a_spreadsheet_that_cannot_be_read_is_told_with_its_line(text, message):
    with pytest.raises(RlpoetError, match=message):
        list(read_csv(text, "s.csv", columns=("id", "poem")))


def test_no_header_is_taken_for_a_context():
    assert "context" not in contexts() and len(contexts()) == 26_697


def test_no_other_module_reads_tables():
    found = set()
    for path in (path for room in ("rlpoet", "rewards", "policies") for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            cuts = isinstance(node, ast.Call) and ast.unparse(node.func).endswith((".split", ".partition")) and node.args
            if (cuts and ast.unparse(node.args[0]) == r"'\t'") or (isinstance(node, ast.Import) and node.names[0].name == "csv"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == BY_HAND
