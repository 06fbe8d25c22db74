"""Pre-flight: which prompts the reward can teach at all, told from poems of the prior before anything is learned.

Both trainers learn from how the poems of one prompt differ in reward. Where all of them earn the same there is nothing to learn but
the prior; where they differ by little, the noise of a batch is larger than what is to be heard in it.

The rule. In the loss a difference of reward counts beta times, in nats, beside ``log pi - log p0``, whose variance within a prompt is
about twice the KL to the prior: half a nat away from it, where the noise of a few updates takes any policy, poems of one prompt
differ by ``NOISE`` = 1 nat for no reason. So a set of prompts is

- ``dead``: every prompt's poems earned alike, in at least ``ENOUGH`` poems; fewer say nothing, and the verdict is ``unknown``;
- ``slow``: ``beta * spread`` is under ``NOISE``, or fewer than ``TELLING`` of the prompts have poems that differ, and the others only add
  noise to a batch;
- ``learnable``: all else.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlpoet.errors import RlpoetError
from rlpoet.evaluation.target import acceptance
from rlpoet.text import write_atomically
from rlpoet.types import Prompt

NOISE = 1.0  # nats
TELLING = 0.25  # share of prompts whose poems differ
ENOUGH = 32  # poems; if all are alike, others are rarer than one in ten (the rule of three)
SAME = 1e-6  # of two rewards
CHEAP = 0.05  # acceptance from which rejection is the better tool: 20 draws a poem
VERDICTS = ("learnable", "slow", "dead", "unknown")


@dataclass(frozen=True)
class Learnability:
    """What poems of the prior say of a set of prompts.

    Attributes:
        form, author: which prompts; None for all of them.
        poems, groups: poems, and prompts they were drawn for.
        mean, best: reward.
        spread: deviation of the reward within a prompt, pooled over prompts.
        signal: ``beta * spread``, nats.
        alike: share of prompts whose poems all earn the same.
        earning: share of poems that earn anything.
        verdict: ``learnable``, ``slow``, ``dead`` or ``unknown``.
        why: the verdict in words, with its numbers.
        acceptance: share of the poems that exact rejection keeps as samples of the target.
    """

    form: str | None
    author: str | None
    poems: int
    groups: int
    mean: float
    best: float
    spread: float
    signal: float
    alike: float
    earning: float
    verdict: str
    why: str
    acceptance: float

    @property
    def learnable(self) -> bool:
        return self.verdict != "dead"


def preflight(prompts: Sequence[Prompt], scores: Sequence[float | None], *, beta: float, group_size: int) -> list[Learnability]:
    """Judge all prompts, each form, and each form and author, in this order.

    Args:
        prompts: one a poem, those of a group next to each other.
        scores: total reward of each poem; None, which the trainers take for 0, as well.
        beta: strength of the reward in the training to come.
        group_size: poems drawn for each prompt.

    Returns:
        First the row of all prompts; then the forms in the order they came; then each form with each author.

    >>> rows = preflight([Prompt("fr", "couplet")] * 64, [0.0] * 64, beta=20.0, group_size=4)
    >>> rows[0].verdict, rows[0].why
    ('dead', 'no poem of 64 earns anything')
    """
    everything: list[tuple[Prompt, list[float]]] = []
    for at in range(0, len(prompts) - len(prompts) % group_size, group_size):
        own = [0.0 if score is None else float(score) for score in scores[at : at + group_size]]
        everything.append((prompts[at], own))
    forms, pairs = defaultdict(list), defaultdict(list)
    for prompt, own in everything:
        forms[prompt.form].append(own)
        pairs[prompt.form, prompt.author].append(own)
    rows = [judge([own for _, own in everything], beta=beta)] if everything else []
    rows += [judge(groups, beta=beta, form=form) for form, groups in forms.items()]
    return rows + [judge(groups, beta=beta, form=form, author=author or "") for (form, author), groups in pairs.items()]


def judge(groups: Sequence[Sequence[float]], *, beta: float, form: str | None = None, author: str | None = None) -> Learnability:
    """The verdict on one set of prompts.

    Args:
        groups: rewards of the poems of each prompt, two or more each.
        author: ``""`` for prompts that name none.
    """
    rewards = [reward for own in groups for reward in own]
    mean, n = sum(rewards) / len(rewards), len(rewards)
    spread = math.sqrt(sum(_variance(own) for own in groups) / len(groups))
    alike = sum(max(own) - min(own) < SAME for own in groups) / len(groups)
    earning = sum(reward > 0 for reward in rewards) / n
    verdict, why = "learnable", f"rewards of one prompt differ by {spread:.3f}, {beta * spread:.1f} nats at beta {beta:g}"
    if alike == 1.0:
        verdict = "dead" if n >= ENOUGH else "unknown"
        if max(rewards) < SAME:
            why = f"no poem of {n} earns anything"
        elif min(rewards) > 1 - SAME:
            why = f"all {n} poems earn everything"
        else:
            why = f"poems of one prompt earn alike, {n} poems"
        why += "" if verdict == "dead" else f", too few to tell: {ENOUGH} would do"
    elif 1 - alike < TELLING:
        verdict, why = "slow", f"for {alike:.0%} of the prompts all poems earn the same; {earning:.0%} of the poems earn anything"
    elif beta * spread < NOISE:
        verdict, why = "slow", f"rewards of one prompt differ by {spread:.3f}, {beta * spread:.2f} nats at beta {beta:g}, less than noise"
    accepted = acceptance(np.array(rewards), beta)
    return Learnability(form, author, n, len(groups), mean, max(rewards), spread, beta * spread, alike, earning, verdict, why, accepted)


def all_dead(rows: Iterable[Learnability]) -> bool:
    """Whether no form can be learned: there is nothing to train on."""
    forms = [row for row in rows if row.form is not None and row.author is None]
    return bool(forms) and all(row.verdict == "dead" for row in forms)


def nothing_earned(rows: Sequence[Learnability]) -> bool:
    """Whether no poem of any form earns anything, however few they are."""
    return bool(rows) and all(row.best < SAME for row in rows)


def warnings(rows: Iterable[Learnability]) -> list[str]:
    """One line for each form that will not learn well or cannot be judged, and one for authors that stand out from their form."""
    rows = list(rows)
    told = {row.form: row.verdict for row in rows if row.author is None and row.form is not None}
    lines = [f"{row.form}: {row.verdict}: {row.why}" for row in rows if row.form and row.author is None and row.verdict != "learnable"]
    for form, verdict in told.items():
        worse = [row for row in rows if row.form == form and row.author is not None and row.verdict == "dead" != verdict]
        if worse:
            lines.append(f"{form}: dead for {', '.join(row.author or 'no author' for row in worse)}")
    return lines


def advice(rows: Iterable[Learnability], *, beta: float) -> str:
    """What to try, by what is wrong."""
    bad = [row for row in rows if row.form is not None and row.author is None and row.verdict in ("slow", "dead")]
    if not bad:
        return ""
    if any(row.best < SAME for row in bad):
        return "Try a shorter form, a reward that grades (meter, or partial rhyme), a longer trained policy, or --tb.explore rhyme."
    if all(row.mean > 1 - SAME for row in bad):
        return "The policy does all that is asked: ask for more, or stop."
    if any(1 - row.alike < TELLING for row in bad):
        return "Try a larger --group_size, a reward that grades (meter, or partial rhyme), a shorter form, or --tb.explore resample."
    return (
        f"Try --beta {math.ceil(max(beta * NOISE / row.signal for row in bad))}, or a reward that tells good poems further from bad ones."
    )


def rejection(rows: Iterable[Learnability], *, seconds: float) -> list[str]:
    """Which forms need no training to get poems of the target, and which do: one line per form.

    Exact rejection draws poems of the prior and keeps each with probability ``exp(beta (r - 1))``. What it keeps has the distribution that
    training only comes near to.

    Args:
        seconds: to draw a poem.
    """
    lines = []
    for row in rows:
        if row.form is None or row.author is not None:
            continue
        share = f"{row.form}: the target keeps {row.acceptance:.{0 if row.acceptance >= 0.1 else 2}%} of the prior's poems"
        if row.acceptance >= CHEAP:
            draws = 1 / row.acceptance
            lines.append(
                f"{share}, {draws:.1f} draws a poem, {1000 * draws * seconds:.0f} ms here. Rejection is the better tool for single poems: "
                "it is exact, and training takes minutes and only comes near."
            )
        else:
            lines.append(f"{share}: too few for rejection, expected {CHEAP:.0%} or more.")
    return lines


def summary(rows: Sequence[Learnability]) -> Mapping[str, object]:
    """The rows as plain tables, for ``preflight.json`` and machines."""
    return {"rows": [{key: value for key, value in vars(row).items() if value is not None} for row in rows]}


def report_learnability(
    folder: Path, prompts: Sequence[Prompt], scores: Sequence[float | None], *, beta: float, group_size: int
) -> list[str]:
    """What to say before a run from the poems of its prior; all of it goes into ``preflight.json`` of the run's folder.

    Raises:
        RlpoetError: nothing will be learned.
    """
    rows = preflight(prompts, scores, beta=beta, group_size=group_size)
    write_atomically(folder / "preflight.json", json.dumps(summary(rows), ensure_ascii=False, indent=1))
    told = warnings(rows)
    if all_dead(rows):
        raise RlpoetError(
            f"pre-flight: nothing to learn from: {'; '.join(told)}; expected poems of one prompt to differ in reward. "
            f"{advice(rows, beta=beta)} To train all the same: rlpoet train --resume {folder}"
        )
    if nothing_earned(rows):
        told.append(f"no poem earns anything, of {rows[0].poems} drawn: there is nothing to learn from until some do")
    return [*(f"pre-flight: {line}" for line in told), *([advice(rows, beta=beta)] if told else [])]


def _variance(own: Sequence[float]) -> float:
    mean = sum(own) / len(own)
    return sum((x - mean) ** 2 for x in own) / max(len(own) - 1, 1)
