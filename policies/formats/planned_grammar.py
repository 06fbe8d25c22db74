"""The grammar of a plain model that plans its lines: one word, then a line that ends in it.

The model decides which word, and what stands before it. A line may end only once its last word is the planned one. A line that is too
long for verse is broken off: the planned word is written and the line ends.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import dropwhile, takewhile

import torch
from torch import Tensor

from policies.formats.identical_rhyme import comparable
from policies.formats.plain_grammar import Pieces
from policies.formats.plan import plan_word

MaskKey = tuple[int, tuple[int, ...], tuple[int, ...]]  # state, pieces allowed beside it, pieces masked beside it
PLAN, LINE, GAP, END, FORCED = range(5)  # what a row is in
# rows of the table of masks
ANY_WORD, WORD, INSIDE, INSIDE_OR_BREAK, TEXT, TEXT_OR_BREAK, TEXT_OR_BREAKS, BREAK, ONLY_END, NOTHING = range(10)
PLAN_ROOM = 16  # tokens of a planned word, after which it is over
INNER = "-'’\ufffd"  # signs within a word, and some bytes of a letter


@dataclass(frozen=True)
class Words:
    """Of a tokenizer's pieces, what matters for single words.

    Attributes:
        parts: ``(V,)`` bool, pieces that may stand within a word: no space, no sign.
        begins: ``(V,)`` bool, pieces that may begin one, after a space or with one.
        blank: ids of pieces that are one space.
        of: the ids that spell some letters, with a space before them or not.
        spaced: ids that begin with a space.
        ends: ids that end a word and its line at once, and the letters of the word, lower-case.
    """

    parts: Tensor
    begins: Tensor
    blank: tuple[int, ...]
    of: dict[str, list[int]]
    spaced: frozenset[int]
    ends: dict[int, str]

    @classmethod
    def of_pieces(cls, pieces: Pieces, n_pieces: int) -> Words:
        """Read the pieces of a tokenizer.

        Args:
            n_pieces: width of the logits, which may exceed the vocabulary.
        """
        parts, begins = torch.zeros(n_pieces, dtype=torch.bool), torch.zeros(n_pieces, dtype=torch.bool)
        blank: list[int] = []
        of: dict[str, list[int]] = defaultdict(list)
        ends: dict[int, str] = {}
        for i, text in enumerate(pieces.texts[:n_pieces]):
            body = text.strip()
            if pieces.breaks[i] > 0 and pieces.words[i]:
                ends[i] = "".join(takewhile(str.isalnum, dropwhile(lambda c: not c.isalnum(), reversed(body))))[::-1].casefold()
            elif pieces.breaks[i] == 0 and text == " ":
                blank.append(i)
            elif pieces.breaks[i] == 0 and body and all(map(_within_word, body)):
                parts[i] = not (pieces.spaced[i] or text[0].isspace())
                begins[i] = pieces.words[i]
                if letters := comparable(body):
                    of[letters].append(i)
        spaced = frozenset(i for i, is_spaced in enumerate(pieces.spaced) if is_spaced)
        return cls(parts, begins, tuple(blank), dict(of), spaced, ends)


def _within_word(letter: str) -> bool:
    return letter.isalnum() or letter in INNER or unicodedata.category(letter).startswith("M")


@dataclass
class _Row:
    """One poem.

    Attributes:
        gaps: line breaks after each line that is still to be written.
        lang, letters: language of the prompt, and the letters of all lines of its scheme; ``x`` is unrhymed.
        words: planned words until now, comparable.
        ids: tokens of the plan or line that is being written.
        plan: word in which the line has to end; "" for any.
        closed: whether the line may end now; in a plan, whether it spells a word.
        queue: tokens that come next.
    """

    gaps: list[str]
    lang: str
    letters: str
    words: list[str]
    phase: int = PLAN
    ids: list[int] = field(default_factory=list)
    plan: str = ""
    closed: bool = False
    queue: list[int] = field(default_factory=list)

    def copy(self) -> _Row:
        return replace(self, gaps=list(self.gaps), words=list(self.words), ids=list(self.ids), queue=list(self.queue))


class PlannedGrammar:
    """The state of a batch, one row per poem.

    Args:
        pieces, words: text properties of the tokens.
        rows: for each row the breaks after each line that is still to be written, its language, the letters of all its lines, and the
            last words of its opening lines.
        read: the text that tokens spell.
        spell: the tokens of a word inside a line.
        end: id that ends a poem.
        longest: tokens after which a line is broken off.
        allow_identical_rhyme: let a word rhyme with itself.
    """

    def __init__(
        self,
        pieces: Pieces,
        words: Words,
        rows: Sequence[tuple[Sequence[str], str, str, Sequence[str]]],
        *,
        read: Callable[[Sequence[int]], str],
        spell: Callable[[str], list[int]],
        end: int,
        longest: int,
        allow_identical_rhyme: bool = False,
    ) -> None:
        self.pieces, self.words, self.read, self.spell, self.end, self.longest = pieces, words, read, spell, end, longest
        self.allow_identical_rhyme = allow_identical_rhyme
        n_pieces = len(words.parts)
        breaks = torch.full((n_pieces,), -1)
        breaks[: len(pieces.breaks)] = torch.tensor(pieces.breaks)[:n_pieces]
        bare, wordy, spaced, nothing = (torch.zeros(n_pieces, dtype=torch.bool) for _ in range(4))
        bare[: len(pieces.bare)] = torch.tensor(pieces.bare)[:n_pieces]
        wordy[: len(pieces.words)] = torch.tensor(pieces.words)[:n_pieces]
        spaced[[i for i in words.spaced if i < n_pieces]] = True
        bare &= breaks == 1
        ends = torch.zeros(n_pieces, dtype=torch.bool)  # of a plan, by a piece that spells the rest of the word too
        ends[[i for i in words.ends if all(map(_within_word, pieces.texts[i].rstrip("\n"))) and pieces.breaks[i] == 1]] = True
        blank, only_end, text = nothing.clone(), nothing.clone(), breaks == 0
        blank[list(words.blank)] = True
        only_end[end] = True
        word = words.begins & ~spaced
        one, two = (breaks == 1) & ~wordy, (breaks == 2) & ~wordy
        table = [
            words.begins | blank, word, words.parts | ends, words.parts | ends | bare, text, text | one, text | one | two, bare, only_end,
            nothing,
        ]  # fmt: skip
        self.allowed = torch.stack(table)  # (state, V)
        self.rows = [_Row(list(gaps), lang, letters, [comparable(w) for w in given]) for gaps, lang, letters, given in rows]
        for row in self.rows:
            row.phase = PLAN if row.gaps else END

    def allow(self, logits: Tensor) -> None:
        """Set the logits, ``(B, V)``, of tokens that may not come next to ``-inf``, in place."""
        keys = [self.mask_key(row) for row in range(len(self.rows))]
        spared = [logits[row, list(extra)].clone() for row, (_, extra, _) in enumerate(keys)]
        logits.masked_fill_(~self.allowed.to(logits.device)[[state for state, _, _ in keys]], -torch.inf)
        for row, (_, extra, masked) in enumerate(keys):
            if extra:
                logits[row, list(extra)] = spared[row]
            if masked:
                logits[row, list(masked)] = -torch.inf

    def mask_key(self, number: int) -> MaskKey:
        """The state that decides a row's mask: a row of ``allowed``, and what is allowed or masked beside it."""
        row = self.rows[number]
        if row.phase == PLAN:
            return self._state_of_plan(row), (), self._identical(row)
        if row.phase == LINE:
            if row.closed and len(row.ids) >= self.longest:
                return BREAK, (), ()
            state = (TEXT_OR_BREAKS if len(row.gaps[0]) == 2 else TEXT_OR_BREAK) if row.closed else TEXT
            return state, self._ends(row), ()
        if row.phase == FORCED:
            return NOTHING, (row.queue[0],), ()
        return (BREAK if row.phase == GAP else ONLY_END), (), ()

    def token_mask(self, mask_key: MaskKey) -> Tensor:
        """True for each token that may not be drawn in that state, ``(V,)``."""
        state, extra, masked = mask_key
        allowed = self.allowed[state].clone()
        allowed[list(extra)] = True
        allowed[list(masked)] = False
        return ~allowed

    def advance(self, tokens: Sequence[int]) -> None:
        """Update the state with the token that each row drew."""
        for row, token in enumerate(tokens):
            self.advance_row(row, token)

    def advance_row(self, number: int, token: int) -> None:
        """Update the state of one row with the token it drew."""
        row = self.rows[number]
        if row.phase == END or token >= len(self.pieces.breaks):
            return
        breaks = self.pieces.breaks[token]
        if row.phase == GAP:
            self._next(row)
        elif row.phase == PLAN:
            row.ids.append(token)
            if breaks > 0:
                self._plan(row)
            else:
                row.closed = self._is_word(self.read(row.ids))
        elif breaks > 0 and row.phase == LINE:
            if breaks == 1 and len(row.gaps[0]) == 2:
                row.phase = GAP
            else:
                self._next(row)
        else:
            row.ids.append(token)
            if row.phase == FORCED:
                row.queue.pop(0)
                row.phase, row.closed = (FORCED, False) if row.queue else (LINE, True)
            else:
                row.closed = self._ended(row, token)
                if not row.closed and len(row.ids) >= self.longest:
                    row.phase, row.queue = FORCED, self.spell(row.plan)

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        self.rows = [self.rows[i].copy() for i in rows]

    def _state_of_plan(self, row: _Row) -> int:
        if len(row.ids) >= PLAN_ROOM:
            return BREAK
        if not row.ids:
            return ANY_WORD
        if len(row.ids) == 1 and row.ids[0] in self.words.blank:
            return WORD
        is_new = self.allow_identical_rhyme or comparable(self.read(row.ids)) not in self._rhymed(row)
        return INSIDE_OR_BREAK if row.closed and is_new else INSIDE

    def _rhymed(self, row: _Row) -> list[str]:
        """Words of the lines before that the line of a plan has to rhyme with."""
        n = len(row.words)
        letter = row.letters[n : n + 1]
        return [] if letter in ("", "x") else [word for other, word in zip(row.letters, row.words, strict=False) if other == letter]

    def _identical(self, row: _Row) -> tuple[int, ...]:
        """Pieces that would complete a word that the plan's line rhymes with."""
        rhymed = [] if self.allow_identical_rhyme else self._rhymed(row)
        prefix = comparable(self.read(row.ids)) if rhymed else ""
        found: list[int] = []
        for word in rhymed:
            if len(word) > len(prefix) and word.startswith(prefix):
                found += self.words.of.get(word[len(prefix) :], [])
        return tuple(dict.fromkeys(found))

    def _ends(self, row: _Row) -> tuple[int, ...]:
        """Pieces that write the end of the planned word and end the line at once: some tokenizers have such."""
        n_breaks, plan = (1, len(row.gaps[0])), row.plan.casefold()
        may = [
            i for i, tail in self.words.ends.items() if self.pieces.breaks[i] in n_breaks and (plan.endswith(tail) or tail.endswith(plan))
        ]
        return tuple(i for i in may if self._ends_in_plan(row, self.read([*row.ids, i])))

    def _plan(self, row: _Row) -> None:
        """The plan is over: begin its line."""
        text = self.read(row.ids).strip()
        row.plan = plan_word(text, row.lang) if self._is_word(text) else ""
        row.words.append(comparable(row.plan))
        row.ids, row.closed, row.phase = [], False, LINE

    def _is_word(self, text: str) -> bool:
        return "\ufffd" not in text and any(map(str.isalnum, text))

    def _ended(self, row: _Row, token: int) -> bool:
        """Whether the last word of the line, with the token it has just drawn, is the planned one."""
        if not row.plan:
            return row.closed or self.pieces.words[token]
        letters = [c for c in self.pieces.texts[token] if c.isalnum() or c == "\ufffd"]
        may = not letters or letters[-1] == "\ufffd" or letters[-1].casefold() == row.plan[-1].casefold()
        return may and (row.closed or bool(letters)) and self._ends_in_plan(row, self.read(row.ids))

    def _ends_in_plan(self, row: _Row, text: str) -> bool:
        return not row.plan or plan_word(text, row.lang).casefold() == row.plan.casefold()

    def _next(self, row: _Row) -> None:
        row.gaps.pop(0)
        row.ids, row.closed = [], False
        row.phase = PLAN if row.gaps else END
