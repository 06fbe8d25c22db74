"""Best of n: no training at all, the budget spent on drawing more and showing the best. What any training has to beat.

A trained policy pays once and then writes for the price of drawing; best of n pays for each poem it shows. So n says how many
poems were drawn for one shown, and CPU-seconds a poem what that costs; both stand in ``result.json``. The reward that chooses is
the one the trainers maximise: figures that it counts are chosen for, others are not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rlpoet.errors import RlpoetError
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout, join
from rlpoet.training.baselines.options import BestOfNOptions
from rlpoet.training.common import reward_figures, totals
from rlpoet.training.gflownet.replay import TENSORS
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt


def best_of_n(
    policy: Policy, score: Scorer, prompts: Sequence[Prompt], n: int, *, batch_size: int = 192, temperature: float = 1.0
) -> tuple[Rollout, list[float]]:
    """For each prompt the best of ``n`` fresh poems, and its score; of equals the first drawn.

    Args:
        prompts: one for each poem wanted; a prompt named twice gets two poems, each from draws of its own.
        n: draws for one poem.

    Raises:
        RlpoetError: no prompts, or n below 1.
    """
    if n < 1 or not prompts:
        raise RlpoetError(f"best of n: n is {n} for {len(prompts)} prompts; expected 1 or more of each.")
    best: list[Rollout] = []
    scores: list[float] = []
    at_once = max(1, batch_size // n)
    for start in range(0, len(prompts), at_once):
        drawn = policy.sample(prompts[start : start + at_once], n, temperature=temperature)
        found = [0.0 if total is None else total for total in score(drawn.prompts, drawn.texts).total]
        rows = [max(range(i, i + n), key=found.__getitem__) for i in range(0, len(drawn), n)]
        best.append(drawn.rows(rows))
        scores += [found[row] for row in rows]
    return join(best, pad=policy.pad), scores


class BestOfN(Trainer):
    """The best poems so far, one per evaluation slot. Steps go round the slots, so that none has drawn two more than another."""

    OPTIONS = BestOfNOptions
    AUX_RHYME_WEIGHT = None
    options: BestOfNOptions

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        if not self.slots:
            raise RlpoetError("best-of-n: no slots; expected the prompts of the poems that will be shown.")
        self.best: list[tuple[Rollout, float] | None] = [None] * len(self.slots)
        self.cpu_seconds = 0.0

    def make_optimizer(self, seed: int) -> None:
        """No weight changes."""

    @property
    def n(self) -> float:
        """Poems drawn for one shown, in the mean."""
        return self.n_fresh / len(self.slots)

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Draw for the next slots, as many poems as a trainer draws in a step, and keep what is better; prompts and beta do not matter."""
        cpu = time.process_time()
        per_step = self.common.n_prompts * self.common.group_size
        fresh, scored, seconds = self._draw([(self.n_fresh + i) % len(self.slots) for i in range(per_step)])
        self.cpu_seconds += time.process_time() - cpu
        rewards = [best[1] for best in self.best if best is not None]
        n = (self.n_fresh + len(fresh)) / len(self.slots)
        figures = {
            **reward_figures(fresh, scored),
            "best/reward": sum(rewards) / len(rewards),
            "best/n": n,
            "best/kl_bound": math.log(max(n, 1.0)) - (max(n, 1.0) - 1) / max(n, 1.0),
        }
        return Update(fresh, scored, figures, seconds)

    def shown(self) -> Rollout:
        """The best poem of each slot; where none was drawn yet, one is, and counted."""
        if missing := [slot for slot, best in enumerate(self.best) if best is None]:
            started, cpu = time.perf_counter(), time.process_time()
            fresh, _, _ = self._draw(missing)
            self.n_fresh += len(fresh)
            self.n_tokens = None if self.n_tokens is None else self.n_tokens + int(fresh.n_tokens.sum())
            self.seconds += time.perf_counter() - started
            self.cpu_seconds += time.process_time() - cpu
        return join([best[0] for best in self.best if best is not None], pad=self.policy.pad)

    def facts(self) -> dict[str, float]:
        """What the poems shown have cost, for ``result.json``."""
        return {"best_of": self.n, "cpu_seconds_per_poem": round(self.cpu_seconds / len(self.slots), 4)}

    def _draw(self, rows: Sequence[int]) -> tuple[Rollout, Scored, float]:
        """One poem for each of these slots, kept where it is better; the seconds of drawing."""
        started = time.perf_counter()
        fresh = self.policy.sample([self.slots[row] for row in rows], 1, temperature=self.options.temperature)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        for i, (slot, score) in enumerate(zip(rows, totals(scored).tolist(), strict=True)):
            held = self.best[slot]
            if held is None or score > held[1]:
                self.best[slot] = fresh.rows([i]), score
        return fresh, scored, sampled - started

    def state(self) -> dict[str, Any]:
        """The poems kept."""
        rows = [
            {"place": slot, "text": best[0].texts[0], "score": best[1], **{name: getattr(best[0], name) for name in TENSORS}}
            for slot, best in enumerate(self.best) if best is not None
        ]  # fmt: skip
        return {"best": rows, "cpu_seconds": self.cpu_seconds}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.best = [None] * len(self.slots)
        for row in state["best"]:
            prompt = self.slots[row["place"]]
            self.best[row["place"]] = Rollout((prompt,), (row["text"],), **{name: row[name] for name in TENSORS}), row["score"]
        self.cpu_seconds = state["cpu_seconds"]
