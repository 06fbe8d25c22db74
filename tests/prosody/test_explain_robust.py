"""How a line was typed is not how it sounds: forms of Unicode, apostrophes, capitals, digits and sheer length."""

from __future__ import annotations

import itertools
import unicodedata

import pytest

from rlpoet.prosody.explain import explain
from rlpoet.prosody.rhyme import rhyme_kind

LINES = {
    "fr": (
        "L’œil était dans la tombe et regardait Caïn",  # Hugo
        "Mais où sont les neiges d’antan ?",  # Villon
        "Je le vis, je rougis, je pâlis à sa vue",  # Racine
        "Un trouble s’éleva dans mon âme éperdue",  # Racine
        "La chair est triste, hélas ! et j’ai lu tous les livres",  # Mallarmé
        "Ô temps, suspends ton vol ! et vous, heures propices",  # Lamartine
        "Là, tout n’est qu’ordre et beauté",  # Baudelaire
    ),
    "es": (
        "Cuando me paro a contemplar mi estado",  # Garcilaso
        "Érase un hombre a una nariz pegado",  # Quevedo
        "Volverán las oscuras golondrinas",  # Bécquer
        "¿Qué es poesía?, dices mientras clavas",  # Bécquer
        "Hombres necios que acusáis",  # Sor Juana
        "Juventud, divino tesoro",  # Darío
        "con diez cañones por banda",  # Espronceda
    ),
    "en": (
        "Shall I compare thee to a summer’s day?",  # Shakespeare
        "Th’ expense of spirit in a waste of shame",  # Shakespeare
        "Full many a flower is born to blush unseen",  # Gray
        "And waste its sweetness on the desert air",  # Gray
        "Tyger Tyger, burning bright",  # Blake
        "I wander’d lonely as a cloud",  # Wordsworth
        "Hail to thee, blithe Spirit!",  # Shelley
    ),
}
TYPED = {
    "NFD": lambda line: unicodedata.normalize("NFD", line),
    "straight apostrophes": lambda line: line.replace("’", "'"),
    "letter apostrophes": lambda line: line.replace("’", "\u02bc"),
    "upper case": str.upper,
    "no-break spaces": lambda line: line.replace(" ", "\u00a0"),
    "emoji around": lambda line: f"😀 {line} 🎉",
}
ODD = (
    "",
    " ",
    "1850",
    "3 o’clock",
    "😀",
    "👩‍👩‍👧 ok",
    "œuvre Æsop",
    "\u0301",
    "a" * 300,
    "\ufeffrosa",
    "ﬁn",
    "ǆ",
    "ß",
    "İstanbul",
    "مرحبا",
    "日本",
    "\ud83d",
    "\x00a",
    "a\nb",
    "Ⅻ",
    "½ rosa",
)


@pytest.mark.parametrize("how", TYPED)
@pytest.mark.parametrize("lang", LINES)
def test_typing_changes_neither_the_count_nor_the_rhyme(lang, how):
    typed = [TYPED[how](line) for line in LINES[lang]]
    counts = [explain(line, lang).scansion.syllables for line in typed]
    assert counts == [explain(line, lang).scansion.syllables for line in LINES[lang]]
    for i, j in itertools.combinations(range(len(typed)), 2):
        assert rhyme_kind(typed[i], LINES[lang][j], lang) == rhyme_kind(LINES[lang][i], LINES[lang][j], lang)


@pytest.mark.parametrize("lang", LINES)
def test_sounds_and_syllables_of_a_line_are_as_many(lang):
    """Each counted syllable is one vowel heard; words that share a syllable are tied by ‿."""
    for line in LINES[lang]:
        told = explain(line, lang)
        heard = sum(word.heard.pronunciations[0].n_syllables - (word.link == "‿") for word in told.words)
        written = sum(any(map(str.isalpha, unit.text)) for unit in told.scansion.units if unit.counts or lang == "es")
        assert heard == written, line


@pytest.mark.parametrize("lang", LINES)
def test_odd_text_is_kept_letter_for_letter(lang):
    for line in ODD:
        told = explain(line, lang)
        assert "".join(unit.text for unit in told.scansion.units) == line
        assert rhyme_kind(line, line, lang) == ("identical" if told.endings else None)


@pytest.mark.parametrize("lang", LINES)
@pytest.mark.parametrize(
    "line", ["rosa " * 2000, "rose" * 2500, "x" * 10_000, "'" * 10_000, "é" * 1000, "a " * 1000, "a\u0301" * 1000, "-" * 10_000]
)
def test_a_text_of_any_length_is_only_long(lang, line):
    told = explain(line, lang)
    assert "".join(unit.text for unit in told.scansion.units) == line
