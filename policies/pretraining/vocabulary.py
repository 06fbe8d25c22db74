"""What a policy that is trained on can learn to read: new marks, and more pieces of words."""

from __future__ import annotations

from typing import Any

import torch
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerBase

from policies.formats.verse import NO_KEY, VerseFormat


def teach_marks(model: Any, tokenizer: PreTrainedTokenizerBase, old: VerseFormat, new: VerseFormat) -> None:
    """Add new marks to a policy, each with an id and an embedding row.

    The row of a rhyme starts as a copy of the mark that such lines had so far; other rows start as the mean of the line marks.
    """
    n_before = len(tokenizer)
    tokenizer.add_tokens([AddedToken(mark, special=True, normalized=False) for mark in new.marks], special_tokens=True)
    if len(tokenizer) > model.config.vocab_size:
        model.resize_token_embeddings(padded(len(tokenizer)), mean_resizing=False)
    rows, ids = model.get_input_embeddings().weight, tokenizer.convert_tokens_to_ids
    with torch.no_grad():
        rows[n_before : len(tokenizer)] = rows[ids(new.line_marks)].mean(0)
        for key in new.keys[len(old.keys) :]:
            if (before := old.plan(key)) != NO_KEY:
                rows[ids(new.plan(key))] = rows[ids(before)]


def padded(n_ids: int) -> int:
    """Rows of an embedding for so many ids: a multiple of 64, which matrix products like.

    >>> padded(2880), padded(2881)
    (2880, 2944)
    """
    return -(-n_ids // 64) * 64


def learn_pieces(model: Any, old: PreTrainedTokenizerBase, new: PreTrainedTokenizerBase) -> None:
    """Give a policy another tokenizer: its pieces keep their embedding rows, and a new piece begins as the mean of those it replaces.

    A word that was two pieces and is now one is thus read as before at first, and soon better (fast vocabulary transfer:
    Gee et al. 2022, arXiv 2402.09977). Input and output embeddings are one matrix here; a matrix of its own is handled alike.

    Args:
        model: a causal language model of ``old``; its embeddings are replaced.
        new: a tokenizer with the marks of ``old``.
    """
    model_of_old, known = old.backend_tokenizer.model, old.get_vocab()
    sources = [
        [known[piece]] if piece in known else [token.id for token in model_of_old.tokenize(piece)] or [0]
        for piece, _ in sorted(new.get_vocab().items(), key=lambda item: item[1])
    ]
    matrices = [model.get_input_embeddings()]
    if not model.config.tie_word_embeddings:
        matrices.append(model.get_output_embeddings())
    rows = [torch.stack([matrix.weight.detach()[ids].mean(0) for ids in sources]) for matrix in matrices]
    unused = [matrix.weight.detach()[len(old) :] for matrix in matrices]  # rows of no token, which have learned to be unlikely
    model.resize_token_embeddings(padded(len(new)), mean_resizing=False)
    with torch.no_grad():
        for matrix, of, rest in zip([model.get_input_embeddings(), model.get_output_embeddings()], rows, unused, strict=False):
            matrix.weight[: len(new)] = of
            matrix.weight[len(new) :] = (rest if len(rest) else of).mean(0)
    model.config.bos_token_id, model.config.eos_token_id = new.bos_token_id, new.eos_token_id
    model.config.pad_token_id = new.pad_token_id
