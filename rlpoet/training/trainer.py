"""What every trainer is: clocks, optimizer, schedules, checkpoints and the figures that all of them report. A trainer adds its update."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from rlpoet.errors import RlpoetError
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout, TracksMasks, follows_masks
from rlpoet.training.common import foreign, learning_parameters, read_checkpoint, reward_means, write_checkpoint
from rlpoet.training.distributed.pool import WorkerPool
from rlpoet.training.options import StepOptions
from rlpoet.training.schedule import beta_factor, rate_factor
from rlpoet.types import Prompt

RATE = 6e-4  # peak learning rate of a trainer that has none of its own
BETAS = (0.9, 0.98)  # of AdamW


@dataclass(frozen=True)
class Update:
    """What a trainer made of the prompts of a step.

    Attributes:
        fresh: the texts drawn, in groups of one prompt.
        scored: their scores.
        figures: metrics that are the trainer's own.
        sampling_seconds: of drawing.
        n_drawn: texts drawn beside the fresh ones.
    """

    fresh: Rollout
    scored: Scored
    figures: dict[str, float] = field(default_factory=dict)
    sampling_seconds: float = 0.0
    n_drawn: int = 0


class Trainer(ABC):
    """State of a run: policy, prior, optimizer, clocks. ``update`` is the algorithm.

    Attributes:
        OPTIONS: dataclass of the trainer's own options.
        RATE: its peak learning rate where none is given.
        AUX_RHYME_WEIGHT: of the auxiliary task where none is given; None for a trainer that cannot do the task.
        score: the reward; a curriculum changes it between steps.
        n_steps, n_fresh: updates made, and texts drawn.
        seconds: in steps.
    """

    OPTIONS: ClassVar[type[Any]]
    RATE: ClassVar[float] = RATE
    AUX_RHYME_WEIGHT: ClassVar[float | None] = None

    def __init__(
        self,
        policy: Policy,
        score: Scorer,
        prompts: Sequence[Prompt],
        common: StepOptions,
        options: Any,
        *,
        seed: int,
        slots: Sequence[Prompt] = (),
        workers: WorkerPool | None = None,
    ) -> None:
        """Set up a run.

        Args:
            prompts: to train on.
            common: what every trainer takes; a ``TrainConfig`` is one.
            options: the trainer's own, an ``OPTIONS``.
            slots: prompts of the poems measured in the end, one per poem; best-of-n spends its budget on them.
            workers: processes that share a step.
        """
        self.check(common, options)
        self.policy, self.prior, self.score, self.prompts = policy, policy.reference(), score, list(prompts)
        self.common, self.options, self.slots, self.workers = common, options, list(slots), workers
        self.rate = self.RATE if common.learning_rate is None else common.learning_rate
        self.learned = learning_parameters(policy.model, freeze_embeddings=common.freeze_embeddings)
        self.optimizer = self.make_optimizer(seed)
        self.rng = random.Random(seed)
        self.n_steps = self.n_fresh = 0
        self.seconds = 0.0

    @classmethod
    def check(cls, common: StepOptions, options: Any) -> None:
        """Refuse options that cannot go together.

        Raises:
            RlpoetError: an option, with what to set instead.
        """
        if cls.AUX_RHYME_WEIGHT is None and common.aux_rhyme_weight:
            raise RlpoetError(f"--aux_rhyme_weight {common.aux_rhyme_weight}: this trainer cannot do it; expected none. Leave it out.")

    @classmethod
    def unshared(cls, common: StepOptions, options: Any) -> str:
        """What keeps the steps from being shared by several processes, in words; empty if they can be."""
        return "this trainer"

    @property
    def aux_rhyme_weight(self) -> float:
        """Weight of the auxiliary task in this run."""
        given = self.common.aux_rhyme_weight
        return given if given is not None else self.usual_aux_rhyme_weight(self.options)

    @classmethod
    def usual_aux_rhyme_weight(cls, options: Any) -> float:
        """Weight of the auxiliary task where none is given."""
        return cls.AUX_RHYME_WEIGHT or 0.0

    def make_optimizer(self, seed: int) -> torch.optim.Optimizer | None:
        """AdamW over what learns; None for a trainer that changes no weights. A group's ``scale`` multiplies its learning rate."""
        return torch.optim.AdamW(self.learned, lr=self.rate, betas=BETAS, weight_decay=0.0)

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Draw, score, weigh, update.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedules.

        Returns:
            Metrics, the fresh texts, their scores.
        """
        started, common = time.perf_counter(), self.common
        prompts = self.rng.sample(self.prompts, min(common.n_prompts, len(self.prompts)))
        rate = self.rate * rate_factor(progress, common.warmup)
        for group in self.optimizer.param_groups if self.optimizer else ():
            group["lr"] = rate * group.get("scale", 1.0)
        beta = common.beta * beta_factor(progress, common.beta_warmup)
        made = self.update(prompts, beta, progress)
        n = len(made.fresh)
        self.n_steps += 1
        self.n_fresh += n + made.n_drawn
        taken = time.perf_counter() - started
        self.seconds += taken
        metrics = {
            **made.figures,
            **({"train/learning_rate": rate} if self.optimizer else {}),
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": n / taken,
            "time/share_sampling": made.sampling_seconds / taken,
        }
        return metrics | reward_means(made.scored.parts), made.fresh, made.scored

    @abstractmethod
    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Draw and score texts for these prompts, and change the weights.

        Args:
            prompts: of the step, each once.
            beta: of the step.
            progress: share of the budget that is spent.
        """

    def draw(self, prompts: Sequence[Prompt], *, policy: Policy | None = None, **settings: Any) -> Rollout:
        """``group_size`` texts per prompt, with the masks they were drawn under: log-probabilities of the batch are of what was sampled.

        Args:
            policy: who draws; the policy in training by default.
            settings: of ``Policy.sample``.
        """
        drawn = (policy or self.policy).sample(prompts, self.common.group_size, **settings)
        masked = self.masked(drawn)
        return masked if bool(follows_masks(masked).all()) else drawn  # not drawn under masks at all

    def masked(self, rollout: Rollout) -> Rollout:
        """A batch with the masks of its form, whoever wrote it; as it is, from a policy that has none."""
        return self.policy.masked(rollout) if isinstance(self.policy, TracksMasks) else rollout

    def descend(self) -> float:
        """One step of the optimizer along the gradients that are there; the norm of the policy's before clipping."""
        norm = nn.utils.clip_grad_norm_(self.learned, self.common.clip)
        assert self.optimizer is not None
        self.optimizer.step()
        return float(norm)

    # -- the result, and checkpoints --------------------------------------------------------------

    def shown(self) -> Rollout | None:
        """The poems a trainer is measured by, if they are not the policy's fresh ones."""
        return None

    def facts(self) -> dict[str, float]:
        """What else belongs in ``result.json``."""
        return {}

    def state(self) -> dict[str, Any]:
        """Tensors and plain values beyond those every trainer keeps, for a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most trainers keep nothing of their own
        """Take up what ``state`` gave."""

    def save(self, path: Path) -> None:
        """Everything a run needs to go on as if it had not stopped; whole or not at all."""
        common = {
            "model": self.policy.model.state_dict(),
            **({"optimizer": self.optimizer.state_dict()} if self.optimizer else {}),
            "generator": self.policy.generator.get_state(),
            "rng": list(self.rng.getstate()[1]),
            "n_steps": self.n_steps, "n_fresh": self.n_fresh, "seconds": self.seconds,
        }  # fmt: skip
        write_checkpoint(path, common | self.state())

    def load(self, path: Path) -> None:
        """Take up a saved run.

        Raises:
            RlpoetError: the file is damaged, or belongs to another model or trainer.
        """
        state = read_checkpoint(path)
        if why := foreign(state, self.policy.model, self.optimizer, self.state()):
            raise RlpoetError(
                f"{path}: a checkpoint of another run ({why}); expected one this run wrote. Start a new run without --resume."
            )
        self.policy.model.load_state_dict(state["model"])
        if self.optimizer:
            self.optimizer.load_state_dict(state["optimizer"])
        self.policy.generator.set_state(state["generator"])
        self.rng.setstate((3, tuple(state["rng"]), None))
        self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]
        self.restore(state)
