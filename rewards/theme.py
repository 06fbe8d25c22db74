"""Do the lines go together, and are they about what they should be?"""

from __future__ import annotations

from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.analysis.coherence import ThemeModel, theme_model
from rlpoet.types import Explained, LineScore, Prompt

ODD = 0.15  # a line that fewer lines of shuffled stanzas than this fit worse is told to be out of place


class Theme:
    """How well the lines go together, and how near they are to given words.

    Without ``words`` the score is ``ThemeModel.coherence``: about the share of stanzas shuffled across poems whose lines go together
    less well. With them it is ``coherence * that + (1 - coherence) * ThemeModel.closeness``, the latter being the share of human
    stanzas that are less near to the words. Every word counts once, where it comes first; words the model does not know, and words
    said before, cost. End words are not compared with each other, so rhyme earns nothing. Any number of lines but the form's scores 0.

    None where nothing is asked for: ``coherence`` is 0 and the language's model knows none of ``words``; and in languages that
    have no model.

    Args:
        words: theme words, or one text of them parted by blanks or commas.
        coherence: share of coherence in the score where there are words, in [0, 1]; without words all that matters is whether it is 0.

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
        """What each line adds; sums to the score. One number a line written.

        The first k lines are worth their own score times k / n, so the number at a line depends on nothing below it; a line that does
        not fit those above it may cost more than it brings.
        """
        form, lines, complete = read(prompt, text)
        model = theme_model(prompt.lang)
        if model is None or not complete:
            return [0.0] * len(lines)
        reached = [self._of(model, lines[:n]) for n in range(1, len(lines) + 1)]
        cumulative = [0.0 if score is None else score * n / form.n_lines for n, score in enumerate(reached, start=1)]
        return [now - before for before, now in zip([0.0, *cumulative], cumulative, strict=False)]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For every line the words that tie it to the others most; its number is what `line_shares` gives it."""
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
