"""``rlpoet completion``: the Tab key of a shell."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from rlpoet.config.command import Command


@dataclass(frozen=True)
class CompletionConfig:
    """Print the shell code that completes verbs, options, languages, forms and files of rlpoet. Needs the extra completion.

    For bash and zsh put `eval "$(rlpoet completion bash)"` (or zsh) into ~/.bashrc (or ~/.zshrc). For fish run
    `rlpoet completion fish > ~/.config/fish/completions/rlpoet.fish` once.

    Attributes:
        shell: bash, zsh or fish.
    """

    shell: Literal["bash", "zsh", "fish"]


def run(config: CompletionConfig) -> int:
    from rlpoet.cli.completion import script

    sys.stdout.write(script(config.shell) + "\n")
    return 0


COMMAND = Command("completion", "completion by the Tab key, for bash, zsh and fish", CompletionConfig, run, positional=("shell",))
