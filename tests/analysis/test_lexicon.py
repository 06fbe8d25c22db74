"""The word lists: which words they hold, how words are cut out of lines, and how the lists are built."""

from __future__ import annotations

import gzip
import json

import pytest

from experiments.release.tables.build_lexicon import forms, texts_of
from rlpoet.analysis.lexicon import lexicon, unknown_words, words


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
