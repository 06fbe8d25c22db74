"""What rewards can be asked for beside their form, and the ways several of them become one."""

from __future__ import annotations

import json
import pickle

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tiny_policy import tiny_policy

from rewards.acrostic import Acrostic
from rewards.adapters.functions import FunctionReward
from rewards.alternation import Alternation
from rewards.compose import Gate, Product, WeightedMean
from rewards.curriculum import Curriculum
from rewards.meter import Meter
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.rhyme_words import RhymeWords
from rewards.testing.contract import check_reward
from rlpoet.cli.main import main
from rlpoet.cli.verbs.train import COMMAND
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.training.rewards import composed
from rlpoet.types import Prompt

COUPLET, PAREADO, TERCET = Prompt("fr", "couplet"), Prompt("es", "pareado"), Prompt("fr", "tercet")
ABAB, ROMANCE = Prompt("fr", "quatrain-abab"), Prompt("es", "romance")
BEAUTE = """Je suis belle, ô mortels ! comme un rêve de pierre,
Et mon sein, où chacun s'est meurtri tour à tour,
Est fait pour inspirer au poète un amour
Éternel et muet ainsi que la matière."""
ABBA = Prompt("fr", "quatrain-abba")
OLD_FRENCH = "Périssez ! puissance, justice, histoire, à bas !"  # Rimbaud, whose césure falls on a mute e


def score(reward, prompt, *lines):
    return reward.score([prompt], ["\n".join(lines)])[0]


def brevity(texts, most=40):
    return [max(0.0, 1 - len(text) / most) for text in texts]


def scores_of_text(texts):
    return [0.5 for _ in texts][1:]


def words_for_scores(texts):
    return ["much" for _ in texts]


# --- rhyme ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "a, b, sounds",
    [("doux", "fou", 0), ("doux", "houx", 1), ("jour", "amour", 2), ("ombre", "sombre", 3), ("sombre", "décombre", 3)],
)
def test_a_rhyme_has_to_share_as_many_sounds_as_asked(a, b, sounds):
    for richness in (1, 2, 3):
        assert score(Rhyme(richness=richness), COUPLET, a, b) == float(sounds >= richness), (richness, a, b)


def test_a_rhyme_too_poor_is_a_near_rhyme_and_says_so():
    poor = Rhyme(richness=3, partial=0.3)
    assert score(poor, COUPLET, "jour", "amour") == pytest.approx(0.3)
    assert "2 of 3 sounds shared" in poor.explain(COUPLET, "jour\namour").lines[1].reason


@pytest.mark.parametrize("a, b, strict", [("love", "prove", 0.0), ("heaven", "given", 0.0), ("love", "above", 1.0), ("love", "night", 0.0)])
def test_rhymes_of_the_eye_and_of_older_speech_count_where_they_may(a, b, strict):
    prompt = Prompt("en", "couplet")
    assert score(Rhyme(), prompt, a, b) == strict
    assert score(Rhyme(historical=True), prompt, a, b) == float(b != "night")


def test_english_sonnets_rhyme_as_their_century_did_unless_told_not_to():
    prompt = Prompt("en", "sonnet-shakespearean")
    ends = "day ground away sound night dream light stream tree hand see land love prove".split()
    text = "\n".join(ends)
    assert Rhyme().score([prompt], [text]) == [1.0]
    assert Rhyme(historical=False).score([prompt], [text]) == [pytest.approx(6 / 7)]
    assert "as poets have it" in Rhyme().explain(prompt, text).lines[-1].reason


@pytest.mark.parametrize(
    "prompt, a, b", [(PAREADO, "la baca", "una vaca"), (Prompt("en", "couplet"), "the sea", "I see"), (COUPLET, "un saut", "un sot")]
)
def test_homophones_may_be_forbidden(prompt, a, b):
    assert score(Rhyme(), prompt, a, b) == 1.0
    assert score(Rhyme(homophones=False), prompt, a, b) == 0.0
    assert score(Rhyme(homophones=False), PAREADO, "amor", "dolor") == 1.0


def test_assonance_counts_where_it_is_asked_for():
    lines = ["x"] * 8
    lines[1::2] = ["mar", "San Juan", "cantar", "llegar"]
    lines[::2] = ["luna", "verde", "pino", "monte"]
    assert score(Rhyme(), PAREADO, "el mar", "San Juan") == 0.0
    assert score(Rhyme(assonance=True), PAREADO, "el mar", "San Juan") == 1.0
    assert score(Rhyme(), ROMANCE, *lines) == 1.0
    assert 0.0 < score(Rhyme(assonance=False), ROMANCE, *lines) < 1.0
    assert score(Rhyme(assonance=True), COUPLET, "sombre", "monde") == 1.0


