"""The adapters give other trainers the rewards' own numbers in the shape each wants, and refuse a label that says no form."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards.adapters.frameworks import (
    asked_for,
    openrlhf_reward_func,
    rubric_function,
    task_reward,
    text_of,
    verl_compute_score,
    without_marks,
)
from rewards.adapters.functions import FunctionReward, as_function, as_reward
from rewards.alternation import Alternation
from rewards.compose import WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.errors import UnknownName
from rlpoet.types import Explained, Prompt

FOLDER = Path(__file__).parents[2] / "experiments" / "examples" / "interop"
BOTH = WeightedMean([(Rhyme(), 2.0), (Meter(), 1.0)])


def module(name: str):
    spec = importlib.util.spec_from_file_location(f"interop_{name}", FOLDER / f"{name}.py")
    assert spec and spec.loader
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


CASES = module("poems").CASES


@pytest.mark.parametrize("label, text, expected", CASES)
def test_every_library_is_told_the_score_worked_out_by_hand(label, text, expected):
    lang, form = label.split()
    chat = [{"role": "user", "content": "Écris !"}, {"role": "assistant", "content": text}]
    task, trace = SimpleNamespace(lang=lang, form=form), SimpleNamespace(last_reply=text)
    own = module("poet_reward")
    told = [
        as_function(BOTH)(["?"], [chat], lang=[lang], form=[form], other=[1])[0],
        own.compute_score(data_source="x", solution_str=text, ground_truth=label, extra_info={"num_turns": None})["score"],
        own.reward_func(["<s>Un poème : " + text + "<|im_end|>"], ["Un poème : "], [label])["rewards"],
        rubric_function(BOTH)(completion=chat, answer=label, state={}, info={}),
        asyncio.run(own.verse(task, trace)),
    ]
    assert told == pytest.approx([expected] * 5)


def test_the_parts_of_a_composed_reward_are_told_beside_the_total():
    whole = CASES[0][1]
    assert verl_compute_score(BOTH)("x", whole, "fr quatrain-abab") == {"score": 1.0, "rhyme": 1.0, "meter": 1.0}
    two = openrlhf_reward_func(BOTH)(["p " + whole, "p "], ["p ", "p "], ["fr quatrain-abab"] * 2)
    assert two == {
        "rewards": [1.0, 0.0],
        "scores": [1.0, 0.0],
        "extra_logs": {"weighted_mean": [1.0, 0.0], "rhyme": [1.0, 0.0], "meter": [1.0, 0.0]},
    }
    with pytest.raises(UnknownName, match="vers-libre"):  # an unknown form is no 0
        verl_compute_score(BOTH)("x", whole, "fr vers-libre")


class Abstaining:
    name = "abstaining"

    def score(self, prompts, texts):
        return [None] * len(texts)

    def explain(self, prompt, text):
        return Explained(self.name, None)


def test_what_a_prompt_does_not_ask_for_is_none_for_trl_and_the_same_for_all_texts_elsewhere():
    assert as_function(Abstaining())(["?"], ["x"], lang=["fr"], form=["couplet"]) == [None]
    both = WeightedMean([(Rhyme(), 1.0), (Abstaining(), 1.0)])
    told = verl_compute_score(both)("x", "amor\ndolor", "es pareado")
    assert told["score"] == 1.0 and math.isnan(told["abstaining"])
    assert openrlhf_reward_func(both)(["amor\ndolor"], [""], ["es pareado"])["extra_logs"] == {"weighted_mean": 1.0, "rhyme": 1.0}
    assert [rubric_function(Abstaining())(text, "es pareado") for text in ("amor", "")] == [0.0, 0.0]


class Heard(Abstaining):
    """Notes the prompts and texts it is asked about."""

    def __init__(self):
        self.asked = []

    def score(self, prompts, texts):
        self.asked += zip(prompts, texts, strict=True)
        return [0.5] * len(texts)


OPENED = {"lang": "fr", "form": "couplet", "author": "", "opening": ["ombre"]}


@pytest.mark.parametrize("label", [OPENED, " \n" + json.dumps(OPENED), Prompt("fr", "couplet", None, ("ombre",))])
def test_a_label_may_name_the_lines_a_poem_begins_with_and_no_author(label):
    assert asked_for(label) == Prompt("fr", "couplet", None, ("ombre",))


def test_a_label_s_author_is_read_without_the_space_after_it():
    assert asked_for("fr couplet Victor Hugo \n") == Prompt("fr", "couplet", "Victor Hugo")


def test_every_library_s_prompt_and_poem_reach_the_reward():
    opened, plain = Prompt("fr", "couplet", None, ("ombre",)), Prompt("fr", "couplet")
    reward = Heard()
    asyncio.run(task_reward(reward)(SimpleNamespace(**OPENED), SimpleNamespace(last_reply="ombre\nsombre")))
    verl_compute_score(reward)("x", "<|assistant|> ombre\nsombre</s>", "fr couplet")
    openrlhf_reward_func(reward)(["Un vers : Un vers : ombre\nsombre</s>"], ["Un vers : "], ["fr couplet"])
    as_function(reward)(["?"], ["ombre\nsombre"], lang=["fr"], form=["couplet"], author=[""])
    poem = "ombre\nsombre"
    assert reward.asked == [(opened, poem), (plain, poem), (plain, "Un vers : " + poem), (plain, poem)]


def test_a_part_that_one_prompt_does_not_ask_for_is_in_no_list():
    both = WeightedMean([(Rhyme(), 1.0), (Alternation(), 1.0)])
    lines = "amour", "rose", "jour", "chose"
    told = openrlhf_reward_func(both)(["ombre\nsombre", "\n".join(lines)], ["", ""], ["fr couplet", "fr quatrain-abab"])
    assert told["extra_logs"] == {"weighted_mean": [1.0, 1.0], "rhyme": [1.0, 1.0]}


@pytest.mark.parametrize("n", [0, 1, 3])
def test_a_function_gives_one_score_for_each_of_its_texts(n):
    calls = []
    reward = FunctionReward(lambda texts: (calls.append(len(texts)), [0.5] * n)[1], name="half")
    prompt = Prompt("fr", "couplet")
    with pytest.raises(ValueError, match=f"half: {n} scores for 2 texts"):
        reward.score([prompt] * 3, ["a\nb", "a", "b\nc"])
    assert reward.score([prompt], ["a"]) == [0.0] and calls == [2]  # nothing to ask it about
    assert reward.explain(prompt, "a").score == 0.0 and calls == [2]


def test_what_is_no_function_is_no_reward():
    with pytest.raises(ValueError, match="3 is no reward"):
        as_reward(3)
    assert as_reward(BOTH) is BOTH


names = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12)


@given(names, names, st.none() | names)
def test_a_label_says_the_same_as_words_as_a_mapping_and_as_json(lang, form, author):
    prompt = Prompt(lang, form, author)
    mapping = {"lang": lang, "form": form, "author": author}
    words = " ".join(filter(None, (lang, form, author)))
    assert asked_for(prompt) == asked_for(mapping) == asked_for(json.dumps(mapping)) == asked_for(words) == prompt


@pytest.mark.parametrize("label", [None, "", "fr", {"lang": "fr"}, {"form": "couplet"}, '{"form": "couplet"}', 3, "{not json"])
def test_a_label_that_says_no_form_is_an_error_not_a_poor_poem(label):
    with pytest.raises(ValueError):
        rubric_function(Rhyme())("ombre\nsombre", label)


def test_a_query_without_its_prompt_is_refused():
    with pytest.raises(ValueError, match="does not hold its prompt"):
        openrlhf_reward_func(Rhyme())(["ombre"], ["Poème"], ["fr couplet"])


def test_an_author_column_reaches_the_reward():
    class Whose(Abstaining):
        def score(self, prompts, texts):
            return [float(prompt.author == "Hugo") for prompt in prompts]

    assert as_function(Whose())(["?"] * 2, ["a", "b"], lang=["fr"] * 2, form=["couplet"] * 2, author=["Hugo", None]) == [1.0, 0.0]


def test_marks_of_a_tokenizer_go_and_angle_brackets_of_a_poet_stay():
    assert without_marks("<s> a <b> < c </s><|end|>") == "a <b> < c"
    assert without_marks("<start_of_turn>a<end_of_turn>[EOS]<pad>") == "a"
    assert text_of([]) == "" and text_of([{"role": "assistant", "content": None}]) == ""


def test_no_trainer_is_imported():
    heavy = ("torch", "trl", "verl", "openrlhf", "verifiers")
    code = f"import sys, rewards.adapters.frameworks; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
