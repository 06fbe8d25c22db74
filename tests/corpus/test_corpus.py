"""Poems from files, tables, data sets and books; filters, splits, counts; what the verb leaves behind."""

from __future__ import annotations

import csv
import gzip
import json
import socket
import unicodedata
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.cli.main import main
from rlpoet.corpus import Columns, Poem, deduplicated, read_poems, select, split_poems, write_poems
from rlpoet.corpus.clean import cleaned, mended, stanzas_of
from rlpoet.corpus.gutenberg import book_poems, is_gutenberg
from rlpoet.corpus.statistics import statistics
from rlpoet.corpus.where import conditions
from rlpoet.errors import RlpoetError, UnknownName

RONSARD = (
    "Mignonne, allons voir si la rose\r\nQui ce matin avoit desclose\r\nSa robe de pourpre au Soleil,\r\n\r\n"
    "A point perdu cette vesprée\r\nLes plis de sa robe pourprée,\r\nEt son teint au vostre pareil."
)
DONNE = "Go and catch a falling star,\r\n    Get with child a mandrake root,\r\nTell me where all past years are,"
BLAKE = "Tyger Tyger, burning bright,\r\nIn the forests of the night;"
TABLE = [  # columns and line ends of the corpus the founding project was trained on
    {"author": "Pierre de Ronsard", "content": RONSARD, "poem name": "Ode à Cassandre", "age": "Renaissance", "type": "Love"},
    {"author": "JOHN DONNE", "content": DONNE, "poem name": "Song", "age": "Renaissance", "type": "Mythology & Folklore"},
    {"author": "William Blake", "content": BLAKE, "poem name": "The Tyger", "age": "Romantic", "type": "Nature"},
    {"author": "William Blake", "content": "", "poem name": "", "age": "Romantic", "type": "Nature"},
]
BOOK = """\
The Project Gutenberg EBook of Poèmes choisis, by Paul Verlaine

This eBook is for the use of anyone anywhere at no cost and with
almost no restrictions whatsoever.

Title: Poèmes choisis

Author: Paul Verlaine

*** START OF THE PROJECT GUTENBERG EBOOK POÈMES CHOISIS ***



Produced by Some Volunteers and the Online Distributed
Proofreading Team



PRÉFACE

Ce livre réunit quelques pièces que tout le monde connaît et que l'on
relit toujours avec le même plaisir, parce que la musique y est avant
toute chose, et parce que le vers y est plus vague et plus soluble.



TABLE

Chanson d'automne ........ 12
Mon rêve familier ........ 14



CHANSON D'AUTOMNE


    Les sanglots longs
    Des violons
        De l'automne
    Blessent mon coeur
    D'une langueur
        Monotone.

    Tout suffocant
    Et blême, quand
        Sonne l'heure,
    Je me souviens
    Des jours anciens
        Et je pleure;[1]



MON RÊVE FAMILIER


Je fais souvent ce rêve étrange et pénétrant
D'une femme inconnue, et que j'aime, et qui m'aime,
Et qui n'est, chaque fois, ni tout à fait la même
Ni tout à fait une autre, et m'aime et me comprend.

*       *       *       *       *

Son regard est pareil au regard des statues,                     10
Et, pour sa voix, lointaine, et calme, et grave, elle a
L'inflexion des voix chères qui se sont tues.



ARIETTES OUBLIÉES


III


Il pleure dans mon coeur
Comme il pleut sur la ville;


IV


O bruit doux de la pluie
Par terre et sur les toits!



End of the Project Gutenberg EBook of Poèmes choisis, by Paul Verlaine

*** END OF THE PROJECT GUTENBERG EBOOK POÈMES CHOISIS ***

Updated editions will replace the previous one--the old editions
will be renamed.
"""

words = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Po", "Zs"], exclude_characters="\u2028"), min_size=1, max_size=20)
verse_line = words.map(lambda text: unicodedata.normalize("NFC", " ".join(text.split()))).filter(lambda text: any(map(str.isalpha, text)))
cells = st.text(st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=8).map(lambda text: unicodedata.normalize("NFC", text))
poem = st.builds(
    Poem,
    st.lists(st.lists(verse_line, min_size=1, max_size=5).map(tuple), min_size=1, max_size=4).map(tuple),
    st.none() | cells,
    cells | st.just(""),
    st.none() | st.floats(0, 1),
    st.booleans(),
    st.dictionaries(st.sampled_from(["age", "type", "year"]), cells, max_size=3),
)


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "all.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(TABLE[0]))
        writer.writeheader()
        writer.writerows(TABLE)
    return path


@pytest.fixture
def offline(monkeypatch):
    """No name has an address: what a machine without a network really meets."""

    def nowhere(*args: object, **kwargs: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)


# -- reading ----------------------------------------------------------------------------------------


def test_the_table_of_the_founding_project_loads_as_it_is(table):
    poems = read_poems([table])
    assert [(p.author, p.title) for p in poems] == [
        ("Pierre de Ronsard", "Ode à Cassandre"), ("JOHN DONNE", "Song"), ("William Blake", "The Tyger"),
    ]  # fmt: skip
    assert [len(stanza) for stanza in poems[0].stanzas] == [3, 3]
    assert poems[1].lines[1] == "Get with child a mandrake root,"
    assert poems[0].columns == {"age": "Renaissance", "type": "Love"}


