"""``rlpoet env``: what a bug report needs."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class EnvConfig:
    """Print versions, threads, devices, languages and the policies that are installed."""


def run(config: EnvConfig) -> int:
    from rlpoet.reporting.environment import environment
    from rlpoet.reporting.terminal import write_plain

    write_plain("".join(f"{name:<18} {value}\n" for name, value in environment()))
    return 0


COMMAND = Command("env", "versions, threads, devices and policies, for bug reports", EnvConfig, run)
