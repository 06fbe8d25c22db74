"""French verse beyond rhyme and count: césure, alternation, words as they are said, reasons, varieties, licences."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.errors import UnknownName
from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.prosody.alternation import Touch, touches
from rlpoet.prosody.fr.caesura import cesure, measure
from rlpoet.prosody.fr.licences import LICENCES
from rlpoet.prosody.fr.rhyme import RICHNESS, family
from rlpoet.prosody.fr.verse import FrenchVerse
from rlpoet.prosody.rhyme import best_kind, rhyme_kind

GOLDEN = Path(__file__).parents[1] / "golden"
EAR = FrenchVerse()
MODERN = FrenchVerse("modern")
lines = st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text(alphabet="aeéèiouyhlrtsnqgux'’- ,ſÉŒ", max_size=60)


def golden(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.parametrize("row", golden("fr_cesures.tsv"), ids=lambda row: row["line"][:24])
def test_a_known_line_keeps_or_misses_its_cesure(row):
    found = cesure(row["line"], int(row["syllables"]))
    assert (found.name, found.kind) == (row["pattern"], row["kind"])
    assert found.kept == (not row["kind"])


@pytest.mark.parametrize("row", golden("fr_dierese.tsv"), ids=lambda row: row["word"])
def test_a_word_has_the_syllables_of_the_handbook(row):
    assert EAR.scan(row["word"]).syllables == int(row["syllables"])


@pytest.mark.parametrize("row", golden("fr_h.tsv"), ids=lambda row: row["word"])
def test_h_aspire_bars_elision_and_h_mute_does_not(row):
    une, word = EAR.words(f"une {row['word']}")
    assert (une.note == "", word.note.startswith("h aspiré")) == ((True, True) if row["aspire"] == "yes" else (False, False))


@pytest.mark.parametrize("row", golden("fr_liaisons.tsv"), ids=lambda row: row["words"])
def test_a_liaison_is_the_one_the_handbook_gives(row):
    assert EAR.words(row["words"])[0].link == row["link"]


def test_the_faults_of_a_cesure_are_told_apart():
    assert measure("Dans la bataille tombe le chevalier", (4, 6)).kind == "épique"
    assert measure("La vie est une douleur longue à supporter", (6, 6)).kind == "inside a word"
    assert measure("Je vois venir la belle dame de ces lieux", (6, 6)).kind == "enjambante"
    assert measure("Le soleil", (6, 6)).kind == "length"
    assert cesure("Le soleil") is None


def test_a_noun_spelt_like_a_small_word_may_stand_at_the_cesure():
    assert measure("Il entendait au loin le son des cors perdus", (6, 6)).kind == ""
    assert measure("Elle entendait dans son cœur comme un long adieu", (6, 6)).kind == "proclitic"


def test_only_a_kept_cesure_fills_the_scansion():
    assert EAR.scan("Je fais souvent ce rêve étrange et pénétrant").caesura == 6
    assert EAR.scan("Je courus ! Et les Péninsules démarrées").caesura is None


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("La fille de Minos et de Pasiphaé", "alexandrin 6+6"),
        ("Accable, belle indolemment comme les fleurs,", "alexandrin 4+4+4"),
        ("Je courus ! Et les Péninsules démarrées", "alexandrin, césure manquée: inside a word: Péninsules"),
        ("La mer, la mer, toujours recommencée", "décasyllabe 4+6"),
        ("Mignonne, allons voir si la rose", "octosyllabe"),
        ("12", ""),
    ],
)
def test_a_line_has_the_name_of_the_tradition(line, name):
    assert EAR.meter_name(EAR.scan(line)) == name


def test_different_rhymes_of_one_gender_may_not_touch():
    assert touches(["la rose", "l'amour", "la chose", "le jour"]) == ()
    assert touches(["la rose", "la chose", "la porte", "elle est morte"]) == (Touch(1, "f"),)
    assert touches(["l'amour", "la nuit", "le jour", "le bruit"], "abab") == (Touch(0, "m"), Touch(1, "m"), Touch(2, "m"))
    with pytest.raises(ValueError, match="one for each of the 2 lines"):
        touches(["l'amour", "le jour"], "aab")


def test_alternation_runs_over_stanza_breaks_and_passes_over_unrhymed_lines():
    assert touches(["l'amour", "le jour", "la nuit", "le bruit"], "aa bb") == (Touch(1, "m"),)
    assert touches(["l'amour", "le tombeau", "le jour"], "axa") == ()


def test_words_say_elision_diaeresis_and_mute_e_as_the_line_has_them():
    words = EAR.words("Elle a la passion de l’ombre noire")
    assert [word.heard.pronunciations[0].ipa for word in words] == ["ɛl", "a", "la", "pasiɔ̃", "dø", "l", "ɔ̃bʁə", "nwaʁ"]
    assert [word.note for word in words] == ["e elided", "", "", "diérèse", "", "elided", "", "e caduc"]


@settings(max_examples=150, deadline=None)
@given(line=lines)
def test_words_are_places_in_the_line_from_left_to_right(line):
    at = 0
    for word in EAR.words(line):
        assert at <= word.start < word.end <= len(line)
        assert unicodedata.normalize("NFC", line[word.start : word.end])[:1].isalnum()
        at = word.end


def test_a_syllable_names_the_row_that_decided():
    unit = next(unit for unit in EAR.scan("un lion").units if unit.note == "diérèse")
    name, _, number = unit.source.partition(":")
    assert name == "dierese.tsv" and int(number) > 1


def why(a: str, b: str, ear: FrenchVerse = EAR) -> str:
    return " ".join(ear.why(ear.endings(a)[0], ear.endings(b)[0]))


def test_why_says_what_the_kind_rests_on():
    assert "share /ɔ̃bʁ/: 3 sounds" in why("ombre", "nombre") and "rime riche" in why("ombre", "nombre")
    assert "masculine" in why("mer", "mère") and "forbids" in why("mer", "mère")
    assert "-s" in why("amour", "jours") and "forbids" in why("amour", "jours")
    assert "lacks a common consonne d'appui" in why("chanté", "aimé")
    assert "consonne d'appui /t/" in why("été", "beauté")
    assert "normande" in why("aimer", "mer")
    assert "do not rhyme" in why("été", "était")
    assert "same word" in why("amour", "l'amour")
    assert "guess" in why("gobelichon", "maison")
    assert "allows" in why("mer", "mère", MODERN)


@settings(max_examples=100, deadline=None)
@given(a=lines, b=lines)
def test_why_answers_for_any_two_endings(a, b):
    for ear in (EAR, MODERN):
        for x in ear.endings(a)[:1]:
            for y in ear.endings(b)[:1]:
                assert all(ear.why(x, y))


def test_the_modern_ear_forbids_nothing_the_ear_allows():
    for a, b in (("mer", "mère"), ("amour", "jours"), ("chanté", "aimé"), ("roi", "soie")):
        assert best_kind(EAR.endings(a), EAR.endings(b), EAR) not in EAR.rhyming
        assert best_kind(MODERN.endings(a), MODERN.endings(b), MODERN) in MODERN.rhyming
    with pytest.raises(UnknownName, match="variety"):
        FrenchVerse("modrn")


@settings(max_examples=100, deadline=None)
@given(a=lines, b=lines)
def test_what_rhymes_by_the_classical_rules_rhymes_by_ear(a, b):
    if best_kind(EAR.endings(a), EAR.endings(b), EAR) in EAR.rhyming:
        assert best_kind(MODERN.endings(a), MODERN.endings(b), MODERN) in MODERN.rhyming


@settings(max_examples=150, deadline=None)
@given(a=lines, b=lines)
def test_endings_rhyme_fully_when_they_are_of_one_family(a, b):
    for x in EAR.endings(a):
        for y in EAR.endings(b):
            assert (EAR.kind(x, y) in EAR.rhyming | {"identical"}) == (family(x) == family(y) or x.word == y.word)


def test_a_line_without_a_mate_takes_a_licence_and_its_neighbours_keep_to_the_rules():
    poem = ["la rose", "le jour", "les choses", "l'amour"]
    assert "irrégulière" in EAR.rhyming_for(poem)
    assert EAR.loose_for(poem) == frozenset({1, 3})
    assert EAR.rhyming_for(["la rose", "le jour", "la chose", "l'amour"]) == EAR.rhyming
    assert not LICENCES & EAR.rhyming


def test_richness_counts_sounds_and_not_letters():
    pairs = (("eau", "mot"), ("beau", "tombeau"), ("mer", "amer"), ("drapeau", "chapeau"))
    assert [rhyme_kind(a, b, "fr") for a, b in pairs] == [*RICHNESS, "léonine"]


@pytest.mark.parametrize(
    ("word", "ipa"),
    [
        ("gravitent", "ɡʁavit"),  # verbs the lexicon has in other forms
        ("étoilant", "etwalɑ̃"),
        ("Oreste", "oʁɛst"),  # names sound the s that old spellings leave silent
        ("honneste", "onɛt"),
        ("Caïn", "kaɛ̃"),
        ("Adam", "adɑ̃"),
        ("umbre", "ɔ̃bʁ"),
        ("veu", "vø"),
        ("dompte", "dɔ̃t"),
        ("BEAUTE", "bote"),
    ],
)
def test_names_verbs_old_spellings_and_capitals_are_read(word, ipa):
    assert ipa in {said.ipa for said in phonology("fr").transcribe(word).pronunciations}


@pytest.mark.parametrize("unit", ["é", "ie", "le lion ", "l'", "-a", "ent", "joye "])
def test_time_grows_with_the_length_of_the_line(unit, growth):
    def hear(text):
        EAR.words(text)
        EAR.meter_name(EAR.scan(text, 12))
        EAR.endings(text)

    assert growth(hear, unit, 10_000) < 10


def test_spelling_variants_of_a_line_are_heard_alike():
    plain = "L'été, la mère et l'œil"
    for variant in (unicodedata.normalize("NFD", plain), plain.replace("'", "’"), plain.upper(), plain + " !", plain + " 😀"):
        assert EAR.scan(variant).syllables == EAR.scan(plain).syllables
        assert best_kind(EAR.endings(variant), EAR.endings("le soleil... l'orgueil"), EAR) == best_kind(
            EAR.endings(plain), EAR.endings("le soleil... l'orgueil"), EAR
        )


def test_the_shared_ear_is_the_classical_one():
    assert verse("fr").classical
