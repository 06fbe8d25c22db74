"""English: words, rhymes and lines against handbooks and dictionaries, and laws that hold for any text."""

from __future__ import annotations

import dataclasses
import pickle
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.phonology import phonology
from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.en import derived_forms
from rlpoet.phonology.en import tables as en_tables
from rlpoet.phonology.en.contexts import contexts, guess
from rlpoet.phonology.en.derived_forms import finally_stressed, formed, inflected, prefixed
from rlpoet.phonology.en.numbers import in_words
from rlpoet.phonology.en.sounds import fold, phones_of
from rlpoet.prosody import verse
from rlpoet.prosody.en.feet import feet_of, meter_name, name_pattern
from rlpoet.prosody.en.rhyme import last_words, words_of
from rlpoet.prosody.en.stress_patterns import grammar, patterns
from rlpoet.prosody.en.syllables import cut, readings
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.protocols import Phonology, Verse
from rlpoet.text.tables import read_table

GOLDEN = Path(__file__).parents[1] / "golden"
EAR = verse("en")
LONG = ["a" * 10_000, "th'" * 3_000, "-a" * 4_000, "x" * 9_999, "love, " * 2_000]
ODD = ["", " ", "'", "-", "’’", "---", "123", "🙂", "café", "cafe\u0301", "ÉTÉ", "привет", "ñ", *LONG]


def golden(name: str) -> list[list[str]]:
    rows = (GOLDEN / name).read_text(encoding="utf-8").splitlines()
    return [row.split("\t") for row in rows if row and not row.startswith("%")][1:]


# --- golden: handbooks and dictionaries ------------------------------------------------------


@pytest.mark.parametrize("a, b, kind, source, variety", golden("en_rhymes.tsv"))
def test_two_words_rhyme_as_the_handbook_says(a, b, kind, source, variety):
    assert str(rhyme_kind(a, b, "en")) == kind


@pytest.mark.parametrize("word, ipa, syllables, stress, source, variety", golden("en_words.tsv"))
def test_a_word_sounds_as_in_the_dictionary(word, ipa, syllables, stress, source, variety):
    said = phonology("en").transcribe(word).pronunciations
    assert (ipa, int(syllables), int(stress) - 1) in [(p.ipa, p.n_syllables, p.stress) for p in said]


@pytest.mark.parametrize("line, syllables, stress, meter, source, variety", golden("en_lines.tsv"))
def test_a_famous_line_scans_as_the_handbook_prints_it(line, syllables, stress, meter, source, variety):
    scansion = EAR.scan(line)
    assert (scansion.syllables, scansion.stress, meter_name(scansion)) == (int(syllables), stress, meter)


# --- exact: small cases ----------------------------------------------------------------------


def test_both_arms_keep_their_contracts():
    assert isinstance(phonology("en"), Phonology)
    assert isinstance(EAR, Verse)
    assert EAR.rhyming < EAR.detecting


def test_an_eye_rhyme_earns_nothing_and_is_still_found_in_poets():
    assert "eye" not in EAR.rhyming and "eye" in EAR.detecting
    assert "identical" not in EAR.detecting


def test_only_guesses_are_unknown():
    transcribe = phonology("en").transcribe
    assert [transcribe(w).known for w in ("moon", "o'erthrown", "deathlessness", "blorptang")] == [True, True, True, False]


def test_a_guess_keeps_the_rhyme_of_its_spelling():
    assert rhyme_kind("he ran to Clampherdown", "a town", "en") in ("perfect", "promoted", "wrenched", "rich")
    assert rhyme_kind("the blight", "the vlight", "en") == "perfect"


@pytest.mark.parametrize(
    "word, rhyme, apart",
    [
        ("rend", "end", "made"),
        ("clod", "god", "road"),
        ("ope", "hope", "stop"),
        ("fount", "mount", "want"),
        ("amain", "pain", "men"),
        ("raiment", "payment", "lament"),
        ("leer", "fear", "freer"),
        ("trode", "road", "god"),
        ("crape", "shape", "lap"),
        ("mown", "own", "moon"),
        ("tilled", "filled", "wild"),
        ("furze", "stirs", "worse"),
        ("cud", "mud", "viewed"),
        ("weald", "field", "held"),
        ("unclose", "rose", "gross"),
        ("tropes", "hopes", "stops"),
        ("raught", "thought", "out"),
        ("dree", "sea", "drive"),
        ("stound", "sound", "stoned"),
        ("debarred", "hard", "dared"),
        ("murther", "further", "theatre"),
        ("gaed", "made", "glide"),
        ("possest", "breast", "modest"),
        ("settee", "sea", "bet"),
        ("jamboree", "sea", "door"),
        ("grandees", "seas", "sands"),
        ("poltroon", "moon", "won"),
        ("sons'", "guns", "on"),
    ],
)
def test_a_word_that_the_lexicon_lacks_rhymes_as_people_rhyme_it(word, rhyme, apart):
    assert rhyme_kind(word, rhyme, "en") in EAR.rhyming
    assert rhyme_kind(word, apart, "en") not in EAR.rhyming
    assert phones_of(word)[1]


