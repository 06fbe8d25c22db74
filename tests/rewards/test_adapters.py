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

from rewards.adapters.frameworks import asked_for, openrlhf_reward_func, rubric_function, text_of, verl_compute_score, without_marks
from rewards.adapters.functions import as_function
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


names = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=12)


@given(names, names, st.none() | names)
def test_a_label_says_the_same_as_words_as_a_mapping_and_as_json(lang, form, author):
    prompt = Prompt(lang, form, author)
    mapping = {"lang": lang, "form": form, "author": author}
    words = " ".join(filter(None, (lang, form, author)))
    assert asked_for(prompt) == asked_for(mapping) == asked_for(json.dumps(mapping)) == asked_for(words) == prompt


@pytest.mark.parametrize("label", [None, "", "fr", {"lang": "fr"}, '{"form": "couplet"}', 3, "{not json"])
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
    assert text_of([]) == "" and text_of([{"role": "assistant", "content": None}]) == ""


def test_no_trainer_is_imported():
    heavy = ("torch", "trl", "verl", "openrlhf", "verifiers")
    code = f"import sys, rewards.adapters.frameworks; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
