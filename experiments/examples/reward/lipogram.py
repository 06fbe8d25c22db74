"""Does the verse do without a letter?"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.types import Explained, LineScore, Prompt


class Lipogram:
    """Share of lines without a letter.

    Accents and case make no difference. A line without any letter earns nothing, and so does a poem with any number of lines but the
    form's. Never None.

    Args:
        letter: the one to avoid.

    Raises:
        ValueError: not one letter.
    """

    name = "lipogram"

    def __init__(self, *, letter: str = "e") -> None:
        if len(letter) != 1 or not letter.isalpha():
            raise ValueError(f"letter is {letter!r}; expected one letter")
        self.letter = bare(letter)

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [sum(self.by_line(prompt, text)) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds; trainers use it to tell lines apart, and may do without."""
        asked, lines, complete = read(prompt, text)
        return [self._free(line) / asked.n_lines if complete else 0.0 for line in lines]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The words that hold the letter, line by line."""
        asked, lines, complete = read(prompt, text)
        if not complete:
            return explain_miscount(self.name, asked, lines)
        rows = [LineScore(line, float(self._free(line)), self._reason(line)) for line in lines]
        return Explained(self.name, self.score([prompt], [text])[0], tuple(rows))

    def _free(self, line: str) -> bool:
        letters = [character for character in bare(line) if character.isalpha()]
        return bool(letters) and self.letter not in letters

    def _reason(self, line: str) -> str:
        found = [word for word in line.split() if self.letter in bare(word)]
        return f"{self.letter!r} in {', '.join(found)}" if found else ""


def bare(text: str) -> str:
    """Lower case, without accents.

    >>> bare("ÉTÉ")
    'ete'
    """
    return "".join(c for c in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(c))