@pytest.mark.parametrize("word, syllables", [("amain", 2), ("raiment", 2), ("centred", 2), ("mitred", 2), ("sabred", 2), ("wandred", 2)])
def test_a_word_that_the_lexicon_lacks_has_its_syllables(word, syllables):
    assert EAR.scan(word).syllables == syllables


@pytest.mark.parametrize("word", ["brelled", "trindes", "zopher", "glinny", "frumper", "slothment"])
def test_a_stem_that_is_a_rare_surname_makes_no_word_known(word, monkeypatch):
    monkeypatch.setattr(derived_forms, "known_phones", lambda stem: ((("Z", "IY1", "Z"), "surname"),) if stem in word else ())
    assert not formed(word)[1]


@pytest.mark.parametrize("word", ["Terpsichore", "Eurydice", "Circe", "Hebe", "Niobe", "Mnemosyne", "Cybele", "Dione", "Hecate", "Lethe"])
def test_greek_names_sound_their_last_e(word):
    assert EAR.endings(word)[0].phones[-1] == "i" and phones_of(word)[1]


@pytest.mark.parametrize(
    "a, b", [("row", "how"), ("house", "browse"), ("lower", "hour"), ("primer", "dimmer"), ("tarry", "starry"), ("gone", "on")]
)
def test_a_second_reading_rhymes_as_well(a, b):
    assert rhyme_kind(a, b, "en") in EAR.rhyming


def test_two_words_may_make_one_feminine_rhyme():
    assert rhyme_kind("I thought upon it", "and wrote a sonnet", "en") == "perfect"
    assert rhyme_kind("the moon above me", "you love me", "en") == "perfect"
    assert rhyme_kind("he came to me", "he went with me", "en") == "identical"


@pytest.mark.parametrize(
    "a, b, kinds",
    [
        ("ye lords of ladies intellectual", "have they not hen-peck'd you all", {"perfect", "promoted"}),
        ("in my pinafore", "a din afore", {"perfect", "rich"}),
        ("I am a poet", "and you know it", {"perfect"}),
        ("she gave him strategy", "he sat a gee", {"perfect", "promoted"}),
        ("he came to me", "the same to me", {"perfect"}),
        ("she was so", "the sea is so", {"identical"}),
        ("the garden of it", "the story of it", {"identical"}),
        ("we dined on it", "the night was so", {None}),
    ],
)
def test_a_rhyme_may_run_over_several_words(a, b, kinds):
    assert rhyme_kind(a, b, "en") in kinds


@pytest.mark.parametrize(
    "word, pieces",
    [
        ("antique", "an tique"),
        ("grotesque", "gro tesque"),
        ("trunkless", "trunk less"),
        ("sleepless", "sleep less"),
        ("moonlight", "moon light"),
        ("lamplight", "lamp light"),
        ("lighthouse", "light house"),
        ("laughter", "laugh ter"),
        ("quiet", "qui et"),
        ("language", "lan guage"),
        ("create", "cre ate"),
        ("table", "ta ble"),
        ("prism", "pri sm"),
        ("twinkling", "twin kl ing"),
        ("discover", "dis co ver"),
        ("family", "fa mi ly"),
        ("silly", "sil ly"),
    ],
)
def test_a_word_is_cut_where_its_parts_meet(word, pieces):
    assert cut(word, len(pieces.split())) == tuple(pieces.split())


