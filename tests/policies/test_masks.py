"""What a grammar masked while a batch was drawn is told again afterwards, and is then no part of its log-probabilities."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer, save_plain
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.formats import grammar, plain_grammar
from policies.llama.scorer import can_read
from rlpoet.rollout import Rollout, follows_masks, join
from rlpoet.training.ppo.critic import entropies, listened
from rlpoet.types import Prompt

PROMPTS = [Prompt("fr", "quatrain-abab", "Paul Verlaine"), Prompt("fr", "couplet")]


def plain_policy(folder: Path) -> CausalPolicy:
    tokenizer = plain_tokenizer()
    return CausalPolicy.load(str(save_plain(folder / "plain", gpt2(tokenizer), tokenizer)), lang="fr")


def drawn(policy: CausalPolicy, kind: type, monkeypatch: pytest.MonkeyPatch) -> tuple[Rollout, list[list[list[bool]]]]:
    """A batch, and what was masked at each step of its drawing, live rows of the batch in order."""
    steps: list[list[list[bool]]] = []
    allow = kind.allow

    def noted(self, logits):
        allow(self, logits)
        steps.append(torch.isinf(logits).tolist())

    monkeypatch.setattr(kind, "allow", noted)
    return policy.sample(PROMPTS, 6, max_new_tokens=40), steps


@pytest.mark.parametrize("plain", [False, True])
def test_the_bars_are_those_of_the_draw(plain: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    policy = plain_policy(tmp_path) if plain else tiny_policy()
    kind = plain_grammar.PlainGrammar if plain else grammar.Grammar
    rollout, steps = drawn(policy, kind, monkeypatch)
    masked = policy.masked(rollout)
    assert masked.token_masks is not None and masked.mask_of is not None and follows_masks(masked).all()
    starts, lengths = rollout.chosen.int().argmax(1).tolist(), rollout.n_tokens.tolist()
    for step, never in enumerate(steps):
        live = [row for row, n in enumerate(lengths) if step < n]
        told = torch.stack([masked.token_masks[masked.mask_of[row, starts[row] + step]] for row in live])
        told[:, policy.pad] = True
        wanted = torch.tensor(never)
        wanted[:, policy.pad] = True
        assert torch.equal(told, wanted)


def test_held_tokens_are_as_likely_as_they_were_in_the_draw() -> None:
    policy = tiny_policy()
    rollout = policy.sample(PROMPTS, 6)
    masked = policy.masked(rollout)
    free, ours = policy.log_prob(rollout), policy.log_prob(masked)
    assert can_read(policy.model) and (ours >= free - 1e-5).all() and (ours - free).sum() > 0.1
    handle = policy.model.register_forward_hook(lambda *_: None)  # read by its own forward
    theirs = policy.log_prob(masked)
    _, _, logits = listened(policy, masked)
    handle.remove()
    assert torch.allclose(ours, theirs, atol=1e-4)
    assert masked.token_masks is not None and masked.mask_of is not None
    among = logits.masked_fill(masked.token_masks[masked.mask_of[masked.chosen]], -torch.inf)
    among[:, policy.pad] = -torch.inf
    assert torch.allclose(among.log_softmax(-1).gather(1, masked.ids[masked.chosen][:, None]).squeeze(1), ours[masked.chosen], atol=1e-4)
    told = policy.score_tokens(masked)
    assert told is not None and torch.allclose(told.entropy, entropies(logits, policy.pad, masked), atol=1e-4)
    part = masked.rows([3, 0])
    assert torch.allclose(policy.log_prob(part).sum(1), ours.sum(1)[[3, 0]], atol=1e-4)


def test_batches_joined_are_as_likely_as_apart_and_one_without_masks_stays_so() -> None:
    policy = tiny_policy()
    first, second = (policy.masked(policy.sample(PROMPTS, 3)) for _ in range(2))
    free = policy.sample(PROMPTS[:1], 2)
    whole = join([first, second, free], pad=policy.pad)
    apart = torch.cat([policy.log_prob(part).sum(1) for part in (first, second, free)])
    assert torch.allclose(policy.log_prob(whole).sum(1), apart, atol=1e-4)


def test_what_the_grammar_would_never_draw_is_known_by_its_masks() -> None:
    policy = tiny_policy()
    good = policy.sample(PROMPTS, 3)
    ids, row = good.ids.clone(), 2
    at = int(good.chosen[row].nonzero()[1])  # the first word of a line: no mark may stand there
    ids[row, at] = policy.end
    assert follows_masks(policy.masked(replace(good, ids=ids))).tolist() == [n != row for n in range(len(good))]
    assert follows_masks(good).all()  # nothing is known of what was masked


def test_no_gradient_moves_odds_to_what_is_barred() -> None:
    """Pushed down, a token drawn free of masks lifts all others, and those that cannot be drawn are never pushed down again."""
    policy = tiny_policy()
    rollout = policy.sample(PROMPTS, 6)
    masked = policy.masked(rollout)
    assert masked.token_masks is not None and masked.mask_of is not None
    at = torch.zeros_like(masked.chosen)
    first = int(masked.chosen[0].int().argmax())
    at[0, first] = True
    never = masked.token_masks[masked.mask_of[0, first]].clone()
    never[masked.ids[0, :first]] = False  # those learn as what was read: the head is the table of embeddings
    lifted = []
    for batch in (rollout, masked):
        head = policy.model.get_output_embeddings().weight
        policy.model.zero_grad(set_to_none=True)
        policy.log_prob(batch)[at].sum().backward()
        lifted.append(head.grad[never].abs().sum().item())
    assert lifted[0] > 0 and lifted[1] == 0
