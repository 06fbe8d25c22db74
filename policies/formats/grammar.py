"""A grammar that forces the form of a poem while it is written: its number of lines, each with its mark, its tail and a word.

Forced are only the places where a line may end, the mark that follows, and that no word rhymes with itself
(``policies.formats.identical_rhyme``). The policy decides what rhymes and how long a line is. The masked distribution is a behaviour
policy; log-probabilities are those of the unmasked model, unless a rollout carries its masks (``policies.formats.masks``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from policies.formats.identical_rhyme import Answers, Spelled
from policies.formats.masks import mask_tokens
from policies.formats.verse import BREAK, END, VerseFormat
from rlpoet.prosody.annotate import relabel
from rlpoet.prosody.forms import form
from rlpoet.text import canonical
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TAIL, FIRST_WORD, WORDS, FORCED = range(4)  # what a row may draw next
MaskKey = tuple[int, int, tuple[int, ...]]  # phase, mark that may be drawn all the same, pieces that would repeat a word


class Grammar:
    """The state of a batch, one row per poem.

    Args:
        verse_format, tokenizer: those of the policy.
        prompts: one per row, in the order of the batch.
        spelled: the spelling of each piece, used to mask identical rhymes; None allows them.
    """

    def __init__(
        self,
        verse_format: VerseFormat,
        tokenizer: PreTrainedTokenizerBase,
        prompts: Sequence[Prompt],
        n_pieces: int,
        *,
        spelled: Spelled | None = None,
    ) -> None:
        ids = {mark: int(tokenizer.convert_tokens_to_ids(mark)) for mark in verse_format.marks}
        self.end, self.plans = ids[END], verse_format.plans
        text = torch.ones(n_pieces, dtype=torch.bool)
        text[list(ids.values())] = False
        control = [f"<0x{byte:02X}>" for byte in (*range(32), 127)]
        text[[i for i in tokenizer.convert_tokens_to_ids(control) if i is not None]] = False  # a line break is the form's, not the policy's
        text[len(tokenizer) :] = False  # rows that only round the vocabulary up
        tails = torch.zeros(n_pieces, dtype=torch.bool)
        tails[[i for mark, i in ids.items() if mark.startswith("<|~")]] = True
        nothing = torch.zeros(n_pieces, dtype=torch.bool)
        self.counts = {ids[mark] for mark in verse_format.counts}
        inside = text.clone()
        inside[list(self.counts)] = True
        self.masked = ~torch.stack([tails, text, inside, nothing])  # (phase, V)
        self.queues = []  # for each row what has to be drawn between its lines, END last
        for prompt in prompts:
            places = verse_format.line_places(relabel(form(prompt.form, prompt.lang).scheme))[len(prompt.opening) + 1 :]
            gaps = [[ids[BREAK], ids[place.removeprefix(BREAK)]] if place.startswith(BREAK) else [ids[place]] for place in places]
            self.queues.append([*gaps, [self.end]])
        self.answers: Answers | None = None
        if spelled is not None:
            letters = ["".join(form(prompt.form, prompt.lang).letters) for prompt in prompts]
            opening_words = [[verse_format.last_word(canonical(line, verse_format.lang)) for line in prompt.opening] for prompt in prompts]
            self.answers = Answers(spelled, letters, opening_words)
        self.phase = [self._line(row) for row in range(len(prompts))]
        self.forced: list[list[int]] = [[] for _ in prompts]

    def allow(self, logits: Tensor) -> None:
        """Set the logits, ``(B, V)``, of tokens that may not come next to ``-inf``, in place."""
        mask_tokens(logits, self.masked, self.phase, [self._due(row) for row in range(len(self.phase))])
        if self.answers is not None:
            self.answers.allow(logits)

    def mask_key(self, row: int) -> MaskKey:
        """The state that decides a row's mask: its phase, the mark it may still draw, the pieces it may not repeat."""
        return self.phase[row], self._due(row), tuple(self.answers.masked(row)) if self.answers is not None else ()

    def token_mask(self, mask_key: MaskKey) -> Tensor:
        """True for each token that may not be drawn in that state, ``(V,)``."""
        phase, due, repeated = mask_key
        masked = self.masked[phase].clone()
        if due >= 0:
            masked[due] = False
        masked[list(repeated)] = True
        return masked

    def advance(self, tokens: Sequence[int]) -> None:
        """Update the state with the token that each row drew."""
        for i, token in enumerate(tokens):
            phase = self.phase[i]
            if phase == TAIL:
                self.phase[i] = FIRST_WORD
                continue
            if self.answers is not None:
                self.answers.advance(i, token)
            if phase == FIRST_WORD:
                self.phase[i] = WORDS
            elif token in self.counts:  # what is left is more than nothing: a word has to follow
                self.phase[i] = FIRST_WORD
            elif phase == FORCED:
                self.forced[i].pop(0)
                self.phase[i] = FORCED if self.forced[i] else self._line(i)
            elif token == self.queues[i][0][0]:
                self.forced[i] = self.queues[i].pop(0)[1:]
                self.phase[i] = FORCED if self.forced[i] else self._line(i)

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        self.phase = [self.phase[i] for i in rows]
        self.forced = [list(self.forced[i]) for i in rows]
        self.queues = [list(self.queues[i]) for i in rows]
        if self.answers is not None:
            self.answers.keep(rows)

    def _due(self, row: int) -> int:
        """The mark that a row may draw; -1 for none."""
        phase = self.phase[row]
        return self.queues[row][0][0] if phase == WORDS else self.forced[row][0] if phase == FORCED else -1

    def _line(self, row: int) -> int:
        """Start the state of a new line."""
        if self.answers is not None:
            self.answers.begin(row)
        return TAIL if self.plans else FIRST_WORD
