"""A run that is killed, whenever that is, can be gone on with, and then ends as one that was left alone."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from kill_harness import forked, in_child, killed_after, killed_at, left, litter, n_changes, some
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy

from rlpoet.checkpoints.folder import run_state

ONE = ["--threads", "1"]
TRAIN = "--max_steps 3 --eval_samples 4 --prompts_per_step 2 --group_size 2 --save_steps 2 --report_to none --forms couplet".split()
FINETUNE = "--window 64 --batch_size 2 --eval_samples 1 --n_samples 1 --max_steps 3 --save_steps 2 --logging_steps 1 --validation 0.3".split()
PRETRAIN = "--lang fr --size nano --vocab_size 200 --batch_tokens 128 --window 64 --save_steps 2 --no_compile --validation 0.3".split()
LONG = int(os.environ.get("RLPOET_KILLS", "0"))  # kills a verb of the long mode
VERBS = ("train", "finetune", "pretrain")


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("faults")
    tiny_policy().save(folder / "tiny")
    stanzas = [list(order) for lines in (VERLAINE[:4], BAUDELAIRE) for order in itertools.islice(itertools.permutations(lines), 6)]
    rows = [{"author": "Paul Verlaine", "stanzas": [stanza]} for stanza in stanzas]
    (folder / "poems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def command(verb: str, place: Path, folder: Path) -> list[str]:
    poems = ["--data", str(place / "poems.jsonl")]
    own = {
        "train": ["--policy", str(place / "tiny"), *TRAIN],
        "finetune": ["--policy", str(place / "tiny"), *poems, *FINETUNE, "--report_to", "none"],
        "pretrain": [*poems, *PRETRAIN, "--max_steps", "3", "--eval_samples", "1"],
    }[verb]
    return [verb, *own, "--output_dir", str(folder), *ONE]


@pytest.fixture(scope="module")
def whole(place) -> dict[str, tuple[int, dict]]:
    """Verb -> how often its run changes its folder, and what it leaves."""
    made = {}

    def of(verb: str) -> tuple[int, dict]:
        if verb not in made:
            folder = place / f"whole-{verb}"
            made[verb] = n_changes(command(verb, place, folder), folder, place / f"whole-{verb}.txt"), left(folder)
        return made[verb]

    return of


def goes_on(verb: str, place: Path, folder: Path, log: Path) -> None:
    """Whatever state a folder is in, one of two commands ends its run, and says so plainly if it is the other one."""
    state = run_state(folder)
    argv = [verb, "--resume", str(folder), *([] if verb == "train" else ONE)]
    if state == "new" and not (folder / "config.yaml").exists():
        argv = command(verb, place, folder)
    assert in_child(argv, log=log) == 0, log.read_text(encoding="utf-8")
    assert run_state(folder) == "done" and litter(folder) == []


def check_kill(verb: str, place: Path, whole, number: int, *, again: bool = False) -> None:
    total, expected = whole(verb)
    folder, log = place / f"{verb}-{number}", place / f"{verb}-{number}.txt"
    assert in_child(command(verb, place, folder), before=killed_at(number, folder), log=log) == -signal.SIGKILL
    state = run_state(folder)
    assert state in ("new", "stopped", "done")
    if again and state == "new":  # the same command, as one would type it
        assert in_child(command(verb, place, folder), log=log) == 0, log.read_text(encoding="utf-8")
    else:
        goes_on(verb, place, folder, log)
    assert left(folder) == expected, f"{verb} killed before change {number} of {total}, {state}"
    shutil.rmtree(folder)


@pytest.mark.parametrize("verb, share", [("train", 0.1), ("train", 0.75), ("finetune", 0.6), ("pretrain", 0.5)])
def test_a_killed_run_goes_on_as_if_it_had_not_been(verb, share, place, whole):
    check_kill(verb, place, whole, max(1, round(share * whole(verb)[0])))


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_no_instant_leaves_a_dead_folder(verb, place, whole):
    for number in some(whole(verb)[0], LONG or 20):
        check_kill(verb, place, whole, number, again=number % 2 == 0)


@pytest.mark.skipif(not LONG, reason="the long mode: RLPOET_KILLS=1000 pytest -m slow tests/faults")
@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_no_moment_leaves_a_dead_folder(verb, place, whole):
    """By the clock: within products and half-written rows too."""
    expected, chance = whole(verb)[1], random.Random(1)
    began = time.monotonic()
    assert in_child(command(verb, place, place / "timed"), log=place / "timed.txt") == 0
    seconds = time.monotonic() - began
    for number in range(LONG):
        folder, log = place / f"clock-{verb}-{number}", place / f"clock-{verb}-{number}.txt"
        code = killed_after(forked(command(verb, place, folder), log=log), chance.uniform(0, seconds))
        if code == -signal.SIGKILL:
            goes_on(verb, place, folder, log)
        assert left(folder) == expected
        shutil.rmtree(folder, ignore_errors=True)
