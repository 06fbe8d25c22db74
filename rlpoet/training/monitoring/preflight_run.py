"""``rlpoet preflight``: draw poems of a policy and say which prompts its rewards can teach it."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import torch
from rich import box
from rich.table import Table

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.examples import example_poems
from rlpoet.evaluation.sampled import warm_up
from rlpoet.prosody.forms import form_to_write
from rlpoet.reporting.poems import console
from rlpoet.reporting.terminal import write_row
from rlpoet.rollout import ask_by, join, open_policy
from rlpoet.training.build import authors_of
from rlpoet.training.monitoring.config import PreflightConfig
from rlpoet.training.monitoring.preflight import Learnability, advice, all_dead, nothing_earned, preflight, rejection, summary
from rlpoet.training.prompts import mixed_prompts
from rlpoet.training.rewards import composed


def run_preflight(config: PreflightConfig) -> int:
    """Draw poems, judge each set of prompts and show the verdicts; 1 if no form can be learned.

    Raises:
        RlpoetError, UnknownName: a number outside its range, or no such policy, form, author or reward.
    """
    for name, least in (("prompts", 1), ("group_size", 2)):
        if getattr(config, name) < least:
            raise RlpoetError(f"--{name}: {getattr(config, name)}; expected {least} or more.")
    if not config.beta > 0:
        raise RlpoetError(f"--beta: {config.beta}; expected more than 0.")
    if not config.forms:
        raise RlpoetError("--forms: none given; expected at least one, such as quatrain-abab.")
    torch.set_num_threads(config.threads or torch.get_num_threads())
    score = composed(config.rewards, config.reward_options, compose=config.compose, gates=config.gates, timeout=config.reward_timeout)
    policy = open_policy(config.policy, config, seed=config.seed, lang=config.lang, policy_class=config.policy_class)
    for name in config.forms:
        form_to_write(name, policy.lang)
    ask_by(policy, config, example_poems(config.data, policy.lang, config.forms, config.shots, seed=config.seed))
    authors = authors_of(config.authors, policy)
    asked = mixed_prompts(policy.lang, config.forms, authors, config.prompts, rng=random.Random(config.seed))
    warm_up(policy, policy, asked)
    started = time.perf_counter()
    drawn = join([policy.sample(asked[i : i + 32], config.group_size) for i in range(0, len(asked), 32)], pad=policy.pad)
    seconds = (time.perf_counter() - started) / max(len(drawn), 1)
    rows = preflight(drawn.prompts, score(drawn.prompts, drawn.texts).total, beta=config.beta, group_size=config.group_size)
    if config.json:
        about = {"policy": config.policy, "lang": policy.lang, "beta": config.beta, "group_size": config.group_size, "seed": config.seed}
        about["seconds_per_poem"] = seconds
        write_row({**about, "rewards": dict(config.rewards), **summary(rows)})
    else:
        out = console()
        out.print(preflight_table([row for row in rows if row.author is None], first="form"))
        out.print(preflight_table([row for row in rows if row.author is not None], first="form and author"))
        out.print("\n".join(rejection(rows, seconds=seconds)), highlight=False)
        if nothing_earned(rows):
            out.print(f"No poem earns anything: {rows[0].poems} were drawn. There is nothing to learn from until some do.", highlight=False)
        if told := advice(rows, beta=config.beta):
            out.print(told)
    return 1 if all_dead(rows) else 0


def preflight_table(rows: Sequence[Learnability], *, first: str) -> Table:
    """The rows for a terminal, the ones that can be learned best first."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first)
    for head in ("poems", "mean", "best", "spread", "nats", "alike", "earning", "accepted"):
        table.add_column(head, justify="right")
    table.add_column("verdict")
    for row in sorted(rows, key=lambda row: (row.form is not None, -row.signal)):
        name = row.form or "all" if row.author is None else f"{row.form}, {row.author or 'no author'}"
        figures = (f"{row.mean:.3f}", f"{row.best:.3f}", f"{row.spread:.3f}", f"{row.signal:.1f}", f"{row.alike:.0%}", f"{row.earning:.0%}")
        accepted = f"{row.acceptance:.{0 if row.acceptance >= 0.1 else 2}%}"
        table.add_row(name, str(row.poems), *figures, accepted, row.verdict if row.verdict == "learnable" else f"{row.verdict}: {row.why}")
    return table
