"""Architectures of every kind are drawn from, weighed and trained alike: attention, sliding windows, convolutions, recurrences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_plain import ARCHITECTURES, plain_tokenizer, tiny_model

from policies.causal_lm import CausalPolicy
from policies.formats.plain import PlainFormat
from policies.hub import decoder as hub_decoder_module
from policies.hub import scorer
from policies.hub.decoder import CachedDecoder, RereadingDecoder, cache_works, hub_decoder
from rlpoet.training.ppo.critic import listened
from rlpoet.types import Prompt

COUPLET, QUATRAIN = Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab", "Victor Hugo")
WITHOUT_CACHE = {"rwkv"}  # its state is neither a list of layers nor one that drops rows


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def policy(request) -> CausalPolicy:
    tokenizer = plain_tokenizer()
    return CausalPolicy(tiny_model(request.param, tokenizer), tokenizer, PlainFormat("fr"), seed=1)


def name_of(policy: CausalPolicy) -> str:
    return next(name for name in ARCHITECTURES if policy.model.config.model_type.startswith(name))


def exact(policy: CausalPolicy, rollout) -> torch.Tensor:
    """Log-probabilities of all tokens by one forward pass of transformers a row, PAD left out, ``(B, S)``."""
    rows = torch.zeros(rollout.ids.shape)
    with torch.no_grad():
        for row, ids in enumerate(rollout.ids):
            n = int(rollout.chosen[row].nonzero().amax()) + 1
            logits = policy.model(input_ids=ids[None, :n]).logits[0, :-1].float()
            logits[:, policy.pad] = -30.0
            rows[row, 1:n] = logits.log_softmax(-1).gather(1, ids[1:n, None])[:, 0]
    return rows


def test_steps_give_the_logits_of_the_whole_text_and_rows_may_leave(policy):
    assert cache_works(policy.model) == (name_of(policy) not in WITHOUT_CACHE)
    decoder, plain = hub_decoder(policy.model), RereadingDecoder(policy.model)
    torch.manual_seed(3)
    ids, lengths = torch.randint(5, 300, (3, 6)), torch.tensor([6, 2, 4])
    rows = [ids[row, :n].tolist() for row, n in enumerate(lengths.tolist())]
    with torch.no_grad():
        logits, again = decoder.start(ids, lengths, 40), plain.start(ids, lengths, 40)
        for step in range(24):  # twice as long as the windows
            whole = torch.stack([policy.model(input_ids=torch.tensor([row])).logits[0, -1].float() for row in rows])
            assert torch.allclose(logits, whole, atol=2e-3), f"step {step}"
            assert torch.allclose(again, whole, atol=2e-3), f"step {step}"
            if step == 5:
                for each in (decoder, plain):
                    each.reorder(torch.tensor([2, 0, 2, 1]))
                rows = [list(rows[row]) for row in (2, 0, 2, 1)]
            if step == 9:
                for each in (decoder, plain):
                    each.keep(torch.tensor([0, 3]))
                rows = [rows[0], rows[3]]
            tokens = torch.randint(5, 300, (len(rows),))
            rows = [[*row, token] for row, token in zip(rows, tokens.tolist(), strict=True)]
            logits, again = decoder.step(tokens), plain.step(tokens)


def test_a_cache_that_keeps_rows_it_should_drop_is_not_trusted(policy, monkeypatch):
    monkeypatch.setattr(CachedDecoder, "keep", lambda self, rows: setattr(self, "mask", self.mask[rows]))
    monkeypatch.setattr(hub_decoder_module, "_TRIED", {})
    assert not cache_works(policy.model)
    assert isinstance(hub_decoder(policy.model), RereadingDecoder)


def test_what_is_drawn_is_weighed_as_transformers_weighs_it(policy):
    rollout = policy.sample([COUPLET, QUATRAIN], 2, max_new_tokens=30)
    assert rollout.chosen.any(1).all()
    drawn = rollout.chosen
    assert torch.allclose(policy.log_prob(rollout).detach()[drawn], exact(policy, rollout)[drawn], atol=1e-3)


def test_beams_and_the_greedy_choice_run(policy):
    likeliest = policy.sample([COUPLET], temperature=0.0, max_new_tokens=12)
    assert policy.sample([COUPLET], beams=1, max_new_tokens=12).ids.tolist() == likeliest.ids.tolist()
    assert len(policy.sample([COUPLET], 2, beams=3, max_new_tokens=12)) == 2


@pytest.mark.parametrize("masked", [False, True])
def test_parts_of_rows_and_of_the_head_change_neither_numbers_nor_gradients(policy, masked, monkeypatch):
    rollout = policy.sample([COUPLET, QUATRAIN], 2, max_new_tokens=8)
    rollout = policy.masked(rollout) if masked else rollout
    weights = torch.randn(rollout.chosen.shape, generator=torch.Generator().manual_seed(0))

    def both() -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        policy.model.zero_grad()
        log_p = policy.log_prob(rollout)
        (log_p * weights).sum().backward()
        return log_p.detach(), {name: p.grad.clone() for name, p in policy.model.named_parameters() if p.grad is not None}

    log_p, gradients = both()
    assert gradients
    monkeypatch.setattr(scorer, "LOGITS", 7 * policy.model.config.vocab_size)
    monkeypatch.setattr(policy, "micro_batch", 3)
    again, others = both()
    assert torch.allclose(log_p, again, atol=1e-4)
    assert gradients.keys() == others.keys()
    for name, gradient in gradients.items():
        assert torch.allclose(gradient, others[name], atol=1e-4 * float(gradient.abs().max()) + 1e-6), name


def test_states_and_entropies_are_those_at_the_head(policy, monkeypatch):
    rollout = policy.masked(policy.sample([COUPLET, QUATRAIN], 2, max_new_tokens=20))
    with torch.no_grad():
        told = policy.score_tokens(rollout)
        logits = policy.model(input_ids=rollout.ids[:, :-1]).logits.float()[rollout.chosen[:, 1:]]
    logits[:, policy.pad] = -30.0
    logits = logits.masked_fill(rollout.token_masks[rollout.mask_of[:, 1:][rollout.chosen[:, 1:]]], -1e9)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    assert told.states.shape == (int(rollout.chosen.sum()), 32) and not told.states.requires_grad
    assert torch.allclose(told.entropy, entropy, atol=1e-3)
    assert torch.allclose(told.log_p, policy.log_prob(rollout).detach(), atol=1e-4)


def test_a_critic_listens_to_a_model_that_was_never_read_before(policy):
    fresh = policy.reference()  # a new model, so its trials come now, within the hook of the critic
    rollout = fresh.write([COUPLET], ["Bonjour la mer\nLe vent d'hiver"])
    log_p, states, logits = listened(fresh, rollout)
    n = int(rollout.chosen.sum())
    assert states.shape == (n, 32) and logits.shape == (n, policy.model.config.vocab_size)
    assert torch.allclose(log_p.detach(), policy.log_prob(rollout).detach(), atol=1e-4)


def test_a_model_that_changes_what_its_head_reads_is_weighed_all_the_same(monkeypatch):
    tokenizer = plain_tokenizer()
    model = tiny_model("qwen3", tokenizer)
    monkeypatch.setattr(model.lm_head, "forward", lambda states: torch.nn.functional.linear(states, model.lm_head.weight))
    whole = type(model).forward
    doubled = lambda self, **given: replace_logits(whole(self, **given), 2.0)  # noqa: E731
    monkeypatch.setattr(type(model), "forward", doubled)
    policy = CausalPolicy(model, tokenizer, PlainFormat("fr"), seed=1)
    policy.micro_batch = 2
    rollout = policy.sample([COUPLET, QUATRAIN], 2, max_new_tokens=12)
    drawn = rollout.chosen
    assert not scorer.headed(model) and policy.score_tokens(rollout) is None
    assert torch.allclose(policy.log_prob(rollout).detach()[drawn], exact(policy, rollout)[drawn], atol=1e-3)
    assert listened(policy, rollout)[1].shape == (int(drawn.sum()), 32)


def replace_logits(answer, factor: float):
    answer.logits = answer.logits * factor
    return answer


def test_rows_that_draw_nothing_have_no_log_probability(policy):
    rollout = policy.write([COUPLET], ["Bonjour la mer\nLe vent d'hiver"])
    nothing = replace(rollout, chosen=torch.zeros_like(rollout.chosen))
    assert policy.log_prob(nothing).abs().sum() == 0
