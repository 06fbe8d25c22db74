"""Evaluation of a policy before and after training: fresh poems and their figures with intervals, saved for later evaluation."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from rlpoet.analysis.intervals import (
    LEAST,
    Array,
    Bounds,
    Redrawn,
    Share,
    bootstrapped,
    number_change,
    relative_change,
    share_change,
    subsampled,
)
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.diversity import entropy
from rlpoet.evaluation.form import PoemFacts, figures_of, poem_facts, shares
from rlpoet.evaluation.sense import figures_of_texts, invented_share, redrawn_bigrams
from rlpoet.evaluation.target import PriorWeights, prior_weights, strata_of, target_kl
from rlpoet.rollout import Policy, Rollout, TracksMasks, join
from rlpoet.text import read_object, write_atomically
from rlpoet.types import Prompt

PER_PROMPT = 4  # poems of a prompt
BY_POEM = ("nats", "tokens", "rewards", "log_ratio")  # arrays that a file keeps


@dataclass(frozen=True)
class Measured:
    """A set of fresh poems and their figures. The ``PER_PROMPT`` poems of a prompt are next to each other.

    Attributes:
        figures: by the names of ``rlpoet.evaluation.measure``, ``prior_nll_per_token``, and ``target_kl`` where it could be measured.
        facts: counts of each poem by the present verse module.
        nats, tokens: of each poem under the prior, shape ``(P,)``; None if the file does not have them.
        prior: digest of the prior's weights, if the file has it.
        rewards, beta: reward of each poem, shape ``(P,)``, and its strength: the target. None where nobody asked, or where the poems are
            not drawn from all tokens.
        log_ratio: ``log pi - log p0`` of each poem, of the masked distributions, nats, shape ``(P,)``; None where it is not known. The
            prior's own is 0.
        draw_seconds, read_seconds: seconds to draw a poem, and to score it with the prior; 0 if unknown.
    """

    figures: dict[str, float]
    prompts: tuple[Prompt, ...]
    texts: tuple[str, ...]
    facts: tuple[PoemFacts, ...]
    nats: Array | None = None
    tokens: Array | None = None
    prior: str | None = None
    draw_seconds: float = 0.0
    read_seconds: float = 0.0
    rewards: Array | None = None
    beta: float | None = None
    log_ratio: Array | None = None


def examine(
    policy: Policy,
    prior: Policy,
    eval_prompts: Sequence[Prompt],
    n: int,
    *,
    seed: int,
    top_p: float = 1.0,
    drawn: Rollout | None = None,
    weigh: bool = False,
) -> tuple[Measured, Rollout]:
    """Draw fresh poems at temperature 1, four per prompt, in fp32, with a fixed seed, and measure them; or measure ``drawn``.

    Args:
        n: number of poems to keep.
        seed: seed of the run.
        top_p: draw from the likeliest tokens whose probabilities sum to p.
        weigh: also measure ``log_ratio``, which reads the poems twice more, in the precisions that the policies have when called. In
            bfloat16 that takes half the time, and moved a poem's ratio by 0.14 nats and their mean by 0.002. Only of poems that the
            policy draws, from all tokens.

    Returns:
        The figures, and the poems. ``prior_nll_per_token`` is in nats and counts every drawn token, marks included.
    """
    saved = policy.generator.get_state(), policy.precision, prior.precision, policy.allow_identical_rhyme
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
    with torch.no_grad():
        log_p = torch.cat([prior.log_prob(part).double().sum(1) for part in parts])[:n]
    read_at = time.perf_counter()
    policy.generator.set_state(saved[0])
    policy.precision, prior.precision = saved[1:3]
    log_ratio = _log_ratio(policy, prior, parts)[:n].cpu().numpy() if weigh and drawn is None and top_p == 1.0 else None
    policy.allow_identical_rhyme = saved[3]
    n_drawn = max(1, sum(map(len, parts)))
    rollout = join(parts, pad=policy.pad).rows(range(n))
    nats, tokens = -log_p.cpu().numpy(), rollout.n_tokens.double().cpu().numpy()
    facts = tuple(poem_facts(prompt, text) for prompt, text in zip(rollout.prompts, rollout.texts, strict=True))
    nats_per_token = float(nats.sum() / max(tokens.sum(), 1.0))
    figures = {**figures_of(facts), **figures_of_texts(rollout.prompts, rollout.texts), "prior_nll_per_token": nats_per_token}
    draw, read_once = (drawn_at - started) / n_drawn, (read_at - drawn_at) / n_drawn
    measured = Measured(
        figures, rollout.prompts, rollout.texts, facts, nats, tokens, draw_seconds=draw, read_seconds=read_once, log_ratio=log_ratio
    )
    return measured, rollout


def _log_ratio(policy: Policy, prior: Policy, parts: Sequence[Rollout]) -> torch.Tensor:
    """``log pi - log p0`` of poems, ``(P,)``, in nats, of the distributions they are drawn from.

    Unmasked log-probabilities would lack what both lose to tokens that no poem can have, and not alike.
    """
    masked = [policy.masked(part) if isinstance(policy, TracksMasks) else part for part in parts]
    with torch.no_grad():
        ratios = [policy.log_prob(part).double().sum(1) - prior.log_prob(part).double().sum(1) for part in masked]
    return torch.cat(ratios)


def toward(measured: Measured, rewards: Sequence[float | None], beta: float, *, prior: Measured | None = None) -> Measured:
    """The same with its rewards, and its distance from the target that they make, if that can be told.

    Args:
        rewards: of each poem; None, which the trainers take for 0, as well.
        beta: strength of the reward.
        prior: what was measured of the prior, on the same prompts; None if this is it.
    """
    earned = np.array([0.0 if reward is None else reward for reward in rewards], dtype=float)
    measured = dataclasses.replace(measured, rewards=earned, beta=beta)
    found = distance(prior or measured, measured)
    figures = {name: value for name, value in measured.figures.items() if name != "target_kl"}
    return dataclasses.replace(measured, figures=figures if found is None else {"target_kl": found.value, **figures})


def distance(prior: Measured, measured: Measured) -> Redrawn | None:
    """KL to the target, nats per poem, with its prompts drawn again; None where one side lacks what it takes.

    Args:
        prior: poems of the prior, which say how large Z is.
        measured: those of the policy, on the same prompts; the prior itself may stand here.
    """
    ratio = np.zeros(len(prior.texts)) if measured is prior else measured.log_ratio
    rewards, weighed, beta = measured.rewards, prior.rewards, measured.beta
    if ratio is None or rewards is None or weighed is None or beta is None or beta != prior.beta:
        return None
    if not len(ratio) or measured.prompts != prior.prompts or not np.isfinite(ratio).all():
        return None
    return target_kl(rewards, ratio, weighed, beta=beta, strata=strata_of(prior.prompts), group=_prompt_numbers(prior))


def weights_of(prior: Measured) -> PriorWeights | None:
    """What the prior's poems say of the target; None where they have no rewards."""
    if prior.rewards is None or prior.beta is None or not len(prior.rewards):
        return None
    return prior_weights(prior.rewards, strata_of(prior.prompts), prior.beta)


