"""Letters that only typesetting tells apart (ﬁ, ſ, full width) sound, count and rhyme as the letters that they stand for."""

from __future__ import annotations

import unicodedata

import pytest

from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.text import plain_letters

SET = {"ffi": "ﬃ", "ffl": "ﬄ", "ff": "ﬀ", "fi": "ﬁ", "fl": "ﬂ"}
LINES = [
    ("fr", "Le zéfir passe en la plaine"),
    ("fr", "L'affiche affreuse du conflit"),
    ("fr", "Il souffle une flamme infinie"),
    ("es", "La flor del fin fiel"),
    ("es", "oficio de flautas"),
    ("en", "The fire of flame is difficult"),
    ("en", "She stifled a baffled reflection"),
]


def typeset(line: str) -> str:
    for plain, sign in SET.items():
        line = line.replace(plain, sign)
    return line


@pytest.mark.parametrize("lang, line", LINES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_ligature_changes_neither_count_nor_ending_nor_units(lang, line, form):
    ear, other = verse(lang), unicodedata.normalize(form, typeset(line))
    assert typeset(line) != line
    assert (ear.scan(other).syllables, ear.scan(other).stress) == (ear.scan(line).syllables, ear.scan(line).stress)
    assert [e.phones for e in ear.endings(other)] == [e.phones for e in ear.endings(line)]
    assert "".join(unit.text for unit in ear.scan(other).units) == other


@pytest.mark.parametrize(
    "a, b", [("the ﬁre", "desire"), ("a ﬂower", "an hour"), ("an oﬃce", "an office"), ("eaſt", "feast"), ("ｎｉｇｈｔ", "light")]
)
def test_typeset_letters_rhyme_in_english(a, b):
    assert rhyme_kind(a, b, "en") in {"perfect", "rich", "identical"}


def test_only_letters_are_spelled_out():
    assert plain_letters("ﬁſ½²™…") == "fis½²™…"
