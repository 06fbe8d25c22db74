"""Asynchronous trajectory balance: texts that others drew have the gradient of one's own, and a run on Ray outlives its searchers."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from tiny_policy import tiny_policy
from trainers import make

from rewards.compose import WeightedMean
from rewards.rhyme import Rhyme
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import read_jsonl
from rlpoet.training.build import threads_of_a_process
from rlpoet.training.config import TrainConfig
from rlpoet.training.distributed.searchers import Found, Job, Searcher, Searchers
from rlpoet.training.gflownet.asynchronous import Ahead
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.types import Prompt

ROOT = Path(__file__).parents[2]
PROMPTS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Paul Verlaine"), Prompt("fr", "quatrain-abab")]
USUAL: dict[str, Any] = {"prompts_per_step": 3, "group_size": 4, "warmup": 0.0, "aux_rhyme_weight": 0.0, "credit": "poem"}


def vowels(texts: Sequence[str]) -> list[float]:
    """A reward that random weights can earn."""
    return [min(5 * text.count("e") / max(len(text), 1), 1.0) for text in texts]


def trainer(**settings: Any) -> TBTrainer:
    run = make(TBTrainer, tiny_policy(), WeightedMean([(Rhyme(), 1.0), (vowels, 1.0)]), PROMPTS, **{**USUAL, **settings})
    with torch.no_grad():
        for parameter in run.learned:
            parameter.mul_(1.2)
    return run


class Here(Searchers):
    """Searchers that do a job when it is asked for: what Ray does, without its processes."""

    def __init__(self, build: Any, n: int = 2, *, last_first: bool = False) -> None:
        self.searchers = [Searcher(build, torch.get_num_threads()) for _ in range(n)]
        self.version, self.jobs, self.last_first = -1, [], last_first

    def offer(self, weights: Any, version: int) -> None:
        self._offered = [{name: tensor.clone() for name, tensor in weights.items()}]
        self.version = version

    def begin(self, prompts: Sequence[Prompt], *, seed: int, progress: float) -> None:
        job = Job(tuple(prompts), seed, progress, self.version)
        self.jobs.append(self.searchers[len(self.jobs) % len(self)].search(job, self._offered))

    @property
    def n_running(self) -> int:
        return len(self.jobs)

    def take(self) -> Found:
        return self.jobs.pop(-1 if self.last_first else 0)

    def close(self) -> None:
        self.jobs.clear()


@pytest.fixture
def plain_get(monkeypatch: pytest.MonkeyPatch) -> None:
    """References to weights are the weights."""
    monkeypatch.setattr("rlpoet.training.distributed.searchers.fetched", lambda reference: reference)
    monkeypatch.setattr("rlpoet.training.distributed.searchers.ignore_signals", lambda: None)


def learner(ranks: Searchers, **settings: Any) -> TBTrainer:
    run = trainer(**settings)
    run.ranks = ranks
    run.ahead = Ahead(ranks, run.options.refresh_steps)
    return run


def gradients(run: TBTrainer) -> list[torch.Tensor]:
    more = [*run.flows.parameters()] if run.flows is not None else []
    return [p.grad.clone() for p in (*run.learned, *more) if p.grad is not None]


@pytest.mark.parametrize("settings", [{}, {"objective": "subtb", "log_z": "learned"}, {"replay": 0.5}, {"explore": ("hot",)}])
def test_texts_of_searchers_have_the_gradient_of_texts_drawn_here(settings):
    own, given = trainer(**settings), trainer(**settings)
    weighed = own.weigh(PROMPTS, 4.0)
    with torch.no_grad():
        log_prior = given.prior.log_prob(weighed.fresh).sum(1)
    sent = dataclasses.replace(weighed.fresh, token_masks=None, mask_of=None)
    given.policy.sample(PROMPTS, 4)  # what exploration draws afterwards has the same random numbers
    again = given.weigh([], 4.0, Found(sent, weighed.scored, log_prior, 0))
    assert again.fresh.texts == weighed.fresh.texts and again.n_prompts == 3
    assert again.figures() == pytest.approx(weighed.figures(), rel=1e-4, abs=1e-5)
    left, right = gradients(own), gradients(given)
    assert len(left) == len(right) > 0
    assert all(torch.allclose(a, b, rtol=1e-3, atol=1e-6) for a, b in zip(left, right, strict=True))


@pytest.mark.usefixtures("plain_get")
def test_the_first_step_draws_for_two_and_each_later_one_for_one():
    ranks = Here(trainer)
    run = learner(ranks, refresh_steps=2)
    behind = []
    for step in range(5):
        metrics, fresh, scored = run.step(step / 5)
        assert len(fresh) == 12 == len(scored.total) and ranks.n_running == 2
        behind.append(metrics["gfn/staleness"])
        assert "train/grad_norm" in metrics and metrics["time/fresh_samples"] == 12 * (step + 1)
    assert behind == [0.0, 1.0, 2.0, 1.0, 2.0]  # drawn a step before, by weights that are sent every second step


@pytest.mark.usefixtures("plain_get")
def test_searchers_draw_with_the_weights_of_the_run():
    ranks = Here(trainer, 1)
    run = learner(ranks, refresh_steps=1, learning_rate=0.01)
    for _ in range(3):
        run.step(0.0)
    found = ranks.take()
    assert found.version == 2
    with torch.no_grad():
        for parameter, was in zip(ranks.searchers[0].trainer.policy.model.parameters(), run.policy.model.parameters(), strict=True):
            assert parameter.shape == was.shape
        prior = run.prior.log_prob(run.masked(found.rollout)).sum(1)
    assert torch.allclose(found.log_prior, prior, atol=1e-3)
    offered = ranks._offered[0]
    held = dict(ranks.searchers[0].trainer.policy.model.named_parameters())
    assert all(torch.equal(held[name], tensor) for name, tensor in offered.items()) and offered


@pytest.mark.usefixtures("plain_get")
def test_what_is_done_first_is_learned_from_first():
    ranks = Here(trainer, last_first=True)
    run = learner(ranks)
    first = run.step(0.0)[1]
    assert len(first) == 12 and ranks.n_running == 2
    waiting = {job.rollout.texts for job in ranks.jobs}
    run.step(0.5)
    assert {job.rollout.texts for job in ranks.jobs} == waiting  # they are never lost, though others were done first


def test_credit_by_word_is_refused_since_it_takes_texts_for_the_policy_s_own():
    with pytest.raises(RlpoetError, match=r"--tb.searchers 2: credit is 'word'.*--tb.credit poem"):
        TBOptions(searchers=2)
    assert TBOptions(searchers=2, preset="textbook").credit == "poem" and TBOptions(searchers=1, objective="subtb").searchers == 1
    with pytest.raises(RlpoetError, match=r"--tb.cluster.*ray:ADDRESS"):
        TBOptions(searchers=2, credit="poem", cluster="slurm")


def test_processes_and_searchers_are_refused_together(capsys, tmp_path):
    words = ["--tb.searchers", "1", "--tb.credit", "poem", "--processes", "2", "--output_dir", str(tmp_path / "run")]
    assert main(["train", "--lang", "fr", *words]) == 2
    assert "--processes 2: with tb.searchers" in capsys.readouterr().err


def test_cores_are_shared_with_searchers_of_this_machine():
    config = TrainConfig(tb=TBOptions(searchers=3, credit="poem"))
    assert threads_of_a_process(config, 8) == 2 and threads_of_a_process(config, 2) == 1
    assert threads_of_a_process(TrainConfig(tb=TBOptions(searchers=3, credit="poem", cluster="ray:auto")), 8) == 8
    assert threads_of_a_process(TrainConfig(processes=2), 8) == 4


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RlpoetError, match=r"--tb.searchers 1: Ray is not installed.*rlpoet\[ray\]"):
        Searchers(trainer, 1)


# -- on Ray itself -----------------------------------------------------------------------------------


def command(folder: Path, *words: str) -> list[str]:
    small = {"policy": folder / "policy", "minutes": 0, "eval_samples": 8, "prompts_per_step": 2, "group_size": 2, "save_steps": 1,
             "threads": 2, "report_to": "none", "output_dir": folder / "run", "tb.searchers": 1, "tb.credit": "poem"}  # fmt: skip
    return [sys.executable, "-m", "rlpoet", "train", *(str(word) for key, value in small.items() for word in (f"--{key}", value)), *words]


def start(words: Sequence[str], folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        words, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def steps(folder: Path) -> list[Any]:
    with contextlib.suppress(OSError, ValueError):
        return [row for row in read_jsonl(folder / "metrics.jsonl") if row.get("step")]
    return []


def searcher_of(run: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    for process in psutil.Process(run.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if any("ray::Searcher" in word for word in process.cmdline()):
                yield process


@pytest.mark.slow
def test_a_searcher_that_is_killed_is_replaced_and_a_stopped_run_goes_on(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'rlpoet[ray]'")
    tiny_policy().save(tmp_path / "policy")
    run = start(command(tmp_path, "--max_steps", "40"), tmp_path)
    killed: list[int] = []
    while run.poll() is None and len(steps(tmp_path / "run")) < 12:
        if len(steps(tmp_path / "run")) >= 3 and not killed:
            for process in searcher_of(run):
                process.send_signal(signal.SIGKILL)
                killed.append(process.pid)
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)  # which Ray would take for itself
    _, told = run.communicate()
    assert run.returncode == 130 and len(killed) == 1, told
    rows = steps(tmp_path / "run")
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1)) and len(rows) >= 12
    assert max(row["gfn/staleness"] for row in rows) <= 3
    again = start([sys.executable, "-m", "rlpoet", "train", "--resume", str(tmp_path / "run")], tmp_path)
    _, told = again.communicate()
    assert again.returncode == 0, told
    result = json.loads((tmp_path / "run/result.json").read_text(encoding="utf-8"))
    assert result["steps"] == 40 and result["fresh_samples"] == 40 * 4 and not result["interrupted"]


def moody() -> TBTrainer:
    """A searcher whose reward says what is wrong with couplets, and has a fault of its own over quatrains."""
    run = trainer()

    def score(prompts: Sequence[Prompt], texts: Sequence[str]) -> Any:
        if prompts[0].form == "couplet":
            raise RlpoetError("lexicon.txt: not found; expected a file.")
        raise ZeroDivisionError("no syllables")

    run.score = score  # not through the one that asks, which puts every error into words
    return run


@pytest.mark.slow
def test_what_a_searcher_raises_is_raised_here(monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'rlpoet[ray]'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # its processes import this file
    with Searchers(moody, 1) as ranks:
        run = learner(ranks)
        run.prompts = PROMPTS[:2]
        with pytest.raises(RlpoetError, match=r"^lexicon\.txt: not found"):
            run.step(0.0)
        run.prompts = PROMPTS[2:]
        while ranks.n_running:
            with contextlib.suppress(RlpoetError):
                ranks.take()
        with pytest.raises(RlpoetError, match=r"(?s)a searcher failed.*ZeroDivisionError: no syllables"):
            run.step(0.0)
