"""French names: endings that their spelling decides, those of a table, and what stays a guess. Also h aspiré by family."""

from __future__ import annotations

import pytest

from rewards.rhyme import Rhyme
from rlpoet.phonology import phonology
from rlpoet.phonology.fr.sounds import French, clean, rhyme_part, strip_accents
from rlpoet.phonology.fr.spelling import DATA
from rlpoet.prosody import verse
from rlpoet.prosody.explain import explain
from rlpoet.prosody.fr.syllables import h_starts, is_aspirated
from rlpoet.prosody.rhyme import rhymes
from rlpoet.text.tables import read_table
from rlpoet.types import Prompt

SAYS = phonology("fr")
assert isinstance(SAYS, French)
ENDINGS = list(read_table(DATA / "name_endings.tsv", ("find", "sound", "example")))
NAMES = list(read_table(DATA / "names.tsv", ("word", "ipa")))


@pytest.mark.parametrize(("where", "row"), ENDINGS, ids=lambda value: value if isinstance(value, str) else value[2])
def test_the_example_of_an_ending_is_decided_by_its_row(where, row):
    _, sound, example = row
    decided = SAYS.name_by_ending(clean(example))
    if sound == "?":
        assert decided is None
        return
    assert decided is not None
    readings, source, known = decided
    assert known and source == where
    assert all(any(phones[-len(own.split()) :] == tuple(own.split()) for own in sound.split("|")) for phones in readings)


def test_every_name_of_the_table_is_one_that_spelling_does_not_give():
    for where, (word, ipa) in NAMES:
        heard = SAYS.transcribe(word.title())
        said = [tuple(own.split()) for own in ipa.split("|")]
        assert (heard.known, heard.source) == (True, where)
        assert [pronunciation.phones for pronunciation in heard.pronunciations] == said
        by_spelling = SAYS.name_by_ending(word)
        assert by_spelling is None or set(map(rhyme_part, by_spelling[0])) != set(map(rhyme_part, said)), where


@pytest.mark.parametrize(
    ("name", "mate", "gender"),
    [
        ("Italie", "s'allie", "f"),
        ("Achéron", "Biron", "m"),
        ("Hélène", "haleine", "f"),
        ("France", "souffrance", "f"),
        ("l'Espagne", "campagne", "f"),
        ("Rodrigue", "fatigue", "f"),
        ("Virgile", "fragile", "f"),
        ("Cythère", "misère", "f"),
        ("Prométhée", "jetée", "f"),
        ("Troie", "joie", "f"),
        ("Bretagne", "montagne", "f"),
        ("Athènes", "chaînes", "f"),
        ("Versailles", "batailles", "f"),
        ("Achille", "île", "f"),
        ("Andromaque", "attaque", "f"),
        ("Égypte", "crypte", "f"),
        ("Mantoue", "avoue", "f"),
        ("Ninive", "arrive", "f"),
        ("Michel-Ange", "étrange", "f"),
        ("Sainte-Hélène", "haleine", "f"),
        ("Napoléon", "Léon", "m"),
        ("Jourdain", "soudain", "m"),
        ("Orléans", "céans", "m"),
        ("Attila", "voilà", "m"),
        ("Boileau", "tableau", "m"),
        ("Roland", "blanc", "m"),
        ("Ronsard", "art", "m"),
        ("Jupiter", "éther", "m"),
        ("Cartier", "entier", "m"),
        ("Béranger", "berger", "m"),
        ("Israël", "ciel", "m"),
        ("Hector", "trésor", "m"),
        ("Cérès", "cyprès", "m"),
        ("Délos", "flots", "m"),
        ("Bacchus", "vaincus", "m"),
        ("Musset", "faisait", "m"),
        ("Rivoli", "joli", "m"),
        ("Thulé", "brûlé", "m"),
        ("David", "avide", None),
        ("Brest", "est", "m"),
        ("Caen", "camp", "m"),
        ("Austerlitz", "glisse", None),
        ("Madrid", "cri", "m"),
        ("Paul", "vol", "m"),
    ],
)
def test_a_name_is_known_and_rhymes_with_words(name, mate, gender):
    heard = SAYS.transcribe(name)
    assert heard.known
    if gender is None:  # masculine beside a feminine word
        assert not rhymes(name, mate, "fr")
        return
    assert {ending.gender for ending in verse("fr").endings(name)} == {gender}
    assert rhymes(name, mate, "fr")


@pytest.mark.parametrize("word", ["gobelichon", "italiche", "ZORBALIE", "Zqxvkwie", "Brrrie", "Qalie", "Xxxie", "Larvaen", "Gobeht"])
def test_what_is_no_name_of_a_decided_spelling_stays_a_guess(word):
    assert not SAYS.transcribe(word).known


def test_a_capital_within_the_word_is_needed():
    assert SAYS.transcribe("d'Ibérie").known and SAYS.transcribe("Marie-Zélanie").known
    assert not SAYS.transcribe("D'zibérie").known


@pytest.mark.parametrize(
    "couplet",
    [
        "Mon âme est en Italie\nEt son ombre s'y allie",
        "Les plaines de l'Espagne\nEt la grande campagne",
        "Je revois Boileau\nDevant ce tableau",
        "Les remparts de Brest\nOù souffle le vent d'est",
    ],
)
def test_the_reward_pays_a_rhyme_with_a_name(couplet):
    assert Rhyme().score([Prompt("fr", "couplet")], [couplet]) == [1.0]


