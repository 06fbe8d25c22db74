"""What ``rlpoet preflight`` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rlpoet.config.opening import AskingOptions, OpeningOptions
from rlpoet.config.ranges import NonNegative, Seed
from rlpoet.training.config import DEFAULT_OPTIONS, DEFAULT_REWARDS, EARLIER_REWARD_OPTIONS
from rlpoet.training.time_limit import SECONDS


@dataclass(frozen=True)
class PreflightConfig(OpeningOptions, AskingOptions):
    """Say which prompts the rewards can teach a policy, before anything is trained.

    Draws poems and measures how the poems of one prompt differ in reward. If all earn the same, no trainer can learn from them. Exit code 1
    if no form can be learned.

    Attributes:
        policy: a shipped policy by its language, or the folder of one or of a run.
        policy_class: class that opens it, by the name a package registered it under; by default the one its folder names, or causal-lm.
        lang: language that a plain model should write in; a policy with marks of its own keeps its language.
        forms: the forms to try.
        authors: authors to imitate; by default the policy's commonest, and none.
        rewards: weight of each reward.
        reward_options: keyword arguments of rewards, by name.
        compose: how several rewards become one: weighted-mean, or product.
        gates: rewards that earn only where another one scores enough, such as {meter: {if: rhyme, at_least: 1}}.
        reward_timeout: seconds that one call of a reward may take; 0 means no limit.
        beta: strength of the reward in the training to come.
        prompts: prompts to try, drawn evenly over forms and authors.
        group_size: poems a prompt.
        seed: of sampling and prompts.
        threads: processor threads, 0 for all cores.
        json: one JSON object instead of tables, for machines.
    """

    EARLIER = EARLIER_REWARD_OPTIONS

    policy: str = "fr"
    policy_class: str | None = None
    lang: str | None = None
    forms: tuple[str, ...] = ("quatrain-abab", "quatrain-abba")
    authors: tuple[str, ...] = ()
    rewards: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_REWARDS))
    reward_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(default_factory=lambda: dict(DEFAULT_OPTIONS))
    compose: str = "weighted-mean"
    gates: Mapping[str, Mapping[str, float | str]] = field(default_factory=dict)
    reward_timeout: NonNegative = SECONDS
    beta: float = 30.0
    prompts: int = 80
    group_size: int = 8
    seed: Seed = 0
    threads: int = 0
    json: bool = False
