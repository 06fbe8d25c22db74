"""Single lines by a policy that writes each line from its end: drawn after what is given, and weighed among their neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding, sample_tokens
from policies.formats.verse import VerseFormat
from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import length_of
from rlpoet.text import canonical, split_poem
from rlpoet.types import Prompt


def draw_lines(policy: CausalPolicy, prompt: Prompt, ends: Sequence[str], *, key: str | None = None, decoding: Decoding) -> list[str]:
    """One draw of the next line of a poem for each of ``ends``; one that did not end is empty.

    Args:
        prompt: its opening holds the lines before, and its form the rest of the poem.
        ends: last words, from which the policy goes on backwards; all empty to leave them to the policy.
        key: label of the sound in which the lines have to end (``Verse.key``); None leaves it to the policy, and then no end is given.
        decoding: how to draw; ``max_new_tokens`` is for one line.
    """
    codec, verse_format = policy.codec, policy.format
    assert isinstance(verse_format, VerseFormat)
    start = policy.start_ids(prompt)
    forced: list[list[int]] = [[] for _ in ends]
    grammar = codec.grammar([prompt] * len(ends), policy.model.config.vocab_size)
    stop = grammar.queues[0][0][0]  # the mark after the line: the same in all rows
    if key is not None:
        plan = verse_format.plan(key) if verse_format.plans else ""
        forced = codec.many_ids([plan + _counted(end, prompt, verse_format) for end in ends])
        if plan:
            grammar.advance([ids[0] for ids in forced])
        if all(ends):  # after the first piece of a word the grammar is inside the line
            grammar.advance([ids[len(ids) > 1] for ids in forced])
    begun = [[*start, *ids] for ids in forced]
    new = sample_tokens(
        policy.model, begun, decoding, end=stop, pad=policy.pad, generator=policy.generator, dtype=policy.precision, grammar=grammar,
    )  # fmt: skip
    whole = [[*ids, *tokens[:-1]] if tokens and tokens[-1] == stop else start for ids, tokens in zip(begun, new, strict=True)]
    lines = []
    for text in codec.read_many(whole):
        written = split_poem(text)
        lines.append(written[-1] if len(written) == len(prompt.opening) + 1 else "")
    return lines


def _counted(end: str, prompt: Prompt, verse_format: VerseFormat) -> str:
    """Given last words as the policy reads them, from the last on, with the count of what is left after each but the first of the line."""
    if not end:
        return ""
    line = canonical(end, verse_format.lang)
    units = verse_format.units(line)
    target = form(prompt.form, prompt.lang).meters[len(prompt.opening)][0]
    text = ""
    for n, unit in enumerate(reversed(units), start=1):
        text += (" " if text else "") + unit
        left = target - length_of(verse_format.joined(units[-n:]), verse_format.lang)
        if n < len(units) and f"<|{left}|>" in verse_format.counts:
            text += f"<|{left}|>"
    return text


def weigh(policy: CausalPolicy, prompt: Prompt, continuations: Sequence[Sequence[str]]) -> list[float]:
    """Log-probability of each continuation of the lines before: its text and its sounds, without the mark that ends it, nats.

    Args:
        continuations: one or more lines each: a line that was drawn, and the given lines that follow it.
    """
    texts = ["\n".join([*prompt.opening, *lines]) for lines in continuations]
    rollout = policy.write([prompt] * len(texts), texts)
    with torch.inference_mode():
        log_p = policy.log_prob(rollout).cpu()  # the rollout's place
    return log_p.masked_fill(rollout.ids == policy.end, 0.0).sum(1).tolist()
