"""Lines of one poem go together, shuffled ones less; rhyme, repetition and invented words earn nothing."""

from __future__ import annotations

import itertools
import random
import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.testing.contract import check_reward
from rewards.theme import Theme
from rlpoet.analysis.coherence import ThemeModel, coherence, theme_model
from rlpoet.analysis.coherence.build import build_model, measure
from rlpoet.analysis.coherence.learn import Bags, LearnOptions, LineRows, contrast, learn, once
from rlpoet.analysis.coherence.model import SHIPPED, quantised, set_against
from rlpoet.analysis.coherence.shuffles import auc, same_author, shuffled, stanzas_of
from rlpoet.analysis.coherence.words import WordLines, beginnings, choose_entries, find_entry, leans, words_apart
from rlpoet.cli.main import main
from rlpoet.corpus.poem import Poem
from rlpoet.corpus.read import write_poems
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.types import Prompt

SOUNDS = [a + b for a in "bdfglmnprt" for b in ("a", "i", "o", "ou")]  # one syllable each, so that all stanzas have one form
SEA, WAR = SOUNDS[:20], SOUNDS[20:]
LANGUAGES = ("fr", "es", "en")
HUMAN = {
    "fr": [  # Hugo, "Demain, dès l'aube"; Lamartine, "Le Lac"; Baudelaire, "L'Albatros" and "La Beauté"
        """Demain, dès l'aube, à l'heure où blanchit la campagne,
Je partirai. Vois-tu, je sais que tu m'attends.
J'irai par la forêt, j'irai par la montagne.
Je ne puis demeurer loin de toi plus longtemps.""",
        """Ainsi, toujours poussés vers de nouveaux rivages,
Dans la nuit éternelle emportés sans retour,
Ne pourrons-nous jamais sur l'océan des âges
Jeter l'ancre un seul jour ?""",
        """Souvent, pour s'amuser, les hommes d'équipage
Prennent des albatros, vastes oiseaux des mers,
Qui suivent, indolents compagnons de voyage,
Le navire glissant sur les gouffres amers.""",
        """Je suis belle, ô mortels ! comme un rêve de pierre,
Et mon sein, où chacun s'est meurtri tour à tour,
Est fait pour inspirer au poète un amour
Éternel et muet ainsi que la matière.""",
    ],
    "es": [  # Machado; Quevedo; Sor Juana; Bécquer
        """Yo voy soñando caminos
de la tarde. ¡Las colinas
doradas, los verdes pinos,
las polvorientas encinas!...""",
        """Cerrar podrá mis ojos la postrera
sombra que me llevare el blanco día,
y podrá desatar esta alma mía
hora a su afán ansioso lisonjera;""",
        """Hombres necios que acusáis
a la mujer sin razón,
sin ver que sois la ocasión
de lo mismo que culpáis:""",
        """Volverán las oscuras golondrinas
en tu balcón sus nidos a colgar,
y otra vez con el ala a sus cristales
jugando llamarán.""",
    ],
    "en": [  # Gray; Tennyson; Coleridge; Shakespeare
        """The curfew tolls the knell of parting day,
The lowing herd wind slowly o'er the lea,
The plowman homeward plods his weary way,
And leaves the world to darkness and to me.""",
        """I sometimes hold it half a sin
To put in words the grief I feel;
For words, like Nature, half reveal
And half conceal the Soul within.""",
        """Day after day, day after day,
We stuck, nor breath nor motion;
As idle as a painted ship
Upon a painted ocean.""",
        """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;""",
    ],
}
QUATRAIN = {"fr": "quatrain-abab", "es": "quatrain-abab-8", "en": "quatrain-abab"}


