"""Rewards: perfect poems score 1.0, every known way of cheating scores what it should, and the contract is kept."""

from __future__ import annotations

import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.adapters.functions import as_function
from rewards.compose import Gate, WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rewards.testing.contract import BrokenContractError, check_reward
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.evaluation.score import score_file, score_text
from rlpoet.prosody.forms import form
from rlpoet.types import Explained, LineScore, Prompt

POEMS = {
    ("fr", "quatrain-abab"): """Demain, dès l'aube, à l'heure où blanchit la campagne,
Je partirai. Vois-tu, je sais que tu m'attends.
J'irai par la forêt, j'irai par la montagne.
Je ne puis demeurer loin de toi plus longtemps.""",
    ("fr", "quatrain-abba"): """Je suis belle, ô mortels ! comme un rêve de pierre,
Et mon sein, où chacun s'est meurtri tour à tour,
Est fait pour inspirer au poète un amour
Éternel et muet ainsi que la matière.""",
    ("es", "redondilla"): """Hombres necios que acusáis
a la mujer sin razón,
sin ver que sois la ocasión
de lo mismo que culpáis:""",
    ("es", "cuarteta"): """Yo voy soñando caminos
de la tarde. ¡Las colinas
doradas, los verdes pinos,
las polvorientas encinas!...""",
    ("es", "cuarteto"): """Cerrar podrá mis ojos la postrera
sombra que me llevare el blanco día,
y podrá desatar esta alma mía
hora a su afán ansioso lisonjera;""",
    ("es", "romance"): """¡Quién hubiera tal ventura
sobre las aguas del mar
como hubo el infante Arnaldos
la mañana de San Juan!
Andando a buscar la caza
para su falcón cebar,
vio venir una galera
que a tierra quiere llegar;""",
    ("en", "quatrain-abab"): """The curfew tolls the knell of parting day,
The lowing herd wind slowly o'er the lea,
The plowman homeward plods his weary way,
And leaves the world to darkness and to me.""",
    ("en", "in-memoriam"): """I sometimes hold it half a sin
To put in words the grief I feel;
For words, like Nature, half reveal
And half conceal the Soul within.""",
    ("en", "heroic-couplet"): """Hope springs eternal in the human breast:
Man never is, but always to be blest.""",
    ("en", "ballad"): """Day after day, day after day,
We stuck, nor breath nor motion;
As idle as a painted ship
Upon a painted ocean.""",
    ("en", "limerick"): """There was a faith-healer of Deal,
Who said: "Although pain isn't real,
If I sit on a pin
And it punctures my skin,
I dislike what I fancy I feel.\"""",
}
PERFECT = [(Prompt(*key), text) for key, text in POEMS.items()]
PERFECT_IDS = ["-".join(key) for key in POEMS]
FAMILIES = {  # words that rhyme in full with their own row and with no other
    "amor": ["amor", "dolor", "flor", "calor", "temor", "color"],
    "vida": ["vida", "herida", "partida", "querida", "perdida", "salida"],
    "luna": ["luna", "cuna", "fortuna", "laguna", "ninguna", "tribuna"],
    "canto": ["canto", "llanto", "manto", "tanto", "santo", "espanto"],
}
ABAB = Prompt("es", "quatrain-abab-8")


def score(reward, prompt, *lines):
    return reward.score([prompt], ["\n".join(lines)])[0]


def part_of(prompt: Prompt, text: str):
    return [line.reason for line in Rhyme().explain(prompt, text).lines]


# --- perfect poems and the contract ----------------------------------------------------------


@pytest.mark.parametrize("prompt, text", PERFECT, ids=PERFECT_IDS)
@pytest.mark.parametrize("reward", [Rhyme(), Meter()], ids=["rhyme", "meter"])
def test_a_poem_that_keeps_its_form_scores_one(reward, prompt, text):
    assert reward.score([prompt], [text]) == [1.0], reward.explain(prompt, text)


@pytest.mark.parametrize(
    "reward",
    [Rhyme(), Rhyme(partial=0.3), Meter(), WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])],
    ids=["rhyme", "partial", "meter", "mean"],
)
def test_the_contract_is_kept(reward):
    check_reward(reward, perfect=PERFECT)


