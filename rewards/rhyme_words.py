"""The reward for given end words, as in bouts-rimés."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.prosody.ending import end_of
from rlpoet.types import Explained, Form, LineScore, Prompt


class RhymeWords:
    """Share of the given words that end a line in a rhyme position.

    Each word counts once, however many lines it ends; the order is free. A compound counts as its last part, as in ``rhyme``, so another
    spelling gains nothing. It does not test that the words rhyme; ``rhyme`` does. A text with another number of lines than its form
    scores 0. None without words, and if the form has fewer rhymed lines than there are words.

    Args:
        words: the words, separated by spaces or commas.

    Raises:
        ValueError: one word twice.
    """

    name = "rhyme_words"
    end_words_decide = True

    def __init__(self, *, words: str = "") -> None:
        self.words = tuple(re.findall(r"[^\s,;]+", words.casefold()))
        twice = sorted({word for word in self.words if self.words.count(word) > 1})
        if twice:
            raise ValueError(f"words holds {twice[0]!r} twice; expected each word once")

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: the first line that ends in a word earns it. One number per line written."""
        form, lines, complete = read(prompt, text)
        if not complete or not self._asks(form):
            return [0.0] * len(lines)
        return [bool(word) / len(self.words) for word in self._served(form, lines)]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The given word that ends each line, and those that are missing."""
        form, lines, complete = read(prompt, text)
        if not self._asks(form):
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        served = self._served(form, lines)
        missing = ", ".join(word for word, stem in self._stems(form) if stem not in served)
        rows = tuple(
            LineScore(line, float(bool(word)), f"ends with {word!r}" if word else f"still wanted: {missing}" if missing else "")
            for line, word in zip(lines, served, strict=True)
        )
        return Explained(self.name, self._score(prompt, text), rows)

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = read(prompt, text)
        if not self._asks(form):
            return None
        return sum(map(bool, self._served(form, lines))) / len(self.words) if complete else 0.0

    def _asks(self, form: Form) -> bool:
        return 0 < len(self.words) <= sum(letter != "x" for letter in form.letters)

    def _stems(self, form: Form) -> list[tuple[str, str]]:
        """The given words, each with the stem that must end a line."""
        return [(word, end_of(word, form.lang).stem) for word in self.words]

    def _served(self, form: Form, lines: Sequence[str]) -> list[str]:
        """For each line the given word that it is the first to end in, or empty."""
        wanted = {stem for _, stem in self._stems(form)}
        served: list[str] = []
        for line, letter in zip(lines, form.letters, strict=True):
            end = end_of(line, form.lang).stem
            served.append(end if end and end in wanted and end not in served and letter != "x" else "")
        return served
