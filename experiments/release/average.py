"""The mean of the weights of policies that went on from one another: what one of them learned at the cost of another's, without the cost.

    python -m experiments.release.average --out FOLDER --poems HELD.jsonl.gz runs/a=0.4 runs/b=0.3 runs/c=0.3

All have to share their pieces; a mark that only some know keeps the row of the first, whose tokenizer and format are taken. The card is the
first's, with the mean and its figures in place of its own: bits per character of the poems given, pairs that rhyme.

References:
    Wortsman et al. 2022, "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
    inference time", arXiv:2203.05482.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from policies.causal_lm import CausalPolicy
from policies.formats.data import annotate_all, encode
from policies.loading.files import locate
from policies.pretraining.model import bits_per_char
from policies.pretraining.run import rhyming
from rlpoet.corpus import read_poems
from rlpoet.errors import RlpoetError


def mean_weights(weights: list[tuple[float, Mapping[str, Tensor]]]) -> dict[str, Tensor]:
    """Weighted mean in float32; a matrix with fewer rows than the first's counts for the rows it has.

    Raises:
        RlpoetError: no weight is positive, or the models differ in more than rows of marks.

    Example:
        >>> mean_weights([(1, {"w": torch.tensor([1.0, 5.0])}), (3, {"w": torch.tensor([3.0])})])
        {'w': tensor([2.5000, 5.0000])}
    """
    first = weights[0][1]
    if not all(share > 0 for share, _ in weights):
        raise RlpoetError("average: a share that is not positive; expected numbers above 0.")
    out = {}
    for name, own in first.items():
        total, mass = torch.zeros_like(own, dtype=torch.float32), torch.zeros(len(own), *[1] * (own.ndim - 1))
        for share, other in weights:
            if name not in other or other[name].shape[1:] != own.shape[1:] or len(other[name]) > len(own):
                raise RlpoetError(f"average: {name} differs between the models; expected policies that went on from one another.")
            n = len(other[name])
            total[:n] += share * other[name].float()
            mass[:n] += share
        out[name] = total / mass
    return out


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("policies", nargs="+", help="FOLDER=SHARE")
    parser.add_argument("--names", nargs="+", default=[], help="what the card calls each of them")
    parser.add_argument("--poems", required=True, help="held-out poems")
    parser.add_argument("--out", required=True)
    args = parser.parse_args(argv)
    named = [(source.rpartition("=")[0], float(source.rpartition("=")[2])) for source in args.policies]
    policy, *others = [CausalPolicy.load(source) for source, _ in named]
    pieces = len(policy.tokenizer)
    weights = []
    for (_, share), own in zip(named, [policy, *others], strict=True):
        # rows past a tokenizer's end only round the matrix up
        known = {k: v[: len(own.tokenizer)] if len(v) == own.model.config.vocab_size else v for k, v in own.model.state_dict().items()}
        weights.append((share, known))
    full = policy.model.state_dict()
    averaged = mean_weights(weights)
    policy.model.load_state_dict({k: torch.cat([v, full[k][pieces:].float()]) if len(v) < len(full[k]) else v for k, v in averaged.items()})
    out = Path(args.out)
    policy.save(out, dtype=torch.bfloat16)
    made = CausalPolicy.load(out)
    held = annotate_all(read_poems([args.poems]), made.lang)
    bits = bits_per_char(made.model, encode(held, made.format, made.tokenizer), made.tokenizer)
    pairs = rhyming(made, 256)
    names = args.names or [Path(source).name for source, _ in named]
    parts = ", ".join(f"{share / sum(s for _, s in named):.0%} {name}" for name, (_, share) in zip(names, named, strict=True))
    card = (locate(named[0][0]) / "README.md").read_text(encoding="utf-8")
    (out / "README.md").write_text(card_of(card, parts, bits, pairs, len(held)), encoding="utf-8")
    sys.stdout.write(json.dumps({"bits_per_char": bits, "rhyme_pairs": pairs, "poems": len(held)}) + "\n")
    return 0


def card_of(card: str, parts: str, bits: float, pairs: Mapping[str, float], n_poems: int) -> str:
    """The first policy's card, telling of the mean."""
    how = f"The mean of the weights of policies that went on from one another (`experiments/release/average.py`): {parts}."
    told = f"## Training\n\n{how}\nThe first of them:\n"
    card = card.replace("## Training\n", told, 1)
    card = re.sub(
        r"\*\*[\d.]+ bits per character\*\*", f"**{bits:.3f} bits per character** on {n_poems} poems that none of them read", card, count=1
    )
    for name, rate in pairs.items():
        card = re.sub(rf"^\| {name} \| [\d.]+%", f"| {name} | {rate:.1%}", card, flags=re.MULTILINE)
    return card


if __name__ == "__main__":
    raise SystemExit(main())
