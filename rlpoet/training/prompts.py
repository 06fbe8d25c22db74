"""What a trainer asks for: forms, authors and opening lines, mixed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlpoet.types import Prompt


def mixed_prompts(lang: str, forms: Sequence[str], authors: Sequence[str | None], n: int, *, rng: random.Random) -> list[Prompt]:
    """``n`` prompts without openings that go evenly through forms and authors; a repeated one stays repeated."""
    every = [Prompt(lang, form, author) for author in authors for form in forms]
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
