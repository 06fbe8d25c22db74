"""Whatever ends a run, the steps before it are saved; what breaks its numbers is left out, and a reward that fell is told."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
import signal
import sys
import time
from pathlib import Path

import pytest
import torch
from kill_harness import in_child, left
from tiny_policy import tiny_policy
from torch.optim.optimizer import register_optimizer_step_pre_hook

from policies.training_loop import Batch, Schedule, learn
from rewards.adapters.functions import as_reward
from rewards.compose import Gate, WeightedMean
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.checkpoints.folder import run_state
from rlpoet.cli.main import main
from rlpoet.errors import BrokenContractError, RlpoetError
from rlpoet.evaluation.sampled import Measured
from rlpoet.training.best import STEPS, Best, reward_change
from rlpoet.training.build import trainer_of
from rlpoet.training.config import TrainConfig
from rlpoet.training.time_limit import TimeIsUp, TimeLimited, within
from rlpoet.training.trainer import MOST_SKIPPED
from rlpoet.types import Explained, Prompt

PROMPT = Prompt("fr", "couplet")
STEP = {"train": "n_steps", "finetune": "step", "pretrain": "step"}  # of a checkpoint


# -- a limit of time ----------------------------------------------------------------------------------


def endless(texts):
    while True:
        try:
            time.sleep(0.01)
        except Exception:  # no excuse
            continue


def swallowing(texts):
    while True:
        try:
            time.sleep(10)
        except BaseException:
            if len(texts) > 1:
                raise
            texts = [*texts, ""]  # the first is caught


def drip(texts):
    while True:
        yield time.sleep(0.05) or 0.5


@pytest.mark.parametrize("function", [endless, swallowing])
def test_a_reward_without_end_is_one_error_that_names_it(function):
    reward = TimeLimited(as_reward(function), 0.05)
    began = time.monotonic()
    with pytest.raises(BrokenContractError, match=rf"^{function.__name__}: no answer for a text within 0.05 seconds.*--reward_timeout"):
        WeightedMean([(reward, 1.0)])([PROMPT], ["amour\njour"])
    assert time.monotonic() - began < 30  # these rewards would never have answered


def test_answers_that_come_one_by_one_have_to_come_in_time_too():
    class Slow:
        name = "slow"

        def score(self, prompts, texts):
            return drip(texts)

    with pytest.raises(BrokenContractError, match=r"^slow: no answer for 9 texts"):
        TimeLimited(Slow(), 0.1).score([PROMPT] * 9, ["amour\njour"] * 9)
    assert len(TimeLimited(Slow(), 2.0).score([PROMPT], ["amour\njour"])) == 2  # no more than it takes to see that it is too many


def test_a_limited_reward_is_as_the_reward_itself():
    class Mine:
        name, end_words_decide = "mine", True

        def score(self, prompts, texts):
            return [0.5 for _ in texts]

        def by_line(self, prompt, text):
            return [0.0, 0.5]

    limited = TimeLimited(Mine(), 5.0)
    assert limited.name == "mine" and limited.end_words_decide and not hasattr(limited, "judges")
    assert limited.score([PROMPT], ["a\nb"]) == [0.5] and limited.by_line(PROMPT, "a\nb") == [0.0, 0.5]
    assert not hasattr(TimeLimited(as_reward(endless), 5.0), "by_line")
    assert Gate(limited, TimeLimited(as_reward(len), 5.0)).name == "len_if_mine"
    assert pickle.loads(pickle.dumps(TimeLimited(as_reward(endless), 5.0))).seconds == 5.0


def test_the_timer_is_given_back():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeIsUp), within(0.02):
        time.sleep(5)
    with within(50.0):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 40
    assert signal.getsignal(signal.SIGALRM) is before and signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


# -- the last whole state -----------------------------------------------------------------------------

MOODY = """
import os, sys, time
class Late:
    name, asked = "late", 0
    def score(self, prompts, texts):
        self.asked += 1
        if self.asked == {at} and os.environ.get("MOODY"):
            {what}
        return [0.25 + 0.5 * (len(text) % 2) for text in texts]
    def explain(self, prompt, text):
        return None
