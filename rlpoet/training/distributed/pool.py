"""Processes that each work on a share of a step's prompts: draw, score, weigh, and give the gradient back.

Two processes of one thread do 1.6 to 1.8 times the work of one, two threads of one process 1.3 to 1.6 times
(``experiments/benchmarks/processes.py``): a tiny model's products are too small to share out well, and what stands between them is
not shared at all. The texts are drawn from the weights of the step, as by one process, and the gradient is that of all of them (but
for what is scaled to a mean over a batch, ``rlpoet.training.gflownet.credit.scaled_by_probability``, which is taken share by
share). Weights and
gradients go through pipes: some 20 MB a step each way, about a hundredth of its time, and no shared memory to run out of.
"""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import random
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from rlpoet.checkpoints.signals import ignore_signals
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Policy
from rlpoet.training.distributed.shard import Shard, joined
from rlpoet.types import Prompt


class Worker(Protocol):
    """A trainer that can work on a share of a step."""

    policy: Policy
    learned: list[nn.Parameter]
    rng: random.Random
    score: Any

    def share(self, asked: Sequence[Prompt], beta: float) -> Shard: ...


@dataclass(frozen=True)
class Task:
    """A share of a step: for whom to write, at which beta, on which weights; how far the run is, which weights of rewards may follow."""

    asked: list[Prompt]
    beta: float
    progress: float
    seed: int
    weights: np.ndarray


@dataclass(frozen=True)
class TaskResult:
    """A share and its gradient, or what went wrong."""

    share: Shard | None = None
    gradient: np.ndarray | None = None
    error: str = ""
    ours: bool = False  # whether the error is one that is told to the user as it is


class WorkerPool:
    """Processes beside this one. One that dies is told of and left out; the step in hand goes on with the others' shares.

    Args:
        build: makes the trainer of a worker, in its own process; picklable.
        n: how many, beside this one.
        threads: of each.
        tell: told of a worker's death.
    """

    def __init__(self, build: Callable[[], Worker], n: int, *, threads: int = 1, tell: Callable[[str], None] | None = None) -> None:
        self.tell = tell or (lambda _: None)
        context = multiprocessing.get_context("spawn")  # a fork would inherit locks that torch's threads hold
        self.workers: list[tuple[Any, Connection]] = []
        for number in range(n):
            here, there = context.Pipe()
            worker = context.Process(target=serve, args=(there, build, threads), daemon=True, name=f"rlpoet-worker-{number + 1}")
            worker.start()
            there.close()  # else its death would not be seen here
            self.workers.append((worker, here))

    def shared(
        self,
        share: Callable[[Sequence[Prompt], float], Shard],
        learned: Sequence[nn.Parameter],
        asked: Sequence[Prompt],
        beta: float,
        progress: float,
        *,
        seed: int,
        pad: int,
    ) -> Shard:
        """Share out a step; this process works on the first share. The gradient of all is left in ``learned``.

        Raises:
            RlpoetError: a worker's trainer raised it, or anything else.
        """
        n = min(len(self.workers) + 1, len(asked))
        weights = parameters_to_vector(learned).detach().cpu().numpy()
        seeds = random.Random(seed)
        busy = []
        for place, (worker, pipe) in enumerate(self.workers[: n - 1], start=1):
            task = Task(list(asked[place::n]), beta, progress, seeds.getrandbits(48), weights)
            try:
                pipe.send_bytes(pickle.dumps(task, pickle.HIGHEST_PROTOCOL))
                busy.append((worker, pipe))
            except OSError:
                self._drop(worker, pipe)
        shares, gradients = [share(asked[::n], beta)], [gradient_of(learned)]
        for worker, pipe in busy:
            try:
                result: TaskResult = pickle.loads(pipe.recv_bytes())
            except (EOFError, OSError):
                self._drop(worker, pipe)
                continue
            if result.share is None or result.gradient is None:
                raise RlpoetError(
                    result.error if result.ours else f"a worker process failed; expected none to. Set --processes 1.\n{result.error}"
                )
            shares.append(result.share)
            gradients.append(torch.from_numpy(result.gradient))
        rows = [len(each.log_pf) for each in shares]
        mean = torch.zeros_like(gradients[0])
        for gradient, n_rows in zip(gradients, rows, strict=True):
            mean.add_(gradient, alpha=n_rows / sum(rows))
        for parameter, part in zip(learned, mean.split([p.numel() for p in learned]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter.device)
        return joined(shares, pad=pad)

    def _drop(self, worker: Any, pipe: Connection) -> None:
        pipe.close()
        self.workers.remove((worker, pipe))
        worker.join(timeout=1)
        left = len(self.workers) + 1
        self.tell(f"A worker process ended (exit code {worker.exitcode}; out of memory?). Going on with {left}.")

    def close(self) -> None:
        """End them, whatever they are at."""
        for worker, pipe in self.workers:
            pipe.close()
            worker.kill()
        for worker, _ in self.workers:
            worker.join()
        self.workers.clear()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve(pipe: Connection, build: Callable[[], Worker], threads: int) -> None:
    """A worker's life: build a trainer, do jobs until the pipe is closed."""
    ignore_signals()  # they are the main process's to answer
    torch.set_num_threads(threads)
    trainer: Worker | None = None
    score: Any = None
    failed = TaskResult()
    try:
        trainer = build()
        score = trainer.score
    except Exception as error:
        failed = failed_result(error)
    gc.freeze()  # as the main process does (``rlpoet.training.run``)
    while True:
        try:
            task: Task = pickle.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        result = failed
        if trainer is not None:
            try:
                done = task_result(trainer, score, task, torch.from_numpy(task.weights.copy()))
                result = TaskResult(done.share, gradient_of(trainer.learned).numpy())
            except Exception as error:
                result = failed_result(error)
        try:
            pipe.send_bytes(pickle.dumps(result, pickle.HIGHEST_PROTOCOL))
        except OSError:
            return


def task_result(trainer: Worker, score: Any, task: Task, weights: torch.Tensor) -> TaskResult:
    """Work on a share with these weights; its gradient is left in the trainer's parameters."""
    if hasattr(score, "at"):
        trainer.score = score.at(task.progress)
    with torch.no_grad():
        vector_to_parameters(weights.to(trainer.learned[0]), trainer.learned)
    trainer.policy.generator.manual_seed(task.seed)
    trainer.rng.seed(task.seed)
    for parameter in trainer.learned:
        parameter.grad = None
    return TaskResult(trainer.share(task.asked, task.beta))


def gradient_of(learned: Sequence[nn.Parameter]) -> torch.Tensor:
    """All gradients in one row; 0 where there is none."""
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in learned]).cpu()


def failed_result(error: Exception) -> TaskResult:
    ours = isinstance(error, RlpoetError)
    return TaskResult(error=str(error) if ours else "".join(traceback.format_exception(error)), ours=ours)
