"""Tokens per CPU-second of sampling: this project's decoder, `transformers.generate`, and the matrix products alone.

    python -m experiments.benchmarks.sampling --lang fr --batch 64 --length 64

One run, one thread, one checkpoint, the same prompts; END is barred, so that each way draws as many tokens. Each way runs
``--repeats`` times in turns and the best counts: other work on the machine only ever adds time. `products` multiplies the
decoder's matrices by inputs of the shapes of a step and does nothing else; `transformers` runs in the same precision and on
the float32 weights. The last column checks that both ways know the same distribution: the largest difference between
their next-token probabilities after each of ``--length`` tokens of the same poems.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable
from typing import Any

import torch

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding, right_padded, sample_tokens
from policies.llama.decoder import LlamaDecoder
from rlpoet.types import Prompt

NOBODY = -1  # an END that never comes


def ways(policy: CausalPolicy, batch: int, length: int, dtype: torch.dtype) -> dict[str, Callable[[], object]]:
    """What is compared, by name."""
    prompt = policy.start_ids(Prompt(policy.lang, "quatrain-abab"))
    theirs = {"float32": policy.model, "same": copy.deepcopy(policy.model).to(dtype)}
    decoder = LlamaDecoder(policy.model, dtype)
    matrices = [w for layer in decoder.layers for w in layer] + [decoder.head]
    inputs = [torch.zeros(batch, w.shape[1], dtype=dtype) for w in matrices]

    def ours() -> object:
        return sample_tokens(policy.model, [prompt] * batch, Decoding(max_new_tokens=length), end=NOBODY, pad=policy.pad, dtype=dtype)

    def generate(model: Any) -> object:
        ids = torch.tensor([prompt] * batch)
        options = {"do_sample": True, "top_k": 0, "min_new_tokens": length, "max_new_tokens": length, "pad_token_id": policy.pad}
        with torch.no_grad():
            return model.generate(ids, attention_mask=torch.ones_like(ids), **options)

    def products() -> object:
        with torch.inference_mode():
            for _ in range(length):
                for x, w in zip(inputs, matrices, strict=True):
                    torch.nn.functional.linear(x, w)
        return None

    return {
        "rlpoet": ours,
        "transformers_same_dtype": lambda: generate(theirs["same"]),
        "transformers_float32": lambda: generate(theirs["float32"]),
        "products": products,
    }


@torch.inference_mode()
def disagreement(policy: CausalPolicy, batch: int, length: int, dtype: torch.dtype) -> float:
    """Largest difference of a next-token probability between the decoder in ``dtype`` and transformers in float32."""
    prompt = policy.start_ids(Prompt(policy.lang, "quatrain-abab"))
    rows = sample_tokens(policy.model, [prompt] * batch, Decoding(max_new_tokens=length), end=NOBODY, pad=policy.pad)
    ids, lengths = right_padded([prompt] * batch, policy.pad, torch.device("cpu"))
    whole = torch.cat([ids, torch.tensor(rows)], dim=1)
    exact = policy.model(input_ids=whole).logits.softmax(-1)  # (B, S, V)
    decoder = LlamaDecoder(policy.model, dtype)
    logits, worst = decoder.start(ids, lengths, whole.shape[1]), 0.0
    for at in range(len(prompt), whole.shape[1]):
        worst = max(worst, (logits.float().softmax(-1) - exact[:, at - 1]).abs().max().item())
        logits = decoder.step(whole[:, at])
    return worst


def bench(policy: CausalPolicy, batch: int, length: int, dtype: torch.dtype, *, repeats: int) -> dict[str, object]:
    """One row: tokens per CPU-second of each way, ratios, and the disagreement."""
    named = ways(policy, batch, length, dtype)
    best = dict.fromkeys(named, float("inf"))
    for turn in range(repeats + 1):
        for name, run in named.items():
            started = time.process_time()
            run()
            if turn:  # the first warms up
                best[name] = min(best[name], time.process_time() - started)
    rates = {name: batch * length / seconds for name, seconds in best.items()}
    return {
        "lang": policy.lang, "dtype": str(dtype).removeprefix("torch."), "batch": batch, "length": length,
        **{f"{name}_tokens_per_cpu_s": round(rate) for name, rate in rates.items()},
        "times_transformers": round(rates["rlpoet"] / max(rates["transformers_same_dtype"], rates["transformers_float32"]), 2),
        "share_of_products": round(rates["rlpoet"] / rates["products"], 3),
        "largest_probability_difference": disagreement(policy, 8, length, dtype),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="fr", help="a shipped policy, or the folder of a Llama policy")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    policy = CausalPolicy.load(args.lang)
    for dtype in (torch.float32, torch.bfloat16):
        sys.stdout.write(json.dumps(bench(policy, args.batch, args.length, dtype, repeats=args.repeats)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
