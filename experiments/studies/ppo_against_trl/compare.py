"""Whether our PPO and trl's learn alike: curves of both, their spread over seeds, and the exact optimum.

python -m experiments.studies.ppo_against_trl.compare
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from experiments.studies.ppo_against_trl.task import HERE, LENGTH, SETTINGS, START, open_model, optimum, reward
from rlpoet.reporting.charts import canvas, save_png

SMOOTH = 5  # batches a point of a curve is the mean of
LAST = 20  # batches the final figures are the mean of


def curves(folder: Path, whose: str, name: str) -> np.ndarray:
    """``(seeds, batches)``, each point the mean of some batches before it."""
    runs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"{whose}-*.json"))]
    raw = np.array([[row[name] for row in run["curves"]] for run in runs])
    sums = np.cumsum(np.pad(raw, ((0, 0), (1, 0))), axis=1)
    return (sums[:, SMOOTH:] - sums[:, :-SMOOTH]) / SMOOTH


def compared(ours: np.ndarray, theirs: np.ndarray) -> dict[str, object]:
    """Final figures by seed, and the share of batches at which the ranges over seeds of the two overlap."""
    overlap = (ours.min(0) <= theirs.max(0)) & (theirs.min(0) <= ours.max(0))
    within = (theirs.min(0) <= ours.mean(0)) & (ours.mean(0) <= theirs.max(0))
    return {
        "ours_last": [round(float(x), 3) for x in ours[:, -LAST:].mean(1)],
        "trl_last": [round(float(x), 3) for x in theirs[:, -LAST:].mean(1)],
        "ranges_overlap": round(float(overlap.mean()), 3),
        "our_mean_within_trl_range": round(float(within.mean()), 3),
        "largest_gap_of_means": round(float(np.abs(ours.mean(0) - theirs.mean(0)).max()), 3),
    }


@torch.no_grad()
def chance(prior: Path, n: int = 65536) -> float:
    """How often the prior earns the reward, over ``n`` texts."""
    model, generator = open_model(prior), torch.Generator().manual_seed(11)
    ids = torch.full((n, 1), START)
    for _ in range(LENGTH):
        ids = torch.cat([ids, torch.multinomial(model(input_ids=ids).logits[:, -1].softmax(-1), 1, generator=generator)], 1)
    return float(reward(ids[:, 1:]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prior", type=Path, default=Path("runs/ppo_against_trl/prior"))
    parser.add_argument("--curves", type=Path, default=HERE / "curves")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()
    torch.set_num_threads(1)
    best = dict(zip(("reward", "kl"), optimum(chance(args.prior)), strict=True))
    both = {name: (curves(args.curves, "ours", name), curves(args.curves, "trl", name)) for name in ("reward", "kl", "entropy")}
    result = {
        "settings": SETTINGS,
        "seeds": {"ours": len(both["reward"][0]), "trl": len(both["reward"][1])},
        "optimum": {name: round(value, 3) for name, value in best.items()},
        **{name: compared(ours, theirs) for name, (ours, theirs) in both.items()},
    }
    (args.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))

    figure, axes = canvas(13, 3.8, columns=3)
    for axis, (name, pair) in zip(axes, both.items(), strict=True):
        for runs, colour, label in zip(pair, ("#0072b2", "#d55e00"), ("rlpoet", "trl 1.12"), strict=True):
            batches = np.arange(SMOOTH, SMOOTH + runs.shape[1])
            axis.plot(batches, runs.T, color=colour, alpha=0.35, linewidth=0.8)
            axis.plot(batches, runs.mean(0), color=colour, linewidth=2, label=f"{label}, {len(runs)} seeds")
        if name in best:
            axis.axhline(best[name], color="black", linestyle=":", label="exact optimum")
        axis.set(
            title={"reward": "reward", "kl": "KL to the prior, nats", "entropy": "entropy of a text, nats"}[name], xlabel="batches of 128"
        )
        axis.legend(fontsize=8)
    save_png(figure, args.out / "curves.png")


if __name__ == "__main__":
    main()
