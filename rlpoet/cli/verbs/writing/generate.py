"""``rlpoet generate``: poems from a policy, with their schemes and scores."""

from __future__ import annotations

from policies.generation.config import GenerateConfig
from rlpoet.config.command import Command
from rlpoet.registry import first_import


def run(config: GenerateConfig) -> int:
    with first_import("torch"):
        from policies.generation.generate import generate

    return generate(config)


COMMAND = Command(
    "generate",
    "poems from a policy, with schemes and scores",
    GenerateConfig,
    run,
    short={"t": "temperature", "k": "top_k", "p": "prompt", "n": "n", "i": "policy", "l": "limit", "o": "out"},
)
