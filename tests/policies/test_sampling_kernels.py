"""The compiled loops of sampling do what torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from policies.causal_lm import CausalPolicy
from policies.decoding.sampler import Decoding, _draw_anywhere, draw
from policies.formats.masks import mask_tokens
from policies.llama import sampling_kernels as kernels
from policies.llama.decoder import CompiledRoom, LlamaDecoder, Room

DTYPES = (torch.float32, torch.bfloat16)


def close(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Equal up to the rounding of the type found."""
    relative = 2**-8 if found.dtype == torch.bfloat16 else 2e-6
    return torch.allclose(found.float(), wanted, rtol=relative, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gate_is_silu_times_value_even_far_out(dtype: torch.dtype) -> None:
    wide = torch.cat([torch.randn(5, 34) * 4, torch.tensor([[-200.0, -90.0, -87.0, 0.0, 200.0] + [1.0] * 29])]).to(dtype)
    gated = torch.empty(6, 17, dtype=dtype)
    kernels.gate(kernels.array_of(wide), kernels.array_of(gated))
    assert close(gated, F.silu(wide[:, :17].float()) * wide[:, 17:].float())


@pytest.mark.parametrize("dtype", DTYPES)
def test_add_norm_adds_in_place_and_normalises(dtype: torch.dtype) -> None:
    x, added, out = torch.randn(3, 40), torch.randn(3, 40).to(dtype), torch.empty(3, 40, dtype=dtype)
    summed = x + added.float()
    scale = np.empty(3, np.float32)
    kernels.add_norm(x.numpy(), kernels.array_of(added), np.float32(1e-6), kernels.array_of(out), scale)
    assert torch.allclose(x, summed)
    assert close(out, F.rms_norm(summed, (40,), eps=1e-6))


def test_bfloat16_is_rounded_to_nearest_even() -> None:
    x = torch.tensor([[1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-16, -(1 + 2**-8)]])
    wide, gated = torch.cat([torch.full((1, 4), 100.0), x / 100], 1), torch.empty(1, 4, dtype=torch.bfloat16)
    kernels.gate(wide.numpy(), kernels.array_of(gated))
    assert gated.tolist() == (100.0 * (x / 100)).bfloat16().tolist()


@pytest.mark.parametrize(("lowest", "error"), [(-1.0, 3e-7), (-80.0, 4e-6)])
def test_the_exponential_is_as_near_as_is_said(lowest: float, error: float) -> None:
    x = np.linspace(lowest, 0.0, 1 << 14, dtype=np.float32)
    shares = np.stack([x, np.zeros_like(x)], 1)[:, None]  # of two, by which e to x is the one over the other
    kernels.softmax(shares, np.zeros((0, 0), np.float32))
    shares = shares.astype(np.float64)
    rounding = 1.2e-7  # of the two shares themselves
    assert np.abs(shares[:, 0, 0] / shares[:, 0, 1] / np.exp(x.astype(np.float64)) - 1).max() < error + rounding


@pytest.mark.parametrize("dtype", DTYPES)
def test_uncompiled_the_loops_do_the_same(dtype: torch.dtype) -> None:
    wide, mixed = torch.randn(2, 6).to(dtype), torch.randn(2, 3, 4).to(dtype)
    cosine, sine = np.cos(np.arange(2, dtype=np.float32)), np.sin(np.arange(2, dtype=np.float32))
    told = []
    for gate, rotate in ((kernels.gate, kernels.rotate), (kernels.gate.py_func, kernels.rotate.py_func)):
        gated, query = torch.empty(2, 3, dtype=dtype), torch.zeros(2, 1, 4)
        keys, values = torch.zeros(2, 1, 4, 5), torch.zeros(2, 1, 5, 4)
        gate(kernels.array_of(wide), kernels.array_of(gated))
        rotate(kernels.array_of(mixed), cosine, sine, 3, query.numpy(), keys.numpy(), values.numpy())
        told.append([x.float() for x in (gated, query, keys, values)])
    assert all(torch.allclose(a, b, rtol=1e-2 if dtype == torch.bfloat16 else 1e-5) for a, b in zip(*told, strict=True))
    assert told[0][2][..., 3].abs().sum() > 0 and told[0][2][..., :3].abs().sum() == 0


@pytest.mark.parametrize("reach", [1, 15, 16, 17, 45])
def test_softmax_hides_what_is_hidden(reach: int) -> None:
    scores = torch.randn(3, 2, reach) * 5
    hidden = torch.zeros(3, reach + 2)
    hidden[1, : reach // 2] = -torch.inf
    wanted = (scores + hidden[:, None, :reach]).softmax(-1)
    kernels.softmax(scores.numpy(), hidden.numpy())
    assert torch.allclose(scores, wanted, atol=1e-6)
    assert (scores[1, :, : reach // 2] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_pieces", [5, 64, 200])
def test_draws_follow_the_softmax_on_either_way(dtype: torch.dtype, n_pieces: int) -> None:
    logits = (torch.randn(n_pieces, generator=torch.Generator().manual_seed(0)) * 2).to(dtype)
    logits[[1, n_pieces - 1]] = -torch.inf
    rows = logits.expand(40_000, -1).contiguous()
    uniform = torch.rand(len(rows), generator=torch.Generator().manual_seed(1))
    for drawn in (draw(rows, Decoding(), torch.Generator().manual_seed(1)), _draw_anywhere(rows, uniform)):
        counts = torch.bincount(drawn, minlength=n_pieces) / len(rows)
        assert counts[[1, n_pieces - 1]].tolist() == [0.0, 0.0]
        assert (counts - logits.float().softmax(-1)).abs().max() < 0.01


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-24])
def test_the_ends_of_the_unit_interval_draw_pieces_that_can_be_drawn(uniform: float) -> None:
    logits = torch.full((1, 130), -torch.inf)
    logits[0, [3, 67, 128]] = torch.tensor([0.0, 1.0, 2.0])
    drawn = np.empty(1, np.int64)
    kernels.draw(logits.numpy(), np.array([uniform], np.float32), *kernels.room_for_draws(130), drawn)
    assert drawn[0] in (3, 67, 128)


@pytest.mark.parametrize("dtype", DTYPES)
@torch.inference_mode()
def test_a_step_is_the_same_compiled_and_in_torch(dtype: torch.dtype) -> None:
    model = CausalPolicy.load("fr").model
    ids, lengths = torch.tensor([[5, 6, 7, 8], [9, 10, 0, 0], [11, 12, 13, 0]]), torch.tensor([4, 2, 3])
    logits = []
    for room in (Room, CompiledRoom):
        decoder = LlamaDecoder(model, dtype)
        decoder.start(ids, lengths, 9)
        decoder.room = room(decoder)
        steps = [decoder.step(torch.tensor([20, 21, 22])).float().clone(), decoder.step(torch.tensor([30, 31, 32])).float().clone()]
        decoder.reorder(torch.tensor([2, 0]))
        decoder.room = room(decoder)
        logits.append([*steps, decoder.step(torch.tensor([40, 41])).float().clone()])
    for compiled, plain in zip(*logits, strict=True):
        assert (compiled - plain).abs().max() < (1e-3 if dtype == torch.float32 else 0.15)


@pytest.mark.parametrize("dtype", [*DTYPES, torch.float64])
def test_a_bar_spares_one_piece_and_leaves_the_rest_alone(dtype: torch.dtype) -> None:
    logits = torch.randn(3, 70).to(dtype)
    token_masks = torch.rand(2, 70) < 0.5
    wanted = logits.masked_fill(token_masks[[1, 0, 1]], -torch.inf)
    wanted[0, 7] = logits[0, 7]
    mask_tokens(logits, token_masks, [1, 0, 1], [7, -1, -1])
    assert torch.equal(logits, wanted)


def test_caches_that_close_up_hold_the_rows_that_go_on() -> None:
    keys, values = torch.randn(6, 2, 4, 9), torch.randn(6, 2, 9, 4)
    rows = torch.tensor([0, 2, 3, 5])
    wanted = keys[rows][..., :5], values[rows][:, :, :5]
    kernels.close_up(keys.numpy(), values.numpy(), rows.numpy(), 5)
    assert torch.equal(keys[:4, ..., :5], wanted[0]) and torch.equal(values[:4, :, :5], wanted[1])