@pytest.mark.parametrize(
    "line, target, fits",
    [
        ("Of power", 2, True),
        ("Of power", 3, True),
        ("Of pow'r", 3, False),
        ("Many a glorious morning have I seen", 10, True),
        ("The eternal stars", 4, True),
        ("Shall I compare thee to a summer's day?", 12, False),
        ("Sing, Heavenly Muse, that on the secret top", 10, True),
        ("And all the heavenly quire stood mute, and silence was in Heaven", 14, True),
        ("heavenward", 2, True),
        ("sevenfold", 2, True),
        ("golden", 1, False),
        ("fallen", 1, True),
        ("given", 1, True),
        ("delight", 1, False),
        ("shadowy", 2, True),
        ("virtuous", 2, True),
        ("beautifully", 4, True),
        ("safely", 3, False),
        ("heavenly", 1, False),
        ("I've information vegetable, animal, and mineral", 16, True),
        ("vegetable", 4, True),
        ("vegetable", 3, True),
        ("sovereign", 3, True),
        ("sovereign", 2, True),
        ("devilish", 3, True),
        ("imagery", 4, True),
    ],
)
def test_licences_reach_a_target_and_no_more(line, target, fits):
    scansion = EAR.scan(line, target)
    assert scansion.fits is fits
    assert (scansion.syllables == target) is fits


def test_heavenly_is_counted_full_where_no_length_is_asked():
    assert EAR.scan("From harmony, from heavenly harmony").syllables == 11
    assert EAR.scan("From harmony, from heavenly harmony", 10).fits


def test_an_accent_gives_its_syllable_and_an_apostrophe_takes_it():
    assert [EAR.scan(w).syllables for w in ("wingèd", "wing'd", "heav'n", "lullèd")] == [2, 1, 1, 2]


def test_a_weak_syllable_on_a_beat_is_called_promoted():
    notes = {unit.text.strip(): unit.note for unit in EAR.scan("Shall I compare thee to a summer's day?").units}
    assert notes["to"] == "promoted" and notes["day?"] == ""


def test_words_keep_apostrophes_and_hyphens_but_not_dashes():
    assert words_of("’Tis sea-green--o’er, heav’n’s 7 ñ") == ["’Tis", "sea-green", "o’er", "heav’n’s", "7"]


@pytest.mark.parametrize(
    "pattern, name",
    [
        ("-+" * 5, "iambic pentameter"),
        ("+--+-+-+-+-", "iambic pentameter, first foot inverted, feminine ending"),
        ("-+-+-++--+", "iambic pentameter, fourth foot inverted"),
        ("-+--++-+-+", "iambic pentameter, second foot pyrrhic, third foot spondaic"),
        ("+-+-+-+-+", "iambic pentameter, headless"),
        ("-+-+-+-+-+--", "iambic pentameter, triple ending"),
        ("+-+-+-+", "trochaic tetrameter catalectic"),
        ("--+--+--+-", "anapestic trimeter, feminine ending"),
        ("-+--+--+", "anapestic trimeter, first foot iambic"),
        ("+--+--", "dactylic dimeter"),
        ("-+--+--+-", "amphibrachic trimeter"),
        ("", ""),
        ("-" * 9, ""),
        ("-+" * 40, ""),
    ],
)
def test_feet_and_licences_have_their_handbook_names(pattern, name):
    assert name_pattern(pattern) == name


def test_a_scansion_says_which_row_decided():
    units = EAR.scan("Many a glorious morning have I seen").units
    assert [(u.text, u.source.partition(":")[0]) for u in units if u.note == "synizesis"] == [("glo", "licences.tsv")]
    promoted = [u for u in EAR.scan("Shall I compare thee to a summer's day?").units if u.note == "promoted"]
    assert {u.source.partition(":")[0] for u in promoted} == {"meter_words.tsv"}


def test_words_are_heard_as_the_line_wants_them():
    spoken = EAR.words("Full many a glorious morning have I seen")
    assert [w.heard.word for w in spoken] == "Full many a glorious morning have I seen".split()
    glorious = spoken[3]
    assert glorious.note == "elision (synizesis)" and [p.n_syllables for p in glorious.heard.pronunciations] == [2, 3]
    assert [w.note for w in EAR.words("the flow'r")] == ["", "elided"]
    assert [w.heard.known for w in EAR.words("glorious blorptang")] == [True, False]


@pytest.mark.parametrize(
    "a, b, said",
    [
        ("night", "light", "Perfect rhyme"),
        ("sea", "see", "Rich rhyme"),
        ("eternity", "free", "meter stresses the last"),
        ("love", "move", "spelt -ove"),
        ("join", "line", "historical_vowels.tsv:"),
        ("again", "pain", "said in 2 ways"),
        ("vlight", "night", "“vlight” is in no lexicon"),
        ("stone", "man", "Slant rhyme"),
        ("cat", "dog", "No rhyme"),
    ],
)
def test_a_reason_is_given_in_words(a, b, said):
    told = {sentence for x in EAR.endings(a) for y in EAR.endings(b) for sentence in EAR.why(x, y)}
    assert any(said in sentence for sentence in told)


