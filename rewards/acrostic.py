"""The reward for an acrostic: whether the first letters of the lines spell a word."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.types import Explained, LineScore, Prompt

LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ß": "ss"})


class Acrostic:
    """Share of the word's letters that begin their line.

    The first line begins with the first letter, and so on; lines beyond the word are free. Accents, case, and signs before the first
    letter (quotes, dashes) do not matter. A text with another number of lines than its form scores 0. None without a word, and if the
    form has fewer lines than the word has letters.

    Args:
        word: the word that the lines must spell; signs and spaces in it are ignored.

    Raises:
        ValueError: a word without letters.
    """

    name = "acrostic"

    def __init__(self, *, word: str = "") -> None:
        self.word, self.letters = word, _letters(word)
        if word and not self.letters:
            raise ValueError(f"word is {word!r}; expected letters")

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: one number per line written; the sum is the score."""
        form, lines, complete = read(prompt, text)
        if not complete or not 0 < len(self.letters) <= form.n_lines:
            return [0.0] * len(lines)
        return [right / len(self.letters) for right in self._right(lines)]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The first letter of each line and the required one."""
        form, lines, complete = read(prompt, text)
        if not 0 < len(self.letters) <= form.n_lines:
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        rows = []
        for line, wanted in zip(lines, self.letters.ljust(len(lines)), strict=True):
            initial = _letters(line)[:1]
            free = LineScore(line, None, "")
            rows.append(LineScore(line, float(initial == wanted), f"{initial or 'nothing'!r} for {wanted!r}") if wanted != " " else free)
        return Explained(self.name, self._score(prompt, text), tuple(rows))

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = read(prompt, text)
        if not 0 < len(self.letters) <= form.n_lines:
            return None
        return sum(self._right(lines)) / len(self.letters) if complete else 0.0

    def _right(self, lines: Sequence[str]) -> list[bool]:
        """Whether each line begins with its letter; False for lines beyond the word."""
        return [_letters(line)[:1] == wanted for line, wanted in zip(lines, self.letters.ljust(len(lines)), strict=True)]


def _letters(text: str) -> str:
    """The letters of a text in lower case, without accents.

    >>> _letters("« Été ! »"), _letters("Œil")
    ('ete', 'oeil')
    """
    decomposed = unicodedata.normalize("NFD", text.casefold().translate(LIGATURES))
    return "".join(character for character in decomposed if character.isalpha())