"""


@pytest.mark.parametrize("n, what, code, told", [
    (0, "raise ZeroDivisionError('late')", 2, "late: ZeroDivisionError"),
    (1, "time.sleep(60)", 2, "late: no answer"),
    pytest.param(2, "sys.exit(3)", 2, "late: SystemExit", marks=pytest.mark.slow),
    pytest.param(3, "raise OSError(28, 'No space left on device', 'cache')", 2, "late: OSError", marks=pytest.mark.slow),
])  # fmt: skip
def test_a_reward_that_fails_costs_no_step(n, what, code, told, runs, tmp_path, monkeypatch, capsys):
    """The third step fails; the checkpoint is of the second although none was due. What goes on from it is the run that did not fail."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    # asked once for the poems shown before, once for the pre-flight, once a step
    counted = MOODY.replace("{what}", what)
    Path(f"late_{n}.py").write_text(counted.replace("{at}", "6"), encoding="utf-8")
    argv = [*runs.argv("train", tmp_path / "run"), "--save_steps", "50", "--rewards", f"{{late_{n}:Late: 1}}", "--reward_timeout", "0.5"]
    log = tmp_path / "log.txt"
    monkeypatch.setenv("MOODY", "1")
    assert in_child(argv, log=log) == code, log.read_text(encoding="utf-8")
    text = log.read_text(encoding="utf-8")
    assert told in text and "Traceback" not in text and "those before it are saved" in text
    saved = read_checkpoint(tmp_path / "run" / "checkpoint.pt")["n_steps"]
    assert saved >= 1 and run_state(tmp_path / "run") == "stopped"
    monkeypatch.delenv("MOODY")
    assert in_child(["train", "--resume", str(tmp_path / "run")], log=log) == 0, log.read_text(encoding="utf-8")
    if n == 0:
        whole = [*argv, "--output_dir", str(tmp_path / "whole")]
        assert in_child(whole, log=log) == 0, log.read_text(encoding="utf-8")
        assert left(tmp_path / "run") == left(tmp_path / "whole")


