"""The table of forms: what it promises, and that a bad row is told with its line."""

from __future__ import annotations

import pytest

from rlpoet.errors import RlpoetError, TableError, UnknownName
from rlpoet.prosody.forms import COLUMNS, form, form_to_write, forms, load, repeats_line, sized
from rlpoet.prosody.notation import is_open
from rlpoet.text import split_poem, stanzas

ALL = [asked for lang in ("fr", "es", "en") for asked in forms(lang)]


@pytest.mark.parametrize("asked", ALL, ids=lambda f: f"{f.lang}-{f.name}")
def test_every_form_has_a_meter_a_line_and_pairs_and_repeats_that_agree_with_its_scheme(asked):
    assert len(asked.meters) == asked.n_lines
    assert all(list(lengths) == sorted(set(lengths)) for lengths in asked.meters)
    assert all(asked.letters[i] == asked.letters[j] != "x" for i, j in asked.pairs)
    assert all(asked.letters[own.of] == asked.letters[own.line] for own in asked.repeats if own.part != "opening")
    bound = {n for pair in asked.pairs for n in pair} | {n for own in asked.repeats if own.part != "opening" for n in own[:2]}
    assert bound == {n for n, letter in enumerate(asked.letters) if letter != "x"}
    assert asked.description
    assert form(asked.name, asked.lang) is asked
    assert asked.pairs or asked.repeats or set(asked.letters) == {"x"}


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
        ("es", "copla", "xaxa", [8] * 4),
        ("es", "seguidilla", "xaxa", [7, 5, 7, 5]),
        ("es", "soleá", "axa", [8] * 3),
        ("es", "cuaderna vía".replace(" ", "-"), "aaaa", [14] * 4),
        ("es", "sextilla-de-pie-quebrado", "abcabc", [8, 8, 4, 8, 8, 4]),
        ("es", "tercetos-encadenados:10", "ababcbcdcd", [11] * 10),
        ("en", "rubaiyat", "aaxa", [10] * 4),
        ("en", "interlocking-rubaiyat", "aababbcbccdcdddd", [8] * 16),
        ("en", "terza-rima:7", "ababcbc", [10] * 7),
        ("en", "blank-verse:3", "xxx", [10] * 3),
        ("fr", "haiku", "xxx", [5, 7, 5]),
        ("fr", "rondel", "abbaabababbaa", [8] * 13),
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
        ("fr\tf\t(aa)+\t12 10\t\tconsonant\t\td", "bad.tsv:2: several meters in an open form"),
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


# -- refrains, forms of any length, schemes of one's own ------------------------------------------------


@pytest.mark.parametrize(
    "lang, name, repeats",
    [
        ("fr", "triolet", ["0=3", "0=6", "1=7"]),
        ("fr", "rondel", ["0=6", "1=7", "0=12"]),
        ("fr", "ballade", ["7=15", "7=23", "7=27"]),
        ("fr", "villanelle", ["0=5", "2=8", "0=11", "2=14", "0=17", "2=18"]),
        ("fr", "rondeau", ["0~8", "0~14"]),
        ("en", "pantoum:8", ["1=4", "3=6", "2=5", "0=7"]),
        ("en", "limerick-lear", ["0:4"]),
    ],
)
def test_handbook_refrains(lang, name, repeats):
    sign = {"line": "=", "word": ":", "opening": "~"}
    assert sorted(f"{own.of}{sign[own.part]}{own.line}" for own in form(name, lang).repeats) == sorted(repeats)


def test_a_sestina_turns_its_end_words_inside_out():
    asked = form("sestina", "en")
    first = [0, 1, 2, 3, 4, 5]
    order = first
    for stanza in range(1, 6):
        order = [order[n] for n in (5, 0, 4, 1, 3, 2)]
        assert [asked.same_words[6 * stanza + n] for n in range(6)] == order
    assert not asked.pairs and {own.part for own in asked.repeats} == {"word"}


def test_a_line_that_repeats_another_needs_no_rhyme_of_its_own():
    asked = form("ABaAabAB/8", "fr")
    assert asked.pairs == ((0, 2), (3, 4), (1, 5))
    assert form("aabba aab* aabba*/8", "fr").letters == "aabbaaabxaabbax"


