"""A reward for poems whose lines have the same number of words."""

from __future__ import annotations

from collections.abc import Sequence

from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Explained, LineScore, Prompt


class EvenLines:
    """The share of lines with as many words as the first."""

    name = "even-lines"

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [sum(self.by_line(prompt, text)) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds; trainers use it to tell lines apart, and may do without. A poem with too few or too many lines earns 0."""
        lines = split_poem(text)
        whole = len(lines) == form(prompt.form, prompt.lang).n_lines
        return [float(len(line.split()) == len(lines[0].split())) / len(lines) if whole else 0.0 for line in lines]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The number of words of each line."""
        lines, gains = split_poem(text), self.by_line(prompt, text)
        rows = [LineScore(line, float(gain > 0), f"{len(line.split())} words") for line, gain in zip(lines, gains, strict=True)]
        return Explained(self.name, sum(gains), tuple(rows))
