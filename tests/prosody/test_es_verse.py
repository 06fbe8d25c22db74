"""Spanish explained: words where they stand, why endings rhyme, what a verse is called; and the figures' own tables."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rlpoet.errors import TableError
from rlpoet.phonology.es import tables as es_tables
from rlpoet.prosody import verse
from rlpoet.prosody.es import accent_patterns as es_accent
from rlpoet.prosody.es.accent_patterns import accent_table, name_verse
from rlpoet.prosody.es.readings import joins, lay, readings
from rlpoet.prosody.es.verse import SpanishVerse
from rlpoet.prosody.es.vowel_groups import inside_features, metrical_word
from rlpoet.protocols import Verse

EAR = verse("es")
lines = st.text(alphabet="abcdefghijlmnñopqrstuvxyzáéíóúü' ,¡!1", max_size=30)
words = st.text(alphabet="abcdefghijlmnñopqrstuvxyzáéíóú", min_size=1, max_size=12)


def why(a: str, b: str, ear: Verse = EAR) -> str:
    """All reasons of the first two endings in one string."""
    return " ".join(ear.why(ear.endings(a)[0], ear.endings(b)[0]))


# --- names -----------------------------------------------------------------------------------


def examples() -> list[tuple[str, str, str, str]]:
    rows = es_tables.rows("accents.tsv", es_accent.COLUMNS)
    return [(where, cells[0], cells[1], cells[5]) for where, cells in rows if cells[5]]


@pytest.mark.parametrize("where, syllables, name, line", examples())
def test_the_example_of_a_row_has_the_name_of_the_row(where, syllables, name, line):
    scansion = EAR.scan(line, int(syllables))
    named = es_accent.name_scansion(scansion)
    assert scansion.fits
    assert named is not None
    assert (named.name, named.source) == (name, where)


@pytest.mark.parametrize(
    "line, name",
    [  # Navarro Tomás, Métrica española; Quilis, Métrica española; Domínguez Caparrós, Métrica española
        ("En tanto que de rosa y azucena", "endecasílabo heroico (2-6-10)"),
        ("Volverán las oscuras golondrinas", "endecasílabo melódico (3-6-10)"),
        ("Dulce vecino de la verde selva", "endecasílabo sáfico (1-4-8-10)"),
        ("A Dafne ya los brazos le crecían", "endecasílabo heroico (2-4-6-10)"),
        ("Con diez cañones por banda", "octosílabo mixto (2-4-7)"),
        ("viento en popa, a toda vela", "octosílabo trocaico (1-3-5-7)"),
        ("Los suspiros se escapan de su boca de fresa", "alejandrino 7+7 dactílico (3-6-10-13)"),
        ("La princesa está triste, ¿qué tendrá la princesa?", "alejandrino 7+7 polirrítmico (3-5-6-8-10-13)"),
        ("", ""),
    ],
)
def test_a_well_known_line_is_named_as_the_manuals_name_it(line, name):
    assert EAR.meter_name(EAR.scan(line)) == name


@pytest.mark.parametrize("stress, axis", [("--+---+--+-", False), ("-+-----+-+-", False), ("+----+-+-+-", True), ("+--+--+--+-", True)])
def test_a_hendecasyllable_without_its_rhythmic_accent_is_said_to_lack_it(stress, axis):
    assert name_verse(stress).axis is axis


@given(st.integers(1, 16), st.data())
def test_every_length_has_a_name_and_a_row_says_which_accents_it_needs(count, data):
    inner = data.draw(st.text(alphabet="+-", min_size=max(count - 2, 0), max_size=max(count - 2, 0)))
    stress = (inner + "+-")[-count:] if count > 1 else "+"
    named = name_verse(stress)
    row = next(row for row in accent_table()[count] if row.where == named.source)
    assert row.stressed <= set(named.accents)
    assert not row.unstressed & set(named.accents)


def test_a_length_without_a_plain_name_is_an_error_of_the_table(tmp_path, monkeypatch):
    (tmp_path / "accents.tsv").write_text("\t".join(es_accent.COLUMNS) + "\n11\theroico\t2 6\t\t\t\t\n", encoding="utf-8")
    monkeypatch.setattr(es_tables, "DATA", tmp_path)
    with pytest.raises(TableError, match=r"accents\.tsv:2: no plain name for 11"):
        accent_table.__wrapped__()


# --- words where they stand ------------------------------------------------------------------


def test_words_say_how_they_are_tied_and_parted():
    """Fray Luis de León: ruïdo has three syllables, que huye a dialefa."""
    line = "la del que huye el mundanal ruido"
    heard = {line[word.start : word.end]: word for word in EAR.words(line)}
    assert heard["huye"].link == "‿"
    assert "sinalefa" in heard["huye"].note
    assert "dialefa" in heard["que"].note
    assert "diéresis" in heard["ruido"].note
    assert [p.n_syllables for p in heard["ruido"].heard.pronunciations] == [3, 2]
    assert "átona" in heard["la"].note


def test_the_syllable_of_a_licence_names_its_row():
    licences = [unit for unit in EAR.scan("la del que huye el mundanal ruido", 11).units if unit.note in ("diéresis", "dialefa")]
    assert {unit.source.partition(":")[0] for unit in licences} == {"meter_weights.tsv"}


@settings(max_examples=200, deadline=None)
@given(lines)
def test_words_lie_in_their_line_one_after_the_other(line):
    end = 0
    for word in EAR.words(line):
        assert end <= word.start < word.end <= len(line)
        assert word.heard.word
        assert all(said.nuclei and said.stress < said.n_syllables for said in word.heard.pronunciations)
        end = word.end


@settings(max_examples=100, deadline=None)
@given(lines)
def test_words_are_the_same_in_nfd(line):
    other = EAR.words(unicodedata.normalize("NFD", line))
    assert [(w.heard, w.link, w.note) for w in EAR.words(line)] == [(w.heard, w.link, w.note) for w in other]


@settings(max_examples=200, deadline=None)
@given(lines, st.one_of(st.none(), st.integers(1, 16)))
def test_counting_alone_agrees_with_scanning(line, target):
    full, bare = EAR.scan(line, target), SpanishVerse().counted(line, target)
    assert (full.syllables, full.stress, full.fits, full.caesura, full.guessed) == (
        bare.syllables, bare.stress, bare.fits, bare.caesura, bare.guessed,
    )  # fmt: skip
    assert bare.units == ()


# --- why -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, said",
    [
        ("viento", "lento", "the glide /j/ before the stressed vowel is free"),
        ("caza", "casa", "seseo"),
        ("pollo", "poyo", "yeísmo"),
        ("cava", "haba", "v and b are one sound"),
        ("árboles", "naves", "rima asonante in a-e"),
        ("amor", "amor", "a word does not rhyme with itself"),
        ("amor", "luna", "no rhyme"),
        ("york", "amor", "york is a guess"),
    ],
)
def test_why_names_what_the_rhyme_rests_on(a, b, said):
    assert said in why(a, b)


def test_a_reduced_group_names_its_row():
    digno = EAR.endings("digno")[1]
    assert "reductions.tsv:" in " ".join(EAR.why(digno, EAR.endings("divino")[0]))


def test_seseo_is_no_reason_where_the_sounds_are_kept_apart():
    ear = SpanishVerse("distincion")
    assert "seseo" not in why("caza", "casa", ear)
    assert "asonante" in why("caza", "casa", ear)


@settings(max_examples=200, deadline=None)
@given(words, words)
def test_there_is_a_reason_for_every_pair_that_names_its_kind(a, b):
    for x in EAR.endings(a):
        for y in EAR.endings(b):
            kind, reasons = EAR.kind(x, y), EAR.why(x, y)
            assert reasons
            assert (kind in reasons[0]) if kind in ("consonante", "asonante") else ("rhyme" in reasons[0])


# --- the meter's own arithmetic ----------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(lines)
def test_the_programme_finds_the_cheapest_reading_of_every_length(line):
    """Against all readings one by one."""
    from rlpoet.prosody.es.readings import cost_of, triple_features

    folded = line.lower()
    laid = lay(folded, line)
    if laid.last < 0 or len(laid.soft) > 6:
        return
    best: dict[int, float] = {}
    for mask in range(1 << len(laid.soft)):
        tied = {i: bool(mask >> k & 1) for k, i in enumerate(laid.soft)}
        cost = sum(laid.junctures[i].cost for i in laid.soft if tied[i] is not laid.junctures[i].joined)
        cost += sum(cost_of(triple_features(laid, i, tied[i])) for i in laid.soft if tied.get(i - 1) is tied[i])
        count = laid.last + 2 - sum(tied.values())
        best[count] = min(cost, best.get(count, cost))
    assert {n: reading.cost for n, reading in readings(laid).items()} == pytest.approx(best)
    for reading in readings(laid).values():
        assert reading.syllables == laid.last + 2 - sum(joins(laid, reading)[1 : laid.last + 1])


def test_an_inner_y_before_a_consonant_is_a_full_vowel_in_old_print():
    """F. de la Torre prints ruydo; a final y stays a glide: muy."""
    assert len(metrical_word("ruydo").vowels) == 3
    assert EAR.scan("ruydo", 3).fits
    assert EAR.scan("muy").syllables == 2


def test_a_stressed_old_diphthong_is_marked_as_popular():
    about = metrical_word("tierra").inner[1].about
    assert "d:popular" in inside_features(about)
    assert "d:popular" not in inside_features(metrical_word("suave").inner[1].about)


def test_figures_in_a_line_are_guesses():
    assert EAR.scan("nació en 1605").guessed == ("1605",)
    assert EAR.scan("¡oh, ah!").guessed == ()
