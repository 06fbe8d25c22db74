"""Line-level search: of several draws of each line the best is kept, and the poem goes on from it.

To be accepted as a whole, a poem has to rhyme and to scan in all its lines at once. Line by line, each is chosen by itself. What comes of
it is no sample of the policy: a trainer would weigh another distribution than the one that was drawn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from policies.decoding.sampler import Decoding, Grammar, sample_tokens, table_of_positions
from policies.formats.codec import Codec
from policies.formats.masks import with_masks
from policies.writer import Writer
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.prosody.rhyme import rhymes
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def search_lines(
    policy: Writer, prompts: Sequence[Prompt], k: int, decoding: Decoding, *, allow_identical_rhyme: bool, constrained: bool = True
) -> list[str]:
    """A poem per prompt, each of its lines the best of ``k``.

    Best is the line that lacks least of its form (its length, and the rhyme with the lines before); of several the one that the policy
    finds likeliest. A poem breaks off where no draw of a line comes to its end, or where the model has no positions left for a line.

    Args:
        decoding: how to draw; ``max_new_tokens`` is for one line.
        allow_identical_rhyme, constrained: as in ``CausalPolicy.sample``; without constraints nothing is masked but what follows a line.
    """
    codec, n_pieces = policy.codec, policy.model.config.vocab_size
    lines = [list(prompt.opening) for prompt in prompts]
    reach = table_of_positions(policy.model) or math.inf
    unfinished = list(range(len(prompts)))
    while unfinished := [row for row in unfinished if len(lines[row]) < form(prompts[row].form, prompts[row].lang).n_lines]:
        opened = {row: replace(prompts[row], opening=tuple(lines[row])) for row in unfinished}
        starts = {prompt: policy.start_ids(prompt) for prompt in dict.fromkeys(opened.values())}
        unfinished = [row for row in unfinished if len(starts[opened[row]]) + decoding.max_new_tokens <= reach]
        asked = [opened[row] for row in unfinished for _ in range(k)]
        if not asked:
            break
        begun = [starts[prompt] for prompt in asked]

        def grammar(asked: Sequence[Prompt] = asked) -> Any:
            return codec.grammar(asked, n_pieces, allow_identical_rhyme=allow_identical_rhyme) if constrained else None

        new = sample_tokens(
            policy.model, begun, decoding, end=codec.ends, pad=codec.pad, generator=policy.generator, dtype=policy.precision,
            grammar=OneLine(codec, begun, grammar()),
        )  # fmt: skip
        drawn = [_cut(codec, start, tokens) for start, tokens in zip(begun, new, strict=True)]
        texts = codec.read_many([[*start, *tokens] for start, tokens in zip(begun, drawn, strict=True)])
        rollout = policy.continued(asked, drawn)
        masks = grammar()
        with torch.inference_mode():
            log_p = policy.log_prob(rollout if masks is None else with_masks(rollout, masks)).sum(1).tolist()
        found: list[list[tuple[int, float, str]]] = [[] for _ in unfinished]
        for at, (prompt, text, tokens) in enumerate(zip(asked, texts, drawn, strict=True)):
            written = split_poem(text)
            if tokens and len(written) == len(prompt.opening) + 1:
                found[at // k].append((lacks(prompt, written[-1]), -log_p[at], written[-1]))
        for row, candidates in zip(unfinished, found, strict=True):
            if candidates:
                lines[row].append(min(candidates)[2])
        unfinished = [row for row, candidates in zip(unfinished, found, strict=True) if candidates]
    return [_poem(prompt, own) for prompt, own in zip(prompts, lines, strict=True)]


def lacks(prompt: Prompt, line: str) -> int:
    """What the next line of a poem lacks of its form: 1 for another length, and 1 if it does not rhyme with the lines it has to.

    Args:
        prompt: its opening holds the lines before.

    >>> lacks(Prompt("fr", "couplet", opening=("Le ciel est noir et la nuit tombe sur la ville",)), "Ô nuit")
    2
    """
    asked, n = form(prompt.form, prompt.lang), len(prompt.opening)
    letter = asked.letters[n]
    mates = [] if letter == "x" else [mate for other, mate in zip(asked.letters, prompt.opening, strict=False) if other == letter]
    return int(not in_meter(line, prompt.lang, asked.meters[n])) + int(not all(rhymes(mate, line, prompt.lang) for mate in mates))


class OneLine:
    """A grammar that ends each row after its first line; ``policies.decoding.sampler.Grammar``.

    Args:
        starts: tokens of each row's prompt.
        inner: the grammar within the line; None for none.
    """

    def __init__(self, codec: Codec, starts: Sequence[Sequence[int]], inner: Grammar | None) -> None:
        self.codec, self.inner = codec, inner
        self.rows = [(list(start), len(start)) for start in starts]
        self.over = [False] * len(self.rows)

    def allow(self, logits: Tensor) -> None:
        """Set the logits, ``(B, V)``, of tokens that may not come next to ``-inf``, in place."""
        rows = [row for row, over in enumerate(self.over) if over]
        if self.inner is not None:
            self.inner.allow(logits)
        if rows:
            logits[rows] = -torch.inf
            logits[rows, self.codec.end] = 0.0

    def advance(self, tokens: Sequence[int]) -> None:
        """Update the state with the token that each row drew."""
        if self.inner is not None:
            self.inner.advance(tokens)
        for row, token in enumerate(tokens):
            ids, start = self.rows[row]
            ids.append(token)
            self.over[row] = self.over[row] or bool(self.codec.line_ends(ids, start))

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        if self.inner is not None:
            self.inner.keep(rows)
        self.rows = [(list(self.rows[i][0]), self.rows[i][1]) for i in rows]
        self.over = [self.over[i] for i in rows]


def _cut(codec: Codec, start: Sequence[int], tokens: Sequence[int]) -> list[int]:
    """The tokens of the first line and the one that ends it; none if there is no such line."""
    ends = codec.line_ends([*start, *tokens], len(start))
    return list(tokens[: ends[0] + 2 - len(start)]) if ends else []


def _poem(prompt: Prompt, lines: Sequence[str]) -> str:
    """Lines with the stanza breaks of their form."""
    rest = iter(lines)
    stanzas = [[line for _, line in zip(stanza, rest, strict=False)] for stanza in form(prompt.form, prompt.lang).scheme.split(" ")]
    return "\n\n".join("\n".join(stanza) for stanza in stanzas if stanza)
