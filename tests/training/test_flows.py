"""Learned flows and the buffer by hand: where a flow starts, what a line is paid, which text is kept and drawn."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.causal_lm import CausalPolicy
from rlpoet.rollout import Rollout
from rlpoet.training.gflownet.flows import Flows, line_gains, lines_of, read_states
from rlpoet.training.gflownet.replay import Replay
from rlpoet.types import Prompt

COUPLET = Prompt("fr", "couplet")


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


# -- flows ------------------------------------------------------------------------------------------


def test_flows_begin_at_the_mean_reward_still_to_come_whatever_the_states() -> None:
    flows, states = Flows(4, 4), torch.randn(5, 3, 4, generator=torch.Generator().manual_seed(0))
    assert flows(states, 7.0).tolist() == [[0.0] * 3] * 5
    flows.settle(torch.tensor([[0.5, 0.0, 0.25], [0.0, 0.5, 0.25]]))
    assert flows(states, 1.0).tolist() == [[0.75, 0.5, 0.25]] * 5 and flows.offset.tolist() == [0.75, 0.5, 0.25, 0.0]
    assert flows(states, 4.0).tolist() == [[3.0, 2.0, 1.0]] * 5  # in units of beta


def test_flows_settle_once_and_remember_it_in_a_checkpoint() -> None:
    flows, again = Flows(4, 3), Flows(4, 3)
    flows.settle(torch.tensor([[0.5, 0.5]]))
    flows.settle(torch.tensor([[9.0, 9.0]]))
    again.load_state_dict(flows.state_dict())
    again.settle(torch.tensor([[9.0, 9.0]]))
    assert flows.offset.tolist() == again.offset.tolist() == [1.0, 0.5, 0.0]


def test_what_no_line_owns_is_paid_at_the_last_line_that_was_written() -> None:
    asked = [Prompt("fr", "quatrain-abab"), Prompt("fr", "quatrain-abab", None, BAUDELAIRE[:1])]
    gains = line_gains([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3]], [1.0, 1.0], asked, torch.tensor([3, 2]), 4)
    assert torch.allclose(gains, torch.tensor([[0.1, 0.2, 0.7, 0.0], [0.3, 0.7, 0.0, 0.0]]))


def by_hand(chosen: list[int], line_ends: list[int]) -> Rollout:
    marks = torch.tensor([line_ends])
    held = torch.tensor([chosen], dtype=torch.bool)
    return Rollout((COUPLET,), ("",), torch.zeros(held.shape, dtype=torch.long), held, torch.ones(1, dtype=torch.bool), marks, marks)


def test_the_mark_after_a_line_is_part_of_it_and_nodes_stand_before_each_line() -> None:
    line_of, last, nodes = lines_of(by_hand([0, 0, 1, 1, 1, 1, 1, 0], [3, 5]))  # two tokens and a mark, one and its mark, padding
    assert line_of[0, :7].tolist() == [0, 0, 0, 0, 0, 1, 1] and last.tolist() == [2] and nodes.tolist() == [[1, 4]]
    assert line_of.max() == 1  # padding belongs to no third line


def test_a_text_without_a_finished_line_has_one_line_all_the_same() -> None:
    line_of, last, nodes = lines_of(by_hand([0, 1, 1], [-1]))
    assert line_of.tolist() == [[0, 0, 0]] and last.tolist() == [1] and nodes.tolist() == [[0]]


def test_reading_states_leaves_no_hook_behind(policy) -> None:
    batch = policy.write([COUPLET], ["\n".join(BAUDELAIRE[:2])])
    _, _, nodes = lines_of(batch)
    read_states(policy, batch, nodes)
    assert not policy.model.base_model._forward_hooks


# -- the buffer -------------------------------------------------------------------------------------


def offered(policy: CausalPolicy, *texts: str) -> Rollout:
    return policy.write([COUPLET] * len(texts), list(texts))


def kept(replay: Replay, prompt: Prompt = COUPLET) -> dict[str, float]:
    return {own.rollout.texts[0]: own.score for own in replay.kept[prompt].values()}


def test_texts_are_alike_by_their_last_words_in_any_case(policy) -> None:
    one, shout, first_words = "la mer\nles hommes", "La MER\nLes Hommes", "la mer amers\nles hommes voyage"
    replay = Replay(4)
    replay.add(offered(policy, one, shout, first_words), [0.5, 0.4, 0.5], [-1.0] * 3)
    assert kept(replay) == {one: 0.5, first_words: 0.5}
    replay.add(offered(policy, shout), [0.5], [-1.0])  # no better: the text that was there stays
    assert kept(replay) == {one: 0.5, first_words: 0.5}
    replay.add(offered(policy, shout), [0.6], [-1.0])
    assert kept(replay) == {shout: 0.6, first_words: 0.5} and len(replay) == 2


def test_a_buffer_holds_as_many_as_it_may_and_drops_the_worst(policy) -> None:
    texts = [f"l'ombre\n{word}" for word in ("mer", "amers", "hommes", "voyage")]
    replay = Replay(3)
    replay.add(offered(policy, *texts), [0.3, 0.1, 0.4, 0.2], [-1.0] * 4)
    assert sorted(kept(replay).values()) == [0.2, 0.3, 0.4]


def test_each_text_is_drawn_once_the_better_the_likelier_and_one_worth_nothing_too(policy) -> None:
    replay = Replay(3)
    replay.add(offered(policy, "la mer\nles hommes", "la mer\nle voyage"), [0.95, 0.0], [-1.0, -2.0])
    first = Counter(replay.draw(COUPLET, 1, random.Random(seed))[0].score for seed in range(2000))
    assert first[0.0] / 2000 == pytest.approx(0.05 / 1.05, abs=0.02) and first[0.0] > 0
    assert sorted(own.score for own in replay.draw(COUPLET, 5, random.Random(0))) == [0.0, 0.95]
    assert replay.draw(Prompt("fr", "quatrain-abab"), 2, random.Random(0)) == []


def test_a_restored_buffer_has_all_that_it_held(policy) -> None:
    prompt = Prompt("fr", "quatrain-abab", "Paul Verlaine", BAUDELAIRE[:1])
    replay = Replay(2)
    replay.add(policy.write([prompt], ["\n".join(BAUDELAIRE)]), [0.5], [-12.5])
    again = Replay.restore(replay.state(), 2)
    (own,), (was,) = again.kept[prompt].values(), replay.kept[prompt].values()
    assert again.per_prompt == 2 and (own.score, own.log_prior, own.rollout.texts) == (0.5, -12.5, was.rollout.texts)
    assert own.rollout.prompts == (prompt,) and torch.equal(own.rollout.end_words, was.rollout.end_words)
    assert list(again.kept[prompt]) == list(replay.kept[prompt])