def fails_at(n: int):
    """For ``before`` of ``in_child``: an error of the system just before the weights move for the n-th time."""
    seen = 0

    def hook(*_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == n:
            raise OSError(5, "Input/output error", "somewhere")

    return lambda: register_optimizer_step_pre_hook(hook)


def test_an_error_in_the_middle_of_an_update_costs_that_step_alone(runs, tmp_path):
    folder, log = tmp_path / "run", tmp_path / "log.txt"
    argv = [*runs.argv("train", folder), "--save_steps", "50"]
    assert in_child(argv, before=fails_at(3), log=log) == 2
    assert "somewhere: Input/output error" in log.read_text(encoding="utf-8")
    assert read_checkpoint(folder / "checkpoint.pt")["n_steps"] == 2
    runs.go_on("train", folder, log)
    whole = tmp_path / "whole"
    assert in_child([*runs.argv("train", whole), "--save_steps", "50"], log=log) == 0
    assert left(folder) == left(whole)


class Weight(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(3))


def learned(folder: Path, nats, *, report=lambda *_: None, evaluate=dict, every: int = 50, steps: int = 9) -> Weight:
    model, ids = Weight(), torch.zeros(1, 2, dtype=torch.long)
    rows = iter([Batch(0.0, ids, ids)] * 99)
    learn(
        model, rows, [torch.optim.SGD(model.parameters(), lr=0.5)], Schedule(steps=steps, warmup_steps=0), checkpoint=folder / "c.pt",
        report=report, evaluate=evaluate, every=every, nats_of=lambda ids, labels: nats(model), logging=1,
    )  # fmt: skip
    return model


def test_whatever_is_raised_in_the_other_loop_the_updates_before_it_are_saved(tmp_path):
    n = 0

    def nats(model):
        nonlocal n
        n += 1
        if n == 5:
            raise ZeroDivisionError
        return model.w.sum()

    with pytest.raises(ZeroDivisionError):
        learned(tmp_path, nats)
    assert read_checkpoint(tmp_path / "c.pt")["step"] == 4
    whole = learned(tmp_path / "whole", lambda model: model.w.sum())
    assert torch.equal(learned(tmp_path, nats).w, whole.w)


def test_a_measurement_that_fails_is_made_again(tmp_path):
    seen: list[int] = []

    def evaluate():
        seen.append(1)
        if len(seen) == 2:
            raise OSError(28, "No space left on device")
        return {"eval/x": 1.0}

    told: list[tuple[int, dict]] = []
    settings = {"report": lambda *row: told.append(row), "evaluate": evaluate, "every": 2}
    with pytest.raises(OSError):
        learned(tmp_path, lambda model: model.w.sum(), **settings)
    assert read_checkpoint(tmp_path / "c.pt")["step"] == 4
    learned(tmp_path, lambda model: model.w.sum(), **settings)
    assert [step for step, row in told if "eval/x" in row] == [2, 4, 6, 8]


# -- numbers that break down --------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e6, 1e18, math.inf, math.nan])
@pytest.mark.parametrize("settings", [{}, {"temperature": 0.0}, {"top_p": 0.9}, {"beams": 2}])
def test_weights_that_overflow_are_one_error_when_they_are_sampled(scale, settings):
    policy = tiny_policy()
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.mul_(scale)
    with pytest.raises(RlpoetError, match=r"^sampling: .* no numbers; expected finite ones\..*--learning_rate"):
        policy.sample([PROMPT], 2, **settings)


class Lengths:
    """A reward that no two poems of a policy share."""

    name = "lengths"

    def score(self, prompts, texts):
        return [1.0 - len(text) % 7 / 14 for text in texts]

    def explain(self, prompt, text):
        return Explained(self.name, None, ())


def trainer(**settings):
    policy = tiny_policy()
    config = TrainConfig(
        lang="fr", forms=("couplet",), policy="x", prompts_per_step=1, group_size=2, max_steps=9, aux_rhyme_weight=0.0,
        freeze_embeddings=False, **settings,
    )  # fmt: skip
    return trainer_of(config, policy, WeightedMean([(Lengths(), 1.0)]), [PROMPT])


def breaks(trainer, monkeypatch, at: tuple[int, ...], number: float = math.nan) -> None:
    """Gradients of these steps are no numbers."""
    real, model = trainer.descend, trainer.policy.model

    def descend(fresh=None, **settings):
        if trainer.n_steps + 1 in at:
            next(weight for weight in model.parameters() if weight.grad is not None).grad.fill_(number)
        return real(fresh, **settings)

    monkeypatch.setattr(trainer, "descend", descend)


def weights(trainer) -> list[torch.Tensor]:
    return [weight.detach().clone() for weight in trainer.policy.model.parameters()]


def same(a, b) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("algo", ["tb", "ppo"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_an_update_whose_gradient_is_no_number_is_left_out(algo, number, monkeypatch):
    run = trainer(algo=algo)
    breaks(run, monkeypatch, (2,), number)
    run.step(0.1)
    before = weights(run)
    metrics, _, _ = run.step(0.2)
    assert same(weights(run), before) and metrics["train/update_skipped"] == 1.0 and run.n_skipped == 1
    metrics, _, _ = run.step(0.3)
    assert metrics["train/update_skipped"] == 0.0 and run.n_steps == 3
    assert not same(weights(run), before)


def test_an_update_that_breaks_the_weights_is_taken_back(monkeypatch):
    run = trainer()
    run.step(0.1)
    before, optimizer = weights(run), run.optimizer.state_dict()["state"][0]["step"].item()
    real = run.optimizer.step

    def wild(*args):
        real(*args)
        with torch.no_grad():
            run.learned[0].fill_(math.inf)

    with monkeypatch.context() as patch:
        patch.setattr(run.optimizer, "step", wild)
        metrics, _, _ = run.step(0.2)
    assert metrics["train/update_skipped"] == 1.0 and same(weights(run), before)
    assert run.optimizer.state_dict()["state"][0]["step"].item() == optimizer
    run.step(0.3)
    assert run.n_steps == 3 and run.n_skipped == 1


def test_a_run_gives_up_when_every_update_breaks(monkeypatch):
    run = trainer()
    breaks(run, monkeypatch, tuple(range(1, 99)))
    before = weights(run)
    for _ in range(MOST_SKIPPED - 1):
        run.step(0.1)
    with pytest.raises(RlpoetError, match=r"step 3: the norm of the gradient is nan, .*--learning_rate"):
        run.step(0.1)
    assert same(weights(run), before)


def test_the_other_loop_leaves_them_out_too(tmp_path):
    n, told = 0, []

    def nats(model):
        nonlocal n
        n += 1
        return (model.w * (math.nan if n == 3 else 1.0)).sum()

    model = learned(tmp_path, nats, report=lambda step, row: told.append((step, row)))
    assert torch.isfinite(model.w).all() and read_checkpoint(tmp_path / "c.pt")["step"] == 9
    assert [step for step, row in told if "train/update_skipped" in row] == [3]
    assert all(math.isfinite(number) for _, row in told for number in row.values())


# -- a reward that fell -------------------------------------------------------------------------------


def test_a_run_that_unlearns_says_so_and_keeps_its_best_weights(runs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("rlpoet.training.best.STEPS", 1)
    folder = tmp_path / "run"
    argv = [*runs.argv("train", folder), "--learning_rate", "30", "--eval_samples", "32", "--max_steps", "4"]
    monkeypatch.setattr("rlpoet.training.build.composed", lambda weights, options, **_: WeightedMean([(Lengths(), 1.0)]))
    monkeypatch.setattr("rlpoet.training.run.reward_change", lambda before, after, score: worse(reward_change(before, after, score)))
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert "The reward fell: " in out and "is worse than the policy it began with" in out
    result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    assert result["reward"]["fell"] and result["reward"]["best"]["step"] in range(1, 5)
    assert "The reward fell" in (folder / "report.html").read_text(encoding="utf-8")
    assert (folder / "best" / "config.json").exists() and "the weights after them are in" in out


def worse(change):
    """The same, as if the poems before had earned 1 each, less what they are short of it: a fall that chance cannot make."""
    return dataclasses.replace(change, before=-1.0, after=-2.0, change=(-1.5, -0.5))


def side(prompts, texts) -> Measured:
    return Measured({}, tuple(prompts), tuple(texts), ())


@pytest.mark.parametrize("before, after, fell", [("a", "b", True), ("b", "a", False), ("a", "a", False)])
def test_a_reward_fell_if_the_poems_after_earn_less_by_more_than_chance(before, after, fell):
    score = WeightedMean([(as_reward(lambda texts: [float("a" in text) for text in texts]), 1.0)])
    prompts = [Prompt("fr", "couplet", f"{i // 4}") for i in range(64)]
    found = reward_change(side(prompts, [f"{before}\nx"] * 64), side(prompts, [f"{after}\nx"] * 64), score)
    assert found.fell is fell and (found.before, found.after) == (float(before == "a"), float(after == "a"))


def test_chance_is_no_fall():
    score = WeightedMean([(as_reward(lambda texts: [float("a" in text) for text in texts]), 1.0)])
    prompts = [Prompt("fr", "couplet", f"{i // 4}") for i in range(64)]
    texts = [f"{'ab'[i % 2]}\nx" for i in range(64)]
    assert not reward_change(side(prompts, texts), side(prompts, [*texts[:-2], "b\nx", "b\nx"]), score).fell


def test_the_best_weights_are_those_after_the_best_steps(tmp_path):
    model = Weight()
    best = Best(model)
    rewards = [0.1] * STEPS + [0.9] * STEPS + [0.0] * STEPS
    rows = []
    for step, reward in enumerate(rewards, start=1):
        with torch.no_grad():
            model.w.fill_(float(step))
        rows.append({"reward/mean": reward})
        best.look(step, rows[-1])
        if step == 15:  # a run that is stopped and goes on
            best.keep(tmp_path / "best.pt")
            best = Best(model)
            best.take_up(tmp_path / "best.pt", rows)
    assert best.step == 2 * STEPS and best.mean == pytest.approx(0.9)
    with best.put_in():
        assert model.w.tolist() == [2.0 * STEPS] * 3
    assert model.w.tolist() == [3.0 * STEPS] * 3


def test_a_damaged_file_of_the_best_weights_costs_nothing_else(tmp_path):
    (tmp_path / "best.pt").write_bytes(b"PK\x03\x04")
    best = Best(Weight())
    best.take_up(tmp_path / "best.pt", [])
    assert best.mean == -math.inf
