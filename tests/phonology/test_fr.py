"""French: sounds, rhyme and count, against dictionaries, handbooks and lines whose length is common knowledge."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.phonology import phonology
from rlpoet.phonology.fr import sounds as french
from rlpoet.phonology.fr.spelling import DATA, example_failures
from rlpoet.prosody import verse
from rlpoet.prosody.fr.syllables import learned, modern_letters, nuclei, start_keys
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.protocols import Phonology, Verse
from rlpoet.text.tables import read_table

GOLDEN = Path(__file__).parents[1] / "golden"
VOWEL = french.VOWELS
lines = st.text(alphabet=st.characters(codec="utf-8"), max_size=60) | st.text(alphabet="aeéèiouyhlrtsnqgux'’- ,ſÉŒ", max_size=60)


def golden(name: str) -> list[dict[str, str]]:
    with (GOLDEN / name).open(encoding="utf-8", newline="") as rows:
        return list(csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE))


def plain(ipa: str) -> str:
    """Dictionaries differ on e/ɛ, o/ɔ, ø/œ in open syllables; the golden rows do not depend on that."""
    return ipa.translate(str.maketrans("ɛɔœɑ", "eoøa"))


def test_the_french_ear_keeps_the_contracts():
    assert isinstance(phonology("fr"), Phonology)
    assert isinstance(verse("fr"), Verse)


@pytest.mark.parametrize("row", golden("fr_words.tsv"), ids=lambda row: f"{row['word']}-{row['ipa']}")
def test_a_word_sounds_as_in_the_dictionary(row):
    heard = phonology("fr").transcribe(row["word"])
    assert plain(row["ipa"]) in {plain(said.ipa) for said in heard.pronunciations}


@pytest.mark.parametrize("row", golden("fr_rhymes.tsv"), ids=lambda row: f"{row['a']}-{row['b']}")
def test_a_pair_rhymes_as_the_handbook_says(row):
    assert (rhyme_kind(row["a"], row["b"], "fr") or "none") == row["kind"]


@pytest.mark.parametrize("row", golden("fr_lines.tsv"), ids=lambda row: row["line"][:24])
def test_a_famous_line_has_its_length_and_caesura(row):
    scansion = verse("fr").scan(row["line"])
    assert scansion.syllables == int(row["syllables"])
    assert scansion.caesura == (int(row["caesura"]) if row["caesura"] else None)
    assert verse("fr").scan(row["line"], int(row["syllables"])).fits
    assert not verse("fr").scan(row["line"], int(row["syllables"]) + 4).fits


def test_every_spelling_rule_does_what_its_example_says():
    assert example_failures() == []


def test_every_old_spelling_row_does_what_its_example_says():
    for where, (find, put, example) in read_table(DATA / "old_spelling.tsv", ["find", "put", "example"]):
        old, _, new = example.partition(">")
        assert re.sub(find, "" if put == "0" else put, old) == new, where


def test_learned_chances_are_chances():
    assert len(learned()) > 1000
    assert all(0.0 < p < 1.0 for p in learned().values())


def test_a_word_out_of_every_table_is_marked_as_a_guess():
    assert not phonology("fr").transcribe("gobelichon").known
    assert phonology("fr").transcribe("chanson").known


@pytest.mark.parametrize(
    ("line", "syllables"),
    [
        ("La vie est belle", 4),  # e elided after a vowel, dropped at the end
        ("belle amie", 3),
        ("belle dame", 3),
        ("belles amies", 4),  # -es is never elided
        ("ils aiment encore", 5),
        ("une honte", 3),  # h aspiré keeps the e
        ("une heure", 2),  # h mute elides it
        ("hélas ! une hydre", 4),
        ("la gaieté", 3),  # e inside after a vowel is mute
        ("nous avouerons", 4),
        ("la nation", 4),  # na-ti-on
        ("le pied", 2),
        ("quelque guitare", 4),  # silent u of qu, gu
        ("nous mangeons", 3),
        ("le pays", 3),
        ("un voyage", 3),
        ("le soleil", 3),
        ("ils chantaient", 3),
        ("vois-je", 1),
        ("12", 0),
    ],
)
def test_the_rules_of_the_mute_e_and_of_vowels_in_contact(line, syllables):
    assert verse("fr").scan(line).syllables == syllables


def test_a_target_chooses_between_two_licensed_readings():
    ear = verse("fr")
    apart, together = ear.scan("hier", 2), ear.scan("hier", 1)
    assert apart.fits and apart.syllables == 2
    assert together.fits and together.syllables == 1
    assert not ear.scan("hier", 3).fits


def test_units_show_what_happens_to_the_vowels():
    scansion = verse("fr").scan("Elle a la passion du monde,")
    assert [unit.text for unit in scansion.units] == ["El", "le a ", "la ", "pas", "si", "on ", "du ", "mon", "de,"]
    assert [unit.note for unit in scansion.units] == ["", "elided", "", "", "", "diérèse", "", "", "caduc"]
    assert [unit.counts for unit in scansion.units][-2:] == [True, False]


def test_the_ending_says_where_the_rhyme_begins():
    ending = verse("fr").endings("au sein de sa famille !")[0]
    assert (ending.word, ending.gender, ending.word[ending.start :]) == ("famille", "f", "ille")


def test_inversion_rhymes_with_its_clitic():
    assert [ending.gender for ending in verse("fr").endings("Que vois-je ?")] == ["f"]
    assert rhyme_kind("Que dis-je ?", "un prodige", "fr") in verse("fr").rhyming


def test_old_letters_are_read_as_sounds():
    assert [modern_letters(word) for word in ("vne", "auoir", "iour", "jouir", "amour")] == ["une", "avoir", "jour", "jouir", "amour"]
    assert rhyme_kind("il aimoit", "il chantait", "fr") in verse("fr").rhyming
    assert start_keys("amour") == ("V",)


def test_lines_that_rhyme_share_their_key():
    ear = verse("fr")
    for a, b in (("chanson", "saison"), ("beauté", "clarté"), ("roses", "choses"), ("yeux", "cieux")):
        assert ear.key(ear.endings(a)[0]) == ear.key(ear.endings(b)[0])
    assert ear.key(ear.endings("mer")[0]) != ear.key(ear.endings("mère")[0])
    for word, key in (("roi", "wa"), ("bois", "wa+s"), ("joie", "waə"), ("sera", "a"), ("rien", "jɛ̃"), ("soin", "wɛ̃"), ("destin", "ɛ̃")):
        assert ear.key(ear.endings(word)[0]) == key  # oi, ien, oin rhyme with nothing but themselves


@settings(max_examples=150, deadline=None)
@given(a=lines, b=lines)
def test_rhyme_is_symmetric_and_never_raises(a, b):
    full = verse("fr").rhyming
    assert (rhyme_kind(a, b, "fr") in full) == (rhyme_kind(b, a, "fr") in full)


@settings(max_examples=100, deadline=None)
@given(a=lines, b=lines)
def test_kind_of_two_endings_is_symmetric(a, b):
    ear = verse("fr")
    for x in ear.endings(a):
        for y in ear.endings(b):
            assert ear.kind(x, y) == ear.kind(y, x)
            if ear.kind(x, y) in ear.rhyming:
                assert ear.key(x)[-1] == ear.key(y)[-1]


@settings(max_examples=200, deadline=None)
@given(line=lines, target=st.integers(1, 20) | st.none())
def test_units_give_the_line_back_and_count_as_told(line, target):
    scansion = verse("fr").scan(line, target)
    assert "".join(unit.text for unit in scansion.units) == line
    assert sum(unit.counts for unit in scansion.units) == scansion.syllables
    if scansion.fits:
        assert scansion.syllables == target


@settings(max_examples=150, deadline=None)
@given(word=lines)
def test_a_pronunciation_has_its_nuclei_on_vowels(word):
    for said in phonology("fr").transcribe(word).pronunciations:
        assert all(said.phones[i] in VOWEL for i in said.nuclei)
        assert not said.nuclei or 0 <= said.stress < said.n_syllables


ODD = ["x" * 10_000, "l'" * 5_000, "e\u0301te\u0301", "😀", "'" * 50, "-a" * 2_000, "ie " * 2_000, "İß", "", " \n", "\u0301"]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_are_answered(text):
    ear = verse("fr")
    ear.endings(text)
    assert "".join(unit.text for unit in ear.scan(text, 12).units) == text


def test_decomposed_and_capital_letters_sound_the_same():
    assert rhyme_kind("e\u0301te\u0301", "BEAUTÉ", "fr") == rhyme_kind("été", "beauté", "fr") == "suffisante"


def test_nuclei_are_vowels_in_order():
    for word in ("oiseau", "quelquefois", "inquiétude", "pays"):
        spans = [(part.start, part.end) for part in nuclei(word)]
        assert spans == sorted(spans)