def toy_poems(n, seed=0):
    """Poems that are about the sea or about war, every line of three words of theirs."""
    rng = random.Random(seed)
    return [
        Poem(tuple(tuple(" ".join(rng.sample(own, 3)) for _ in range(4)) for _ in range(2)), author="x") for own in [SEA, WAR] * (n // 2)
    ]


@pytest.fixture(scope="module")
def toy():
    return build_model("fr", toy_poems(60), LearnOptions(dimensions=4, epochs=6, batch=8), words=100, rest=10)


def scored(reward, lang, *lines):
    return reward.score([Prompt(lang, QUATRAIN[lang])], ["\n".join(lines)])[0]


# --- words -----------------------------------------------------------------------------------


def test_a_rare_word_goes_by_its_longest_known_beginning():
    index = {"chant": 0, "chant…": 1, "chan…": 2}
    assert [find_entry(word, index) for word in ("chant", "chantions", "changer", "champ")] == [0, 1, 2, None]
    assert find_entry("chantaillerions", index) is None  # ten letters more are no inflection


def test_entries_stand_in_five_poems_or_more():
    poems = WordLines.of(Poem(((f"la mer et {'parler' if n % 2 else 'parlait'} {n * 'x'}", "la la"),)) for n in range(8))
    assert set(choose_entries(poems, words=10, rest=10)) == {"la", "mer", "et", "parl…"}
    assert choose_entries(poems, words=1, rest=0) == ("et",)
    assert dict(zip(poems.words, poems.n_poems().tolist(), strict=True))["la"] == 8


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=40))
def test_words_are_lower_case_and_never_empty(line):
    assert all(word and word == word.casefold() and " " not in word for word in words_apart(line))
    assert all(start.endswith("…") and word.startswith(start[:-1]) for word in words_apart(line) for start in beginnings(word))


# --- the formula -----------------------------------------------------------------------------


def test_end_words_are_not_held_against_each_other():
    vectors = np.array([[1.0, 0.0], [2.0, 0.0]])
    assert set_against(vectors, vectors).tolist() == [0.0, 0.0]  # lines of nothing but their end word
    assert set_against(vectors, 0 * vectors).tolist() == [1.0, 1.0]


@settings(max_examples=10, deadline=None)
@given(st.integers(2, 6), st.integers(0, 99))
def test_the_figure_sums_pairs_of_words_of_different_lines_but_two_end_words(n, seed):
    rng = np.random.default_rng(seed)
    words = [rng.normal(size=(size, 3)) for size in rng.integers(1, 5, n)]
    sums = [own.sum(axis=0) for own in words]
    got = set_against(np.stack(sums), np.stack([own[-1] for own in words]))
    for i in range(n):
        others = [j for j in range(n) if j != i]
        told = sum(
            words[i][a] @ words[j][b]
            for j in others
            for a, b in itertools.product(range(len(words[i])), range(len(words[j])))
            if (a, b) != (len(words[i]) - 1, len(words[j]) - 1)
        )
        assert got[i] * np.linalg.norm(sums[i]) * np.linalg.norm(sum(sums[j] for j in others)) == pytest.approx(told)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 6), min_size=5, max_size=5), min_size=1, max_size=4))
def test_once_keeps_each_word_where_it_comes_first(rows):
    got = once(np.array(rows, np.int32), 6)
    for before, after in zip(rows, got.tolist(), strict=True):
        assert after == [word if word not in before[:n] else 6 for n, word in enumerate(before)]


def test_the_gradient_is_the_slope_of_the_loss():
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(9, 3))
    vectors[8] = 0  # pads
    rows = np.array([[[0, 1], [2, 8]], [[3, 4], [5, 0]], [[6, 8], [7, 1]]])
    ends = np.array([[1, 8], [3, 5], [6, 2]])  # 2 is in no line of the last run: it was said before, or left out
    poem = np.array([0, 0, 1, 1, 2, 2])

    def loss(table):
        bags = Bags(table, rows, ends)
        figure = bags.near @ bags.far.T
        figure[(poem[:, None] == poem) & ~np.eye(6, dtype=bool)] = -np.inf
        by_row, by_column = (-np.diag(figure - np.log(np.exp(figure).sum(axis=axis, keepdims=True))).sum() for axis in (1, 0))
        return (by_row + by_column) / 2

    bags = Bags(vectors, rows, ends)
    mean, error = contrast(bags, poem)
    of_word, of_end = bags.gradients(error)
    got = np.zeros_like(vectors)
    np.add.at(got, rows, of_word[:, :, None, :])
    np.add.at(got, bags.ends, of_end)
    for row, column in np.ndindex(8, 3):
        step = np.zeros_like(vectors)
        step[row, column] = 1e-5
        # the roots of the bags' sizes are float32
        assert got[row, column] == pytest.approx((loss(vectors + step) - loss(vectors - step)) / 2e-5, abs=1e-4)
    assert mean > 0


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 99))
def test_learning_and_scoring_hold_the_same_words_against_each_other(seed):
    rng = np.random.default_rng(seed)
    vectors = np.vstack([rng.normal(size=(9, 3)), np.zeros((1, 3))])
    rows = once(rng.integers(0, 10, (2, 12)), 9).reshape(2, 4, 3)
    bags, words, sums = Bags(vectors, rows, rows[:, :, -1]), (rows < 9).sum(axis=2), vectors[rows].sum(axis=2)
    others, rest = sums.sum(axis=1, keepdims=True) - sums, words.sum(axis=1, keepdims=True) - words
    learned = np.diag(bags.near @ bags.far.T).reshape(2, 4) * np.sqrt(np.maximum(words, 1) * np.maximum(rest, 1))
    scored = set_against(sums, vectors[rows[:, :, -1]]) * np.linalg.norm(sums, axis=-1) * np.linalg.norm(others, axis=-1)
    assert learned == pytest.approx(scored, abs=1e-5)


