"""Steps shared by the processes that ``torchrun`` started, on one machine or several.

Every rank opens the policy, draws, scores and weighs its share of a step's prompts, and one ``reduce`` adds up the gradients. Rank 0 runs
the training: it measures, takes the optimizer's step, sends the weights, and alone writes files. It is the work of
``rlpoet.training.distributed.pool`` with ``torch.distributed`` in the place of pipes, so a seed gives the same texts either way.

Gradients and weights go over the processors (gloo): some 20 MB a step of a shipped model.
"""

from __future__ import annotations

import atexit
import datetime
import random
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import distributed, nn
from torch.nn.utils import parameters_to_vector

from rlpoet.checkpoints.signals import ignore_signals
from rlpoet.errors import RlpoetError
from rlpoet.training.distributed.pool import Task, TaskResult, Worker, failed_result, gradient_of, task_result
from rlpoet.training.distributed.shard import Shard, joined
from rlpoet.types import Prompt

PATIENCE = datetime.timedelta(days=7)  # rank 0 measures, for as long as that takes, while the others wait


def is_launched() -> bool:
    """Whether ``torchrun`` started this process, as one of several."""
    return distributed.is_available() and distributed.is_torchelastic_launched()


def join_group() -> tuple[int, int]:
    """Number of this process among those of ``torchrun``, and how many they are."""
    if not distributed.is_initialized():
        distributed.init_process_group("gloo", timeout=PATIENCE)
        atexit.register(distributed.destroy_process_group)
        if torch.cuda.is_available():  # what "cuda" means in this process
            torch.cuda.set_device(distributed.get_node_local_rank() % torch.cuda.device_count())
    return distributed.get_rank(), distributed.get_world_size()


class RankPool:
    """The other ranks, as rank 0 sees them: it hands out the shares of a step. The group must be joined.

    Args:
        build: makes the trainer of a rank, in its own process; picklable.
        threads: of each.
    """

    def __init__(self, build: Callable[[], Worker], *, threads: int = 1) -> None:
        self.n_ranks = distributed.get_world_size()
        self._send((build, threads))
        self.is_open = True

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
            RlpoetError: a rank's trainer raised it, or anything else.
        """
        n = min(self.n_ranks, len(asked))
        weights = parameters_to_vector(learned).detach().cpu()
        seeds = random.Random(seed)
        tasks = [Task(list(asked[place::n]), beta, progress, seeds.getrandbits(48), weights[:0].numpy()) for place in range(1, n)]
        self._send([len(weights), *tasks, *[None] * (self.n_ranks - n)])  # a rank without a prompt has nothing to do
        distributed.broadcast(weights, 0)
        own = share(asked[::n], beta)
        total = _reduced(gradient_of(learned), len(own.log_pf))
        results: list[Any] = [None] * self.n_ranks
        distributed.gather_object(TaskResult(own), results)
        shares = []
        for result in results[:n]:
            if result.share is None:
                raise RlpoetError(result.error if result.ours else f"a rank failed; expected none to. Start one process.\n{result.error}")
            shares.append(result.share)
        mean = total[:-1] / total[-1]
        for parameter, part in zip(learned, mean.split([p.numel() for p in learned]), strict=True):
            parameter.grad = part.view_as(parameter).to(parameter)
        return joined(shares, pad=pad)

    def _send(self, what: Any) -> None:
        distributed.broadcast_object_list([what], 0)

    def close(self) -> None:
        """Let the other ranks end."""
        if self.is_open:
            self.is_open = False
            self._send(None)

    def __enter__(self) -> RankPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def serve_rank() -> int:
    """The life of a rank other than 0: build a trainer, work on shares until rank 0 closes. Files are rank 0's."""
    ignore_signals()  # they are rank 0's to answer
    rank = distributed.get_rank()
    first = _received()
    if first is None:
        return 0
    build, threads = first
    torch.set_num_threads(threads)
    trainer, score, failed = None, None, TaskResult()
    try:
        trainer = build()
        score = trainer.score
    except Exception as error:
        failed = failed_result(error)
    while (tasks := _received()) is not None:
        weights = torch.empty(tasks[0])  # told by rank 0: a rank whose trainer cannot be built takes part in the exchange all the same
        distributed.broadcast(weights, 0)
        result, n_rows, gradient = failed, 0, torch.zeros(len(weights))
        if trainer is not None and tasks[rank] is not None:
            try:
                result = task_result(trainer, score, tasks[rank], weights)
                gradient = gradient_of(trainer.learned)
                n_rows = 0 if result.share is None else len(result.share.log_pf)
            except Exception as error:
                result = failed_result(error)
        _reduced(gradient, n_rows)
        distributed.gather_object(result)
    return 0


def _received() -> Any:
    what = [None]
    distributed.broadcast_object_list(what, 0)
    return what[0]


def _reduced(gradient: torch.Tensor, n_rows: int) -> torch.Tensor:
    """Gradients of all ranks, each times its texts, and after them the number of texts; right on rank 0."""
    total = torch.cat([gradient.float() * n_rows, torch.tensor([float(n_rows)])])
    distributed.reduce(total, 0)
    return total
