"""Change the logits of the next token by what a row already holds: repetition controls and theme words.

Repetition controls are those of transformers. They change only text pieces: marks keep their logits, or a long poem could not end
its lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from policies.decoding.sampler import Decoding


class Theme:
    """Brings words into a poem: raises the logits of their next piece until each word has been written once.

    Args:
        words: token ids of each spelling of each theme word.
        numbers: for each spelling, the number of its theme word.
        strength: nats added to the first piece of a word; later pieces of the word get twice that.
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
    """All controls of a decoding in one callable; ``sample_tokens`` calls it with rows and logits.

    Args:
        marks: ids whose logits stay as they are.
        start: length of each prompt in tokens; the theme ignores the prompt.
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
    """The logits processors of transformers that a decoding needs, in the order of their application."""
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
    """How many of a word's first pieces stand at the end of the row."""
    return next((k for k in range(min(len(word) - 1, len(row)), 0, -1) if row[-k:] == word[:k]), 0)
