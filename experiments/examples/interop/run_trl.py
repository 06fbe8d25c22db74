"""One step of trl's GRPOTrainer and one of its RLOOTrainer on ``as_function``, with a model of two layers made here.

    .venv/bin/python experiments/examples/interop/run_trl.py

The model writes noise, so the poems of ``poems.CASES`` are put in place of what it wrote, in trl's own token ids; what trl then logs as
``rewards/weighted_mean/mean`` has to be the mean of the scores worked out by hand.
"""

import tempfile
import warnings
from importlib.metadata import version

import torch
from datasets import Dataset
from poems import CASES, PROMPT, byte_tokenizer, tell
from poet_reward import REWARD
from transformers import LlamaConfig, LlamaForCausalLM
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

from rewards.adapters.functions import as_function


def run(trainer_class, config_class, **options) -> list[float]:
    """The scores of one step, checked against what trl logs."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **size))
    rows = [{"prompt": PROMPT, "lang": label.split()[0], "form": label.split()[1], "text": text} for label, text, _ in CASES]
    scored, function = [], as_function(REWARD)

    def reward(prompts, completions, **columns):
        found = function(prompts, completions, **columns)
        scored.extend(found)
        return found

    reward.__name__ = function.__name__
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)  # trl opens the reference model where the model says it came from
        model = LlamaForCausalLM.from_pretrained(folder)
        config = config_class(
            output_dir=folder, max_steps=1, per_device_train_batch_size=2 * len(CASES), num_generations=2, max_completion_length=256,
            logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, bf16=False, shuffle_dataset=False,
            gradient_checkpointing=False, **options,
        )  # fmt: skip
        trainer = trainer_class(model, reward, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)

        def generate(input_ids, **_):
            written = [tokenizer(row["text"])["input_ids"] + [tokenizer.eos_token_id] for row in rows for _ in range(2)]
            padded = torch.nn.utils.rnn.pad_sequence(
                list(map(torch.tensor, written)), batch_first=True, padding_value=tokenizer.pad_token_id
            )
            return torch.cat([input_ids, padded], 1)

        trainer.model.generate = generate
        trainer.train()
        logged = next(row for row in trainer.state.log_history if "rewards/weighted_mean/mean" in row)
    assert abs(logged["rewards/weighted_mean/mean"] - sum(scored) / len(scored)) < 1e-6, (logged, scored)
    return scored[::2]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    got = run(GRPOTrainer, GRPOConfig)
    assert got == run(RLOOTrainer, RLOOConfig), "GRPO and RLOO have to be told the same"
    tell("trl", version("trl"), got)