@pytest.mark.parametrize("lang, name", [(own.lang, own.name) for own in ALL if is_open(own.notation)])
def test_an_open_form_has_the_lines_it_is_asked_for_or_says_which_it_can_have(lang, name):
    asked = form(name, lang)
    possible = [n for n in range(1, 40) if sized(asked, n)]
    assert asked.n_lines in possible and len(possible) > 5
    for n in possible:
        found = form(f"{name}:{n}", lang)
        assert found.n_lines == n == len(found.meters) and found.name in (name, f"{name}:{n}")
        assert found.letters.startswith(asked.letters[:n][:2])
    assert form(f"{name}:{asked.n_lines}", lang) is asked
    for n in {1000000, *(set(range(1, 40)) - set(possible))}:
        with pytest.raises(RlpoetError, match=rf"cannot have {n} lines; expected \d"):
            form(f"{name}:{n}", lang)


def test_a_stanza_may_come_again_with_new_rhymes():
    asked = form("quatrain-abba-8*3", "en")
    assert asked.scheme == "abba cddc effe" and asked.n_lines == 12 and set(asked.meters) == {(8, 9)}
    assert form("ballad*2", "en").scheme == "xaxa xbxb"
    assert form("lira*2", "es").meters == form("lira", "es").meters * 2
    assert form("couplet*1", "fr") is form("couplet", "fr")
    for name in ("sonnet*2", "triolet*2", "couplet*0", "terza-rima*2", "couplet*900"):
        with pytest.raises(RlpoetError, match="cannot come"):
            form(name, "fr")


@pytest.mark.parametrize(
    "name, scheme, meters",
    [
        ("aaba/10|11", "aaxa", [(10, 11)] * 4),
        ("abba abba/", "abba abba", [()] * 8),
        (" abab / 8 6 8 6 ", "abab", [(8,), (6,), (8,), (6,)]),
        ("abcb/8", "xaxa", [(8,)] * 4),
        ("A1bA2 abA1/7", "aba aba", [(7,)] * 6),
        ("(ab)2+/7", "abab", [(7,)] * 4),
    ],
)
def test_a_scheme_of_ones_own_is_a_form(name, scheme, meters):
    asked = form(name, "fr")
    assert asked.letters.translate(str.maketrans("b", "a")) == scheme.replace(" ", "").translate(str.maketrans("b", "a"))
    assert list(asked.meters) == meters
    assert form(asked.name, "fr") == asked  # as it is named in a prompt


@pytest.mark.parametrize("name", ["a?b/8", "/8", "aa/8 8 8", "aa/eight", "aa/8/perfect", "((a)+)+/8", "a1b2/8"])
def test_a_scheme_that_means_nothing_is_an_error_of_the_user(name):
    with pytest.raises(RlpoetError, match="expected"):
        form(name, "fr")


@pytest.mark.parametrize(
    "lang, name, why",
    [
        ("fr", "villanelle", "repeats lines"),
        ("fr", "rondeau", "repeats the beginning"),
        ("es", "sestina", "repeats end words"),
        ("en", "ghazal", "end in the same words"),
        ("en", "clerihew", "length of lines free"),
        ("en", "abab/", "length of lines free"),
        ("en", "terza-rima:61", "more than 16 rhymes"),
    ],
)
def test_what_policies_cannot_be_asked_for_is_said_at_once(lang, name, why):
    with pytest.raises(RlpoetError, match=f"{why}.*, which policies cannot be asked for"):
        form_to_write(name, lang)


def test_policies_can_be_asked_for_every_other_form():
    for asked in [own for own in ALL if not own.repeats and all(own.meters) and own.rhyme != "radif"]:
        assert form_to_write(asked.name, asked.lang) is asked


@pytest.mark.parametrize(
    "a, b, part, lang, kept",
    [
        ("J'ai perdu ma tourterelle :", "J’ai perdu ma tourterelle !", "line", "fr", True),
        ("And miles to go before I sleep", "But miles to go before I sleep", "line", "en", True),
        ("And miles to go before I sleep", "And miles to go before I rest", "line", "en", False),
        ("And miles to go before I sleep", "The long sleep", "line", "en", False),
        ("", "", "line", "en", False),
        ("Ma foi, c'est fait de moi, car Isabeau", "Ma foi, c'est fait.", "opening", "fr", True),
        ("Ma foi, c'est fait de moi, car Isabeau", "C'est fait de moi", "opening", "fr", False),
        ("Ma foi, c'est fait de moi", "", "opening", "fr", False),
        ("a bird of May", "the month of May!", "word", "en", True),
        ("a bird of May", "the month of June", "word", "en", False),
    ],
)
def test_a_refrain_may_change_its_signs_and_a_third_of_its_words_but_the_last(a, b, part, lang, kept):
    assert repeats_line(a, b, part, lang) is kept
