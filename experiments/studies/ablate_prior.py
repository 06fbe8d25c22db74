"""What makes a tiny prior good: tokenizer, size, attention, word order and plan marks, one change at a time.

    python -m experiments.studies.ablate_prior --lang fr --data poems.jsonl.gz --characters 6e6 --output_dir runs/ablate-prior-fr

Every variant reads the same poems for the same number of printed characters with the same schedule, so that the figures compare
what a character teaches; CPU-seconds say what it costs. Bits per character and the share of sampled pairs that rhyme are
measured on the same held-out poems and forms. Variants already in ``results.jsonl`` are not run again. Leaves ``table.md`` and
``curves.png`` (bits per character against tokens).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from policies.causal_lm import CausalPolicy
from policies.formats.data import Annotated, annotate_all, choose_format, encode
from policies.formats.tokenizer import train_tokenizer
from policies.pretraining.model import SIZES, Schedule, bits_per_char, build_model, pretrain
from policies.pretraining.run import rhyming
from rlpoet.corpus import read_poems, split_poems
from rlpoet.reporting.charts import canvas, save_png
from rlpoet.text import write_atomically

BASE: dict[str, Any] = {"tokenizer": "bpe", "vocab": 2048, "size": "tiny", "groups": 1, "order": "backward", "plans": True}
VARIANTS: dict[str, dict[str, Any]] = {
    "base": {},
    "char": {"tokenizer": "char"},
    "word": {"tokenizer": "word", "vocab": 8192},
    "bpe-128": {"vocab": 128},
    "bpe-512": {"vocab": 512},
    "bpe-1024": {"vocab": 1024},
    "bpe-4096": {"vocab": 4096},
    "nano": {"size": "nano"},
    "small": {"size": "small"},
    "multi-head": {"groups": 0},
    "forward": {"order": "forward"},
    "no-plans": {"plans": False},
    "forward-no-plans": {"order": "forward", "plans": False},
}
WINDOW_CHARACTERS = 800  # a row of text, whatever the tokenizer: some five quatrains


def run_variant(name: str, train: list[Annotated], held: list[Annotated], lang: str, args: argparse.Namespace) -> dict[str, Any]:
    """Train one variant and measure it."""
    own = {**BASE, **VARIANTS[name]}
    verse_format = choose_format(train, lang, order=own["order"], plans=own["plans"])
    bare = dataclasses.replace(verse_format, plans=False)
    words = [bare.write_line(line, "") for poem in train for group in poem.groups for line in group.lines]
    tokenizer = train_tokenizer(words, verse_format.marks, kind=own["tokenizer"], size=own["vocab"])
    pieces, held_pieces = encode(train, verse_format, tokenizer), encode(held, verse_format, tokenizer)
    n_tokens = sum(len(p.header) + len(p.body) for poem in pieces for p in poem)
    n_chars = sum(p.n_chars for poem in pieces for p in poem)
    window = 64 * round(WINDOW_CHARACTERS * n_tokens / n_chars / 64)
    rows = 16
    steps = round(args.characters * n_tokens / n_chars / (rows * window))
    shape = SIZES[own["size"]]
    SIZES["ablated"] = dataclasses.replace(shape, groups=own["groups"] or shape.heads)
    model = build_model("ablated", tokenizer, seed=args.seed)
    curve: list[tuple[int, float]] = []
    started, said = time.process_time(), time.perf_counter()

    def evaluate() -> dict[str, float]:
        found = bits_per_char(model, held_pieces, tokenizer, window=window)
        curve.append((len(curve) * every * rows * window, found))
        return {"eval/bits_per_char": found}

    def report(step: int, numbers: dict[str, float]) -> None:
        nonlocal said
        if time.perf_counter() - said > 30:
            said = time.perf_counter()
            sys.stderr.write(f"{name}: step {step} of {steps}, loss {numbers.get('train/loss', float('nan')):.3f}\n")

    every = max(steps // 6, 1)
    folder = Path(args.output_dir) / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    evaluate()
    schedule = Schedule(steps=steps, batch_tokens=rows * window, window=window, seed=args.seed, warmup_steps=min(50, steps // 5))
    done = pretrain(
        model, tokenizer, pieces, schedule, checkpoint=folder / "checkpoint.pt", report=report, evaluate=evaluate, every=every,
        compiled=args.compile,
    )  # fmt: skip
    seconds = time.process_time() - started
    policy = CausalPolicy(model.eval(), tokenizer, verse_format, seed=args.seed)
    policy.precision = torch.bfloat16
    policy.save(folder / "policy", dtype=torch.bfloat16)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return {
        "variant": name, **own, "lang": lang, "seed": args.seed, "parameters": sum(p.numel() for p in model.parameters()),
        "characters": round(done["tokens"] * n_chars / n_tokens), "tokens": int(done["tokens"]), "characters_per_token": n_chars / n_tokens,
        "cpu_seconds": round(seconds), "bits_per_char": bits_per_char(model, held_pieces, tokenizer, window=window),
        "rhyme_pairs": rhyming(policy, args.samples), "curve": curve,
    }  # fmt: skip


def write_table(results: list[dict[str, Any]], folder: Path) -> None:
    """``table.md`` and ``curves.png``."""
    columns = "variant parameters characters/token tokens CPU-seconds bits/character couplet/abab/abba_rhyming".split()
    head = "| " + " | ".join(columns) + " |\n| --- " + "| --- " * (len(columns) - 1) + "|\n"
    rows = [
        f"| {r['variant']} | {r['parameters'] / 1e6:.2f}M | {r['characters_per_token']:.2f} | {r['tokens'] / 1e6:.2f}M "
        f"| {r['cpu_seconds']} | {r['bits_per_char']:.3f} | {' / '.join(f'{rate:.1%}' for rate in r['rhyme_pairs'].values())} |\n"
        for r in results
    ]
    write_atomically(folder / "table.md", head + "".join(rows))
    figure, (axes,) = canvas(8, 5)
    for r in results:
        axes.plot([x / 1e6 for x, _ in r["curve"][1:]], [y for _, y in r["curve"][1:]], marker="o", markersize=3, label=r["variant"])
    title = f"{results[0]['lang']}: equal characters, one change at a time"
    axes.set(xlabel="tokens, millions", ylabel="held-out bits per character", title=title)
    axes.legend(fontsize=8, ncols=2)
    save_png(figure, folder / "curves.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--data", nargs="+", required=True)
    parser.add_argument("--characters", type=float, default=6e6, help="printed characters every variant reads")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--held_share", type=float, default=0.4, help="of the held-out poems, at every measurement")
    parser.add_argument("--samples", type=int, default=96, help="poems a form for the share of rhyming pairs")
    parser.add_argument("--min_rhymed", type=float, default=0.7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compile", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = Path(args.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    poems = [p for p in read_poems(args.data) if p.core and (p.rhymed is None or p.rhymed >= args.min_rhymed)]
    train_poems, held_poems = split_poems(poems, validation=0.03)
    train = annotate_all(train_poems, args.lang, cache=folder / "train.jsonl.gz")
    held_poems = held_poems[: max(1, round(len(held_poems) * args.held_share))]
    held = annotate_all(held_poems, args.lang, cache=folder / "held.jsonl.gz")
    path = folder / "results.jsonl"
    results = [json.loads(row) for row in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    for name in args.variants:
        if any(r["variant"] == name and r["seed"] == args.seed for r in results):
            continue
        results.append(run_variant(name, train, held, args.lang, args))
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(results[-1], ensure_ascii=False) + "\n")
        write_table(results, folder)
        sys.stdout.write(json.dumps({k: v for k, v in results[-1].items() if k != "curve"}, ensure_ascii=False) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
