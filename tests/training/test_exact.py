"""Every balance objective reaches p0 exp(beta r) on a language of 256 texts, and its gradients are those of finite differences."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlpoet.training.gflownet.objectives import (
    flow_residuals,
    group_flow,
    group_log_z,
    subtrajectory_balance,
    target_log_reward,
    trajectory_balance,
    vargrad,
)

VOCAB, LENGTH, BETA = 4, 4, 3.0
TEXTS = list(itertools.product(range(VOCAB), repeat=LENGTH))
PREFIXES = [p for depth in range(LENGTH) for p in itertools.product(range(VOCAB), repeat=depth)]
PLACE = {p: i for i, p in enumerate(PREFIXES)}
WALK = torch.tensor([[PLACE[t[:k]] for k in range(LENGTH)] for t in TEXTS])  # (N, T): state before each token
TOKENS = torch.tensor(TEXTS)
LINE_OF = torch.tensor([0, 1, 1, 2]).expand(len(TEXTS), LENGTH)  # three lines, of one, two and one token
NODES = WALK[:, [0, 1, 3]]  # the states in which a line begins
LAST = torch.full((len(TEXTS),), 3)
GAINS = torch.stack([0.25 * (TOKENS[:, 0] == 1), 0.25 * (TOKENS[:, 2] == TOKENS[:, 0]), 0.5 * (TOKENS[:, 3] == TOKENS[:, 1])], 1).double()
AT_END = torch.nn.functional.pad(GAINS.sum(1, keepdim=True), (2, 0))
ZERO = torch.zeros(len(TEXTS), dtype=torch.long)


def log_pf_of(logits: torch.Tensor) -> torch.Tensor:
    return logits.log_softmax(-1)[WALK, TOKENS]


PRIOR = log_pf_of(torch.randn(len(PREFIXES), VOCAB, dtype=torch.float64, generator=torch.Generator().manual_seed(11)))
TARGET = target_log_reward(GAINS.sum(1), PRIOR, BETA)
LOG_Z = TARGET.logsumexp(0).item()


def line_steps(log_pf: torch.Tensor, gains: torch.Tensor) -> torch.Tensor:
    return torch.zeros(len(TEXTS), 3, dtype=torch.float64).scatter_add(1, LINE_OF, log_pf - PRIOR) - BETA * gains


def by_vargrad(log_pf, free):
    return vargrad(log_pf, TARGET, ZERO), group_log_z(log_pf, TARGET, ZERO)[0]


def by_learned_log_z(log_pf, free):
    return trajectory_balance(log_pf, TARGET, free[0]), free[0]


def by_flows(gains, *, learned):
    def loss_of(log_pf, free):
        steps, flow = line_steps(log_pf, gains), torch.nn.functional.pad(free[NODES], (0, 1))
        if not learned:
            flow = torch.cat([group_flow(steps, flow, LAST, 0.9, ZERO)[:, None], flow[:, 1:]], 1)
        return subtrajectory_balance(steps, flow, LAST, 0.9).mean(), flow[0, 0]

    return loss_of


OBJECTIVES = {
    "vargrad": by_vargrad,
    "learned": by_learned_log_z,
    "subtb": by_flows(AT_END, learned=False),
    "subtb learned": by_flows(AT_END, learned=True),
    "fl": by_flows(GAINS, learned=False),
    "fl learned": by_flows(GAINS, learned=True),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_objective_reaches_the_exact_target_and_its_log_z(name):
    logits = torch.zeros(len(PREFIXES), VOCAB, dtype=torch.float64, requires_grad=True)
    free = torch.zeros(len(PREFIXES), dtype=torch.float64, requires_grad=True)  # a flow for each state; the first is log Z
    optimizer = torch.optim.Adam([logits, free], lr=0.1)
    steps = 450
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        loss, log_z = OBJECTIVES[name](log_pf_of(logits), free)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    exact = TARGET.softmax(0)
    assert 0.5 * (log_pf_of(logits.detach()).sum(1).exp() - exact).abs().sum() < 0.02
    assert log_z.item() == pytest.approx(LOG_Z, abs=0.02)
    assert 0.5 * (PRIOR.sum(1).exp() - exact).abs().sum() > 0.1  # the prior was not there already


def test_forward_looking_flows_reach_the_target_from_samples_alone():
    generator = torch.Generator().manual_seed(0)
    logits = torch.zeros(len(PREFIXES), VOCAB, dtype=torch.float64, requires_grad=True)
    free = torch.zeros(len(PREFIXES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits, free], lr=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1200)
    for _ in range(1200):
        log_pf = log_pf_of(logits)
        rows = torch.multinomial(log_pf.detach().sum(1).exp(), 64, replacement=True, generator=generator)
        steps, flow = line_steps(log_pf, GAINS)[rows], torch.nn.functional.pad(free[NODES[rows]], (0, 1))
        optimizer.zero_grad()
        subtrajectory_balance(steps, flow, LAST[rows], 0.9).mean().backward()
        optimizer.step()
        schedule.step()
    assert 0.5 * (log_pf_of(logits.detach()).sum(1).exp() - TARGET.softmax(0)).abs().sum() < 0.02
    assert free[0].item() == pytest.approx(LOG_Z, abs=0.02)


def test_the_loss_is_zero_at_the_exact_flows():
    """Flows computed by summing the target over each prefix's texts, as they are defined."""
    mass = torch.zeros(len(PREFIXES), dtype=torch.float64)
    prior = torch.zeros(len(PREFIXES), dtype=torch.float64)
    for k in range(LENGTH):
        mass.index_add_(0, WALK[:, k], TARGET.exp())
        prior[WALK[:, k]] = PRIOR[:, :k].sum(1)
    after = torch.cat([mass[WALK[:, 1:]], TARGET.exp()[:, None]], 1)
    log_pf = (after / mass[WALK]).log()
    flow = torch.nn.functional.pad((mass.log() - prior)[NODES], (0, 1))
    assert subtrajectory_balance(line_steps(log_pf, AT_END), flow, LAST, 0.9).max() < 1e-20


