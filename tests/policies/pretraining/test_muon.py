"""Muon in float32: the step of torch's, to the rounding of bfloat16, and a matrix nearly orthogonal."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from policies.pretraining.model import Schedule, build_model, optimizers
from policies.pretraining.muon import Float32Muon, orthogonal

SHAPES = [(12, 8), (8, 12), (8, 8), (12, 8), (8, 8)]


def stepped(kind, n=3, **options):
    generator = torch.Generator().manual_seed(0)
    params = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]
    optim = kind(params, lr=0.1, weight_decay=0.2, momentum=0.9, **options)
    for _ in range(n):
        for param in params[:-1]:  # the last has no gradient
            param.grad = torch.randn(param.shape, generator=generator)
        optim.step()
    return params, optim


@pytest.mark.parametrize("nesterov", [True, False])
def test_a_step_is_that_of_torch_to_the_rounding_of_bfloat16(nesterov):
    (ours, optim), (theirs, torch_optim) = (stepped(kind, nesterov=nesterov) for kind in (Float32Muon, torch.optim.Muon))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=0.02, rtol=0.0)
        assert not torch.equal(one, other) or one is ours[-1] or one.grad is None
    means = [[state["momentum_buffer"] for state in which.state.values()] for which in (optim, torch_optim)]
    for one, other in zip(*means, strict=True):
        torch.testing.assert_close(one, other)


def test_each_reads_the_state_of_the_other():
    (params, optim), (_, torch_optim) = stepped(Float32Muon), stepped(torch.optim.Muon)
    torch_optim.load_state_dict(optim.state_dict())
    optim.load_state_dict(torch_optim.state_dict())
    optim.step()
    assert all(torch.isfinite(param).all() for param in params)


def test_what_is_made_orthogonal_keeps_its_singular_vectors():
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(4, 10, 6, generator=generator)
    made = orthogonal(matrices, (3.4445, -4.7750, 2.0315), n_steps=5, eps=1e-7)
    assert made.dtype == torch.float32
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.6 and values.max() < 1.3
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    between = u.mT @ made @ v.mT  # diagonal: the same vectors
    torch.testing.assert_close(between, torch.diag_embed(torch.diagonal(between, dim1=1, dim2=2)), atol=1e-4, rtol=0.0)


def test_a_matrix_of_zeros_stays_one():
    assert not orthogonal(torch.zeros(1, 3, 5), (3.4445, -4.7750, 2.0315), n_steps=5, eps=1e-7).any()


@pytest.mark.parametrize("precision, kind", [(torch.float32, Float32Muon), (torch.bfloat16, torch.optim.Muon)])
def test_the_products_are_in_the_precision_of_the_run(precision, kind):
    from tiny_policy import tiny_policy

    model = build_model("nano", tiny_policy().tokenizer, seed=0)
    assert type(optimizers(model, Schedule(steps=1), precision=precision)[0]) is kind
