"""The reward ``lexicon``: which words it knows, how far a capital makes a name, and what a line earns."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.compose import WeightedMean
from rewards.lexicon import Lexicon
from rewards.meter import Meter
from rewards.testing.attacks import COPIED, HUMAN, red_team, verdicts
from rewards.testing.contract import check_reward
from rlpoet import registry
from rlpoet.analysis.lexicon import unknown_words
from rlpoet.cli.main import main
from rlpoet.cli.verbs.train import COMMAND
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError, TableError
from rlpoet.evaluation.score import score_text
from rlpoet.training.rewards import composed
from rlpoet.types import Prompt

ITALIAN = "experiments/languages/it"
COUPLET, ABAB, SONNET = Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab"), Prompt("fr", "sonnet")
ENGLISH, SPANISH = Prompt("en", "couplet"), Prompt("es", "pareado")
KNOWN = "la nuit descend sur la maison"
TERZINA = "Nel mezzo del cammin di nostra vita"
NAMED = "la nuit de Zorvik descend"  # one of five words is a name by its capital alone


def score(reward, prompt, *lines):
    return reward.score([prompt], ["\n".join(lines)])[0]


def credit(line, lang="fr", **options):
    """Of one line of a couplet, the other being known."""
    prompt = {"fr": COUPLET, "en": ENGLISH, "es": SPANISH}[lang]
    return Lexicon(**options).by_line(prompt, f"{line}\na")[0] * 2


def test_the_contract_is_kept_and_verse_of_poets_is_perfect():
    check_reward(Lexicon(), perfect=[*HUMAN, *COPIED])
    check_reward(Lexicon(capitals=0.0), perfect=[*HUMAN, *COPIED])


@pytest.mark.parametrize("n", range(5))
def test_the_score_is_the_share_of_lines_whose_words_are_all_known(n):
    lines = [KNOWN] * (4 - n) + ["la nuit zorvique descend sur la maison"] * n
    assert score(Lexicon(), ABAB, *lines) == (4 - n) / 4
    assert Lexicon().by_line(ABAB, "\n".join(lines)) == [0.25] * (4 - n) + [0.0] * n


def test_known_words_do_not_make_up_for_an_invented_one():
    assert credit("zorvique") == credit(f"zorvique {'la nuit ' * 20}") == 0.0


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        ("fr", "L’ÉTÉ s'en va, jusqu’à l'Œil : qu'a-t-il vu ?"),
        ("fr", "rêverez-vous d'orantes, plaçons-nous"),  # a regular form, an entry of Lexique, both in no list
        ("en", "'Tis o'er th' expense; heav'n's lark, I' th' air, it's gone"),
        ("en", "A toboggan"),  # of CMUdict, in no list
        ("es", "Hombres que acusáis y culpáis; dilaté, toqué"),
    ],
)
def test_words_are_known_as_verse_writes_them(lang, line):
    assert credit(line, lang, capitals=0.0) == 1.0


@pytest.mark.parametrize(
    ("lang", "line"),
    [
        ("fr", "la penombresse"),
        ("fr", "zorberez"),
        ("en", "slightful"),  # derived by rule: phonology knows its sound
        ("es", "penumba"),
        ("es", "zorbáis"),
        ("fr", "b"),  # in the list, as all initials
        ("en", "q'z"),
        ("es", "x y z"),
        ("fr", "z' q'"),
        ("fr", "?!… 12"),
        ("fr", "zor\u200bvik"),
    ],
)
def test_what_is_no_word_earns_nothing(lang, line):
    assert credit(line, lang) == 0.0


def test_whatever_generate_accepts_is_known():
    for lang, line in (("fr", KNOWN), ("en", "Bright Phoebus in his strength"), ("es", "De rosa y azucena")):
        assert not unknown_words(line, lang) and credit(line, lang, capitals=0.0) == 1.0


# -- names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "earns"),
    [
        (NAMED, True),
        ("la nuit, Zorvik, descend sur nous", True),
        ("la nuit d'Orzvik descend", True),
        ("la nuit de zorvik descend", False),  # no capital
        ("Zorvik descend de la nuit", False),  # at the beginning all words have one
        ("« Zorvik descend de la nuit", False),
        ("Descend ! Zorvik de la nuit", False),  # a sentence begins
        ("elle dit : Zorvik de la nuit", False),
        ("la nuit de ZORVIK descend", False),
        ("la nuit de ZorVik descend", False),
        ("la nuit de Zorvik", True),  # one in four
        ("nuit de Zorvik", False),  # one in three
        ("la nuit de Zorvik et de Klaxim", False),  # two in seven
        ("la nuit de Zorvik et la nuit de Klaxim", True),  # two in nine
        ("la nuit de Zorvik et la nuit de klaxim", False),
    ],
)
def test_a_capital_within_the_line_makes_a_name_of_a_small_share_of_its_words(line, earns):
    assert credit(line) == float(earns)
    assert credit(line, capitals=0.0) == 0.0


def test_the_share_is_an_option():
    assert [credit("nuit de Zorvik", capitals=share) for share in (0.3, 0.34)] == [0.0, 1.0]
    assert credit("la nuit de Zorvik et de Klaxim", capitals=0.5) == 1.0


@pytest.mark.parametrize(("prompt", "n", "most"), [(COUPLET, 2, 1), (ABAB, 4, 1), (SONNET, 14, 4)])
def test_a_quarter_of_the_lines_may_rest_on_a_capital_and_the_later_ones_pay(prompt, n, most):
    assert score(Lexicon(), prompt, *[NAMED] * n) == pytest.approx(most / n)
    assert Lexicon().by_line(prompt, "\n".join([NAMED] * n)) == pytest.approx([1 / n] * most + [0.0] * (n - most))


def test_names_that_are_listed_use_nothing_up():
    assert score(Lexicon(), ABAB, *["la nuit de Paris descend"] * 3, NAMED) == 1.0


def test_capitals_everywhere_earn_nothing():
    line = "la nuit zorvique klaxime sur la maison"
    assert credit(line) == credit(line.title()) == credit(line.upper()) == 0.0


@given(st.lists(st.sampled_from(["zorvik", "klaxim", "nuit", "la"]), min_size=1, max_size=8), st.data())
def test_an_invented_word_gains_no_more_by_a_capital_than_its_share(words, data):
    raised = [word.capitalize() if data.draw(st.booleans()) else word for word in words]
    invented = sum(word in ("zorvik", "klaxim") for word in words)
    if credit(" ".join(raised)) == 1.0:
        assert invented <= len(words) / 4
    if not invented:
        assert credit(" ".join(raised)) == 1.0


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text("% of my poem\nJehan Zorvik\nKlaxim\nŒdraxe\n", encoding="utf-8")
    return str(path)


def test_names_of_a_table_are_known_with_a_capital_wherever_they_stand(table):
    assert credit("Zorvik Klaxim, Œdraxe !", names=table, capitals=0.0) == 1.0
    assert credit("zorvik descend", names=table) == 0.0
    assert credit("Zorvic descend", names=table) == 0.0
    assert score(Lexicon(names=table), ABAB, *["Zorvik descend"] * 4) == 1.0
    check_reward(Lexicon(names=table))


@pytest.mark.parametrize("row", ["12", "—", "Jehan\tZorvik"])
def test_a_name_has_letters_and_a_row_of_its_own(row, tmp_path):
    path = tmp_path / "names.tsv"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(TableError, match=r"names\.tsv:1: "):
        Lexicon(names=str(path))


def test_a_table_that_is_missing_is_an_error_at_once(tmp_path):
    with pytest.raises(RlpoetError, match=r"none\.tsv"):
        Lexicon(names=str(tmp_path / "none.tsv"))


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match="capitals is"):
        Lexicon(capitals=share)


# -- what it says, and where it applies ------------------------------------------------------------


def test_unknown_words_are_listed_as_written_each_once():
    told = Lexicon().explain(ABAB, f"{KNOWN}\nZorvik de klaxim, de klaxim\n{NAMED}\n{NAMED}").lines
    assert [(row.score, row.reason) for row in told] == [
        (1.0, ""),
        (0.0, "unknown: Zorvik, klaxim"),
        (1.0, "taken for a name: Zorvik"),
        (0.0, "unknown: Zorvik; earlier lines have the names that a capital makes"),
    ]
    assert [row.reason for row in Lexicon().explain(COUPLET, "?!\nnuit").lines] == ["no word in it", ""]


@pytest.mark.parametrize("text", ["", KNOWN, "\n".join([KNOWN] * 5)])
def test_another_number_of_lines_scores_nothing(text):
    assert Lexicon().score([ABAB], [text]) == [0.0] and not any(Lexicon().by_line(ABAB, text))


def test_what_a_line_earns_depends_on_nothing_below_it():
    lines = [NAMED, KNOWN, NAMED, "zorvique"]
    whole = Lexicon().by_line(ABAB, "\n".join(lines))
    for n in range(1, 4):
        assert Lexicon().by_line(ABAB, "\n".join([*lines[:n], *["zorvique"] * (4 - n)]))[:n] == whole[:n]


def test_a_language_without_a_list_is_an_error_that_names_those_that_have_one():
    reward, prompt = Lexicon(), Prompt(ITALIAN, "terza-rima")
    assert not reward.judges(ITALIAN) and reward.judges("es-distincion")
    for ask in (lambda: reward.score([prompt], ["vita"]), lambda: reward.explain(prompt, "vita"), lambda: reward.by_line(prompt, "vita")):
        with pytest.raises(RlpoetError, match=r"no word list of .*it'; expected one of en, es, fr\. Leave it out: --rewards\.lexicon 0\."):
            ask()


def test_where_all_rewards_are_used_it_is_left_out_of_languages_it_cannot_judge():
    assert set(registry.names("rlpoet.rewards")) - set(registry.rewards_for(ITALIAN)) == {"lexicon"}
    assert set(registry.rewards_for("fr-modern")) == set(registry.names("rlpoet.rewards"))
    (poem,) = score_text(TERZINA, ITALIAN, "sonnet")
    assert "rhyme" in poem.scores and "lexicon" not in poem.scores


def test_a_variety_has_the_words_of_its_language():
    assert score(Lexicon(), Prompt("es-distincion", "pareado"), "la noche", "la zorviga") == 0.5


def test_a_run_can_ask_for_it_with_its_options(table):
    config = parse(COMMAND, ["--rewards.lexicon", "0.5", "--reward_options.lexicon.names", table, "--reward_options.lexicon.capitals", "0"])
    reward = composed(config.rewards, config.reward_options)
    assert {term.name: weight for term, weight in reward.terms}["lexicon"] == 0.5
    (lexicon,) = (term for term, _ in reward.terms if term.name == "lexicon")
    assert (lexicon.names, lexicon.capitals) == (table, 0)


def test_the_command_shows_it(tmp_path, capsys):
    path = tmp_path / "poem.txt"
    path.write_text("\n".join([KNOWN, "la zorvique", KNOWN, KNOWN]), encoding="utf-8")
    assert main(["score", str(path), "--lang", "fr", "--form", "quatrain-abab"]) == 0
    told = capsys.readouterr().out
    assert "lexicon 0.75" in told and "unknown: zorvique" in told
    assert main(["score", str(path), "--lang", "fr", "--form", "quatrain-abab", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scores"]["lexicon"] == 0.75


# -- the red team ----------------------------------------------------------------------------------

CLOSED = {
    "signs alone", "one letter a line", "invented end words", "gibberish that ends well", "gibberish in capitals that ends well",
    "an invented name in every line", "another language", "a mark of the end in every line",
}  # fmt: skip


def test_no_invented_word_is_paid_for_and_a_capital_helps_little():
    told = verdicts(red_team(Lexicon()))
    assert {name for name in CLOSED if told[name] != "closed"} == set() and "above" not in told.values()
    earned = {(one.attack, one.earned) for one in red_team(Lexicon()) if "name" in one.attack or "capitals" in one.attack}
    assert earned == {("gibberish in capitals that ends well", 0.0), ("an invented name in every line", 0.25)}


def test_beside_meter_each_line_earns_its_weight():
    both = WeightedMean([(Lexicon(), 1.0), (Meter(), 1.0)])
    prompt, poem = HUMAN[0]
    assert both.by_line(prompt, poem) == pytest.approx([0.25] * 4)
