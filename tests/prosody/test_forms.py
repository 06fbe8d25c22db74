"""The table of forms: what it promises, and that a bad row is told with its line."""

from __future__ import annotations

import pytest

from rlpoet.errors import TableError, UnknownName
from rlpoet.prosody.forms import COLUMNS, form, forms, load
from rlpoet.text import split_poem, stanzas

ALL = [asked for lang in ("fr", "es", "en") for asked in forms(lang)]


@pytest.mark.parametrize("asked", ALL, ids=lambda f: f"{f.lang}-{f.name}")
def test_every_form_has_a_meter_a_line_and_pairs_that_agree_with_its_scheme(asked):
    assert len(asked.meters) == asked.n_lines
    assert all(lengths and list(lengths) == sorted(set(lengths)) for lengths in asked.meters)
    assert asked.pairs and all(asked.letters[i] == asked.letters[j] != "x" for i, j in asked.pairs)
    assert {n for pair in asked.pairs for n in pair} == {n for n, letter in enumerate(asked.letters) if letter != "x"}
    assert asked.description
    assert form(asked.name, asked.lang) is asked


@pytest.mark.parametrize("lang, length", [("fr", 12), ("es", 11), ("en", 10)])
@pytest.mark.parametrize("name, scheme", [("couplet", "aa"), *((f"quatrain-{s}", s) for s in ("abab", "abba", "aabb"))])
def test_each_language_has_the_quatrains_in_its_main_meter(lang, length, name, scheme):
    asked = form(name, lang)
    assert asked.scheme == scheme
    assert {lengths[0] for lengths in asked.meters} == {length}
    assert form(f"{name}-{length}", lang) is asked
    assert {lengths[0] for lengths in form(f"{name}-8", lang).meters} == {8}


@pytest.mark.parametrize(
    "lang, name, scheme, lengths",
    [
        ("es", "redondilla", "abba", [8] * 4),
        ("es", "cuarteta", "abab", [8] * 4),
        ("es", "cuarteto", "abba", [11] * 4),
        ("es", "serventesio", "abab", [11] * 4),
        ("es", "lira", "ababb", [7, 11, 7, 7, 11]),
        ("es", "pareado", "aa", [11] * 2),
        ("en", "ballad", "xaxa", [8, 6, 8, 6]),
        ("en", "common-meter", "abab", [8, 6, 8, 6]),
        ("en", "heroic-couplet", "aa", [10] * 2),
        ("en", "sonnet-spenserian", "ababbcbccdcdee", [10] * 14),
        ("en", "sonnet-shakespearean", "ababcdcdefefgg", [10] * 14),
        ("fr", "sonnet", "abbaabbaccdeed", [12] * 14),
        ("fr", "sonnet-ede", "abbaabbaccdede", [12] * 14),
        ("es", "soneto", "abbaabbacdcdcd", [11] * 14),
    ],
)
def test_handbook_forms(lang, name, scheme, lengths):
    asked = form(name, lang)
    assert asked.letters == scheme
    assert [own[0] for own in asked.meters] == lengths


def test_the_romance_is_assonant_and_rhymes_on_even_lines_only():
    asked = form("romance", "es")
    assert asked.rhyme == "assonant"
    assert asked.pairs == ((1, 3), (3, 5), (5, 7))


def test_the_limerick_keeps_its_short_lines_shorter():
    long, _, short, _, last = form("limerick", "en").meters
    assert max(short) < min(long) and last == long


def test_names_are_read_whatever_their_case_or_normal_form():
    assert form("Décima", "es") is form("De\u0301cima", "es") is form("decima", "es")


@pytest.mark.parametrize(
    "name, lang, message",
    [
        ("limerik", "en", "did you mean 'limerick'"),
        ("limerick", "fr", "It is a form of en"),
        ("", "es", "form .es.: unknown ''"),
        ("couplet", "pt", "language: unknown 'pt'"),
    ],
)
def test_an_unknown_form_is_told_with_the_nearest_one(name, lang, message):
    with pytest.raises(UnknownName, match=message):
        form(name, lang)


@pytest.mark.parametrize(
    "row, message",
    [
        ("fr\tf\taa\t12\t\tconsonant", "bad.tsv:2: 6 columns; expected 8"),
        ("pt\tf\taa\t12\t\tconsonant\t\td", "bad.tsv:2: language 'pt'"),
        ("fr\tf\tab\t12\t\tconsonant\t\td", "bad.tsv:2: scheme 'ab'; expected .* no letter alone"),
        ("fr\tf\taa\t12 12 12\t\tconsonant\t\td", "bad.tsv:2: 3 meters for 2 lines"),
        ("fr\tf\taa\ttwelve\t\tconsonant\t\td", "bad.tsv:2: meters 'twelve'"),
        ("fr\tf\taa\t12\t\tperfect\t\td", "bad.tsv:2: rhyme 'perfect'"),
        ("fr\tf\taa\t12\t\tconsonant\tf\td", "bad.tsv:2: 'f' already names a form"),
    ],
)
def test_a_bad_row_is_told_with_its_line(tmp_path, row, message):
    table = tmp_path / "bad.tsv"
    table.write_text("\t".join(COLUMNS) + "\n" + row + "\n", encoding="utf-8")
    with pytest.raises(TableError, match=message):
        load(table)


def test_stanza_breaks_are_seen_and_lines_left_as_they_are():
    text = "  indented \r\nnext\u2028same line\r\n\r\n \t\r\nlast"
    assert stanzas(text) == [["  indented", "next\u2028same line"], ["last"]]
    assert split_poem(text) == ["  indented", "next\u2028same line", "last"]
    assert stanzas("\n \n") == split_poem("") == []
