"""The processes that share a run's steps, by ``torch.distributed``: each draws, scores and weighs texts for its prompts.

Rank 0 is the run: it measures, writes, saves and says what to do. All ranks take the same steps of the optimizer, for gradients are
averaged before each. So weights are sent once, and after that one row of gradients an update: some 20 MB, a hundredth of its time.

Two processes of one thread do 1.6 to 1.8 times the work of one, two threads of one process 1.3 to 1.6 times
(``experiments/benchmarks/processes.py``): a tiny model's products are too small to share out well, and what stands between them is
not shared at all.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self

import torch
import torch.distributed as dist
from torch import nn

from rlpoet.checkpoints.signals import ignore_signals
from rlpoet.errors import RlpoetError

FOREVER = datetime.timedelta(days=30)  # rank 0 may measure or wait for as long as it likes
JOINING = 300.0  # seconds that a process has for its imports
RESTARTS = 3  # of worker processes in a run: what kills more is no accident
ERROR, READY = "rlpoet/error", "rlpoet/ready"  # keys of the store


class RankLost(Exception):
    """A process of the group is gone; what it was doing is lost."""


class Ranks:
    """One process that shares nothing. ``Group`` has the same methods for several.

    Attributes:
        rank, size: number of this process, and of all.
    """

    rank, size = 0, 1

    def average(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Replace each gradient by the mean over all ranks; one that is missing counts as 0.

        Args:
            weight: of this rank, such as the texts that its loss is a mean over.
        """

    def total(self, numbers: Sequence[float]) -> list[float]:
        """The sum over all ranks of each number, in float64."""
        return list(numbers)

    def every(self, own: Any) -> list[Any]:
        """What each rank gives, in their order, to all of them."""
        return [own]

    def send(self, what: Any) -> None:
        """From rank 0 to all others, which ``receive`` it."""

    def collect(self, own: Any) -> list[Any]:
        """What each rank gives, in their order; to rank 0, and nothing to others."""
        return [own]

    def mend(self, error: RankLost) -> None:
        """After a rank was lost: replace it, and what is sent next goes to new processes that know nothing.

        Raises:
            RlpoetError: it cannot be replaced.
        """
        raise RlpoetError(str(error)) from error

    def close(self) -> None:
        """Let the others go."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Group(Ranks):
    """The ranks that ``torchrun`` or ``accelerate launch`` started, or that ``Spawned`` did.

    Args:
        store: where they meet.
        rank, size: number of this process, and of all.
    """

    def __init__(self, store: dist.Store, rank: int, size: int) -> None:
        self.store, self.rank, self.size = store, rank, size
        self.waits = True  # whether the others wait for what is sent next
        self.join()

    def join(self) -> None:
        """Meet the others; waits for all of them."""
        if dist.is_initialized():
            raise RlpoetError("torch.distributed: in use in this process already; expected it free. Set --processes 1.")
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        dist.init_process_group(backend, store=self.store, rank=self.rank, world_size=self.size, timeout=FOREVER)

    def average(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        learned = list(parameters)
        whole = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in learned])
        row = torch.cat([whole * weight, whole.new_tensor([weight])])
        self._done(lambda: dist.all_reduce(row))
        mean = row[:-1] / row[-1].clamp_min(torch.finfo(row.dtype).tiny)
        for parameter, part in zip(learned, mean.split([p.numel() for p in learned]), strict=True):
            parameter.grad = part.view_as(parameter)

    def total(self, numbers: Sequence[float]) -> list[float]:
        row = torch.tensor(numbers, dtype=torch.float64)
        self._done(lambda: dist.all_reduce(row))
        found: list[float] = row.tolist()
        return found

    def every(self, own: Any) -> list[Any]:
        found: list[Any] = [None] * self.size
        self._done(lambda: dist.all_gather_object(found, own))
        return found

    def send(self, what: Any) -> None:
        self.waits = False
        self._done(lambda: dist.broadcast_object_list([what], src=0, device=torch.device("cpu")))

    def receive(self) -> Any:
        """What rank 0 sent.

        Raises:
            RankLost: rank 0 is gone.
        """
        box = [None]
        self._done(lambda: dist.broadcast_object_list(box, src=0, device=torch.device("cpu")))
        return box[0]

    def collect(self, own: Any) -> list[Any]:
        found: list[Any] | None = [None] * self.size if self.rank == 0 else None
        self._done(lambda: dist.gather_object(own, found, dst=0))
        self.waits = True
        return found or []

    def _done(self, collective: Callable[[], Any]) -> None:
        try:
            collective()
        except RuntimeError as error:  # torch.distributed has no other name for a peer that is gone
            raise RankLost(f"a process of the run is gone, see above for its last words; the last checkpoint stands ({error})") from error

    def leave(self) -> None:
        """Be in no group; others may be gone."""
        if dist.is_initialized():
            dist.destroy_process_group()

    def close(self) -> None:
        if self.rank == 0 and self.waits and dist.is_initialized():  # in the middle of a step they see the connections close
            with contextlib.suppress(RankLost):
                self.send(None)
        self.leave()


class Spawned(Group):
    """Rank 0 of processes that it starts on this machine. Those that die are replaced between two steps.

    Args:
        build: makes the trainer of a worker, in its own process; picklable.
        n: processes beside this one.
        threads: of each.
        tell: told of a worker's death.
    """

    def __init__(self, build: Callable[[], Follower], n: int, *, threads: int = 1, tell: Callable[[str], None] | None = None) -> None:
        self.build, self.threads, self.tell = build, threads, tell or (lambda _: None)
        self.rank, self.size, self.restarts, self.waits = 0, n + 1, 0, True
        self.workers: list[Any] = []
        self.start()

    def start(self) -> None:
        """Start the workers; they meet this process at the first step, so that the run can go on in the meantime."""
        self.store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=FOREVER)
        context = torch.multiprocessing.get_context("spawn")  # a fork would inherit locks that torch's threads hold
        for rank in range(1, self.size):
            args = (self.store.port, rank, self.size, self.build, self.threads)
            worker = context.Process(target=work, args=args, daemon=True, name=f"rlpoet-worker-{rank}")
            worker.start()
            self.workers.append(worker)
        self.joined = False

    def send(self, what: Any) -> None:
        if not self.joined:
            self._meet()
        super().send(what)

    def _meet(self) -> None:
        until = time.monotonic() + JOINING
        keys = [f"{READY}/{rank}" for rank in range(1, self.size)]
        while not self.store.check(keys):
            if any(not worker.is_alive() for worker in self.workers) or time.monotonic() > until:
                raise RankLost("a worker process did not start")
            time.sleep(0.05)
        self.join()
        self.joined = True

    def mend(self, error: RankLost) -> None:
        """Start the workers again.

        Raises:
            RlpoetError: one of them raised it, or they died more often than ``RESTARTS``.
        """
        gone = self._codes()
        if self.store.check([ERROR]):
            raise RlpoetError(self.store.get(ERROR).decode()) from error
        self._end()
        self.restarts += 1
        codes = ", ".join(map(str, gone)) or "unknown"
        if self.restarts > RESTARTS:
            raise RlpoetError(
                f"a worker process ended (exit code {codes}) for the {self.restarts}th time; expected it to live. The last checkpoint "
                "stands. Go on with --resume, and set --processes 1 in a new run if memory is short."
            ) from error
        self.tell(f"A worker process ended (exit code {codes}; out of memory?). Starting it again; the step in hand begins anew.")
        self.start()

    def _codes(self) -> list[int]:
        """Exit codes of the workers that ended; a death is seen by its closed connections first."""
        until = time.monotonic() + 5
        while not (gone := [worker for worker in self.workers if not worker.is_alive()]) and time.monotonic() < until:
            time.sleep(0.05)
        return [worker.exitcode for worker in gone]

    def _end(self) -> None:
        for worker in self.workers:
            worker.kill()
        for worker in self.workers:
            worker.join()
        self.workers.clear()
        self.leave()
        self.joined = False

    def close(self) -> None:
        """End them, whatever they are at."""
        self._end()


class Follower(Protocol):
    """What serves rank 0: a trainer."""

    def follow(self, group: Group) -> None: ...


def work(port: int, rank: int, size: int, build: Callable[[], Follower], threads: int) -> None:
    """A worker process of ``Spawned``: build a trainer, and follow until rank 0 has no more to do or is gone."""
    ignore_signals()  # they are rank 0's to answer
    torch.set_num_threads(threads)
    store = dist.TCPStore("127.0.0.1", port, is_master=False, timeout=FOREVER)
    store.set(f"{READY}/{rank}", "")
    group = Group(store, rank, size)
    try:
        build().follow(group)
    except RankLost:
        return
    except Exception as error:
        ours = isinstance(error, RlpoetError)
        told = str(error) if ours else f"a worker process failed; expected none to. Set --processes 1.\n{traceback.format_exc()}"
        store.set(ERROR, told)
        os._exit(1)  # its connections close, which tells the others; nothing of it is worth an orderly end


def launched() -> int:
    """Processes that ``torchrun`` or ``accelerate launch`` started for this run; 1 if nobody did."""
    names = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    return int(os.environ["WORLD_SIZE"]) if all(os.environ.get(name) for name in names) else 1


def follows_launcher() -> bool:
    """Whether this process is one that a launcher started, and not the first."""
    return launched() > 1 and os.environ["RANK"] != "0"


def launched_group() -> Group:
    """The group of a launcher, by the variables of its environment."""
    if torch.cuda.is_available():  # what "cuda" means in this process; nccl wants a GPU for each rank of a machine
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
    store, rank, size = next(iter(dist.rendezvous("env://", timeout=FOREVER)))
    return Group(store, rank, size)