def test_a_number_is_read_aloud_but_marked_and_an_editors_is_not_heard():
    assert in_words("1850") == "eighteen-fifty" and in_words("21", ordinal=True) == "twenty-first"
    assert in_words("2026") == "two-thousand-twenty-six" and in_words("0") == "zero"
    scansion = EAR.scan("At 3 o'clock")
    assert (scansion.syllables, scansion.guessed) == (4, ("3",))
    assert heard("to continue long ? 120").rstrip() == "to continue long ?" and heard("in 1850") == "in 1850"
    assert last_words("to continue long ? 120") == ["continue", "long"]


def test_a_guess_names_its_row_and_stresses_once():
    for word in ("blorptang", "clampherdown", "vlight", "xyzzy", "mulligatawnish"):
        phones, source = guess(word)
        assert source.startswith("contexts.tsv:") and sum(p.endswith("1") for p in phones) == 1
    assert len(contexts()) > 20_000


def test_one_more_look_at_units_changes_nothing():
    scansion = EAR.scan("Shall I compare thee to a summer's day?")
    assert dataclasses.replace(scansion, fits=False).units == scansion.units == pickle.loads(pickle.dumps(scansion)).units


# --- laws ------------------------------------------------------------------------------------

some_word = st.sampled_from("love move free eternity night knight stone sea summer glory heaven given wilderness flow'r loveliest".split())
letters = st.text(alphabet="abcdefghijklmnopqrstuvwxyz'’-èé", max_size=14)


@pytest.mark.parametrize("text", ODD, ids=lambda text: f"{text[:6]!r}*{len(text)}")
def test_no_string_is_too_odd(text):
    said = phonology("en").transcribe(text)
    assert bool(said.pronunciations) or not any(c.isalpha() for c in text)
    for target in (None, 10):
        assert "".join(unit.text for unit in EAR.scan(text, target).units) == text
    EAR.endings(text)


@pytest.mark.parametrize("word", ["'hh", "'ue", "'ux", "'h", "'a'", "-'", "''s", "d'", "th'h"])
def test_an_apostrophe_before_a_short_word_is_no_crash(word):
    assert all(any(map(en_tables.is_vowel, phones)) or word in en_tables.verse_words() for phones, _ in phones_of(word)[0])
    assert EAR.scan(word).syllables == sum(unit.counts for unit in EAR.scan(word).units)
    EAR.endings(word)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet="abdehiorstuxy'’-", min_size=1, max_size=4))
def test_any_short_string_has_sounds_endings_and_a_scansion(word):
    assert "".join(unit.text for unit in EAR.scan(word).units) == word
    assert bool(phones_of(word)[0]) == any(c.isalpha() for c in word)
    for x in EAR.endings(word):
        assert x.phones and EAR.kind(x, x) == "identical"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_units_give_back_any_line(line):
    scansion = EAR.scan(line)
    assert "".join(unit.text for unit in scansion.units) == line
    assert sum(unit.counts for unit in scansion.units) == scansion.syllables == len(scansion.stress)


@settings(max_examples=150, deadline=None)
@given(letters | some_word, letters | some_word)
def test_kind_is_symmetric_and_sameness_identical(a, b):
    for x in EAR.endings(a):
        assert EAR.kind(x, x) == "identical"
        for y in EAR.endings(b):
            assert EAR.kind(x, y) == EAR.kind(y, x)


@settings(max_examples=100, deadline=None)
@given(some_word, some_word)
def test_full_rhymes_share_a_key(a, b):
    for x in EAR.endings(a):
        for y in EAR.endings(b):
            if EAR.kind(x, y) in EAR.rhyming:
                assert EAR.key(x) == EAR.key(y)


@settings(max_examples=150, deadline=None)
@given(letters)
def test_every_pronunciation_has_its_nuclei(word):
    for said in phonology("en").transcribe(word).pronunciations:
        assert list(said.nuclei) == sorted(set(said.nuclei))
        assert 0 <= said.stress < max(len(said.nuclei), 1)


@settings(max_examples=150, deadline=None)
@given(letters, st.integers(1, 8))
def test_cutting_keeps_the_letters_and_the_count(word, n):
    assert "".join(cut(word, n)) == word and len(cut(word, n)) == n


def test_every_pattern_of_the_grammar_ends_within_two_syllables_of_a_beat():
    assert all(pattern.count("+") and len(pattern) - pattern.rindex("+") <= 3 for pattern in grammar())
    assert all(len(name) == n for n, (names, *_) in patterns().items() for name in names)


