"""Tokenizers for verse: BPE of any size, words, or characters, all made with the `tokenizers` library.

A piece never crosses a word boundary, and punctuation has its own pieces. Characters that training did not see fall back to bytes,
so every text has tokens and every token sequence has a text.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from policies.formats.verse import BOS, END, PAD
from rlpoet.errors import RlpoetError, UnknownName

KINDS = ("bpe", "char", "word")
SMALLEST = 128
BYTES = [f"<0x{i:02X}>" for i in range(256)]


def train_tokenizer(texts: Iterable[str], marks: Sequence[str], *, kind: str = "bpe", size: int = 2048) -> PreTrainedTokenizerFast:
    """Train a tokenizer on lines of verse, then add an id for every mark.


    Args:
        texts: lines of verse without marks, in any order.
        marks: special tokens, first ids first.
        kind: ``bpe``, ``char`` (BPE without merges) or ``word`` (whole words; other words by character).
        size: number of learned pieces, characters included, at least 128. Marks and the 256 byte pieces are not counted. A small
            size keeps only the commonest characters, so that at least a quarter of it is left for merges.

    Raises:
        UnknownName: no such kind.
        RlpoetError: a size below 128.
    """
    if kind not in KINDS:
        raise UnknownName("tokenizer", kind, KINDS)
    if size < SMALLEST:
        raise RlpoetError(f"vocab_size: {size}; expected {SMALLEST} pieces or more, which the letters alone nearly fill.")
    words = list(texts)
    alphabet = _common(words, most=size * 3 // 4)
    if kind == "word":
        tokenizer = Tokenizer(models.BPE(byte_fallback=True))
        counts: dict[str, int] = {}
        splitter = _splitter()
        for text in words:
            for piece, _ in splitter.pre_tokenize_str(text):
                counts[piece] = counts.get(piece, 0) + 1
        pieces = sorted(counts, key=lambda piece: (-counts[piece], piece))[: size - len(alphabet)]
        vocab = {piece: i for i, piece in enumerate(dict.fromkeys([*marks, *BYTES, *alphabet, *pieces]))}
        tokenizer = Tokenizer(models.BPE(vocab, [], byte_fallback=True, ignore_merges=True))
    else:
        tokenizer = Tokenizer(models.BPE(byte_fallback=True))
        tokenizer.pre_tokenizer = _splitter()
        trainer = trainers.BpeTrainer(
            vocab_size=len(marks) + len(BYTES) + (len(alphabet) if kind == "char" else size),
            special_tokens=[*marks, *BYTES],
            initial_alphabet=alphabet,
            limit_alphabet=len(alphabet),
            show_progress=False,
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


def _common(words: Sequence[str], *, most: int, at_least: int = 20) -> list[str]:
    """Characters that get their own piece, including the word mark; rarer ones are spelt in bytes."""
    counts = Counter(c for text in words for c in text if not c.isspace())
    needed = min(at_least, max(len(words) // 50, 1))
    chosen = sorted((c for c, n in counts.items() if n >= needed), key=lambda c: (-counts[c], c))[: most - 1]
    return sorted({*chosen, "▁"})


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    state = json.loads(tokenizer.to_str())["model"]
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in state["merges"]]
    return Tokenizer(models.BPE(state["vocab"], merges, byte_fallback=True))
