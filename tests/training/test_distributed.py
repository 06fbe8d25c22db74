"""Steps that several processes share: the gradient of one process, and what a death or an error among them does."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
from collections.abc import Iterator, Sequence

import pytest
import torch
from tiny_policy import tiny_policy
from torch import distributed
from trainers import make

from rewards.compose import WeightedMean
from rewards.rhyme import Rhyme
from rlpoet.errors import RlpoetError
from rlpoet.training.distributed.pool import WorkerPool
from rlpoet.training.distributed.ranks import RankPool, serve_rank
from rlpoet.training.distributed.shard import Shard
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.types import Prompt

PROMPTS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Paul Verlaine"), Prompt("fr", "quatrain-abab")]


REFUSED, EXPLAINED = Prompt("fr", "quatrain-abba"), Prompt("fr", "quatrain-aabb")


class Moody(Rhyme):
    """A reward that fails over one form as a user's might, and says over another what is wrong."""

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        if REFUSED in prompts:
            raise ZeroDivisionError("no syllables")
        if EXPLAINED in prompts:
            raise RlpoetError("lexicon.txt: not found; expected a file.")
        return super().score(prompts, texts)


def made() -> TBTrainer:
    score = WeightedMean([(Moody(), 1.0)])
    return make(TBTrainer, tiny_policy(), score, PROMPTS, prompts_per_step=3, group_size=4, warmup=0.0, explore=("hot",))


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    with WorkerPool(made, 1) as helping:  # one for all tests: a process imports torch for seconds
        yield helping


@pytest.fixture
def workers(pool) -> WorkerPool:
    if not pool.workers:  # the test of a death came first
        pool.__init__(made, 1)
    return pool


@pytest.mark.slow
def test_a_shared_step_has_the_gradient_of_its_texts(workers):
    here, there = made(), made()
    asked = list(PROMPTS)
    with torch.no_grad():  # the worker has to learn from these weights; so far from the prior's that rounding is nothing beside residuals
        for parameter in (*here.learned, *there.learned):
            parameter.mul_(1.3)
    both = workers.shared(here.share, here.learned, asked, 5.0, 0.0, seed=7, pad=here.policy.pad)
    first = there.share(asked[::2], 5.0)
    ours = [parameter.grad.clone() for parameter in there.learned]
    seed = random.Random(7).getrandbits(48)
    there.policy.generator.manual_seed(seed)
    there.rng.seed(seed)
    for parameter in there.learned:
        parameter.grad = None
    second = there.share(asked[1::2], 5.0)
    assert both.fresh.texts == (*first.fresh.texts, *second.fresh.texts) and both.fresh.prompts[0] == asked[0]
    assert both.n_prompts == 3 and len(both.log_pf) == len(first.log_pf) + len(second.log_pf)
    fresh = torch.cat([first.log_pf[:8], second.log_pf[:4]])  # they come first; products round by where in memory they happen to stand
    assert torch.allclose(both.log_pf[:12], fresh, atol=1e-2)
    assert both.figures()["reward/mean"] == pytest.approx(sum(both.scored.total) / 12)
    part = len(first.log_pf) / len(both.log_pf)
    for parameter, own in zip(there.learned, ours, strict=True):
        parameter.grad.mul_(1 - part).add_(own, alpha=part)
    for left, right in zip(here.learned, there.learned, strict=True):
        assert torch.allclose(left.grad, right.grad, rtol=1e-3, atol=1e-5 * float(right.grad.abs().max()) + 1e-6)


def be_a_rank(place: str) -> None:
    """Rank 1 of two."""
    distributed.init_process_group("gloo", init_method=f"file://{place}", rank=1, world_size=2)
    serve_rank()
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_give_the_step_of_a_process_and_its_worker(workers, tmp_path):
    other = multiprocessing.get_context("spawn").Process(target=be_a_rank, args=(str(tmp_path / "group"),), daemon=True)
    other.start()
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path / 'group'}", rank=0, world_size=2)
    here, there = made(), made()
    with torch.no_grad():
        for parameter in (*here.learned, *there.learned):
            parameter.mul_(1.3)
    try:
        with RankPool(made) as ranks:
            ranked = ranks.shared(here.share, here.learned, PROMPTS, 5.0, 0.0, seed=7, pad=here.policy.pad)
            alone = ranks.shared((own := made()).share, own.learned, PROMPTS[:1], 5.0, 0.0, seed=7, pad=here.policy.pad)
            with pytest.raises(RlpoetError, match=r"^lexicon.txt"):
                ranks.shared(own.share, own.learned, [PROMPTS[0], EXPLAINED], 5.0, 0.0, seed=1, pad=here.policy.pad)
            assert len(ranks.shared(own.share, own.learned, PROMPTS, 5.0, 0.0, seed=2, pad=here.policy.pad).fresh) == 12
    finally:
        distributed.destroy_process_group()
    pooled = workers.shared(there.share, there.learned, PROMPTS, 5.0, 0.0, seed=7, pad=here.policy.pad)
    assert ranked.fresh.texts == pooled.fresh.texts and len(alone.fresh) == 4
    for left, right in zip(here.learned, there.learned, strict=True):
        assert torch.allclose(left.grad, right.grad, rtol=1e-3, atol=1e-5 * float(right.grad.abs().max()) + 1e-6)
    other.join(timeout=60)
    assert other.exitcode == 0


def test_a_step_with_fewer_prompts_than_processes_leaves_workers_idle(workers):
    here = made()
    assert len(workers.shared(here.share, here.learned, PROMPTS[:1], 5.0, 0.0, seed=1, pad=here.policy.pad).fresh) == 4


@pytest.mark.parametrize(("prompt", "message"), [(REFUSED, "^rhyme: ZeroDivisionError: no syllables"), (EXPLAINED, "^lexicon.txt")])
def test_what_a_worker_raises_is_raised_here_and_ends_no_worker(workers, prompt, message):
    here = made()

    def shared(theirs: Prompt) -> Shard:
        return workers.shared(here.share, here.learned, [PROMPTS[0], theirs], 5.0, 0.0, seed=1, pad=here.policy.pad)

    with pytest.raises(RlpoetError, match=message):
        shared(prompt)
    assert len(shared(PROMPTS[1]).fresh) == 8


@pytest.mark.slow
def test_a_worker_that_dies_is_told_of_and_the_run_goes_on(workers):
    told: list[str] = []
    workers.tell = told.append
    run = made()
    run.workers = workers
    assert len(run.step(0.0)[1]) == 12
    os.kill(workers.workers[0][0].pid, signal.SIGKILL)
    workers.workers[0][0].join()
    assert len(run.step(0.0)[1]) in (8, 12)  # the share it had is lost, if it had one
    assert len(run.step(0.0)[1]) == 12 and run.n_steps == 3
    assert len(told) == 1 and "exit code -9" in told[0] and "Going on with 1" in told[0]