def some(seed: int, rows: int = 5, lines: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    steps = torch.randn(rows, lines, dtype=torch.float64, generator=generator)
    flow = torch.randn(rows, lines + 1, dtype=torch.float64, generator=generator)
    return steps, flow, torch.randint(1, lines + 1, (rows,), generator=generator)


@pytest.mark.parametrize("decay", [0.3, 0.9, 1.5])
def test_gradients_are_those_of_finite_differences(decay):
    steps, flow, last = some(1)
    assert torch.autograd.gradcheck(lambda s, f: subtrajectory_balance(s, f, last, decay), (steps.requires_grad_(), flow.requires_grad_()))


def test_the_detached_log_z_takes_nothing_from_the_gradient():
    """Finite differences move log Z too; at the log Z of least loss that makes no difference."""
    generator = torch.Generator().manual_seed(2)
    log_pf, log_r = (torch.randn(6, *shape, dtype=torch.float64, generator=generator) for shape in ((3,), ()))
    group = torch.tensor([0, 0, 0, 1, 1, 1])
    assert torch.autograd.gradcheck(lambda x: vargrad(x, log_r, group), (log_pf.requires_grad_(),))
    steps, flow, last = some(3, rows=6)

    def loss(s: torch.Tensor) -> torch.Tensor:
        log_z = group_flow(s, flow, last, 0.9, group)
        return subtrajectory_balance(s, torch.cat([log_z[:, None], flow[:, 1:]], 1), last, 0.9).sum()

    assert torch.autograd.gradcheck(loss, (steps.requires_grad_(),))


@given(st.integers(0, 10_000))
def test_the_group_flow_is_the_log_z_of_least_loss(seed):
    steps, flow, last = some(seed)
    best = group_flow(steps, flow, last, 0.9, torch.zeros(5, dtype=torch.long))

    def at(delta: float) -> float:
        return subtrajectory_balance(steps, torch.cat([best[:, None] + delta, flow[:, 1:]], 1), last, 0.9).sum().item()

    assert at(0.0) < min(at(0.1), at(-0.1))


def test_with_one_line_subtb_is_vargrad():
    generator = torch.Generator().manual_seed(4)
    log_pf, log_r = (torch.randn(6, dtype=torch.float64, generator=generator) for _ in range(2))
    group, last = torch.tensor([0, 0, 0, 1, 1, 1]), torch.ones(6, dtype=torch.long)
    steps = (log_pf - log_r)[:, None]
    log_z = group_flow(steps, torch.zeros(6, 2, dtype=torch.float64), last, 0.9, group)
    assert torch.allclose(log_z, group_log_z(log_pf[:, None], log_r, group))
    flow = torch.nn.functional.pad(log_z[:, None], (0, 1))
    assert subtrajectory_balance(steps, flow, last, 0.9).mean().item() == pytest.approx(vargrad(log_pf[:, None], log_r, group).item())


@given(st.integers(0, 10_000))
def test_paying_a_line_at_its_end_only_moves_the_flows(seed):
    """Pan et al.: F(s) = F~(s) exp(beta * reward so far); residuals are the same, what there is to learn is less."""
    ratio, flow, _ = some(seed)
    gains = torch.rand(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    last = torch.full((5,), 3)
    at_end = torch.nn.functional.pad(gains.sum(1, keepdim=True), (2, 0))
    so_far = torch.nn.functional.pad(gains.cumsum(1), (1, 0))
    late, _ = flow_residuals(ratio - BETA * at_end, flow, last)
    early, _ = flow_residuals(ratio - BETA * gains, flow - BETA * so_far, last)
    assert torch.allclose(late, early)


@given(st.integers(0, 10_000), st.integers(1, 3))
def test_lines_a_text_does_not_have_change_nothing(seed, extra):
    steps, flow, last = some(seed)
    junk = torch.nn.functional.pad(steps, (0, extra), value=7.0), torch.nn.functional.pad(flow, (0, extra), value=-7.0)
    assert torch.allclose(subtrajectory_balance(steps, flow, last, 0.9), subtrajectory_balance(*junk, last, 0.9))


def test_a_large_lambda_is_trajectory_balance_and_a_small_one_detailed_balance():
    steps, flow, _ = some(6)
    last = torch.full((5,), 3)
    known = torch.cat([flow[:, :3], torch.zeros(5, 1, dtype=torch.float64)], 1)
    whole = (flow[:, 0] + steps.sum(1)).square()
    each = (known[:, :-1] + steps - known[:, 1:]).square().mean(1)
    assert torch.allclose(subtrajectory_balance(steps, flow, last, 1e9), whole)
    assert torch.allclose(subtrajectory_balance(steps, flow, last, 1e-9), each)


def test_a_lambda_of_zero_and_a_wrong_shape_are_named():
    steps, flow, last = some(0)
    with pytest.raises(ValueError, match="decay is 0"):
        subtrajectory_balance(steps, flow, last, 0)
    with pytest.raises(ValueError, match=r"flow \(B, L \+ 1\).*got \(5, 3\), \(5, 3\)"):
        flow_residuals(steps, flow[:, 1:], last)
    with pytest.raises(ValueError, match=r"last \(B,\); got \(5, 3\), \(5, 4\), \(1,\)"):
        flow_residuals(steps, flow, last[:1])


def test_stretches_lie_between_two_line_ends_of_the_text():
    """Two lines written, of three: flows 5 and 7 at the prompt and after line 1, the target itself at the end of line 2."""
    steps, flow = torch.tensor([[1.0, 2.0, 50.0]]), torch.tensor([[5.0, 7.0, 60.0, 70.0]])
    residual, exists = flow_residuals(steps, flow, torch.tensor([2]))
    assert residual.tolist() == [[[0.0, 5 + 1 - 7, 5 + 1 + 2, 0.0], [0.0, 0.0, 7 + 2, 0.0], [0.0] * 4, [0.0] * 4]]
    assert exists.nonzero()[:, 1:].tolist() == [[0, 1], [0, 2], [1, 2]]
    decayed = (0.5 * ((-1) ** 2 + 9**2) + 0.25 * 8**2) / (0.5 + 0.5 + 0.25)
    assert subtrajectory_balance(steps, flow, torch.tensor([2]), 0.5).item() == pytest.approx(decayed)


def test_the_group_flow_weighs_long_and_short_texts_and_is_detached():
    """What stretches from the prompt say of log Z: of one line -(-1), of two -(1 - 7) and -(1 + 2), the longer by lambda."""
    steps = torch.tensor([[-1.0, 0.0], [1.0, 2.0], [4.0, 0.0]], requires_grad=True)
    flow = torch.tensor([[99.0, 0.0, 0.0], [99.0, 7.0, 0.0], [99.0, 0.0, 0.0]], requires_grad=True)
    log_z = group_flow(steps, flow, torch.tensor([1, 2, 1]), 0.5, torch.tensor([1, 1, 0]))
    total = 1 * 1.0 + 0.5 / 1.25 * 6.0 + 0.25 / 1.25 * -3.0
    mass = 1 + (0.5 + 0.25) / 1.25  # weights are shares of all stretches of a text, and one begins later
    assert log_z.tolist() == pytest.approx([total / mass, total / mass, -4.0])
    assert not log_z.requires_grad
