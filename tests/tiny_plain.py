"""Plain Hugging Face models small enough to build in a test: random weights, a byte-level tokenizer, nothing of this project."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_policy import BAUDELAIRE, VERLAINE
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

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
