"""LoRA adapters: small matrices trained on a base that stays as it is, saved alone, merged when they are opened.

Beside peft's own two files an adapter's folder holds the tokenizer and format it was trained with, and ``adapter_base.json``:
the name of its base and a fingerprint of the base's weights, since an adapter on another base than its own writes noise.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from policies.formats.codec import Format
from policies.loading.files import ADAPTER, HUB, ModelFiles, find_model, open_model
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.text import read_object, whole_files, write_atomically

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

BASE, WEIGHTS = "adapter_base.json", "adapter_model.safetensors"
PLAIN = {  # of adapter_config.json: what may be set in an adapter that is two matrices a layer and nothing else
    "base_model_name_or_path", "bias", "inference_mode", "init_lora_weights", "lora_alpha", "lora_dropout", "megatron_core", "peft_type",
    "peft_version", "qalora_group_size", "r", "target_modules", "task_type",
}  # fmt: skip
ALL, ATTENTION, MLP = "all-linear", "attention", "mlp"


@dataclass(frozen=True)
class LoraOptions:
    """Shape of an adapter (Hu et al. 2021): the update of a matrix is ``alpha / r`` times a product of rank ``r``."""

    r: int = 16
    alpha: int = 32
    dropout: float = 0.0


def parse_lora(text: str) -> LoraOptions:
    """Options as they are typed.

    >>> parse_lora("r=64,alpha=16,dropout=0.1")
    LoraOptions(r=64, alpha=16, dropout=0.1)
    >>> parse_lora("r=4").alpha
    8

    Raises:
        UnknownName: an option that is none.
        RlpoetError: a value out of range.
    """
    given: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = part.partition("=")
        if name.strip() not in ("r", "alpha", "dropout"):
            raise UnknownName("lora", name.strip(), ("r", "alpha", "dropout"))
        try:
            given[name.strip()] = float(value)
        except ValueError:
            raise RlpoetError(f"--lora {part!r}: no number; expected r=16,alpha=32,dropout=0.05.") from None
    r, dropout = given.get("r", 16.0), given.get("dropout", 0.0)
    alpha = given.get("alpha", 2 * r)
    if r < 1 or alpha < 1 or r != int(r) or alpha != int(alpha) or not 0 <= dropout < 1:
        raise RlpoetError(f"--lora {text!r}: expected whole numbers of 1 or more for r and alpha, and a dropout in [0, 1).")
    return LoraOptions(int(r), int(alpha), dropout)


def add_lora(model: PreTrainedModel, options: LoraOptions, *, targets: Sequence[str] = (ALL,), tokens: Sequence[int] = ()) -> Any:
    """Put a fresh adapter on a model, in place; only it is trained from now on.

    Args:
        targets: ``all-linear`` (the head aside), ``attention``, ``mlp``, or names of modules (``q_proj``).
        tokens: ids whose embeddings are trained too (marks the base never saw).

    Returns:
        peft's wrapper around the same model, for ``save_adapter``.

    Raises:
        UnknownName: a target no layer bears.
    """
    from transformers.pytorch_utils import Conv1D

    layers = {name for name, module in model.named_modules() if _is_linear(module) and module is not model.get_output_embeddings()}
    found: set[str] = set()
    for target in (part.strip() for word in targets for part in word.split(",")):
        own = {name for name in layers if _meant(target, name)}
        if not own:
            raise UnknownName("lora_target", target, {ALL, ATTENTION, MLP, *(name.rpartition(".")[2] for name in layers)})
        found |= own
    with silent():
        import peft

        config = peft.LoraConfig(
            r=options.r,
            lora_alpha=options.alpha,
            lora_dropout=options.dropout,
            target_modules=sorted(found),
            task_type="CAUSAL_LM",
            trainable_token_indices=list(tokens) or None,
            fan_in_fan_out=any(isinstance(model.get_submodule(name), Conv1D) for name in found),
        )
        return peft.get_peft_model(model, config)


def save_adapter(adapter: Any, folder: Path, *, base: str | Path, tokenizer: PreTrainedTokenizerBase, verse_format: Format) -> None:
    """Write an adapter without its base.

    Args:
        adapter: what ``add_lora`` returned.
        base: what the base was opened by: a shipped name, a path, or a hub name.
    """
    files = find_model(base)
    name = str(Path(base).resolve()) if Path(base).exists() else str(base)
    adapter.active_peft_config.base_model_name_or_path = name
    told = {"base": name, "fingerprint": fingerprint(files), "vocab_size": int(adapter.config.vocab_size)}
    if Path(base).exists():
        told["relative"] = os.path.relpath(Path(base).resolve(), folder.resolve())  # the two folders may move together
    with whole_files(folder, last="*.safetensors") as path:
        with silent():
            adapter.save_pretrained(str(path), save_embedding_layers=False)  # "auto" would ask the hub
        tokenizer.save_pretrained(path)
        verse_format.save(path)
        write_atomically(path / BASE, json.dumps(told, ensure_ascii=False, indent=1) + "\n")


def adapter_of(model: PreTrainedModel, base: PreTrainedModel, *, tolerance: float = 1e-4) -> Any:
    """What a model has learned beyond its base, as an adapter on the base: the singular vectors of each matrix's change.

    Exact where the change is of low rank, as after training adapters, or the mean of some. The base is changed in place.

    Args:
        tolerance: singular values below this share of the largest one of a matrix are dropped.

    Returns:
        As ``add_lora``, for ``save_adapter``.

    Raises:
        RlpoetError: something beside linear layers has changed, or a change of full rank, which an adapter would not make smaller.
    """
    own, old = model.state_dict(), base.state_dict()
    changed = {name: (own[name] - old[name]).float() for name in old if not torch.equal(own[name], old[name])}
    layers = {
        f"{name}.weight": name for name, module in base.named_modules() if _is_linear(module) and module is not base.get_output_embeddings()
    }
    if own.keys() != old.keys() or (other := next((name for name in changed if name not in layers), None)) is not None or not changed:
        raise RlpoetError(f"no adapter: {other or 'nothing'} has changed; expected changes of linear layers alone.")
    parts = {name: torch.linalg.svd(delta, full_matrices=False) for name, delta in changed.items()}
    rank = max(int((values > tolerance * values[0]).sum()) for _, values, _ in parts.values())
    if rank > min(min(delta.shape) for delta in changed.values()) // 2:
        raise RlpoetError(f"no adapter: a change of rank {rank}; expected what adapters have learned. Save the whole model.")
    adapter = add_lora(base, LoraOptions(rank, rank), targets=[layers[name] for name in changed])
    with torch.no_grad():
        for name, (left, values, right) in parts.items():
            module = adapter.get_submodule("base_model.model." + layers[name])
            module.lora_B["default"].weight.copy_(left[:, :rank] * values[:rank].sqrt())
            module.lora_A["default"].weight.copy_(values[:rank].sqrt()[:, None] * right[:rank])
    return adapter


def merge(model: nn.Module, folder: Path) -> bool:
    """Add a plain adapter to a model's weights, in place, without peft, whose import takes longer than writing a poem.

    Returns:
        Whether it was done; peft must, and reports what is broken, if the adapter has parts that this does not know.
    """
    try:
        told = json.loads((folder / ADAPTER).read_text(encoding="utf-8"))
        if told.get("peft_type") != "LORA" or told.get("bias") != "none" or any(value for key, value in told.items() if key not in PLAIN):
            return False
        weights = load_file(folder / WEIGHTS)
        scale = float(told["lora_alpha"]) / int(told["r"])
        names = {name.removesuffix(".lora_A.weight") for name in weights if name.endswith(".lora_A.weight")}
        if {f"{name}.lora_{part}.weight" for name in names for part in "AB"} != weights.keys():
            return False
        matrices = {name: model.get_parameter(name.removeprefix("base_model.model.") + ".weight") for name in names}
        with torch.no_grad():
            for name, matrix in matrices.items():
                matrix.add_((weights[f"{name}.lora_B.weight"].float() @ weights[f"{name}.lora_A.weight"].float()) * scale)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError):
        return False
    return True


def fingerprint(files: ModelFiles) -> str:
    """First 16 hex digits of the SHA-256 of the weight files, in the order of their names, and of the shape ``config.json`` gives them.

    Raises:
        RlpoetError: no weights.
    """
    pattern = files.gguf or "*.safetensors"
    found = sorted(files.folder.glob(pattern)) or sorted(files.folder.glob("pytorch_model*.bin"))
    if not found:
        raise RlpoetError(f"{files.folder}: no weights (model.safetensors); expected a whole model.")
    digest = hashlib.sha256()
    config = files.folder / "config.json"
    if config.exists() and not files.gguf:
        shape = read_object(config, "the configuration of a model")
        kept = {key: value for key, value in shape.items() if key not in ("transformers_version", "_name_or_path", "dtype", "torch_dtype")}
        digest.update(json.dumps(kept, sort_keys=True).encode())
    for path in found:
        with path.open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()[:16]


def four_bits() -> Any:
    """How to load a base in four bits (NF4, doubly quantized; Dettmers et al. 2023), tried on one layer first.

    Raises:
        RlpoetError: bitsandbytes is not there, or cannot do it on this machine.
    """
    instead = "Use --lora without --qlora, which needs four times the memory for the base and nothing else."
    with silent():
        try:
            import bitsandbytes as bnb
        except ImportError as error:
            raise RlpoetError(
                f"--qlora: bitsandbytes cannot be imported ({error}); expected it. pip install 'rlpoet[qlora]'. {instead}"
            ) from None
        device = "cuda" if torch.cuda.is_available() else "cpu"
        try:
            layer = bnb.nn.Linear4bit(64, 64, bias=False, compute_dtype=torch.bfloat16, quant_type="nf4").to(device)
            given = torch.ones(1, 64, device=device, requires_grad=True)
            layer(given).sum().backward()
        except Exception as error:  # a missing kernel or library: any kind
            raise RlpoetError(
                f"--qlora: bitsandbytes {bnb.__version__} cannot compute in four bits on {device} ({error!s:.120}); "
                f"expected a build that can. {instead}"
            ) from None
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16
    )


def open_in_four_bits(files: ModelFiles) -> PreTrainedModel:
    """A base for QLoRA: matrices in four bits, the rest in float32, ready for ``add_lora``.

    Raises:
        RlpoetError: see ``four_bits``; a GGUF file or an adapter, which cannot be loaded so.
    """
    if files.gguf or files.adapter:
        kind = "a GGUF file" if files.gguf else "an adapter"
        raise RlpoetError(f"--qlora: {files} is {kind}; expected a folder with model.safetensors. Use --lora, or merge it first.")
    config = four_bits()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    with silent():
        model = open_model(files, quantization_config=config, device_map={"": device})
        import peft

        for module in model.modules():
            if hasattr(module, "support_avx512bf16_for_cpu"):
                # else the first evaluation repacks a layer for inference on a CPU, and no gradient passes through it from then on
                module.support_avx512bf16_for_cpu = False
        prepared: PreTrainedModel = peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
    return prepared


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Without what peft and bitsandbytes say of their own insides: names they deprecate, kernels they would rather have."""
    log = logging.getLogger("bitsandbytes")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|peft|torch")
            warnings.filterwarnings("ignore", category=UserWarning, module=r"peft|bitsandbytes")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    finally:
        log.setLevel(level)


