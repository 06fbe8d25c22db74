"""Weights and tokenizer of a shipped policy without transformers, whose import takes longer than writing a poem.

Only for a plain Llama that is sampled and scored on a CPU: ``policies.llama.decoder`` and ``policies.llama.scorer`` compute from the
weights alone. Such a model has no forward pass and cannot be saved or adapted. For any other model, and for a broken file,
``open_bare`` returns None, and transformers opens it or reports the error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from policies.llama.decoder import can_step
from policies.loading.eight_bits import EIGHT_BITS, read

NEEDED = (  # of config.json; transformers has defaults for them, which are not repeated here
    "hidden_act", "hidden_size", "intermediate_size", "max_position_embeddings", "num_attention_heads", "num_hidden_layers",
    "num_key_value_heads", "rms_norm_eps", "rope_parameters", "tie_word_embeddings", "vocab_size",
)  # fmt: skip


class BareLlama(nn.Module):
    """The weights of a Llama under transformers' names, in float32.

    Args:
        config: the fields of ``config.json``, all that are ``NEEDED`` among them.
    """

    def __init__(self, config: SimpleNamespace) -> None:
        super().__init__()
        self.config = config
        width, inner = config.hidden_size, config.intermediate_size
        size = getattr(config, "head_dim", None) or width // config.num_attention_heads
        query_size, shared = config.num_attention_heads * size, config.num_key_value_heads * size
        layers = [
            nn.ModuleDict(
                {
                    "self_attn": _matrices(
                        q_proj=(width, query_size), k_proj=(width, shared), v_proj=(width, shared), o_proj=(query_size, width)
                    ),
                    "mlp": _matrices(gate_proj=(width, inner), up_proj=(width, inner), down_proj=(inner, width)),
                    "input_layernorm": _Weight(width),
                    "post_attention_layernorm": _Weight(width),
                }
            )
            for _ in range(config.num_hidden_layers)
        ]
        frequencies = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, size, 2, dtype=torch.float) / size)
        body: Any = nn.ModuleDict(
            {"embed_tokens": nn.Embedding(config.vocab_size, width), "layers": nn.ModuleList(layers), "norm": _Weight(width)}
        )
        body.rotary_emb = SimpleNamespace(inv_freq=frequencies)
        self.model = body
        self.lm_head = _matrix(width, config.vocab_size)

    @property
    def dtype(self) -> torch.dtype:
        """Of all weights."""
        return self.lm_head.weight.dtype

    def get_input_embeddings(self) -> nn.Embedding:
        table: nn.Embedding = self.model.embed_tokens
        return table

    def get_output_embeddings(self) -> nn.Linear:
        return self.lm_head


class _Weight(nn.Module):
    """A norm's weight."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))


def _matrix(n_in: int, n_out: int) -> nn.Linear:
    return nn.Linear(n_in, n_out, bias=False)


def _matrices(**shapes: tuple[int, int]) -> nn.ModuleDict:
    return nn.ModuleDict({name: _matrix(*shape) for name, shape in shapes.items()})


class BareTokenizer:
    """The methods of a tokenizer that a verse format needs, under transformers' names.

    Args:
        backend: the tokenizer itself.
        pad: the token that fills batches.
    """

    def __init__(self, backend: Tokenizer, pad: str) -> None:
        self.backend_tokenizer, self.pad_token, self.pad_token_id = backend, pad, backend.token_to_id(pad)

    def __len__(self) -> int:
        return int(self.backend_tokenizer.get_vocab_size())

    def get_vocab(self) -> dict[str, int]:
        vocab: dict[str, int] = self.backend_tokenizer.get_vocab()
        return vocab

    def convert_tokens_to_ids(self, tokens: str | Sequence[str]) -> Any:
        """The id of a token, None if it is unknown; a list for several tokens."""
        if isinstance(tokens, str):
            return self.backend_tokenizer.token_to_id(tokens)
        return [self.backend_tokenizer.token_to_id(token) for token in tokens]

    def add_tokens(self, tokens: Sequence[Any], special_tokens: bool = False) -> int:
        """Give tokens ids of their own; how many are new."""
        add = self.backend_tokenizer.add_special_tokens if special_tokens else self.backend_tokenizer.add_tokens
        return int(add(list(tokens)))


def open_bare(folder: Path) -> tuple[BareLlama, BareTokenizer] | None:
    """Weights and tokenizer of a folder, or None if transformers must open them."""
    try:
        config_json = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        about = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        if (
            config_json["model_type"] != "llama"
            or "quantization_config" in config_json
            or any(config_json.get(name) is None for name in NEEDED)
        ):
            return None
        if "unk_token" in about or not isinstance(about["pad_token"], str):
            return None
        tokenizer = BareTokenizer(Tokenizer.from_file(str(folder / "tokenizer.json")), about["pad_token"])
        with torch.random.fork_rng(devices=[]):  # layers draw weights when they are made; on "meta" they would not, but import sympy
            model = BareLlama(SimpleNamespace(**config_json))
        if (folder / EIGHT_BITS).exists():
            weights = read(folder)
        else:
            weights = {name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()}
        if config_json["tie_word_embeddings"]:
            weights.setdefault("lm_head.weight", weights["model.embed_tokens.weight"])
        model.load_state_dict(weights, assign=True)
        if config_json["tie_word_embeddings"]:
            model.lm_head.weight = model.model.embed_tokens.weight
    except Exception:  # of broken files: tokenizers raises nothing more special; transformers, which opens it now, says what is wrong
        return None
    return (model.eval(), tokenizer) if can_step(model) and tokenizer.pad_token_id is not None else None
