"""The adapters give other trainers the rewards' own numbers in the shape each wants, and refuse a label that says no form."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import math
import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
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
    verl_compute_score,
)
from rewards.adapters.functions import FunctionReward, as_async_function, as_function, as_functions, as_reward
from rewards.alternation import Alternation
from rewards.compose import Product, WeightedMean
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


@pytest.mark.parametrize("label", ["", "fr", {}, {"lang": "fr"}, {"form": "couplet"}, '{"form": "couplet"}', 3, "{not json"])
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


OTHER_TASKS = [None, {"lang": None, "form": None}, {"lang": "fr", "form": None}, '{"lang": null, "form": "couplet"}']


@pytest.mark.parametrize("label", OTHER_TASKS)
def test_a_row_of_another_task_earns_the_same_whatever_is_written(label):
    whole = CASES[0][1]
    compute_score, reward_func, by_rubric = verl_compute_score(BOTH), openrlhf_reward_func(BOTH), rubric_function(BOTH)
    for text in (whole, "42", ""):
        told = compute_score("gsm8k", text, label)
        assert told["score"] == 0.0 and math.isnan(told["rhyme"]) and math.isnan(told["meter"])
        assert reward_func([text], [""], [label]) == {"rewards": 0.0, "scores": 0.0, "extra_logs": {"weighted_mean": 0.0}}
        assert by_rubric(text, label) == 0.0


def test_a_column_says_of_each_row_whether_it_asks_for_a_poem():
    found = as_function(Rhyme())(["?"] * 3, ["amor\ndolor", "42", "amor\nvida"], lang=["es", None, "es"], form=["pareado", None, "pareado"])
    assert found == [1.0, None, 0.0]
    assert as_function(Rhyme())(completions=["4"], lang=[None], form=[None]) == [None]


def test_one_value_stands_for_a_whole_column():
    assert as_function(Rhyme())(completions=["amor\ndolor"] * 2, lang="es", form="pareado") == [1.0, 1.0]


@pytest.mark.parametrize(
    "columns, message",
    [
        ({}, "no column 'lang'"),
        ({"lang": ["es"]}, "no column 'form'"),
        ({"form": ["pareado"]}, "no column 'lang'"),
        ({"lang": ["es"] * 2, "form": ["pareado"]}, "2 values of 'lang' for 1 completions"),
        ({"lang": ["es"], "form": []}, "0 values of 'form' for 1 completions"),
    ],
)
def test_columns_that_are_missing_or_too_short_are_named(columns, message):
    with pytest.raises(ValueError, match=message):
        as_function(Rhyme())(prompts=["?"], completions=["amor\ndolor"], **columns)


def test_the_parts_of_a_composed_reward_go_to_trl_s_log():
    logged = {}
    texts, asked = [CASES[0][1], CASES[1][1], "42"], {"lang": ["fr", "fr", None], "form": ["quatrain-abab", "quatrain-abab", None]}
    found = as_function(BOTH)(["?"] * 3, texts, **asked, log_metric=logged.__setitem__, log_extra=None, trainer_state=None)
    assert found == [1.0, pytest.approx((2 * 0.5 + 0.75) / 3), None]
    assert logged == {"weighted_mean/rhyme": 0.75, "weighted_mean/meter": 0.875}
    logged.clear()
    as_function(BOTH)(["?"], ["42"], lang=[None], form=[None], log_metric=logged.__setitem__)
    assert logged == {}, "nothing was asked for, so there is no mean"


def test_the_terms_of_a_mean_are_functions_of_their_own_with_their_weights():
    functions, weights = as_functions(BOTH)
    asked = {"lang": ["fr"], "form": ["quatrain-abab"]}
    parts = [function(["?"], [CASES[1][1]], **asked)[0] for function in functions]
    assert [function.__name__ for function in functions] == ["rhyme", "meter"] and parts == [0.5, 0.75] and weights == [2.0, 1.0]
    assert sum(w * part for w, part in zip(weights, parts, strict=True)) / sum(weights) == pytest.approx(CASES[1][2])
    with pytest.raises(ValueError, match="product: its terms are not added up"):
        as_functions(Product([(Rhyme(), 1.0)]))
    assert [len(found) for found in as_functions(Rhyme())] == [1, 1]


def test_a_coroutine_scores_as_the_function_does():
    asked = {"lang": ["fr"], "form": ["quatrain-abab"]}
    function = as_async_function(BOTH)
    assert function.__name__ == "weighted_mean" and inspect.iscoroutinefunction(function.__call__)

    async def both():
        return await asyncio.gather(function(["?"], [CASES[0][1]], **asked), function(["?"], [CASES[1][1]], **asked))

    assert asyncio.run(both()) == [[1.0], [pytest.approx(CASES[1][2])]]


MADE = {
    "trl": as_function(BOTH), "trl, a coroutine": as_async_function(BOTH), "verl": verl_compute_score(BOTH),
    "OpenRLHF": openrlhf_reward_func(BOTH), "verifiers 0.1": rubric_function(BOTH), "verifiers 0.4": task_reward(BOTH),
}  # fmt: skip


@pytest.mark.parametrize("library", MADE)
def test_what_is_made_for_a_library_can_be_pickled(library):
    again = pickle.loads(pickle.dumps(MADE[library]))
    assert again.__name__ == MADE[library].__name__ == "weighted_mean"
    assert type(again) is type(MADE[library])


def test_spawned_processes_score_as_this_one():
    calls = [(text, label) for label, text, _ in CASES]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        verl = [pool.submit(MADE["verl"], "x", text, label) for text, label in calls]
        trl = [pool.submit(MADE["trl"], ["?"], [text], lang=[label.split()[0]], form=[label.split()[1]]) for text, label in calls]
        assert [future.result()["score"] for future in verl] == pytest.approx([case[2] for case in CASES])
        assert [future.result()[0] for future in trl] == pytest.approx([case[2] for case in CASES])


def test_no_trainer_is_imported():
    heavy = ("torch", "trl", "verl", "openrlhf", "verifiers")
    code = f"import sys, rewards.adapters.frameworks; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
