"""How much the poems of one step repeat each other; cheap enough to log at every step."""

from __future__ import annotations

from collections.abc import Sequence

from rlpoet.prosody.ending import end_of
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def batch_variety(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """``samples/distinct_end_words``, ``samples/duplicate_texts`` and ``samples/duplicate_lines`` of a batch.

    Opening lines are left out, since the policy did not write them. All three depend on the number of poems: compare batches of one size.

    Returns:
        Different last words divided by lines; the share of texts, and of lines, that equal an earlier one. A batch without a line has
        only the share of texts.

    >>> batch_variety([Prompt("fr", "couplet")] * 2, ["Le chat dort", "Le chat dort"])
    {'samples/duplicate_texts': 0.5, 'samples/distinct_end_words': 0.5, 'samples/duplicate_lines': 0.5}
    """
    poems = [tuple(split_poem(text)[len(prompt.opening) :]) for prompt, text in zip(prompts, texts, strict=True)]
    figures = {"samples/duplicate_texts": 1 - len(set(poems)) / len(poems)} if poems else {}
    lines = [(line, prompt.lang) for prompt, poem in zip(prompts, poems, strict=True) for line in poem]
    if lines:
        figures["samples/distinct_end_words"] = len({end_of(line, lang).word for line, lang in lines}) / len(lines)
        figures["samples/duplicate_lines"] = 1 - len(set(lines)) / len(lines)
    return figures
