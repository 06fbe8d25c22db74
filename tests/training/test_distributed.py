"""Steps that several processes share: the gradient of one process, a resumed run, and what a death or an error among them does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import torch
from tiny_policy import tiny_policy
from trainers import make

from rewards.compose import WeightedMean
from rewards.rhyme import Rhyme
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.distributed.ranks import RESTARTS, Group, Spawned
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import HIGHEST, Scores, Update, joined
from rlpoet.types import Prompt

PROMPTS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Paul Verlaine"), Prompt("fr", "quatrain-abab")]
REFUSED, EXPLAINED = Prompt("fr", "quatrain-abba"), Prompt("fr", "quatrain-aabb")
USUAL: dict[str, Any] = {"prompts_per_step": 3, "group_size": 4, "warmup": 0.0, "aux_rhyme_weight": 0.0}
KINDS: dict[str, tuple[type[Trainer], dict[str, Any]]] = {
    "tb": (TBTrainer, {}),
    "tb-flows": (TBTrainer, {"objective": "subtb", "log_z": "learned", "credit": "poem"}),
    "tb-replay": (TBTrainer, {"replay": 0.5, "credit": "poem"}),
    "tb-explore": (TBTrainer, {"explore": ("rhyme", "hot")}),
    "ppo": (PPOTrainer, {"minibatches": 1, "value_minibatches": 1, "epochs": 1}),
    "rft": (RejectionTrainer, {"keep_above": 0.0}),
    "rft-target": (RejectionTrainer, {"keep": "target", "refresh_steps": 0}),
}


class Moody(Rhyme):
    """A reward that fails over one form as a user's might, and says over another what is wrong."""

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        if REFUSED in prompts:
            raise ZeroDivisionError("no syllables")
        if EXPLAINED in prompts:
            raise RlpoetError("lexicon.txt: not found; expected a file.")
        return super().score(prompts, texts)


def vowels(texts: Sequence[str]) -> list[float]:
    """A reward that random weights can earn: the share of e among the letters, up to a fifth."""
    return [min(5 * text.count("e") / max(len(text), 1), 1.0) for text in texts]


def trainer(kind: str, cls: type[Any] | None = None) -> Any:
    """A trainer whose weights are so far from the prior's that rounding is nothing beside residuals."""
    own, settings = KINDS[kind]
    run = make(cls or own, tiny_policy(), WeightedMean([(Moody(), 1.0), (vowels, 1.0)]), PROMPTS, **{**USUAL, **settings})
    with torch.no_grad():
        for parameter in run.learned:
            parameter.mul_(1.2)
    return run


class Anyone:
    """A worker that is told which trainer it is, one after another."""

    def follow(self, group: Group) -> None:
        while (kind := group.receive()) is not None:
            trainer(kind).follow(group)


@pytest.fixture(scope="module")
def pool() -> Iterator[Spawned]:
    with Spawned(Anyone, 1) as ranks:  # one for most tests: a process imports torch for seconds
        yield ranks


def shared(pool: Spawned, kind: str) -> Any:
    if not pool.workers:  # a test that has workers of its own came first
        pool.start()
    pool.send(kind)
    run = trainer(kind)
    run.ranks = pool
    return run


class Given:
    """A trainer whose texts were drawn elsewhere."""

    texts: Rollout

    def draw(self, prompts: Sequence[Prompt], **settings: Any) -> Rollout:
        self._texts = self.masked(self.texts)  # type: ignore[attr-defined]
        return self._texts


def gradients(run: Any) -> list[torch.Tensor]:
    more = [*run.critic.parameters()] if isinstance(run, PPOTrainer) else []
    more += [*run.flows.parameters()] if getattr(run, "flows", None) is not None else []
    return [p.grad.clone() for p in (*run.learned, *more) if p.grad is not None]


@pytest.mark.parametrize("kind", ["tb", "tb-flows", "ppo", "rft", "rft-target"])
def test_two_ranks_have_the_gradient_of_one_that_drew_their_texts(pool, kind):
    """In the second step nearly, so that the weights of both ranks have moved alike: Adam's first step is a sign, that of rounding too."""
    run = shared(pool, kind)
    alone = trainer(kind, type("Alone", (Given, KINDS[kind][0]), {}))
    for tolerance in (1e-3, 0.3):
        metrics, fresh, scored = run.step(0.0)
        assert len(fresh) == 12 and len(scored.total) == 12
        alone.texts = fresh
        told = alone.work(list(dict.fromkeys(fresh.prompts)), 0.0, None)
        alone.n_steps += 1
        for left, right in zip(gradients(run), gradients(alone), strict=True):
            assert (left - right).norm() <= tolerance * right.norm() + 1e-7
        for name in ("reward/mean", "objective/kl", "train/grad_norm"):
            assert metrics[name] == pytest.approx(told.figures[name], rel=tolerance, abs=2e-3)
    pool.send(None)