def test_richness_is_not_asked_of_an_assonance():
    assert score(Rhyme(assonance=True, richness=3), PAREADO, "el mar", "San Juan") == 1.0


@given(st.floats(1, 4), st.booleans())
def test_what_is_asked_beside_the_form_never_raises_a_score(richness, homophones):
    for prompt, lines in ((ABAB, ["jour", "ombre", "amour", "sombre"]), (PAREADO, ["baca", "vaca"]), (TERCET, ["doux", "houx", "fou"])):
        assert score(Rhyme(richness=richness, homophones=homophones), prompt, *lines) <= score(Rhyme(), prompt, *lines)


# --- meter ------------------------------------------------------------------------------------------


def test_a_line_without_its_caesura_earns_what_is_left_to_it():
    lines = [OLD_FRENCH, BEAUTE.split("\n")[0]]
    assert score(Meter(), COUPLET, *lines) == 1.0
    assert score(Meter(missing_caesura_credit=0.0), COUPLET, *lines) == 0.5
    assert score(Meter(missing_caesura_credit=0.5), COUPLET, *lines) == 0.75
    assert "no caesura" in Meter(missing_caesura_credit=0.5).explain(COUPLET, "\n".join(lines)).lines[0].reason


def test_a_missing_caesura_is_told_where_it_costs_nothing():
    cut, uncut = "Et le vent passe au fond de la forêt", "Dans les interminables belles nuits"  # 4+6, and no word ends at 4, 5 or 6
    told = Meter().explain(Prompt("fr", "couplet-10"), f"{cut}\n{uncut}").lines
    assert [(line.score, line.reason) for line in told] == [(1.0, "10 syllables"), (1.0, "10 syllables; no caesura")]
    assert "no caesura" in Meter().explain(COUPLET, f"{OLD_FRENCH}\n{OLD_FRENCH}").lines[1].reason
    short = Meter().explain(COUPLET, f"{cut}\n{cut}").lines[0]  # its length is the fault
    assert (short.score, short.reason) == (0.0, "10 syllables, asked 12")


def test_a_line_of_a_length_without_caesura_needs_none_where_two_lengths_are_free():
    octosyllable, uncut = "Mignonne, allons voir si la rose", "Dans les interminables belles nuits"
    prompt = Prompt("fr", "aa/8|10")
    assert score(Meter(missing_caesura_credit=0.0), prompt, octosyllable, uncut) == 0.5
    assert "caesura" not in Meter().explain(prompt, f"{octosyllable}\n{uncut}").lines[0].reason


def test_lines_whose_tradition_has_no_caesura_need_none():
    octosyllables = ["Hombres necios que acusáis", "a la mujer sin razón"]
    assert score(Meter(missing_caesura_credit=0.0), Prompt("es", "pareado-8"), *octosyllables) == 1.0
    with pytest.raises(ValueError, match="missing_caesura_credit is -1"):
        Meter(missing_caesura_credit=-1)


# --- small rewards ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ends, expected",
    [("amour rose jour chose", 1.0), ("amour nuit jour bruit", 0.0), ("amour rose plume chose", 0.0), ("xqzkor rose bvrkor chose", 0.0)],
)
def test_genders_have_to_alternate(ends, expected):
    assert score(Alternation(), ABAB, *ends.split()) == expected


def test_alternation_is_french_and_wants_two_rhymes():
    assert score(Alternation(), COUPLET, "amour", "jour") is None
    assert score(Alternation(), PAREADO, "amor", "dolor") is None
    assert score(Alternation(), Prompt("es", "cuarteta"), *"abcd") is None


@pytest.mark.parametrize("word, expected", [("jeee", 1.0), ("JEÉÉ", 1.0), ("jean", 0.5), ("je", 1.0), ("ombre", None), ("", None)])
def test_first_letters_spell_the_word(word, expected):
    assert Acrostic(word=word).score([ABBA], [BEAUTE]) == [expected]


