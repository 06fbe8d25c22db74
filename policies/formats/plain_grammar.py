"""The grammar of a plain model: forces the number of lines, the breaks between stanzas, and the end.

The model decides what stands in a line. A token that ends in line breaks (``".\\n"``) counts as the end of its line. A token with
text after a break, or with the wrong number of breaks, is masked. A line that is too long for verse is broken off.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CONTROL = re.compile(r"</?[A-Za-z|｜][\w|｜▁./:-]*>|\[/?[A-Z][A-Z_0-9]+\]|\[unused\d+\]")  # <s>, <|im_end|>, <unused0>, [INST], [MASK]
SPACES = ("▁", "Ġ", " ")  # a space, as the kinds of tokenizers spell it
BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
START, WORDS, GAP, FORCED = range(4)  # what a row may draw next: a line's first words, more of them, one more break, the end


@dataclass(frozen=True)
class Pieces:
    """Text properties of tokens, one entry each.

    Attributes:
        breaks: number of line breaks at the end of the token; -1 if it may not stand in a poem at all.
        words: whether it holds a letter, a digit or part of one.
        bare: whether it consists of line breaks only.
        texts: what it spells by itself.
        spaced: whether it begins with a space where it follows other text.
    """

    breaks: tuple[int, ...]
    words: tuple[bool, ...]
    bare: tuple[bool, ...]
    texts: tuple[str, ...]
    spaced: tuple[bool, ...]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, *, special: set[int]) -> Pieces:
        """Read the vocabulary of a tokenizer.

        Args:
            special: ids that are not text, in addition to the tokenizer's special tokens.
        """
        n = len(tokenizer)
        texts = tokenizer.batch_decode([[i] for i in range(n)], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        names = tokenizer.convert_ids_to_tokens(range(n))
        spaced = [name is not None and name.startswith(SPACES) for name in names]
        for i in (i for i, name in enumerate(names) if name is not None and name.strip("▁") == "" and texts[i] == ""):
            texts[i] = " "  # decoders leave out the space before a text, and it is all that the piece holds
        masked = {*special, *control_ids(tokenizer)}
        breaks, words, bare = [], [], []
        for i, text in enumerate(texts):
            body = text.rstrip("\n")
            odd = i in masked or not text or any(c < " " or c in "\x7f\x85\u2028\u2029" for c in body)
            breaks.append(-1 if odd else len(text) - len(body))
            words.append(not odd and any(c.isalnum() or c == "\ufffd" for c in body))  # U+FFFD: some bytes of a letter
            bare.append(not body and not odd)
        return cls(tuple(breaks), tuple(words), tuple(bare), tuple(texts), tuple(spaced))


def control_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids of tokens that steer a model and are no text: by the tokenizer's word for it, or by the shape of the name.

    A tokenizer names a few of them in its settings. Others are added tokens (``<|eot_id|>``, ``<end_of_turn>``), which may or may not be
    marked as special, or pieces of the vocabulary itself (``<unused0>``). Bytes (``<0x0A>``) are text.
    """
    found = set(tokenizer.all_special_ids)
    found |= {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    return found | {i for piece, i in tokenizer.get_vocab().items() if CONTROL.fullmatch(piece) and not BYTE.fullmatch(piece)}


class PlainGrammar:
    """The state of a batch, one row per poem.

    Args:
        pieces: text properties of the tokens.
        gaps: for each row the breaks after each line that is still to be written, ``"\\n"`` or ``"\\n\\n"``.
        end: id that ends a poem.
        n_pieces: width of the logits, which may exceed the vocabulary.
        longest: tokens after which a line is broken off.
    """

    def __init__(self, pieces: Pieces, gaps: Sequence[Sequence[str]], *, end: int, n_pieces: int, longest: int) -> None:
        self.pieces, self.end, self.longest = pieces, end, longest
        breaks = torch.full((n_pieces,), -1)
        breaks[: len(pieces.breaks)] = torch.tensor(pieces.breaks)[:n_pieces]
        bare = torch.zeros(n_pieces, dtype=torch.bool)
        bare[: len(pieces.bare)] = torch.tensor(pieces.bare)[:n_pieces]
        bare &= breaks == 1
        text = breaks == 0
        only_end = torch.zeros(n_pieces, dtype=torch.bool)
        only_end[end] = True
        one, two = text | (breaks == 1), text | (breaks == 1) | (breaks == 2)
        # (phase, V); WORDS also where two breaks are due, and GAP where a line is too long
        self.allowed = torch.stack([text, one, bare, only_end, two])
        self.gaps = [list(row) for row in gaps]
        self.phase = [START if row else FORCED for row in self.gaps]
        self.length = [0] * len(self.gaps)

    def allow(self, logits: Tensor) -> None:
        """Set the logits, ``(B, V)``, of tokens that may not come next to ``-inf``, in place."""
        state = [self.mask_key(row) for row in range(len(self.phase))]
        logits.masked_fill_(~self.allowed.to(logits.device)[state], -torch.inf)

    def mask_key(self, row: int) -> int:
        """The state that decides a row's mask: its row of ``allowed``."""
        phase = self.phase[row]
        if phase in (START, WORDS) and self.length[row] >= self.longest:
            return GAP
        return 4 if phase == WORDS and len(self.gaps[row][0]) == 2 else phase

    def token_mask(self, mask_key: int) -> Tensor:
        """True for each token that may not be drawn in that state, ``(V,)``."""
        return ~self.allowed[mask_key]

    def advance(self, tokens: Sequence[int]) -> None:
        """Update the state with the token that each row drew."""
        for i, token in enumerate(tokens):
            phase = self.phase[i]
            if phase == FORCED or token >= len(self.pieces.breaks):
                continue
            breaks = self.pieces.breaks[token]
            self.length[i] += 1
            if phase == START and self.pieces.words[token] and not breaks:
                self.phase[i] = WORDS
            elif phase == GAP:
                self._next(i)
            elif breaks > 0:
                if breaks == 1 and len(self.gaps[i][0]) == 2:
                    self.phase[i] = GAP
                else:
                    self._next(i)

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows; a row may occur several times."""
        self.phase = [self.phase[i] for i in rows]
        self.gaps = [list(self.gaps[i]) for i in rows]
        self.length = [self.length[i] for i in rows]

    def _next(self, row: int) -> None:
        self.gaps[row].pop(0)
        self.length[row] = 0
        self.phase[row] = START if self.gaps[row] else FORCED
