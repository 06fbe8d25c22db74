"""What every trainer is: clocks, optimizer, schedules, checkpoints and the figures that all of them report. A trainer adds its update."""

from __future__ import annotations

import copy
import dataclasses
import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from rlpoet.checkpoints.files import read_checkpoint, write_checkpoint
from rlpoet.errors import RlpoetError
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout, TracksMasks, follows_masks
from rlpoet.training.auxiliary import Practice, add_gradient
from rlpoet.training.common import foreign, learned_state, learning_parameters, load_learned, reward_means
from rlpoet.training.distributed.ranks import Group, RankLost, Ranks
from rlpoet.training.options import StepOptions
from rlpoet.training.schedule import beta_factor, rate_factor
from rlpoet.training.update import Update, joined
from rlpoet.types import Prompt

RATE = 6e-4  # peak learning rate of a trainer that has none of its own
BETAS = (0.9, 0.98)  # of AdamW
MOST_SKIPPED = 3  # steps in a row whose update is left out before a run gives up


@dataclasses.dataclass(frozen=True)
class Task:
    """What rank 0 asks of the others in a step: prompts of each rank, how far the run is, their seeds, and what ``Trainer.hand`` gives."""

    asked: list[list[Prompt]]
    progress: float
    seeds: list[int]
    handed: list[Any]


