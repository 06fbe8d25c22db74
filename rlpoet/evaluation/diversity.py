"""How much poems repeat each other: cheap enough to be watched at every step."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def end_words(prompt: Prompt, lines: Sequence[str]) -> tuple[str, ...]:
    """The last word of each line, ``""`` where it has none; opening lines were given, not written, and are left out."""
    return tuple(end_of(line, prompt.lang).word for line in lines[len(prompt.opening) :])


def rhyme_sounds(prompt: Prompt, lines: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The phones that have to rhyme at the end of each line that was written, in the likeliest pronunciation; none without a word.

    >>> rhyme_sounds(Prompt("fr", "couplet"), ["La nuit est sombre", "Je suis une ombre"])
    (('ɔ̃', 'b', 'ʁ'), ('ɔ̃', 'b', 'ʁ'))
    """
    endings = (verse(prompt.lang).endings(line) for line in lines[len(prompt.opening) :])
    return tuple(tuple(found[0].phones) for found in endings if found)


def entropy(items: Sequence[Hashable]) -> float:
    """Entropy of the shares in which items come, in nats; 0 of none.

    It is too low by some ``(K - 1) / (2 n)`` for ``K`` kinds in ``n`` items: compare sets of one size.

    >>> round(entropy("abab"), 4), entropy("aaaa"), entropy([])
    (0.6931, 0.0, 0.0)
    """
    n = len(items)
    return abs(sum((-k / n * math.log(k / n) for k in Counter(items).values()), 0.0))


def distinct_share(items: Sequence[Hashable]) -> float:
    """Different ones over all; 0 of none.

    >>> distinct_share(["nuit", "jour", "nuit", "amour"]), distinct_share([])
    (0.75, 0.0)
    """
    return len(set(items)) / max(len(items), 1)


def batch_variety(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """``samples/distinct_end_words``, ``samples/duplicate_texts`` and ``samples/duplicate_lines`` of a batch.

    Opening lines are left out, since the policy did not write them. All three depend on the number of poems: compare batches of one size.

    Returns:
        Different last words divided by lines; the share of texts, and of lines, that equal an earlier one. A batch without a line has
        only the share of texts.

    >>> batch_variety([Prompt("fr", "couplet")] * 2, ["Le chat dort", "Le chat dort"])
    {'samples/duplicate_texts': 0.5, 'samples/distinct_end_words': 0.5, 'samples/duplicate_lines': 0.5}
    """
    poems = [split_poem(text) for text in texts]
    own = [tuple(lines[len(prompt.opening) :]) for prompt, lines in zip(prompts, poems, strict=True)]
    figures = {"samples/duplicate_texts": 1 - distinct_share(own)} if own else {}
    lines = [(line, prompt.lang) for prompt, written in zip(prompts, own, strict=True) for line in written]
    if lines:
        words = [word for prompt, poem in zip(prompts, poems, strict=True) for word in end_words(prompt, poem)]
        figures["samples/distinct_end_words"] = distinct_share(words)
        figures["samples/duplicate_lines"] = 1 - distinct_share(lines)
    return figures
