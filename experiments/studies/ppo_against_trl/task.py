"""The task both trainers get: a toy language, a prior that speaks it, a reward that needs credit. Imports torch and transformers alone.

Six letters a text, of fourteen; what follows what is drawn from a fixed table. The text is a "couplet" of two lines of three letters and
earns 1 if they end alike, 0 otherwise: half of what decides it lies three letters before it is earned, and it is paid on the last
letter, as trl's trainer pays. With a reward of 0 or 1 the best policy for a KL penalty is known exactly; see ``optimum``.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

UNUSED, START, LETTERS, LENGTH = 0, 1, 14, 6
VOCAB = 2 + LETTERS
HERE = Path(__file__).parent
# what both trainers are told; names are those of rlpoet.training.ppo.trainer, and run_trl.py translates them
SETTINGS: dict[str, Any] = {
    "batch": 128, "steps": 60, "learning_rate": 5e-4, "epochs": 4, "minibatches": 4, "cliprange": 0.2, "cliprange_value": 0.2,
    "lam": 0.95, "gamma": 1.0, "alpha": 0.2, "adam_betas": [0.9, 0.98],
}  # fmt: skip


def reward(texts: Tensor) -> Tensor:
    """1 where the lines end alike, else 0, ``(B,)``, of letters ``(B, 6)``."""
    return (texts[:, 2] == texts[:, 5]).float()


def optimum(chance: float) -> tuple[float, float]:
    """Mean reward and KL in nats of ``p0 exp(r / alpha) / Z``, where the prior earns 1 with probability ``chance``."""
    strength = 1 / SETTINGS["alpha"]
    log_z = math.log(1 - chance + chance * math.exp(strength))
    mean = chance * math.exp(strength - log_z)
    return mean, strength * mean - log_z


def speech(n: int, generator: torch.Generator) -> Tensor:
    """Texts of the toy language, START and six letters, ``(n, 7)``."""
    table = (2.0 * torch.randn(LETTERS, LETTERS, generator=torch.Generator().manual_seed(5))).softmax(1)
    letters = [torch.randint(LETTERS, (n,), generator=generator)]
    while len(letters) < LENGTH:
        letters.append(torch.multinomial(table[letters[-1]], 1, generator=generator).squeeze(1))
    return torch.cat([torch.full((n, 1), START), torch.stack(letters, 1) + 2], 1)


def make_prior(folder: Path) -> None:
    """Teach a Llama of 0.1 million weights the toy language and save it."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCAB, hidden_size=64, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=4,
        max_position_embeddings=64, pad_token_id=None, bos_token_id=START, eos_token_id=None, tie_word_embeddings=False,
    ))  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0)
    generator = torch.Generator().manual_seed(1)
    for step in range(400):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1.0, (400 - step) / 200)
        ids = speech(256, generator)
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)


def open_model(folder: Path) -> Any:
    """The prior, in float32 and evaluation mode."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def write_curves(path: Path, seed: int, curves: list[dict[str, float]]) -> None:
    """One file a run: a row a batch, with ``reward`` and ``kl`` (nats a text)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seed": seed, "settings": SETTINGS, "curves": curves}) + "\n", encoding="utf-8")
