"""What stops a run does so between two steps; asked twice, at once. Nothing of a half-done step is kept."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from kill_harness import changes_counted, in_child, left, litter
from torch.optim.optimizer import register_optimizer_step_pre_hook

from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.checkpoints.folder import run_state
from rlpoet.checkpoints.signals import NUMBERS, Stop, stop_signals
from rlpoet.training import run as training_run

STEP = {"train": "n_steps", "finetune": "step", "pretrain": "step"}  # of a checkpoint
PER_UPDATE = {"train": 1, "finetune": 1, "pretrain": 2}  # optimizers


def sent_within_step(number: int, *, step: int, per_update: int, times: int = 1):
    """For ``before`` of ``in_child``: signals just before the weights of that step move."""
    n = 0

    def hook(*_: object) -> None:
        nonlocal n
        n += 1
        if n == (step - 1) * per_update + 1:
            for _ in range(times):
                os.kill(os.getpid(), number)

    return lambda: register_optimizer_step_pre_hook(hook)


@pytest.mark.parametrize("verb, name", [("train", "SIGTERM"), ("finetune", "SIGHUP"), ("pretrain", "SIGUSR1")])
def test_the_step_in_hand_is_done_saved_and_not_done_again(verb, name, runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    stop = sent_within_step(getattr(signal, name), step=1, per_update=PER_UPDATE[verb])
    assert in_child(runs.argv(verb, folder), before=stop, log=log) == 130, log.read_text(encoding="utf-8")
    assert f"Go on with: rlpoet {verb} --resume" in log.read_text(encoding="utf-8")
    assert "Stopping after this step" in log.read_text(encoding="utf-8")
    assert run_state(folder) == "stopped" and read_checkpoint(folder / "checkpoint.pt")[STEP[verb]] == 1
    if verb == "train":
        (folder / "best").mkdir()  # as where the reward had fallen until then
    runs.go_on(verb, folder, log)
    assert left(folder) == runs.whole(verb)[1] and not (folder / "best").exists()


@pytest.mark.parametrize(
    "verb", ["train", pytest.param("finetune", marks=pytest.mark.slow), pytest.param("pretrain", marks=pytest.mark.slow)]
)
def test_the_second_signal_ends_a_run_at_once_and_the_last_checkpoint_stands(verb, runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    stop = sent_within_step(signal.SIGTERM, step=3, per_update=PER_UPDATE[verb], times=2)
    assert in_child(runs.argv(verb, folder), before=stop, log=log) == 130, log.read_text(encoding="utf-8")
    assert "Traceback" not in log.read_text(encoding="utf-8") and not (folder / "result.json").exists()
    assert read_checkpoint(folder / "checkpoint.pt")[STEP[verb]] == 2
    runs.go_on(verb, folder, log)
    assert left(folder) == runs.whole(verb)[1]


def test_a_run_that_is_stopped_while_it_measures_can_begin_again(runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"

    def early() -> None:
        training_run.show = lambda *_: os.kill(os.getpid(), signal.SIGTERM)

    assert in_child(runs.argv("train", folder), before=early, log=log) == 130
    assert run_state(folder) == "new" and "Traceback" not in log.read_text(encoding="utf-8")
    runs.go_on("train", folder, log)
    assert left(folder) == runs.whole("train")[1]


def test_a_terminal_that_was_closed_costs_no_step(runs, tmp_path):
    """Whatever a run tells it is an error of input and output, with which it neither ends nor fails to save."""
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    stop = sent_within_step(signal.SIGHUP, step=1, per_update=1)

    def closed() -> None:
        master, terminal = os.openpty()
        os.dup2(terminal, 2)
        os.close(master)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        stop()

    assert in_child(runs.argv("train", folder), before=closed, log=log) == 130, log.read_text(encoding="utf-8")
    assert json.loads((folder / "result.json").read_text(encoding="utf-8"))["steps"] == 1
    runs.go_on("train", folder, log)
    assert left(folder) == runs.whole("train")[1]


def full() -> None:
    os.dup2(os.open("/dev/full", os.O_WRONLY), 1)


def closed() -> None:
    sys.stdout = None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("before, code", [(full, 2), (closed, 0)])
@pytest.mark.parametrize(
    "argv", [["scan", "amour", "--lang", "fr"], ["forms", "--lang", "fr"], ["scan", "--lang", "fr", "--jsonl", "rows.jsonl"]]
)
def test_an_output_that_is_full_is_one_line_and_one_that_is_closed_is_none(before, code, argv, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.jsonl").write_text('{"line": "amour"}\n', encoding="utf-8")
    assert in_child(argv, before=before, log=tmp_path / "log.txt") == code
    told = (tmp_path / "log.txt").read_text(encoding="utf-8")
    assert told == ("" if code == 0 else f"rlpoet {argv[0]}: the output: No space left on device\n")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_what_stops_a_verb_leaves_nothing_half_written(name, runs, tmp_path):
    out, log = tmp_path / "out", tmp_path / "log.txt"
    out.mkdir()
    argv = ["corpus", str(runs.place / "poems.jsonl"), "--lang", "fr", "--out", str(out / "poems.jsonl")]
    began = []

    def stop(_: int) -> None:
        if not began:
            began.append(1)
        elif len(began) == 1 and litter(out):
            began.append(2)
            os.kill(os.getpid(), getattr(signal, name))

    assert in_child(argv, before=lambda: changes_counted(out, stop), log=log) == 130, log.read_text(encoding="utf-8")
    assert list(out.iterdir()) == [] and log.read_text(encoding="utf-8").endswith("rlpoet corpus: interrupted\n")


# -- the flag ---------------------------------------------------------------------------------------


def test_a_signal_waits_within_steps_and_interrupts_outside():
    stop = Stop()
    with pytest.raises(KeyboardInterrupt):
        stop.take()
    with stop.between_steps():
        assert not stop.asked
        stop.take()
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            stop.take()
    with pytest.raises(KeyboardInterrupt):  # what follows the steps is not waited for
        stop.take()


def test_all_four_signals_are_taken_and_given_back():
    assert {signal.Signals(number).name for number in NUMBERS} == {"SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"}
    before = {number: signal.getsignal(number) for number in NUMBERS}
    for number in NUMBERS:
        with stop_signals() as stop, stop.between_steps():
            signal.raise_signal(number)
            assert stop.asked
    assert {number: signal.getsignal(number) for number in NUMBERS} == before


def test_what_nohup_ignores_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_signals() as stop, stop.between_steps():
            signal.raise_signal(signal.SIGHUP)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_thread_takes_no_signals():
    found = []

    def run() -> None:
        with stop_signals() as stop:
            found.append(stop.asked)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]