@pytest.mark.parametrize("line", ["Louis XIV régnait", "Le XIXe siècle est mort", "Charles X", "Louis VI le Gros", "Napoléon Ier parut"])
def test_a_numeral_is_named_as_a_guess(line):
    numeral = next(word for word in line.split() if word[1:2] in "IVXe" and word[0] in "IVX")
    assert numeral in explain(line, "fr").guessed


def test_words_in_the_letters_of_numerals_are_no_guess():
    assert explain("Vi dix mille lis", "fr").guessed == ()
    assert SAYS.transcribe("Inde").known and SAYS.transcribe("Ire").known


# --- h aspiré ----------------------------------------------------------------------------------


def test_every_start_in_h_has_an_example_that_it_decides():
    for where, (start, aspire, example) in read_table(DATA / "h_aspire.tsv", ("start", "aspire", "example")):
        word = clean(example).rpartition("'")[2]
        assert is_aspirated(word) is (aspire == "yes"), where
        assert max((own for own in h_starts() if (strip_accents(word) + "#").startswith(own)), key=len) == start, where


def test_no_start_repeats_what_a_shorter_one_says():
    table = h_starts()
    for start, aspire in table.items():
        shorter = [table[start[:n]] for n in range(len(start) - 1, 0, -1) if start[:n] in table]
        assert not shorter or shorter[0] is not aspire, start


@pytest.mark.parametrize(
    "family", ["hérisse hérissé hérissées hérisson", "harnais harnaché harnachement", "hurle hurlant hurlements", "héros"]
)
def test_all_forms_of_a_family_bar_elision(family):
    assert all(is_aspirated(word) for word in family.split())


@pytest.mark.parametrize(
    ("line", "fits", "other"),
    [
        ("Il vit comme hérissé", 7, 6),
        ("Un pauvre huguenot", 6, 5),
        ("Sous un double harnais", 6, 5),
        ("La belle harde a fui", 6, 5),
        ("Une belle héroïne", 6, 7),
        ("Un pauvre héritier", 5, 7),
    ],
)
def test_h_decides_whether_the_e_before_it_counts(line, fits, other):
    assert verse("fr").scan(line, fits).fits
    assert not verse("fr").scan(line, other).fits


# --- -aient, -oient, and the old e after a vowel ------------------------------------------------


@pytest.mark.parametrize(
    "word", "voient croient emploient paient essaient noient envoient aboient flamboient traient balaient rient fuient prévoient".split()
)
def test_a_present_in_oient_or_aient_is_feminine(word):
    assert {ending.gender for ending in verse("fr").endings(f"ils {word}")} == {"f"}


@pytest.mark.parametrize("word", "étaient avaient aimaient soient aient seraient estoient avoient chantoyent montraient contraient".split())
def test_an_imperfect_or_conditional_is_masculine(word):
    assert {ending.gender for ending in verse("fr").endings(f"ils {word}")} == {"m"}


def test_a_feminine_present_rhymes_with_no_masculine():
    assert not rhymes("ils voient", "qu'ils soient", "fr") and not rhymes("ils paient", "ils étaient", "fr")
    assert rhymes("ils voient", "ils croient", "fr")


@pytest.mark.parametrize(
    ("line", "modern", "old"),
    [
        ("Portent, en livrée jolie", 7, 8),
        ("Et sa joie parut en ce lieu", 8, 9),
        ("Une pensée me vient", 6, 7),
        ("La rue qui monte au bois", 6, 7),
        ("Ils voient venir le roi", 6, 7),
        ("La vie passe et fuit", 5, 6),
    ],
)
def test_an_e_after_a_vowel_may_count_before_a_consonant(line, modern, old):
    scan = verse("fr").scan
    assert scan(line, modern).fits and scan(line, old).fits
    assert not scan(line, old + 1).fits
    assert scan(line, old).syllables == old


@pytest.mark.parametrize(("line", "n"), [("Ils étaient venus", 6), ("Qu'ils soient venus", 5), ("La pensée est là", 6), ("ma vie", 3)])
def test_the_old_e_counts_neither_before_a_vowel_nor_at_the_end_nor_in_the_imperfect(line, n):
    assert not verse("fr").scan(line, n).fits and verse("fr").scan(line, n - 1).fits


@pytest.mark.parametrize(
    ("old", "modern"),
    [
        ("estoit", "était"),
        ("estoient", "étaient"),
        ("disoyent", "disaient"),
        ("vouloyent", "voulaient"),
        ("estoyt", "était"),
        ("disoys", "disais"),
        ("faisoy", "faisais"),
        ("disoye", "disais"),
        ("connoissoit", "connaissait"),
        ("connoissance", "connaissance"),
        ("dueil", "deuil"),
        ("loix", "lois"),
        ("flame", "flamme"),
        ("dévoûment", "dévouement"),
        ("hazard", "hasard"),
    ],
)
def test_an_old_spelling_is_read_as_the_modern_word(old, modern):
    heard = SAYS.transcribe(old)
    assert heard.known
    assert rhyme_part(SAYS.transcribe(modern).pronunciations[0].phones) in {rhyme_part(own.phones) for own in heard.pronunciations}


@pytest.mark.parametrize("numeral", ["XIV", "IV", "Ier", "XIXe", "V", "XXI"])
def test_a_numeral_is_read_aloud_and_a_guess(numeral):
    line = f"Louis {numeral}"
    assert not phonology("fr").transcribe(numeral).known
    scansion = verse("fr").scan(line)
    assert "".join(unit.text for unit in scansion.units) == line
    assert line[slice(*[(word.start, word.end) for word in verse("fr").words(line)][-1])] == numeral
