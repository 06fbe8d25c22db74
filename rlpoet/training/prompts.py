"""What a trainer asks for: forms, authors and opening lines, mixed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlpoet.prosody.forms import form
from rlpoet.prosody.meter import in_meter
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def mixed_prompts(lang: str, forms: Sequence[str], authors: Sequence[str | None], n: int, *, rng: random.Random) -> list[Prompt]:
    """``n`` prompts without openings that go evenly through forms and authors; a repeated one stays repeated."""
    every = [Prompt(lang, name, author) for author in authors for name in forms]
    rng.shuffle(every)
    return [every[i % len(every)] for i in range(n)]


def with_openings(prompts: Sequence[Prompt], openings: Sequence[str], share: float, *, rng: random.Random) -> list[Prompt]:
    """The prompts and, for each opening line, one that begins with it, until they are ``share`` of all.

    Args:
        share: in [0, 1).
    """
    wanted = min(len(openings), round(len(prompts) * share / (1 - share)))
    lines = rng.sample(list(openings), wanted)
    return [
        *prompts,
        *(Prompt(p.lang, p.form, p.author, (line,)) for p, line in zip(rng.choices(list(prompts), k=wanted), lines, strict=True)),
    ]


def openings(prompts: Sequence[Prompt], texts: Sequence[str]) -> list[str]:
    """First lines of the prior's own poems that are in meter: openings that need no corpus."""
    found = []
    for prompt, text in zip(prompts, texts, strict=False):
        lines = split_poem(text)
        if lines and in_meter(lines[0], prompt.lang, form(prompt.form, prompt.lang).meters[0]):
            found.append(lines[0])
    return list(dict.fromkeys(found))