def test_every_kind_of_file_holds_the_same_poems(table, tmp_path):
    rows = [{**row, "year": None} for row in TABLE]
    (tmp_path / "a.json").write_text(json.dumps(rows), encoding="utf-8")
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8-sig")
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(table.read_bytes()))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "d.parquet")
    with (tmp_path / "e.tsv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(TABLE[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(TABLE)
    expected = read_poems([table])
    for name in ("a.json", "b.jsonl", "c.csv.gz", "d.parquet", "e.tsv"):
        assert read_poems([tmp_path / name]) == expected, name
    assert read_poems([str(tmp_path)]) == expected  # the folder: every poem once


def test_a_data_set_in_a_folder_is_read_by_the_datasets_library(table, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "train.csv").write_bytes(table.read_bytes())
    assert read_poems([f"hf:{folder}"], split="train") == read_poems([table])
    with pytest.raises(UnknownName, match="did you mean 'train'"):
        read_poems([f"hf:{folder}"], split="trian")


@pytest.mark.parametrize("source", ["gutenberg:1065", "hf:merve/poetry"])
def test_without_a_network_it_says_so_and_names_the_local_way(source, offline, capsys):
    assert main(["corpus", source]) == 2
    shown = capsys.readouterr().err
    assert "cannot be reached" in shown and "name th" in shown and shown.count("\n") == 1


def test_lines_may_be_lists_and_stanzas_may_be_lists_of_lines(tmp_path):
    rows = [{"lines": ["ombre", "sombre", "", "nombre"], "poet": "A"}, {"lines": [["mer"], ["fer"]], "poet": "B"}]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert [p.stanzas for p in read_poems([path])] == [(("ombre", "sombre"), ("nombre",)), (("mer",), ("fer",))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
def test_a_text_file_keeps_stanzas_and_poems_whatever_ends_its_lines(end, tmp_path):
    path = tmp_path / "poems.txt"
    path.write_bytes(end.join(["ombre", "sombre", "", "nombre", "", "", "mer", "fer"]).encode())
    assert [p.stanzas for p in read_poems([path])] == [(("ombre", "sombre"), ("nombre",)), (("mer", "fer"),)]


def test_decomposed_letters_are_composed(tmp_path):
    path = tmp_path / "nfd.txt"
    path.write_text(unicodedata.normalize("NFD", "été\nprêté"), encoding="utf-8")
    assert read_poems([path])[0].lines == ("été", "prêté")


@pytest.mark.parametrize(
    "content, message",
    [
        ("content,age\nno line here at all,Modern\n", "no text in column 'content' has a line break"),
        ("word,age\na,b\n", "no column of poems among word, age"),
        ('content,age\n"a\nb",1,2,3\n', "expected 2, as in the header"),
        ('content,age\n"a\nb', "not CSV"),
    ],
)
def test_a_table_that_holds_no_verse_says_why(content, message, tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(RlpoetError, match=message):
        read_poems([path])


@pytest.mark.parametrize(
    "row, message",
    [
        ('{"stanzas": [["a\\nb"]]}', "a line holds a line break"),
        ('{"stanzas": [[1]]}', "expected text with line breaks"),
        ('{"stanzas": [["a"]]}\n{"title": "b"}', "bad.jsonl:2: no 'stanzas'"),
        ('{"stanzas": [["a"]]}\n[1]', "bad.jsonl:2"),
        ('{"stanzas": [["a"]], "rhymed": "half"}', "expected a share"),
    ],
)
def test_a_row_that_is_no_poem_is_named_with_its_line(row, message, tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(row, encoding="utf-8")
    with pytest.raises(RlpoetError, match=message):
        read_poems([path])


def test_columns_can_be_named_and_a_wrong_name_is_mended(table):
    assert read_poems([table], columns=Columns(author="type"))[0].author == "Love"
    with pytest.raises(UnknownName, match="did you mean 'content'"):
        read_poems([table], columns=Columns(text="contents"))
    with pytest.raises(RlpoetError, match="'age' has a line break"):
        read_poems([table], columns=Columns(text="age"))


@settings(max_examples=40, deadline=None)
@given(st.lists(poem, min_size=1, max_size=6))
def test_what_is_written_is_read_back_the_same(tmp_path_factory, poems):
    path = tmp_path_factory.mktemp("w") / "poems.jsonl.gz"
    write_poems(path, poems)
    assert read_poems([path]) == deduplicated(poems)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


# -- mending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw, expected",
    [
        ("Et je pleure;[1]", "Et je pleure;"),
        ("Et je pleure;   [Footnote 3]", "Et je pleure;"),
        ("Son regard est pareil                 10", "Son regard est pareil"),
        ("Rock &amp; roll&#8217;s\u200b", "Rock & roll’s"),
        ("\tIndented  line", "Indented line"),
        ("* * *", ""),
        ("12", ""),
        ("In 1914", "In 1914"),
        ("the hour of 3", "the hour of 3"),
    ],
)
def test_a_line_loses_what_is_not_verse_and_nothing_else(raw, expected):
    assert mended(raw) == expected


def test_doubly_spaced_lines_are_closed_up_and_their_stanzas_kept():
    text = "\r\r\n".join(["ombre", "", "sombre", "", "", "", "mer", "", "fer"])
    assert stanzas_of(text) == (("ombre", "sombre"), ("mer", "fer"))


def test_tags_break_lines_where_nothing_else_does():
    assert stanzas_of("<p>ombre<br>sombre</p>") == (("ombre", "sombre"),)


def test_a_number_alone_is_no_stanza():
    assert cleaned(Poem((("II.",), ("ombre", "sombre")))).stanzas == (("ombre", "sombre"),)
    assert cleaned(Poem((("* * *",),))) is None


@settings(max_examples=40, deadline=None)
@given(poem)
def test_mending_twice_is_mending_once(own):
    once = cleaned(own)
    assert once is None or cleaned(once) == once


# -- books ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_book_is_cut_into_its_poems_and_loses_its_licence(end, tmp_path):
    path = tmp_path / "pg99999.txt"
    path.write_bytes(b"\xef\xbb\xbf" + BOOK.replace("\n", end).encode())
    poems = read_poems([path])
    assert [p.title for p in poems] == ["CHANSON D'AUTOMNE", "MON RÊVE FAMILIER", "ARIETTES OUBLIÉES — III", "ARIETTES OUBLIÉES — IV"]
    assert [[len(stanza) for stanza in p.stanzas] for p in poems] == [[6, 6], [4, 3], [2], [2]]
    assert {p.author for p in poems} == {"Paul Verlaine"} and poems[0].columns["book"] == "Poèmes choisis"
    assert poems[0].lines[-1] == "Et je pleure;" and poems[1].lines[4] == "Son regard est pareil au regard des statues,"
    everything = " ".join(p.text for p in poems)
    assert not any(word in everything for word in ("Gutenberg", "eBook", "Produced", "plaisir", "..."))


def test_a_text_that_only_names_gutenberg_is_no_book():
    assert is_gutenberg(BOOK) and not is_gutenberg("Gutenberg made a press\nand pressed it")


def test_prose_between_verse_ends_the_poem():
    body = (
        "Les sanglots longs\nDes violons\n\n"
        + "The quick brown fox jumps over the lazy dog and over it once more,\n" * 3
        + "\nOmbre\nSombre\n"
    )
    text = BOOK.partition("\n\n\n")[0] + "\n\n" + body
    assert [len(p.lines) for p in book_poems(text)] == [2, 2]


# -- choosing ---------------------------------------------------------------------------------------

SHELF = [
    Poem((("a a",),), "Pierre de Ronsard", "Ode", columns={"age": "Renaissance", "type": "Love", "year": "1553"}),
    Poem((("b b",),), "John Donne", "Song", columns={"age": "Renaissance", "type": "Love, Nature", "year": "c. 1601"}),
    Poem((("c c",),), "Blake, William", "The Tyger", columns={"age": "Romantic", "year": "1794"}),
    Poem((("d d",),), None, "", rhymed=0.5),
]


@pytest.mark.parametrize(
    "where, chosen",
    [
        ("", "abcd"),
        ("age=Renaissance", "ab"),
        ("AGE = renaissance", "ab"),
        ("age=Renaissance,type=Love", "a"),
        ("age=Renaissance|Romantic", "abc"),
        ("age=Renaissance,Romantic", "abc"),
        ("type~love", "ab"),
        ("age!=Renaissance", "cd"),
        ("age!=Renaissance|Romantic", "d"),
        ("year<1600", "a"),
        ("year>=1553,year<=1601", "ab"),
        ('author="Blake, William"', "c"),
        ("poet=john donne", "b"),
        ("Poem_Name=Song", "b"),
        ("rhymed>0.4", "d"),
    ],
)
def test_a_filter_keeps_what_it_says(where, chosen):
    assert "".join(p.lines[0][0] for p in select(SHELF, where)) == chosen


@pytest.mark.parametrize(
    "where, message",
    [
        ("ages=Renaissance", "unknown 'ages' \\(did you mean 'age'\\?\\); expected one of age, author, rhymed, title, type, year"),
        ("age=Renaisance", "did you mean 'Renaissance'"),
        ("age=Romantic,type=Love", "holds for none of 4 poems"),
        ("age<1600", "no number"),
        ("year<soon", "expected one number after <"),
        ("Renaissance", "expected a condition such as"),
        ("age=", "has no value"),
    ],
)
def test_a_filter_that_cannot_be_meant_says_why(where, message):
    with pytest.raises(RlpoetError, match=message):
        select(SHELF, where)


@settings(max_examples=40, deadline=None)
@given(st.lists(poem, min_size=1, max_size=8), cells)
def test_equal_and_unequal_part_the_poems(poems, value):
    if not any("type" in p.columns and p.columns["type"].casefold() == value.casefold() for p in poems):
        poems = [*poems, Poem((("z",),), columns={"type": value})]
    equal = select(poems, f'type="{value}"')
    rest = [p for p in poems if p not in equal]
    assert rest == (select(poems, f'type!="{value}"') if rest else [])


def test_filters_in_a_list_must_all_hold():
    assert select(SHELF, ["age=Renaissance", "year<1600"]) == SHELF[:1]
    assert conditions("a=b")[0].values == ("b",)


# -- splitting and counting ---------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.lists(poem, max_size=12), st.floats(0, 0.9))
def test_a_split_is_by_poem_and_does_not_depend_on_order(poems, share):
    train, held = split_poems(poems, validation=share)
    again, held_again = split_poems(poems[::-1], validation=share)
    assert sorted(map(repr, train)) == sorted(map(repr, again)) and held == held_again[::-1]
    assert not {p.fingerprint for p in train} & {p.fingerprint for p in held}


def test_two_editions_of_a_poem_are_one():
    assert len(deduplicated([Poem((("Ombre, sombre !",),)), Poem((("ombre sombre",), ("et plus",)))])) == 2
    assert len(deduplicated([Poem((("Ombre, sombre !", "Mer"),)), Poem((("ombre", "sombre mer"),))])) == 1


def test_statistics_count_lines_stanzas_and_printed_characters():
    found = statistics([Poem((("ombre", "sombre"), ("mer",)), "A", columns={"year": "1857"}), Poem((("fer",),))])
    assert (found.poems, found.stanzas, found.lines, found.anonymous) == (2, 3, 4, 1)
    assert found.characters == len("ombre\nsombre\n\nmer\n") + len("fer\n")
    assert found.years == {1857: 1} and found.authors == {"A": 1} and found.rhymed == ()
    heard = statistics([Poem((("Et je dis : sombre", "Je vois une ombre"),))], lang="fr")
    assert heard.rhymed == (1.0,) and sum(heard.syllables.values()) == 2


# -- the verb -----------------------------------------------------------------------------------------


def test_the_verb_writes_a_split_corpus_a_picture_and_its_counts(table, tmp_path, capsys):
    out, picture = tmp_path / "o" / "poems.jsonl.gz", tmp_path / "o" / "poems.png"
    more = tmp_path / "more.txt"
    more.write_text("\n\n\n".join(f"line {chr(97 + i)}\nverse {chr(97 + i)}" for i in range(20)), encoding="utf-8")
    argv = ["corpus", str(table), str(more), str(table), "--out", str(out), "--picture", str(picture), "--validation", "0.4", "--json"]
    assert main(argv) == 0
    told = json.loads(capsys.readouterr().out)
    held = out.with_name("poems.held.jsonl.gz")
    assert told["poems"] == 23 and told["read"] == 26 and told["left_out"]["twice"] == 3
    assert told["written"] == {str(out): len(read_poems([out])), str(held): len(read_poems([held]))}
    assert sum(told["written"].values()) == 23 and len(read_poems([out, held])) == 23
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.parent.iterdir()) == ["poems.held.jsonl.gz", "poems.jsonl.gz", "poems.png"]


def test_the_verb_shows_tables(table, capsys):
    assert main(["corpus", str(table), "--where", "age=Renaissance", "--lang", "en"]) == 0
    shown = capsys.readouterr().out
    assert "3 poems read, 2 kept; left out: 1 filtered" in shown and "Pierre de Ronsard" in shown and "heard in 2 poems" in shown


@pytest.mark.parametrize(
    "argv, message",
    [
        (["corpus"], "SOURCES: none given"),
        (["corpus", "nowhere.jsonl"], "no such file"),
        (["corpus", "TABLE", "--out", "poems.csv"], "ends in .jsonl"),
        (["corpus", "TABLE", "--validation", "0.1"], "without --out"),
        (["corpus", "TABLE", "--picture", "x.pdf"], "ends in .png"),
        (["corpus", "TABLE", "--min_lines", "99"], "none of 3 poems is left"),
        (["corpus", "TABLE", "--lang", "fe"], "language"),
        (["corpus", "gutenberg:ronsard"], "no ebook number"),
        (["pretrain", "--lang", "fr", "--data", "TABLE", "--output_dir", "x", "--minutes", "1", "--where", "ages=x"], "did you mean 'age'"),
    ],
)
def test_what_the_verb_cannot_do_is_one_line(argv, message, table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([str(table) if word == "TABLE" else word for word in argv]) == 2
    shown = capsys.readouterr().err
    assert message in shown and shown.count("\n") == 1
