"""A policy on a GPU: what it computes there meets what a rollout holds on the CPU. On an emulated GPU, against the CPU's numbers."""

from __future__ import annotations

import pytest
import torch
from emulated_device import EmulatedTensor, emulated_gpu
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.completion.draws import weigh
from rlpoet.rollout import join
from rlpoet.training.distributed import ranks
from rlpoet.training.distributed.ranks import Group
from rlpoet.training.ppo.critic import ModelCritic
from rlpoet.types import Prompt

OPENED = Prompt("fr", "couplet", opening=(BAUDELAIRE[0],))


@pytest.fixture
def policies():
    """The same policy twice: on the CPU, and on the GPU."""
    with emulated_gpu():
        there = tiny_policy()
        there.model.to("cuda")
        yield tiny_policy(), there


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"temperature": 0.0}, {"theme": ("mers",)}, {"repetition_penalty": 1.3, "no_repeat_ngram": 2}, {"top_k": 5, "top_p": 0.9},
     {"beams": 2}, {"constrained": False}],
)  # fmt: skip
def test_poems_are_drawn_there_and_weighed_there_as_here(policies, options):
    here, there = policies
    rollout = there.sample([Prompt("fr", "couplet"), OPENED], 2, max_new_tokens=12, **options)
    assert not any(isinstance(value, EmulatedTensor) for value in vars(rollout).values())  # a rollout is the CPU's
    if options.get("temperature") == 0.0:  # other draws take the pieces in another order
        assert torch.equal(rollout.ids, here.sample([Prompt("fr", "couplet"), OPENED], 2, max_new_tokens=12, **options).ids)
    masked = rollout if "constrained" in options else there.masked(rollout)
    rollout = join([masked, masked.rows([1])], pad=there.pad)
    weighed = [policy.log_prob(rollout) for policy in policies]
    assert weighed[1].is_cuda and torch.allclose(weighed[0], weighed[1].cpu(), atol=1e-3)


def test_lines_that_complete_a_poem_are_weighed_there_as_here(policies):
    here, there = (weigh(policy, OPENED, [[BAUDELAIRE[1]], [BAUDELAIRE[2]]]) for policy in policies)
    assert there == pytest.approx(here, abs=1e-2) and here[0] != here[1]


def test_a_critic_with_a_model_lies_in_one_place_so_that_ranks_can_average_it(policies, monkeypatch):
    monkeypatch.setattr(ranks.dist, "all_reduce", lambda row: None)
    for policy in policies:
        critic = ModelCritic(policy, torch.float32)
        rollout = policy.write([OPENED], [f"{BAUDELAIRE[0]}\n{BAUDELAIRE[1]}"])
        values = critic.values(rollout, critic.prepared(torch.zeros(0, 32)), [0])
        assert values.shape == (int(rollout.chosen.sum()),) and values.device.type == "cpu"
        values.sum().backward()
        before = critic.out.bias.grad.clone()
        group = object.__new__(Group)
        group.average(critic.parameters(), 2.0)
        assert {p.device for p in critic.parameters()} == {next(policy.model.parameters()).device}
        assert torch.allclose(critic.out.bias.grad, before)
