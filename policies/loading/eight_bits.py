"""Weights in eight bits: half the bytes of bfloat16, for policies that a package ships.

Each row of a matrix is stored as whole numbers from -127 to 127 and one scale in float32, the row's largest weight divided by 127; vectors
stay in float32. transformers does not read such a file: ``load_policy`` does, and ``CausalPolicy.save`` writes what it opened as a plain
model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from rlpoet.text import whole_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel

EIGHT_BITS = "model.int8.safetensors"
SCALE = ".scale"


def packed(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are stored.

    >>> stored = packed({"w": torch.tensor([[1.0, -0.5], [0.0, 0.0]]), "norm": torch.tensor([0.1])})
    >>> stored["w"].tolist(), stored["norm"].dtype, unpacked(stored)["w"].shape
    ([[127, -64], [0, 0]], torch.float32, torch.Size([2, 2]))
    """
    stored: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.ndim != 2:
            stored[name] = weight.float().contiguous()
            continue
        scale = weight.float().abs().amax(1) / 127
        stored[name] = (weight.float() / scale.clamp(min=1e-30)[:, None]).round().clamp(-127, 127).to(torch.int8)
        stored[name + SCALE] = scale
    return stored


def unpacked(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float32."""
    return {
        name: tensor.float() * stored[name + SCALE][:, None] if tensor.dtype == torch.int8 else tensor.float()
        for name, tensor in stored.items()
        if not name.endswith(SCALE)
    }


def write(model: PreTrainedModel, folder: Path) -> None:
    """Weights and configuration of a model; tied embeddings are stored once."""
    weights = model.state_dict()
    if model.config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
    with whole_file(folder / EIGHT_BITS) as file:
        file.write(save(packed(weights), metadata={"format": "pt"}))
    model.config.save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)


def read(folder: Path) -> dict[str, Tensor]:
    """Weights of a folder in float32.

    Raises:
        OSError, SafetensorError, KeyError: no such file, or a broken one.
    """
    return unpacked(load_file(folder / EIGHT_BITS))


def open_eight_bits(folder: Path) -> PreTrainedModel:
    """The model of a folder in float32.

    Raises:
        OSError, SafetensorError, KeyError, RuntimeError, ValueError: missing or broken files, or weights of another shape.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    weights = read(folder)
    with torch.random.fork_rng(devices=[]):  # a fresh model draws its weights
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False), dtype=torch.float32
        )
    if model.config.tie_word_embeddings:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    model.load_state_dict(weights)
    return model.eval()