def test_a_resumed_run_of_two_ranks_is_the_uninterrupted_one(pool, tmp_path):
    kind = "tb-replay"
    run = shared(pool, kind)
    run.step(0.0)
    run.save(tmp_path / "checkpoint.pt")
    _, fresh, _ = run.step(0.5)
    weights = [p.detach().clone() for p in run.learned]
    pool.send(None)
    again = shared(pool, kind)
    again.load(tmp_path / "checkpoint.pt")
    assert again.step(0.5)[1].texts == fresh.texts
    assert all(torch.equal(own, other) for own, other in zip(again.learned, weights, strict=True))
    assert len(run.replay) > 4 and again.replay.state()[0].keys() == run.replay.state()[0].keys() and len(again.replay) == len(run.replay)
    pool.send(None)


def test_exploration_and_few_prompts_are_shared_too(pool):
    run = shared(pool, "tb-explore")
    metrics, fresh, _ = run.step(0.0)
    assert metrics["explore/texts"] >= 3 and len(fresh) == 12
    run.prompts = PROMPTS[:1]
    metrics, fresh, _ = run.step(0.0)
    assert len(fresh) == 12 and set(fresh.prompts) == {PROMPTS[0]}  # which then stands three times in a step
    pool.send(None)


@pytest.mark.slow
@pytest.mark.parametrize(("prompt", "message"), [(REFUSED, "rhyme: ZeroDivisionError: no syllables"), (EXPLAINED, "^lexicon.txt")])
def test_what_a_worker_raises_is_raised_here(pool, prompt, message):
    pool.close()  # a process is in one group at a time
    with Spawned(Tb, 1) as ranks:
        run = trainer("tb")
        run.ranks, run.prompts = ranks, [PROMPTS[0], prompt, PROMPTS[1]]
        run.rng.sample = lambda population, n: [PROMPTS[0], prompt]
        with pytest.raises(RlpoetError, match=message):
            run.step(0.0)


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_the_step_done_again(pool):
    pool.close()
    told: list[str] = []
    with Spawned(Tb, 1, tell=told.append) as ranks:
        run = trainer("tb")
        run.ranks = ranks
        assert len(run.step(0.0)[1]) == 12
        os.kill(ranks.workers[0].pid, signal.SIGKILL)
        assert len(run.step(0.0)[1]) == 12 and run.n_steps == 2
        assert len(told) == 1 and "exit code -9" in told[0] and ranks.workers[0].is_alive()
        ranks.restarts = RESTARTS
        os.kill(ranks.workers[0].pid, signal.SIGKILL)
        with pytest.raises(RlpoetError, match="exit code -9"):
            run.step(0.0)


class Tb:
    """A worker of trajectory balance."""

    def follow(self, group: Group) -> None:
        trainer("tb").follow(group)


def update(n: int, **figures: float) -> Update:
    told = torch.ones(n, 3, dtype=torch.long)
    fresh = Rollout((PROMPTS[0],) * n, ("a\nb",) * n, told, told.bool(), told[:, 0].bool(), told[:, :2], told[:, :2], None)
    return Update(fresh, Scores((0.5,) * n, {"rhyme": (0.5,) * n}), dict(figures))


@pytest.mark.slow
def test_figures_of_several_ranks_are_means_over_texts_sums_or_the_highest():
    both = joined(
        [update(3, a=1.0, **{"rft/kept": 2.0, "ppo/ratio_max": 1.5}), update(1, a=5.0, **{"rft/kept": 1.0, "ppo/ratio_max": 3.0})], pad=0
    )
    assert both.figures == {"a": 2.0, "rft/kept": 3.0, "ppo/ratio_max": 3.0} and len(both.fresh) == 4 == len(both.scored.total)
    assert joined([one := update(2, a=1.0)], pad=0) is one and "ppo/ratio_max" in HIGHEST
    assert joined([update(1), update(1, b=3.0)], pad=0).figures == {"b": 3.0}


@pytest.mark.slow
def test_torchrun_trains_as_one_run(tmp_path):
    policy = tmp_path / "policy"
    tiny_policy().save(str(policy))
    folder = tmp_path / "run"
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "rlpoet", "train", "--policy", str(policy),
        "--lang", "fr",
        "--algo", "ppo", "--max_steps", "2", "--eval_samples", "8", "--prompts_per_step", "2", "--group_size", "2", "--forms", "couplet",
        "--output_dir", str(folder), "--threads", "2", "--report_to", "none",
    ]  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert (folder / "policy" / "model.safetensors").exists() and not (tmp_path / "run-2").exists()
    assert done.stderr.count("saving") == 0 and '"steps": 2' in (folder / "result.json").read_text(encoding="utf-8")
