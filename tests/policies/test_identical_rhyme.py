"""No word rhymes with itself: by which pieces a repetition is masked, and that the grammar masks it."""

from __future__ import annotations

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.formats.identical_rhyme import Answers, Spelled, comparable
from rlpoet.prosody import verse
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Prompt


class Pieces:
    """A tokenizer of a few pieces."""

    def __init__(self, *pieces: str) -> None:
        self.pieces = pieces

    def get_vocab(self) -> dict[str, int]:
        return {piece: i for i, piece in enumerate(self.pieces)}


PIECES = ("<|a|>", "▁love", "▁Love", "love", "▁un", "rest", ",", "▁the", "ly", "▁l'", "amour")
SPELLED = Spelled(Pieces(*PIECES), {0})  # type: ignore[arg-type]


def masked(answers: Answers) -> list[set[str]]:
    logits = torch.zeros(len(answers.letters), len(PIECES))
    answers.allow(logits)
    return [{PIECES[i] for i in row.isinf().nonzero().flatten().tolist()} for row in logits]


def said(answers: Answers, *pieces: str) -> None:
    """One line's last word and what follows, in one row."""
    answers.begin(0)
    for piece in pieces:
        answers.advance(0, PIECES.index(piece))


@pytest.mark.parametrize(("word", "compared"), [("L’Amour,", "amour"), ("aujourd'hui", "hui"), ("« Mers »", "mers"), ("—", "")])
def test_words_are_compared_without_case_signs_and_elided_articles(word: str, compared: str) -> None:
    assert comparable(word) == compared


def test_the_piece_that_completes_the_mate_is_barred_and_only_inside_the_last_word() -> None:
    answers = Answers(SPELLED, ["abab"], [[]])
    said(answers, "▁love", ",", "▁the", "<|a|>")
    said(answers, "▁un", "rest", "<|a|>")
    answers.begin(0)
    assert masked(answers) == [{"▁love", "▁Love", "love"}]  # "unrest" belongs to the other rhyme
    answers.advance(0, PIECES.index("▁un"))
    assert masked(answers) == [set()]
    said(answers, "▁un")
    assert masked(answers) == [{"rest"}]
    answers.advance(0, PIECES.index("ly"))
    assert masked(answers) == [set()]
    answers.advance(0, PIECES.index("▁the"))
    assert not any(answers.inside)


def test_given_lines_count_and_lines_without_a_rhyme_are_free() -> None:
    answers = Answers(SPELLED, ["aa", "xx"], [["Love!"], ["love"]])
    for row in (0, 1):
        answers.begin(row)
    assert masked(answers) == [{"▁love", "▁Love", "love"}, set()]
    answers.keep([1, 0, 0])
    assert [bool(found) for found in masked(answers)] == [False, True, True]


@pytest.mark.parametrize("source", ["tiny", pytest.param("en", marks=pytest.mark.slow)])
def test_no_sampled_pair_repeats_its_word_unless_it_may(source: str) -> None:
    policy = tiny_policy() if source == "tiny" else CausalPolicy.load("en", seed=0)
    prompts = [Prompt(policy.lang, name) for name in ("quatrain-abab", "quatrain-abba")]

    def repeated(**options: bool) -> int:
        drawn = policy.sample(prompts, 48, **options)
        n = 0
        for prompt, text in zip(drawn.prompts, drawn.texts, strict=True):
            lines = split_poem(text)
            ends = [[e.word for e in verse(policy.lang).endings(line)][:1] for line in lines]
            n += sum(ends[i] == ends[j] != [] for i, j in form(prompt.form, prompt.lang).pairs if max(i, j) < len(lines))
        return n

    assert repeated() == 0
    if source == "en":
        assert repeated(allow_identical_rhyme=True) > 5
