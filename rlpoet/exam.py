"""What a policy writes before and after training: fresh poems, their figures, and both kept for another judge."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rlpoet.evaluation import measure
from rlpoet.files import write_atomically
from rlpoet.rollout import Policy, Rollout, join
from rlpoet.types import Prompt

PER_PROMPT = 4  # poems of a prompt


@dataclass(frozen=True)
class Measured:
    """Figures of a set of fresh poems, and the poems."""

    figures: dict[str, float]
    rollout: Rollout


def examine(
    policy: Policy, prior: Policy, exam: Sequence[Prompt], n: int, *, seed: int, top_p: float = 1.0, drawn: Rollout | None = None
) -> Measured:
    """Fresh poems at temperature 1, four a prompt, drawn and weighed in fp32, with the seed of the examination; or those drawn already.

    Args:
        n: poems to keep.
        seed: of the run.
        top_p: draw from the likeliest tokens that make up p.

    ``prior_nll_per_token`` counts every token the policy drew, marks included, in nats.
    """
    kept = policy.generator.get_state(), policy.precision, prior.precision, policy.may_repeat
    policy.generator.manual_seed(seed + 1_000_003)
    policy.precision = prior.precision = torch.float32
    policy.may_repeat = False
    parts = [policy.sample(exam[i : i + 32], PER_PROMPT, top_p=top_p) for i in range(0, len(exam), 32)] if drawn is None else [drawn]
    nats = tokens = 0.0
    with torch.no_grad():
        for part in parts:
            nats -= prior.log_prob(part).sum().item()
            tokens += part.n_tokens.sum().item()
    policy.generator.set_state(kept[0])
    policy.precision, prior.precision, policy.may_repeat = kept[1:]
    rollout = join(parts, pad=policy.pad).rows(range(n))
    return Measured({**measure(rollout.prompts, rollout.texts), "prior_nll_per_token": nats / max(tokens, 1.0)}, rollout)


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
