"""Our PPOTrainer on the toy task, one curve a seed.

python -m experiments.studies.ppo_against_trl.run_ours --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.studies.ppo_against_trl.task import HERE, LENGTH, SETTINGS, START, UNUSED, make_prior, open_model, reward, write_curves
from rlpoet.rollout import Rollout
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.options import PPOOptions
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.types import Prompt


@dataclass
class LetterPolicy:
    """The toy language model as the trainer wants a policy. No text needs padding."""

    model: Any
    generator: torch.Generator
    pad: int = UNUSED
    lang: str = "fr"
    authors: tuple[str, ...] = ()
    precision: torch.dtype = torch.float32

    @torch.no_grad()
    def sample(self, prompts: Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, **decoding: Any) -> Rollout:
        ids = torch.full((len(prompts) * n, 1), START)
        for _ in range(LENGTH):
            p = self.model(input_ids=ids).logits[:, -1].softmax(-1)
            ids = torch.cat([ids, torch.multinomial(p, 1, generator=self.generator)], 1)
        chosen = torch.ones_like(ids, dtype=torch.bool)
        chosen[:, 0] = False
        texts = tuple(" ".join(map(str, row)) for row in ids[:, 1:].tolist())
        ends = torch.tensor([[3, 6]]).expand(len(ids), 2)
        return Rollout(tuple(p for p in prompts for _ in range(n)), texts, ids, chosen, torch.ones(len(ids), dtype=torch.bool), ends, ends)

    def log_prob(self, rollout: Rollout) -> Tensor:
        log_p = self.model(input_ids=rollout.ids[:, :-1]).logits.log_softmax(-1).gather(2, rollout.ids[:, 1:, None]).squeeze(2)
        return torch.nn.functional.pad(log_p, (1, 0))

    def reference(self) -> LetterPolicy:
        return LetterPolicy(copy.deepcopy(self.model).requires_grad_(False), torch.Generator())


@dataclass(frozen=True)
class Scored:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class Couplet:
    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        letters = torch.tensor([[int(x) for x in text.split()] for text in texts])
        return Scored(tuple(reward(letters).tolist()), {})

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        raise AssertionError("the reward is paid on the last letter")


def run(prior: Path, seed: int) -> list[dict[str, float]]:
    """Reward, KL, entropy and clipping of each batch, all of the texts as they were drawn."""
    s = SETTINGS
    common = StepOptions(
        prompts_per_step=1, group_size=s["batch"], beta=1 / s["alpha"], beta_warmup=0.0, warmup=0.0, learning_rate=s["learning_rate"],
        clip=1e9, freeze_embeddings=False,
    )  # fmt: skip
    options = PPOOptions(
        value_rate=s["learning_rate"], epochs=s["epochs"], minibatches=s["minibatches"], value_epochs=s["epochs"],
        value_minibatches=s["minibatches"], cliprange=s["cliprange"], cliprange_value=s["cliprange_value"], lam=s["lam"],
        value_lam=s["lam"], critic_first=0, whiten=True, credit="poem",
    )  # fmt: skip
    policy = LetterPolicy(open_model(prior), torch.Generator().manual_seed(seed))
    trainer = PPOTrainer(policy, Couplet(), [Prompt("fr", "couplet")], common, options, seed=seed)
    rows = []
    for _ in range(s["steps"]):
        metrics, fresh, _ = trainer.step(0.0)  # 0: the rates stay what they are
        rows.append({
            "reward": metrics["reward/mean"], "kl": metrics["objective/kl"], "entropy": LENGTH * metrics["objective/entropy_per_token"],
            "clipfrac": metrics["ppo/clipfrac"], "value_loss": metrics["ppo/value_loss"], "distinct": len(set(fresh.texts)) / len(fresh),
        })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--prior", type=Path, default=Path("runs/ppo_against_trl/prior"), help="made when it is not there")
    parser.add_argument("--out", type=Path, default=HERE / "curves")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not args.prior.exists():
        make_prior(args.prior)
    for seed in args.seeds:
        rows = run(args.prior, seed)
        write_curves(args.out / f"ours-{seed}.json", seed, rows)
        print(f"ours, seed {seed}: reward {rows[0]['reward']:.3f} -> {rows[-1]['reward']:.3f}, KL {rows[-1]['kl']:.2f} nats", flush=True)


if __name__ == "__main__":
    main()
