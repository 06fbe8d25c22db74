"""Spanish: words, rhymes and lines against handbooks and the written norm, and laws that hold for any text."""

from __future__ import annotations

import itertools
import pickle
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.errors import TableError, UnknownName
from rlpoet.phonology import phonology
from rlpoet.phonology.es import letters as es_letters
from rlpoet.phonology.es import tables as es_tables
from rlpoet.phonology.es.letters import fold, parse, syllable_starts
from rlpoet.phonology.es.sounds import VARIETIES, Spanish, readings_of
from rlpoet.prosody import verse
from rlpoet.prosody.es.rhyme import assonance
from rlpoet.prosody.es.verse import SpanishVerse
from rlpoet.prosody.explain import explain
from rlpoet.prosody.rhyme import find_scheme, rhyme_kind
from rlpoet.protocols import Phonology, Verse

GOLDEN = Path(__file__).parents[1] / "golden"
EAR = verse("es")
SAYS = phonology("es")
ODD = [
    "",
    " ",
    "'",
    "’",
    "-",
    "123",
    "🙂",
    "ñ",
    "y",
    "brrr",
    "привет",
    "İstanbul",
    "nin\u0303o",
    "CORAZÓN",
    "d’oro",
    "ﬁn",
    "a" * 10_000,
    "amor " * 2_000,
]
spanish = st.text(alphabet="abcdefghijlmnñopqrstuvxyzáéíóúü' ,¡!", max_size=30)
words = st.text(alphabet="abcdefghijlmnñopqrstuvxyzáéíóúü", min_size=1, max_size=12)


def golden(name: str) -> list[list[str]]:
    rows = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return [row.split("\t") for row in rows if row and not row.startswith("%")][1:]


def cut(word: str) -> str:
    starts = [*syllable_starts(parse(word)), len(word)]
    return "-".join(word[a:b] for a, b in itertools.pairwise(starts))


# --- golden: handbooks and the norm ----------------------------------------------------------


@pytest.mark.parametrize("word, ipa, syllables, stress, source, variety", golden("es_words.tsv"))
def test_a_word_sounds_as_the_norm_says(word, ipa, syllables, stress, source, variety):
    said = SAYS.transcribe(word).pronunciations[0]
    assert (said.ipa, said.n_syllables, said.stress + 1) == (ipa, int(syllables), int(stress))


@pytest.mark.parametrize("a, b, kind, source, variety", golden("es_rhymes.tsv"))
def test_two_words_rhyme_as_the_handbook_says(a, b, kind, source, variety):
    assert str(rhyme_kind(a, b, "es")) == kind


@pytest.mark.parametrize("line, syllables, stress, source, variety", golden("es_lines.tsv"))
def test_a_line_has_the_length_the_handbook_counts(line, syllables, stress, source, variety):
    assert EAR.scan(line, int(syllables)).fits
    if stress:
        scansion = EAR.scan(line)
        assert (scansion.syllables, scansion.stress) == (int(syllables), stress)


# --- exact: small cases ------------------------------------------------------------------------


CUT = "som-bra al-ma ex-ha-la in-hu-ma-no a-ho-ra des-he-cha ins-tan-te trans-por-te a-gua hués-pe-des pe-rro ca-lle o-í-do a-é-re-o"


@pytest.mark.parametrize("syllables", CUT.split())
def test_syllables_are_cut_where_the_norm_cuts_them(syllables):
    assert cut(syllables.replace("-", "")) == syllables


@pytest.mark.parametrize("variety, told_apart", [("distincion", "θ"), ("lleismo", "ʎ"), ("distincion-lleismo", "θʎ"), ("seseo", "")])
@pytest.mark.parametrize("phone, a, b", [("θ", "caza", "casa"), ("ʎ", "pollo", "poyo")])
def test_a_variety_keeps_apart_the_sounds_it_is_named_for(variety, told_apart, phone, a, b):
    says, ear = Spanish(variety), SpanishVerse(variety)
    same = says.transcribe(a).pronunciations[0].phones == says.transcribe(b).pronunciations[0].phones
    assert same is (phone not in told_apart)
    assert ear.kind(ear.endings(a)[0], ear.endings(b)[0]) == ("consonante" if same else "asonante")


