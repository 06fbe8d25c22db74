"""A policy opened without transformers is the one that transformers opens, and only where that is certain."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import SHIPPED, CausalPolicy
from policies.generation.fused_authors import fuse
from policies.llama.bare import BareLlama, open_bare
from rlpoet.errors import RlpoetError
from rlpoet.types import Prompt

NAMES = sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))
UNNEEDED = ("transformers", "peft", "trl", "datasets", "accelerate", "sklearn", "matplotlib", "pandas", "tensorboard", "epitran", "sympy")


def quatrain(policy: CausalPolicy) -> Prompt:
    return Prompt(policy.lang, "quatrain-abab")


@pytest.fixture
def folder(tmp_path):
    tiny_policy().save(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_a_shipped_policy_is_the_same_without_transformers(name):
    bare, whole = CausalPolicy.load(name, seed=3, inference_only=True), CausalPolicy.load(name, seed=3)
    assert isinstance(bare.model, BareLlama) and not isinstance(whole.model, BareLlama)
    ours, theirs = bare.model.state_dict(), whole.model.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert torch.equal(bare.model.model.rotary_emb.inv_freq, whole.model.model.rotary_emb.inv_freq)
    assert bare.tokenizer.backend_tokenizer.to_str() == whole.tokenizer.backend_tokenizer.to_str()
    assert (bare.pad, bare.end, len(bare.tokenizer)) == (whole.pad, whole.end, len(whole.tokenizer))
    drawn, again = bare.sample([quatrain(bare)], 3, top_p=0.95), whole.sample([quatrain(whole)], 3, top_p=0.95)
    assert drawn.texts == again.texts and torch.equal(drawn.ids, again.ids)
    with torch.no_grad():
        assert torch.equal(bare.log_prob(drawn), whole.log_prob(again))


def test_authors_are_fused_alike():
    drawn = []
    for inference_only in (True, False):
        policy = CausalPolicy.load("fr-tb", seed=5, inference_only=inference_only)
        name = fuse(policy, {"Victor Hugo": 0.6, "Paul Verlaine": 0.4})
        drawn.append(policy.sample([Prompt("fr", "couplet", name)], 2).texts)
    assert drawn[0] == drawn[1]


def test_what_needs_the_whole_model_says_so(tmp_path):
    policy = CausalPolicy.load("fr", inference_only=True)
    with pytest.raises(RlpoetError, match=r"save: .*inference_only"):
        policy.save(tmp_path)
    with pytest.raises(RlpoetError, match=r"adapt: .*inference_only"):
        policy.adapt("r=4")


def test_a_policy_of_ones_own_is_opened_too(folder):
    assert isinstance(CausalPolicy.load(folder, inference_only=True).model, BareLlama)


@pytest.mark.parametrize(
    "changed",
    [
        {"attention_bias": True},
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 2.0}},
        {"rope_parameters": None},
        {"model_type": "mistral"},
        {"num_hidden_layers": 9},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
    ],
    ids=str,
)
def test_anything_else_is_left_to_transformers(folder, changed):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changed), encoding="utf-8")
    assert open_bare(folder) is None


def test_broken_weights_are_told_of_as_ever(folder):
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(RlpoetError, match="broken policy"):
        CausalPolicy.load(folder, inference_only=True)


@pytest.mark.slow
def test_writing_a_poem_imports_no_library_it_does_not_need():
    code = f"""
import sys
from rlpoet.cli.main import main
assert main(["generate", "--lang", "fr", "--form", "couplet", "--seed", "1"]) == 0
print([name for name in {UNNEEDED!r} if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
