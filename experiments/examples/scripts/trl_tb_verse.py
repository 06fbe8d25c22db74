# /// script
# requires-python = ">=3.11"
# dependencies = ["rlpoet", "trl>=1.16"]
#
# [tool.uv.sources]
# rlpoet = { path = "../../..", editable = true }
# ///
"""Trajectory balance on verse in trl's own loop, with the tiny French policy on a CPU.

    uv run experiments/examples/scripts/trl_tb_verse.py --steps 20

What differs from GRPO is one class: ``TBTrainerForTRL`` in place of ``GRPOTrainer``. ``--kl`` sets the target ``p0 exp(r / kl)``.
"""

from __future__ import annotations

import argparse
import tempfile

from datasets import Dataset
from transformers import AutoModelForCausalLM
from trl import GRPOConfig

from rewards.adapters.functions import as_function
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.rollout import load_policy
from rlpoet.training.gflownet.trl_trainer import TBTrainerForTRL
from rlpoet.types import Prompt

FORMS = ("couplet", "quatrain-abab", "quatrain-abba")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fr", choices=["fr", "es", "en", "fr-tb", "es-tb", "en-tb"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=8, help="prompts per step")
    parser.add_argument("--group", type=int, default=8, help="poems per prompt")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--kl", type=float, default=0.05, help="strength of the KL penalty; 1 / kl is beta")
    parser.add_argument("--output_dir", default="runs/trl-tb")
    options = parser.parse_args()

    policy, lang = load_policy(options.model, seed=0), options.model[:2]
    tokenizer = policy.tokenizer
    tokenizer.eos_token_id, tokenizer.pad_token_id = policy.end, policy.pad
    asked = [Prompt(lang, FORMS[n % len(FORMS)]) for n in range(options.prompts)]
    rows = [{"prompt": tokenizer.decode(policy.start_ids(one)), "lang": one.lang, "form": one.form} for one in asked]

    def of_tokens(reward):
        """A reward of the poems that the policy's tokens spell."""

        def score(prompts, completions, completion_ids, lang, form, **columns):
            told = [Prompt(*pair) for pair in zip(lang, form, strict=True)]
            return as_function(reward)(prompts, policy.continued(told, completion_ids).texts, lang=lang, form=form, **columns)

        score.__name__ = reward.name
        return score

    with tempfile.TemporaryDirectory() as folder:
        policy.model.save_pretrained(folder)  # trl opens the reference model where the model says it came from
        config = GRPOConfig(
            output_dir=options.output_dir, max_steps=options.steps, per_device_train_batch_size=options.prompts * options.group,
            num_generations=options.group, max_completion_length=128, learning_rate=options.learning_rate, beta=options.kl,
            reward_weights=[2 / 3, 1 / 3], logging_steps=1, save_strategy="no", report_to="none", bf16=False, use_cpu=True,
            gradient_checkpointing=False,
        )  # fmt: skip
        model = AutoModelForCausalLM.from_pretrained(folder)
        functions = [of_tokens(Rhyme()), of_tokens(Meter())]
        trainer = TBTrainerForTRL(model, functions, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
        trainer.train()
        trainer.save_model(options.output_dir)
    for row in trainer.state.log_history:
        if "reward" in row:
            shown = {name: value for name, value in row.items() if name in ("reward", "kl", "loss") or name.endswith(("/mean", "/log_z"))}
            print(row["step"], {name: round(value, 3) for name, value in shown.items()})


if __name__ == "__main__":
    main()