def test_the_varieties_are_listed_and_an_unknown_one_is_refused_with_the_nearest():
    assert SpanishVerse.varieties == (*VARIETIES, "strict", *(f"{name}-strict" for name in VARIETIES))
    with pytest.raises(UnknownName, match="did you mean 'distincion'"):
        SpanishVerse("distinción")


def test_the_main_reading_of_x_is_modern_and_the_old_one_is_there_too():
    assert [p.ipa for p in SAYS.transcribe("dixo").pronunciations] == ["dikso", "dixo", "diso"]


@pytest.mark.parametrize("word, known", [("corazón", True), ("quando", True), ("club", False), ("york", False), ("привет", False)])
def test_a_foreign_word_is_a_marked_guess(word, known):
    assert SAYS.transcribe(word).known is known


@pytest.mark.parametrize("line, syllables", [("el mar", 3), ("la mar brava", 4), ("la música", 3), ("a solas", 3)])
def test_the_end_of_the_line_decides_its_count(line, syllables):
    assert EAR.scan(line).syllables == syllables


@pytest.mark.parametrize("target, fits, note", [(4, True, ""), (5, True, "diéresis"), (6, False, "")])
def test_a_target_is_met_by_dieresis_or_not_at_all(target, fits, note):
    scansion = EAR.scan("cantos suaves", target)
    assert scansion.fits is fits
    assert not fits or note in [unit.note for unit in scansion.units]


def test_an_old_diphthong_is_never_parted():
    assert EAR.scan("verde que te quiero").syllables == 6
    assert not EAR.scan("tierra y fuego", 7).fits


def test_the_conjunction_between_two_vowels_goes_with_the_second():
    assert [unit.text for unit in EAR.scan("muerte y amor").units] == ["muer", "te ", "y a", "mor", ""]


def test_units_name_what_was_done():
    notes = {unit.text: unit.note for unit in EAR.scan("En tanto que de rosa y azucena", 11).units if unit.note}
    assert "sinalefa" in notes.values()
    assert EAR.scan("¡oh, máquina fantástica!").units[-1].note == "esdrújula"
    assert EAR.scan("Mi corazón").units[-1].note == "aguda"


def test_an_alexandrine_has_its_caesura_and_a_hendecasyllable_none():
    assert EAR.scan("La princesa está triste, ¿qué tendrá la princesa?").caesura == 7
    assert EAR.scan("Volverán las oscuras golondrinas").caesura is None


def test_a_word_without_stress_is_stressed_at_the_end_of_the_line():
    assert EAR.scan("dime para quién y por qué y para").stress.endswith("+-")


# --- poems ---------------------------------------------------------------------------------------

ROMANCE = [
    "Hortelano era Belardo", "de las huertas de Valencia,", "que los trabajos obligan", "a lo que el hombre no piensa.",
    "Pasado el hebrero loco,", "flores para mayo siembra,", "que quiere que su esperanza", "dé fruto a la primavera.",
]  # fmt: skip
SONNET = [
    "Cerrar podrá mis ojos la postrera", "sombra que me llevare el blanco día,",
    "y podrá desatar esta alma mía", "hora a su afán ansioso lisonjera;",
    "mas no, desotra parte, en la ribera,", "dejará la memoria, en donde ardía:",
    "nadar sabe mi llama el agua fría,", "y perder el respeto a ley severa.",
]  # fmt: skip


def test_assonance_rhymes_in_a_romance_and_only_there():
    assert "asonante" in EAR.rhyming_for(ROMANCE)
    assert EAR.rhyming_for(SONNET) == EAR.rhyming
    assert EAR.loose_for(ROMANCE) == frozenset({0, 2, 4, 6})
    assert EAR.loose_for(SONNET) == frozenset()


def test_a_romance_shows_its_letter_on_the_even_lines():
    assert find_scheme(ROMANCE, "es") == "xaxaxaxa"


def test_a_romance_in_long_lines_is_one_family():
    """Romance del rey don Sancho, written as sixteen-syllable lines."""
    tirada = ["Rey don Sancho, rey don Sancho, no digas que no te aviso,", "que de dentro de Zamora un alevoso ha salido;",
              "llámase Vellido Dolfos, hijo de Dolfos Vellido,", "cuatro traiciones ha hecho, y con esta serán cinco.",
              "Si gran traidor fue el padre, mayor traidor es el hijo.", "Gritos dan en el real: ¡A don Sancho han mal herido!",
              "Muerto le ha Vellido Dolfos, ¡gran traición ha cometido!", "Desque le tuviera muerto, metióse por un postigo,"]  # fmt: skip
    assert find_scheme(tirada, "es") == "a" * 8


