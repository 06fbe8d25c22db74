"""Speed of what a run spends its time on, in one process. ``make bench``; never part of a test.

Prints one JSON object a row: verse analysis in lines per second, then what ``experiments.benchmarks.sampling`` says of the sampler.
The verse module beside its peers: ``experiments.benchmarks.verse``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch

from experiments.benchmarks.sampling import bench as bench_sampling
from policies.causal_lm import CausalPolicy
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import find_scheme
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def bench_verse(policy: CausalPolicy, n: int) -> dict[str, float]:
    """Lines a second for schemes and for scansion, on poems of the policy that nothing has cached."""
    poems = [split_poem(text) for text in policy.sample([Prompt(policy.lang, "quatrain-abab")], n).texts]
    n_lines, rules = sum(map(len, poems)), verse(policy.lang)
    started = time.process_time()
    for poem in poems:
        find_scheme(poem, policy.lang)
    rhymed = time.process_time()
    for poem in poems:
        for line in poem:
            rules.scan(line)
    return {"rhyme_lines_per_s": n_lines / (rhymed - started), "scan_lines_per_s": n_lines / (time.process_time() - rhymed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=64)
    args = parser.parse_args()
    torch.set_num_threads(1)
    policy = CausalPolicy.load(args.lang)
    rows: list[dict[str, object]] = [{"bench": "verse", "lang": args.lang, **bench_verse(policy, 256)}]
    for dtype in (torch.float32, torch.bfloat16):
        rows.append({"bench": "sampling", **bench_sampling(policy, args.batch, args.length, dtype, repeats=3)})
    sys.stdout.writelines(json.dumps({k: float(f"{v:.3g}") if isinstance(v, float) else v for k, v in row.items()}) + "\n" for row in rows)


if __name__ == "__main__":
    main()
