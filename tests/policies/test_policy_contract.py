"""A policy that breaks a promise is caught, each kind by the promise it breaks; ours and the worked example keep them all."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.formats.plain import PlainFormat
from policies.testing.contract import BrokenContractError, check_policy
from rlpoet import registry
from rlpoet.types import Prompt

sys.path.append(str(Path(__file__).parents[2] / "experiments" / "examples" / "policy"))
from word_poet.policy import WordPolicy


def test_our_policy_keeps_the_contract_and_is_left_as_it_was():
    policy = tiny_policy()
    weights, state = copy.deepcopy(policy.model.state_dict()), policy.generator.get_state()
    check_policy(policy, prompts=[Prompt("fr", "couplet")], draws=200)
    assert all(torch.equal(weight, policy.model.state_dict()[name]) for name, weight in weights.items())
    assert torch.equal(policy.generator.get_state(), state)
    assert all(parameter.grad is None for parameter in policy.model.parameters())


class Hot(WordPolicy):
    def sample(self, prompts, n=1, *, temperature=1.0, **decoding):
        return super().sample(prompts, n, temperature=0.05, **decoding)


class Unmasked(WordPolicy):
    """Draws by the rules of the lines, and weighs without them."""

    def log_prob(self, rollout):
        kept, self.banned = self.banned, torch.zeros_like(self.banned)
        try:
            return super().log_prob(rollout)
        finally:
            self.banned = kept


class Improper(WordPolicy):
    """Weighs every token a little too high inside a poem, which no comparison of first tokens can see."""

    def log_prob(self, rollout):
        log_p = super().log_prob(rollout)
        place = rollout.chosen.cumsum(1)
        return torch.where(rollout.chosen & (place > 3), log_p + 0.05, log_p).clamp_max(0)


class OfTheBatch(WordPolicy):
    def log_prob(self, rollout):
        log_p = super().log_prob(rollout)
        return torch.where(rollout.chosen, log_p - 0.01 * (len(rollout) - 1), log_p)


class OfThePadding(WordPolicy):
    def log_prob(self, rollout):
        log_p = super().log_prob(rollout)
        return torch.where(rollout.chosen, log_p - 0.01 * (rollout.ids == self.pad).sum(1, keepdim=True), log_p)


class Rounded(WordPolicy):
    """Saves its weights in half precision."""

    def save(self, folder):
        kept = copy.deepcopy(self.model.state_dict())
        with torch.no_grad():
            for weight in self.model.parameters():
                weight.copy_((weight * 8).round() / 8)
        super().save(folder)
        self.model.load_state_dict(kept)


class Global(WordPolicy):
    """Draws from torch's own generator."""

    def sample(self, prompts, n=1, **decoding):
        kept, self.generator = self.generator, torch.default_generator
        try:
            return super().sample(prompts, n, **decoding)
        finally:
            self.generator = kept


class Stuck(WordPolicy):
    def sample(self, prompts, n=1, **decoding):
        self.generator.manual_seed(5)
        return super().sample(prompts, n, **decoding)


class Follower(WordPolicy):
    """Its reference has the policy's own weights."""

    def reference(self):
        twin = type(self)(copy.deepcopy(self.model).requires_grad_(False), self.lang)
        for own, theirs in zip(twin.model.parameters(), self.model.parameters(), strict=True):
            own.data = theirs.data
        return twin


class Learner(WordPolicy):
    def reference(self):
        return type(self)(copy.deepcopy(self.model), self.lang)


class Frozen(WordPolicy):
    def log_prob(self, rollout):
        return super().log_prob(rollout).detach()


class Talkative(WordPolicy):
    """Gives log-probabilities to tokens of the prompt too."""

    def log_prob(self, rollout):
        return super().log_prob(rollout) - 0.1 * ~rollout.chosen


@pytest.mark.parametrize(
    ("kind", "promise"),
    [
        (Hot, "tokens of 600 poems are not those that log_prob expects"),
        (Unmasked, "not those that log_prob expects"),
        (Improper, "the probabilities of all tokens at one place sum to 1.05"),
        (OfTheBatch, "one row at a time; expected a row to depend on itself alone"),
        (OfThePadding, "expected a row to depend on itself alone"),
        (Rounded, "nats after saving and opening; expected the same numbers"),
        (Global, "expected policy.generator to be the only source of chance"),
        (Stuck, "the same poems with another seed"),
        (Follower, "a step of the policy moves its reference"),
        (Learner, "reference has parameters that learn"),
        (Frozen, "log_prob has no gradient"),
        (Talkative, "not 0 where chosen is False"),
    ],
)
def test_a_broken_policy_is_caught(kind, promise):
    with pytest.raises(BrokenContractError, match=promise):
        check_policy(kind.load("fr"), prompts=[Prompt("fr", "couplet")])


def test_a_registered_class_has_to_name_itself_in_its_folder(monkeypatch):
    class Nameless(WordPolicy):
        def save(self, folder):
            super().save(folder)
            (Path(folder) / registry.CLASS_FILE).unlink()

    load = registry.load
    monkeypatch.setattr(registry, "names", lambda group: ("causal-lm", "word-gru"))
    monkeypatch.setattr(registry, "load", lambda group, name: Nameless if name == "word-gru" else load(group, name))
    with pytest.raises(BrokenContractError, match="save names the class 'causal-lm'; expected 'word-gru'"):
        check_policy(Nameless.load("fr"), prompts=[Prompt("fr", "couplet")], draws=50)


def test_a_plain_model_keeps_the_contract():
    tokenizer = plain_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    policy = CausalPolicy(gpt2(tokenizer), tokenizer, PlainFormat("fr"))
    check_policy(policy, prompts=[Prompt("fr", "couplet")], draws=60)