def test_an_acrostic_looks_past_what_opens_a_line():
    assert score(Acrostic(word="oe"), COUPLET, "« Ô temps ! »", "— œil") == 0.5
    assert score(Acrostic(word="oo"), COUPLET, "« Ô temps ! »", "— œil") == 1.0
    with pytest.raises(ValueError, match=r"'\?!'; expected letters"):
        Acrostic(word="?!")


def test_set_words_have_to_end_rhymed_lines():
    words = RhymeWords(words="amour, Pierre")
    assert words.score([ABBA], [BEAUTE]) == [1.0]
    assert score(words, ABBA, "amour", "amour", "amour", "amour") == 0.5
    assert score(RhymeWords(words="luna"), ROMANCE, *["luna", "a"] * 4) == 0.0  # a line of the form that rhymes with none
    assert "still wanted: pierre" in words.explain(ABBA, "amour\nx\ny\nz").lines[1].reason
    assert score(RhymeWords(words="a b c"), COUPLET, "a", "b") is None
    with pytest.raises(ValueError, match="'a' twice"):
        RhymeWords(words="a A")


@pytest.mark.parametrize(
    "reward",
    [Rhyme(richness=2, homophones=False, assonance=True), Meter(missing_caesura_credit=0.3), Alternation(), Acrostic(word="jeee"),
     RhymeWords(words="pierre tour"), Product([(Rhyme(), 2.0), (Meter(), 0.5), (Repetition(), 1.0)]),
     Curriculum([(Rhyme(), 1.0), (Meter(), 1.0)], {"meter": [[0, 0], [1, 1]]}),
     FunctionReward(brevity, most=500), Product([(Gate(Rhyme(), Meter()), 1.0), (Rhyme(partial=0.2), 1.0)])],
    ids=["rhyme", "meter", "alternation", "acrostic", "rhyme_words", "product", "curriculum", "function", "gate"],
)  # fmt: skip
def test_the_contract_is_kept(reward):
    check_reward(reward, examples=[(ABBA, BEAUTE), (ABBA, BEAUTE.replace("amour", "abord")), (ABBA, BEAUTE.replace(" ô mortels", ""))])


@given(st.lists(st.sampled_from(["amour", "jour", "rose", "chose", "", "?!", "xqz", "couvent", "fou"]), min_size=4, max_size=4))
def test_what_lines_earn_adds_up(ends):
    text = "\n".join(f"L'ombre de {end}" for end in ends)
    for reward in (
        Rhyme(richness=2),
        Alternation(),
        RhymeWords(words="jour rose"),
        Product([(Rhyme(partial=0.3), 0.5), (Repetition(), 2.0)]),
    ):
        assert sum(reward.by_line(ABAB, text)) == pytest.approx(reward.score([ABAB], [text])[0], abs=1e-9)


# --- composition ------------------------------------------------------------------------------------

unit = st.floats(0, 1)


@given(a=unit, b=unit, w=st.floats(0.1, 4))
def test_a_product_is_its_factors_to_the_power_of_their_weights(a, b, w):
    both = Product(
        [(FunctionReward(lambda texts: [a] * len(texts), name="a"), 1.0), (FunctionReward(lambda texts: [b] * len(texts), name="b"), w)]
    )
    total = score(both, PAREADO, "x", "y")
    assert total == pytest.approx(a * b**w) and 0.0 <= total <= min(a, 1.0)


def test_a_term_the_prompt_does_not_ask_for_leaves_a_product_alone():
    assert Product([(Rhyme(), 1.0), (Acrostic(), 3.0)]).score([PAREADO], ["amor\ndolor"]) == [1.0]
    assert Product([(Acrostic(), 3.0)]).score([PAREADO], ["amor\ndolor"]) == [None]
    assert Product([(Acrostic(), 3.0)]).by_line(PAREADO, "amor\ndolor") == [0.0, 0.0]


def test_each_line_adds_to_the_product_of_what_was_reached():
    lines = BEAUTE.split("\n")
    both = Product([(Rhyme(), 1.0), (Meter(), 1.0)])
    at_end, within = both.by_part(ABBA, BEAUTE)
    # rhyme stands at 0, 0, 1/2, 1 after each line and meter at 1/4, 1/2, 3/4, 1; a last word moves the first of them
    assert at_end == [0.0, 0.0, 0.25, 0.375] and within == [0.0, 0.0, 0.125, 0.25]
    # and no line's share depends on those below it
    assert both.by_line(ABBA, "\n".join([*lines[:3], "rien"]))[:3] == both.by_line(ABBA, BEAUTE)[:3]


