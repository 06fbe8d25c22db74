"""OpenRLHF's own executor on ``poet_reward.reward_func``: it loads the file, decodes what an engine wrote, asks for the reward.

    VENV/bin/python experiments/examples/interop/run_openrlhf.py

The engine is a stand-in for vLLM that writes the texts of ``poems.CASES``, since vLLM, DeepSpeed and flash-attn want CUDA; everything
between the engine and the reward's tensor is OpenRLHF's.
"""

import asyncio
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import torch
from openrlhf.utils.agent import SingleTurnAgentExecutor
from poems import CASES, PROMPT, byte_tokenizer, tell

FILE = Path(__file__).with_name("poet_reward.py")


class Engine:
    """Writes one text, whatever it is asked."""

    def __init__(self, ids: list[int]) -> None:
        self.ids = ids

    async def generate(self, prompt_token_ids, sampling_params, multi_modal_data=None):
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=self.ids, finish_reason="stop", logprobs=None)])


async def rewards() -> list[float]:
    tokenizer, executor = byte_tokenizer(), SingleTurnAgentExecutor(str(FILE))
    found = []
    for label, text, _ in CASES:
        ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]
        params = SimpleNamespace(max_tokens=1024, logprobs=None)
        told = await executor.execute(PROMPT, label, params, 2048, tokenizer, Engine(ids))
        # as SamplesGenerator._process_response_into_experience makes tensors of them
        logs = {name: torch.tensor([value]) for name, value in told["extra_logs"].items()}
        assert torch.tensor([told["reward"]]).shape == (1,) and all(log.shape == (1,) for log in logs.values())
        found.append(torch.tensor([told["reward"]]).item())
    return found


if __name__ == "__main__":
    tell("openrlhf", version("openrlhf"), asyncio.run(rewards()))
