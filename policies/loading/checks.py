"""Checks of a model's folder before a library opens it. A pipe would block the reader. A configuration may not fit the weights.

A library builds the model that ``config.json`` describes, and only then looks at the weights. A configuration with 10^9 layers costs
hours or all memory before that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError

WEIGHTS = (".safetensors", ".bin", ".gguf")  # endings of files of weights
PUT_BACK = "Put the file back that belongs to the weights."
LEAST = 1 / 64  # bytes of a weight on disk: any format has more, and a model may use a layer several times
WIDTH, DEPTH = ("hidden_size", "n_embd", "d_model", "dim"), ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
INNER, VOCABULARY = ("intermediate_size", "n_inner", "ffn_dim", "d_ff"), ("vocab_size",)
HEADS, HEAD = ("num_attention_heads", "n_head"), ("head_dim",)
SIZES = (*WIDTH, *DEPTH, *VOCABULARY, *HEADS, "num_key_value_heads")  # of which a model has one or more
EPS = ("rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon")  # added to a variance, which is about 1


def check_folder(folder: Path) -> None:
    """Refuse a folder that no library should open.

    Raises:
        RlpoetError: an entry that is no file, or a configuration of a model that the weights beside it cannot be.
    """
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix in (".json", ".txt", ".jinja", ".model", *WEIGHTS) and path.exists() and not path.is_file():
            raise RlpoetError(f"{path}: no regular file; expected a file of a model. Replace it.")
    n_bytes = sum(path.stat().st_size for path in folder.glob("*") if path.suffix in WEIGHTS and path.is_file())
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # none, or a broken one, of which a library says what is wrong
        return
    if not isinstance(config, dict):
        return
    for name in SIZES:
        if name in config and isinstance(config[name], int | float) and not config[name] >= 1:
            raise RlpoetError(f"{folder / 'config.json'}: {name}: {config[name]}; expected 1 or more. {PUT_BACK}")
    for name in EPS:
        if config.get(name) is not None and not (isinstance(config[name], int | float) and 0 <= config[name] < 1):
            raise RlpoetError(f"{folder / 'config.json'}: {name}: {config[name]!r:.40}; expected a number from 0 to 1. {PUT_BACK}")
    if n_bytes and (claimed := claimed_weights(config)) * LEAST > n_bytes:
        raise RlpoetError(
            f"{folder / 'config.json'}: broken policy (it claims {claimed:.0e} weights, beside files of {n_bytes} bytes); "
            f"expected numbers that fit the weights. {PUT_BACK}"
        )


def claimed_weights(config: Mapping[str, Any]) -> float:
    """About how many weights a configuration says a model has; 0.0 where it does not say.

    >>> claimed_weights({"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "vocab_size": 512})
    22528.0
    """
    width, depth, inner, vocabulary, heads, head = (_number(config, names) for names in (WIDTH, DEPTH, INNER, VOCABULARY, HEADS, HEAD))
    return width * (vocabulary + depth * (width + inner + heads * head))


def _number(config: Mapping[str, Any], names: tuple[str, ...]) -> float:
    """The first of these that is a number above 0; 0.0 without one."""
    found = [config[name] for name in names if isinstance(config.get(name), int | float) and config[name] > 0]
    return float(min(found[0], 10**18)) if found else 0.0