def test_lines_of_the_same_poem_are_no_wrong_answers():
    vectors = np.eye(5)
    vectors[4] = 0
    bags = Bags(vectors, np.array([[[0], [1]], [[2], [3]]]), np.full((2, 2), 4))
    assert contrast(bags, np.array([1, 1, 1, 1]))[0] == 0.0
    assert contrast(bags, np.array([1, 1, 2, 2]))[0] == pytest.approx(np.log(3))  # three lines left, all as likely


# --- learning --------------------------------------------------------------------------------


def test_two_themes_are_told_apart_on_poems_not_seen(toy):
    (form, bare, *_) = measure(toy, toy_poems(24, seed=1))
    assert form.auc > 0.9 and form.low > 0.8 and form.n == 48 and form.poems == 24
    assert bare.auc > 0.8 and "last words removed" in bare.name
    assert form.real > 0.9 > 0.6 > form.false
    assert {word for word, _ in toy.near(SEA[:1], 19)} == set(SEA[1:])


def test_the_same_seed_learns_the_same_vectors_and_another_does_not():
    heard = WordLines.of(toy_poems(20))
    index = {word: row for row, word in enumerate(choose_entries(heard, words=50, rest=0))}
    lines = LineRows.of(heard, index)
    one, again, other = (learn(lines, len(index), LearnOptions(dimensions=3, epochs=1, batch=4, seed=seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_rhyme_alone_teaches_nothing():
    rng = random.Random(2)
    families = [["ombre", "sombre", "nombre"], ["jour", "amour", "tour"]]
    filler = [a + b for a, b in itertools.product("bdfg", "aeiou")]
    poems = [Poem((tuple(f"{' '.join(rng.sample(filler, 3))} {word}" for word in rng.choice(families)),)) for _ in range(90)]
    model = build_model("fr", poems, LearnOptions(dimensions=4, epochs=6, batch=8), words=100, rest=0)
    rows = [" ".join(rng.sample(filler, 6)) for _ in range(40)]
    pairs = [(row.split()[:3], row.split()[3:]) for row in rows]
    with_rhyme = [model.coherence([" ".join([*a, "ombre"]), " ".join([*b, "sombre"])]) for a, b in pairs]
    without = [model.coherence([" ".join([*a, "ombre"]), " ".join([*b, "amour"])]) for a, b in pairs]
    assert np.mean(with_rhyme) < np.mean(without) + 0.1


def test_too_few_lines_are_an_error():
    with pytest.raises(RlpoetError, match="40 runs of 4 lines of one stanza; expected 128 or more"):
        build_model("fr", toy_poems(20), LearnOptions(), words=100, rest=0)


# --- the file --------------------------------------------------------------------------------


def test_a_saved_model_scores_as_it_did(toy, tmp_path):
    toy.save(tmp_path / "a.npz")
    toy.save(tmp_path / "b.npz")
    read = ThemeModel.load(tmp_path / "a.npz")
    lines = [" ".join(SEA[:3]), " ".join(SEA[3:6])]
    assert read.coherence(lines) == pytest.approx(toy.coherence(lines), abs=0.01)
    assert read.entries == toy.entries
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_eight_bits_are_within_half_a_step():
    vectors = np.random.default_rng(0).normal(size=(20, 8)).astype(np.float32)
    vectors[3] = 0
    small, scale = quantised(vectors)
    assert np.all(np.abs(small * scale[:, None] - vectors) <= scale[:, None] / 2 + 1e-6)


def test_what_is_no_model_is_said_to_be_none(tmp_path):
    (tmp_path / "no.npz").write_bytes(b"verse")
    np.savez(tmp_path / "old.npz", format=0)
    np.save(tmp_path / "one.npy", np.zeros(3))
    for name, words in (
        ("no.npz", "no theme model"),
        ("old.npz", "version 0; expected version 1"),
        ("gone.npz", "No such file"),
        ("one.npy", "no"),
    ):
        with pytest.raises(RlpoetError, match=words):
            ThemeModel.load(tmp_path / name)


# --- shuffles --------------------------------------------------------------------------------


def test_shuffled_stanzas_take_each_line_from_its_place_in_another_poem():
    stanzas = stanzas_of(toy_poems(12), "fr")
    place = {line: n for stanza in stanzas for n, line in enumerate(stanza.lines)}
    for real, false in shuffled(stanzas, seed=4):
        assert false.syllables == real.syllables
        assert [place[line] for line in false.lines] == [0, 1, 2, 3] or len(place) < 4 * len(stanzas)
        assert sum(line in real.lines for line in false.lines) >= 1
    assert shuffled([s for s in stanzas if s.poem < 3]) == []  # four lines need four poems
    assert all(real.author == "x" for real, _ in shuffled(stanzas, same_author))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.lists(st.integers(0, 5), min_size=1, max_size=8))
def test_auc_counts_pairs(real, false):
    wins = sum((a > b) + (a == b) / 2 for a in real for b in false)
    assert auc(real, false) == pytest.approx(wins / (len(real) * len(false)))


# --- the shipped models ----------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_small_model_ships_with_its_card(lang):
    folder = SHIPPED / lang
    assert (folder / "theme.npz").stat().st_size <= 1_500_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "rlpoet theme build" in card and "same form and author, last words removed" in card
    assert theme_model(lang).lang == lang


@pytest.mark.parametrize("lang", LANGUAGES)
def test_human_stanzas_beat_those_made_of_their_lines(lang):
    real = [text.splitlines() for text in HUMAN[lang]]
    false = [[real[(n + k) % 4][k] for k in range(4)] for n in range(4)]
    assert np.mean([coherence(lines, lang) for lines in real]) > np.mean([coherence(lines, lang) for lines in false]) + 0.2


def test_coherence_is_none_where_there_is_nothing_to_tell():
    assert coherence(["un vers"], "fr") is None
    assert coherence(["uno", "due"], "experiments/languages/it") is None
    with pytest.raises(UnknownName):
        coherence(["a", "b"], "xx")


# --- the reward ------------------------------------------------------------------------------


def test_the_contract_is_kept():
    examples = [(Prompt(lang, QUATRAIN[lang]), text) for lang in LANGUAGES for text in HUMAN[lang]]
    for reward in (Theme(), Theme(words=["mer", "sea", "mar"]), Theme(words="mer, nuit", coherence=0.0), Theme(coherence=0.0)):
        check_reward(reward, examples=examples)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=120), st.sampled_from(LANGUAGES))