@given(st.text(max_size=200), st.sampled_from(PERFECT))
def test_no_text_makes_a_reward_raise_or_leave_its_range(text, example):
    for reward in (Rhyme(partial=0.3), Meter()):
        assert 0.0 <= reward.score([example[0]], [text])[0] <= 1.0
        assert sum(reward.by_line(example[0], text)) == pytest.approx(reward.score([example[0]], [text])[0])


def test_a_prompt_of_no_known_form_is_an_error_not_a_score():
    for reward in (Rhyme(), Meter()):
        with pytest.raises(UnknownName, match="did you mean 'redondilla'"):
            reward.score([Prompt("es", "redondila")], ["amor"])


# --- attacks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what, lines",
    [
        ("the same word", ["amor", "vida", "amor", "vida"]),
        ("the same word in another case or dress", ["amor", "vida", "¡AMOR!", "Vida..."]),
        ("the same word with a prefix word", ["un amor", "la vida", "mi amor", "tu vida"]),
        ("the same word under an accent of emphasis", ["amor", "vida", "amor!!!", "—vida—"]),
        ("one word four times", ["amor"] * 4),
        ("monorhyme", ["amor", "dolor", "flor", "temor"]),
        ("no rhyme", ["amor", "vida", "luna", "canto"]),
        ("the wrong scheme", ["amor", "dolor", "vida", "herida"]),
        ("enclosed instead of crossed", ["amor", "vida", "herida", "dolor"]),
        ("no words at all", ["?!", "...", "12", "—"]),
        ("a line too few", ["amor", "vida", "dolor"]),
        ("a line too many", ["amor", "vida", "dolor", "herida", "luna"]),
        ("the poem twice", ["amor", "vida", "dolor", "herida"] * 2),
        ("nothing", []),
        ("blank lines", ["", " ", "", ""]),
        ("one line", ["amor vida dolor herida"]),
    ],
)
def test_a_cheat_earns_no_rhyme(what, lines):
    assert score(Rhyme(), ABAB, *lines) == 0.0
    assert score(Rhyme(), ABAB, "amor", "vida", "dolor", "herida") == 1.0


@pytest.mark.parametrize("lines", [["amor", "dolor", "flor", "temor"], ["amor"] * 4, ["canto", "llanto", "manto", "espanto"]])
def test_monorhyme_is_worth_no_more_than_no_rhyme_even_with_partial_credit(lines):
    assert score(Rhyme(partial=0.3), ABAB, *lines) <= score(Rhyme(partial=0.3), ABAB, "amor", "vida", "luna", "canto")


def test_a_repeated_end_word_spoils_every_pair_it_is_in():
    aaaa = Prompt("fr", "tercet")
    assert score(Rhyme(), aaaa, "ombre", "sombre", "nombre") == 1.0
    assert score(Rhyme(), aaaa, "ombre", "sombre", "ombre") == 0.0


def test_a_wrong_rhyme_costs_as_much_as_a_missing_one():
    wrong = ["amor", "vida", "dolor", "flor"]  # line 4 joins the other family and spoils it
    missing = ["amor", "vida", "luna", "canto"]
    assert score(Rhyme(), ABAB, *wrong) == score(Rhyme(), ABAB, *missing) == 0.0
    assert score(Rhyme(), ABAB, "amor", "vida", "dolor", "luna") == 0.5


def test_an_unrhymed_line_of_the_form_that_rhymes_spoils_the_pair():
    ballad = Prompt("en", "ballad")
    assert score(Rhyme(), ballad, "house", "day", "tree", "way") == 1.0
    assert score(Rhyme(), ballad, "house", "day", "stay", "way") == 0.0
    assert score(Rhyme(), ballad, "house", "day", "mouse", "way") == 1.0  # x lines among themselves break nothing


@pytest.mark.parametrize("lang, words", [("fr", ["xqzkor", "bvrkor"]), ("en", ["zzyxgrake", "vvtkrake"])])
def test_an_invented_word_earns_nothing_unless_guesses_are_let_in(lang, words):
    prompt = Prompt(lang, "couplet")
    assert score(Rhyme(), prompt, *words) == 0.0


