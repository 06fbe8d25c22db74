"""Adapters that a package ships: what training changed, taken out of whole weights, and merged again without peft."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.llama.bare import BareLlama
from policies.loading import files
from policies.loading.adapters import ADAPTER, adapter_of, save_adapter
from rlpoet.errors import RlpoetError

CHANGED = ("model.layers.0.mlp.up_proj.weight", "model.layers.1.self_attn.q_proj.weight")


def changed(policy: CausalPolicy, *, rank: int, names: tuple[str, ...] = CHANGED) -> CausalPolicy:
    """The same with a change of that rank in some matrices."""
    other = copy.deepcopy(policy)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name in names:
            matrix = other.model.get_parameter(name)
            left, right = (torch.randn(n, rank, generator=generator) for n in matrix.shape)
            matrix += 0.1 * left @ right.T
    return other


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CausalPolicy:
    """A package with a prior, and a rhyming policy that is an adapter on it; the latter."""
    monkeypatch.setattr(files, "SHIPPED", tmp_path)
    tiny_policy().save(tmp_path / "fr")
    base = CausalPolicy.load("fr")
    policy = changed(base, rank=3)
    adapter = adapter_of(policy.model, base.model)
    save_adapter(adapter, tmp_path / "fr-tb", base="fr", tokenizer=base.tokenizer, verse_format=base.format)
    for name in ("tokenizer.json", "tokenizer_config.json", "verse_format.json"):
        (tmp_path / "fr-tb" / name).unlink()
    return policy


@pytest.mark.parametrize("inference_only", [True, False])
def test_an_adapter_of_what_was_learned_opens_as_the_whole(shipped: CausalPolicy, tmp_path: Path, inference_only: bool) -> None:
    assert files.rhyming("fr") == "fr-tb" and files.find_model("fr-tb").adapter
    assert json.loads((tmp_path / "fr-tb" / ADAPTER).read_text(encoding="utf-8"))["r"] == 3
    assert sum(path.stat().st_size for path in (tmp_path / "fr-tb").iterdir()) < (tmp_path / "fr" / "model.safetensors").stat().st_size
    again = CausalPolicy.load("fr-tb", inference_only=inference_only)
    assert isinstance(again.model, BareLlama) == inference_only
    wanted, found = shipped.model.state_dict(), again.model.state_dict()
    assert all(torch.allclose(found[name], wanted[name], atol=1e-6) for name in wanted)
    assert not torch.equal(found[CHANGED[0]], CausalPolicy.load("fr").model.state_dict()[CHANGED[0]])


def test_what_only_peft_understands_is_left_to_peft(shipped: CausalPolicy, tmp_path: Path) -> None:
    path = tmp_path / "fr-tb" / ADAPTER
    told = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**told, "use_rslora": True}), encoding="utf-8")  # which scales by the root of the rank
    by_peft = CausalPolicy.load("fr-tb", inference_only=True)
    assert not isinstance(by_peft.model, BareLlama)
    base, wanted = CausalPolicy.load("fr").model.state_dict(), shipped.model.state_dict()
    for name in CHANGED:
        assert torch.allclose(by_peft.model.state_dict()[name] - base[name], 3**0.5 * (wanted[name] - base[name]), atol=1e-5)


def test_a_broken_adapter_is_one_error(shipped: CausalPolicy, tmp_path: Path) -> None:
    path = tmp_path / "fr-tb" / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RlpoetError, match="broken adapter"):
        CausalPolicy.load("fr-tb", inference_only=True)


@pytest.mark.parametrize(
    ("rank", "names", "said"),
    [
        (32, CHANGED, "rank 32"),
        (2, ("model.embed_tokens.weight",), "model.embed_tokens.weight has changed"),
        (1, (), "nothing has changed"),
    ],
)
def test_what_is_no_adapter_is_said_so(rank: int, names: tuple[str, ...], said: str) -> None:
    base = tiny_policy()
    with pytest.raises(RlpoetError, match=said):
        adapter_of(changed(base, rank=rank, names=names).model, base.model)
