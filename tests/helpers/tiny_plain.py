"""Plain Hugging Face models small enough to build in a test: random weights, a byte-level tokenizer, nothing of this project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny_policy import BAUDELAIRE, VERLAINE
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GraniteConfig,
    Lfm2Config,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
    RwkvConfig,
)

from policies.loading.files import quiet

EOT = "<|endoftext|>"


def plain_tokenizer() -> PreTrainedTokenizerFast:
    """As GPT-2's: byte-level BPE, one mark for begin and end, none to pad with."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = ["\n".join(lines) + ".\n\n" for lines in (BAUDELAIRE, VERLAINE)] * 3
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=[EOT], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=EOT, eos_token=EOT)


def metaspace_tokenizer() -> PreTrainedTokenizerFast:
    """As Llama 2's: a space glued before each text, bytes for what has no piece, ``<s>`` and ``</s>``."""
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    letters = sorted({c for line in (*BAUDELAIRE, *VERLAINE) for c in line if c != " "} | set("Poèmed123abcVsylrt.▁"))
    vocab = {piece: i for i, piece in enumerate(["<unk>", "<s>", "</s>", *bytes_, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def gpt2(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, positions: int = 320) -> PreTrainedModel:
    torch.manual_seed(seed)
    end = tokenizer.eos_token_id
    config = GPT2Config(
        vocab_size=len(tokenizer), n_positions=positions, n_embd=32, n_layer=2, n_head=2, bos_token_id=end, eos_token_id=end
    )
    return GPT2LMHeadModel(config).eval()


def llama(tokenizer: PreTrainedTokenizerFast, *, seed: int = 0) -> PreTrainedModel:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=512, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id, tie_word_embeddings=False,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def save_plain(folder: Path, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, card: str = "") -> Path:
    """A folder as anyone would save one."""
    with quiet():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    return folder


def _shape(tokenizer: PreTrainedTokenizerFast, **more: object) -> dict[str, Any]:
    """What the configurations of most architectures call alike, at the size of a test."""
    end = tokenizer.eos_token_id
    shape = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 512, "bos_token_id": end, "eos_token_id": end,
        "pad_token_id": None,
    }  # fmt: skip
    return shape | more


def _mamba(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    end = tokenizer.eos_token_id
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "state_size": 4,
        "num_hidden_layers": 2,
        "bos_token_id": end,
        "eos_token_id": end,
    }


# windows shorter than a poem, so that a cache that forgets to slide shows
ARCHITECTURES: dict[str, Callable[[PreTrainedTokenizerFast], PretrainedConfig]] = {
    "gpt2": lambda t: gpt2(t).config,
    "qwen3": lambda t: Qwen3Config(**_shape(t)),
    "mistral": lambda t: MistralConfig(**_shape(t, sliding_window=12)),
    "gemma2": lambda t: Gemma2Config(**_shape(t, sliding_window=12, pad_token_id=0, final_logit_softcapping=2.0)),
    "gemma3": lambda t: Gemma3TextConfig(**_shape(t, sliding_window=12, pad_token_id=0)),
    "granite": lambda t: GraniteConfig(**_shape(t, logits_scaling=4.0)),
    "lfm2": lambda t: Lfm2Config(**_shape(t, layer_types=["conv", "full_attention"])),
    "mamba": lambda t: MambaConfig(**_mamba(t)),
    "rwkv": lambda t: RwkvConfig(
        vocab_size=len(t), context_length=512, hidden_size=32, attention_hidden_size=32, num_hidden_layers=2, intermediate_size=64,
        bos_token_id=t.eos_token_id, eos_token_id=t.eos_token_id,
    ),
}  # fmt: skip


def tiny_model(name: str, tokenizer: PreTrainedTokenizerFast, *, seed: int = 0, sharpness: float = 8.0) -> PreTrainedModel:
    """Random weights of an architecture, large enough that what stands before a token counts."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(ARCHITECTURES[name](tokenizer)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.mul_(sharpness if name not in ("mamba", "rwkv") else 1.0)
    return model
