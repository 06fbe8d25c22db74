"""Tokenizers for verse: BPE of any size, words, or characters; all of them `tokenizers` files.

Pieces never cross a word, punctuation stands alone, and bytes catch what training did not see, so that every
text has tokens and every token sequence has a text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from policies.verse_format import BOS, END, PAD
from rlpoet.errors import UnknownName

KINDS = ("bpe", "char", "word")
BYTES = [f"<0x{i:02X}>" for i in range(256)]


def train_tokenizer(texts: Iterable[str], marks: Sequence[str], *, kind: str = "bpe", size: int = 2048) -> PreTrainedTokenizerFast:
    """Learn pieces from words of verse (no marks in ``texts``), then give every mark an id of its own.

    Args:
        texts: lines of verse in any order.
        marks: special tokens, first ids first.
        kind: ``bpe``, ``char`` (BPE without merges) or ``word`` (whole words, bytes for the rest).
        size: number of pieces, marks not counted, 256 byte pieces included.
    """
    if kind not in KINDS:
        raise UnknownName("tokenizer", kind, KINDS)
    words = list(texts)
    alphabet = sorted({c for text in words for c in text if not c.isspace()} | {"▁"})
    if kind == "word":
        tokenizer = Tokenizer(models.BPE(byte_fallback=True))
        counts: dict[str, int] = {}
        splitter = _splitter()
        for text in words:
            for piece, _ in splitter.pre_tokenize_str(text):
                counts[piece] = counts.get(piece, 0) + 1
        pieces = sorted(counts, key=lambda piece: (-counts[piece], piece))[: max(size - 256 - len(alphabet), 0)]
        vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*marks, *BYTES, *alphabet, *pieces]))}
        tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True, ignore_merges=True))
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True))
        tokenizer.pre_tokenizer = _splitter()
        limit = len(marks) + (256 + len(alphabet) if kind == "char" else size)
        common = _common(words)
        trainer = trainers.BpeTrainer(
            vocab_size=limit, special_tokens=[*marks, *BYTES], initial_alphabet=common, limit_alphabet=len(common), show_progress=False
        )
        tokenizer.train_from_iterator(words, trainer)
        # the trainer marks byte pieces as special; they are text, so rebuild with marks alone as added tokens
        tokenizer = _plain(tokenizer)
    tokenizer.pre_tokenizer = _splitter()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse(), decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=END, pad_token=PAD, clean_up_tokenization_spaces=False
    )


def _splitter() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True),
            pre_tokenizers.Split(Regex(r"[^\w▁']+"), "isolated"),
        ]
    )


def _common(words: Sequence[str], at_least: int = 20) -> list[str]:
    """Characters worth a piece of their own; rarer ones are spelt in bytes."""
    counts: dict[str, int] = {}
    for text in words:
        for char in text:
            counts[char] = counts.get(char, 0) + 1
    needed = min(at_least, max(len(words) // 50, 1))
    return sorted({c for c, n in counts.items() if n >= needed and not c.isspace()} | {"▁"})


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    state = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in state["merges"]]
    return Tokenizer(models.BPE(state["vocab"], merges, byte_fallback=True))
