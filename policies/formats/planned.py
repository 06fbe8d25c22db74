"""The codec of a plain format that plans its lines: each line stands after its last word (``policies.formats.plan``)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from policies.formats.plain import PlainCodec, PlainFormat
from policies.formats.plan import plan_word, without_plans
from policies.formats.planned_grammar import PLAN_ROOM, PlannedGrammar, Words
from rlpoet.prosody.annotate import relabel
from rlpoet.prosody.forms import form
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LETTERS_OF_LINE = 80  # letters of a long line of verse


class PlannedCodec(PlainCodec):
    """A plain format with plans, and the tokenizer of its model; as ``PlainCodec``."""

    word_first = True

    def __init__(self, plain_format: PlainFormat, tokenizer: PreTrainedTokenizerBase, *, stops: Sequence[int] = ()) -> None:
        super().__init__(plain_format, tokenizer, stops=stops)
        self._known: Words | None = None
        sample = plain_format.header(author=None, meter="12", scheme="abab").strip()
        self.longest = max(self.line_room - 2, math.ceil(LETTERS_OF_LINE * self.n_tokens(sample) / len(sample)))
        self.line_room = self.longest + 2 + 2 * PLAN_ROOM  # a plan before the line, and the planned word if the line is broken off

    @property
    def breaks(self) -> frozenset[int]:
        """Ids that end a plan or a line."""
        return self.ends | {i for i, n in enumerate(self.pieces.breaks) if n > 0}

    def read(self, ids: Sequence[int]) -> str:
        return without_plans(super().read(ids)).rstrip()

    def line_ends(self, ids: Sequence[int], start: int) -> list[int]:
        return super().line_ends(ids, start)[1::2]

    def end_words(self, ids: Sequence[int], start: int) -> list[int]:
        """The last token of each line's plan: its last word is settled there."""
        ends = super().line_ends(ids, start)
        return ends[: len(ends) // 2 * 2 : 2]

    def begin_lines(self, prompts: Sequence[Prompt], words: Sequence[str], n_pieces: int) -> tuple[list[list[int]], PlannedGrammar]:
        """Tokens with which lines begin that end in given words, and the grammar after them.

        Args:
            prompts, words: of each line.
            n_pieces: as in ``grammar``.
        """
        plans = self.many_ids([f" {plan_word(word, prompt.lang)}\n" for prompt, word in zip(prompts, words, strict=True)])
        grammar = self.grammar(prompts, n_pieces, allow_identical_rhyme=True)
        for row, ids in enumerate(plans):
            for token in ids:
                grammar.advance_row(row, token)
        return plans, grammar

    def grammar(self, prompts: Sequence[Prompt], n_pieces: int, *, allow_identical_rhyme: bool = False) -> PlannedGrammar:
        rows = []
        for prompt in prompts:
            poem_form = form(prompt.form, prompt.lang)
            gaps = self.format.breaks(relabel(poem_form.scheme))[len(prompt.opening) :]
            rows.append((gaps, prompt.lang, "".join(poem_form.letters), [plan_word(line, prompt.lang) for line in prompt.opening]))
        return PlannedGrammar(
            self.pieces, self._words(n_pieces), rows, read=self._text, spell=self._spell, end=self.end, longest=self.longest,
            allow_identical_rhyme=allow_identical_rhyme,
        )  # fmt: skip

    def _words(self, n_pieces: int) -> Words:
        if self._known is None or len(self._known.parts) != n_pieces:
            self._known = Words.of_pieces(self.pieces, n_pieces)
        return self._known

    def _text(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def _spell(self, word: str) -> list[int]:
        """The tokens of a word inside a line."""
        return self.spellings(word)[0]
