"""Rhymes and schemes in a language of its own, where ``a1`` rhymes with ``a2`` and nearly with ``A3``; and what else is told of lines."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest

import rlpoet.prosody.rhyme
from rlpoet.errors import RlpoetError, TableError
from rlpoet.prosody import verse
from rlpoet.prosody.fit import guess_form
from rlpoet.prosody.forms import answers, form, forms, load
from rlpoet.prosody.meter import in_meter, scan, scan_within
from rlpoet.prosody.rhyme import best_kind, find_scheme

HEADER = "lang\tname\tscheme\tmeters\tfeet\trhyme\taliases\tdescription\n"


def kind(x: str, y: str) -> str | None:
    """Full for one letter, assonant for one letter in another case, identical for one line."""
    if x == y:
        return "identical"
    if x[0] == y[0]:
        return "full"
    return "assonant" if x[0].lower() == y[0].lower() else "eye" if x[1] == y[1] else None


def language(**more: object) -> SimpleNamespace:
    return SimpleNamespace(endings=lambda line: line.split("/"), kind=kind, rhyming=frozenset({"full"}), **more)


@pytest.fixture
def scheme(monkeypatch: pytest.MonkeyPatch):
    """A scheme under rules of one's own; kinds are cached by language, and so each call has a name of its own."""

    def found(lines: list[str], **more: object) -> str:
        monkeypatch.setattr(rlpoet.prosody.rhyme, "verse", lambda lang: language(**more))
        return find_scheme(lines, "a language of three sounds")

    yield found
    rlpoet.prosody.rhyme.rhyme_kind.cache_clear()


@pytest.mark.parametrize(
    ("a", "b", "best"),
    [
        ("a1", "a2", "full"),
        ("a1", "b2", None),
        ("a1/b1", "c2/A9", "assonant"),
        ("a1/b1", "A2/b3", "full"),  # though the first two say less
        ("a1/b7", "A2/c7", "assonant"),  # the first of the lesser ones
        ("b7/a1", "c7/A2", "eye"),
        ("a1/b1", "a1", "identical"),
    ],
)
def test_the_best_kind_of_all_pronunciations(a, b, best):
    rules = language()
    assert best_kind(rules.endings(a), rules.endings(b), rules) == best


def test_letters_of_a_scheme(scheme):
    assert scheme(["a1", "b1", "a2", "b2"]) == "abab"
    assert scheme(["a1", "b1", "a2", "c1"]) == "axax"
    assert scheme(["a1", "a2", "a3", "a4"]) == "aaaa"
    assert scheme(["a1", "b1", "a1", "b2"]) == "abab"  # a refrain shows its letter
    assert scheme(["a1", "A2"]) == "xx"
    # a line has the letter of the nearest line above it, though it rhymes with one further up
    assert scheme(["a1", "A2/a9", "b1", "A3"], rhyming_for=lambda lines: frozenset()) == "aaxa"
    assert scheme(["a1", "b1", "a2", "b2", "a3/b3"]) == "ababb"


def test_a_language_may_count_more_kinds_in_a_poem_but_for_some_of_its_lines(scheme):
    assonant = {"rhyming_for": lambda lines: frozenset({"assonant"})}
    assert scheme(["a1", "b1", "A2", "b2"], **assonant) == "abab"
    for loose in ({0}, {2}):
        assert scheme(["a1", "b1", "A2", "b2"], **assonant, loose_for=lambda lines, own=frozenset(loose): own) == "xaxa"
    assert scheme(["a1", "b1", "a2", "b2"], **assonant, loose_for=lambda lines: frozenset({0})) == "abab"
    assert scheme(["a1", "A2"], loose_for=lambda lines: frozenset({0})) == "xx"


@pytest.mark.parametrize(("between", "heard"), [(5, True), (6, False)])
def test_a_loose_line_rhymes_within_six_lines(scheme, between, heard):
    lines = ["a1", *(f"{letter}1" for letter in "bcdefg"[:between]), "a2"]
    rules = {"rhyming_for": lambda lines: frozenset({"assonant"}), "loose_for": lambda lines: frozenset({0})}
    assert scheme(lines, **rules) == ("a" + "x" * between + "a" if heard else "x" * len(lines))
    assert scheme(lines) == "a" + "x" * between + "a"  # others at any distance
    assert scheme(lines, loose_for=rules["loose_for"]) == scheme(lines)  # and all where no other kinds count


