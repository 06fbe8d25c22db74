"""Which of several accepted poems is shown: by their rewards and by their bits under the policy."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.causal_lm import CausalPolicy
from policies.generation import choice
from policies.generation.choice import bits_per_char, chosen
from policies.generation.rejection import Draft
from rlpoet.evaluation.score import ScoredPoem, score_text
from rlpoet.types import Prompt

COUPLET = Prompt("fr", "couplet")
LINES = BAUDELAIRE[1], BAUDELAIRE[3]  # mers, amers
TEXTS = ["\n".join(LINES), "\n".join(LINES[::-1]), "\n".join((LINES[0], LINES[0])), "\n".join((LINES[1], LINES[1]))]


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


def option(text: str, score: float, *, perfect: bool = True, prompt: Prompt = COUPLET) -> tuple[ScoredPoem, Draft]:
    poem = dataclasses.replace(score_text(text, "fr", "couplet")[0], scores={"theme": score})
    return poem, Draft(prompt, text, 2.0, (), perfect)


def test_bits_are_those_of_the_policy_per_character(policy):
    drafts = [option(text, 0.5)[1] for text in TEXTS]
    for text, bits in zip(TEXTS, bits_per_char(policy, drafts), strict=True):
        (nats,) = -policy.log_prob(policy.write([COUPLET], [text])).sum(1)
        assert bits == pytest.approx(nats.item() / math.log(2) / len(text), rel=1e-4)


def test_lines_that_were_given_are_not_counted(policy):
    prompt = dataclasses.replace(COUPLET, opening=(LINES[0],))
    (bits,) = bits_per_char(policy, [option(TEXTS[0], 0.5, prompt=prompt)[1]])
    with torch.no_grad():
        (nats,) = -policy.log_prob(policy.write([prompt], [TEXTS[0]])).sum(1)
    assert bits == pytest.approx(nats.item() / math.log(2) / (len(LINES[1]) + 1), rel=1e-4)


def test_among_equal_rewards_the_likeliest_is_shown_and_among_equally_likely_ones_the_best_rewarded(policy, monkeypatch):
    options = [option(text, 0.5) for text in TEXTS]
    bits = bits_per_char(policy, [draft for _, draft in options])
    assert chosen(policy, options)[1].text == TEXTS[bits.index(min(bits))]
    monkeypatch.setattr(choice, "bits_per_char", lambda policy, drafts: [1.0] * len(drafts))
    assert chosen(policy, [option(text, score) for text, score in zip(TEXTS, (0.2, 0.9, 0.4, 0.1), strict=True)])[1].text == TEXTS[1]


@pytest.mark.parametrize("order", [1, -1])
def test_places_in_the_two_orders_are_added(policy, monkeypatch, order):
    told = dict(zip(TEXTS, ((0.9, 1.9), (0.8, 1.1), (0.7, 1.8), (0.1, 1.0)), strict=True))  # reward, bits
    monkeypatch.setattr(choice, "bits_per_char", lambda policy, drafts: [told[draft.text][1] for draft in drafts])
    options = [option(text, told[text][0]) for text in TEXTS[::order]]
    assert chosen(policy, options)[1].text == TEXTS[1]  # second by rewards, second by bits: no unit decides, only places


def test_drafts_that_were_not_accepted_are_ordered_by_rewards_alone(policy, monkeypatch):
    monkeypatch.setattr(choice, "bits_per_char", lambda policy, drafts: pytest.fail("a broken poem may be likely"))
    options = [option(TEXTS[0], 0.3, perfect=False), option(TEXTS[1], 0.6), option(TEXTS[2], 0.1)]
    assert chosen(policy, options) is options[1]
    assert chosen(policy, options[:1]) is options[0]
    assert chosen(object(), [option(TEXTS[0], 0.1), option(TEXTS[1], 0.2)])[1].text == TEXTS[1]  # a policy that gives no bits
