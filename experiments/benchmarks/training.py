"""Fresh samples per CPU-second of training: this project's TB and PPO, trl's GRPO and RLOO, and the matrix products alone.

    python -m experiments.benchmarks.training --lang fr --precision bf16

One thread, one shipped prior, the same quatrains, rewards and batch; each trainer in a process of its own, so that its peak memory is its
own, one after the other. ``samples_per_cpu_s`` is the best step after the first and ``median`` the middle one: other work on the machine
only ever adds time. ``grpo`` and ``rloo`` are trl's as its users run them, sampling with transformers' ``generate`` and without a grammar
(a poem that goes on to the limit of length is their cost); with ``own`` the same draws by this project's sampler.

``times_arithmetic`` is a step over its arithmetic: what it multiplies matrices for, at its shapes, in its precision, without padding,
in the same run, right after each step, and nothing else. Those are drawing (each token of each text through all layers and the head, its
keys and values), reading (forward) and learning (forward, the gradient by the inputs, and that by the weights that are trained). TB draws,
reads with the prior, learns (``tb-aux`` does the auxiliary task too, which is not counted); PPO draws, reads with the prior and with the
policy, learns, and its critic says what texts are worth and learns that. ``ppo-model`` has a critic that is a copy of the policy, which
is not counted. ``of`` shares the step's time out.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from policies.causal_lm import CausalPolicy
from policies.llama.decoder import LlamaDecoder
from policies.llama.scorer import AT_ONCE
from rewards.compose import WeightedMean
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.rollout import Rollout
from rlpoet.training.baselines.options import TRLOptions
from rlpoet.training.build import trainer_class
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.critic import StateCritic
from rlpoet.training.ppo.options import PPOOptions
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.training.prompts import mixed_prompts

WAYS = ("tb", "tb-aux", "ppo", "ppo-model", "grpo", "rloo", "grpo-own", "rloo-own")
PRECISIONS = {"bf16": torch.bfloat16, "fp32": torch.float32}


def trainer_of(way: str, policy: CausalPolicy, n_prompts: int, group: int) -> Any:
    """The trainer of that name with its defaults, on quatrains of the policy's language."""
    authors = [None, *policy.authors[:8]]
    prompts = list(dict.fromkeys(mixed_prompts(policy.lang, ("quatrain-abab", "quatrain-abba"), authors, 4096, rng=random.Random(0))))
    prompts = [prompts[i % len(prompts)] for i in range(max(n_prompts, len(prompts)))]
    score = WeightedMean([(Rhyme(), 2.0), (Meter(licence_credit=0.5), 1.0)])
    if way in ("tb", "tb-aux"):
        common = StepOptions(prompts_per_step=n_prompts, group_size=group, aux_rhyme_weight=2.0 if way == "tb-aux" else 0.0)
        return TBTrainer(policy, score, prompts, common, TBOptions(), seed=0)
    common = StepOptions(prompts_per_step=n_prompts, group_size=group)
    if way in ("ppo", "ppo-model"):
        return PPOTrainer(policy, score, prompts, common, PPOOptions(critic="model" if way == "ppo-model" else "states"), seed=0)
    algo, _, sampler = way.partition("-")
    options = TRLOptions(sampler="own" if sampler == "own" else "trl")
    return trainer_class(algo)(policy, score, prompts, common, options, seed=0)