def test_no_text_leaves_the_range(text, lang):
    prompt = Prompt(lang, "couplet" if lang != "es" else "pareado")
    (score,) = Theme(words="amor amour love").score([prompt], [text])
    assert 0.0 <= score <= 1.0


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "attack",
    [
        lambda lines: [lines[0]] * 4,
        lambda lines: [lines[0], lines[0].upper(), f"« {lines[0]} »", lines[0][::1] + " !"],
        lambda lines: [words_apart(lines[0])[-1]] * 4,
        lambda lines: ["!", "…", "—", "?"],
        lambda lines: ["".join(random.Random(n).choices(string.ascii_lowercase, k=40)) for n in range(4)],
        lambda lines: ["zquorf blimt vrasko xyd wumph", "krolg zzant ptiw vuubel", "hsiq drux plomk wrazt", "qyff xolbt grnm zzub"],
    ],
    ids=["one line", "one line dressed", "one word", "marks", "letters", "gibberish"],
)
def test_what_says_nothing_scores_little(lang, attack):
    lines = HUMAN[lang][0].splitlines()
    assert scored(Theme(), lang, *attack(lines)) <= 0.3


@pytest.mark.parametrize("lang, other", [("fr", "en"), ("es", "en"), ("en", "es")])
def test_verse_of_another_language_is_worth_less(lang, other):
    own, foreign = ([scored(Theme(), lang, *text.splitlines()) for text in HUMAN[code]] for code in (lang, other))
    assert np.mean(foreign) < np.mean(own) - 0.3


def test_a_word_counts_once_however_often_it_is_said():
    one = scored(Theme(words="mer", coherence=0.0), "fr", *HUMAN["fr"][2].splitlines())
    said = [line + " mer mer mer" for line in HUMAN["fr"][2].splitlines()]
    assert scored(Theme(words="mer", coherence=0.0), "fr", *said) <= one + 0.05
    assert scored(Theme(words="mer", coherence=0.0), "fr", *["mer mer mer mer"] * 4) <= 0.25


