"""``rlpoet preflight``: which prompts can be learned at all."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rlpoet.cli.verbs.train import DEFAULT_OPTIONS, DEFAULT_REWARDS
from rlpoet.command import Command
from rlpoet.errors import RlpoetError
from rlpoet.training.monitoring.preflight import Learnability, advice, all_dead, preflight, summary

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class PreflightConfig:
    """Say which prompts the rewards can teach a policy, before anything is trained.

    Draws poems and looks at how those of one prompt differ in reward: where all earn the same, no trainer learns anything.
    Exit code 1 if no form can be learned.

    Attributes:
        policy: a shipped policy by its language, or the folder of one or of a run.
        lang: language a plain model is to write in; a policy with marks of its own keeps its own.
        forms: the forms to try.
        authors: whose manner; by default the policy's commonest, and none.
        rewards: weight of each reward.
        reward_options: keyword arguments of rewards, by name.
        compose: how rewards make one: weighted-mean, or product.
        gates: rewards that earn only where another one scores enough, such as {meter: {if: rhyme, at_least: 1}}.
        beta: strength of the reward in the training to come.
        prompts: prompts to try, drawn evenly over forms and authors.
        group_size: poems a prompt.
        seed: of sampling and prompts.
        threads: processor threads, 0 for all cores.
        json: one JSON object instead of tables, for machines.
    """

    policy: str = "fr"
    lang: str | None = None
    forms: tuple[str, ...] = ("quatrain-abab", "quatrain-abba")
    authors: tuple[str, ...] = ()
    rewards: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_REWARDS))
    reward_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(default_factory=lambda: dict(DEFAULT_OPTIONS))
    compose: str = "weighted-mean"
    gates: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    beta: float = 30.0
    prompts: int = 80
    group_size: int = 8
    seed: int = 0
    threads: int = 0
    json: bool = False


def run(config: PreflightConfig) -> int:
    for name, least in (("prompts", 1), ("group_size", 2)):
        if getattr(config, name) < least:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected {least} or more.")
    if not config.beta > 0:
        raise RlpoetError(f"--beta: {config.beta}; expected more than 0.")
    if not config.forms:
        raise RlpoetError("--forms: none given; expected at least one, such as quatrain-abab.")
    import torch

    from rlpoet import registry
    from rlpoet.prosody.forms import form
    from rlpoet.reporting.poems import console
    from rlpoet.rollout import Policy, join
    from rlpoet.training.build import authors_of
    from rlpoet.training.prompts import mixed_prompts
    from rlpoet.training.rewards import composed

    torch.set_num_threads(config.threads or torch.get_num_threads())
    score = composed(config.rewards, config.reward_options, compose=config.compose, gates=config.gates)
    policy: Policy = registry.load("rlpoet.policies", "causal-lm").load(config.policy, seed=config.seed, lang=config.lang)
    for name in config.forms:
        form(name, policy.lang)
    authors = authors_of(config.authors, policy)
    asked = mixed_prompts(policy.lang, config.forms, authors, config.prompts, rng=random.Random(config.seed))
    drawn = join([policy.sample(asked[i : i + 32], config.group_size) for i in range(0, len(asked), 32)], pad=policy.pad)
    rows = preflight(drawn.prompts, score(drawn.prompts, drawn.texts).total, beta=config.beta, group_size=config.group_size)
    if config.json:
        about = {"policy": config.policy, "lang": policy.lang, "beta": config.beta, "group_size": config.group_size, "seed": config.seed}
        sys.stdout.write(json.dumps({**about, "rewards": dict(config.rewards), **summary(rows)}, ensure_ascii=False) + "\n")
    else:
        out = console()
        out.print(preflight_table([row for row in rows if row.author is None], first="form"))
        out.print(preflight_table([row for row in rows if row.author is not None], first="form and author"))
        if told := advice(rows, beta=config.beta):
            out.print(told)
    return 1 if all_dead(rows) else 0


def preflight_table(rows: Sequence[Learnability], *, first: str) -> Table:
    """The rows for a terminal, the ones that can be learned best first."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for head in ("poems", "mean", "best", "spread", "nats", "alike", "earning"):
        table.add_column(head, justify="right")
    table.add_column("verdict")
    for row in sorted(rows, key=lambda row: (row.form is not None, -row.signal)):
        name = row.form or "all" if row.author is None else f"{row.form}, {row.author or 'no author'}"
        figures = (f"{row.mean:.3f}", f"{row.best:.3f}", f"{row.spread:.3f}", f"{row.signal:.1f}", f"{row.alike:.0%}", f"{row.earning:.0%}")
        table.add_row(name, str(row.poems), *figures, row.verdict if row.verdict == "learnable" else f"{row.verdict}: {row.why}")
    return table


COMMAND = Command("preflight", "which prompts the rewards can teach at all", PreflightConfig, run)