@pytest.mark.parametrize(
    "lang, a, b", [("fr", "là-bas", "bas"), ("fr", "l'œil", "oeil"), ("fr", "d'amour", "l’amour"), ("en", "self-love", "love")]
)
def test_a_word_does_not_rhyme_with_a_compound_or_a_spelling_of_itself(lang, a, b):
    assert score(Rhyme(), Prompt(lang, "couplet"), a, b) == 0.0


def test_a_tail_of_symbols_does_not_make_a_second_word():
    assert score(Rhyme(), Prompt("es", "pareado"), "amor 1", "amor 2") == 0.0
    assert score(Rhyme(), Prompt("es", "pareado"), "amor\u200b", "amor") == 0.0


@pytest.mark.parametrize("prompt, text", PERFECT, ids=PERFECT_IDS)
def test_normal_form_line_ends_and_layout_do_not_matter(prompt, text):
    for same in (unicodedata.normalize("NFD", text), text.replace("\n", "\r\n"), "\n" + text.replace("\n", "  \n\n") + "\n\n"):
        for reward in (Rhyme(), Meter()):
            assert reward.score([prompt], [same]) == reward.score([prompt], [text])


def test_empty_and_one_letter_lines_have_no_meter():
    lines = POEMS["es", "redondilla"].split("\n")
    for short in ("a", "!", "1", "¡y!"):
        assert score(Meter(), Prompt("es", "redondilla"), *lines[:3], short) == 0.75


def test_a_short_line_costs_the_meter_its_share():
    lines = POEMS["es", "redondilla"].split("\n")
    assert score(Meter(), Prompt("es", "redondilla"), "Hombres", *lines[1:]) == 0.75
    assert score(Meter(), Prompt("es", "redondilla"), *lines, lines[0]) == 0.0


def test_a_line_that_fits_only_by_a_licence_may_be_worth_less():
    licence = Prompt("es", "pareado-8")
    text = "aquella casa oscura\nla noche de mi amor"  # seven each, eight by leaving a sinalefa out
    assert Meter().score([licence], [text]) == [1.0]
    assert Meter(licence_credit=0.5).score([licence], [text]) == [0.5]
    assert "by a licence, 7 in its likeliest reading" in Meter().explain(licence, text).lines[0].reason
    with pytest.raises(ValueError, match="licence_credit is 2"):
        Meter(licence_credit=2)


@pytest.mark.parametrize(("old", "new"), [("strained", "licence_credit"), ("uncut", "missing_caesura_credit")])
def test_meter_takes_its_options_by_their_earlier_names(old, new):
    with pytest.warns(DeprecationWarning, match=f"{old} is {new} now"):
        reward = Meter(**{old: 0.25})
    assert vars(reward) == vars(Meter(**{new: 0.25}))
    with pytest.warns(DeprecationWarning), pytest.raises(TypeError, match="expected one of them"):
        Meter(**{old: 0.25, new: 0.5})
    with pytest.raises(TypeError, match="unexpected keyword argument 'loose'; expected licence_credit or"):
        Meter(loose=0.5)


# --- laws ------------------------------------------------------------------------------------


@st.composite
def rhyming_quatrains(draw):
    """Four lines of known families, words all different."""
    names = [draw(st.sampled_from(sorted(FAMILIES))) for _ in range(4)]
    words = [FAMILIES[name][n] for n, name in enumerate(names)]
    return names, words


@given(rhyming_quatrains(), st.sampled_from(["abab", "abba", "aabb"]))
def test_credit_is_the_share_of_pairs_alone_in_their_rhyme(poem, scheme):
    names, words = poem
    pairs = {"abab": [(0, 2), (1, 3)], "abba": [(1, 2), (0, 3)], "aabb": [(0, 1), (2, 3)]}[scheme]
    expected = sum(names[i] == names[j] and names.count(names[i]) == 2 for i, j in pairs) / 2
    assert score(Rhyme(), Prompt("es", f"quatrain-{scheme}-8"), *words) == expected