def test_a_romance_whose_parts_change_assonance_stays_one():
    other = ["Sale la estrella de Venus", "al tiempo que el sol se pone,", "y la enemiga del día", "su negro manto descoge,",
             "y con ella un fuerte moro", "semejante a Rodamonte", "sale de Sidonia airado,", "de Xerez la vega corre,"]  # fmt: skip
    assert find_scheme(ROMANCE + other, "es") == "xaxaxaxa" + "xbxbxbxb"


def test_a_sonnet_shows_its_scheme():
    assert find_scheme(SONNET, "es") == "abbaabba"


# --- laws ----------------------------------------------------------------------------------------


def test_the_classes_keep_their_protocols_and_survive_a_pickle():
    assert isinstance(SAYS, Phonology)
    assert isinstance(EAR, Verse)
    copy = pickle.loads(pickle.dumps(Spanish("distincion")))
    assert copy.transcribe("caza").pronunciations[0].ipa == "kaθa"
    ear = pickle.loads(pickle.dumps(SpanishVerse("distincion")))
    assert ear.endings("caza")[0].phones == ("a", "θ", "a")
    assert pickle.loads(pickle.dumps(EAR)).endings("amor") == EAR.endings("amor")


@pytest.mark.parametrize("text", ODD)
def test_nothing_raises_and_units_give_the_line_back(text):
    SAYS.transcribe(text)
    EAR.endings(text)
    for target in (None, 11, 14):
        scansion = EAR.scan(text, target)
        assert "".join(unit.text for unit in scansion.units) == text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_any_text_scans_and_units_give_it_back(text):
    scansion = EAR.scan(text)
    assert "".join(unit.text for unit in scansion.units) == text
    assert all(EAR.key(ending) for ending in EAR.endings(text))


@settings(max_examples=300, deadline=None)
@given(spanish, st.one_of(st.none(), st.integers(1, 16)))
def test_count_stress_and_units_agree(line, target):
    scansion = EAR.scan(line, target)
    assert len(scansion.stress) == scansion.syllables
    assert sum(unit.counts for unit in scansion.units) in (scansion.syllables, 0)
    assert sum(bool(unit.stressed) for unit in scansion.units) == scansion.stress.count("+")
    assert not scansion.fits or scansion.syllables == target


@settings(max_examples=300, deadline=None)
@given(words)
def test_a_word_has_one_nucleus_a_syllable_and_its_stress_on_one(word):
    for said in SAYS.transcribe(word).pronunciations:
        assert list(said.nuclei) == sorted(set(said.nuclei))
        assert 0 <= said.stress < said.n_syllables
        assert said.nuclei[-1] < len(said.phones)
    assert not set("aeiou") & set(word) or "h" not in SAYS.transcribe(word).pronunciations[0].ipa


@settings(max_examples=200, deadline=None)
@given(words, words)
def test_rhyme_is_symmetric_and_consonance_implies_assonance(a, b):
    assert rhyme_kind(a, b, "es") == rhyme_kind(b, a, "es")
    for x, y in itertools.product(EAR.endings(a), EAR.endings(b)):
        if EAR.kind(x, y) == "consonante":
            assert assonance(x.phones) == assonance(y.phones)
            assert EAR.key(x) == EAR.key(y)


@settings(max_examples=200, deadline=None)
@given(spanish)
def test_spelling_variants_of_unicode_and_capitals_change_nothing(line):
    other = unicodedata.normalize("NFD", line.title())
    assert [e.phones for e in EAR.endings(line)] == [e.phones for e in EAR.endings(other)]
    assert fold(other) == fold(line)
    assert EAR.scan(other, 8).syllables == EAR.scan(line, 8).syllables


