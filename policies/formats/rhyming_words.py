"""The auxiliary rhyming-word task: single words, each after the mark of a sound, and which of them are right.

A poem spends a hundred tokens on four words that rhyme. Under the header of rhyme-pair data (``policies.pretraining.rhyme_pairs``) a
policy writes sixteen of them in as many tokens. There are two per sound, and the second should rhyme with the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from policies.decoding.sampler import Decoding, sample_tokens
from policies.formats.codec import VerseCodec
from policies.formats.masks import mask_tokens, with_masks
from policies.formats.verse import BOS, LETTERS, NO_KEY, RHYME_PAIRS, VerseFormat
from policies.writer import Writer
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.types import Prompt

WORD_ROOM = 8  # tokens of a word, on average; a row that needs more is cut off


def draw_rhyming_words(policy: Writer, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords | None:
    """``n`` rows for each row of sounds, two words per sound, at temperature 1; None if the policy has read no rhyme-pair data.

    Args:
        sounds: ids of sound marks, rows of one length, at most sixteen; neutral marks are skipped.
    """
    verse_format, codec = policy.format, policy.codec
    if not (
        isinstance(codec, VerseCodec)
        and isinstance(verse_format, VerseFormat)
        and verse_format.rhyme_pairs
        and verse_format.order == "backward"
    ):
        return None
    ids = policy.tokenizer.convert_tokens_to_ids
    neutral = ids(NO_KEY)
    to_draw = [[sound for sound in row if sound != neutral] for row in sounds]
    to_draw = [row for row in to_draw if row for _ in range(n)]
    if not to_draw:
        return None
    places = [ids(f"<|{c}|>") for letter in LETTERS for c in (letter.upper(), letter)]
    marks = [[mark for i, sound in enumerate(row) for mark in ((places[2 * i], sound), (places[2 * i + 1], sound))] for row in to_draw]
    head = [ids(BOS), ids(RHYME_PAIRS)]
    starts = [[*head, *row[0]] for row in marks]
    text = torch.zeros(policy.model.config.vocab_size, dtype=torch.bool)
    text[: len(policy.tokenizer)] = True
    text[list(codec.marks)] = False
    inside = text.clone()
    inside[list(codec.begins)] = False
    grammar = RhymingWordsGrammar(marks, text, inside, codec.end)
    room = max(map(len, marks)) * WORD_ROOM
    policy.model.eval()
    new = sample_tokens(
        policy.model, starts, Decoding(max_new_tokens=room), end=codec.end, pad=codec.pad, generator=policy.generator,
        dtype=policy.precision, grammar=grammar,
    )  # fmt: skip
    words = _collected(policy, [[*start, *tokens] for start, tokens in zip(starts, new, strict=True)], marks)
    width = words.rollout.ids.shape[1]
    at, begin = torch.arange(width), torch.tensor([len(start) for start in starts])[:, None]
    drawn = (at >= begin) & (at < begin + torch.tensor([len(tokens) for tokens in new])[:, None])
    as_drawn = with_masks(replace(words.rollout, chosen=drawn), RhymingWordsGrammar(marks, text, inside, codec.end))
    return replace(words, rollout=replace(as_drawn, chosen=words.rollout.chosen))


def _collected(policy: Writer, rows: Sequence[list[int]], marks: Sequence[Sequence[tuple[int, int]]]) -> RhymingWords:
    """The drawn words as a batch, and which of them are right.

    Right is what the rhyme reward pays by default (``rewards.rhyme``): a word with a pronunciation that is not a guess, which has the
    sound, and which is another word than its mate and rhymes with it, if that is right too.
    """
    codec, verse_format = policy.codec, policy.format
    assert isinstance(verse_format, VerseFormat)  # seen to by the caller
    width, n_words = max(map(len, rows)), max(map(len, marks))
    ids = torch.full((len(rows), width), codec.pad, dtype=torch.long)
    chosen = torch.zeros((len(rows), width + 1), dtype=torch.bool)
    word_of = torch.zeros((len(rows), width + 1), dtype=torch.long)
    right = torch.zeros((len(rows), n_words), dtype=torch.bool)
    whole = torch.zeros((len(rows), n_words), dtype=torch.bool)
    spelt: list[list[str]] = []
    sounds_of_word: dict[str, set[str]] = {}
    rules, special = verse(verse_format.lang), set(codec.marks)
    sounds_of = dict(enumerate(policy.tokenizer.convert_ids_to_tokens(range(len(policy.tokenizer)))))
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
        words: list[list[int]] = []
        at = 2
        for word, (place, sound) in enumerate(marks[row]):
            if tokens[at : at + 2] != [place, sound]:
                break
            begin = stop = at + 2
            while stop < len(tokens) and tokens[stop] not in special:
                stop += 1
            words.append(tokens[begin:stop])
            chosen[row, begin : stop + 1] = True  # the mark after a word says that it is over
            word_of[row, begin : stop + 1] = word
            whole[row, word] = stop < len(tokens)
            at = stop
        spelt.append([verse_format.read_line(text) for text in policy.tokenizer.batch_decode(words)])
        for word, text in enumerate(spelt[-1]):
            if text not in sounds_of_word:
                sounds_of_word[text] = {verse_format.plan(rules.key(ending)) for ending in rules.endings(text)}
            end = end_of(text, verse_format.lang)
            is_valid = end.known and sounds_of[marks[row][word][1]] in sounds_of_word[text]
            if is_valid and word % 2 and (first := spelt[-1][word - 1]):
                is_valid = end_of(first, verse_format.lang).stem != end.stem
                if right[row, word - 1]:  # one mark may stand for what rhymes only with some of its words
                    is_valid &= rhyme_kind(first, text, verse_format.lang) in rules.rhyming
            right[row, word] = is_valid
    prompt = Prompt(verse_format.lang, "couplet")  # stands for none: rhyme pairs have a header of their own
    nowhere = torch.full((len(rows), 1), -1)
    ended = torch.tensor([tokens[-1] == codec.end for tokens in rows])
    texts = tuple("\n".join(words) for words in spelt)
    rollout = Rollout((prompt,) * len(rows), texts, ids, chosen[:, :width], ended, nowhere, nowhere)
    return RhymingWords(rollout, word_of[:, :width], right & whole, whole)


class RhymingWordsGrammar:
    """One word after each mark of a sound; ``policies.decoding.sampler.Grammar``.

    Args:
        marks: place and sound marks of each row's words; the first word has already begun.
        text: ``(V,)`` bool, pieces that may begin a word.
        inside: ``(V,)`` bool, pieces that may continue a word.
        end: the token after the last word.
    """

    def __init__(self, marks: Sequence[Sequence[tuple[int, int]]], text: Tensor, inside: Tensor, end: int) -> None:
        self.token_masks = ~torch.stack([text, inside, torch.zeros_like(text)])  # (before a word, within one, at a mark; V)
        self.queues = [[mark for pair in row[1:] for mark in pair] + [end] for row in marks]
        self.inside = [False] * len(self.queues)
        self.forced = [False] * len(self.queues)

    def allow(self, logits: Tensor) -> None:
        """Set the logits, ``(B, V)``, of tokens that may not come next to ``-inf``, in place."""
        phases = [2 if forced else int(inside) for forced, inside in zip(self.forced, self.inside, strict=True)]
        mask_tokens(logits, self.token_masks, phases, [queue[0] if phase else -1 for queue, phase in zip(self.queues, phases, strict=True)])

    def mask_key(self, row: int) -> tuple[int, int]:
        """What holds a row now: its phase, and the mark it may draw all the same."""
        phase = 2 if self.forced[row] else int(self.inside[row])
        return phase, self.queues[row][0] if phase else -1

    def token_mask(self, mask_key: tuple[int, int]) -> Tensor:
        """What may not be drawn in that state, ``(V,)`` bool."""
        phase, due = mask_key
        masked = self.token_masks[phase].clone()
        if due >= 0:
            masked[due] = False
        return masked

    def advance(self, tokens: Sequence[int]) -> None:
        """Update the state with the token that each row drew."""
        for row, token in enumerate(tokens):
            if self.forced[row]:
                self.queues[row].pop(0)
                self.forced[row] = False
            elif self.inside[row] and token == self.queues[row][0]:
                self.queues[row].pop(0)
                self.inside[row], self.forced[row] = False, bool(self.queues[row])
            else:
                self.inside[row] = True

    def keep(self, rows: Sequence[int]) -> None:
        """Continue with these rows."""
        self.queues = [self.queues[row] for row in rows]
        self.inside = [self.inside[row] for row in rows]
        self.forced = [self.forced[row] for row in rows]
