"""One step of trl's GRPOTrainer on the verse environment: a model that hands in poems by its tool, and what trl logs of them.

    PYTHONPATH=experiments/examples/environments .venv/bin/python experiments/examples/interop/run_trl_environment.py

The model is made here and writes noise, so what it writes is replaced by tool calls
in Qwen3's format: one with a stanza by people, one with a couplet that only rhymes. Template, parsing, tools, rewards and log are trl's.
"""

import json
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import torch
import trl
from datasets import Dataset
from poems import byte_tokenizer
from rlpoet_verse.environment import VerseEnvironment, log_parts
from transformers import LlamaConfig, LlamaForCausalLM
from trl import GRPOConfig, GRPOTrainer

TEMPLATE = Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja"
POEMS = (
    # Baudelaire, Correspondances, 1857; not among the environment's own stanzas, which earn nothing
    "La Nature est un temple où de vivants piliers\nLaissent parfois sortir de confuses paroles ;\n"
    "L'homme y passe à travers des forêts de symboles\nQui l'observent avec des regards familiers.",
    "amour\ntoujours",
)


def call(poem: str) -> str:
    """A tool call as Qwen3 writes it."""
    return "<tool_call>\n" + json.dumps({"name": "submit", "arguments": {"poem": poem}}, ensure_ascii=False) + "\n</tool_call>"


def main() -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = TEMPLATE.read_text(encoding="utf-8")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    with tempfile.TemporaryDirectory() as folder:
        LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **size)).save_pretrained(folder)
        asked = {"prompt": [{"role": "user", "content": "Un quatrain !"}], "lang": "fr", "form": "quatrain-abba"}
        config = GRPOConfig(
            output_dir=folder, max_steps=1, per_device_train_batch_size=2, num_generations=2, max_completion_length=1024, logging_steps=1,
            save_strategy="no", report_to="none", use_cpu=True, bf16=False, gradient_checkpointing=False,
        )  # fmt: skip
        trainer = GRPOTrainer(
            LlamaForCausalLM.from_pretrained(folder), [log_parts], args=config, train_dataset=Dataset.from_list([asked]),
            processing_class=tokenizer, environment_factory=VerseEnvironment,
        )  # fmt: skip
        turns = iter([[call(poem) for poem in POEMS], ["Voilà."] * len(POEMS)])

        def generate(input_ids, **_):
            written = [torch.tensor(tokenizer(text)["input_ids"] + [tokenizer.eos_token_id]) for text in next(turns)[: len(input_ids)]]
            padded = torch.nn.utils.rnn.pad_sequence(written, batch_first=True, padding_value=tokenizer.pad_token_id)
            return torch.cat([input_ids, padded], 1)

        trainer.model.generate = generate
        trainer.train()
        logged = next(row for row in trainer.state.log_history if "reward" in row)
        told = [environment.judged for environment in trainer.environments]
    print("trl", version("trl"), {name: value for name, value in logged.items() if "verse" in name.lower() or name == "reward"})
    assert [one.parts["form"] for one in told] == [1.0, 0.5] and told[0].total > 0.95 and told[1].total == 0.0, told
    mean = sum(one.total for one in told) / len(told)
    assert abs(logged["rewards/VerseEnvironment/mean"] - mean) < 1e-6, (logged, told)
    assert abs(logged["verse/form"] - 0.75) < 1e-6, logged


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