# --- tables ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row, message",
    [
        ("y\tʝ\tvowel\t\tya>ʝa\t", "letters.tsv:2: context 'vowel'"),
        ("y\tʝ\t\t\tya>xa\t", "letters.tsv:2: example 'ya' gives 'ʝa', the row promises 'xa'"),
        ("y\tʝ", "letters.tsv:2: 2 columns"),
    ],
)
def test_a_bad_row_is_reported_with_its_line(tmp_path, monkeypatch, row, message):
    (tmp_path / "letters.tsv").write_text("find\tput\tbefore\tafter\texample\tnote\n" + row + "\n", encoding="utf-8")
    monkeypatch.setattr(es_tables, "DATA", tmp_path)
    with pytest.raises(TableError, match=message):
        es_letters.letter_rules.__wrapped__()


def test_every_reduction_gives_its_example():
    rows = (es_tables.DATA / "reductions.tsv").read_text(encoding="utf-8").splitlines()
    for row in [r.split("\t") for r in rows if r and not r.startswith("%")][1:]:
        word, _, expected = row[2].partition(">")
        ways = {p.ipa for variety in VARIETIES for p in Spanish(variety).transcribe(word).pronunciations}
        assert expected in ways, row


def test_every_row_on_capitals_gives_its_example():
    columns = es_tables.CAPITAL_COLUMNS
    for (where, (*_, example)), (pattern, put, _) in zip(es_tables.rows("capitals.tsv", columns), es_tables.capitals(), strict=True):
        typed, _, marked = example.partition(">")
        assert pattern.sub(put, typed, count=1) == marked, where
        assert marked in {parsed.text for parsed in readings_of(typed.upper())}, where


@pytest.mark.parametrize(
    "a, b, kind",
    [
        ("MI CORAZON", "una canción", "consonante"),
        ("CANCION", "corazón", "consonante"),
        ("ALEGRIA", "mía", "consonante"),
        ("HISTORIA", "gloria", "consonante"),
        ("JARDIN", "fin", "consonante"),
        ("RAIZ", "feliz", "consonante"),
        ("AFAN", "van", "consonante"),
        ("CANTAN", "espantan", "consonante"),
        ("DESPUES", "es", "consonante"),
        ("SEGUN", "un", "consonante"),
        ("CANCION", "cancion", "identical"),
        ("cancion", "corazón", None),
        ("CASA", "corazón", None),
    ],
)
def test_capitals_may_leave_the_tilde_out(a, b, kind):
    assert rhyme_kind(a, b, "es") == kind


def test_capitals_that_surely_lost_a_tilde_end_the_line_as_an_aguda():
    assert EAR.scan("EN EL FONDO DE MI CORAZON").syllables == EAR.scan("en el fondo de mi corazón").syllables == 10
    assert EAR.scan("EN EL FONDO DE MI CASA").syllables == 8


@pytest.mark.parametrize(
    "syllables",
    """vi-hue-la ma-ri-hua-na Chi-hua-hua O-ri-hue-la pa-ri-hue-la al-de-hue-la co-rre-hue-la a-hue-car ca-ca-hue-te al-ca-hue-te
    Te-huan-te-pec Co-a-hui-la ná-huatl Vi-hue-las re-huir sahu-mar ahu-ma-do a-güe-ro viu-da hue-vo""".split(),
)
def test_hu_before_a_vowel_opens_a_syllable(syllables):
    assert cut(syllables.replace("-", "")) == syllables


def test_no_reading_joins_the_vowel_before_hue():
    assert not EAR.scan("vihuela", 2).fits and not EAR.scan("la vihuela", 3).fits
    assert EAR.scan("la vihuela", 4).fits


@pytest.mark.parametrize("line", ["Felipe II mandó", "Carlos V llegó", "Alfonso X el Sabio", "el siglo XIX"])
def test_a_roman_numeral_is_named_as_a_guess(line):
    numeral = next(word for word in line.split() if word.isupper())
    assert numeral in explain(line, "es").guessed
    assert not SAYS.transcribe(numeral).known


def test_words_in_the_letters_of_numerals_are_no_guess():
    assert explain("Vi al civil", "es").guessed == ()


@pytest.mark.slow
def test_epitran_agrees_on_plain_words():
    """A tool made by others, on words without glides, r or allophones, where notations agree."""
    other = pytest.importorskip("epitran").Epitran("spa-Latn")
    for word in "casa mano luna queso fuma plato tela nido pepino sofá dedo filosofal".split():
        assert other.transliterate(word) == SAYS.transcribe(word).pronunciations[0].ipa
