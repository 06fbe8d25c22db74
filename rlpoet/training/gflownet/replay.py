"""Texts worth a second look: per prompt, best first, no two alike."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rlpoet.rollout import Rollout
from rlpoet.types import Prompt

TENSORS = ("ids", "chosen", "ended", "line_ends", "end_words")


@dataclass(frozen=True)
class Kept:
    """One text, without its masks, with what it was worth and how likely the prior was to draw it (nats)."""

    rollout: Rollout
    score: float
    log_prior: float


@dataclass
class Replay:
    """At most ``per_prompt`` texts a prompt; a better text drives out the worst.

    Texts with the same end words are near-duplicates and keep one place between them, so that a lucky
    rhyme cannot fill the buffer with its variants.
    """

    per_prompt: int = 16
    kept: dict[Prompt, dict[str, Kept]] = field(default_factory=dict)

    def add(self, rollout: Rollout, scores: list[float], log_prior: list[float]) -> None:
        """Offer a batch, one text a row."""
        for row, (prompt, text) in enumerate(zip(rollout.prompts, rollout.texts, strict=True)):
            shelf = self.kept.setdefault(prompt, {})
            key = " ".join(line.split()[-1].lower() for line in text.split("\n") if line.split())
            if key in shelf and shelf[key].score >= scores[row]:
                continue
            shelf[key] = Kept(replace(rollout.rows([row]), token_masks=None, mask_of=None), scores[row], log_prior[row])
            if len(shelf) > self.per_prompt:
                del shelf[min(shelf, key=lambda k: shelf[k].score)]

    def draw(self, prompt: Prompt, n: int, rng: random.Random) -> list[Kept]:
        """Up to ``n`` texts of a prompt, each once, the better the likelier."""
        shelf = list(self.kept.get(prompt, {}).values())
        drawn: list[Kept] = []
        while shelf and len(drawn) < n:
            (item,) = rng.choices(range(len(shelf)), weights=[0.05 + kept.score for kept in shelf])
            drawn.append(shelf.pop(item))
        return drawn

    def state(self) -> list[dict[str, Any]]:
        """Tensors and plain values, for a checkpoint."""
        return [
            {"key": key, "score": kept.score, "log_prior": kept.log_prior, "text": kept.rollout.texts[0],
             "prompt": [prompt.lang, prompt.form, prompt.author, list(prompt.opening)],
             **{name: getattr(kept.rollout, name) for name in TENSORS}}
            for prompt, shelf in self.kept.items() for key, kept in shelf.items()
        ]  # fmt: skip

    @classmethod
    def restore(cls, state: Sequence[Mapping[str, Any]], per_prompt: int = 16) -> Replay:
        """The buffer that gave ``state``."""
        replay = cls(per_prompt)
        for item in state:
            lang, form, author, opening = item["prompt"]
            prompt = Prompt(lang, form, author, tuple(opening))
            rollout = Rollout((prompt,), (item["text"],), **{name: item[name] for name in TENSORS})
            replay.kept.setdefault(prompt, {})[item["key"]] = Kept(rollout, item["score"], item["log_prior"])
        return replay

    def __len__(self) -> int:
        return sum(map(len, self.kept.values()))
