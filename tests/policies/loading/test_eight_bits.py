"""Weights in eight bits: half the bytes of bfloat16, opened with and without transformers, and saved again as a plain model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny_policy import tiny_policy
from transformers import AutoModelForCausalLM

from policies.causal_lm import CausalPolicy
from policies.llama.bare import BareLlama
from policies.loading.eight_bits import EIGHT_BITS, packed, unpacked
from rlpoet.errors import RlpoetError


def test_no_weight_is_off_by_more_than_half_a_step_of_its_row() -> None:
    weight = torch.randn(40, 60, generator=torch.Generator().manual_seed(0)) * torch.logspace(-4, 2, 40)[:, None]
    weight[3] = 0.0
    (again,) = unpacked(packed({"w": weight})).values()
    assert ((again - weight).abs() <= weight.abs().amax(1, keepdim=True) / 254 * 1.001).all() and not again[3].any()
    vector = torch.randn(5)
    assert torch.equal(unpacked(packed({"norm": vector}))["norm"], vector)


def test_a_policy_in_eight_bits_opens_and_is_saved_as_a_plain_model(tmp_path: Path) -> None:
    policy = tiny_policy()
    policy.save(tmp_path / "half", dtype=torch.bfloat16)
    policy.save(tmp_path / "eight", dtype=torch.int8)
    assert not (tmp_path / "eight" / "model.safetensors").exists()
    stored = (tmp_path / "eight" / EIGHT_BITS).stat().st_size, (tmp_path / "half" / "model.safetensors").stat().st_size
    assert stored[0] < 0.7 * stored[1]  # of rows so short a scale is an eighth
    whole, bare = (CausalPolicy.load(tmp_path / "eight", inference_only=light) for light in (False, True))
    assert isinstance(bare.model, BareLlama)
    ours, theirs, drawn_from = bare.model.state_dict(), whole.model.state_dict(), policy.model.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert all((theirs[name] - drawn_from[name]).abs().max() <= drawn_from[name].abs().max() / 250 for name in theirs)
    assert whole.model.lm_head.weight is whole.model.model.embed_tokens.weight
    whole.save(tmp_path / "plain")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "plain")
    ids = torch.arange(12)[None]
    with torch.no_grad():
        assert torch.equal(plain(ids).logits.log_softmax(-1), whole.model(ids).logits.log_softmax(-1))


def test_a_folder_holds_its_weights_once(tmp_path: Path) -> None:
    tiny_policy(seed=1).save(tmp_path, dtype=torch.int8)
    tiny_policy(seed=2).save(tmp_path)
    assert not (tmp_path / EIGHT_BITS).exists()
    assert torch.equal(CausalPolicy.load(tmp_path).model.lm_head.weight, tiny_policy(seed=2).model.lm_head.weight)


@pytest.mark.parametrize("inference_only", [True, False])
def test_broken_weights_are_one_error(tmp_path: Path, inference_only: bool) -> None:
    tiny_policy().save(tmp_path, dtype=torch.int8)
    path = tmp_path / EIGHT_BITS
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RlpoetError, match="broken policy"):
        CausalPolicy.load(tmp_path, inference_only=inference_only)