class Arithmetic:
    """The matrix products of a batch that was drawn, ready to be run.

    Args:
        dtype: of all products but those of attention in drawing, which the sampler does in float32.
    """

    def __init__(self, policy: CausalPolicy, fresh: Rollout, dtype: torch.dtype) -> None:
        decoder = LlamaDecoder(policy.model, dtype)
        self.layers, self.head, self.n_layers = decoder.layers[0], decoder.head, len(decoder.layers)
        self.heads, self.groups, self.size, self.dtype = decoder.n_heads, decoder.n_groups, decoder.size, dtype
        self.drawn = fresh.n_tokens.tolist()
        self.starts = fresh.chosen.float().argmax(1).tolist()
        self.lengths = sorted((start + n - 1 for start, n in zip(self.starts, self.drawn, strict=True)), reverse=True)

    def _zeros(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        return torch.zeros(*shape, dtype=dtype or self.dtype)

    @torch.inference_mode()
    def draw(self) -> None:
        """One token after the other, of the rows that still go on."""
        start = max(self.starts)
        for step in range(max(self.drawn)):
            n = sum(length > step for length in self.drawn)
            for weight in self.layers:
                self._zeros(n, weight.shape[1]) @ weight.T
                for _ in range(self.n_layers - 1):
                    self._zeros(n, weight.shape[1]) @ weight.T
            for _ in range(self.n_layers):
                q = self._zeros(n * self.groups, self.heads // self.groups, self.size, dtype=torch.float32)
                keys = self._zeros(n * self.groups, self.size, start + step, dtype=torch.float32)
                torch.bmm(torch.bmm(q, keys), keys.transpose(1, 2))
            self._zeros(n, self.head.shape[1]) @ self.head.T

    @torch.inference_mode()
    def read(self, *, learn: bool = False) -> None:
        """All texts in parts of ``AT_ONCE`` places, without padding; with ``learn`` the way back too, embeddings and head frozen."""
        part: list[int] = []
        for at, length in enumerate(self.lengths):
            part.append(length)
            if sum(part) + length > AT_ONCE or at + 1 == len(self.lengths):
                self._read(part, learn)
                part = []

    def _read(self, lengths: list[int], learn: bool) -> None:
        n, width = sum(lengths), round(statistics.mean(lengths))
        n_drawn = n - round(statistics.mean(self.starts) - 1) * len(lengths)
        for weight in self.layers:
            x, y = self._zeros(n, weight.shape[1]), self._zeros(n, weight.shape[0])
            for _ in range(self.n_layers):
                torch.mm(x, weight.T)
                if learn:
                    torch.mm(y, weight)
                    torch.mm(y.T, x)
        q = self._zeros(len(lengths) * self.groups, self.heads // self.groups * width, self.size)
        k = self._zeros(len(lengths) * self.groups, width, self.size)
        seen = self._zeros(len(q), q.shape[1], width)
        for _ in range(self.n_layers):
            torch.bmm(q, k.transpose(1, 2))
            torch.bmm(seen, k)
            if learn:
                torch.bmm(q, k.transpose(1, 2))
                torch.bmm(seen, k)
                torch.bmm(seen.transpose(1, 2), q)
                torch.bmm(seen.transpose(1, 2), q)
        state, logits = self._zeros(n_drawn, self.head.shape[1]), self._zeros(n_drawn, self.head.shape[0])
        torch.mm(state, self.head.T)
        if learn:
            torch.mm(logits, self.head)

    def critic(self) -> None:
        """The wide half of PPO's critic, in float32: once over the tokens drawn to be asked, then each pass of its own learning."""
        width = self.head.shape[1]
        states, weight = self._zeros(sum(self.drawn), width, dtype=torch.float32), next(StateCritic(width).parameters())
        with torch.inference_mode():
            inner = states @ weight.T
            for _ in range(PPOOptions().value_epochs):
                torch.mm(states, weight.T)
                torch.mm(inner.T, states)

    def steps(self, way: str) -> dict[str, Callable[[], None]]:
        """What a step of a trainer consists of."""
        parts: dict[str, Callable[[], None]] = {"draw": self.draw, "read": self.read, "learn": lambda: self.read(learn=True)}
        if way == "ppo":
            parts |= {"read_again": self.read, "critic": self.critic}
        return parts


class Clocked:
    """A callable whose CPU-seconds are added up under a label; all else of it shows through."""

    def __init__(self, inner: Any, spent: dict[str, float], label: str) -> None:
        self.inner, self.spent, self.label = inner, spent, label

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        started = time.process_time()
        try:
            return self.inner(*args, **kwargs)
        finally:
            self.spent[self.label] = self.spent.get(self.label, 0.0) + time.process_time() - started

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@contextmanager
def clocked(trainer: Any, spent: dict[str, float]) -> Iterator[None]:
    """CPU-seconds of what a step calls, by name, while the block runs."""
    named = [(trainer.policy, "sample", "drawing"), (trainer.prior, "log_prob", "prior"), (trainer, "score", "scoring"),
             (trainer, "_weigh", "learning")]  # fmt: skip
    kept = [(owner, name, getattr(owner, name), label) for owner, name, label in named if hasattr(owner, name)]
    for owner, name, call, label in kept:
        setattr(owner, name, Clocked(call, spent, label))
    try:
        yield
    finally:
        for owner, name, call, _ in kept:
            setattr(owner, name, call)


def bench(way: str, lang: str, precision: str, n_prompts: int, group: int, steps: int) -> dict[str, Any]:
    """One row: rates, peak memory, and for this project's trainers what the products alone take."""
    torch.set_num_threads(1)
    policy = CausalPolicy.load(lang)
    policy.precision = PRECISIONS[precision]
    trainer = trainer_of(way, policy, n_prompts, group)
    took: list[float] = []
    bare: dict[str, list[float]] = {}
    shares: list[dict[str, float]] = []
    tokens = 0.0
    gc.freeze()  # as training does (``rlpoet.training.run``)
    for turn in range(steps + 1):
        spent: dict[str, float] = {}
        with clocked(trainer, spent):
            started = time.process_time()
            metrics, fresh, _ = trainer.step(0.5)
            seconds = time.process_time() - started
        if turn:  # the first warms up
            took.append(seconds)
            shares.append(spent)
            tokens = metrics["samples/tokens"]
        if way in ("tb", "ppo"):
            for name, run in Arithmetic(policy, fresh, policy.precision).steps(way).items():
                started = time.process_time()
                run()
                bare.setdefault(name, []).append(time.process_time() - started)
    n, best = n_prompts * group, took.index(min(took))
    row: dict[str, Any] = {
        "bench": "training", "way": way, "lang": lang, "precision": precision, "batch": f"{n_prompts}x{group}", "steps": steps,
        "tokens_a_text": round(tokens, 1), "samples_per_cpu_s": round(n / min(took), 1), "median": round(n / statistics.median(took), 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip
    if bare:
        least = {name: min(seconds) for name, seconds in bare.items()}
        row |= {
            "step_cpu_s": round(took[best], 3), "arithmetic_cpu_s": round(sum(least.values()), 3),
            "times_arithmetic": round(took[best] / sum(least.values()), 2),
            "of": {name: round(seconds, 3) for name, seconds in shares[best].items()},
            "products": {name: round(seconds, 3) for name, seconds in least.items()},
        }  # fmt: skip
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="fr", help="a shipped policy, or the folder of a Llama policy")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16")
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--group", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    args = parser.parse_args()
    fresh_process = multiprocessing.get_context("spawn")
    for way in args.ways:
        with fresh_process.Pool(1) as pool:
            row = pool.apply(bench, (way, args.lang, args.precision, args.prompts, args.group, args.steps))
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
