"""Masks identical rhymes: words that a line may not end in, for policies that write each line from its end.

A word does not rhyme with itself (``rlpoet.prosody``). Tiny policies repeat words all the same, since the likeliest word of a sound
is the one just used. The mask covers the piece that would complete such a word, and so also longer words that begin with it.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SPACE = "▁"


def comparable(word: str) -> str:
    """The form in which words are compared: lower-case letters only, after the last apostrophe."""
    word = word.lower().replace("’", "'").rpartition("'")[2]
    return "".join(c for c in unicodedata.normalize("NFC", word) if c.isalpha())


class Spelled:
    """The spelling of each piece of a tokenizer, built once per policy."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, marks: Collection[int]) -> None:
        self.text: dict[int, str] = {}
        self.begins: set[int] = set()
        self.of: dict[str, list[int]] = defaultdict(list)
        for piece, i in tokenizer.get_vocab().items():
            if i in marks:
                continue
            self.text[i] = comparable(piece.removeprefix(SPACE))
            if piece.startswith(SPACE):
                self.begins.add(i)
            if self.text[i]:
                self.of[self.text[i]].append(i)


class Answers:
    """The last words of the poems of a batch, one row per poem.

    Args:
        spelled: of the policy's tokenizer.
        letters: the scheme letter of each line of each row, ``x`` for unrhymed.
        openings: the last words of the opening lines of each row.
    """

    def __init__(self, spelled: Spelled, letters: Sequence[str], openings: Sequence[Sequence[str]]) -> None:
        self.spelled, self.letters = spelled, list(letters)
        self.words = [
            [comparable(word) for word in line_words] for line_words in openings
        ]  # of the lines that are complete, and of the one begun
        self.inside = [False] * len(self.letters)  # whether a row is within a line's last word

    def allow(self, logits: Tensor) -> None:
        """Set the logits of pieces that would complete an identical rhyme to ``-inf``, in place."""
        for row in range(len(self.inside)):
            if masked := self.masked(row):
                logits[row, masked] = -float("inf")

    def masked(self, row: int) -> list[int]:
        """The pieces that would complete an identical rhyme in a row."""
        if not self.inside[row] or not (line_words := self.words[row]):
            return []
        n, prefix = len(line_words) - 1, line_words[-1]
        letter = self.letters[row][n : n + 1]
        if letter in ("", "x"):
            return []
        masked_ids: list[int] = []
        for other, word in zip(self.letters[row], line_words[:n], strict=False):
            if other == letter and len(word) > len(prefix) and word.startswith(prefix) and word[len(prefix) :] in self.spelled.of:
                masked_ids += self.spelled.of[word[len(prefix) :]]
        return masked_ids

    def begin(self, row: int) -> None:
        """Note that the next piece begins a line's last word."""
        self.words[row].append("")
        self.inside[row] = True

    def advance(self, row: int, token: int) -> None:
        """Note that a row drew a piece of text, or a mark within its line."""
        if not self.inside[row]:
            return
        text = self.spelled.text.get(token)
        if text is None or (self.words[row][-1] and (token in self.spelled.begins or not text)):
            self.inside[row] = False  # a mark, another word, or a sign after the word
        else:
            self.words[row][-1] += text

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        self.letters = [self.letters[i] for i in rows]
        self.words = [list(self.words[i]) for i in rows]
        self.inside = [self.inside[i] for i in rows]