@settings(max_examples=150, deadline=None)
@given(letters | some_word, letters | some_word)
def test_what_sounds_apart_is_never_a_full_rhyme(a, b):
    for x in EAR.endings(a):
        for y in EAR.endings(b):
            if x.phones != y.phones:
                assert EAR.kind(x, y) not in EAR.rhyming
            if EAR.kind(x, y) in ("eye", "historical", "slant", "weak", "wrenched", "identical"):
                assert EAR.kind(x, y) not in EAR.rhyming


@settings(max_examples=100, deadline=None)
@given(some_word, some_word, st.sampled_from(["it", "me", "'em", "thee"]))
def test_a_rhyme_of_two_words_is_full_only_where_all_sounds_agree(a, b, weak):
    for x in EAR.endings(f"{a} {weak}"):
        for y in EAR.endings(f"{b} {weak}"):
            assert EAR.kind(x, y) not in EAR.rhyming or (x.phones == y.phones and x.word != y.word)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="+-", max_size=24))
def test_a_name_tells_the_number_of_feet_the_division_has(pattern):
    found = feet_of(pattern)
    name = name_pattern(pattern)
    assert bool(name) == (found is not None)
    if found is not None:
        assert "".join(found[1]) == pattern and name.startswith(found[0])


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=40))
def test_words_stand_where_they_say(line):
    spoken = EAR.words(line)
    assert all(line[w.start : w.end] == w.heard.word for w in spoken)
    assert [w.start for w in spoken] == sorted({w.start for w in spoken})
    assert isinstance(EAR.meter_name(EAR.scan(line)), str)


@settings(max_examples=80, deadline=None)
@given(st.lists(some_word | st.sampled_from("wingèd Cæsar o'er th' 'gainst heav’n’s".split()), min_size=1, max_size=8))
def test_spelling_conventions_do_not_change_the_answer(words):
    line = " ".join(words)
    ways = [line, unicodedata.normalize("NFD", line), line.replace("'", "’"), line.replace("’", "'"), line.upper(), f"  {line} 🙂 "]
    assert len({(EAR.scan(way).syllables, EAR.scan(way).stress) for way in ways}) == 1
    assert len({tuple(e.phones for e in EAR.endings(way)) for way in ways}) == 1


# --- tables ----------------------------------------------------------------------------------


SPELLINGS = ("when", "find", "put", "needs", "example")


@pytest.mark.parametrize("where, cells", list(read_table(en_tables.DATA / "spellings.tsv", SPELLINGS)))
def test_a_spelling_row_makes_its_example_a_known_word(where, cells):
    _, find, put, _, example = cells
    old, new = example.split(">")
    assert re.sub(find, put, old) == new
    assert en_tables.known_phones(new)


@pytest.mark.parametrize(
    "name, way, columns",
    [
        ("endings.tsv", inflected, ("strip", "put", "phones", "needs", "example")),
        ("prefixes.tsv", prefixed, ("prefix", "phones", "needs", "example")),
        ("final_stress.tsv", finally_stressed, ("ending", "phones", "example")),
    ],
)
def test_a_row_gives_its_example(name, way, columns):
    for where, cells in read_table(en_tables.DATA / name, columns):
        word, phones = cells[-1].split(">")
        assert phones in [" ".join(found) for derivation in way(word) for found, _ in derivation.pronunciations], where


def test_attested_words_are_in_no_other_table_and_mostly_rhyme():
    for where, (word, phones, rhymed, places) in read_table(en_tables.DATA / "attested.tsv", ("word", "phones", "rhymed", "places")):
        assert word not in en_tables.lexicon(), where
        assert 3 <= int(rhymed) <= int(places) <= 2 * int(rhymed), where
        assert {p.rstrip("012") for p in phones.split()} <= en_tables.arpabet().keys(), where


def test_a_licence_is_a_reading_of_its_example():
    for where, (name, *_, example) in read_table(
        en_tables.DATA / "licences.tsv", ("name", "word", "find", "put", "cost", "reach", "example")
    ):
        assert any(reading.source == where and name in reading.note.split() for reading in readings(example.lower())), where


def test_arpabet_covers_the_lexicon():
    symbols = {p.rstrip("012") for raw in list(en_tables.lexicon().values())[::50] for p in raw.split("#")[0].split()}
    assert symbols <= en_tables.arpabet().keys()


def test_a_plain_word_is_nfc_and_nfd_alike():
    assert fold("Wingèd") == fold("winge\u0300d") == "winged"
    assert phones_of("wingèd") == phones_of("winge\u0300d")
