"""What the auxiliary task draws and weighs, of a few tokens by hand."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from rlpoet.training.gflownet.auxiliary import SOUNDS, auxiliary_weights, sounds_met
from test_auxiliary import words_of_rows

from rlpoet.rollout import Rollout
from rlpoet.types import Prompt


def begun(sounds: list[list[int]] | None) -> Rollout:
    """Two texts of four tokens, 10 to 13 and 20 to 23, with plan tokens at these places."""
    nowhere = torch.full((2, 2), -1)
    places = None if sounds is None else torch.tensor(sounds)
    ids, held = torch.tensor([[10, 11, 12, 13], [20, 11, 22, 23]]), torch.ones(2, 4, dtype=torch.bool)
    return Rollout((Prompt("fr", "couplet"),) * 2, ("", ""), ids, held, torch.ones(2, dtype=torch.bool), nowhere, nowhere, places)


def test_sounds_are_drawn_as_often_as_lines_announce_them():
    rows = sounds_met(begun([[1, 2], [1, -1]]), 300, random.Random(0))
    drawn = [sound for row in rows for sound in row]
    assert {len(row) for row in rows} == {SOUNDS} and set(drawn) == {11, 12}
    assert drawn.count(11) / len(drawn) == pytest.approx(2 / 3, abs=0.03)


@pytest.mark.parametrize("sounds", [None, [[-1, -1], [-1, -1]]])
def test_without_a_plan_token_there_is_nothing_to_practise(sounds):
    assert sounds_met(begun(sounds), 3, random.Random(0)) == []


def test_a_word_s_weight_is_of_its_own_tokens_and_of_whole_words_alone():
    """Two rows of one list; two words of two tokens and one. The last token was not drawn, and word 2 of row 2 has no end."""
    words = words_of_rows([[True, False], [False, False]], [[0, 0, 1, 1]] * 2, [[True, True, True, False]] * 2)
    words = replace(words, whole=torch.tensor([[True, True], [True, False]]))
    ratio = torch.tensor([[0.1, 0.2, 0.3, 9.0], [0.0, 0.0, -0.1, -9.0]])
    log_pi = torch.tensor([[-1.0, -1.0, -2.0, -50.0], [-3.0, -1.0, -1.0, -50.0]])
    group = torch.zeros(2, dtype=torch.long)
    wanted = torch.tensor([[-0.85, -0.85, 0.2, 0.0], [0.85, 0.85, 0.0, 0.0]])  # .3 - 2 against 0, and .3 against -.1
    found = auxiliary_weights(words, log_pi, ratio, beta=2.0, group=group, token_prob_exponent=0.0)
    assert torch.allclose(found, wanted, atol=1e-6)
    factor = torch.tensor([[-2.0, -2.0], [-4.0, -1.0]]).mul(0.5).exp()  # of a word's probability, over its mean
    factor /= factor.mean()
    found = auxiliary_weights(words, log_pi, ratio, beta=2.0, group=group, token_prob_exponent=0.5)
    assert torch.allclose(found, wanted * factor[:, [0, 0, 1, 1]], atol=1e-6)
    apart = auxiliary_weights(words, log_pi, ratio, beta=2.0, group=torch.arange(2), token_prob_exponent=0.0)
    assert torch.equal(apart, torch.zeros(2, 4))  # alone in its list a word teaches nothing
