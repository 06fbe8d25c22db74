"""What a run measures of the machine when it begins is part of the run: one that goes on elsewhere, or on a busier machine, keeps to it."""

from __future__ import annotations

import dataclasses

import pytest
import yaml
from kill_harness import in_child

from rlpoet import machine
from rlpoet.machine import Pace
from rlpoet.training.build import settled
from rlpoet.training.config import TrainConfig


def left_to_the_machine(argv: list[str]) -> list[str]:
    """A command without what ``Runs`` says of threads and precision."""
    for name in ("--threads", "--precision"):
        at = argv.index(name)
        argv = argv[:at] + argv[at + 2 :]
    return argv


@pytest.mark.parametrize(
    "verb", ["finetune", pytest.param("train", marks=pytest.mark.slow), pytest.param("pretrain", marks=pytest.mark.slow)]
)
def test_a_run_goes_on_with_the_precision_and_the_threads_it_began_with(verb, runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"

    def measured(precision: str):
        def before() -> None:
            machine.pace = lambda *_: Pace(precision, 1, {"fp32": 1.0, "bf16": 1.0})

        return before

    assert in_child([*left_to_the_machine(runs.argv(verb, folder)), "--max_steps", "1"], before=measured("bf16"), log=log) == 0
    began = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert began["precision"] == "bf16" and began["threads"] >= 1
    (folder / "result.json").unlink()  # as where it was killed then
    assert in_child([verb, "--resume", str(folder), "--max_steps", "2"], before=measured("fp32"), log=log) == 0, log.read_text()
    went_on = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    assert went_on["precision"] == "bf16" and went_on["threads"] == began["threads"]
    assert "precision fp32" not in log.read_text(encoding="utf-8")


@pytest.mark.parametrize("threads, processes, pays, expected", [(8, 1, 2, 2), (8, 2, 3, 6), (2, 4, 8, 4), (1, 1, 1, 1), (4, 1, 8, 4)])
def test_as_many_threads_are_used_as_pay_in_each_process(threads, processes, pays, expected):
    config = TrainConfig(threads=threads, processes=processes, precision="fp32")
    found = settled(config, Pace("bf16", pays, {}))
    assert found == dataclasses.replace(config, threads=expected)
    assert settled(found, Pace("bf16", pays, {})) == found