def test_a_poem_is_nearer_to_its_own_theme():
    sailors = HUMAN["fr"][2].splitlines()
    near, far = (scored(Theme(words=word, coherence=0.0), "fr", *sailors) for word in ("mer navire", "guerre soldats"))
    assert near > 0.9 and near > far + 0.2


def test_none_only_where_nothing_is_asked_for():
    fr = Prompt("fr", "quatrain-abab")
    assert Theme(coherence=0.0).score([fr], ["a\nb\nc\nd"]) == [None]
    assert Theme(words="zzyzzx", coherence=0.0).score([fr], ["a\nb\nc\nd"]) == [None]
    assert Theme(words="zzyzzx").score([fr], ["un seul vers"]) == [0.0]
    with pytest.raises(ValueError, match="coherence is 2"):
        Theme(coherence=2)


def test_a_line_s_part_depends_on_nothing_below_it():
    lines = HUMAN["en"][0].splitlines()
    prompt, reward = Prompt("en", "quatrain-abab"), Theme(words="evening")
    other = [*lines[:3], "A painted ship upon a painted sea"]
    assert reward.by_line(prompt, "\n".join(lines))[:3] == reward.by_line(prompt, "\n".join(other))[:3]


def test_an_explanation_names_words_of_the_poem():
    told = Theme().explain(Prompt("fr", "quatrain-abab"), HUMAN["fr"][2])
    assert len(told.lines) == 4 and all(0 <= row.score <= 1 for row in told.lines)
    assert any("goes with" in row.reason for row in told.lines)
    again = Theme().explain(Prompt("fr", "quatrain-abab"), "\n".join([HUMAN["fr"][2].splitlines()[0]] * 4))
    assert again.lines[1].reason == "says nothing new in words the model knows"


# --- the command -----------------------------------------------------------------------------


def test_the_command_builds_a_model_that_near_reads(tmp_path, capsys):
    flags = "--dimensions 4 --epochs 6 --batch 8 --validation 0.3".split()
    poems = [Poem(poem.stanzas, author=f"a{n}") for n, poem in enumerate(toy_poems(40))]
    write_poems(tmp_path / "poems.jsonl", poems)
    assert main(["theme", "build", "--lang", "fr", "--data", str(tmp_path / "poems.jsonl"), "--out", str(tmp_path / "m"), *flags]) == 0
    assert "AUC" in capsys.readouterr().out
    card = (tmp_path / "m" / "README.md").read_text(encoding="utf-8")
    assert "rlpoet theme build --lang fr --data poems.jsonl --dimensions 4" in card and str(tmp_path) not in card
    assert main(["theme", "near", SEA[0], "--model", str(tmp_path / "m" / "theme.npz"), "--n", "3"]) == 0
    assert {row.split()[1] for row in capsys.readouterr().out.splitlines()} <= set(SEA)


@pytest.mark.parametrize(
    "words, told",
    [
        (["forget"], "unknown 'forget'.*expected one of build, near"),
        (["build"], "--data: missing"),
        (["near"], "WORDS: none given"),
        (["near", "zzyzzx"], "no word the fr model knows"),
        (["near", "mar", "--lang", "experiments/languages/it"], "no theme model is shipped"),
        (["build", "--data", "x", "--out", "y", "--validation", "1.5"], "--validation 1.5"),
        (["build", "--data", "x", "--out", "y", "--epochs", "0"], "--epochs 0"),
    ],
)
def test_mistakes_are_told_in_one_line(words, told, capsys):
    assert main(["theme", *words]) == 2
    assert re.search(told, capsys.readouterr().err)


@pytest.mark.parametrize(
    "lang, lines",
    [
        ("fr", ["Ma vie m'est douce et mon âme est à moi", "Et mon cœur m'a quitté pour toi"]),
        ("fr", ["Je l'aime et l'on m'aime", "Mes jours et mes nuits s'en vont"]),
        ("en", ["I am of you and you of me", "And this is what it was to be", "The sun is on the sea"]),
        ("es", ["No me lo digas, que me muero", "que yo me voy con los que quiero"]),
    ],
)
def test_no_word_that_leans_on_others_is_told_as_a_theme(lang, lines):
    model = theme_model(lang)
    assert model is not None
    stanza = model.stanza_words(lines)
    told = [word for n in range(len(lines)) for word in model.tie(stanza, n) or ()]
    assert not [word for word in told if leans(word, lang)]
    assert leans("m", "fr") and leans("mon", "fr") and not leans("cœur", "fr")
