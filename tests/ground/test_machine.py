"""What a run finds out about its machine: precision, threads, batch, and that it says so."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path

import pytest
import torch
from rich.console import Console

from rlpoet import machine
from rlpoet.errors import RlpoetError
from rlpoet.reporting.progress import Pulse
from rlpoet.training.budget import ENOUGH, LEAST_PROMPTS, Cost, plan
from rlpoet.training.build import resolve
from rlpoet.training.config import TrainConfig
from rlpoet.training.options import MOST_PROMPTS

SHAPES = ((64, 128), (128, 64))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(machine.platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    return tmp_path / "rlpoet" / "pace.json"


def rates(monkeypatch: pytest.MonkeyPatch, fp32: dict[int, float], bf16: float) -> list[tuple[torch.dtype, int]]:
    """A machine with these rates by threads; what was timed on it."""
    timed: list[tuple[torch.dtype, int]] = []

    def gflops(shapes: object, dtype: torch.dtype, threads: int) -> float:
        timed.append((dtype, threads))
        return bf16 if dtype == torch.bfloat16 else fp32[threads]

    monkeypatch.setattr(machine, "_gflops", gflops)
    return timed


@pytest.mark.parametrize(
    ("fp32", "bf16", "precision", "threads"),
    [
        ({1: 100.0}, 800.0, "bf16", 1),
        ({1: 100.0}, 15.0, "fp32", 1),
        ({1: 100.0}, 110.0, "fp32", 1),  # not worth its rounding
        ({1: 100.0, 2: 180.0}, 15.0, "fp32", 2),
        ({1: 100.0, 2: 60.0}, 15.0, "fp32", 1),  # a second thread that waits for a busy core
        ({1: 10.0, 2: 19.0, 4: 36.0, 8: 36.5}, 15.0, "fp32", 4),
    ],
)
def test_what_is_faster_by_enough_is_taken(cache, monkeypatch, fp32, bf16, precision, threads):
    rates(monkeypatch, fp32, bf16)
    found = machine.pace(SHAPES, max(fp32))
    assert (found.precision, found.threads) == (precision, threads)
    assert found.dtype == machine.PRECISIONS[precision]


def test_a_machine_is_timed_once_and_another_kind_again(cache, monkeypatch):
    timed = rates(monkeypatch, {1: 100.0}, 800.0)
    assert machine.pace(SHAPES, 1).measured
    n = len(timed)
    again = machine.pace(SHAPES, 1)
    assert len(timed) == n and not again.measured and again.precision == "bf16"
    monkeypatch.setattr(machine, "processor", lambda: "a processor without units for bfloat16")
    rates(monkeypatch, {1: 100.0}, 15.0)
    assert machine.pace(SHAPES, 1).precision == "fp32"
    assert machine.pace(((64, 64),), 1).measured  # other shapes too
    assert len(json.loads(cache.read_text(encoding="utf-8"))) == 3


@pytest.mark.parametrize(("hours", "measured"), [(23, False), (25, True), (-1, True)])  # the last: a clock that was set back
def test_a_timing_is_believed_for_a_day(cache, monkeypatch, hours, measured):
    """The machine may have been busy when it was timed."""
    rates(monkeypatch, {1: 100.0}, 15.0)
    began = machine.time.time()
    monkeypatch.setattr(machine.time, "time", lambda: began)
    machine.pace(SHAPES, 1)
    monkeypatch.setattr(machine.time, "time", lambda: began + 3600 * hours)
    assert machine.pace(SHAPES, 1).measured is measured
    assert not machine.pace(SHAPES, 1).measured


def test_a_timing_of_an_earlier_version_is_made_again(cache, monkeypatch):
    rates(monkeypatch, {1: 100.0}, 15.0)
    machine.pace(SHAPES, 1)
    kept = json.loads(cache.read_text(encoding="utf-8"))
    cache.write_text(json.dumps({key: {k: v for k, v in row.items() if k != "at"} for key, row in kept.items()}), encoding="utf-8")
    assert machine.pace(SHAPES, 1).measured


def test_limits_on_vector_units_make_another_machine(monkeypatch):
    machine.processor.cache_clear()
    before = machine.processor()
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    machine.processor.cache_clear()
    assert machine.processor() != before
    machine.processor.cache_clear()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"x": 1}', "\x00\xff"])
def test_a_damaged_cache_is_written_anew(cache, monkeypatch, text):
    cache.parent.mkdir(parents=True)
    cache.write_text(text, encoding="utf-8")
    rates(monkeypatch, {1: 100.0}, 15.0)
    assert machine.pace(SHAPES, 1).measured and not machine.pace(SHAPES, 1).measured


def test_a_home_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(machine.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "file" / name))
    rates(monkeypatch, {1: 100.0}, 15.0)
    assert machine.pace(SHAPES, 1).precision == "fp32"


def test_the_real_products_are_timed_and_threads_put_back(cache):
    before = torch.get_num_threads()
    found = machine.pace(SHAPES, before)
    assert torch.get_num_threads() == before and all(rate > 0 for rate in found.gflops.values())


def test_an_unknown_precision_is_refused():
    with pytest.raises(RlpoetError, match="fp16"):
        machine.precision_of("fp16", None)


def test_a_slow_machine_gets_small_batches_and_a_fast_one_the_full():
    budget = {"minutes": 10.0, "max_steps": 100, "group_size": 8, "prompts": None}
    fast, middle, slow = (plan(cost, **budget) for cost in (0.02, 0.06, 0.2))  # type: ignore[arg-type]
    assert (fast.prompts, fast.updates) == (MOST_PROMPTS, 100)
    assert LEAST_PROMPTS < middle.prompts < MOST_PROMPTS and middle.updates == 100
    assert slow.prompts == LEAST_PROMPTS and ENOUGH <= slow.updates < 100


def test_a_batch_that_was_asked_for_is_kept_and_none_is_smaller_than_the_processes():
    assert plan(0.2, minutes=10, max_steps=100, group_size=8, prompts=24).prompts == 24
    assert plan(9.0, minutes=10, max_steps=100, group_size=8, prompts=None, least=16).prompts == 16
    assert plan(9.0, minutes=0, max_steps=5, group_size=8, prompts=None).prompts == MOST_PROMPTS  # no time to save


def test_a_run_too_short_for_a_gain_says_how_long_it_would_take():
    short = plan(2.0, minutes=10, max_steps=100, group_size=8, prompts=None)
    assert short.updates < ENOUGH
    *_, warning = short.lines(8)
    needed = int(warning.rsplit(" ", 1)[1].rstrip("."))
    longer = plan(2.0, minutes=needed, max_steps=0, group_size=8, prompts=short.prompts)
    assert longer.updates >= ENOUGH and len(longer.lines(8)) == 1


def test_a_step_costs_its_drawing_and_its_readings():
    assert Cost(1.0, 0.0).of_step("tb", practice=False) == 1.0
    assert Cost(0.0, 1.0).of_step("tb", practice=False) == 3.0  # the prior once, the policy forward and back, half of it frozen
    assert Cost(0.0, 1.0).of_step("tb", practice=True) == 5.5
    assert Cost(3.0, 1.0, speedup=2.0).of_step("ppo", practice=False) == 4.0
    assert Cost(0.0, 1.0).of_step("ppo", practice=False, critic_passes=2) == pytest.approx(10.6)  # it took twice the time of 5


def test_the_default_budget_is_whichever_is_over_first():
    made = [resolve(TrainConfig(**given), spawn=False) for given in ({}, {"minutes": 3.0}, {"max_steps": 7})]
    assert [(config.minutes, config.max_steps) for config in made] == [(11.5, 100), (3.0, 0), (0.0, 7)]


def test_a_log_gets_a_line_now_and_then_and_a_terminal_none():
    log = Console(file=io.StringIO(), width=100)
    with Pulse(log, every=0.02) as pulse:
        pulse.tell("48 of 192 poems drawn [b]", share=0.25, left=90)
        time.sleep(0.3)
    lines = log.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) >= 2 and lines[0].startswith("48 of 192 poems drawn [b]  25%  about 1.5 min left, ends ")
    with Pulse(log, every=0.02):
        pass
    n = len(log.file.getvalue())  # type: ignore[attr-defined]
    time.sleep(0.1)
    assert len(log.file.getvalue()) == n  # type: ignore[attr-defined]


def test_what_a_run_draws_does_not_depend_on_whether_this_was_timed():
    torch.manual_seed(0)
    machine._gflops(SHAPES, torch.float32, 1)
    found = torch.rand(())
    torch.manual_seed(0)
    assert found == torch.rand(())