@given(st.sampled_from(PERFECT), st.integers(0, 13), st.sampled_from(sorted(FAMILIES)), st.integers(0, 13))
def test_a_mutated_poem_never_scores_more(example, at, word, other):
    prompt, text = example
    lines = text.split("\n")
    at, other = at % len(lines), other % len(lines)
    replaced = [*lines[:at], word, *lines[at + 1 :]]
    swapped = list(lines)
    swapped[at], swapped[other] = swapped[other], swapped[at]
    doubled = [*lines[:at], lines[other], *lines[at + 1 :]]
    for reward in (Rhyme(partial=0.3), Meter()):
        for mutant in (replaced, swapped, doubled, lines[:-1], [*lines, lines[at]]):
            assert score(reward, prompt, *mutant) <= 1.0
        assert score(reward, prompt, *lines[:-1]) == score(reward, prompt, *lines, lines[at]) == 0.0
    if at != other and any(at in pair for pair in form(prompt.form, prompt.lang).pairs):
        assert score(Rhyme(partial=0.3), prompt, *doubled) < 1.0


@given(rhyming_quatrains())
def test_partial_credit_only_adds_and_stays_small(poem):
    _, words = poem
    plain, graded = score(Rhyme(), ABAB, *words), score(Rhyme(partial=0.3), ABAB, *words)
    assert plain <= graded <= plain + 0.3 * (1 - plain) + 1e-12


def test_a_near_rhyme_is_worth_more_than_none_but_less_than_a_rhyme():
    couplet = Prompt("es", "pareado-8")
    none, near, full = (score(Rhyme(partial=0.3), couplet, "canto", other) for other in ("luz", "campo", "llanto"))
    assert none < near <= 0.3 < full == 1.0


@given(rhyming_quatrains(), st.sampled_from(sorted(FAMILIES)))
def test_what_a_line_earns_depends_on_nothing_below_it(poem, word):
    _, words = poem
    first = Rhyme().by_line(ABAB, "\n".join(words))
    other = Rhyme().by_line(ABAB, "\n".join([*words[:3], word]))
    assert first[:3] == other[:3]


def test_the_line_that_spoils_a_rhyme_pays_for_it():
    assert Rhyme().by_line(ABAB, "amor\nvida\ndolor\nflor") == [0.0, 0.0, 0.5, -0.5]
    assert Rhyme().by_line(ABAB, "amor\nvida\ndolor\nherida") == [0.0, 0.0, 0.5, 0.5]


@pytest.mark.parametrize("partial", [-0.1, 0.31, float("nan")])
def test_partial_credit_has_a_ceiling(partial):
    with pytest.raises(ValueError, match="expected a share in"):
        Rhyme(partial=partial)


# --- explanations ----------------------------------------------------------------------------


def test_each_line_is_told_why():
    told = part_of(Prompt("fr", "quatrain-abab"), POEMS["fr", "quatrain-abab"])
    assert told[2].startswith("rhymes with line 1 (") and told[0].startswith("rhymes with line 3 (")
    assert part_of(ABAB, "amor\nvida\namor\nluna") == [
        "'amor' ends line 3 too: a word does not rhyme with itself",
        "no rhyme with line 4 (-ida, -una)",
        "'amor' ends line 1 too: a word does not rhyme with itself",
        "no rhyme with line 2 (-una, -ida)",
    ]
    assert "rhymes with line 2, which is of rhyme b" in part_of(ABAB, "amor\ndolor\nflor\nvida")[0]
    assert part_of(ABAB, "amor\nvida") == ["2 lines, quatrain-abab-8 has 4: no credit"] * 2
    assert Meter().explain(ABAB, "uno\n" * 4).lines[0].reason.endswith("syllables, asked 8")


# --- composition -----------------------------------------------------------------------------


