"""Trajectory balance as others load it: exact on a language of eight texts, the gradient of RLOO, nothing of what a mask hides."""

from __future__ import annotations

import itertools
import math
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch

from rlpoet.training.gflownet.frameworks import group_balance, prime_rl_loss, slime_loss, text_residual
from rlpoet.training.gflownet.objectives import log_mean_weight, vargrad

BETA, LENGTH = 3.0, 3
TEXTS = list(itertools.product((0, 1), repeat=LENGTH))
PREFIXES = [p for depth in range(LENGTH) for p in itertools.product((0, 1), repeat=depth)]
WALK = torch.tensor([[PREFIXES.index(text[:k]) for k in range(LENGTH)] for text in TEXTS])
TOKENS = torch.tensor(TEXTS)
REWARD = torch.tensor([float(text[0] == text[2]) for text in TEXTS], dtype=torch.float64)
N = len(TEXTS)
MASK = torch.ones(N, LENGTH, dtype=torch.bool)


def table(seed: int) -> torch.Tensor:
    return torch.randn(len(PREFIXES), 2, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def log_p_of(logits: torch.Tensor) -> torch.Tensor:
    return logits.log_softmax(-1)[WALK, TOKENS]


PRIOR = log_p_of(table(1))
TARGET = (PRIOR.sum(1) + BETA * REWARD).softmax(0)
LOG_Z = (PRIOR.sum(1) + BETA * REWARD).logsumexp(0)


def inputs(log_p, log_prior, advantage, mask=None, inference=None):
    """prime-rl's ``LossInputs`` of a text."""
    mask = torch.ones(len(log_p), dtype=torch.bool) if mask is None else mask
    return SimpleNamespace(
        trainer_logprobs=log_p, inference_logprobs=log_p.detach() if inference is None else inference, ref_logprobs=log_prior,
        advantages=torch.full_like(log_p.detach(), float(advantage)), loss_mask=mask, loss_weights=None,
    )  # fmt: skip


def gradient(loss, logits):
    (found,) = torch.autograd.grad(loss, logits, retain_graph=True)
    return found


def exact_gradient(logits):
    """Of ``KL(pi | p0) / beta - E[r]``, the objective whose minimum is the target."""
    log_p = log_p_of(logits).sum(1)
    return gradient((log_p.exp() * ((log_p - PRIOR.sum(1)) / BETA - REWARD)).sum(), logits)


@pytest.mark.parametrize("log_z", [None, "known"])
def test_the_balance_of_a_group_settles_at_the_target(log_z):
    logits = torch.zeros(len(PREFIXES), 2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([logits], lr=0.2)
    for _ in range(120):
        known = LOG_Z.expand(N) if log_z else None
        loss = group_balance(
            list(log_p_of(logits)), list(PRIOR), list(MASK), REWARD, torch.zeros(N, dtype=torch.long), beta=BETA, log_z=known
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    reached = log_p_of(logits.detach()).sum(1).exp()
    assert 0.5 * (reached - TARGET).abs().sum() < 0.01 < 0.5 * (PRIOR.sum(1).exp() - TARGET).abs().sum()


def test_the_balance_of_a_group_is_the_project_s_own_loss():
    log_p, group = log_p_of(table(2)), torch.tensor([0, 0, 0, 1, 1, 1, 1, 1])
    own = vargrad(log_p, PRIOR.sum(1) + BETA * REWARD, group) / (2 * BETA)
    assert torch.equal(group_balance(list(log_p), list(PRIOR), list(MASK), REWARD, group, beta=BETA), own)


def test_on_fresh_texts_the_gradient_is_that_of_rloo():
    logits = table(3).requires_grad_()
    rows = torch.multinomial(log_p_of(logits).sum(1).exp(), 12, replacement=True, generator=torch.Generator().manual_seed(0))
    log_p, prior, reward = log_p_of(logits)[rows], PRIOR[rows], REWARD[rows]
    group = torch.arange(12) // 4
    penalised = reward - (log_p.detach() - prior).sum(1) / BETA
    by_prompt = penalised.view(3, 4)
    leave_one_out = (by_prompt - (by_prompt.sum(1, keepdim=True) - by_prompt) / 3).flatten()
    rloo = gradient(-(leave_one_out * log_p.sum(1)).mean(), logits)
    ours = gradient(group_balance(list(log_p), list(prior), [MASK[0]] * 12, reward, group, beta=BETA), logits)
    assert torch.allclose(ours, rloo * 3 / 4, atol=1e-12) and rloo.abs().max() > 0.01


def test_at_the_target_no_text_has_a_loss_where_the_optimal_advantage_is_known():
    logits = target_table()
    value = LOG_Z / BETA
    losses = [
        prime_rl_loss(inputs(p, prior, r - value), beta=BETA, advantage="optimal").loss
        for p, prior, r in zip(log_p_of(logits), PRIOR, REWARD, strict=True)
    ]
    assert max(losses) < 1e-20
    assert prime_rl_loss(inputs(PRIOR[0], PRIOR[0], REWARD[0] - value), beta=BETA, advantage="optimal").loss > 0.01


def target_table() -> torch.Tensor:
    """Logits of the target itself: the mass of the texts below each beginning."""
    mass = torch.zeros(len(PREFIXES), 2, dtype=torch.float64)
    for text, p in zip(TEXTS, TARGET, strict=True):
        for k in range(LENGTH):
            mass[PREFIXES.index(text[:k]), text[k]] += p
    return mass.log()


@pytest.mark.parametrize("n", [2, 3])
def test_with_the_advantage_of_a_group_the_gradient_is_exact_in_the_mean(n):
    """Every group of n texts that can be drawn, each as often as it is drawn."""
    logits = table(4).requires_grad_()
    log_p = log_p_of(logits)
    p = log_p.sum(1).exp().detach()
    total = torch.zeros((), dtype=torch.float64)
    for texts in itertools.combinations_with_replacement(range(N), n):
        orders = math.factorial(n) // math.prod(math.factorial(texts.count(i)) for i in set(texts))
        centre = sum(REWARD[i] for i in texts) / n
        share = orders * math.prod(p[i].item() for i in texts) / n
        for i in texts:
            total = total + share * prime_rl_loss(inputs(log_p[i], PRIOR[i], REWARD[i] - centre), beta=BETA, group_size=n).loss
    assert torch.allclose(gradient(total, logits), exact_gradient(logits), atol=1e-10)
    assert exact_gradient(logits).abs().max() > 0.01


def test_a_star_po_is_the_same_loss_up_to_its_scale():
    """``(beta2 log-ratio - (r - V*))^2`` with ``beta2 = 1 / beta``: equation of A*-PO's second stage."""
    log_p, value = log_p_of(table(5))[3], log_mean_weight([1.0, 0.0, 0.0], BETA) / BETA
    theirs = ((log_p - PRIOR[3]).sum() / BETA - (REWARD[3] - value)).square()
    ours = prime_rl_loss(inputs(log_p, PRIOR[3], REWARD[3] - value), beta=BETA, advantage="optimal").loss
    assert ours == pytest.approx((BETA / 2 * theirs).item(), rel=1e-12)


HIDDEN = [-math.inf, 1e9, math.nan]


@pytest.mark.parametrize("value", HIDDEN)
def test_what_a_mask_hides_counts_for_nothing_not_even_in_the_gradient(value):
    logits = table(6).requires_grad_()
    log_p = log_p_of(logits)[:4]
    pad = torch.full((1,), value, dtype=torch.float64)
    group = torch.tensor([0, 0, 1, 1])
    longer = [torch.cat([pad, row, pad]) for row in log_p]
    prior = [torch.cat([pad, row, pad]) for row in PRIOR[:4]]
    mask = torch.tensor([False, *[True] * LENGTH, False])
    hidden = group_balance(longer, prior, [mask] * 4, REWARD[:4], group, beta=BETA)
    plain = group_balance(list(log_p), list(PRIOR[:4]), list(MASK[:4]), REWARD[:4], group, beta=BETA)
    assert hidden.item() == pytest.approx(plain.item()) and torch.allclose(gradient(hidden, logits), gradient(plain, logits))
    one = prime_rl_loss(inputs(longer[0], prior[0], 0.5, mask), beta=BETA, group_size=2).loss
    assert one.item() == pytest.approx(prime_rl_loss(inputs(log_p[0], PRIOR[0], 0.5), beta=BETA, group_size=2).loss.item())
    assert torch.isfinite(gradient(one, logits)).all()


def test_texts_of_any_lengths_make_a_group():
    log_p = [torch.tensor([-1.0, -2.0]), torch.tensor([-1.0]), torch.tensor([-0.5, -0.5, -0.5])]
    prior = [torch.zeros(len(row)) for row in log_p]
    masks = [torch.ones(len(row)) for row in log_p]
    loss = group_balance(log_p, prior, masks, torch.zeros(3), torch.zeros(3, dtype=torch.long), beta=1.0)
    assert loss == pytest.approx(torch.tensor([-3.0, -1.0, -1.5]).var(unbiased=False).item() / 2)


def test_prime_rl_s_log_has_the_residual_and_the_log_ratio():
    log_p, own = log_p_of(table(7))[2], 0.25
    told = prime_rl_loss(inputs(log_p, PRIOR[2], own), beta=BETA, group_size=4).metrics
    assert told["tb/log_ratio"] == pytest.approx((log_p - PRIOR[2]).sum().item())
    assert told["tb/residual"] == pytest.approx((log_p - PRIOR[2]).sum().item() - BETA * own * 4 / 3)
    moving = prime_rl_loss(inputs(log_p, None, own), beta=BETA, group_size=4, reference="inference")
    assert moving.metrics["tb/log_ratio"] == 0.0 and moving.loss > 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"beta": 0.0, "group_size": 2}, "beta is 0.0"),
        ({"beta": -1.0, "group_size": 2}, "beta is -1.0"),
        ({"beta": math.nan, "group_size": 2}, "beta is nan"),
        ({"beta": 1.0}, "group_size is None"),
        ({"beta": 1.0, "group_size": 1}, "group_size is 1"),
        ({"beta": 1.0, "advantage": "normalised"}, "advantage is 'normalised'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        prime_rl_loss(inputs(PRIOR[0], PRIOR[0], 0.0), **options)


def test_without_a_reference_there_is_no_target():
    with pytest.raises(ValueError, match="no ref_logprobs"):
        prime_rl_loss(inputs(PRIOR[0], None, 0.0), beta=1.0, group_size=2)


@pytest.fixture
def slime(monkeypatch):
    """In slime's place, which needs Megatron: its function that turns logits into log-probabilities, for texts one after the other."""

    def log_probs(logits, *, args, unconcat_tokens, total_lengths, response_lengths, with_entropy, **drawn):
        rows, start = [], 0
        for tokens, total, response in zip(unconcat_tokens, total_lengths, response_lengths, strict=True):
            own = logits[0, start : start + total].log_softmax(-1)
            places = torch.arange(total - response, total)
            rows.append(own[places - 1].gather(1, tokens[places][:, None]).squeeze(1))
            start += total
        return torch.empty(0), {"log_probs": rows}

    names = ("slime", "slime.backends", "slime.backends.megatron_utils", "slime.backends.megatron_utils.loss")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[names[-1]].get_log_probs_and_entropy = log_probs
    sys.modules[names[-1]].get_rollout_top_p_logprob_kwargs = lambda args, batch: {}


def slime_batch(gains):
    tokens = [torch.tensor([0, 1, 0, 1]), torch.tensor([1, 0, 1])]
    return {
        "unconcat_tokens": tokens, "total_lengths": [4, 3], "response_lengths": [3, 2],
        "loss_masks": [torch.tensor([1, 1, 0]), torch.ones(2)],
        "ref_log_probs": [torch.tensor([-0.5, -0.6, -9.0]), torch.tensor([-0.7, -0.4])],
        "advantages": [torch.full((n,), gain) for n, gain in zip((3, 2), gains, strict=True)],
    }  # fmt: skip


def sum_of_sample_mean(batch):
    """slime's: the mean over a text's tokens under its mask, summed over texts."""

    def reduce(values):
        rows = values.split([len(mask) for mask in batch["loss_masks"]])
        return sum((row * mask).sum() / mask.sum() for row, mask in zip(rows, batch["loss_masks"], strict=True))

    return reduce


def test_slime_s_loss_is_the_sum_of_the_texts(slime):
    batch, logits = slime_batch((0.25, -0.25)), torch.randn(1, 7, 2, requires_grad=True)
    args = SimpleNamespace(tb_beta=BETA, n_samples_per_prompt=2)
    loss, told = slime_loss(args, batch, logits, sum_of_sample_mean(batch))
    log_p = sys.modules["slime.backends.megatron_utils.loss"].get_log_probs_and_entropy(
        logits, args=args, with_entropy=False, **{name: batch[name] for name in ("unconcat_tokens", "total_lengths", "response_lengths")}
    )[1]["log_probs"]
    rows = zip(log_p, batch["ref_log_probs"], batch["loss_masks"], (0.5, -0.5), strict=True)
    residuals = [text_residual(p, prior, mask, torch.tensor(gain), beta=BETA) for p, prior, mask, gain in rows]
    assert loss.item() == pytest.approx(sum(r.square() for r in residuals).item() / (2 * BETA), rel=1e-5)
    assert told["tb_residual"].item() == pytest.approx(sum(abs(r.item()) for r in residuals), rel=1e-5)
    loss.backward()
    assert logits.grad is not None and logits.grad.abs().sum() > 0


@pytest.mark.parametrize("missing, message", [("tb_beta", "no tb_beta"), ("ref_log_probs", "no ref_log_probs")])
def test_slime_is_told_what_is_missing(slime, missing, message):
    batch, args = slime_batch((0.25, -0.25)), SimpleNamespace(tb_beta=BETA, n_samples_per_prompt=2)
    if missing == "tb_beta":
        del args.tb_beta
    else:
        del batch[missing]
    with pytest.raises(ValueError, match=message):
        slime_loss(args, batch, torch.zeros(1, 7, 2), sum_of_sample_mean(batch))
