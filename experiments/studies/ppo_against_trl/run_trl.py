"""trl 1.12's PPOTrainer on the toy task, one curve a seed. Runs in an environment of its own; see README.md.

PYTHONPATH=experiments/studies/ppo_against_trl trl112/bin/python experiments/studies/ppo_against_trl/run_trl.py --seeds 0 1 2 3 4
"""

from __future__ import annotations

import argparse
import gc
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import torch
from datasets import Dataset
from task import HERE, LENGTH, LETTERS, SETTINGS, START, VOCAB, open_model, reward, write_curves
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import LlamaForSequenceClassification, PreTrainedTokenizerFast, TrainerCallback
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Reading(nn.Module):
    """A "backbone" whose last hidden state is the tokens themselves."""

    def forward(self, input_ids: Tensor, **_: Any) -> Any:
        return SimpleNamespace(hidden_states=[input_ids[:, :, None].float()])


class Verdict(nn.Module):
    def forward(self, states: Tensor) -> Tensor:
        """The reward of the whole text at each of its places, ``(B, S, 1)``; the trainer reads the last."""
        texts = states[:, -LENGTH:, 0].long()
        return reward(texts)[:, None, None].expand(-1, states.shape[1], 1)


class RewardModel(nn.Module):
    """A function of tokens in the shape trl asks for: an nn.Module with a backbone and a score head."""

    base_model_prefix = "reading"

    def __init__(self) -> None:
        super().__init__()
        self.reading, self.score = Reading(), Verdict()


class Notes(TrainerCallback):
    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if logs and "objective/scores" in logs:
            self.rows.append({
                "reward": logs["objective/scores"], "kl": logs["objective/kl"], "entropy": logs["objective/entropy"],
                "clipfrac": logs["policy/clipfrac_avg"], "value_loss": logs["loss/value_avg"],
            })  # fmt: skip


def run(prior: Path, seed: int) -> list[dict[str, float]]:
    s = SETTINGS
    # the trainer wants a padding token and lets the policy draw it, which then stops the text, and with it the KL, for nothing;
    # the policy finds that out within 70 batches. So padding is a token that the model does not have
    names = {"<unused>": 0, "<s>": START, **{chr(ord("a") + i): i + 2 for i in range(LETTERS)}, "<pad>": VOCAB}
    words = Tokenizer(models.WordLevel(names))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="<pad>")
    policy = open_model(prior)
    policy.generation_config.eos_token_id = None
    # the value model trl users take: the prior's body with a head of its own, all of it trained; its head starts at 0 as ours does
    value = LlamaForSequenceClassification.from_pretrained(prior, num_labels=1, dtype=torch.float32)
    nn.init.zeros_(value.score.weight)
    notes = Notes()
    with tempfile.TemporaryDirectory() as folder:
        args = PPOConfig(
            output_dir=folder, seed=seed, total_episodes=s["batch"] * s["steps"], per_device_train_batch_size=s["batch"],
            gradient_accumulation_steps=1,  # more would put off the optimizer's step from minibatch to minibatch
            num_mini_batches=s["minibatches"], num_ppo_epochs=s["epochs"],
            local_rollout_forward_batch_size=s["batch"], learning_rate=s["learning_rate"], lr_scheduler_type="constant",
            adam_beta1=s["adam_betas"][0], adam_beta2=s["adam_betas"][1], weight_decay=0.0, response_length=LENGTH, temperature=1.0,
            kl_coef=s["alpha"], kl_estimator="k1", cliprange=s["cliprange"], cliprange_value=s["cliprange_value"], vf_coef=1.0,
            gamma=s["gamma"], lam=s["lam"], whiten_rewards=False, num_sample_generations=0, use_cpu=True, bf16=False,
            gradient_checkpointing=False, report_to=[], save_strategy="no", logging_steps=1, disable_tqdm=True,
        )  # fmt: skip
        trainer = PPOTrainer(
            args, tokenizer, policy, open_model(prior), RewardModel(), Dataset.from_dict({"input_ids": [[START]] * s["batch"]}), value,
            callbacks=[notes],
        )  # fmt: skip
        gc.collect()
        gc.freeze()  # the trainer collects garbage twice a batch, and would walk through all of its libraries each time
        trainer.train()
    return notes.rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--prior", type=Path, default=Path("runs/ppo_against_trl/prior"), help="the one run_ours.py made")
    parser.add_argument("--out", type=Path, default=HERE / "curves")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for seed in args.seeds:
        rows = run(args.prior, seed)
        write_curves(args.out / f"trl-{seed}.json", seed, rows)
        print(f"trl, seed {seed}: reward {rows[0]['reward']:.3f} -> {rows[-1]['reward']:.3f}, KL {rows[-1]['kl']:.2f} nats", flush=True)


if __name__ == "__main__":
    main()
