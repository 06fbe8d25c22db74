"""A part of a job says how far it is and when it ends, from its own pace."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rlpoet.reporting import progress
from rlpoet.reporting.progress import Pulse


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def pulse_on(*, terminal: bool) -> Pulse:
    return Pulse(Console(file=io.StringIO(), width=100, force_terminal=terminal))


def test_a_part_ends_when_its_pace_says(clock):
    pulse = pulse_on(terminal=False)
    tick = pulse.part("writing", 200)
    assert (pulse.words, pulse.share, pulse.ends) == ("writing", 0.0, None) and pulse.line() == "writing  0%"
    tick(50)
    assert (pulse.share, pulse.ends) == (0.25, None)  # one moment says nothing of a pace
    clock[0] += 10
    tick(100, "writing more")
    assert (pulse.words, pulse.share, pulse.ends) == ("writing more", 0.5, 130.0)  # 50 took 10 s, 100 are left
    clock[0] += 40
    tick(150)
    assert (pulse.words, pulse.ends) == ("writing more", 175.0)  # 100 took 50 s, 50 are left


def test_what_was_done_before_a_stop_is_no_pace(clock):
    pulse = pulse_on(terminal=False)
    tick = pulse.part("training", 1.0)
    tick(0.9)
    clock[0] += 10
    tick(0.95)
    assert pulse.ends == pytest.approx(clock[0] + 10)


def test_a_new_part_forgets_when_the_one_before_would_have_ended(clock):
    pulse = pulse_on(terminal=False)
    tick = pulse.part("one", 10)
    tick(1)
    clock[0] += 1
    tick(2)
    assert pulse.ends is not None
    pulse.part("two", 10)
    assert (pulse.words, pulse.share, pulse.ends) == ("two", 0.0, None)
    pulse.part("nothing to do", 0)(0)
    assert pulse.share == 1.0


def test_words_in_brackets_are_shown_in_a_terminal():
    pulse = pulse_on(terminal=True)
    with pulse:
        pulse.part("measuring [b]", 10)(5)
        pulse._bar.refresh()
    assert "measuring [b]" in pulse.out.file.getvalue()
