"""verl's own loader of reward functions and both its reward managers on ``poet_reward.compute_score``.

    VENV/bin/python experiments/examples/interop/run_verl.py

What runs is verl from ``reward.custom_reward_function`` to the reward tensor: no model, no GPU, no Ray cluster.
"""

import asyncio
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from omegaconf import OmegaConf
from poems import CASES, PROMPT, byte_tokenizer, tell
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.naive import NaiveRewardManager as LoopManager
from verl.trainer.ppo.reward import get_custom_reward_fn
from verl.workers.reward_manager.naive import NaiveRewardManager

FILE = Path(__file__).with_name("poet_reward.py")


def batch(tokenizer) -> DataProto:
    """The cases as a batch of verl's: prompts padded left, responses padded right."""
    prompt = tokenizer(PROMPT)["input_ids"]
    texts = [tokenizer(text)["input_ids"] + [tokenizer.eos_token_id] for _, text, _ in CASES]
    widest = max(map(len, texts))
    responses = [ids + [tokenizer.pad_token_id] * (widest - len(ids)) for ids in texts]
    mask = [[1] * (len(prompt) + len(ids)) + [0] * (widest - len(ids)) for ids in texts]
    return DataProto.from_dict(
        tensors={
            "prompts": torch.tensor([prompt] * len(CASES)), "responses": torch.tensor(responses), "attention_mask": torch.tensor(mask),
        },
        non_tensors={
            "reward_model": np.array([{"ground_truth": label, "style": "rule"} for label, _, _ in CASES], dtype=object),
            "data_source": np.array(["rlpoet"] * len(CASES), dtype=object),
            "extra_info": np.array([{} for _ in CASES], dtype=object),
        },
    )  # fmt: skip


def main() -> None:
    config = OmegaConf.create({"reward": {"custom_reward_function": {"path": str(FILE), "name": "compute_score"}}})
    compute_score, tokenizer = get_custom_reward_fn(config), byte_tokenizer()
    data = batch(tokenizer)
    told = NaiveRewardManager(tokenizer, num_examine=0, compute_score=compute_score)(data, return_dict=True)
    tensor = told["reward_tensor"]
    print("parts", {name: [round(float(value), 3) for value in values] for name, values in told["reward_extra_info"].items()})
    ends = data.batch["attention_mask"][:, data.batch["prompts"].shape[1] :].sum(1) - 1
    assert torch.equal(tensor.sum(1), tensor[range(len(CASES)), ends]), "the reward has to lie on each text's last token"

    async def loop() -> list[float]:
        manager = LoopManager(config, tokenizer, compute_score)
        return [(await manager.run_single(data[i : i + 1]))["reward_score"] for i in range(len(CASES))]

    again = asyncio.run(loop())
    assert np.allclose(again, tensor.sum(1)), "verl's two reward managers have to agree"
    tell("verl", version("verl"), tensor.sum(1).tolist())


if __name__ == "__main__":
    main()