def about_target(before: Measured, after: Measured) -> dict[str, object]:
    """``target`` of ``result.json``: the distances with their standard errors, and what stands behind them; empty if there is none."""
    weights = weights_of(before)
    if weights is None:
        return {}
    sides = {name: distance(before, side) for name, side in (("before", before), ("after", after))}
    told = {name: {"kl": side.value, "standard_error": side.deviation} for name, side in sides.items() if side is not None}
    return {"beta": before.beta, **dataclasses.asdict(weights), "log_z_known": weights.known, **told}


def warm_up(policy: Policy, prior: Policy, eval_prompts: Sequence[Prompt]) -> None:
    """Draw and score one poem, so that compilation and loading at first use do not count in later timings."""
    state = policy.generator.get_state()
    with torch.no_grad():
        prior.log_prob(policy.sample(eval_prompts[:1], 1))
    policy.generator.set_state(state)


def intervals(before: Measured, after: Measured) -> dict[str, dict[str, Bounds]]:
    """Intervals of 95 % by figure: ``before``, ``after`` and ``change``, each ``(low, high)``. An interval without enough data is absent.

    The change of ``prior_nll_per_token``, ``distinct_end_words`` and ``distinct_bigrams`` is relative, after / before - 1; that of all
    others is a difference.
    """
    if before.prompts != after.prompts:
        return {}  # not the same prompts: nothing is paired
    group = _prompt_numbers(after)
    first, last = shares_by_prompt(before), shares_by_prompt(after)
    changes = {"target_kl": number_change(distance(before, before), distance(before, after))}
    changes |= {name: share_change(share, last[name], group) for name, share in first.items()}
    changes["prior_nll_per_token"] = relative_change(_nats(before, group), _nats(after, group))
    changes["distinct_end_words"] = relative_change(_distinct(before.facts, group), _distinct(after.facts, group), most=1.0)
    changes["rhyme_sound_entropy"] = number_change(_entropy(before.facts, group), _entropy(after.facts, group))
    changes["distinct_bigrams"] = relative_change(*(redrawn_bigrams(side.texts, group) for side in (before, after)), most=1.0)
    by_figure = {name: {side: bounds for side, bounds in dataclasses.asdict(change).items() if bounds} for name, change in changes.items()}
    return {name: sides for name, sides in by_figure.items() if sides}


