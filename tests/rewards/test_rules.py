"""Each rule of a reward by its smallest example, with the number worked out by hand."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

import rewards.meter
import rewards.style
from rewards.acrostic import Acrostic
from rewards.alternation import Alternation
from rewards.copying import Copying
from rewards.meter import Meter
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.rhyme_words import RhymeWords
from rewards.style import Style
from rewards.theme import Theme
from rlpoet.analysis.coherence import theme_model
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError, TableError, UnknownName
from rlpoet.types import Prompt

COUPLET, TERCET, ABAB, ABBA = (Prompt("fr", form) for form in ("couplet", "tercet", "quatrain-abab", "quatrain-abba"))
PAREADO, SPANISH_ABAB, ROMANCE = (Prompt("es", form) for form in ("pareado", "quatrain-abab-8", "romance"))
ENGLISH, ENGLISH_ABAB = Prompt("en", "couplet"), Prompt("en", "quatrain-abab")


def score(reward, prompt, *lines):
    return reward.score([prompt], ["\n".join(lines)])[0]


def reasons(reward, prompt, *lines):
    return [line.reason for line in reward.explain(prompt, "\n".join(lines)).lines]


# --- rhyme ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("xqzkor", "trésor"), ("trésor", "xqzkor"), ("xqzkor", "bvrkor")])
def test_one_guessed_word_spoils_a_pair_unless_guesses_count(words):
    assert score(Rhyme(), COUPLET, *words) == 0.0
    assert score(Rhyme(known_only=False), COUPLET, *words) == 1.0


def test_a_near_rhyme_earns_nothing_where_its_other_line_rhymes_elsewhere():
    near = Rhyme(partial=0.3)
    assert score(near, SPANISH_ABAB, "canto", "luz", "campo", "mar") == pytest.approx(0.3 * 0.5 / 2)  # one of two pairs, half alike
    for spoilt in (("canto", "llanto", "campo", "mar"), ("campo", "llanto", "canto", "mar")):
        assert score(near, SPANISH_ABAB, *spoilt) == 0.0


@pytest.mark.parametrize(
    ("prompt", "a", "b", "alike"),
    [
        (PAREADO, "pálido", "camino", 2 / 5),  # álido and ino: o and i from the end, of five phones
        (PAREADO, "luz", "cruces", 1 / 4),
        (ENGLISH, "live", "line", 1 / 2),  # as in *alive*; *to live* has nothing of it
    ],
)
def test_a_near_rhyme_earns_the_share_of_phones_that_agree_from_the_end(prompt, a, b, alike):
    assert score(Rhyme(partial=0.3), prompt, a, b) == score(Rhyme(partial=0.3), prompt, b, a) == pytest.approx(0.3 * alike)


def test_historical_rhymes_bind_their_own_lines_and_spoil_no_others():
    assert score(Rhyme(historical=True), ENGLISH_ABAB, "love", "prove", "above", "move") == 1.0
    assert score(Rhyme(historical=True), ENGLISH, "love", "live") == 0.0  # a slant rhyme is none of them
    romance = [
        word for pair in zip(["luna", "verde", "pino", "monte"], ["mar", "San Juan", "cantar", "llegar"], strict=True) for word in pair
    ]
    assert score(Rhyme(historical=False), ROMANCE, *romance) == score(Rhyme(historical=True), ROMANCE, *romance) == 1.0


def test_a_variety_is_heard_where_the_language_has_it():
    assert score(Rhyme(), PAREADO, "casa", "raza") == score(Rhyme(variety="modern"), PAREADO, "casa", "raza") == 1.0
    assert score(Rhyme(variety="distincion"), PAREADO, "casa", "raza") == 0.0
    with pytest.raises(UnknownName, match="variety"):
        Rhyme(variety="argot")


def test_a_line_is_explained_by_the_pair_it_closes():
    assert reasons(Rhyme(), TERCET, "ombre", "sombre", "rose")[1] == "rhymes with line 1 (riche, -ombre)"
    assert reasons(Rhyme(), TERCET, "rose", "sombre", "ombre")[1] == "no rhyme with line 1 (-ombre, -ose)"


# --- meter ------------------------------------------------------------------------------------------


def test_each_length_that_a_form_admits_is_no_licence():
    feminine, masculine = "To be, or not to be, that is the question", "Shall I compare thee to a summer's day"
    assert score(Meter(licence_credit=0.5), ENGLISH, feminine, masculine) == 1.0


def test_a_licence_and_a_missing_caesura_cost_both(monkeypatch):
    line = "Périssez ! puissance, justice, histoire, à bas !"
    monkeypatch.setattr(rewards.meter, "length_of", lambda line, lang: 11)
    assert score(Meter(licence_credit=0.5, missing_caesura_credit=0.25), COUPLET, line, line) == 0.125


# --- repetition -------------------------------------------------------------------------------------

ALONE = Repetition(n=9)  # no line has nine words, so phrases never count


def test_a_word_is_overused_after_its_fifth_time_and_above_a_quarter_of_all_words():
    rest = ("and so it goes away", "under the silver light")
    first = "la la la la la one two three four five six seven eight nine ten day"  # five of sixteen words
    at_a_quarter = "uno dos tres cuatro cinco seis siete la night"  # the sixth, as word 24
    above = "uno dos tres cuatro cinco seis la night"  # as word 23
    assert ALONE.by_line(ENGLISH_ABAB, "\n".join([first, at_a_quarter, *rest])) == [0.25] * 4
    assert ALONE.by_line(ENGLISH_ABAB, "\n".join([first, above, *rest])) == [0.25, pytest.approx(0.25 * 7 / 8), 0.25, 0.25]


def test_a_phrase_is_old_within_its_own_line_and_a_line_loses_by_each_rule():
    assert Repetition().by_line(ENGLISH_ABAB, "a b c a b c\nday\nnight\nlight") == [pytest.approx(0.25 * 3 / 4), 0.25, 0.25, 0.25]
    # la la la, ten times: of eight phrases seven are old, of ten words five are overused
    assert Repetition().by_line(ENGLISH_ABAB, f"{'la ' * 10}\nday\nnight\nlight")[0] == pytest.approx(0.25 * 1 / 8 * 1 / 2)


def test_a_stock_rhyme_is_heard_with_the_line_before_it_of_its_rhyme(tmp_path):
    path = tmp_path / "stock.tsv"
    path.write_text("jour\tamour\n", encoding="utf-8")
    assert Repetition(stock=str(path)).by_line(TERCET, "toujours\nun jour\nmon amour") == [pytest.approx(1 / 3)] * 2 + [
        pytest.approx(1 / 6)
    ]


@pytest.mark.parametrize("row", ["day\tDay!", "—\tday"])
def test_a_stock_rhyme_is_of_two_words(row, tmp_path):
    path = tmp_path / "stock.tsv"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"stock\.tsv:1: .*expected two different words"):
        Repetition(stock=str(path))


def test_what_is_repeated_is_named_by_the_first_line_that_had_it():
    assert reasons(Repetition(), TERCET, "un jour", "le jour", "ce jour")[1:] == ["'jour' ends line 1 too"] * 2
    assert reasons(Repetition(), TERCET, "un jour", "un jour", "un jour")[1:] == ["line 1 again"] * 2


# --- copying ----------------------------------------------------------------------------------------


def test_an_index_that_is_written_again_is_read_again(tmp_path):
    path, line = tmp_path / "index.npz", "le vent du soir descend sur la maison"
    NgramIndex.build([Poem((("un autre vers qui ne dit rien de tel",),))]).save(path)
    reward = Copying(index=str(path))
    assert score(reward, COUPLET, line, "ombre") == 1.0
    NgramIndex.build([Poem(((line,),))]).save(path)
    os.utime(path, ns=(1, 1))
    assert score(reward, COUPLET, line, "ombre") == 0.5


# --- alternation ------------------------------------------------------------------------------------


def test_each_place_where_two_rhymes_touch_counts():
    assert score(Alternation(), ABBA, "amour", "rose", "chose", "jour") == 1.0  # two places, not three
    assert Alternation().by_line(ABBA, "amour\nrose\nchose\njour") == [0.0, 0.5, 0.0, 0.5]
    assert score(Alternation(), Prompt("fr-modern", "quatrain-abab"), "amour", "rose", "jour", "chose") == 1.0
    assert Alternation().by_line(ABAB, "amour\nrose\njour") == [0.0] * 3
    assert score(Alternation(), ABAB, "amour", "rose", "jour") == score(Alternation(), ABAB, *["amour", "rose"] * 3) == 0.0


def test_genders_are_explained_where_rhymes_touch():
    told = Alternation().explain(ABBA, "amour\nrose\nchose\njour").lines
    assert [(line.score, line.reason) for line in told] == [(None, "masculine"), (1.0, "feminine"), (None, "feminine"), (1.0, "masculine")]
    told = Alternation().explain(ABAB, "xqzkor\nrose\nplume\nrose").lines  # line 1 is a guess, and so line 3 has two genders in its rhyme
    assert [(line.score, line.reason) for line in told] == [
        (None, "no gender"), (0.0, "feminine, after no gender"), (0.0, "no gender, after feminine"), (0.0, "feminine, after no gender"),
    ]  # fmt: skip


OCTAVE = ["amour", "rose", "chose", "jour"], ["retour", "close", "pose", "tour"]


@pytest.mark.parametrize(
    "form, second, kept",
    [
        ("quatrain-abba*2", OCTAVE[1], 1.0),  # the rhyme of line 4 goes on in line 5
        ("quatrain-abba*2", ["nuit", "porte", "morte", "bruit"], 0.8),  # another rhyme of its gender does not
        ("quatrain-abba*2", ["porte", "nuit", "bruit", "morte"], 1.0),
        ("abba cddc/1", OCTAVE[1], 0.8),  # a form that keeps its rhymes apart over the break
        ("abba abba/1", OCTAVE[1], 1.0),
        ("abbacddc/1", OCTAVE[1], 0.8),  # one stanza
    ],
)
def test_a_stanza_may_go_on_with_the_rhyme_before_it(form, second, kept):
    assert score(Alternation(), Prompt("fr", form), *OCTAVE[0], *second) == pytest.approx(kept)


def test_a_rhyme_that_goes_on_is_explained_and_adds_up_by_line():
    prompt, text = Prompt("fr", "quatrain-abba*2"), "\n".join([*OCTAVE[0], *OCTAVE[1]])
    fifth = Alternation().explain(prompt, text).lines[4]
    assert (fifth.score, fifth.reason) == (1.0, "masculine, on the rhyme of line 4")
    assert sum(Alternation().by_line(prompt, text)) == pytest.approx(1.0) and Alternation().by_line(prompt, text)[4] == pytest.approx(0.2)


# --- acrostic and given words -----------------------------------------------------------------------


def test_an_acrostic_says_what_each_line_begins_with():
    told = Acrostic(word="oui").explain(ABBA, "Ombre\n?!\n« Île »\nrien").lines
    assert [(line.score, line.reason) for line in told] == [
        (1.0, "'o' for 'o'"), (0.0, "'nothing' for 'u'"), (1.0, "'i' for 'i'"), (None, ""),
    ]  # fmt: skip
    assert Acrostic(word="oui").by_line(ABBA, "Ombre\n?!\n« Île »\nrien") == [1 / 3, 0.0, 1 / 3, 0.0]
    assert Acrostic(word="oui").by_line(ABBA, "Ombre\n?!\n« Île »") == [0.0] * 3


def test_given_words_are_asked_of_as_many_rhymed_lines_and_heard_as_their_last_part():
    assert score(RhymeWords(words="amour jour"), COUPLET, "jour", "amour") == 1.0  # as many as the form rhymes
    assert score(RhymeWords(words="a b c d e"), ROMANCE, *"abcdefgh") is None  # eight lines, four rhymed
    assert score(RhymeWords(words="là-bas amour"), COUPLET, "le bas", "amour") == 1.0
    assert score(RhymeWords(words="bas"), COUPLET, "là-bas", "amour") == 1.0
    assert reasons(RhymeWords(words="là-bas amour"), COUPLET, "le bas", "nuit")[1] == "still wanted: amour"
    assert RhymeWords(words="amour jour").by_line(COUPLET, "jour") == [0.0]


# --- theme ------------------------------------------------------------------------------------------

SEA = ("Ô flots, que vous savez de lugubres histoires !", "Flots profonds redoutés des mères à genoux !",
       "Vous vous les racontez en montant les marées,", "Et c'est ce qui vous fait ces voix désespérées")  # fmt: skip


def test_a_theme_is_mixed_of_coherence_and_closeness_in_its_shares():
    coherent, near = score(Theme(), ABAB, *SEA), score(Theme(words="mer navire", coherence=0.0), ABAB, *SEA)
    assert abs(coherent - near) > 0.05
    assert score(Theme(words="mer navire", coherence=0.25), ABAB, *SEA) == pytest.approx(0.25 * coherent + 0.75 * near)
    assert score(Theme(words="mer,navire", coherence=0.0), ABAB, *SEA) == near


def test_a_line_adds_to_the_theme_in_proportion_to_the_lines_so_far():
    model = theme_model("fr")
    reached = [model.closeness(SEA[:n], ("mer",)) * n / 4 for n in range(1, 5)]
    wanted = [now - before for before, now in itertools.pairwise([0.0, *reached])]
    assert Theme(words="mer", coherence=0.0).by_line(ABAB, "\n".join(SEA)) == pytest.approx(wanted)
    assert Theme(words="mer").by_line(ABAB, "\n".join(SEA[:3])) == [0.0] * 3
    assert score(Theme(), ABAB, *SEA[:3]) == 0.0


def test_a_theme_of_unknown_words_is_none_whatever_the_text():
    assert Theme(words="zzyzzx", coherence=0.0).score([ABAB] * 2, ["\n".join(SEA), "un seul vers"]) == [None, None]


def test_a_line_out_of_place_is_told_so_and_no_other(monkeypatch):
    shares = [row.score for row in Theme().explain(ABAB, "\n".join(SEA)).lines]
    bar = sum(sorted(shares)[1:3]) / 2
    monkeypatch.setattr("rewards.theme.ODD", bar)
    odd = [reason == "has little to do with the other lines" for reason in reasons(Theme(), ABAB, *SEA)]
    assert sum(odd) == 2 and odd == [share < bar for share in shares]


# --- style ------------------------------------------------------------------------------------------


class Voices:
    """Two poets and the average, with probabilities that no sound changes."""

    poets = ("Anne Mer", "Paul Nuit")
    voices = (*poets, "average")

    def __init__(self):
        self.like = {}  # by number of words in a line

    def number(self, poet):
        return self.poets.index(poet)

    def probabilities(self, sounds):
        return np.array([0.3, 0.1, 0.6])

    def usual_at(self, n_lines):
        return np.array([0.5, 0.4, 0.8]) * n_lines / 2  # of a couplet

    def verselike(self, sound):
        return self.like.get(len(sound.words), 1.0)


@pytest.fixture
def voices(monkeypatch):
    model = Voices()
    monkeypatch.setattr(rewards.style, "style_model", lambda lang, path="": model)
    return model


TWELVE = ("maison jardin matin chanson plaisir soleil", "couronne et tourment, moisson ou souvenir perdu")
HALF_NEW = "maison jardin matin chanson plaisir chagrin"  # one word of six is new, a third would do


@pytest.mark.parametrize(
    ("options", "author", "wanted"),
    [
        ({"author": "mer"}, None, 0.3 / 0.5),
        ({"author": "mer"}, "Paul Nuit", 0.3 / 0.5),  # the reward's own wish before the prompt's
        ({}, "Paul Nuit", 0.1 / 0.4),
        ({"away": 1.0}, None, 0.4 / 0.8),
        ({"away": 0.25}, None, 0.4 / 0.8),  # without a poet it is all there is
        ({"author": "mer", "away": 0.25}, None, 0.75 * 0.6 + 0.25 * 0.5),
        ({"blend": "mer:0.5,nuit:0.5"}, None, 0.5 + 0.25),  # more than a poet's share pays nothing
        ({}, "Anne Mer:0.5+Paul Nuit:0.5", 0.5 + 0.25),
        ({}, None, None),
        ({}, "Victor Hugo", None),
    ],
)
def test_a_style_is_measured_by_what_is_usual_of_its_poet(voices, options, author, wanted):
    found = Style(**options).score([Prompt("fr", "couplet", author)], ["\n".join(TWELVE)])
    assert found == [wanted if wanted is None else pytest.approx(wanted)]


@pytest.mark.parametrize(
    ("second", "counts"),
    [
        (TWELVE[1], 1.0),
        (HALF_NEW, 0.5),
        (TWELVE[0], 0.0),
        ("moisson tombeau perdu", 6 / (0.75 * 12)),
        ("moisson tombeau perdu tourment douleur raison " * 2, (4 / 3 * 12) / 24),
        ("moisson tombeau perdu tourment", 8 / (0.75 * 12)),
        ("souvenir souvenir souvenir souvenir", 3 * (1 / 4)),  # one new word of four
    ],
)
def test_a_line_counts_by_its_new_words_and_its_length(voices, second, counts):
    assert score(Style(author="mer"), COUPLET, TWELVE[0], second) == pytest.approx(0.6 * (1 + counts) / 2)


def test_a_line_that_is_no_verse_counts_as_little_as_it_is_verse(voices):
    voices.like[6] = 0.2
    assert score(Style(author="mer"), COUPLET, *TWELVE) == pytest.approx(0.6 * (0.2 + 1) / 2)
    assert Style(author="mer").by_line(COUPLET, "\n".join(TWELVE[:1])) == [0.0]
    assert score(Style(author="mer"), COUPLET, TWELVE[0]) == 0.0


def test_a_line_adds_to_the_style_of_those_before_it(voices):
    # one line alone is usual at half as much: it reaches a half of 1, both together .6
    assert Style(author="mer").by_line(COUPLET, "\n".join(TWELVE)) == pytest.approx([0.5, 0.1])


def test_a_style_without_sense_is_refused(voices):
    with pytest.raises(RlpoetError, match="one of the two"):
        Style(author="mer", blend="mer:1,nuit:1")
    for away in (-0.1, 1.1):
        with pytest.raises(ValueError, match="away is"):
            Style(away=away)


@pytest.mark.parametrize(("name", "paid"), [("Italie", 1.0), ("Achéron", 1.0), ("Zorbalie", 0.0), ("Salzoron", 0.0)])
def test_a_name_earns_rhyme_in_a_poem_of_a_model_only_if_it_exists(name, paid):
    end = name[-3:]
    mate = {"lie": "la folie", "ron": "le fleuron"}[end]
    text = f"Je vois venir de loin {name}\nEt ton regard cherche {mate}"
    prompt = Prompt("fr", "couplet")
    assert Rhyme().score([prompt], [text]) == [paid]
    assert Rhyme(known_only=False).score([prompt], [text]) == [1.0]
