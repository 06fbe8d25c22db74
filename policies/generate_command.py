"""``rlpoet generate``: poems from a policy, with their schemes and scores."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.commands import Command


@dataclass(frozen=True)
class GenerateConfig:
    """Write poems and show how they rhyme and scan.

    Attributes:
        lang: fr, es or en; by default that of the policy, or fr.
        policy: a shipped policy by its language, the folder of one, or of a run.
        form: the form to write.
        author: in whose manner, as the policy spells the name.
        opening: lines the poem begins with.
        n: number of poems.
        temperature: 1 is the policy itself, lower is safer, 0 always takes the likeliest token.
        top_k: only the k likeliest tokens, 0 for all.
        top_p: only the likeliest tokens that make up p.
        limit: most tokens a poem, 0 for enough.
        best_of: write so many for each poem shown, and show the one that scores best.
        seed: the same seed writes the same poems; by default a new one each time.
        json: one JSON object a poem, for machines.
    """

    lang: str | None = None
    policy: str | None = None
    form: str = "quatrain-abab"
    author: str | None = None
    opening: tuple[str, ...] = ()
    n: int = 1
    temperature: float = 0.9
    top_k: int = 0
    top_p: float = 1.0
    limit: int = 0
    best_of: int = 1
    seed: int | None = None
    json: bool = False


def run(config: GenerateConfig) -> int:
    from policies.generate import generate

    return generate(config)


COMMAND = Command(
    "generate",
    "poems from a policy, with schemes and scores",
    GenerateConfig,
    run,
    short={"t": "temperature", "k": "top_k", "p": "opening", "n": "n", "l": "limit"},
)
