"""How often the intervals of a run's table hold the truth.

    python -m experiments.studies.interval_coverage --lang es --prompts 64 16 8        # one row of figures each

Many poems of the prior and of the shipped rhyming policy are drawn once for each prompt of a run. Examinations are drawn from them, four
poems a prompt, none twice in one examination. The truth is the mean over all examinations. ``null`` compares two examinations of the prior:
there a change that is seen is a false one.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from policies.causal_lm import CausalPolicy
from rlpoet.evaluation.form import SHARES, figures_of
from rlpoet.evaluation.sampled import PER_PROMPT, Measured, examine, intervals
from rlpoet.training.build import authors_of
from rlpoet.training.config import TrainConfig
from rlpoet.training.prompts import mixed_prompts
from rlpoet.types import Prompt

LEAST, TIMES = 128, 20  # poems in the pool of a prompt: at least, and for each that an examination draws
NATS = "prior_nll_per_token"
RELATIVE = (NATS, "distinct_end_words")


def pool_of(policy: CausalPolicy, prior: CausalPolicy, prompts: Sequence[Prompt], *, seed: int) -> Measured:
    """Poems to draw examinations from."""
    often = [prompt for prompt, n in Counter(prompts).items() for _ in range(max(LEAST // PER_PROMPT, TIMES * n))]
    pool, _ = examine(policy, prior, often, PER_PROMPT * len(often), seed=seed)
    return pool


def examinations(pools: Sequence[Measured], prompts: Sequence[Prompt], rng: np.random.Generator) -> list[Measured]:
    """One examination of each pool; of a pool that is given twice, no poem twice."""
    shuffled: dict[tuple[int, Prompt], list[int]] = {}
    for pool in pools:
        rows = defaultdict(list)
        for row, prompt in enumerate(pool.prompts):
            rows[prompt].append(row)
        shuffled |= {(id(pool), prompt): rng.permutation(own).tolist() for prompt, own in rows.items()}
    drawn = []
    for pool in pools:
        rows = [shuffled[id(pool), prompt].pop() for prompt in prompts for _ in range(PER_PROMPT)]
        nats, tokens = pool.nats[rows], pool.tokens[rows]
        facts = tuple(pool.facts[row] for row in rows)
        asked, texts = (tuple(getattr(pool, name)[row] for row in rows) for name in ("prompts", "texts"))
        drawn.append(Measured({**figures_of(facts), NATS: nats.sum() / tokens.sum()}, asked, texts, facts, nats, tokens))
    return drawn


def coverage(pools: Sequence[Measured], prompts: Sequence[Prompt], n: int) -> dict[str, dict[str, float]]:
    """Of each figure, the share of intervals that hold the truth (``before``, ``after``, ``change``) and of changes ``seen``."""
    rng = np.random.default_rng(0)
    sides = [examinations(pools, prompts, rng) for _ in range(n)]
    found = [intervals(*pair) for pair in sides]
    table = {}
    for name in (*SHARES, *RELATIVE):
        before, after = (float(np.mean([pair[i].figures[name] for pair in sides])) for i in (0, 1))
        gap = 0.0 if pools[0] is pools[1] else after / before - 1 if name in RELATIVE else after - before
        told = {side: [one[name][side] for one in found if side in one.get(name, {})] for side in ("before", "after", "change")}
        truth = {"before": before, "after": after, "change": gap}
        table[name] = {side: float(np.mean([low <= truth[side] <= high for low, high in told[side]])) for side in truth}
        table[name]["seen"] = float(np.mean([not low <= 0 <= high for low, high in told["change"]]))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="es")
    parser.add_argument("--prompts", type=int, nargs="+", default=[64, 16, 8])
    parser.add_argument("-n", type=int, default=1000, help="examinations")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = TrainConfig(lang=args.lang)
    prior, trained = (CausalPolicy.load(name, seed=0, lang=args.lang) for name in (args.lang, f"{args.lang}-tb"))
    most = max(args.prompts)
    prompts = mixed_prompts(args.lang, config.forms, authors_of(config.authors, prior), most, rng=random.Random(config.seed))
    before, after = (pool_of(policy, prior, prompts, seed=i) for i, policy in enumerate((prior, trained)))
    print(f"| prompts | figure | before | after | change | seen | null: change | null: seen |\n|{' --- |' * 8}")
    for n in args.prompts:
        real, null = (coverage(pools, prompts[:n], args.n) for pools in ((before, after), (before, before)))
        for name, row in real.items():
            cells = [*row.values(), null[name]["change"], null[name]["seen"]]
            print(f"| {n} | `{name}` | {' | '.join(f'{100 * cell:.1f}' for cell in cells)} |", flush=True)


if __name__ == "__main__":
    main()
