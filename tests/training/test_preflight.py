"""The pre-flight calls dead what cannot be learned, says why, and never forbids what it cannot know."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_policy import tiny_policy

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.training.monitoring.preflight import (
    ENOUGH,
    NOISE,
    advice,
    all_dead,
    judge,
    preflight,
    rejection,
    report_learnability,
    summary,
    warnings,
)
from rlpoet.types import Prompt

COUPLET, SONNET = Prompt("fr", "couplet"), Prompt("fr", "sonnet")
LADDER = ("dead", "slow", "learnable")

groups = st.lists(st.lists(st.floats(0, 1), min_size=4, max_size=4), min_size=8, max_size=20)


def rows_of(*sets: tuple[Prompt, list[list[float]]], beta: float = 20.0):
    prompts = [prompt for prompt, own in sets for group in own for _ in group]
    scores = [score for _, own in sets for group in own for score in group]
    return preflight(prompts, scores, beta=beta, group_size=4)


@pytest.mark.parametrize(
    "own, beta, verdict, why",
    [
        ([[0.0] * 4] * 8, 20.0, "dead", "no poem of 32 earns anything"),
        ([[1.0] * 4] * 8, 20.0, "dead", "all 32 poems earn everything"),
        ([[0.25] * 4, [0.75] * 4] * 4, 20.0, "dead", "earn alike"),
        ([[0.0] * 4] * 7, 20.0, "unknown", f"28 earns anything, too few to tell: {ENOUGH} would do"),
        ([[0.0] * 4] * 7 + [[0.0, 0.0, 0.0, 1.0]], 20.0, "slow", "88% of the prompts"),
        ([[0.50, 0.51, 0.50, 0.51]] * 8, 20.0, "slow", "less than noise"),
        ([[0.50, 0.51, 0.50, 0.51]] * 8, 500.0, "learnable", "nats at beta 500"),
        ([[0.0, 1.0, 0.5, 0.5]] * 8, 20.0, "learnable", "differ by 0.408, 8.2 nats"),
        ([[0.0, 1.0, 0.5, 0.5]], 20.0, "learnable", "0.408"),  # one group can show that there is something, never that there is nothing
    ],
)
def test_verdicts_by_hand(own, beta, verdict, why):
    row = judge(own, beta=beta)
    assert row.verdict == verdict and why in row.why


def test_figures_by_hand():
    row = judge([[0.0, 1.0], [0.5, 0.5], [0.0, 0.0], [0.25, 0.75]], beta=8.0)
    assert (row.poems, row.groups, row.mean, row.best, row.alike, row.earning) == (8, 4, 0.375, 1.0, 0.5, 0.625)
    assert row.spread == pytest.approx(((0.5 + 0.125) / 4) ** 0.5) and row.signal == pytest.approx(8 * row.spread)


@settings(max_examples=40)
@given(groups, st.randoms(use_true_random=False))
def test_neither_the_order_of_poems_nor_of_prompts_counts(own, rng):
    mixed = [rng.sample(group, len(group)) for group in rng.sample(own, len(own))]
    a, b = judge(own, beta=20.0), judge(mixed, beta=20.0)
    assert a.verdict == b.verdict and a.spread == pytest.approx(b.spread) and a.alike == b.alike


@settings(max_examples=40)
@given(groups, st.floats(1, 100), st.floats(1, 100))
def test_a_stronger_beta_never_makes_a_prompt_harder(own, beta, more):
    weak, strong = judge(own, beta=beta), judge(own, beta=beta + more)
    assert LADDER.index(strong.verdict) >= LADDER.index(weak.verdict)


@given(st.floats(0.002, 0.04))
def test_the_beta_that_is_advised_makes_the_signal_heard(step):
    own = [[0.5, 0.5 + step, 0.5, 0.5 + step]] * 8
    told = advice(rows_of((COUPLET, own)), beta=20.0)
    assert judge(own, beta=20.0).verdict == "slow" and told.startswith("Try --beta ")
    row = judge(own, beta=float(told.split()[2].rstrip(",")))
    assert row.verdict == "learnable" and row.signal >= NOISE


def test_all_prompts_come_first_then_forms_then_authors():
    hugo = Prompt("fr", "couplet", "Victor Hugo")
    rows = rows_of((COUPLET, [[0.0, 1.0, 0.0, 1.0]] * 8), (hugo, [[0.0] * 4] * 8), (SONNET, [[0.0] * 4] * 8))
    assert [(row.form, row.author, row.verdict) for row in rows] == [
        (None, None, "learnable"), ("couplet", None, "learnable"), ("sonnet", None, "dead"),
        ("couplet", "", "learnable"), ("couplet", "Victor Hugo", "dead"), ("sonnet", "", "dead"),
    ]  # fmt: skip
    assert warnings(rows) == ["sonnet: dead: no poem of 32 earns anything", "couplet: dead for Victor Hugo"]
    assert not all_dead(rows) and "shorter form" in advice(rows, beta=20.0)


def test_a_prompt_that_asks_for_nothing_counts_as_the_trainers_count_it():
    rows = preflight([COUPLET] * 8, [None, 1.0, None, 1.0] * 2, beta=20.0, group_size=4)
    assert rows[0].mean == 0.5 and rows[0].verdict == "learnable"


def test_a_group_that_was_cut_short_is_left_out():
    assert preflight([COUPLET] * 10, [0.5] * 10, beta=20.0, group_size=4)[0].poems == 8


def test_a_set_of_dead_forms_is_refused_with_its_reason_and_one_live_form_is_enough(tmp_path):
    with pytest.raises(RlpoetError, match=r"nothing to learn from: couplet: dead: no poem of 32 earns anything; expected .* --resume"):
        report_learnability(tmp_path, [COUPLET] * 32, [0.0] * 32, beta=20.0, group_size=4)
    assert json.loads((tmp_path / "preflight.json").read_text(encoding="utf-8"))["rows"][0]["verdict"] == "dead"
    told = report_learnability(tmp_path, [COUPLET] * 32 + [SONNET] * 32, [0.0] * 32 + [0.0, 1.0] * 16, beta=20.0, group_size=4)
    assert told[0] == "pre-flight: couplet: dead: no poem of 32 earns anything"
    assert report_learnability(tmp_path, [SONNET] * 32, [0.0, 1.0] * 16, beta=20.0, group_size=4) == []


# -- the verb, and the check that train makes ---------------------------------------------------------


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policy")
    tiny_policy().save(folder)
    return folder


def test_the_verb_says_that_random_weights_earn_nothing(saved, capsys):
    flags = [
        "preflight",
        "--policy",
        str(saved),
        "--forms",
        "couplet",
        "--prompts",
        "8",
        "--group_size",
        "4",
        "--threads",
        "1",
        "--rewards.meter",
        "0",
    ]
    assert main([*flags, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["lang"] == "fr" and told["rows"][0]["verdict"] == "dead" and told["rows"][0]["poems"] == 32
    assert told["seconds_per_poem"] > 0 and told["rows"][0]["acceptance"] < 1e-12
    assert main(flags) == 1
    shown = capsys.readouterr().out
    assert "dead: no poem of 32 earns anything" in shown and "accepted" in shown and "couplet: the target keeps 0.00% of" in shown


@pytest.mark.parametrize(
    "flags, message",
    [
        (["--group_size", "1"], "expected 2 or more"),
        (["--beta", "0"], "expected more than 0"),
        (["--forms", "coupet"], "did you mean 'couplet'"),
    ],
)
def test_the_verb_refuses_what_cannot_be_meant(saved, flags, message, capsys):
    assert main(["preflight", "--policy", str(saved), *flags]) == 2
    assert message in capsys.readouterr().err


def test_training_refuses_what_is_dead_and_goes_on_when_told_to(saved, tmp_path, capsys):
    folder = str(tmp_path / "run")
    flags = ["--max_steps", "2", "--minutes", "0", "--prompts_per_step", "2", "--group_size", "2", "--threads", "1", "--report_to", "none"]
    flags += ["--rewards.meter", "0"]
    assert main(["train", "--policy", str(saved), "--forms", "couplet", "--eval_samples", "32", "--output_dir", folder, *flags]) == 2
    assert f"rlpoet train --resume {folder}" in capsys.readouterr().err
    assert main(["train", "--resume", folder]) == 0
    assert json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))["steps"] == 2


# -- rejection ----------------------------------------------------------------------------------------


def test_rejection_is_advised_where_the_prior_often_earns_all_and_not_where_it_seldom_does():
    often, seldom = [[1.0, 1.0, 0.0, 0.0]] * 8, [[1.0, 0.0, 0.0, 0.0]] + [[0.0] * 4] * 24
    rows = rows_of((COUPLET, often), (SONNET, seldom), beta=30.0)
    assert [row.acceptance for row in rows[1:3]] == pytest.approx([0.5, 0.01])
    assert rows[0].acceptance == pytest.approx((16 + 1) / 132)  # of all poems
    couplet, sonnet = rejection(rows, seconds=0.006)
    assert couplet.startswith(
        "couplet: the target keeps 50% of the prior's poems, 2.0 draws a poem, 12 ms here. Rejection is the better tool"
    )
    assert sonnet.startswith("sonnet: the target keeps 1.00% of the prior's poems: too few for rejection") and "better tool" not in sonnet
    assert summary(rows)["rows"][1]["acceptance"] == rows[1].acceptance


@pytest.mark.parametrize("share, advised", [(0.052, True), (0.048, False)])
def test_one_poem_in_twenty_is_where_rejection_begins_to_pay(share, advised):
    reward = 1 + math.log(share) / 30
    (told,) = rejection(rows_of((COUPLET, [[reward] * 4] * 8), beta=30.0), seconds=0.01)
    assert ("better tool" in told) == advised


def test_a_poem_that_earns_nearly_all_is_kept_by_the_strength_of_the_reward():
    assert judge([[0.9] * 4], beta=10.0).acceptance == pytest.approx(math.exp(-1))
    assert judge([[0.9] * 4], beta=100.0).acceptance == pytest.approx(math.exp(-10))
