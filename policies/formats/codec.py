"""From poems to token ids and back: one codec per kind of format.

A format defines a poem's text (``VerseFormat`` with plan marks, ``PlainFormat`` as ordinary lines, planned or not). A codec binds it to
a tokenizer.
``CausalPolicy`` uses codecs only, so both kinds of format share the code for sampling, scoring, training and saving.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from policies.formats.grammar import Grammar
from policies.formats.identical_rhyme import Spelled
from policies.formats.plain import PlainCodec, PlainFormat
from policies.formats.planned import PlannedCodec
from policies.formats.verse import BREAK, END, FILE, VerseFormat
from rlpoet.prosody.annotate import Group, relabel, tail_keys
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@runtime_checkable
class Format(Protocol):
    """What a policy's poems look like as text. ``<|bos|>`` and ``<|end|>`` stand for the tokenizer's own marks."""

    @property
    def lang(self) -> str: ...
    @property
    def authors(self) -> tuple[str, ...]: ...

    def write_prompt(self, prompt: Prompt) -> str:
        """What the policy continues: BOS, header, opening lines."""
        ...

    def write(self, group: Group, author: str | None = None) -> tuple[str, str]:
        """``(header, body)`` of a group as the policy reads it, END included, BOS not."""
        ...

    def save(self, folder: str | Path) -> None: ...


class Codec(Protocol):
    """A format and a tokenizer together.

    Attributes:
        pad: id that is never drawn, and fills batches.
        end: id that ends a poem, and is written after one.
        ends: ids at which a poem ends, ``end`` among them: a model may stop at several.
        marks: ids that are not part of a line's words; repetition controls do not change their logits.
        line_room: most tokens that a line may need.
        any_author: whether a prompt may name any author, because names are ordinary words to the model.
        word_first: whether the last word of a line is settled before the rest of it is written.
    """

    pad: int
    end: int
    ends: frozenset[int]
    line_room: int
    any_author: bool

    @property
    def word_first(self) -> bool: ...
    @property
    def marks(self) -> Sequence[int]: ...

    def start_ids(self, prompt: Prompt) -> list[int]:
        """The tokens with which a poem of this prompt begins: those of ``Format.write_prompt``."""
        ...

    def many_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text. Cutting a text at the end of a header, line or poem does not change its ids."""
        ...

    def rest(self, prompt: Prompt, text: str) -> str:
        """The tokens that follow ``write_prompt(prompt)`` in that poem, END included."""
        ...

    def read(self, ids: Sequence[int]) -> str:
        """The poem that a token sequence spells, without header and marks."""
        ...

    def read_many(self, rows: Sequence[Sequence[int]]) -> list[str]:
        """The poems that token sequences spell; calls the tokenizer once for all of them if possible."""
        ...

    def line_ends(self, ids: Sequence[int], start: int) -> list[int]:
        """Position of the last token of each line, from ``start`` on: the one before the mark that ends the line."""
        ...

    def end_words(self, ids: Sequence[int], start: int) -> list[int]:
        """Position of the last token of each line's last word, one per line of ``line_ends``."""
        ...

    def sounds(self, ids: Sequence[int], start: int) -> list[int] | None:
        """The plan token of each line of ``line_ends``, which names the sound of its rhyme; None where lines have none."""
        ...

    def ends_line(self, token: int) -> bool:
        """Whether a line is complete when this token is drawn."""
        ...

    def spellings(self, word: str) -> list[list[int]]:
        """Token ids of each spelling of a word: inside a line or at its beginning, with or without a capital."""
        ...

    def n_tokens(self, words: str) -> int:
        """Tokens of words inside a line, marks left out."""
        ...

    def grammar(self, prompts: Sequence[Prompt], n_pieces: int, *, allow_identical_rhyme: bool = False) -> Any:
        """Rules that force sampling to follow the lines of each prompt's form (``policies.decoding.sampler.Grammar``).

        Args:
            allow_identical_rhyme: let a word rhyme with itself; matters only if lines are written from their end.
        """
        ...


