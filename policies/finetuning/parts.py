"""What fine-tuning adds to the training loop: frozen parts, marks of new authors, and batches of rows of similar length."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Iterator, Sequence

import torch
from tokenizers import AddedToken
from torch import nn
from transformers import PreTrainedModel

from policies.causal_lm import CausalPolicy
from policies.formats.data import IGNORED, Annotated, Piece
from policies.formats.plain import PlainFormat
from policies.formats.verse import NO_AUTHOR, VerseFormat
from policies.loading.files import grow
from policies.training_loop import Batch
from rlpoet.errors import RlpoetError, UnknownName

FROZEN = ("attention", "embeddings", "all-but-head")
FEWEST_LINES = 40  # of an author who gets a mark
TOGETHER = 50  # batches whose rows are sorted by length side by side


@dataclasses.dataclass(frozen=True)
class Row:
    """A training row, and which of its tokens are given and not learned."""

    ids: tuple[int, ...]
    given: tuple[bool, ...]


def frozen_parts(words: Sequence[str]) -> tuple[str, ...]:
    """The named parts; one text may hold several, separated by commas.

    >>> frozen_parts(["attention,embeddings"])
    ('attention', 'embeddings')

    Raises:
        UnknownName: no such part.
    """
    parts = tuple(part.strip() for word in words for part in word.split(",") if part.strip())
    for part in parts:
        if part not in FROZEN:
            raise UnknownName("freeze", part, FROZEN)
    return parts


def freeze(model: PreTrainedModel, parts: Sequence[str]) -> int:
    """Freeze the named parts of a model; returns the number of parameters that are still trained.

    ``attention``: all weights of attention blocks. ``embeddings``: the tables of tokens and positions (with tied weights the head is
    the same table). ``all-but-head``: everything except the matrix that gives the logits.

    Raises:
        RlpoetError: nothing is left to train.
    """
    head = {id(p) for p in model.get_output_embeddings().parameters()}
    tables = {id(p) for module in model.modules() if isinstance(module, nn.Embedding) for p in module.parameters()}
    for name, p in model.named_parameters():
        inside = any("attn" in step or "attention" in step for step in name.lower().split(".")[:-1])
        inside = inside and "norm" not in name.lower().split(".")[-2]  # the norm before a block is no part of it
        frozen = (
            ("attention" in parts and inside)
            or ("embeddings" in parts and id(p) in tables)
            or ("all-but-head" in parts and id(p) not in head)
        )
        p.requires_grad_(not frozen)
    left = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if not left:
        why = " (head and embeddings are one table here)" if head & tables else ""
        raise RlpoetError(f"--freeze {','.join(parts)}: nothing is left to train{why}; expected some part to change. Name fewer.")
    return left


def new_authors(policy: CausalPolicy, poems: Sequence[Annotated], *, most: int) -> list[str]:
    """Authors without a mark in the policy, commonest first: at most ``most``, each with forty lines or more."""
    lines = Counter[str]()
    for poem in poems:
        if poem.author and poem.author not in policy.authors:
            lines[poem.author] += sum(len(group.lines) for group in poem.groups)
    common = [name for name, n in sorted(lines.items(), key=lambda item: (-item[1], item[0])) if n >= FEWEST_LINES]
    return common[:most]


def add_authors(policy: CausalPolicy, names: Sequence[str]) -> list[int]:
    """Add marks for new authors; returns their ids, none for a plain policy, which takes any name as words.

    A new mark takes an unused row of the vocabulary and starts as a copy of the mark for an unknown author. If no row is left, the
    tables grow to the next multiple of 64.
    """
    if not names:
        return []
    if isinstance(policy.format, PlainFormat):
        policy.adopt(dataclasses.replace(policy.format, authors=(*policy.authors, *names)))
        return []
    if not isinstance(policy.format, VerseFormat):
        raise TypeError(f"format: {type(policy.format).__name__}; expected VerseFormat or PlainFormat")
    marks = [AddedToken(f"<|author={name}|>", special=True, normalized=False) for name in names]
    policy.tokenizer.add_tokens(marks, special_tokens=True)
    ids: list[int] = policy.tokenizer.convert_tokens_to_ids([mark.content for mark in marks])
    model = policy.model
    if len(policy.tokenizer) > model.get_input_embeddings().weight.shape[0]:
        grow(model, -(-len(policy.tokenizer) // 64) * 64, like=policy.pad)  # padding is hardly ever likely
    nobody = int(policy.tokenizer.convert_tokens_to_ids(NO_AUTHOR))
    with torch.no_grad():
        for table in {id(t.weight): t.weight for t in (model.get_input_embeddings(), model.get_output_embeddings())}.values():
            table[ids] = table[nobody].clone()
    policy.adopt(dataclasses.replace(policy.format, authors=(*policy.authors, *names)))
    return ids


def training_rows(pieces: Sequence[Sequence[Piece]], *, bos: int, window: int, learn_headers: bool) -> list[Row]:
    """Rows of at most ``window`` tokens: BOS, then consecutive groups of one poem; a longer group is cut.

    Args:
        learn_headers: whether the policy learns to write headers too, as in pretraining.
    """
    rows: list[Row] = []

    def close(ids: list[int], given: list[bool]) -> None:
        for start in range(0, len(ids), window):
            if len(ids) - start > 1:
                rows.append(Row(tuple(ids[start : start + window]), tuple(given[start : start + window])))

    for poem in pieces:
        ids: list[int] = []
        given: list[bool] = []
        for piece in poem:
            if ids and len(ids) + len(piece.header) + len(piece.body) > window:
                close(ids, given)
                ids, given = [], []
            ids = [*(ids or [bos]), *piece.header, *piece.body]
            given = [*(given or [True]), *([not learn_headers] * len(piece.header)), *([False] * len(piece.body))]
        close(ids, given)
    return rows


def n_batches(n_rows: int, batch_size: int) -> int:
    """Number of batches per epoch; the last one may be smaller."""
    return math.ceil(n_rows / batch_size)


def batches(rows: Sequence[Row], *, batch_size: int, pad: int, seed: int, by_length: bool = True) -> Iterator[Batch]:
    """Endless batches, in a new order each epoch, each as wide as its longest row.

    Args:
        by_length: put rows of similar length into one batch, so that it holds little padding.
    """
    epoch = 0
    while True:
        rng = random.Random(seed * 1_000_003 + epoch)
        order = list(range(len(rows)))
        rng.shuffle(order)
        if by_length:
            size = TOGETHER * batch_size
            runs = [sorted(order[i : i + size], key=lambda r: -len(rows[r].ids)) for i in range(0, len(order), size)]
            order = [row for run in runs for row in run]
        chosen = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        if by_length:
            rng.shuffle(chosen)
        for number, part in enumerate(chosen):
            width = max(len(rows[r].ids) for r in part)
            ids = torch.full((len(part), width), pad, dtype=torch.long)
            labels = torch.full((len(part), width), IGNORED, dtype=torch.long)
            for i, r in enumerate(part):
                row = torch.tensor(rows[r].ids)
                ids[i, : len(row)] = row
                labels[i, : len(row)] = row.masked_fill(torch.tensor(rows[r].given), IGNORED)
            yield Batch(epoch + (number + 1) / len(chosen), ids, labels)
        epoch += 1


def optimizer(model: nn.Module, *, learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the trained parameters; weight decay applies to matrices, not to vectors and token tables."""
    trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    decays = {name: p.ndim >= 2 and not any(word in name for word in ("embed", "wte", "wpe", "token_adapter")) for name, p in trained}
    groups = [
        {"params": [p for name, p in trained if decays[name]], "weight_decay": weight_decay},
        {"params": [p for name, p in trained if not decays[name]], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=learning_rate, betas=(0.9, 0.99))
