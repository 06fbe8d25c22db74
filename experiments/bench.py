"""Speed of what a run spends its time on, side by side in one process. ``make bench``; never part of a test.

Prints one JSON object a row: verse analysis in lines per second, sampling in tokens per CPU-second next to
`transformers.generate` and to a loop of the same matrix products alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import torch

from policies.causal_lm import CausalPolicy
from policies.sampler import Decoding, LlamaDecoder, sample_tokens
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import find_scheme
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def bench_verse(policy: CausalPolicy, n: int) -> dict[str, float]:
    """Lines a second for schemes and for scansion, on poems of the policy that nothing has cached."""
    poems = [split_poem(text) for text in policy.sample([Prompt(policy.lang, "quatrain-abab")], n).texts]
    n_lines, ear = sum(map(len, poems)), verse(policy.lang)
    started = time.process_time()
    for poem in poems:
        find_scheme(poem, policy.lang)
    rhymed = time.process_time()
    for poem in poems:
        for line in poem:
            ear.scan(line)
    return {"rhyme_lines_per_s": n_lines / (rhymed - started), "scan_lines_per_s": n_lines / (time.process_time() - rhymed)}


def bench_sampling(policy: CausalPolicy, batch: int, length: int, dtype: torch.dtype) -> dict[str, float]:
    """Tokens per CPU-second of three ways to draw ``length`` tokens for ``batch`` prompts; END is barred, so all draw as many."""
    prompt = policy._ids(policy.format.write_prompt(Prompt(policy.lang, "quatrain-abab")))
    model, n = policy.model, batch * length
    nobody = -1  # an END that never comes

    def ours() -> None:
        sample_tokens(model, [prompt] * batch, Decoding(max_new_tokens=length), end=nobody, pad=policy.pad, dtype=dtype)

    def theirs() -> None:
        ids = torch.tensor([prompt] * batch)
        with torch.no_grad():
            model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                top_k=0,
                min_new_tokens=length,
                max_new_tokens=length,
                pad_token_id=policy.pad,
            )

    decoder = LlamaDecoder(model, dtype)
    matrices = [w for layer in decoder.layers for w in layer if w.ndim == 2] + [decoder.head]
    inputs = [torch.zeros(batch, w.shape[1], dtype=dtype) for w in matrices]

    def products() -> None:
        for _ in range(length):
            for x, w in zip(inputs, matrices, strict=True):
                torch.nn.functional.linear(x, w)

    found = {}
    for name, run in (("rlpoet", ours), ("generate", theirs), ("gemm_only", products)):
        run()
        started = time.process_time()
        run()
        found[f"{name}_tokens_per_cpu_s"] = n / (time.process_time() - started)
    return found


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
        found = bench_sampling(policy, args.batch, args.length, dtype)
        rows.append({"bench": "sampling", "batch": args.batch, "length": args.length, "dtype": str(dtype), **found})
    sys.stdout.writelines(json.dumps({k: round(v, 1) if isinstance(v, float) else v for k, v in row.items()}) + "\n" for row in rows)


if __name__ == "__main__":
    main()
