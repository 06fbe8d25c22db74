"""Best of n: no training at all, the budget spent on drawing more and showing the best. What any training has to beat.

A trained policy pays once and then writes for the price of drawing; best of n pays for each poem it shows. So n says how many
poems were drawn for one shown, and CPU-seconds a poem what that costs; both stand in ``result.json``. The reward that chooses is
the one the trainers maximise: figures that it counts are chosen for, others are not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

from rlpoet.errors import RlpoetError
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout, join
from rlpoet.training.common import checkpoint, reward_means, write_checkpoint
from rlpoet.training.gflownet.replay import TENSORS
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


class BestOfN:
    """The best poems so far, one per evaluation slot. Steps go round the slots, so that none has drawn two more than another.

    Args:
        places: prompts of the poems that will be shown.
        per_step: poems drawn a step.
    """

    def __init__(self, policy: Policy, score: Scorer, places: Sequence[Prompt], *, per_step: int) -> None:
        self.policy, self.score, self.places, self.per_step = policy, score, list(places), per_step
        self.best: list[tuple[Rollout, float] | None] = [None] * len(self.places)
        self.n_steps = self.n_fresh = 0
        self.seconds = self.cpu_seconds = 0.0

    @property
    def n(self) -> float:
        """Poems drawn for one shown, in the mean."""
        return self.n_fresh / len(self.places)

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Draw for the next places, keep what is better.

        Returns:
            Metrics, the fresh texts, their scores.
        """
        return self._draw([(self.n_fresh + i) % len(self.places) for i in range(self.per_step)], counted=True)

    def shown(self) -> Rollout:
        """The best poem of each place; where none was drawn yet, one is, and counted."""
        if missing := [place for place, best in enumerate(self.best) if best is None]:
            self._draw(missing, counted=False)
        return join([best[0] for best in self.best if best is not None], pad=self.policy.pad)

    def facts(self) -> dict[str, float]:
        """What the poems shown have cost, for ``result.json``."""
        return {"best_of": self.n, "cpu_seconds_per_poem": round(self.cpu_seconds / len(self.places), 4)}

    def _draw(self, rows: Sequence[int], *, counted: bool) -> tuple[dict[str, float], Rollout, Scored]:
        started, cpu = time.perf_counter(), time.process_time()
        fresh = self.policy.sample([self.places[row] for row in rows], 1)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        scores = [0.0 if total is None else total for total in scored.total]
        for i, place in enumerate(rows):
            held = self.best[place]
            if held is None or scores[i] > held[1]:
                self.best[place] = fresh.rows([i]), scores[i]
        self.n_steps += counted
        self.n_fresh += len(fresh)
        taken = time.perf_counter() - started
        self.seconds += taken
        self.cpu_seconds += time.process_time() - cpu
        held_scores = [best[1] for best in self.best if best is not None]
        n = max(self.n, 1.0)
        metrics = {
            "best/reward": sum(held_scores) / len(held_scores),
            "best/n": self.n,
            "best/kl_bound": math.log(n) - (n - 1) / n,
            "reward/mean": sum(scores) / len(scores),
            "samples/ended": fresh.ended.float().mean().item(),
            "samples/tokens": fresh.n_tokens.float().mean().item(),
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": len(fresh) / taken,
            "time/share_sampling": (sampled - started) / taken,
        }
        return metrics | reward_means(scored.parts), fresh, scored

    def save(self, path: Path) -> None:
        """The poems kept and the state of the draw; whole or not at all."""
        rows = [
            {"place": place, "text": best[0].texts[0], "score": best[1], **{name: getattr(best[0], name) for name in TENSORS}}
            for place, best in enumerate(self.best) if best is not None
        ]  # fmt: skip
        state = {
            "best": rows, "generator": self.policy.generator.get_state(), "n_steps": self.n_steps, "n_fresh": self.n_fresh,
            "seconds": self.seconds, "cpu_seconds": self.cpu_seconds,
        }  # fmt: skip
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Take up a saved run.

        Raises:
            RlpoetError: the file is damaged or belongs to another evaluation or trainer.
        """
        with checkpoint(path) as state:
            for row in state["best"]:
                prompt = self.places[row["place"]]
                self.best[row["place"]] = Rollout((prompt,), (row["text"],), **{name: row[name] for name in TENSORS}), row["score"]
            self.policy.generator.set_state(state["generator"])
            self.n_steps, self.n_fresh = state["n_steps"], state["n_fresh"]
            self.seconds, self.cpu_seconds = state["seconds"], state["cpu_seconds"]