class Fixed:
    """A reward that says what it is told to."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def score(self, prompts, texts):
        return [self.value for _ in texts]

    def explain(self, prompt, text):
        return Explained(self.name, self.value, (LineScore(text, self.value, "fixed"),))


unit = st.floats(0, 1)
ASKED = [Prompt("es", "pareado")]


@given(a=unit, b=unit, wa=st.floats(0.1, 9), wb=st.floats(0.1, 9))
def test_the_mean_lies_between_its_terms(a, b, wa, wb):
    (total,) = WeightedMean([(Fixed("a", a), wa), (Fixed("b", b), wb)]).score(ASKED, ["x"])
    assert 0.0 <= total <= 1.0
    assert min(a, b) - 1e-12 <= total <= max(a, b) + 1e-12


@given(a=unit, w=st.floats(0.1, 9))
def test_a_term_the_prompt_does_not_ask_for_changes_nothing(a, w):
    scored = WeightedMean([(Fixed("a", a), 1.0), (Fixed("b", None), w)])(ASKED, ["x"])
    assert scored.total == (pytest.approx(a),)
    assert scored.parts == {"a": (a,), "b": (None,)}


def test_no_term_asked_for_is_no_number():
    assert WeightedMean([(Fixed("b", None), 1.0)]).score(ASKED, ["x"]) == [None]


def test_lines_earn_the_weighted_sum_of_what_each_term_gives_them():
    both = WeightedMean([(Rhyme(), 3.0), (Fixed("whole", 0.5), 1.0)])
    assert both.by_line(Prompt("es", "pareado"), "amor\ndolor") == [0.0, 0.875]


def test_without_a_term_the_others_stay():
    both = WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])
    assert [reward.name for reward, _ in both.without("meter").terms] == ["rhyme"]
    with pytest.raises(ValueError, match="no term is called 'metre'; expected one of rhyme, meter"):
        both.without("metre")


@pytest.mark.parametrize(
    "terms, message",
    [
        ([], "at least one term"),
        ([(Fixed("a", 1.0), 1.0), (Fixed("a", 0.0), 1.0)], "two reward terms are called 'a'"),
        ([(Fixed("a", 1.0), 0.0)], "weight of 'a' is 0.0; expected a positive"),
        ([(Fixed("a", 1.0), float("nan"))], "weight of 'a' is nan"),
    ],
)
def test_a_bad_composition_says_what_is_wrong(terms, message):
    with pytest.raises(ValueError, match=message):
        WeightedMean(terms)


@pytest.mark.parametrize("value", [1.5, -0.1, float("nan")])
def test_a_term_outside_its_range_stops_the_run_and_names_the_text(value):
    with pytest.raises(ValueError, match=r"bad: score .* of 'amor' is outside"):
        WeightedMean([(Fixed("bad", value), 1.0)]).score(ASKED, ["amor"])


def test_a_gate_pays_only_what_passes():
    gated = Gate(Meter(), Rhyme())
    prompt, text = Prompt("es", "redondilla"), POEMS["es", "redondilla"]
    assert gated.score([prompt, prompt], [text, "amor\nvida\nherida\ndolor"]) == [1.0, 0.0]
    assert gated.name == "rhyme_if_meter"
    check_reward(gated, perfect=[(prompt, text)])


def test_another_trainer_calls_a_reward_as_a_function_of_columns():
    rhyme = as_function(Rhyme())
    chat = [{"role": "assistant", "content": "amor\nvida"}]
    assert rhyme.__name__ == "rhyme"
    assert rhyme(["p", "q"], ["amor\ndolor", chat], lang=["es"] * 2, form=["pareado"] * 2, author=[None] * 2) == [1.0, 0.0]


# --- the checker itself ----------------------------------------------------------------------


class Moody(Fixed):
    """Breaks one promise, chosen by name."""

    def __init__(self, name):
        super().__init__(name, 0.0)
        self.calls = 0

    def score(self, prompts, texts):
        self.calls += 1
        if self.name == "raises" and any("\x00" in text for text in texts):
            raise RuntimeError("boom")
        return {
            "short": [0.0] * (len(texts) - 1),
            "high": [2.0] * len(texts),
            "impure": [0.0 if self.calls == 1 else 0.5] * len(texts),
            "crowd": [1.0 - 1.0 / len(texts) if text.strip() else 0.0 for text in texts],
            "evasive": [None if "ombre" in text else 0.0 for text in texts],
            "generous": [1.0] * len(texts),
            "ordered": [float(n == 1) if text.strip() else 0.0 for n, text in enumerate(texts)],
        }.get(self.name, [0.0] * len(texts))

    def __reduce__(self):
        if self.name == "stuck":
            raise pickle.PicklingError("no")
        return super().__reduce__()


@pytest.mark.parametrize(
    "name, message",
    [
        ("raises", "score raised .RuntimeError: boom"),
        ("short", "scores for"),
        ("high", r"scores 2.0; expected a number in \[0, 1\]"),
        ("impure", "the second time"),
        ("crowd", "one at a time"),
        ("evasive", "None for some texts"),
        ("generous", "expected 0, since a text that fails its form"),
        ("stuck", "cannot be pickled"),
    ],
)
def test_a_broken_promise_is_found_and_named(name, message):
    with pytest.raises(BrokenContractError, match=f"{name}: .*{message}"):
        check_reward(Moody(name))


def test_a_perfect_poem_that_does_not_score_one_is_found():
    with pytest.raises(BrokenContractError, match=r"expected 1\.0"):
        check_reward(Rhyme(), perfect=[(ABAB, "amor\nvida\ndolor\nluna")])


def test_an_object_that_is_no_reward_is_told_so():
    with pytest.raises(BrokenContractError, match="not a Reward"):
        check_reward(object())


# --- scoring a text --------------------------------------------------------------------------

EARS = ("meter", "rhyme", "repetition", "copying")  # others may be installed beside them


def test_every_block_is_a_poem_of_a_one_stanza_form():
    text = POEMS["es", "redondilla"]
    first, second = score_text(f"\n{text}\n\n\n{text}\n", "es", "redondilla")
    assert (first.start, second.start) == (2, 8)
    assert {name: first.scores[name] for name in EARS} == {"meter": 1.0, "rhyme": 1.0, "repetition": 1.0, "copying": None}
    assert (first.asked, first.found, first.syllables) == ("abba", "abba", (8, 8, 8, 8))
    assert first.tails == ("áis", "ón", "ón", "áis")
    assert [sum(reason.startswith(("meter:", "rhyme:")) for reason in own) for own in first.reasons] == [2, 2, 2, 2]


def test_blocks_are_gathered_into_a_form_of_several_stanzas():
    lines = [f"verso {n}" for n in range(14)]
    text = "\n\n".join(["\n".join(lines[:4]), "\n".join(lines[4:8]), "\n".join(lines[8:11]), "\n".join(lines[11:])])
    for poem in score_text(f"{text}\n\n" + "\n".join(lines), "es", "soneto"):
        assert poem.lines == tuple(lines) and poem.asked == "abba abba cdc dcd"


def test_a_poem_of_the_wrong_length_is_scored_zero_and_told_why():
    (poem,) = score_text("amor\nvida\ndolor", "es", "redondilla")
    assert {name: poem.scores[name] for name in EARS} == {"meter": 0.0, "rhyme": 0.0, "repetition": 0.0, "copying": None}
    assert all("3 lines, quatrain-abba-8 has 4" in reason for own in poem.reasons for reason in own)


@pytest.mark.parametrize("key", [k for k in POEMS if k[1] != "romance"], ids="-".join)
def test_the_form_is_guessed_where_none_is_given(key):
    (poem,) = score_text(POEMS[key], key[0])
    (asked,) = score_text(POEMS[key], *key)
    assert poem.guessed and not asked.guessed
    assert poem.asked == asked.asked and poem.targets == asked.targets


def test_prose_has_no_form():
    (poem,) = score_text("uno\nveinticuatro horas de espera\nno", "es")
    assert (poem.form, poem.asked, dict(poem.scores), poem.targets) == (None, "", {}, ((), (), ()))


@pytest.mark.parametrize(
    "content, message",
    [(None, "missing.txt"), (b"", "empty"), (b" \n \n", "empty"), (b"amor\nse\xf1or\n", "is not UTF-8")],
)
def test_a_file_that_cannot_be_scored_is_named(tmp_path, content, message):
    path = tmp_path / "missing.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RlpoetError, match=message):
        score_file(path, "es", "redondilla")


def test_a_folder_is_not_a_poem(tmp_path):
    with pytest.raises(RlpoetError, match=str(tmp_path)):
        score_file(tmp_path, "es")
