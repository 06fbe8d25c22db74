"""What a user's reward answers is checked on every path, told in one line, and costs nothing that was saved."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rewards.adapters.functions import as_reward
from rewards.asking import scores_of
from rewards.compose import Gate, Product, WeightedMean
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.checkpoints.folder import run_state
from rlpoet.cli.main import main
from rlpoet.errors import BrokenContractError
from rlpoet.types import Explained, Prompt

PROMPT = Prompt("es", "pareado")
TEXTS = ["amor\ndolor", "vida\nluna"]


class Answers:
    """A reward that gives what it is told to, and counts how often it is asked."""

    name = "mine"

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, 0

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Any:
        self.asked += len(texts)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer(texts) if callable(self.answer) else self.answer

    def explain(self, prompt: Prompt, text: str) -> Explained:
        return Explained(self.name, None, ())


class Odd:
    """What neither is a number nor can be shown."""

    def __float__(self) -> float:
        raise RuntimeError

    __repr__ = __float__


BAD = [
    (lambda texts: [0.5] * (len(texts) + 1), "scores for"),
    (lambda texts: [float("nan")] * len(texts), "score nan of 'amor"),
    (lambda texts: [float("inf")] * len(texts), "score inf of 'amor"),
    (lambda texts: [-0.1] * len(texts), r"is outside \[0, 1\]"),
    (lambda texts: [10**400] * len(texts), "gives 1000"),
    (lambda texts: ["0.5"] * len(texts), "gives '0.5' for 'amor"),
    (lambda texts: [[0.5]] * len(texts), r"gives \[0.5\]"),
    (None, "gives None; expected a list of scores"),
    (0.5, "gives 0.5; expected a list of scores"),
    (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero for 'amor"),
    (lambda texts: [1 / (text != TEXTS[1]) for text in texts], "ZeroDivisionError.* for 'vida"),
    (lambda texts: {}["x"], "KeyError: 'x'"),
    (lambda texts: itertools.repeat(0.5), "more than 2 scores for 2 texts"),
    (lambda texts: (1 / 0 for text in texts), "ZeroDivisionError: division by zero;"),
    (lambda texts: [Odd()] * len(texts), "gives <Odd instance at .* for 'amor"),
    (ValueError("x" * 10**6), r"ValueError: x{300} \.\.\. for 'amor"),
]


@pytest.mark.parametrize("answer, message", BAD)
def test_a_bad_answer_is_one_error_that_names_the_reward_on_every_path(answer, message):
    good = as_reward(lambda texts: [1.0] * len(texts))
    for whole in (WeightedMean([(Answers(answer), 1.0)]), Product([(good, 1.0), (Answers(answer), 1.0)])):
        with pytest.raises(BrokenContractError, match=f"^mine: .*{message}"):
            whole([PROMPT] * 2, TEXTS)
        with pytest.raises(BrokenContractError, match=r"^mine: "):
            [whole.by_line(PROMPT, text) for text in TEXTS]
    with pytest.raises(BrokenContractError, match=r"^mine: "):
        Gate(Answers(answer), good).score([PROMPT] * 2, TEXTS)
    with pytest.raises(BrokenContractError, match=r"mine|lambda"):
        WeightedMean([(good, 1.0), (Answers(answer), 2.0)]).score([PROMPT] * 2, TEXTS)


def test_what_a_line_adds_is_a_finite_number():
    reward = Answers(lambda texts: [0.5] * len(texts))
    for gains in ([float("nan"), 0.5], [0.0, "x"]):
        reward.by_line = lambda prompt, text, gains=gains: gains
        with pytest.raises(BrokenContractError, match=r"^mine: .*'amor"):
            WeightedMean([(reward, 1.0)]).by_line(PROMPT, TEXTS[0])


def test_numbers_of_other_libraries_are_numbers():
    for kind in (np.float32, np.float64, np.int64, int, bool, float):
        assert scores_of(Answers(lambda texts, kind=kind: [kind(1)] * len(texts)), [PROMPT] * 2, TEXTS) == (1.0, 1.0)
    assert scores_of(Answers(np.array([0.25, 0.5])), [PROMPT] * 2, TEXTS) == (0.25, 0.5)
    assert scores_of(Answers([None, 0.5]), [PROMPT] * 2, TEXTS) == (None, 0.5)


def test_a_reward_is_asked_once_for_a_batch_and_not_again_for_its_lines():
    reward = Answers(lambda texts: [0.5] * len(texts))
    whole = WeightedMean([(reward, 1.0)])
    whole([PROMPT] * 2, TEXTS)
    assert [whole.by_line(PROMPT, text) for text in TEXTS] == [[0.0, 0.5]] * 2 and reward.asked == 2
    whole.by_line(PROMPT, "otra\ncosa")
    assert reward.asked == 3


LATE = """
class Late:
    name, calls = "late", 0
    def score(self, prompts, texts):
        self.calls += 1
        return [float("nan") if self.calls == {at} else 0.5 for text in texts]
    def explain(self, prompt, text):
        raise NotImplementedError
"""


@pytest.mark.parametrize("at", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_late_nan_ends_a_run_in_one_line_and_its_checkpoint_stands(at, runs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    name = f"moody_{at}"
    Path(f"{name}.py").write_text(LATE.replace("{at}", str(at)), encoding="utf-8")
    argv = [*runs.argv("train", tmp_path / "run"), "--save_steps", "1", "--rewards", f"{{{name}:Late: 1}}"]
    assert main(argv) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if "late: " in line or "Traceback" in line]
    assert len(told) == 1 and "late: score nan of" in told[0]
    assert run_state(tmp_path / "run") == ("new" if at == 1 else "stopped")
    if at > 1:
        assert 0 < read_checkpoint(tmp_path / "run" / "checkpoint.pt")["n_steps"] < 3