def test_without_drops_a_gated_term_by_the_name_of_its_reward():
    gated = Product([(Gate(Rhyme(), Meter()), 1.0), (Repetition(), 1.0)])
    for name in ("meter", "meter_if_rhyme"):
        left = gated.without(name)
        assert isinstance(left, Product) and [reward.name for reward, _ in left.terms] == ["repetition"]


@pytest.mark.parametrize("function, message", [(scores_of_text, "0 scores for 1 texts"), (words_for_scores, "gives 'much' for a text")])
def test_a_function_that_is_no_reward_is_named(function, message):
    with pytest.raises(ValueError, match=f"{function.__name__}: {message}"):
        WeightedMean([(function, 1.0)]).score([PAREADO], ["amor\ndolor"])


def test_a_function_sees_only_texts_of_the_right_length():
    seen = []
    WeightedMean([(lambda texts: [float(bool(seen.append(text))) for text in texts], 1.0)]).score([PAREADO] * 2, ["a\nb", "a"])
    assert seen == ["a\nb"]


# --- curricula --------------------------------------------------------------------------------------

LESSON = {"meter": [[0.2, 0], [0.6, 1]]}
TERMS = [(Rhyme(), 2.0), (Meter(), 1.0)]


@pytest.mark.parametrize("progress, weight", [(0.0, None), (0.2, None), (0.3, 0.25), (0.6, 1.0), (1.0, 1.0)])
def test_weights_follow_their_points(progress, weight):
    assert Curriculum(TERMS, LESSON).weights(progress).get("meter") == (None if weight is None else pytest.approx(weight))


@given(unit)
def test_a_moment_is_the_composition_of_its_weights(progress):
    lesson = pickle.loads(pickle.dumps(Curriculum(TERMS, LESSON, combine=Product)))
    plain = Product(
        [(reward, weight) for reward, weight in [(Rhyme(), 2.0), (Meter(), lesson.weights(progress).get("meter", 0.0))] if weight]
    )
    assert lesson.at(progress).score([ABBA], [BEAUTE.replace("amour", "ami")]) == plain.score([ABBA], [BEAUTE.replace("amour", "ami")])


def test_by_itself_it_scores_as_at_the_end():
    lesson, text = Curriculum(TERMS, LESSON), BEAUTE.replace("belle, ", "")
    assert lesson.score([ABBA], [text]) == WeightedMean(TERMS).score([ABBA], [text]) != lesson.at(0.0).score([ABBA], [text])
    assert lesson.without("meter").weights(0.5) == {"rhyme": 2.0}


