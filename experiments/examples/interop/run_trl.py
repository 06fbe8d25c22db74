"""One step of trl's GRPOTrainer and one of its RLOOTrainer on ``as_function``, with a model of two layers made here.

    .venv/bin/python experiments/examples/interop/run_trl.py

The model writes noise, so the poems of ``poems.CASES`` are put in place of what it wrote, in trl's own token ids; what trl then logs as
``rewards/weighted_mean/mean`` has to be the mean of the scores worked out by hand. The parts in the log, the parts as rewards of their own
(GDPO) and the asynchronous function are held to the same scores.
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

from rewards.adapters.functions import as_async_function, as_function, as_functions


def run(trainer_class, config_class, functions, **options) -> dict[str, float]:
    """What trl logs of one step with these reward functions."""
    tokenizer = byte_tokenizer()
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **size))
    rows = [{"prompt": PROMPT, "lang": label.split()[0], "form": label.split()[1], "text": text} for label, text, _ in CASES]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)  # trl opens the reference model where the model says it came from
        model = LlamaForCausalLM.from_pretrained(folder)
        config = config_class(
            output_dir=folder, max_steps=1, per_device_train_batch_size=2 * len(CASES), num_generations=2, max_completion_length=256,
            logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, bf16=False, shuffle_dataset=False,
            gradient_checkpointing=False, **options,
        )  # fmt: skip
        trainer = trainer_class(model, functions, args=config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)

        def generate(input_ids, **_):
            written = [tokenizer(row["text"])["input_ids"] + [tokenizer.eos_token_id] for row in rows for _ in range(2)]
            padded = torch.nn.utils.rnn.pad_sequence(
                list(map(torch.tensor, written)), batch_first=True, padding_value=tokenizer.pad_token_id
            )
            return torch.cat([input_ids, padded], 1)

        trainer.model.generate = generate
        trainer.train()
        return next(row for row in trainer.state.log_history if "reward" in row)


def main() -> None:
    scored, function = [], as_function(REWARD)

    def reward(prompts, completions, **columns):
        found = function(prompts, completions, **columns)
        scored.append(found[::2])
        return found

    reward.__name__ = function.__name__
    logs = {kind.__name__: run(kind, config, [reward]) for kind, config in ((GRPOTrainer, GRPOConfig), (RLOOTrainer, RLOOConfig))}
    logs["asynchronous"] = run(GRPOTrainer, GRPOConfig, [as_async_function(REWARD)])
    assert scored[0] == scored[1], "GRPO and RLOO have to be told the same"
    mean = sum(expected for _, _, expected in CASES) / len(CASES)
    for name, logged in logs.items():
        assert abs(logged["rewards/weighted_mean/mean"] - mean) < 1e-6, (name, logged)
    parts, weights = as_functions(REWARD)
    gdpo = run(GRPOTrainer, GRPOConfig, parts, reward_weights=weights, multi_objective_aggregation="normalize_then_sum")
    for part in parts:
        name = part.__name__
        logged = logs["GRPOTrainer"][f"weighted_mean/{name}"]
        print(name, round(logged, 4), "in the log,", round(gdpo[f"rewards/{name}/mean"], 4), "as a reward of its own")
        assert abs(logged - gdpo[f"rewards/{name}/mean"]) < 1e-6, (logs, gdpo)
    tell("trl", version("trl"), scored[0])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