def shares_by_prompt(measured: Measured) -> dict[str, Share]:
    """The figures of ``SHARES`` and ``invented_words``, poem by poem, and which poems have one prompt.

    Poems of one prompt are alike, so intervals draw them together. Without the extra ``sense`` there is no ``invented_words``.
    """
    invented = invented_share(measured.prompts, measured.texts)
    found = shares(measured.facts) | ({} if invented is None else {"invented_words": invented})
    return {name: dataclasses.replace(share, prompt=_prompt_numbers(measured)) for name, share in found.items()}


def weights_digest(policy: Policy) -> str:
    """First 16 hex digits of the SHA-256 of a policy's parameters, by name."""
    digest = hashlib.sha256()
    for name, weight in sorted(policy.model.state_dict().items()):
        digest.update(name.encode() + weight.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def keep(path: Path, measured: Measured, *, prior: str | None = None) -> None:
    """Save all poems of an evaluation with their figures, and the digest of the run's prior.

    ``nats``, ``tokens``, ``rewards`` and ``log_ratio`` have one entry per poem.
    """
    item = {
        "figures": measured.figures, "prompts": [dataclasses.asdict(prompt) for prompt in measured.prompts], "texts": measured.texts,
        **{name: row.tolist() for name in BY_POEM if (row := getattr(measured, name)) is not None},
        **({"beta": measured.beta} if measured.beta is not None else {}),
        **({"prior": prior} if prior else {}),
    }  # fmt: skip
    write_atomically(path, json.dumps(item, ensure_ascii=False))


def read(path: Path) -> Measured:
    """Read what ``keep`` wrote and count its poems again. The figures stay those of the original evaluation.

    Raises:
        RlpoetError: no such file, or a damaged one.
    """
    item = read_object(path, "the poems that a run measured")
    try:
        prompts = tuple(Prompt(p["lang"], p["form"], p.get("author"), tuple(p.get("opening", ()))) for p in item["prompts"])
        facts = tuple(poem_facts(prompt, text) for prompt, text in zip(prompts, item["texts"], strict=True))
        nats, tokens, rewards, log_ratio = (np.array(item[name], dtype=float) if name in item else None for name in BY_POEM)
        return Measured(
            dict(item["figures"]), prompts, tuple(item["texts"]), facts, nats, tokens, item.get("prior"),
            rewards=rewards, beta=item.get("beta"), log_ratio=log_ratio,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RlpoetError(f"{path}: damaged ({error!s:.80}); expected the poems that a run measured. Start a new run.") from None


def _prompt_numbers(measured: Measured) -> NDArray[np.int64]:
    """Which prompt each poem is of, shape ``(P,)``."""
    return np.arange(len(measured.prompts)) // PER_PROMPT


def _nats(measured: Measured, group: NDArray[np.int64]) -> Redrawn | None:
    if measured.nats is None or measured.tokens is None or not measured.tokens.sum():
        return None
    return bootstrapped(Share(measured.nats, measured.tokens).grouped(group))


def _distinct(facts: Sequence[PoemFacts], group: NDArray[np.int64]) -> Redrawn | None:
    n = len(set(group.tolist()))
    if n < LEAST:
        return None
    words = [word for fact in facts for word in fact.end_words]
    _, number = np.unique(np.array(words, dtype=str), return_inverse=True)
    prompt = np.repeat(group, [len(fact.end_words) for fact in facts])

    def share(mask: NDArray[np.bool_]) -> float:
        end_words = number[mask[prompt]]
        return np.count_nonzero(np.bincount(end_words)) / max(len(end_words), 1)

    return subsampled(share, n)


def _entropy(facts: Sequence[PoemFacts], group: NDArray[np.int64]) -> Redrawn | None:
    n = len(set(group.tolist()))
    sounds = [sound for fact in facts for sound in fact.sounds]
    if n < LEAST or not sounds:
        return None
    numbers = {sound: i for i, sound in enumerate(dict.fromkeys(sounds))}
    prompt = np.repeat(group, [len(fact.sounds) for fact in facts])
    at = prompt * len(numbers) + np.array([numbers[sound] for sound in sounds])
    counts = np.bincount(at, minlength=n * len(numbers)).reshape(n, -1)

    def of(mask: NDArray[np.bool_]) -> float:
        shares = counts[mask].sum(0)
        shares = shares[shares > 0] / max(shares.sum(), 1.0)
        return float(-(shares * np.log(shares)).sum())

    return dataclasses.replace(subsampled(of, n), value=entropy(sounds))
