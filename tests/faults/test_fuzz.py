"""Any text at all: the public calls answer, or raise one short line. ``RLPOET_FUZZ=100000`` makes that many calls of each."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rlpoet
from rlpoet.cli.jsonl import answer_rhymes, answer_scans
from rlpoet.corpus.clean import mended, stanzas_of
from rlpoet.corpus.where import conditions
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.text import canonical, stanzas, unclosed, visible

LONG = int(os.environ.get("RLPOET_FUZZ") or 0)
LANGS = ("fr", "es", "en")
fuzzed = settings(max_examples=LONG or 25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=not LONG)

letters = st.sampled_from(
    list("aeiouyhbcdfglmnpqrstvzáéíóúñçœæßſﬁ’'-–—…,;:!?¿¡«» \u00a0\u202f\u0301\u0308\u200d\ud83d\udc00\x00\x1b\t\n\r\u2028")
)
words = st.sampled_from(
    ["amour", "jour", "l'", "qu'", "night", "o'er", "corazón", "1850", "XIV", "aïe", "ée", "'tis", "poésie", "ß", "½", "٣", "十"]
)
texts = st.one_of(
    st.text(max_size=40),
    st.text(letters, max_size=60),
    st.lists(words, max_size=9).map(" ".join),
    st.lists(letters | words, max_size=30).map("".join),
)


def answers(call, *args, **kwargs):
    """The answer of a call, or None for a complaint, which has to be one short line."""
    try:
        return call(*args, **kwargs)
    except RlpoetError as error:
        assert "\n" not in str(error) and len(str(error)) < 2000, str(error)
        return None


@fuzzed
@given(texts, texts, st.sampled_from(LANGS))
def test_any_two_texts_rhyme_or_do_not(one, other, lang):
    assert answers(rlpoet.rhymes, one, other, lang=lang) == answers(rlpoet.rhymes, other, one, lang=lang)


@fuzzed
@given(texts, st.sampled_from(LANGS))
def test_any_text_has_a_number_of_syllables_and_an_explanation(text, lang):
    found = answers(rlpoet.scan, text, lang=lang)
    assert found is None or found.syllables >= 0
    answers(rlpoet.explain, text, lang=lang)


@fuzzed
@given(st.lists(texts, max_size=5).map("\n".join), st.sampled_from(LANGS))
def test_any_text_is_scored(text, lang):
    answers(rlpoet.score, text, lang=lang)


rows = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts, lambda inner: st.lists(inner, max_size=4), max_leaves=8
)


@fuzzed
@given(
    st.dictionaries(st.sampled_from(["lines", "pairs", "line", "target", "x"]), rows | st.lists(texts, max_size=4), max_size=4),
    st.sampled_from(LANGS),
)
def test_any_row_is_answered_or_said_to_be_wrong(row, lang):
    for answer in (answer_rhymes, answer_scans):
        (found,) = answer([json.dumps(row)], lang, on_error="go_on")
        json.dumps(found)
        if "error" in found:
            assert found["line"] == 1 and "\n" not in found["error"] and len(found["error"]) < 500


@fuzzed
@given(texts)
def test_any_line_is_cleaned_for_good(text):
    once = mended(text)
    assert mended(once) == once or "&" in text  # a reference may spell another one
    assert "\n" not in "".join(line for stanza in stanzas_of(text) for line in stanza)
    assert not any(ord(c) < 32 for c in visible(text))
    for lang in LANGS:
        assert canonical(canonical(text, lang), lang) == canonical(text, lang) or "`" in text or "´" in text
    assert unclosed(text) == "" or unclosed(text) in text
    stanzas(text)


@fuzzed
@given(st.text(st.sampled_from('abAB12 /|:*()=<>!~,"-_x'), max_size=30), st.sampled_from(LANGS))
def test_any_name_of_a_form_and_any_filter_is_one_or_is_refused(text, lang):
    answers(form, text, lang)
    answers(conditions, text)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(
    "unit, size",
    [("a", 20_000), ("a ", 10_000), ("-", 20_000), ("'", 20_000), ("é\u0301", 10_000), ("1", 5_000), ("aeiou", 10_000), ("!?", 10_000)],
)
def test_the_time_of_a_text_grows_with_its_length(unit, size, lang, growth):
    def ask(text):
        answers(rlpoet.scan, text, lang=lang)
        answers(rlpoet.rhymes, text, text[::-1], lang=lang)

    assert growth(ask, unit, size) < 10