def test_letters_pass_over_x_and_go_on_in_capitals(scheme):
    found = scheme([f"{chr(0x4E00 + n)}{k}" for n in range(30) for k in (1, 2)])
    assert found[::2] == found[1::2] == "abcdefghijklmnopqrstuvwXYZABCD"


# -- meter --------------------------------------------------------------------------------------------


def test_a_line_of_one_letter_has_no_meter_and_one_of_two_has():
    assert not in_meter("à", "fr", (1,)) and in_meter("où", "fr", (1,))


def test_a_line_is_read_in_the_first_length_that_fits():
    line = "Périssez ! puissance, justice, histoire, à bas !"  # twelve, or eleven by nothing that is licensed
    assert scan_within(line, "fr", (11, 12)).syllables == 12
    sinalefa = "la noche de mi amor"  # seven, or eight without it
    assert [scan_within(sinalefa, "es", order).syllables for order in ((7, 8), (8, 7))] == [7, 8]
    assert scan_within(line, "fr", ()).fits is None and scan_within(line, "fr", (8,)).fits is False
    assert in_meter(sinalefa, "es", (8,)) and in_meter(sinalefa, "es", (11, 7))


def test_a_line_that_fits_no_length_keeps_its_licences():
    line, language = "I do not love in the old fond way", verse("en")
    usual, refused = scan(line, "en"), scan_within(line, "en", (10, 11))
    assert refused.fits is False and usual.fits is None and refused.units == usual.units
    assert language.meter_name(refused) == language.meter_name(usual) == "iambic tetrameter, elision"


# -- forms --------------------------------------------------------------------------------------------


def test_names_of_forms_are_read_without_the_spaces_around_them():
    assert form(" Sonnet\n", "fr") is form("sonnet", "fr")
    for lang in ("fr", "es", "en"):
        assert len(set(forms(lang))) == len(forms(lang))
    assert form("couplet", "fr-modern").lang == "fr-modern"


@pytest.mark.parametrize(("lang", "a", "b"), [("fr", "sombre", "monde"), ("es", "el mar", "San Juan")])
def test_an_assonance_answers_in_an_assonant_form_of_its_language(lang, a, b):
    couplet = form("couplet", lang)
    assert not answers(a, b, couplet)
    assert not answers(a, b, dataclasses.replace(couplet, rhyme="historical"))
    assert answers(a, b, dataclasses.replace(couplet, rhyme="assonant"))


def test_a_language_without_forms_says_so(monkeypatch):
    monkeypatch.setattr("rlpoet.prosody.forms._names", lambda lang: {})
    with pytest.raises(RlpoetError, match="has no forms yet"):
        form("couplet", "fr")


@pytest.mark.parametrize(("scheme", "right"), [("xaa", True), ("aa bb", True), ("A?", False), ("a1b1", False), ("xab", False)])
def test_a_scheme_is_of_letters_none_alone_but_x(tmp_path, scheme, right):
    table = tmp_path / "forms.tsv"
    table.write_text(f"{HEADER}fr\tf\t{scheme}\t12\t\tconsonant\t\td\n", encoding="utf-8")
    if right:
        assert load(table)["fr"]["f"].n_lines == len(scheme.replace(" ", ""))
    else:
        with pytest.raises(TableError, match="no letter alone"):
            load(table)


# -- fit ----------------------------------------------------------------------------------------------


def test_a_form_is_guessed_from_seven_tenths_on():
    curfew = (
        "The curfew tolls the knell of parting day,", "The lowing herd winds slowly o'er the lea,",
        "And leaves the world to darkness and to me,", "The ploughman homeward plods his weary way.",
    )  # fmt: skip
    enclosed = form("quatrain-abba", "en")
    assert guess_form(curfew, "en") is enclosed  # by its rhymes: the commonest form has its meter too
    half = (*curfew[:3], "The ploughman homeward plods his weary road.")
    assert guess_form(half, "en", among=[enclosed]) is enclosed  # .75
    assert guess_form(half, "en", among=[enclosed], least=0.75) is enclosed
    short = (*half[:3], "The ploughman plods his road.")
    assert guess_form(short, "en", among=[enclosed]) is None  # .625
    assert guess_form(short, "en", among=[enclosed], least=0.625) is enclosed
