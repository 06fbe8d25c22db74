"""Processes on Ray that draw and score texts while the run learns from earlier ones: the searchers of asynchronous trajectory balance.

The run sends prompts and takes whatever is done first. A searcher fetches new weights where the run has offered some since its last
texts. So the texts of a step come from weights that are some updates old, which trajectory balance allows: it is right off-policy.

References:
    Bartoldson et al., "Trajectory Balance with Asynchrony: Decoupling Exploration and Learning for Fast, Scalable LLM Post-Training",
    2025, arXiv:2503.18929.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from rlpoet.checkpoints.signals import ignore_signals
from rlpoet.errors import RlpoetError
from rlpoet.machine import AUTO, gpu
from rlpoet.protocols import Scored
from rlpoet.rollout import Policy, Rollout
from rlpoet.training.common import load_learned
from rlpoet.training.distributed.ranks import RESTARTS, Ranks
from rlpoet.training.distributed.ray_cluster import ray_cluster
from rlpoet.training.update import Scores
from rlpoet.types import Prompt

FLAG = "--tb.searchers"


@dataclass(frozen=True)
class Job:
    """What a searcher is to do.

    Attributes:
        prompts: to draw a group of texts for, each.
        seed: of the draws.
        progress: share of the run's budget that was spent when it was asked.
        version: number of the weights to draw with.
    """

    prompts: tuple[Prompt, ...]
    seed: int
    progress: float
    version: int


@dataclass(frozen=True)
class Found:
    """The texts of a job.

    Attributes:
        rollout: in groups of one prompt, without masks.
        scored: their scores.
        log_prior: log-probability under the prior, ``(B,)``, nats.
        version: number of the weights that drew them.
    """

    rollout: Rollout
    scored: Scored
    log_prior: Tensor
    version: int


class Draws(Protocol):
    """What a searcher needs of a trainer."""

    policy: Policy
    prior: Policy
    score: Any

    def draw(self, prompts: Sequence[Prompt]) -> Rollout: ...


def fetched(reference: Any) -> Any:
    """What a reference of Ray's stands for."""
    import ray

    return ray.get(reference)


class Searcher:
    """One process: a trainer whose weights come from elsewhere.

    Args:
        build: makes the trainer.
        threads: of this process.
    """

    def __init__(self, build: Callable[[], Draws], threads: int) -> None:
        ignore_signals()  # they are the run's to answer
        torch.set_num_threads(threads)
        self.trainer = build()
        self.version = -1  # none of the run's

    def search(self, job: Job, offered: Sequence[Any]) -> Found:
        """Draw and score.

        Args:
            offered: Ray's reference to the weights of ``job.version``, in a list, so that Ray does not fetch them for every job.
        """
        trainer = self.trainer
        if self.version != job.version:
            load_learned(trainer.policy.model, fetched(offered[0]))
            self.version = job.version
        if hasattr(trainer.score, "at"):  # weights that follow the run's progress
            trainer.score = trainer.score.at(job.progress)
        trainer.policy.generator.manual_seed(job.seed)
        torch.manual_seed(job.seed)
        drawn = trainer.draw(job.prompts)
        scored = trainer.score(drawn.prompts, drawn.texts)
        with torch.no_grad():
            log_prior = trainer.prior.log_prob(drawn).cpu().sum(1)
        plain = Scores(tuple(scored.total), {name: tuple(part) for name, part in scored.parts.items()})
        return Found(dataclasses.replace(drawn, token_masks=None, mask_of=None), plain, log_prior, self.version)


class Searchers(Ranks):
    """A run that learns alone and has others draw for it. A searcher that dies is replaced by Ray, and its jobs are done again.

    Args:
        build: makes the trainer of a searcher, in its own process; picklable.
        n: searchers.
        cluster: ``ray``, or ``ray:ADDRESS``.
        threads: of each.
        device: of each, as ``--device``.
    """

    def __init__(self, build: Callable[[], Draws], n: int, *, cluster: str = "ray", threads: int = 1, device: str = AUTO) -> None:
        address = cluster.partition(":")[2]
        self._stack = contextlib.ExitStack()
        self._ray = self._stack.enter_context(ray_cluster(address, n_cpus=n * threads, flag=f"{FLAG} {n}"))
        asks: dict[str, Any] = {"num_cpus": threads, "max_restarts": RESTARTS, "max_task_retries": RESTARTS}
        if (gpu() if device == AUTO else device).startswith("cuda"):
            asks["num_gpus"] = 1
        kind = self._ray.remote(**asks)(Searcher)
        self.searchers = [kind.remote(build, threads) for _ in range(n)]
        self._offered: Any = None
        self._running: dict[Any, int] = {}  # reference -> searcher
        self.version = -1

    def offer(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Weights that jobs begun from now on are drawn with.

        Args:
            version: their number, which grows.
        """
        self._offered = [self._ray.put({name: tensor.cpu() for name, tensor in weights.items()})]
        self.version = version

    def begin(self, prompts: Sequence[Prompt], *, seed: int, progress: float) -> None:
        """Ask the searcher that has least to do."""
        busy = [list(self._running.values()).count(i) for i in range(len(self.searchers))]
        least = busy.index(min(busy))
        job = Job(tuple(prompts), seed, progress, self.version)
        self._running[self.searchers[least].search.remote(job, self._offered)] = least

    def __len__(self) -> int:
        return len(self.searchers)

    @property
    def n_running(self) -> int:
        """Jobs whose texts were not taken yet."""
        return len(self._running)

    def take(self) -> Found:
        """The texts of the job that was done first; waits for it.

        Raises:
            RlpoetError: a searcher failed, or died more often than ``RESTARTS``.
        """
        (reference,), _ = self._ray.wait(list(self._running), num_returns=1)
        del self._running[reference]
        try:
            found: Found = self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, RlpoetError):
                raise RlpoetError(str(cause)) from error
            raise RlpoetError(f"{FLAG}: a searcher failed; expected none to. Leave the option out, to see it here.\n{error}") from error
        except self._ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1].strip()[:200]  # of a traceback, if it never began
            raise RlpoetError(
                f"{FLAG}: a searcher ended and was not replaced, after {RESTARTS} times or since it cannot begin ({last}); expected it to "
                "live. The last checkpoint stands. Go on with --resume, and with fewer searchers in a new run if memory is short."
            ) from error
        return found

    def close(self) -> None:
        """End them, whatever they are at."""
        for searcher in self.searchers:
            with contextlib.suppress(Exception):  # of Ray's own making, where the cluster is gone already
                self._ray.kill(searcher)
        self.searchers.clear()
        self._running.clear()
        self._stack.close()