class Trainer(ABC):
    """State of a run: policy, prior, optimizer, clocks. ``update`` is the algorithm.

    Attributes:
        OPTIONS: dataclass of the trainer's own options.
        RATE: its peak learning rate where none is given.
        AUX_RHYME_WEIGHT: of the auxiliary task where none is given; None for a trainer that changes no weights.
        score: the reward; a curriculum changes it between steps.
        n_steps, n_fresh: updates made, and texts drawn.
        n_tokens: tokens drawn, for texts and for the auxiliary task; None after a checkpoint that does not know.
        n_aux_words: words drawn for the auxiliary task; None as there.
        seconds: in steps.
        n_skipped: steps whose update was left out, since its gradient or the weights after it were not finite.
    """

    OPTIONS: ClassVar[type[Any]]
    RATE: ClassVar[float] = RATE
    AUX_RHYME_WEIGHT: ClassVar[float | None] = 0.0

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
        ranks: Ranks | None = None,
        prior: Policy | None = None,
    ) -> None:
        """Set up a run.

        Args:
            prompts: to train on.
            common: what every trainer takes; a ``TrainConfig`` is one.
            options: the trainer's own, an ``OPTIONS``.
            slots: prompts of the poems measured in the end, one per poem; best-of-n spends its budget on them.
            ranks: the processes that share a step, this one among them; by default it is alone.
            prior: the policy's ``reference``, if the caller has one; two would be one copy of the weights too many.
        """
        self.check(common, options)
        self.policy, self.score, self.prompts = policy, score, list(prompts)
        self.prior = policy.reference() if prior is None else prior
        self.common, self.options, self.slots, self.ranks = common, options, list(slots), ranks or Ranks()
        self.rate = self.RATE if common.learning_rate is None else common.learning_rate
        self.learned = learning_parameters(policy.model, freeze_embeddings=common.freeze_embeddings)
        self.optimizer = self.make_optimizer(seed)
        self.rng = random.Random(seed)
        self.prior.generator = self.policy.generator  # it draws words beside the policy: one stream, saved once
        self.n_steps = self.n_fresh = 0
        self.n_tokens: int | None = 0
        self.n_aux_words: int | None = 0
        self.seconds = 0.0
        self.beta = common.beta  # of the step
        self._texts: Rollout | None = None  # drawn last
        self._practice: Practice | None = None  # of the step
        self._must_practise = False  # whether the step's auxiliary task is still to be done
        self._between: dict[str, Any] = {}  # what ``rewind`` goes back to
        self._broken = ""  # what was no finite number in the step in hand
        self.n_skipped = self._skipped_in_a_row = 0
        self._handed: Any = None  # of the step
        self._known = False  # whether the other ranks are as this one

    @classmethod
    def check(cls, common: StepOptions, options: Any) -> None:
        """Refuse options that cannot go together.

        Raises:
            RlpoetError: an option, with what to set instead.
        """
        if cls.AUX_RHYME_WEIGHT is None and common.aux_rhyme_weight:
            raise RlpoetError(
                f"--aux_rhyme_weight {common.aux_rhyme_weight}: this trainer changes no weights; expected none. Leave it out."
            )

    @classmethod
    def unshared(cls, common: StepOptions, options: Any) -> str:
        """What keeps the steps from being shared by several processes, in words; empty if they can be.

        A trainer whose steps can be shared has ``descend`` and ``self.ranks.average`` called equally often on all ranks.
        """
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

        An update with a gradient that is not finite is left out. So is one after which weights are not: they go back to what they were.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedules.

        Returns:
            Metrics, the fresh texts, their scores.

        Raises:
            RlpoetError: that happened in ``MOST_SKIPPED`` steps in a row.
        """
        started = time.perf_counter()
        self.remember()
        n_before = self.prepare()
        made = self._made(self._asked(), progress)
        practice = made.practice
        n = len(made.fresh)
        self.n_steps += 1
        n_drawn = n_before + made.n_drawn
        self.n_fresh += n + n_drawn
        if practice is not None and self.n_aux_words is not None:
            self.n_aux_words += practice.words
        if self.n_tokens is not None:
            per_text = made.fresh.n_tokens.float().mean().item()
            self.n_tokens += round(per_text * (n + n_drawn)) + (practice.tokens if practice is not None else 0)
        taken = time.perf_counter() - started
        self.seconds += taken
        metrics = {
            **made.figures,
            **(practice.figures() if practice is not None else {}),
            **({"train/learning_rate": self._rate(progress), "train/update_skipped": float(bool(self._broken))} if self.optimizer else {}),
            "time/fresh_samples": float(self.n_fresh),
            **({"time/tokens_drawn": float(self.n_tokens)} if self.n_tokens is not None else {}),
            "time/samples_per_second": n / taken,
            "time/share_sampling": made.sampling_seconds / taken,
        }
        return metrics | reward_means(made.scored.parts), made.fresh, made.scored

    def _made(self, prompts: Sequence[Prompt], progress: float) -> Update:
        """The update of a step, by all ranks together."""
        while True:
            asked = [list(prompts[rank :: self.ranks.size]) for rank in range(self.ranks.size)]
            handed = [self.hand(own) for own in asked]
            try:
                if self.ranks.size > 1:
                    if not self._known:
                        self.ranks.send(self.snapshot())
                        self._known = True
                    self.ranks.send(Task(asked, progress, [self.rng.getrandbits(48) for _ in asked], handed))
                made = self.ranks.collect(self.work(asked[0], progress, handed[0]))
            except RankLost as error:
                self.ranks.mend(error)
                self.rewind()
                continue
            self.take_in([each.found for each in made])
            return joined(made, pad=self.policy.pad)

    def follow(self, group: Group) -> None:
        """Serve rank 0 until it has no more to do.

        Raises:
            RankLost: it is gone.
        """
        self.ranks, score = group, self.score
        while (told := group.receive()) is not None:
            if not isinstance(told, Task):
                self.take_up(told)
                continue
            if hasattr(score, "at"):  # weights that follow the run's progress
                self.score = score.at(told.progress)
            seed = told.seeds[group.rank]
            self.policy.generator.manual_seed(seed)
            self.rng.seed(seed)
            torch.manual_seed(seed)
            self.remember()
            made = self.work(told.asked[group.rank], told.progress, told.handed[group.rank])
            self.n_steps += 1
            group.collect(made.plain())

    def work(self, asked: Sequence[Prompt], progress: float, handed: Any) -> Update:
        """This rank's part of a step.

        Args:
            asked: its prompts.
            progress: share of the budget that is spent.
            handed: what ``hand`` gave for them.
        """
        self._broken = ""
        for group in self.optimizer.param_groups if self.optimizer else ():
            group["lr"] = self._rate(progress) * group.get("scale", 1.0)
        self.beta = self.common.beta * beta_factor(progress, self.common.beta_warmup)
        self._texts, self._practice, self._must_practise, self._handed = None, None, self.aux_rhyme_weight > 0, handed
        made = self.update(asked, self.beta, progress)
        if self._must_practise and self.optimizer is not None:  # nothing was learned from the texts, or by an optimizer of its own
            self.optimizer.zero_grad(set_to_none=True)
            practised = self.practise(made.fresh, self.beta) is not None
            if self.ranks.total([practised])[0]:
                self.descend()
        self._check_update()
        self._handed = None
        return dataclasses.replace(made, practice=self._practice)

    def _rate(self, progress: float) -> float:
        return self.rate * rate_factor(progress, self.common.warmup)

    def prepare(self) -> int:
        """What is to be done once, before the first step, by rank 0 alone; the number of texts drawn for it."""
        return 0

    def hand(self, asked: Sequence[Prompt]) -> Any:
        """What a rank needs from rank 0 for these prompts beside weights; ``self._handed`` in its ``update``."""
        return None

    def take_in(self, found: Sequence[Any]) -> None:  # noqa: B027  # most trainers keep nothing of a step
        """Keep what the ranks found, ``Update.found`` of each, in their order."""

    @abstractmethod
    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Draw and score texts for these prompts, and change the weights.

        Args:
            prompts: of the step, each once.
            beta: of the step.
            progress: share of the budget that is spent.
        """

    def _asked(self) -> list[Prompt]:
        """The prompts of a step: other ones as far as there are, then the same again. A prompt that stands twice has twice the texts."""
        whole, rest = divmod(self.common.n_prompts, len(self.prompts))
        if not whole or not rest:
            return self.rng.sample(self.prompts, len(self.prompts) if whole else rest) * max(whole, 1)
        return [*self.prompts * whole, *self.rng.sample(self.prompts, rest)]

    def draw(self, prompts: Sequence[Prompt], *, policy: Policy | None = None, **settings: Any) -> Rollout:
        """``group_size`` texts per prompt, with the masks they were drawn under: log-probabilities of the batch are of what was sampled.

        Args:
            policy: who draws; the policy in training by default.
            settings: of ``Policy.sample``.
        """
        return self.as_drawn((policy or self.policy).sample(prompts, self.common.group_size, **settings))

    def as_drawn(self, drawn: Rollout) -> Rollout:
        """Texts of the step, wherever they were drawn, with their masks."""
        masked = self.masked(drawn)
        self._texts = masked if bool(follows_masks(masked).all()) else drawn  # not drawn under masks at all
        return self._texts

    def masked(self, rollout: Rollout) -> Rollout:
        """A batch with the masks of its form, whoever wrote it; as it is, from a policy that has none."""
        return self.policy.masked(rollout) if isinstance(self.policy, TracksMasks) else rollout

    def practise(self, fresh: Rollout, beta: float) -> Practice | None:
        """Add the gradient of the auxiliary task to those that are there; what was drawn for it, None without the task.

        ``descend`` calls it.

        Args:
            fresh: texts of the step, whose plan tokens ask for words.
            beta: of the step.
        """
        self._must_practise = False
        if self.aux_rhyme_weight:
            self._practice = add_gradient(
                self.policy, self.prior, fresh, beta=beta, weight=self.aux_rhyme_weight, group_size=self.common.group_size,
                by_reference=self.common.aux_sampler == "reference", rng=self.rng,
            )  # fmt: skip
        return self._practice

    def descend(self, fresh: Rollout | None = None, *, weight: float = 1.0) -> float:
        """One step of the optimizer along the gradients that are there, averaged over ranks; the norm of the policy's before clipping.

        The first of a step adds the gradient of the auxiliary task: words are drawn and weighed by the policy as it was when the texts
        were drawn. Later updates of a batch would find them as stale as its texts, and have no ratio to clip.

        Args:
            fresh: the texts of the step, if they were not drawn by ``draw``.
            weight: of this rank's gradients in the mean over all: what their loss is a mean over, such as a number of texts.
        """
        texts = self._texts if fresh is None else fresh
        if self._must_practise and texts is not None:
            self.practise(texts, self.beta)
        self.ranks.average(self.learned, weight)
        norm = float(nn.utils.clip_grad_norm_(self.learned, self.common.clip))
        assert self.optimizer is not None
        if math.isfinite(norm):
            self.optimizer.step()
        else:
            self._broken = self._broken or f"the norm of the gradient is {norm}"
            self.optimizer.zero_grad(set_to_none=True)
        return norm

    def _check_update(self) -> None:
        """Take back an update that broke the weights, before a checkpoint or a policy holds them; end a run that goes on so."""
        if self.optimizer is None:
            return
        size = sum(weight.detach().abs().sum().item() for weight in _weights(self.optimizer))
        if not math.isfinite(size):
            self._broken = f"the sum of the weights is {size}"
            self._put_back()
        self._skipped_in_a_row = self._skipped_in_a_row + 1 if self._broken else 0
        self.n_skipped += bool(self._broken)
        if self._skipped_in_a_row >= MOST_SKIPPED:
            raise RlpoetError(
                f"step {self.n_steps + 1}: {self._broken}, as in the {MOST_SKIPPED - 1} steps before; expected a finite number. "
                "Start a new run with a lower --learning_rate."
            )

    # -- the result, and checkpoints --------------------------------------------------------------

    def shown(self) -> Rollout | None:
        """The poems a trainer is measured by, if they are not the policy's fresh ones."""
        return None

    def spent(self) -> dict[str, float]:
        """What was drawn, whether the auxiliary task was on, and what was left out, for ``result.json``."""
        words = {} if self.n_aux_words is None or not self.aux_rhyme_weight else {"aux_words": self.n_aux_words}
        tokens = {} if self.n_tokens is None else {"tokens_drawn": self.n_tokens}
        skipped = {"updates_skipped": self.n_skipped} if self.n_skipped else {}
        return {"fresh_samples": self.n_fresh, **tokens, "aux_rhyme_weight": self.aux_rhyme_weight, **words, **skipped}

    def facts(self) -> dict[str, float]:
        """What else belongs in ``result.json``."""
        return {}

    def state(self) -> dict[str, Any]:
        """Tensors and plain values beyond those every trainer keeps, for a checkpoint."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:  # noqa: B027  # most trainers keep nothing of their own
        """Take up what ``state`` gave."""

    def remember(self) -> None:
        """Note the state between two steps, for ``rewind``: weights that learn, what the optimizer knows, random states, counters."""
        own = copy.deepcopy(self._state())
        if self.optimizer is not None:
            own["weights"] = [weight.detach().clone() for weight in _weights(self.optimizer)]
            own["optimizer"] = copy.deepcopy(self.optimizer.state_dict())
        self._between = own

    def rewind(self) -> None:
        """Go back to the state that the last step began with, from anywhere within it or after it."""
        if self._between:
            self._put_back()
            self._take_up(copy.deepcopy(self._between))
            self._known = False

    def _put_back(self) -> None:
        """The weights that the step began with."""
        if self.optimizer is not None:
            with torch.no_grad():
                for weight, was in zip(_weights(self.optimizer), self._between["weights"], strict=True):
                    weight.copy_(was)
            self.optimizer.load_state_dict(copy.deepcopy(self._between["optimizer"]))

    def snapshot(self) -> dict[str, Any]:
        """Everything a run needs to go on as if it had not stopped."""
        optimizer = {"optimizer": self.optimizer.state_dict()} if self.optimizer else {}
        return {"model": learned_state(self.policy.model), **optimizer, **self._state()}

    def save(self, path: Path) -> None:
        """Write ``snapshot``; whole or not at all."""
        write_checkpoint(path, self.snapshot())

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
        self.take_up(state)
        self._known = False

    def take_up(self, state: Mapping[str, Any]) -> None:
        """Be as the trainer was that gave this ``snapshot``."""
        load_learned(self.policy.model, state["model"])
        if self.optimizer:
            self.optimizer.load_state_dict(state["optimizer"])
        self._take_up(state)

    def _state(self) -> dict[str, Any]:
        """All but weights and optimizer."""
        common = {
            "generator": self.policy.generator.get_state(),
            "rng": list(self.rng.getstate()[1]), "torch_rng": torch.get_rng_state(),
            "n_steps": self.n_steps, "n_fresh": self.n_fresh, "seconds": self.seconds,
            "n_tokens": self.n_tokens, "n_aux_words": self.n_aux_words, "n_skipped": self.n_skipped,
        }  # fmt: skip
        return common | self.state()

    def _take_up(self, state: Mapping[str, Any]) -> None:
        self.policy.generator.set_state(state["generator"])
        self.rng.setstate((3, tuple(state["rng"]), None))
        if "torch_rng" in state:  # dropout's
            torch.set_rng_state(state["torch_rng"])
        self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]
        self.n_tokens, self.n_aux_words = state.get("n_tokens"), state.get("n_aux_words")
        self.n_skipped = state.get("n_skipped", 0)
        self.restore(state)


def _weights(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    """What an optimizer changes."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]
