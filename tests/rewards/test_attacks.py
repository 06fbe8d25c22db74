"""Known cheats against every reward that is installed: none pays more than the verse it spoils, and the docs say what each of them pays."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.studies import red_team as page
from rewards.compose import Product, WeightedMean
from rewards.meter import Meter
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.testing.attacks import ALIKE, ATTACKS, COPIED, HUMAN, Finding, red_team, red_team_table, verdicts
from rewards.testing.contract import check_reward
from rlpoet import registry
from rlpoet.cli.main import main
from rlpoet.prosody.rhyme import rhymes
from rlpoet.types import Explained, LineScore, Prompt

# what the form alone has to close, by reward; what is not listed may pay up to what the poem pays
NEVER_PAYS = (
    "nothing",
    "blank lines",
    "a line too few",
    "a line too many",
    "the poem twice",
    "breaks that are none",
    "lines broken in two",
)
NO_RHYME = (
    "signs alone", "one letter a line", "one line again and again", "the same end word", "the same end word, dressed up", "monorhyme",
    "a mark of the end in every line", "more after the mark of the end", "breaks moved by a word",
)  # fmt: skip
NO_METER = (
    "signs alone",
    "one letter a line",
    "one-word lines",
    "very long lines",
    "gibberish that ends well",
    "more after the mark of the end",
)


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    return dict(page.rewards(tmp_path_factory.mktemp("index")))


# judged by models of verse, not by a form: by chance a spoilt stanza may suit them better, and the table says where
GRADED = {"style", "theme"}


@pytest.mark.parametrize("name", sorted(set(registry.names("rlpoet.rewards")) - GRADED))
def test_no_attack_pays_more_than_the_poem_it_spoils(name, judges):
    assert [(one.attack, one.text) for one in red_team(judges[name]) if one.verdict == "above"] == []


@pytest.mark.parametrize("name", registry.names("rlpoet.rewards"))
def test_every_installed_reward_keeps_the_contract(name):
    check_reward(registry.load("rlpoet.rewards", name)(), examples=[*HUMAN, *COPIED])


@pytest.mark.parametrize("name", registry.names("rlpoet.rewards"))
def test_no_reward_pays_for_a_text_that_fails_its_form(name, judges):
    earned = {one.attack: one.earned for one in red_team(judges[name]) if one.attack in NEVER_PAYS}
    assert set(earned) == set(NEVER_PAYS) and set(earned.values()) <= {0.0, None}


@pytest.mark.parametrize(
    "reward, closed", [(Rhyme(), NO_RHYME), (Rhyme(partial=0.3), NO_RHYME), (Meter(), NO_METER)], ids=["rhyme", "partial", "meter"]
)
def test_what_fakes_a_form_is_not_paid_for_it(reward, closed):
    worst = {}
    for one in red_team(reward):
        worst[one.attack] = max(one.earned, worst.get(one.attack, 0.0))
    assert {name: worst[name] for name in closed if worst[name] > reward.__dict__.get("partial", 0.0)} == {}


def test_a_poets_sound_is_not_earned_by_filling_lines(judges):
    closed = {"one-word lines", "one line again and again", "la la la", "very long lines", "gibberish that ends well", "signs alone"}
    told = verdicts(red_team(judges["style"]))
    assert {name for name in closed if told[name] != "closed"} == set()


def test_together_they_leave_only_word_salad_another_order_of_lines_and_an_invented_name_open(judges):
    told = verdicts(red_team(judges["product of four"]))
    still_open = {"word salad that ends well", "lines swapped"}
    assert {name for name, verdict in told.items() if verdict != "closed"} == {*still_open, "an invented name in every line"}
    told = verdicts(red_team(Product([(judges["product of four"], 1.0), (judges["lexicon"], 1.0)])))
    assert {name for name, verdict in told.items() if verdict != "closed"} == still_open


@pytest.mark.parametrize(
    "combined", [WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)]), Product([(Rhyme(), 2.0), (Repetition(), 1.0)])], ids=["mean", "product"]
)
def test_the_poems_that_are_attacked_are_perfect(combined):
    for prompt, poem in (*HUMAN, *COPIED):
        assert combined.score([prompt], [poem]) == [1.0], prompt


@pytest.mark.parametrize("lang", ALIKE)
def test_the_words_of_monorhyme_rhyme(lang):
    first, *others = ALIKE[lang]
    assert [word for word in others if not rhymes(first, word, lang)] == []


def test_every_attack_is_tried_on_every_language():
    assert len(red_team(Rhyme())) == len(ATTACKS) * len(HUMAN)


class Generous:
    """Pays more the longer the text is."""

    name = "generous"

    def score(self, prompts, texts):
        return [min(len(text) / 1000, 1.0) for text in texts]

    def explain(self, prompt, text):
        return Explained(self.name, self.score([prompt], [text])[0], (LineScore(text, None, ""),))


def test_a_reward_that_pays_for_cheating_is_found():
    told = verdicts(red_team(Generous()))
    assert told["very long lines"] == "above" and told["nothing"] == "closed"


def test_a_reward_nobody_asks_for_has_no_verdict():
    assert {Finding("x", HUMAN[0][0], "", None, None).verdict, Finding("x", HUMAN[0][0], "", 0.1, 0.0).verdict} == {"-"}


@given(st.lists(st.text(alphabet="aeiourst ’'-.\n\u200b", max_size=30), min_size=2, max_size=2))
def test_attacks_can_be_made_of_any_lines(lines):
    poem = "\n".join(line.replace("\n", " ") + "x" for line in lines)
    assert red_team(Rhyme(), [(Prompt("fr", "couplet"), poem)])


def test_the_table_in_the_docs_is_what_the_attacks_earn():
    text = page.PAGE.read_text(encoding="utf-8")
    written = text.partition(page.BEGIN)[2].partition(page.END)[0].strip()
    assert written == page.table().strip(), "run `python -m experiments.studies.red_team`"


def test_every_installed_reward_has_a_section_with_all_its_parts():
    text = page.PAGE.read_text(encoding="utf-8")
    for name in registry.names("rlpoet.rewards"):
        section = re.split(r"^## ", text.partition(f"\n## {name}\n")[2], flags=re.MULTILINE)[0]
        for part in ("Measures", "Range", "Abstains", "Parameters", "Example", "How it can be gamed", "References", "Version"):
            assert f"**{part}" in section, f"{name}: no {part}"


def test_the_command_prints_the_table_and_fails_for_a_reward_that_can_be_beaten(capsys, monkeypatch):
    assert main(["redteam", "rhyme", "acrostic", "--reward_options.acrostic.word", "amor"]) == 0
    assert capsys.readouterr().out.startswith("| attack | rhyme | acrostic |")
    assert main(["redteam", f"{__name__}:Generous"]) == 1
    assert "above" in capsys.readouterr().out
    assert main(["redteam", "rime"]) == 2
    assert "did you mean 'rhyme'" in capsys.readouterr().err


def test_a_table_has_a_row_an_attack():
    assert len(red_team_table([("rhyme", Rhyme())]).splitlines()) == 2 + len(ATTACKS)
