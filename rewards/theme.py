"""The reward for theme: whether the lines fit together, and how close they are to given words."""

from __future__ import annotations

from collections.abc import Sequence

from rewards.lines import explain_miscount, gains_of, read
from rlpoet.analysis.coherence import ThemeModel, theme_model
from rlpoet.types import Explained, LineScore, Prompt

ODD = 0.15  # a line that fewer lines of shuffled stanzas than this fit worse is told to be out of place


class Theme:
    """How well the lines fit together, and how close they are to given words.

    Without ``words`` the score is ``ThemeModel.coherence``: about the share of stanzas shuffled across poems whose lines fit together
    less well. With ``words`` it is ``coherence * that + (1 - coherence) * ThemeModel.closeness``; closeness is the share of human stanzas
    that are less close to the words. Each word counts once, at its first occurrence. Unknown and repeated words lower the score. End words
    are not compared with each other, so rhyme earns nothing. A text with another number of lines than its form scores 0.

    None in languages without a model, and if ``coherence`` is 0 and the model knows none of ``words``.

    Args:
        words: theme words, or one text of them separated by spaces or commas.
        coherence: share of coherence in the score, in [0, 1], if there are words; without words it only matters whether it is 0.

    Raises:
        ValueError: ``coherence`` is outside [0, 1].
    """

    name = "theme"

    def __init__(self, *, words: Sequence[str] = (), coherence: float = 0.5) -> None:
        if not 0.0 <= coherence <= 1.0:
            raise ValueError(f"coherence is {coherence}; expected a share in [0, 1]")
        self.words = tuple(words.replace(",", " ").split() if isinstance(words, str) else words)
        self.coherence = coherence

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: one number per line written; the sum is the score.

        The first k lines have their own score times k / n, so the number of a line does not depend on later lines. It is negative for a
        line that does not fit those above it.
        """
        form, lines, complete = read(prompt, text)
        model = theme_model(prompt.lang)
        if model is None or not complete:
            return [0.0] * len(lines)
        reached = [self._of(model, lines[:n]) for n in range(1, len(lines) + 1)]
        cumulative = [0.0 if score is None else score * n / form.n_lines for n, score in enumerate(reached, start=1)]
        return gains_of(cumulative)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For each line the words that connect it most with the others; its number is that of ``ThemeModel.line_shares``."""
        form, lines, complete = read(prompt, text)
        model = theme_model(prompt.lang)
        score = self._score(prompt, text)
        if model is None or score is None:
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        stanza = model.stanza_words(lines)
        shares = model.line_shares(lines)
        rows = []
        for n, (line, share) in enumerate(zip(lines, shares, strict=True)):
            tie = model.tie(stanza, n)
            if not stanza.lines[n]:
                reason = "says nothing new in words the model knows"
            elif share < ODD:
                reason = "has little to do with the other lines"
            else:
                reason = f"{tie[0]} goes with {tie[1]}" if tie else ""
            rows.append(LineScore(line, share, reason))
        return Explained(self.name, score, tuple(rows))

    def _score(self, prompt: Prompt, text: str) -> float | None:
        _, lines, complete = read(prompt, text)
        model = theme_model(prompt.lang)
        if model is None or not self._asks(model):
            return None
        return self._of(model, lines) if complete else 0.0

    def _asks(self, model: ThemeModel) -> bool:
        return self.coherence > 0 or bool(model.known(self.words))

    def _of(self, model: ThemeModel, lines: Sequence[str]) -> float | None:
        near = model.closeness(lines, self.words) if self.coherence < 1 and self.words else None
        if near is None:
            return model.coherence(lines) if self.coherence > 0 else None
        return self.coherence * model.coherence(lines) + (1 - self.coherence) * near
