"""The word lists: which words they hold, how words are cut out of lines, and how the lists are built."""

from __future__ import annotations

import gzip
import json

import pytest

from experiments.release.tables.build_lexicon import forms, texts_of
from rlpoet.analysis.lexicon import conjugated, known, lexicon, listed_languages, pronounced, unknown_words, words, words_in_place
from rlpoet.analysis.lexicon.verbs import infinitives


@pytest.mark.parametrize(
    "lang, line",
    [
        ("fr", "Souvent, pour s’amuser, les hommes d'équipage"),
        ("fr", "Ô Cœur, peut-être aujourd'hui la France, l'Œil d'Hélène"),
        ("es", "En tanto que de rosa y azucena, España, diríase que huyó"),
        ("en", "Hark! hark! the lark at heav'n's gate sings, And Phoebus 'gins arise; o'er England's fields lov'd"),
    ],
)
def test_words_of_poets_are_known(lang, line):
    assert unknown_words(line, lang) == ()


@pytest.mark.parametrize(
    "lang, word",
    [
        ("fr", "enchanterresse"), ("fr", "albatrins"),
        ("es", "penumba"), ("es", "silélico"), ("es", "ojaláculo"),
        ("en", "slightful"), ("en", "purplling"), ("en", "thetory"),
    ],
)  # fmt: skip
def test_invented_words_are_not(lang, word):
    assert unknown_words(f"a {word.capitalize()} a {word}", lang) == (word,)


def test_a_variety_has_the_words_of_its_language_and_other_languages_have_no_list():
    assert lexicon("es-distincion") == lexicon("es")
    assert lexicon("experiments/languages/it") is None
    assert unknown_words("xxxxx", "experiments/languages/it") == ()


def test_the_lists_are_words_in_order_each_once():
    for lang in ("fr", "es", "en"):
        listed = lexicon(lang)
        assert listed is not None and len(listed) > 40_000
        assert all(words(word, lang) == [word] for word in sorted(listed)[::101])


def test_a_form_is_listed_that_three_authors_have_used(tmp_path):
    rows = [
        {"author": "A", "stanzas": [["Le Cœur, l'amour", "une glaude"], ["une glaude"]]},
        {"author": "B", "stanzas": [["cœur amour glaude"]]},
        {"author": "A", "paragraphs": ["Encore une glaude, encore."]},
        {"author": None, "title": "Sans nom", "paragraphs": ["Un coeur, un AMOUR."]},
    ]
    path = tmp_path / "fr.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    assert forms(texts_of([path]), "fr") == ["amour", "coeur"]
    assert forms(texts_of([path]), "fr", authors=2) == ["amour", "coeur", "glaude"]


def test_the_languages_with_a_list_are_named():
    assert listed_languages() == ("en", "es", "fr")
    assert all(lexicon(code) for code in listed_languages())


@pytest.mark.parametrize(
    ("lang", "line", "capitals"),
    [
        ("fr", "Zora, Zora Zora-Zora d'Zora", ["Zora"] * 4),
        ("fr", "« Zora » Zora. Zora ! Zora ? Zora : Zora… Zora", []),  # each may begin a sentence
        ("fr", "à Œnone, à ŒNONE, à Z, à ZoRa, à Æa", ["Oenone", "Aea"]),
        ("en", "O John, O O'Brien's John's heart", ["John", "O'Brien", "John"]),
        ("en", "       Zora", []),
        ("es", "y Ángel, y A\u0301ngel; Ñuño", ["Ángel", "Ángel", "Ñuño"]),
    ],
)
def test_a_capital_counts_where_nothing_begins(lang, line, capitals):
    found = words_in_place(line, lang)
    assert [word.written for word in found if word.capital] == capitals
    assert [word.form for word in found] == words(line, lang)


@pytest.mark.parametrize(
    ("lang", "line", "elided"),
    [
        ("fr", "l'air a-t-il qu’on b-t x", ["l", "air", "t", "qu", "on"]),
        ("en", "'tis th' one a-t-b", ["tis", "th"]),
        ("es", "d' el", ["d"]),
    ],
)
def test_an_apostrophe_marks_an_elision_and_hyphens_a_french_t(lang, line, elided):
    assert [word.form for word in words_in_place(line, lang) if word.elided] == elided


@pytest.mark.parametrize(
    ("lang", "entries", "others"),
    [
        ("fr", ["bergamasques", "toboggan"], ["rêverez", "étoit", "zorvik"]),  # by a rule for verbs, for old spelling, by a guess
        ("en", ["toboggan", "olaf", "th'expense"], ["slightful", "yawed", "zorvik", "th'zorvik", "zorvik-sun"]),
        ("es", [], ["amor", "zorvik"]),
    ],
)
def test_the_pronouncing_lexicon_has_its_entries_and_not_what_rules_make_of_them(lang, entries, others):
    assert [word for word in [*entries, *others] if pronounced(word, lang)] == entries
    assert not any(pronounced(word, "experiments/languages/it") for word in entries)


@pytest.mark.parametrize(
    ("code", "verb", "forms", "none"),
    [
        ("fr", "placer", "plaçons placez place plaçait placèrent placé plaçant placerions", "placons plaçez placait plaçé"),
        ("fr", "manger", "mangeons mangeait mangez mangent mangée mangeâmes", "mangons mangait mangeez"),
        ("fr", "jeter", "jetons jetait jeté jetâmes", "jete jetera jetent"),
        ("fr", "céder", "cédons cédé", "céde cédera"),
        ("fr", "employer", "employons employé", "employe employera"),
        ("fr", "aimer", "aime aimes aiment aimerai aimasse aimât", "aimir aimu"),
        ("fr", "aller", "", "alle allerai allons"),
        ("es", "culpar", "culpáis culpaba culpó culpara culpemos culpando culpadas culparíamos", "culpo culpa culpan culpe culpido"),
        ("es", "tocar", "toqué toquemos tocó tocáis", "tocé tocemos toquó"),
        ("es", "pagar", "pagué paguéis pagó", "pagé pagéis"),
        ("es", "trazar", "tracé tracemos trazó", "trazé trazemos"),
        ("es", "andar", "", "andé andó"),
        ("en", "placer", "", "placed placez"),
    ],
)
def test_regular_forms_lead_to_their_infinitive(code, verb, forms, none):
    assert [form for form in forms.split() if verb not in infinitives(form, code)] == []
    assert [form for form in none.split() if verb in infinitives(form, code)] == []


@pytest.mark.parametrize(("lang", "form"), [("fr", "rêverez"), ("es", "culpáis")])
def test_a_form_is_known_where_its_verb_is(lang, form):
    assert form not in (lexicon(lang) or ()) and conjugated(form, lang) and known(form, lang)
    assert not known("zorb" + form[-2:], lang) and not conjugated(form, "en")


def test_known_is_what_the_list_has_and_more():
    for lang in listed_languages():
        assert all(known(word, lang) for word in sorted(lexicon(lang) or ())[::1001])
    assert known("toboggan", "en") and not known("slightful", "en") and not known("vita", "experiments/languages/it")
