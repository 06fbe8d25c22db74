# /// script
# requires-python = ">=3.11"
# dependencies = ["rlpoet", "rlpoet-verse[trl]", "peft"]
#
# [tool.uv.sources]
# rlpoet = { path = "../../..", editable = true }
# rlpoet-verse = { path = "../environments", editable = true }
# ///
"""GRPO on verse with trl: the tiny French policy on a CPU, or any instruct model.

    uv run experiments/examples/scripts/trl_grpo_verse.py     # the tiny policy, some minutes on a CPU
    uv run experiments/examples/scripts/trl_grpo_verse.py --model Qwen/Qwen3-0.6B --lora --steps 500 --prompts 64 --group 8

The second wants a GPU. ``--vllm`` draws its poems with vllm, if that is installed.

A tiny policy writes tokens of its own format, so its poems are read from token ids; an instruct model is asked in plain language.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from typing import Any

from datasets import Dataset
from rlpoet_verse.specs import spec
from transformers import AutoModelForCausalLM
from trl import GRPOConfig, GRPOTrainer

from rewards.adapters.functions import as_function
from rewards.lexicon import Lexicon
from rewards.meter import Meter
from rewards.rhyme import Rhyme
from rlpoet.rollout import load_policy
from rlpoet.types import Prompt

TINY = ("fr", "es", "en", "fr-tb", "es-tb", "en-tb")
FORMS = ("couplet", "quatrain-abab", "quatrain-abba")
REWARDS = (Rhyme(), Meter(), Lexicon())
WEIGHTS = [2.0, 1.0, 1.0]


def tiny(name: str, folder: str, n_prompts: int) -> tuple[Any, Any, list[dict[str, str]], list[Callable[..., Any]]]:
    """Model, tokenizer, rows and reward functions of a shipped policy."""
    policy, lang = load_policy(name, seed=0), name[:2]
    tokenizer = policy.tokenizer
    tokenizer.eos_token_id, tokenizer.pad_token_id = policy.end, policy.pad
    policy.model.save_pretrained(folder)  # trl opens the reference model where the model says it came from
    asked = [Prompt(lang, FORMS[n % len(FORMS)]) for n in range(n_prompts)]
    rows = [{"prompt": tokenizer.decode(policy.start_ids(one)), "lang": one.lang, "form": one.form} for one in asked]

    def of_tokens(function: Callable[..., Any]) -> Callable[..., Any]:
        def score(prompts, completions, completion_ids, lang, form, **columns):
            told = [Prompt(*pair) for pair in zip(lang, form, strict=True)]
            return function(prompts, policy.continued(told, completion_ids).texts, lang=lang, form=form, **columns)

        score.__name__ = function.__name__
        return score

    return AutoModelForCausalLM.from_pretrained(folder), tokenizer, rows, [of_tokens(as_function(reward)) for reward in REWARDS]


def instruct(name: str, n_prompts: int) -> tuple[str, None, list[dict[str, Any]], list[Callable[..., Any]]]:
    """The same for an instruct model, which is asked in the language of the poem."""
    tasks = [spec(0, index) for index in range(n_prompts)]
    rows = [
        {"prompt": [{"role": "user", "content": one.prompt}], "lang": one.lang, "form": one.form, "author": one.author} for one in tasks
    ]
    return name, None, rows, [as_function(reward) for reward in REWARDS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="fr", help=f"{', '.join(TINY)}, or the name of a Hugging Face model")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--prompts", type=int, default=8, help="prompts per step")
    parser.add_argument("--group", type=int, default=8, help="poems per prompt")
    parser.add_argument("--learning_rate", type=float, default=1e-4)
    parser.add_argument("--kl", type=float, default=0.03, help="strength of the KL penalty")
    parser.add_argument("--lora", action="store_true", help="train an adapter of rank 16")
    parser.add_argument("--vllm", action="store_true", help="draw poems with vllm")
    parser.add_argument("--output_dir", default="runs/trl-grpo")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own = options.model in TINY
        model, tokenizer, rows, functions = (
            tiny(options.model, folder, options.prompts) if own else instruct(options.model, 100 * options.prompts)
        )
        config = GRPOConfig(
            output_dir=options.output_dir, max_steps=options.steps, per_device_train_batch_size=options.prompts * options.group,
            num_generations=options.group, max_completion_length=128 if own else 512, learning_rate=options.learning_rate,
            beta=options.kl, reward_weights=WEIGHTS, use_vllm=options.vllm, logging_steps=1, save_strategy="no", report_to="none",
            bf16=options.vllm, use_cpu=own, gradient_checkpointing=not own,
        )  # fmt: skip
        lora = None
        if options.lora:
            from peft import LoraConfig

            lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear")
        trainer = GRPOTrainer(
            model, functions, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer, peft_config=lora
        )
        trainer.train()
        trainer.save_model(options.output_dir)
    for row in trainer.state.log_history:
        if "reward" in row:
            print(row["step"], {name: round(value, 3) for name, value in row.items() if name == "reward" or name.endswith("/mean")})


if __name__ == "__main__":
    main()
