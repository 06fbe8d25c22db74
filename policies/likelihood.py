"""The likelihood of held-out verse under a policy: nats per poem, and bits per printed character.

The header of each group (author, length, scheme) is given and not charged. Every later token is charged, also the marks of places,
rhymes and ends, which print nothing. Characters are those of ``printed``, with line breaks and stanza breaks, each counted once. So no
information is free because it is in a mark, and two formats can be compared.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from policies.formats.data import Annotated, Piece, annotate_all, bos_id, encode
from policies.formats.verse import VerseFormat
from rlpoet.corpus import Poem
from rlpoet.corpus.poem import printed
from rlpoet.prosody.annotate import WHOLE, Group

LONGEST = 300  # characters: a longer line is no verse, and is weighed without being listened to
LOGITS = 4_000_000  # numbers a forward pass may hold in logits; more leave the processor's cache and are slower
WINDOW, PLAIN_MODEL_WINDOW = 256, 1024  # tokens: what verse policies are trained on, and the most a plain model is given


@dataclass(frozen=True)
class Excerpt:
    """Token ids of consecutive groups of one poem, and which of them are charged."""

    poem: int
    ids: tuple[int, ...]
    charged: tuple[bool, ...]


@dataclass(frozen=True)
class Cost:
    """The cost of each poem.

    Attributes:
        nats: negative log-probability of the charged tokens, per poem.
        tokens: charged tokens, per poem.
        characters: characters of the printed text, per poem.
    """

    nats: tuple[float, ...]
    tokens: tuple[int, ...]
    characters: tuple[int, ...]

    @property
    def bits_per_char(self) -> float:
        return sum(self.nats) / math.log(2) / sum(self.characters)

    @property
    def perplexity(self) -> float:
        """Per charged token."""
        return math.exp(sum(self.nats) / sum(self.tokens))


def annotated_groups(poems: Sequence[Poem], lang: str, *, tick: Callable[[int], None] = lambda n: None) -> list[Annotated]:
    """Groups of every printed poem. A poem with lines too long for verse is cut into groups by number of lines, without rhymes.

    Args:
        tick: called now and then with the number of finished poems.
    """
    verse = [all(len(line) <= LONGEST for line in poem.lines) for poem in poems]
    annotated = iter(annotate_all([poem for poem, is_verse in zip(poems, verse, strict=True) if is_verse], lang, tick=tick))
    return [next(annotated) if is_verse else _unheard(poem) for poem, is_verse in zip(poems, verse, strict=True)]


def excerpts_of(poems: Sequence[Sequence[Piece]], *, bos: int, window: int) -> list[Excerpt]:
    """Rows to score: consecutive whole groups of at most ``window`` tokens, so that a group has those before it as context.

    A longer group is cut. Each later part begins with BOS, the header and the tokens just before it, which are not charged again.
    Every token of a body is charged exactly once. Rows are never longer than ``window``: beyond its training positions a policy is
    much worse than in use, and a model with learned positions cannot read further at all.

    Args:
        poems: the pieces of each poem.
    """
    rows: list[Excerpt] = []
    for number, pieces in enumerate(poems):
        ids: list[int] = []
        charged: list[bool] = []
        for piece in pieces:
            size = len(piece.header) + len(piece.body)
            if ids and len(ids) + size > window:
                rows.append(Excerpt(number, tuple(ids), tuple(charged)))
                ids, charged = [], []
            if 1 + size > window:
                rows += _cuts(number, piece, bos, window)
                continue
            ids = [*(ids or [bos]), *piece.header, *piece.body]
            charged = [*(charged or [False]), *([False] * len(piece.header)), *([True] * len(piece.body))]
        if ids:
            rows.append(Excerpt(number, tuple(ids), tuple(charged)))
    return rows


def score_poems(
    policy: Any,
    poems: Sequence[Poem],
    *,
    window: int = 0,
    annotated: Sequence[Annotated] | None = None,
    tick: Callable[[int], None] = lambda n: None,
) -> Cost:
    """The cost of poems, in the policy's precision. The poems must be ``printed`` already and not empty.

    Args:
        policy: a causal policy: ``model``, ``tokenizer``, ``format``, ``lang``, ``precision``.
        window: tokens per row; 0 for 256, or for a plain model as many as its positions allow, up to 1024.
        annotated: the groups of the poems, if they are annotated already.
        tick: called with the percent done, now and then.
    """
    most = getattr(policy.model.config, "max_position_embeddings", None) or PLAIN_MODEL_WINDOW
    usual = WINDOW if isinstance(policy.format, VerseFormat) else PLAIN_MODEL_WINDOW
    pieces = encode(annotated_groups(poems, policy.lang) if annotated is None else annotated, policy.format, policy.tokenizer)
    rows = excerpts_of(pieces, bos=bos_id(policy.tokenizer), window=min(most, window or usual))
    nats = [0.0] * len(poems)
    for row, row_costs in zip(rows, row_nats(policy.model, rows, pad=policy.pad, dtype=policy.precision, tick=tick), strict=True):
        nats[row.poem] += row_costs
    tokens = [sum(len(piece.body) for piece in poem) for poem in pieces]
    return Cost(tuple(nats), tuple(tokens), tuple(len(poem.text) for poem in poems))


def poem_costs(
    policy: Any, poems: Sequence[Sequence[str]], *, tick: Callable[[int], None] = lambda n: None
) -> list[tuple[float, int, int] | None]:
    """Nats, charged tokens and characters of each poem, author unknown; None for one without a line of verse.

    Args:
        poems: the lines of each.
        tick: called with the percent done, now and then.
    """
    costs: list[tuple[float, int, int] | None] = [None] * len(poems)
    one_spelling = [printed(Poem((tuple(lines),)), policy.lang) for lines in poems]
    rows = [i for i, poem in enumerate(one_spelling) if poem.stanzas]
    if rows:
        cost = score_poems(policy, [one_spelling[i] for i in rows], tick=tick)
        for i, nats, tokens, characters in zip(rows, cost.nats, cost.tokens, cost.characters, strict=True):
            costs[i] = nats, tokens, characters
    return costs


@torch.no_grad()
def row_nats(
    model: Any, rows: Sequence[Excerpt], *, pad: int, dtype: torch.dtype = torch.float32, tick: Callable[[int], None] = lambda n: None
) -> list[float]:
    """Nats of each row's charged tokens, in the given order; rows of similar length share a forward pass.

    Args:
        pad: any id; it fills short rows on the right, after all charged tokens.
        dtype: precision of matrix products; bfloat16 is faster and about 1e-4 bits per character off.
        tick: called now and then with the percentage done.
    """
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    out = [0.0] * len(rows)
    start = n_read = 0
    total = sum(len(row.ids) for row in rows)
    while start < len(order):
        width = len(rows[order[start]].ids)
        chosen = order[start : start + max(1, LOGITS // (model.config.vocab_size * width))]
        ids = torch.full((len(chosen), width), pad)
        charged = torch.zeros((len(chosen), width), dtype=torch.bool)
        for row, i in enumerate(chosen):
            ids[row, : len(rows[i].ids)] = torch.tensor(rows[i].ids)
            charged[row, : len(rows[i].ids)] = torch.tensor(rows[i].charged)
        ids, at = ids.to(device), charged[:, 1:].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits
        logits = logits[at].float()  # (N, V): only what is charged
        each = logits.logsumexp(-1) - logits.gather(1, ids[:, 1:][at][:, None]).squeeze(1)
        sums = torch.zeros(at.shape, dtype=torch.float64, device=device).masked_scatter(at, each.double()).sum(1)
        for i, value in zip(chosen, sums.tolist(), strict=True):
            out[i] = value
        start += len(chosen)
        n_read += sum(len(rows[i].ids) for i in chosen)
        tick(100 * n_read // total)
    model.train(was_training)
    return out


def _cuts(number: int, piece: Piece, bos: int, longest: int) -> list[Excerpt]:
    head = [bos, *piece.header]
    room = longest - len(head)
    overlap = room // 2
    cuts, n_read = [], 0
    while n_read < len(piece.body):
        context = piece.body[max(0, n_read - overlap) : n_read]
        new = piece.body[n_read : n_read + room - len(context)]
        cuts.append(Excerpt(number, (*head, *context, *new), (*([False] * (len(head) + len(context))), *([True] * len(new)))))
        n_read += len(new)
    return cuts


def _unheard(poem: Poem) -> Annotated:
    groups = []
    for stanza in poem.stanzas:
        for start in range(0, len(stanza), WHOLE):
            lines = stanza[start : start + WHOLE]
            groups.append(Group(lines, "x" * len(lines), ("",) * len(lines), ""))
    return Annotated(poem.author, tuple(groups))
