"""Change the next token's odds by what a row holds already: repetition controls and words of a theme.

Repetition controls are those of transformers. Only text is touched: marks of a form keep their odds, or a long poem
could not end its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from policies.decoding.sampler import Decoding


class Theme:
    """Calls words into a poem: raises the odds of their next piece until each has been written once.

    Args:
        words: token ids of every wanted word; several spellings of one word share a number.
        numbers: which wanted word each spelling is.
        strength: nats added to the first piece of a word; each piece that goes on with it gets twice that.
    """

    def __init__(self, words: Sequence[Sequence[int]], numbers: Sequence[int], strength: float) -> None:
        self.words, self.numbers, self.strength = [tuple(word) for word in words], list(numbers), strength

    def __call__(self, rows: Sequence[Sequence[int]], logits: Tensor, starts: Sequence[int]) -> Tensor:
        for i, (row, start) in enumerate(zip(rows, starts, strict=True)):
            written = tuple(row[start:])
            used = {n for word, n in zip(self.words, self.numbers, strict=True) if _holds(written, word)}
            for word, n in zip(self.words, self.numbers, strict=True):
                if n in used:
                    continue
                k = _begun(written, word)
                logits[i, word[k]] += self.strength if k == 0 else 2 * self.strength
        return logits


class LogitsProcessor:
    """What ``sample_tokens`` calls with rows and logits: all controls of a decoding together.

    Args:
        marks: ids whose odds stay as they are.
        start: tokens of each prompt, which the theme does not look into.
    """

    def __init__(self, decoding: Decoding, *, marks: Sequence[int], start: int, theme: Theme | None = None) -> None:
        self.processors = repetition_controls(decoding)
        self.marks, self.start, self.theme = torch.tensor(list(marks)), start, theme

    @property
    def idle(self) -> bool:
        return not self.processors and self.theme is None

    def __call__(self, rows: list[list[int]], logits: Tensor) -> Tensor:
        marks = self.marks.to(logits.device)
        mark_logits = logits[:, marks].clone()
        for i, row in enumerate(rows if self.processors else []):  # rows differ in length once prompts do
            ids = torch.tensor([row], device=logits.device)
            for control in self.processors:
                logits[i : i + 1] = control(ids, logits[i : i + 1])
        if self.theme is not None:
            logits = self.theme(rows, logits, [self.start] * len(rows))
        logits[:, marks] = mark_logits
        return logits


def repetition_controls(decoding: Decoding) -> list[Any]:
    """The logits processors of transformers that a decoding asks for, in the order in which they are applied."""
    if decoding.repetition_penalty == 1.0 and not decoding.no_repeat_ngram:
        return []  # without the import: it takes longer than writing a poem
    from transformers import NoRepeatNGramLogitsProcessor, RepetitionPenaltyLogitsProcessor

    processors: list[Any] = []
    if decoding.repetition_penalty != 1.0:
        processors.append(RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty))
    if decoding.no_repeat_ngram:
        processors.append(NoRepeatNGramLogitsProcessor(decoding.no_repeat_ngram))
    return processors


def _holds(row: tuple[int, ...], word: tuple[int, ...]) -> bool:
    return any(row[i : i + len(word)] == word for i in range(len(row) - len(word) + 1))


def _begun(row: tuple[int, ...], word: tuple[int, ...]) -> int:
    """How many pieces of a word the row ends with."""
    return next((k for k in range(min(len(word) - 1, len(row)), 0, -1) if row[-k:] == word[:k]), 0)
