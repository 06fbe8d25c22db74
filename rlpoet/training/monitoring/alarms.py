"""Alarms: what the metrics of a run say when a reward is dead, a policy collapses or a reward is gamed.

Every rule compares the mean of the last ``WINDOW`` steps with the mean of the first ``START``, which the prior nearly wrote. It
speaks when a limit is passed *and* the difference is ``SURE`` standard errors of the two means, so that small batches do not cry
wolf. Each alarm is told once a run. The limits were set on recorded runs, healthy ones and runs known to be broken;
docs/training.md lists them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

START, WINDOW, LONG, BRIEF = 8, 8, 20, 4  # steps: of the reference, of the present, of what moves slowly, of what moves fast
SURE, FAIRLY_SURE = 4.0, 2.5  # standard errors
ALIKE = 0.9  # share of prompts whose poems all earn the same
PAYABLE = 6.0  # nats from the prior that no alarm is raised for, however little reward is left to gain
ENTROPY_LEFT, LENGTH_LEFT, END_WORDS_LEFT = 0.5, 0.7, 0.7  # shares of what the prior had
WORSE_PROSE = 0.10  # rise of the prior's nats per token
REPEATED = 0.10  # further share of texts or lines
UNFINISHED = 0.2  # share of texts that no longer end by themselves
CLIPPED, RATIO, STEP_KL = 0.3, 50.0, 0.1  # of ppo's updates
BLIND = -0.05  # explained variance
BELOW = -1.0  # nats a text

Row = Mapping[str, float | None]


@dataclass(frozen=True)
class Alarm:
    """Something that looks wrong.

    Attributes:
        name: which alarm; one of ``NAMES``.
        step: when it was raised.
        seen: what was seen, with its numbers.
        advice: what to try.
    """

    name: str
    step: int
    seen: str
    advice: str

    @property
    def markdown(self) -> str:
        return f"**{self.name}** (step {self.step}): {self.seen}. {self.advice}"


@dataclass(frozen=True)
class Change:
    """Of a metric, from the first steps to the last ones: both means, their difference, and its standard error."""

    then: float
    now: float
    error: float

    @property
    def by(self) -> float:
        return self.now - self.then

    def rose(self, more_than: float, sure: float = SURE) -> bool:
        """Whether it is up by more than so much, and surely up."""
        return self.by > more_than and self.by > sure * self.error

    def fell(self, share_left: float) -> bool:
        """Whether less than this share is left, and it is surely down."""
        return self.now < share_left * self.then and -self.by > SURE * self.error


@dataclass
class History:
    """The first steps of a run and the last ones.

    Attributes:
        beta: of the target, where a row does not say it.
        learned: whether log Z is learned; a group's estimate cannot be off.
    """

    beta: float
    learned: bool = False
    first: list[Row] = field(default_factory=list)
    last: deque[Row] = field(default_factory=lambda: deque(maxlen=LONG))
    n: int = 0

    def add(self, row: Row) -> None:
        if len(self.first) < START:
            self.first.append(row)
        self.last.append(row)
        self.n += 1

    def values(self, key: str, window: int) -> list[float]:
        """Of the last steps; nothing if the run is shorter or a step did not measure it."""
        rows = list(self.last)[-window:]
        found = [value for row in rows if (value := row.get(key)) is not None]
        return found if len(found) == window else []

    def now(self, key: str, window: int = WINDOW) -> float | None:
        values = self.values(key, window)
        return sum(values) / window if values else None

    def change(self, key: str, start: int = START, window: int = WINDOW) -> Change | None:
        """From the first so many steps to the last so many; None until the two are apart."""
        then = [value for row in self.first[:start] if (value := row.get(key)) is not None]
        now = self.values(key, window)
        if self.n < start + window or len(then) < start or not now:
            return None
        # the larger deviation for both: that of a few steps may be small by chance
        spread = math.sqrt(max(_variance(then), _variance(now)))
        return Change(sum(then) / start, sum(now) / window, spread * math.sqrt(1 / start + 1 / window))


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((x - mean) ** 2 for x in values) / (len(values) - 1)


# -- rules: what was seen, or None ------------------------------------------------------------------


def reward_dead(run: History) -> str | None:
    alike, reward = run.now("frac_reward_zero_std"), run.now("reward/mean")
    if alike is None or reward is None or alike < ALIKE:
        return None
    what = "no poem earns anything" if reward < 0.005 else "every poem earns all" if reward > 0.995 else "poems earn alike"
    return f"{what}: for {alike:.0%} of the prompts all poems have one reward, over {WINDOW} steps (mean {reward:.3f})"


def log_z_stuck(run: History) -> str | None:
    log_z, loss, spread = (run.values(f"gfn/{key}", LONG) for key in ("log_z", "loss", "var_residual"))
    if not log_z or not loss or not spread or len(set(run.values("gfn/beta", LONG))) > 1:
        return None
    if max(log_z) - min(log_z) < 1e-6:
        return f"gfn/log_z has been {log_z[-1]:.4g} for {LONG} steps"
    # what the loss has beyond the spread of the residuals is the square of their mean: how far off log Z is
    off = [math.sqrt(max(a - b, 0.0)) for a, b in zip(loss, spread, strict=True)]
    half = LONG // 2
    early, late = sum(off[:half]) / half, sum(off[half:]) / (LONG - half)
    if run.learned and late > max(1.0, math.sqrt(sum(spread) / LONG)) and late > 0.9 * early:
        return f"the learned log Z is {late:.1f} nats off, {early:.1f} before, and gets no nearer (gfn/loss {sum(loss) / LONG:.3g})"
    return None


def kl_runaway(run: History) -> str | None:
    # the prior is known exactly, its KL is 0: what runs away at once is seen before there are two windows to compare
    early = run.n < START + WINDOW
    kl, reward = (run.change(key, BRIEF // 2, BRIEF) if early else run.change(key) for key in ("objective/kl", "reward/mean"))
    if kl is None or reward is None:
        return None
    beta = _beta(run)
    left, gain = beta * (1 - reward.then), beta * reward.by
    deficit = Change(0.0, kl.by - gain, math.hypot(kl.error, beta * reward.error))
    if not deficit.rose(max(left, PAYABLE), FAIRLY_SURE if early else SURE):
        return None
    return (
        f"objective/kl rose by {kl.by:.1f} nats and the reward by {reward.by:+.3f}, worth {gain:.1f} at beta {beta:.3g}; "
        f"all the reward still to be had was worth {left:.1f}"
    )


def negative_kl(run: History) -> str | None:
    values = run.values("objective/kl", WINDOW)
    mean = sum(values) / WINDOW if values else 0.0
    if mean > BELOW or mean > -SURE * math.sqrt(_variance(values) / WINDOW):
        return None
    return f"objective/kl is {mean:.1f} nats over {WINDOW} steps, which no divergence of a policy's own texts is"


def _beta(run: History) -> float:
    row = run.last[-1]
    if (beta := row.get("gfn/beta")) is not None:
        return beta
    alpha = row.get("ppo/kl_coefficient") or row.get("trl/kl_coefficient")
    return 1 / alpha if alpha else run.beta


def low_entropy(run: History) -> str | None:
    found = run.change("objective/entropy_per_token")
    if found is None or not found.fell(ENTROPY_LEFT):
        return None
    return f"objective/entropy_per_token fell from {found.then:.2f} to {found.now:.2f} nats"


def few_end_words(run: History) -> str | None:
    found = run.change("samples/distinct_end_words")
    if found is None or not found.fell(END_WORDS_LEFT):
        return None
    return f"samples/distinct_end_words fell from {found.then:.3f} to {found.now:.3f}"


def worse_prose(run: History) -> str | None:
    nats, reward = run.change("objective/prior_nll_per_token"), run.change("reward/mean")
    if nats is None or reward is None or not nats.rose(WORSE_PROSE * nats.then) or not reward.rose(0.0):
        return None
    return (
        f"the reward rose from {reward.then:.3f} to {reward.now:.3f} while the prior finds the poems {nats.by / nats.then:.0%} stranger "
        f"({nats.then:.2f} to {nats.now:.2f} nats per token)"
    )


def short_texts(run: History) -> str | None:
    found = run.change("samples/tokens")
    return f"samples/tokens fell from {found.then:.1f} to {found.now:.1f} a poem" if found and found.fell(LENGTH_LEFT) else None


def unfinished_texts(run: History) -> str | None:
    found = run.change("samples/ended")
    if found is None or not found.fell(1 - UNFINISHED):
        return None
    return f"samples/ended fell from {found.then:.2f} to {found.now:.2f}: poems run on until they are cut off"


def same_texts(run: History) -> str | None:
    for key, what in (("samples/duplicate_texts", "poems"), ("samples/duplicate_lines", "lines")):
        found = run.change(key)
        if found is not None and found.rose(REPEATED):
            return f"{found.now:.0%} of the {what} of a step repeat another of them, {found.then:.0%} at first"
    return None


def ppo_steps(run: History) -> str | None:
    for key, limit in (("ppo/clipfrac", CLIPPED), ("ppo/ratio_max", RATIO), ("ppo/approx_kl_last", STEP_KL)):
        found = run.now(key)
        if found is not None and found > limit:
            return f"{key} is {found:.3g} over {WINDOW} steps, more than {limit:g}"
    return None


def ppo_critic(run: History) -> str | None:
    found = run.now("ppo/explained_variance", LONG)
    if found is None or run.n < START + LONG or found > BLIND:
        return None
    return f"ppo/explained_variance is {found:.2f} over {LONG} steps: the critic is worse than a constant"


RULES: Mapping[str, tuple[Callable[[History], str | None], str]] = {
    "reward-dead": (
        reward_dead,
        "rlpoet preflight says which prompts can be learned; try a shorter form, a graded reward, or more poems a prompt (--group_size).",
    ),
    "log-z-stuck": (log_z_stuck, "Try --tb.log_z vargrad, which needs not learn it, or a higher --learning_rate."),
    "kl-runaway": (
        kl_runaway,
        "The policy drifts more than it gains. Try a lower --learning_rate, larger batches (--prompts_per_step), or a higher --beta.",
    ),
    "negative-kl": (
        negative_kl,
        "Texts are scored otherwise than they are drawn. The penalty then pays for odds on what could not be drawn. See Policy.masked.",
    ),
    "low-entropy": (low_entropy, "The policy writes ever the same. Try a lower --beta or --learning_rate; read the samples of the report."),
    "few-end-words": (
        few_end_words,
        "The policy rhymes with ever the same words. Try --rewards.repetition 1, a lower --beta, or more authors and openings.",
    ),
    "worse-prose": (worse_prose, "The reward may be gamed: read the samples. Try a lower --beta or --learning_rate."),
    "short-texts": (short_texts, "The reward may be gamed, or noise drives the policy: read the samples. Try a lower --learning_rate."),
    "unfinished-texts": (unfinished_texts, "The policy unlearns how a poem ends: read the samples. Try a lower --learning_rate."),
    "same-texts": (same_texts, "The reward may be gamed: read the samples. Try --rewards.repetition 1 or a lower --beta."),
    "ppo-steps": (ppo_steps, "Updates are too large to trust. Try a lower --learning_rate, fewer --ppo.epochs, or more --ppo.minibatches."),
    "ppo-critic": (
        ppo_critic,
        "The critic adds noise. Try more --ppo.value_epochs, --ppo.critic model, or --ppo.lam 1, which leans on it least.",
    ),
}
NOT_FINITE = "not-finite"
NAMES = (NOT_FINITE, *RULES)


class Watch:
    """Looks at every step of a run and raises each alarm once.

    Args:
        beta: of the target, for trainers that do not log it.
        learned_log_z: whether log Z is learned, and from fresh texts alone: the residuals of others tell nothing of it.

    >>> watch = Watch(beta=20.0)
    >>> found = [watch(step, {"reward/mean": 0.0, "frac_reward_zero_std": 1.0}) for step in range(1, 20)]
    >>> [alarm.name for alarms in found for alarm in alarms]
    ['reward-dead']
    """

    def __init__(self, *, beta: float, learned_log_z: bool = False) -> None:
        self.history = History(beta, learned_log_z)
        self.raised: list[str] = []

    def __call__(self, step: int, row: Row) -> list[Alarm]:
        """Take a step in, and say what is newly wrong."""
        broken = {key: value for key, value in row.items() if value is not None and not math.isfinite(value)}
        if broken:
            seen = ", ".join(f"{key} is {value}" for key, value in sorted(broken.items()))
            return self._tell(NOT_FINITE, step, seen, "The weights are lost; the last checkpoint is not. Try a lower --learning_rate.")
        self.history.add(row)
        found: list[Alarm] = []
        for name, (rule, advice) in RULES.items():
            what = None if name in self.raised else rule(self.history)
            if what is not None:
                found += self._tell(name, step, what, advice)
        return found

    def replay(self, rows: Sequence[Row]) -> None:
        """Take in the steps of a run that goes on; what they would have raised has been told."""
        for row in rows:
            self(int(row.get("step") or 0), {key: value for key, value in row.items() if key != "step"})

    def _tell(self, name: str, step: int, seen: str, advice: str) -> list[Alarm]:
        if name in self.raised:
            return []
        self.raised.append(name)
        return [Alarm(name, step, seen, advice)]