@pytest.mark.parametrize(
    "schedule, message",
    [
        ({"metre": [[0, 1]]}, "no term is called 'metre'"),
        ({"meter": []}, "expected .progress, factor. points"),
        ({"meter": [[0.5, 1], [0.5, 0]]}, "ascending"),
        ({"meter": [[0, 1], [2, 0]]}, r"in \[0, 1\]"),
        ({"meter": [[0, -1]]}, "0 or more"),
        ({"meter": [[0, 0]], "rhyme": [[0, 0], [1, 1]]}, "at progress 0 no term weighs anything"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(schedule, message):
    with pytest.raises(ValueError, match=message):
        Curriculum(TERMS, schedule)


# --- from YAML and flags ----------------------------------------------------------------------------


def from_config(tmp_path, text, *flags):
    path = tmp_path / "train.yaml"
    path.write_text(text, encoding="utf-8")
    config = parse(COMMAND, ["--config", str(path), *flags])
    return composed(config.rewards, config.reward_options, compose=config.compose, gates=config.gates, curriculum=config.curriculum)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's, in a package, where they stand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_rewards_of_sound").mkdir()
    (tmp_path / "my_rewards_of_sound" / "brief.py").write_text(
        "def brevity(texts, most=40):\n    return [max(0.0, 1 - len(t) / most) for t in texts]\n", "utf-8"
    )
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    return "my_rewards_of_sound.brief:brevity"


def test_yaml_says_all_that_python_can(tmp_path, mine):
    made = from_config(tmp_path, f"""
rewards: {{rhyme: 2, meter: 1, {mine}: 0.5}}
reward_options: {{rhyme: {{richness: 2, homophones: false}}, {mine}: {{most: 100}}}}
compose: product
gates: {{meter: {{if: rhyme, at_least: 0.5}}}}
curriculum: {{meter: [[0.2, 0], [0.6, 1]]}}
""")  # fmt: skip
    assert made.weights(0.0) == {"rhyme": 2.0, "brevity": 0.5} and made.weights(1.0)["meter_if_rhyme"] == 1.0
    assert isinstance(made.at(1.0), Product) and made.terms[0][0].richness == 2 and not made.terms[0][0].homophones
    assert made.score([PAREADO], ["amor\ndolor"])[0] == 0.0  # out of meter


def test_flags_add_to_yaml_even_where_names_have_dots(tmp_path, mine):
    made = from_config(
        tmp_path,
        "rewards: {rhyme: 2, meter: 1}",
        f"--rewards.{mine}",
        "0.5",
        f"--reward_options.{mine}.most",
        "100",
        "--rewards.meter",
        "0",
    )
    assert [(reward.name, weight) for reward, weight in made.terms] == [("rhyme", 2.0), ("brevity", 0.5)]
    assert made([PAREADO], ["amor\ndolor"]).parts == {"rhyme": (1.0,), "brevity": (pytest.approx(0.9, abs=0.02),)}


@pytest.mark.parametrize(
    "text, message",
    [
        ("compose: produkt", "--compose: unknown 'produkt' .did you mean 'product'"),
        ("gates: {metre: {if: rhyme}}", "--gates: reward: unknown 'metre' .did you mean 'meter'"),
        ("gates: {meter: {when: rhyme}}", "--gates.meter: unknown 'when'; expected one of at_least, if"),
        ("gates: {meter: {at_least: 1}}", "--gates.meter: no reward to look at; expected --gates.meter.if NAME"),
        ("gates: {meter: {if: meter}}", "--gates.meter: two reward terms are called 'meter'"),
        ("gates: {meter: {if: rime}}", "unknown 'rime' .did you mean 'rhyme'"),
        ("gates: {meter: {if: rhyme, at_least: 2}}", "--gates.meter: at_least is 2"),
        ("curriculum: {repetition: [[0, 1]]}", "--curriculum: reward: unknown 'repetition'.*--rewards.repetition 1"),
        ("curriculum: {meter: [[0, 1, 2]]}", "--curriculum: meter: .*expected .progress, factor. points"),
        ("rewards: {no.such.module:f: 1}", "--rewards.no.such.module:f: No module named 'no'; expected MODULE:FUNCTION"),
        ("rewards: {json:nothing: 1}", "--rewards.json:nothing: module 'json' has no attribute"),
        ("rewards: {json:__name__: 1}", "--rewards.json:__name__: str; expected a function"),
        ("rewards: {json:JSONDecoder: 1}", "--rewards.json:JSONDecoder: a class without name"),
        ("reward_options: {rhyme: {richness: 0}}", "--reward_options.rhyme: richness is 0; expected 1 sound or more"),
        ("reward_options: {rhyme: {rich: 2}}", "--reward_options.rhyme: .*unexpected keyword argument 'rich'"),
    ],
)
def test_what_cannot_be_meant_names_its_flag(tmp_path, text, message):
    with pytest.raises(RlpoetError, match=message):
        from_config(tmp_path, text)


def test_a_run_follows_its_curriculum_and_logs_its_weights(tmp_path, capsys):
    tiny_policy().save(tmp_path / "policy")
    flags = [
        "--policy",
        str(tmp_path / "policy"),
        "--minutes",
        "0",
        "--max_steps",
        "4",
        "--eval_samples",
        "4",
        "--prompts_per_step",
        "2",
        "--group_size",
        "2",
    ]
    flags += [
        "--threads",
        "1",
        "--report_to",
        "none",
        "--rewards.repetition",
        "1",
        "--compose",
        "product",
        "--curriculum.repetition",
        "[[0.25, 0], [0.75, 1]]",
    ]
    run = tmp_path / "run"
    assert main(["train", *flags, "--output_dir", str(run)]) == 0
    rows = read_jsonl(run / "metrics.jsonl")
    assert [row.get("rewards/repetition/weight") for row in rows] == [None, None, 0.5, 1.0]
    assert ["rewards/repetition/mean" in row for row in rows] == [False, False, True, True]
    assert yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["compose"] == "product"
    assert json.loads((run / "result.json").read_text(encoding="utf-8"))["steps"] == 4
    assert main(["train", *flags, "--tb.replay", "0.5", "--output_dir", str(tmp_path / "again")]) == 2
    assert "--curriculum: with --tb.replay 0.5" in capsys.readouterr().err
