"""Line-level search: each line is the best of its draws, by its form and then by its likelihood."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.causal_lm import CausalPolicy
from policies.decoding import line_search
from policies.decoding.line_search import lacks, search_lines
from policies.decoding.sampler import Decoding
from policies.formats.plain import PlainFormat
from policies.generation.config import GenerateConfig
from policies.generation.generate import check
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout
from rlpoet.text import split_poem
from rlpoet.training.config import TrainConfig
from rlpoet.types import Prompt

COUPLET = Prompt("fr", "couplet")


def plain(*, planned: bool) -> CausalPolicy:
    tokenizer = plain_tokenizer()
    policy = CausalPolicy(gpt2(tokenizer, positions=600), tokenizer, PlainFormat("fr", planned=planned), seed=1)
    if planned:
        policy.codec.longest = 5
    return policy


POLICIES = {"verse": tiny_policy, "plain": lambda: plain(planned=False), "planned": lambda: plain(planned=True)}


@pytest.mark.parametrize("name", POLICIES)
def test_poems_of_any_format_are_whole_and_their_openings_kept(name, monkeypatch):
    monkeypatch.setattr(line_search, "in_meter", lambda *_: True)
    policy = POLICIES[name]()
    opened = Prompt("fr", "quatrain-abab", opening=BAUDELAIRE[:2])
    room = Decoding(max_new_tokens=policy.codec.line_room)
    texts = search_lines(policy, [COUPLET, opened], 2, room, allow_identical_rhyme=True)
    assert split_poem(texts[1])[:2] == list(BAUDELAIRE[:2])
    assert [len(split_poem(text)) for text in texts] == [2, 4] or name == "verse"  # whose random lines may never end


def test_a_line_that_keeps_its_form_is_kept_and_of_several_the_likeliest(monkeypatch):
    policy = plain(planned=True)
    judged: dict[str, int] = {}

    def judge(prompt: Prompt, line: str) -> int:
        judged[line] = sum(map(ord, line)) % 2  # a form that half of all lines keep
        return judged[line]

    likely: dict[str, float] = {}
    log_prob = policy.log_prob

    def noted(rollout: Rollout) -> torch.Tensor:
        assert rollout.token_masks is not None  # of the distribution that is drawn
        log_p = log_prob(rollout)
        likely.update(zip((split_poem(text)[-1] for text in rollout.texts), log_p.sum(1).tolist(), strict=True))
        return log_p

    monkeypatch.setattr(policy, "log_prob", noted)
    monkeypatch.setattr(line_search, "lacks", judge)
    prompt = replace(COUPLET, opening=("Le navire des mers",))
    text = search_lines(policy, [prompt], 8, Decoding(max_new_tokens=60), allow_identical_rhyme=True)
    line = split_poem(text[0])[1]
    assert len(judged) > 2 and judged[line] == min(judged.values())
    assert likely[line] == max(likely[other] for other, n in judged.items() if n == judged[line])


def test_what_a_line_lacks_is_its_length_and_its_rhyme():
    prompt = Prompt("fr", "quatrain-abab", opening=BAUDELAIRE[:2])
    assert lacks(prompt, BAUDELAIRE[2]) == 0
    assert lacks(prompt, BAUDELAIRE[3]) == 1
    assert lacks(prompt, "Compagnons de voyage") == 1
    assert lacks(prompt, "La mer") == 2
    assert lacks(Prompt("fr", "quatrain-abab"), "La mer") == 1  # nothing to rhyme with yet


def test_more_draws_of_a_line_keep_more_of_the_form(monkeypatch):
    policy = plain(planned=True)
    odd = lambda prompt, line: sum(map(ord, line)) % 2  # noqa: E731 - a form that half of all lines keep
    monkeypatch.setattr(line_search, "lacks", odd)
    seen = {}
    for k in (1, 6):
        policy.generator.manual_seed(3)
        texts = search_lines(policy, [COUPLET] * 6, k, Decoding(max_new_tokens=60), allow_identical_rhyme=True)
        seen[k] = sum(odd(COUPLET, line) for text in texts for line in split_poem(text))
    assert seen[6] <= 1 < seen[1]


def test_a_poem_breaks_off_where_a_model_has_no_positions_left_and_others_go_on():
    tokenizer = plain_tokenizer()
    policy = CausalPolicy(gpt2(tokenizer, positions=150), tokenizer, PlainFormat("fr"), seed=1)
    long = Prompt("fr", "quatrain-abab", opening=("Le navire des mers, " * 14,))
    n_left = 150 - len(policy.start_ids(long))
    assert 0 < n_left < policy.codec.line_room
    short, broken = search_lines(policy, [COUPLET, long], 1, Decoding(max_new_tokens=policy.codec.line_room), allow_identical_rhyme=True)
    assert len(split_poem(short)) == 2 and len(split_poem(broken)) == 1
    texts = policy.sample([Prompt("fr", "quatrain-abab")], best_of_line=2).texts
    assert 1 <= len(split_poem(texts[0])) <= 4


def test_a_line_with_a_given_end_stops_at_the_last_position():
    tokenizer = plain_tokenizer()
    policy = CausalPolicy(gpt2(tokenizer, positions=60), tokenizer, PlainFormat("fr", planned=True), seed=1)
    assert policy.codec.line_room > 60 - len(policy.start_ids(COUPLET))
    assert policy.lines_ending([COUPLET], ["mers"]) is not None
    assert policy.lines_ending([replace(COUPLET, opening=("Le navire des mers, " * 5,))], ["mers"]) == [""]


@pytest.mark.parametrize("more", [{"beams": 8}, {"theme": "mer"}, {"limit": 9}, {"stream": True}, {"best_of_line": 0}])
def test_what_the_search_cannot_do_is_refused(more):
    with pytest.raises(RlpoetError, match="--best_of_line"):
        check(GenerateConfig(**{"best_of_line": 4, **more}))


def test_a_policy_refuses_it_too_and_training_has_no_such_option():
    with pytest.raises(RlpoetError, match="best_of_line: 2"):
        tiny_policy().sample([COUPLET], best_of_line=2, beams=3)
    assert not hasattr(TrainConfig(), "best_of_line")
    rollout = tiny_policy().sample([COUPLET], 2, best_of_line=2)
    assert len(rollout) == 2 and rollout.prompts == (COUPLET, COUPLET)
