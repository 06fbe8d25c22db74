"""``rlpoet redteam``: how rewards can be cheated, your own too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError
from rlpoet.training.config import EARLIER_REWARD_OPTIONS


@dataclass(frozen=True)
class RedteamConfig:
    """Try every known attack on rewards: how much of a human poem's score does the attacked poem keep?

    Prints a Markdown table. closed: the attack costs a tenth of the score or more. open: it costs less, so that another reward has to close
    it. above: the attacked poem earns more than the human poem, which is a fault of the reward. Exit code 1 if any is above.

    Attributes:
        rewards: names of registered rewards, or MODULE:FUNCTION; all that are registered by default.
        reward_options: keyword arguments of rewards, by name.
    """

    EARLIER = EARLIER_REWARD_OPTIONS

    rewards: tuple[str, ...] = ()
    reward_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(default_factory=dict)


def run(config: RedteamConfig) -> int:
    from rewards.testing.attacks import findings_table, red_team
    from rlpoet import registry
    from rlpoet.reporting.terminal import write_plain
    from rlpoet.training.rewards import made

    names = config.rewards or registry.names("rlpoet.rewards")
    for name in config.reward_options:
        if name not in names:
            raise RlpoetError(f"--reward_options.{name}: not among the rewards tried; expected one of {', '.join(names)}.")
    rewards = [made(name, config.reward_options.get(name, {})) for name in names]
    found = [(reward.name, red_team(reward)) for reward in rewards]
    write_plain(findings_table(found) + "\n")
    return int(any(one.verdict == "above" for _, own in found for one in own))


COMMAND = Command("redteam", "how rewards can be cheated, your own too", RedteamConfig, run, positional=("rewards",))
