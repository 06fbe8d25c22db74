"""Show a poem while it is written, one whole line at a time: a line written backwards cannot be shown word by word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from policies.causal_lm import CausalPolicy
from rlpoet.text import visible
from rlpoet.types import Prompt


class LineStream:
    """Prints each line as soon as the policy has finished it."""

    def __init__(self, policy: CausalPolicy, out: TextIO) -> None:
        self.policy, self.out = policy, out
        self.tokens: list[int] = []
        self.shown = 0

    def begin(self, prompt: Prompt) -> Callable[[int, int], None]:
        """Start a poem; pass the returned callable to ``sample`` as ``watch``."""
        self.tokens, self.shown = self.policy.start_ids(prompt), 0
        self._show(final=False)
        return self._watch

    def end(self) -> None:
        """End a poem: print its remaining lines."""
        self._show(final=True)

    def _watch(self, row: int, token: int) -> None:
        self.tokens.append(token)
        if self.policy.ends_line(token):
            self._show(final=False)

    def _show(self, *, final: bool) -> None:
        lines = self.policy.read(self.tokens).split("\n")
        ready = lines if final else lines[:-1]  # the last one is still being written
        for line in ready[self.shown :]:
            self.out.write(visible(line, keep="\t") + "\n")
        self.shown = max(self.shown, len(ready))
        self.out.flush()
