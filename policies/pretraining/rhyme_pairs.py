"""Rhyme-pair data: rows of rhyming words from the corpus, read between the poems.

A tiny prior nearly always copies the sound of its plan token. But then it ends the line in a word of another sound, in a word that does
not exist, or in the word it rhymes with. It lacks a rhyming dictionary. A row consists of pairs of end words, each after the mark of
its sound, as in a poem::

    <|bos|><|school|><|A|><|~ɔ̃bʁe|>ombres<|a|><|~ɔ̃bʁe|>sombres<|B|><|~oz|>rose<|b|><|~oz|>close ...<|end|>

The words are end words of the training poems, drawn in proportion to the square root of their frequency. So a rare word is read more
often than in verse and a common one less often. Rows have their own header, which distinguishes them from poems.
"""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from policies.formats.codec import codec_of
from policies.formats.data import Annotated, Piece
from policies.formats.verse import END, LETTERS, NO_KEY, RHYME_PAIRS, VerseFormat
from rlpoet.text import canonical

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FAMILIES = 8  # of a row, two words each


def rhyme_pair_pieces(
    poems: Sequence[Annotated], verse_format: VerseFormat, tokenizer: PreTrainedTokenizerBase, *, share: float, n_tokens: int, seed: int
) -> list[list[Piece]]:
    """Rows, each a poem of one piece, that make up ``share`` of the training data beside ``n_tokens`` tokens of verse."""
    codec = codec_of(verse_format, tokenizer)

    def pieces(n: int) -> list[list[Piece]]:
        ids = codec.many_ids([part for row in rhyme_rows(poems, verse_format, n=n, seed=seed) for part in row])
        return [[Piece(tuple(header), tuple(body), 0)] for header, body in zip(ids[::2], ids[1::2], strict=True)]

    few = pieces(50)
    long = sum(len(piece.header) + len(piece.body) for row in few for piece in row)
    return pieces(round(n_tokens * share / (1 - share) * len(few) / long)) if few else []


def end_words(poems: Sequence[Annotated], verse_format: VerseFormat) -> dict[str, Counter[str]]:
    """Words that end lines, as written there, grouped by the mark of their sound; sounds without a mark are left out."""
    words_by_mark: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for poem in poems:
        for group in poem.groups:
            for line, key in zip(group.lines, group.keys, strict=True):
                mark = verse_format.plan(key) if key else NO_KEY
                if mark != NO_KEY:
                    words_by_mark[mark][verse_format.last_word(canonical(line, verse_format.lang))] += 1
    return dict(words_by_mark)


def rhyme_rows(poems: Sequence[Annotated], verse_format: VerseFormat, *, n: int, seed: int) -> list[tuple[str, str]]:
    """``n`` rows as ``(header, body)``, the same for the same seed.

    Args:
        poems: the poems that give the end words; held-out poems must not be among them.

    Returns:
        Fewer than ``n`` rows, or none, if no sound has two words.
    """
    words_by_mark = {mark: words for mark, words in end_words(poems, verse_format).items() if len({_letters(w) for w in words}) > 1}
    if not words_by_mark:
        return []
    rng = random.Random(seed)
    marks = sorted(words_by_mark)
    choices = {mark: sorted(words_by_mark[mark]) for mark in marks}
    weights = {mark: list(accumulate(math.sqrt(words_by_mark[mark][word]) for word in choices[mark])) for mark in marks}
    of_marks = list(accumulate(weights[mark][-1] for mark in marks))
    out = []
    for _ in range(n):
        body = ""
        for letter, mark in zip(LETTERS, rng.choices(marks, cum_weights=of_marks, k=FAMILIES), strict=False):
            first, second = _two(rng, choices[mark], weights[mark])
            body += f"<|{letter.upper()}|>{mark}{first}<|{letter}|>{mark}{second}"
        out.append((RHYME_PAIRS, body + END))
    return out


def _two(rng: random.Random, words: Sequence[str], weights: Sequence[float]) -> tuple[str, str]:
    """Two words; ``weights`` are summed up."""
    first = rng.choices(words, cum_weights=weights)[0]
    for second in rng.choices(words, cum_weights=weights, k=20):
        if _letters(second) != _letters(first):
            return first, second
    return first, next(word for word in words if _letters(word) != _letters(first))


def _letters(word: str) -> str:
    return "".join(filter(str.isalpha, word)).lower()
