"""Write poems, score them, show them."""

from __future__ import annotations

import dataclasses
import json
import secrets
import sys

from policies.causal_lm import CausalPolicy
from policies.generate_command import GenerateConfig
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.render import console, poem_text
from rlpoet.report import heard
from rlpoet.scoring import ScoredPoem, score_text
from rlpoet.text import split_poem
from rlpoet.types import Prompt


def generate(config: GenerateConfig) -> int:
    """Print ``config.n`` poems; JSON objects hold the poem, its scores and the seed that writes it again."""
    for name in ("n", "best_of"):
        if getattr(config, name) < 1:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected 1 or more.")
    if config.temperature < 0 or not 0 < config.top_p <= 1 or config.top_k < 0 or config.limit < 0:
        raise RlpoetError("--temperature, --top_k and --limit: expected 0 or more; --top_p: expected a share in (0, 1].")
    if config.lang is not None:
        form(config.form, config.lang)
    seed = secrets.randbelow(2**31) if config.seed is None else config.seed
    policy = CausalPolicy.load(config.policy or config.lang or "fr", seed=seed)
    lang = config.lang or policy.lang
    prompt = Prompt(lang, form(config.form, lang).name, config.author, config.opening)
    poems = policy.sample(
        [prompt],
        config.n * config.best_of,
        temperature=config.temperature,
        top_k=config.top_k,
        top_p=config.top_p,
        max_new_tokens=config.limit,
    ).texts
    scored = [_scored(text, prompt) for text in poems]
    chosen = [max(scored[i : i + config.best_of], key=_worth) for i in range(0, len(scored), config.best_of)]
    if config.json:
        for poem in chosen:
            item = {"text": "\n".join(poem.lines), **dataclasses.asdict(poem), "author": config.author, "seed": seed}
            sys.stdout.write(json.dumps(item, ensure_ascii=False) + "\n")
        return 0
    out = console()
    for i, poem in enumerate(chosen):
        if i:
            out.print()
        out.print(poem_text(poem))
    return 0


def _scored(text: str, prompt: Prompt) -> ScoredPoem:
    lines = split_poem(text)
    if len(lines) != form(prompt.form, prompt.lang).n_lines:
        return heard("\n".join(lines), prompt.lang, form=prompt.form, scores={"rhyme": 0.0, "meter": 0.0})
    return score_text("\n".join(lines), prompt.lang, prompt.form)[0]


def _worth(poem: ScoredPoem) -> float:
    known = [score for score in poem.scores.values() if score is not None]
    return sum(known) / len(known) if known else 0.0