def _is_linear(module: nn.Module) -> bool:
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)


def _meant(target: str, name: str) -> bool:
    parts = name.lower().split(".")
    if target == ALL:
        return True
    if target == ATTENTION:
        return any("attn" in part or "attention" in part for part in parts)
    if target == MLP:
        return any(part in ("mlp", "ffn", "feed_forward") for part in parts)
    return name == target or name.endswith("." + target)


def read_base(folder: Path) -> dict[str, Any]:
    """What an adapter says of its base; of one that another program made, the name of its base alone.

    Raises:
        RlpoetError: no adapter, or a broken file.
    """
    for name, key in ((BASE, "base"), (ADAPTER, "base_model_name_or_path")):
        try:
            told: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
            return told | {"base": told[key]} if name == BASE else {"base": told[key]}
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise RlpoetError(f"{folder / name}: cannot be read ({error!r}); expected what the adapter was saved with.") from error
    raise RlpoetError(f"{folder}: no {BASE}; expected an adapter.")


def base_of(folder: Path, told: dict[str, Any], **opening: bool) -> ModelFiles:
    """The files of an adapter's base.

    Args:
        told: what ``read_base`` returned.
        opening: see ``find_model``.

    Raises:
        RlpoetError: nothing of that name.
    """
    name = str(told["base"])
    names = [name, *([str(folder / str(told["relative"]))] if "relative" in told else []), *([] if name.startswith(HUB) else [HUB + name])]
    for name in names:
        with contextlib.suppress(UnknownName):
            try:
                return find_model(name, **opening)
            except RlpoetError:
                if not name.startswith(HUB):
                    raise
    raise RlpoetError(
        f"{folder}: its base {told['base']!r} is not to be found; expected a shipped name, a folder or a cached hub model. "
        f'Write the place of the base into "base" of {folder / BASE}.'
    )


def refuse_circle(folder: Path, files: ModelFiles) -> None:
    """Refuse an adapter that is its own base, at whatever remove.

    Args:
        files: of its base.

    Raises:
        RlpoetError: it is.
    """
    met = {folder.resolve()}
    while files.adapter:
        if files.folder.resolve() in met:
            raise RlpoetError(
                f"{folder}: an adapter whose base is {files}, an adapter on itself; expected one on a whole model. "
                f'Write the place of that model into "base" of {folder / BASE}.'
            )
        met.add(files.folder.resolve())
        files = base_of(files.folder, read_base(files.folder))