class VerseCodec:
    """Plan marks, one id each; lines begin with the mark of their place."""

    any_author = False

    def __init__(self, verse_format: VerseFormat, tokenizer: PreTrainedTokenizerBase) -> None:
        self.line_room = 28 + (12 // verse_format.countdown if verse_format.countdown else 0)
        self.format, self.tokenizer = verse_format, tokenizer
        ids = tokenizer.convert_tokens_to_ids
        self.pad, self.end, self._break = int(tokenizer.pad_token_id), int(ids(END)), int(ids(BREAK))
        self.ends = frozenset({self.end})
        self._line_marks = set(ids(verse_format.line_marks))
        self._marks = set(ids(verse_format.marks))
        self._sounds = set(ids([mark for mark in verse_format.marks if mark.startswith("<|~")]))
        spaced = {i for piece, i in tokenizer.get_vocab().items() if piece.startswith("▁")}
        self._begins = spaced | self._marks  # what can follow a whole word

    @property
    def marks(self) -> Sequence[int]:
        return sorted(self._marks)

    @property
    def word_first(self) -> bool:
        return self.format.order == "backward"

    def begin_lines(self, prompts: Sequence[Prompt], words: Sequence[str], n_pieces: int) -> tuple[list[list[int]], Grammar]:
        """Tokens with which lines begin that end in given words, and the grammar after them; of a format with ``word_first``.

        Args:
            prompts, words: of each line; words with the punctuation that follows them.
            n_pieces: as in ``grammar``.
        """
        texts = [self.rest(prompt, "\n".join([*prompt.opening, word])) for prompt, word in zip(prompts, words, strict=True)]
        forced = [ids[:-1] for ids in self.many_ids(texts)]  # less END
        grammar = self.grammar(prompts, n_pieces)
        for place in range(int(self.format.plans) + 1):  # after the mark of the tail and the first piece the grammar is inside the line
            grammar.advance([ids[place] for ids in forced])
        return forced, grammar

    @property
    def begins(self) -> Sequence[int]:
        """Ids of what can follow a whole word: marks, and pieces with a space before them."""
        return sorted(self._begins)

    def start_ids(self, prompt: Prompt) -> list[int]:
        return self.many_ids([self.format.write_prompt(prompt)])[0]

    def many_ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [list(e.ids) for e in self.tokenizer.backend_tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def rest(self, prompt: Prompt, text: str) -> str:
        lines, poem_form = split_poem(text), form(prompt.form, prompt.lang)
        keys = tail_keys(lines, poem_form.letters[: len(lines)].ljust(len(lines), "x"), prompt.lang)
        places = self.format.line_places(relabel(poem_form.scheme))
        rows = list(zip(places, lines, keys, poem_form.meters, strict=False))[len(prompt.opening) :]
        # the prompt ends with the mark of the first line that is still to be written
        written = [(place if i else "") + self.format.write_line(line, key, m[0]) for i, (place, line, key, m) in enumerate(rows)]
        return "".join(written) + END

    def read(self, ids: Sequence[int]) -> str:
        return self.read_many([ids])[0]

    def read_many(self, rows: Sequence[Sequence[int]]) -> list[str]:
        lines: list[list[int]] = []  # of all poems
        breaks: set[tuple[int, int]] = set()
        begins = []
        for row, ids in enumerate(rows):
            begins.append(len(lines))
            for token in ids:
                if token in self._line_marks:
                    lines.append([])
                elif token == self.end:
                    break
                elif token == self._break:
                    breaks.add((row, len(lines)))
                elif token not in self._marks and len(lines) > begins[-1]:
                    lines[-1].append(token)
        decoded = self.tokenizer.backend_tokenizer.decode_batch(lines) if lines else []
        poems = []
        for row, (begin, end) in enumerate(pairwise([*begins, len(lines)])):
            parsed = [self.format.read_line(words) for words in decoded[begin:end]]
            poems.append("\n".join("\n" * ((row, begin + n) in breaks) + line for n, line in enumerate(parsed)))
        return poems

    def line_ends(self, ids: Sequence[int], start: int) -> list[int]:
        return [i - 1 for i in range(start, len(ids)) if ids[i] in self._line_marks or ids[i] == self.end]

    def end_words(self, ids: Sequence[int], start: int) -> list[int]:
        ends = self.line_ends(ids, start)
        if self.format.order != "backward":
            return ends
        words, at = [], start
        for end in ends:
            while at < end and ids[at] in self._marks:
                at += 1
            while at < end and ids[at + 1] not in self._begins:
                at += 1
            words.append(at)
            at = end + 1
        return words

    def sounds(self, ids: Sequence[int], start: int) -> list[int] | None:
        if not self.format.plans:
            return None
        return [i for i in range(start, len(ids)) if ids[i] in self._sounds][: len(self.line_ends(ids, start))]

    def ends_line(self, token: int) -> bool:
        return token in self._line_marks or token == self.end

    def spellings(self, word: str) -> list[list[int]]:
        return self.many_ids(list(dict.fromkeys((word, word.capitalize()))))

    def n_tokens(self, words: str) -> int:
        return sum(token not in self._marks for token in self.many_ids([self.format.write_line(words, "")])[0])

    @functools.cached_property
    def _spelled(self) -> Spelled:
        return Spelled(self.tokenizer, self._marks)

    def grammar(self, prompts: Sequence[Prompt], n_pieces: int, *, allow_identical_rhyme: bool = False) -> Any:
        knows = self.format.order == "backward" and not allow_identical_rhyme
        return Grammar(self.format, self.tokenizer, prompts, n_pieces, spelled=self._spelled if knows else None)


def codec_of(verse_format: Format, tokenizer: PreTrainedTokenizerBase, *, stops: Sequence[int] = ()) -> Codec:
    """The codec of a format with a tokenizer.

    Args:
        stops: ids at which a plain model stops, beside its tokenizer's end-of-text token.
    """
    if isinstance(verse_format, VerseFormat):
        return VerseCodec(verse_format, tokenizer)
    if not isinstance(verse_format, PlainFormat):
        raise TypeError(f"format: {type(verse_format).__name__}; expected VerseFormat or PlainFormat")
    return (PlannedCodec if verse_format.planned else PlainCodec)(verse_format, tokenizer, stops=stops)


def load_format(folder: str | Path, *, lang: str | None = None) -> Format:
    """The format that a policy was saved with; a PlainFormat for a model that rlpoet did not save.

    Args:
        lang: language in which a plain model is to write, instead of the one its folder names.
    """
    if (Path(folder) / FILE).exists():
        return VerseFormat.load(folder)
    return PlainFormat.load(folder, lang=lang)
