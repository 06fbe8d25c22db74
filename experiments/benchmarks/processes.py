"""Fresh poems a second of a step of trajectory balance, by how many processes and threads share it.

    python -m experiments.benchmarks.processes --lang fr --ways 1x1 1x2 2x1

A way is PROCESSES x THREADS of each. Wall-clock seconds of ``rlpoet train``'s default step (24 prompts of 8 quatrains, auxiliary
task and localized errors,
bfloat16 or float32) after two that warm up: the best of ``--steps``, and the middle one. Run nothing else on the machine.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import statistics
import sys
import time

import torch

from rlpoet.training.build import policy_of, score_of, worker_trainer
from rlpoet.training.config import TrainConfig
from rlpoet.training.distributed.ranks import Ranks, Spawned
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import MOST_PROMPTS
from rlpoet.training.prompts import mixed_prompts


def bench(lang: str, processes: int, threads: int, steps: int, precision: str) -> dict[str, object]:
    """One row; a step's seconds in this process, workers included."""
    config = TrainConfig(lang=lang, processes=processes, precision=precision)
    torch.set_num_threads(threads)
    policy = policy_of(config)
    prompts = list(dict.fromkeys(mixed_prompts(lang, config.forms, [None, *policy.authors[:20]], 4096, rng=random.Random(0))))
    took = []
    build = functools.partial(worker_trainer, config)
    with Spawned(build, processes - 1, threads=threads) if processes > 1 else Ranks() as ranks:
        trainer = TBTrainer(policy, score_of(config), prompts, config, config.tb, seed=0, ranks=ranks)
        for _ in range(2 + steps):
            started = time.perf_counter()
            trainer.step(0.5)
            took.append(time.perf_counter() - started)
    n = MOST_PROMPTS * config.group_size
    fast, usual = (round(n / x, 1) for x in (min(took[2:]), statistics.median(took[2:])))
    return {"lang": lang, "processes": processes, "threads": threads, "samples_per_s": fast, "median": usual, "steps": steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--ways", nargs="+", default=["1x1", "1x2", "2x1"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    args = parser.parse_args()
    for way in args.ways:
        processes, _, threads = way.partition("x")
        sys.stdout.write(json.dumps(bench(args.lang, int(processes), int(threads or 1), args.steps, args.precision)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
