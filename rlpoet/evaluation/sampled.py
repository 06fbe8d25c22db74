"""What a policy writes before and after training: fresh poems, their figures, and both kept for another judge."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rlpoet.evaluation.form import measure
from rlpoet.rollout import Policy, Rollout, join
from rlpoet.text import write_atomically
from rlpoet.types import Prompt

PER_PROMPT = 4  # poems of a prompt


@dataclass(frozen=True)
class Measured:
    """Figures of a set of fresh poems, and the poems; how long it took to draw them and to read them with the prior, seconds a poem."""

    figures: dict[str, float]
    rollout: Rollout
    draw_seconds: float = 0.0
    read_seconds: float = 0.0


def examine(
    policy: Policy, prior: Policy, eval_prompts: Sequence[Prompt], n: int, *, seed: int, top_p: float = 1.0, drawn: Rollout | None = None
) -> Measured:
    """Fresh poems at temperature 1, four a prompt, drawn and weighed in fp32, with the seed of the examination; or those drawn already.

    Args:
        n: poems to keep.
        seed: of the run.
        top_p: draw from the likeliest tokens that make up p.

    ``prior_nll_per_token`` counts every token the policy drew, marks included, in nats.
    """
    kept = policy.generator.get_state(), policy.precision, prior.precision, policy.allow_identical_rhyme
    policy.generator.manual_seed(seed + 1_000_003)
    policy.precision = prior.precision = torch.float32
    policy.allow_identical_rhyme = False
    started = time.perf_counter()
    parts = (
        [policy.sample(eval_prompts[i : i + 32], PER_PROMPT, top_p=top_p) for i in range(0, len(eval_prompts), 32)]
        if drawn is None
        else [drawn]
    )
    drawn_at = time.perf_counter()
    nats = tokens = 0.0
    with torch.no_grad():
        for part in parts:
            nats -= prior.log_prob(part).sum().item()
            tokens += part.n_tokens.sum().item()
    read_at = time.perf_counter()
    policy.generator.set_state(kept[0])
    policy.precision, prior.precision, policy.allow_identical_rhyme = kept[1:]
    n_drawn = max(1, sum(map(len, parts)))
    rollout = join(parts, pad=policy.pad).rows(range(n))
    figures = {**measure(rollout.prompts, rollout.texts), "prior_nll_per_token": nats / max(tokens, 1.0)}
    return Measured(figures, rollout, (drawn_at - started) / n_drawn, (read_at - drawn_at) / n_drawn)


def warm_up(policy: Policy, prior: Policy, eval_prompts: Sequence[Prompt]) -> None:
    """Draw and read one poem, so that what is compiled or loaded at first use is not timed with the measuring that follows."""
    state = policy.generator.get_state()
    with torch.no_grad():
        prior.log_prob(policy.sample(eval_prompts[:1], 1))
    policy.generator.set_state(state)


def weights_digest(policy: Policy) -> str:
    """First 16 hex digits of the SHA-256 of a policy's parameters, by name."""
    digest = hashlib.sha256()
    for name, weight in sorted(policy.model.state_dict().items()):
        digest.update(name.encode() + weight.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def keep(path: Path, measured: Measured, *, prior: str | None = None) -> None:
    """All poems of an examination with their figures, for another judge, and the digest of the prior that a run begins with."""
    prompts = [dataclasses.asdict(prompt) for prompt in measured.rollout.prompts]
    item = {"figures": measured.figures, "prompts": prompts, "texts": measured.rollout.texts, **({"prior": prior} if prior else {})}
    write_atomically(path, json.dumps(item, ensure_ascii=False))
