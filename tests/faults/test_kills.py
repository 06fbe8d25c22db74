"""A run that is killed, whenever that is, can be gone on with, and then ends as one that was left alone."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time

import pytest
from kill_harness import forked, in_child, killed_after, killed_at, left, some

from rlpoet.checkpoints.folder import run_state

LONG = int(os.environ.get("RLPOET_KILLS") or 0)  # kills per verb in the long mode
VERBS = ("train", "finetune", "pretrain")
MORE = ("ppo", "rft")  # of the long mode alone: what they save is what ``train`` saves


def check_kill(runs, verb: str, number: int, *, again: bool = False) -> None:
    """Kill a run before a change of its folder, and end it: by ``--resume``, or ``again`` by the same command where it must begin anew."""
    total, expected = runs.whole(verb)
    folder, log = runs.place / f"{verb}-{number}", runs.place / f"{verb}-{number}.txt"
    assert in_child(runs.argv(verb, folder), before=killed_at(number, folder), log=log) == -signal.SIGKILL
    state = run_state(folder)
    if again and state == "new":
        assert in_child(runs.argv(verb, folder), log=log) == 0, log.read_text(encoding="utf-8")
    else:
        runs.go_on(verb, folder, log)
    assert left(folder) == expected, f"{verb} killed before change {number} of {total}, {state}"
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "verb, share", [("train", 0.1), pytest.param("train", 0.75, marks=pytest.mark.slow), ("finetune", 0.6), ("pretrain", 0.5)]
)
def test_a_killed_run_goes_on_as_if_it_had_not_been(verb, share, runs):
    check_kill(runs, verb, max(1, round(share * runs.whole(verb)[0])))


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_no_instant_leaves_a_dead_folder(verb, runs):
    for number in some(runs.whole(verb)[0], LONG or 20):
        check_kill(runs, verb, number, again=number % 2 == 0)


@pytest.mark.skipif(not LONG, reason="the long mode: RLPOET_KILLS=1000 pytest -m slow tests/faults")
@pytest.mark.slow
@pytest.mark.parametrize("verb", [*VERBS, *MORE])
def test_no_moment_leaves_a_dead_folder(verb, runs):
    """By the clock: within products and half-written rows too."""
    expected, chance = runs.whole(verb)[1], random.Random(1)
    began = time.monotonic()
    assert in_child(runs.argv(verb, runs.place / f"timed-{verb}"), log=runs.place / "timed.txt") == 0
    seconds = time.monotonic() - began
    for number in range(LONG):
        folder, log = runs.place / f"clock-{verb}-{number}", runs.place / f"clock-{verb}-{number}.txt"
        code = killed_after(forked(runs.argv(verb, folder), log=log), chance.uniform(0, seconds))
        if code == -signal.SIGKILL:
            runs.go_on(verb, folder, log)
        assert left(folder) == expected
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not LONG, reason="the long mode: RLPOET_KILLS=1000 pytest -m slow tests/faults")
@pytest.mark.slow
def test_no_moment_loses_a_grid(runs):
    """Its trainings are processes of their own, and outlive it."""
    whole, chance = runs.place / "whole-compare", random.Random(2)
    began = time.monotonic()
    assert in_child(runs.argv("compare", whole), log=runs.place / "compare.txt") == 0
    seconds = time.monotonic() - began
    expected = [left(cell) for cell in sorted(whole.glob("*/fr-s0"))]
    for number in range(LONG):
        folder, log = runs.place / f"grid-{number}", runs.place / f"grid-{number}.txt"
        if killed_after(forked(runs.argv("compare", folder), log=log), chance.uniform(0, seconds)) == -signal.SIGKILL:
            runs.go_on("compare", folder, log)
        assert [left(cell) for cell in sorted(folder.glob("*/fr-s0"))] == expected
        shutil.rmtree(folder)
