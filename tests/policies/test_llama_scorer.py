"""Reading a Llama by hand gives what transformers and autograd give: log-probabilities, gradients, states, entropies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from policies.causal_lm import CausalPolicy
from policies.llama import scorer
from policies.llama.scorer import can_read
from rlpoet.rollout import Rollout
from rlpoet.types import Prompt

PROMPTS = (Prompt("fr", "couplet"), Prompt("fr", "quatrain-abab", "Paul Verlaine"))


@pytest.fixture(scope="module")
def policy() -> CausalPolicy:
    return tiny_policy()


@pytest.fixture(scope="module")
def rollout(policy: CausalPolicy) -> Rollout:
    """Poems of different lengths, of two prompts of different lengths."""
    texts = ["\n".join(BAUDELAIRE[:2]), "\n".join(BAUDELAIRE), "\n".join(VERLAINE[:2]), "\n".join(VERLAINE[:4])]
    return policy.write([PROMPTS[0], PROMPTS[1], PROMPTS[0], PROMPTS[1]], texts)


def through_transformers(policy: CausalPolicy, rollout: Rollout) -> Tensor:
    """``log_prob`` of a model to which somebody listens, which is read by its own forward."""
    handle = policy.model.register_forward_hook(lambda *_: None)
    try:
        assert not can_read(policy.model)
        return policy.log_prob(rollout)
    finally:
        handle.remove()


def gradients(policy: CausalPolicy, log_p: Tensor) -> dict[str, Tensor]:
    """Of a sum whose every term counts differently."""
    policy.model.zero_grad(set_to_none=True)
    weights = torch.linspace(-1, 1, log_p.numel(), dtype=log_p.dtype).view(log_p.shape)
    (weights * log_p).sum().backward()
    return {name: p.grad.clone() for name, p in policy.model.named_parameters() if p.grad is not None}


def test_log_probabilities_and_all_gradients_are_those_of_transformers(policy: CausalPolicy, rollout: Rollout) -> None:
    assert can_read(policy.model) and len(set(rollout.n_tokens.tolist())) > 1
    theirs, ours = through_transformers(policy, rollout), policy.log_prob(rollout)
    assert torch.allclose(ours, theirs, atol=1e-4)
    wanted, found = gradients(policy, theirs), gradients(policy, ours)
    assert wanted.keys() == found.keys() == dict(policy.model.named_parameters()).keys()
    for name, grad in wanted.items():
        assert (found[name] - grad).norm() < 1e-4 * grad.norm(), name


@pytest.mark.parametrize(("heads", "groups"), [(4, 2), (2, 2), (4, 1)])
def test_heads_may_share_their_keys_in_any_groups(policy: CausalPolicy, rollout: Rollout, heads: int, groups: int) -> None:
    torch.manual_seed(0)
    width = policy.model.config.hidden_size
    config = LlamaConfig(
        **policy.model.config.to_dict() | {"num_attention_heads": heads, "num_key_value_heads": groups, "head_dim": width // heads}
    )
    other = CausalPolicy(LlamaForCausalLM(config).eval(), policy.tokenizer, policy.format, seed=0)
    with torch.no_grad():  # sharp enough that a head in another's place shows
        for parameter in other.model.parameters():
            parameter.mul_(6.0 if parameter.ndim == 2 else 1.0)
    theirs, ours = through_transformers(other, rollout), other.log_prob(rollout)
    assert torch.allclose(ours, theirs, atol=1e-3)
    wanted, found = gradients(other, theirs), gradients(other, ours)
    for name, grad in wanted.items():
        assert (found[name] - grad).norm() < 1e-3 * grad.norm(), name


@pytest.mark.slow
def test_the_backward_pass_is_the_slope_of_the_forward_pass(rollout: Rollout) -> None:
    policy = tiny_policy()
    policy.model.double()
    some = rollout.rows([0, 3])
    found = gradients(policy, policy.log_prob(some))
    weights = torch.linspace(-1, 1, some.ids.numel(), dtype=torch.float64).view(some.ids.shape)
    for name, parameter in policy.model.named_parameters():
        way = torch.randn(parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(way, alpha=sign * 1e-6)
                ends.append((weights * policy.log_prob(some)).sum())
                parameter.sub_(way, alpha=sign * 1e-6)
        slope = ((ends[0] - ends[1]) / 2e-6).item()
        assert (found[name] * way).sum().item() == pytest.approx(slope, rel=1e-4, abs=1e-6), name


def test_frozen_parameters_get_no_gradient_and_change_no_other(policy: CausalPolicy, rollout: Rollout) -> None:
    whole = gradients(policy, policy.log_prob(rollout))
    tables = [policy.model.get_input_embeddings().weight, policy.model.get_output_embeddings().weight]
    for table in tables:
        table.requires_grad_(False)
    try:
        part = gradients(policy, policy.log_prob(rollout))
    finally:
        for table in tables:
            table.requires_grad_(True)
    assert whole.keys() - part.keys() and all("embed" in name or "lm_head" in name for name in whole.keys() - part.keys())
    assert all(torch.equal(whole[name], grad) for name, grad in part.items())


@pytest.mark.parametrize("n_frozen", [1, 2])
def test_no_gradient_goes_below_the_lowest_layer_that_learns(policy: CausalPolicy, rollout: Rollout, n_frozen: int) -> None:
    wanted = gradients(policy, policy.log_prob(rollout))
    embed, layers = policy.model.get_input_embeddings(), policy.model.model.layers
    frozen = [embed.weight, *(p for layer in layers[:n_frozen] for p in layer.parameters())]
    for parameter in frozen:
        parameter.requires_grad_(False)
    try:
        found = gradients(policy, policy.log_prob(rollout))
    finally:
        for parameter in frozen:
            parameter.requires_grad_(True)
    assert not any(name.startswith("model.layers.0.") for name in found)
    for name, grad in found.items():
        if not name.startswith(("model.embed", "lm_head")):  # the tied head is frozen with the embeddings
            assert torch.allclose(grad, wanted[name], atol=1e-6), name


def test_what_the_prior_has_read_of_shared_layers_is_not_read_again(rollout: Rollout, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tiny_policy()
    prior = policy.reference()
    wanted = gradients(policy, policy.log_prob(rollout))
    policy.model.get_input_embeddings().weight.requires_grad_(False)
    for parameter in policy.model.model.layers[0].parameters():
        parameter.requires_grad_(False)
    with torch.no_grad():  # the layers above differ from the prior's
        policy.model.model.layers[1].mlp.down_proj.weight.mul_(1.5)
    apart = policy.log_prob(rollout)  # alone; from now on the prior leaves what is shared
    n_read, layer = [], scorer._layer
    monkeypatch.setattr(scorer, "_layer", lambda *args: (n_read.append(1), layer(*args))[1])
    with torch.no_grad():
        prior.log_prob(rollout)
    n_prior = len(n_read)
    together = policy.log_prob(rollout)
    n_layers = len(policy.model.model.layers)
    assert len(n_read) - n_prior == n_prior * (n_layers - 1) // n_layers
    assert torch.equal(apart, together)
    found = gradients(policy, together)
    assert torch.allclose(torch.cat([g.flatten() for g in gradients(policy, policy.log_prob(rollout)).values()]),
                          torch.cat([g.flatten() for g in found.values()]), atol=1e-6)  # fmt: skip
    assert found.keys() < wanted.keys()


def test_states_of_other_weights_or_another_batch_are_not_taken(rollout: Rollout) -> None:
    policy = tiny_policy()
    prior = policy.reference()
    for parameter in (policy.model.get_input_embeddings().weight, *policy.model.model.layers[0].parameters()):
        parameter.requires_grad_(False)
    policy.log_prob(rollout)
    with torch.no_grad():
        prior.log_prob(rollout)
        policy.model.model.layers[0].mlp.down_proj.weight.mul_(2.0)
    other = tiny_policy()
    with torch.no_grad():
        other.model.model.layers[0].mlp.down_proj.weight.mul_(2.0)
    assert torch.allclose(policy.log_prob(rollout), other.log_prob(rollout), atol=1e-6)
    with torch.no_grad():
        prior.log_prob(rollout)
    fewer = rollout.rows([2, 3])
    assert torch.allclose(policy.log_prob(fewer), other.log_prob(fewer), atol=1e-6)


def test_rows_keep_their_places_whatever_stands_beside_them(policy: CausalPolicy, rollout: Rollout) -> None:
    with torch.no_grad():
        together = policy.log_prob(rollout)
        for row in range(len(rollout)):
            alone = policy.log_prob(rollout.rows([row]))
            assert torch.allclose(together[row, : alone.shape[1]], alone[0], atol=1e-4)
    assert bool((together[~rollout.chosen] == 0).all())


def test_a_row_of_which_nothing_was_drawn_is_all_zeros(policy: CausalPolicy, rollout: Rollout) -> None:
    chosen = rollout.chosen.clone()
    chosen[1] = False
    silent = replace(rollout, chosen=chosen)
    with torch.no_grad():
        log_p, whole = policy.log_prob(silent), policy.log_prob(rollout)
    assert log_p[1].abs().sum() == 0 and torch.allclose(log_p[2:], whole[2:], atol=1e-4)


def test_states_and_entropies_are_those_of_the_models_head(policy: CausalPolicy, rollout: Rollout) -> None:
    heard: list[tuple[Tensor, Tensor]] = []
    handle = policy.model.get_output_embeddings().register_forward_hook(lambda _, args, output: heard.append((args[0], output)))
    with torch.no_grad():
        policy.log_prob(rollout)
        handle.remove()
        told = policy.score_tokens(rollout)
    assert told is not None
    states, logits = heard[0]
    logits[:, policy.pad] = -30.0
    entropy = torch.distributions.Categorical(logits=logits.double()).entropy()
    assert torch.allclose(told.states, states, atol=1e-4)
    assert torch.allclose(told.entropy.double(), entropy, atol=1e-4)


@pytest.mark.slow
def test_half_precision_is_near_and_its_gradients_point_the_same_way(rollout: Rollout) -> None:
    policy = CausalPolicy.load("fr")
    drawn = policy.sample([Prompt("fr", "couplet")], 6)
    exact = policy.log_prob(drawn)
    wanted = gradients(policy, exact)
    policy.precision = torch.bfloat16
    coarse = policy.log_prob(drawn)
    found = gradients(policy, coarse)
    assert (coarse - exact).abs().max() < 0.5 and (coarse - exact)[drawn.chosen].mean().abs() < 0.01
    one, other = (torch.cat([grads[name].flatten() for name in wanted]) for grads in (wanted, found))
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.995


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers the old way
def test_a_model_with_gradient_checkpointing_or_dropout_reads_for_itself() -> None:
    policy = tiny_policy()
    assert can_read(policy.model)
    policy.model.model.gradient_checkpointing = True
    assert not can_read(policy.model)
    for lora, readable in (("r=2", True), ("r=2,dropout=0.1", False)):
        policy = tiny_policy()
        policy.adapt(lora)
        assert can_read(policy.model) is readable
    peft = pytest.importorskip("peft")
    assert not can_read(peft.get_peft_model(tiny_policy().model, peft.LoraConfig(r=2, target_modules=["q_proj"])))  # wrapped by another


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
def test_an_adapter_is_read_and_taught_as_transformers_would(rollout: Rollout, tmp_path: Path) -> None:
    policy = tiny_policy()
    free = policy.log_prob(rollout).detach()
    policy.adapt("r=2,alpha=8")
    assert torch.allclose(policy.log_prob(rollout), free, atol=1e-5)  # it begins as nothing
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    theirs, ours = through_transformers(policy, rollout), policy.log_prob(rollout)
    assert torch.allclose(ours, theirs, atol=1e-3) and not torch.allclose(ours, free, atol=0.1)
    wanted, found = gradients(policy, theirs), gradients(policy, ours)
    assert wanted.keys() == found.keys() and all("lora" in name for name in wanted)
    for name, grad in wanted.items():
        assert (found[name] - grad).norm() < 1e-3 * grad.norm(), name
    policy.save(tmp_path)
    again = CausalPolicy.load(tmp_path)
    assert not any("lora" in name for name, _ in again.model.named_parameters())
    assert torch.allclose(again.log_prob(rollout), ours, atol=1e-3)


def test_a_second_backward_pass_of_one_reading_is_refused(policy: CausalPolicy, rollout: Rollout) -> None:
    total = policy.log_prob(rollout).sum()
    total.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="one backward pass a reading"):
        total.backward()
