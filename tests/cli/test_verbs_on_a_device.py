"""Every verb that runs a model, on an emulated GPU: no operator meets tensors of two devices. For the shipped format and for a GPT-2.

Not here: compiled training steps (``pretrain`` without ``--no_compile``) and four-bit layers (``--qlora``), which need a real GPU; the
compiled loops of sampling and scoring read the CPU's memory only, and are not taken for a model on a GPU.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
import torch
from emulated_device import EmulatedTensor, emulated_gpu
from tiny_plain import gpt2, plain_tokenizer, save_plain
from tiny_policy import BAUDELAIRE, VERLAINE, tiny_policy
from torch.nn import functional

from policies.causal_lm import CausalPolicy
from rlpoet.cli.main import main

ON = ["--device", "cuda"]
TRAIN = ["--minutes", "0", "--eval_samples", "2", "--prompts_per_step", "2", "--group_size", "2", "--save_steps", "1", "--threads", "1"]
TRAIN += ["--report_to", "none", "--forms", "couplet"]
TUNE = ["--threads", "1", "--window", "128", "--batch_size", "2", "--eval_samples", "2", "--logging_steps", "1", "--n_samples", "1"]
TUNE += ["--report_to", "none", "--validation", "0.3", "--save_steps", "2", "--data", "poems.jsonl", "--output_dir", "run"]
KINDS = {"verse": [], "plain": ["--lang", "fr"]}


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("policies")
    tiny_policy().save(folder / "verse")
    tokenizer = plain_tokenizer()
    save_plain(folder / "plain", gpt2(tokenizer, positions=1024), tokenizer)
    return folder


@pytest.fixture
def gpu(saved, tmp_path, monkeypatch):
    """A folder of its own with a corpus and both policies, and the devices that models ran on."""
    monkeypatch.chdir(tmp_path)
    for kind in KINDS:
        Path(kind).symlink_to(saved / kind)
    stanzas = [list(order) for lines in (VERLAINE[:4], BAUDELAIRE) for order in itertools.permutations(lines)][:24]
    rows = [json.dumps({"author": "Paul Verlaine", "stanzas": [stanza]}) for stanza in stanzas]
    Path("poems.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    seen: list[str] = []
    real = functional.embedding

    def watched(ids, weight, *rest, **named):
        seen.append(weight.device.type)
        return real(ids, weight, *rest, **named)

    monkeypatch.setattr(functional, "embedding", watched)  # of modules, and of the decoder that has none
    with emulated_gpu():
        yield seen


def ran(seen: list[str], *argv: str) -> bool:
    """Whether a verb succeeded, and its model ran on the GPU."""
    seen.clear()
    return main(list(argv)) == 0 and "cuda" in seen


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("algo", ["tb", "ppo", "rft"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_runs_and_goes_on(gpu, kind, algo, lora):
    extra = ["--lora", "r=2"] if lora else []
    assert ran(gpu, "train", "--policy", kind, *KINDS[kind], *ON, *TRAIN, *extra, "--algo", algo, "--max_steps", "1", "--output_dir", "run")
    state = torch.load("run/checkpoint.pt", weights_only=True)
    assert not any(isinstance(weight, EmulatedTensor) for weight in state["model"].values())
    assert ran(gpu, "train", "--resume", "run", "--max_steps", "2")
    CausalPolicy.load("run/policy", lang="fr", device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize("options", ["--tb.objective subtb", "--tb.objective fl", "--tb.explore resample", "--ppo.critic model"])
def test_training_by_other_ways(gpu, options):
    algo = "ppo" if "ppo" in options else "tb"
    assert ran(gpu, "train", "--policy", "plain", "--lang", "fr", *ON, *TRAIN, "--algo", algo, *options.split(), "--max_steps", "1")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["", "--best_of_line 2", "--beams 2", "--repetition_penalty 1.2 --top_p 0.9", "--temperature 0"])
@pytest.mark.parametrize("kind", KINDS)
def test_generation(gpu, kind, way):
    assert ran(gpu, "generate", "--policy", kind, *KINDS[kind], *ON, "-n", "1", "--form", "couplet", "--raw", *way.split())


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_evaluation(gpu, kind):
    argv = ["evaluate", "--policy", kind, *KINDS[kind], *ON, "--n", "4", "--forms", "couplet", "--rewards", "rhyme"]
    assert ran(gpu, *argv, "--poems", "poems.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_preflight(gpu, kind):
    assert ran(gpu, "preflight", "--policy", kind, *KINDS[kind], *ON, "--forms", "couplet")


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("kind", [*KINDS, "planned"])
def test_fine_tuning_runs_and_goes_on_and_its_policy_writes(gpu, kind, lora):
    if lora:
        pytest.skip("peft reads an adapter through safetensors into pinned memory, which only a real GPU has")
    policy = ["plain", "--lang", "fr", "--format", "planned"] if kind == "planned" else [kind, *KINDS[kind]]
    extra = ["--lora", "r=2"] if lora else []
    assert ran(gpu, "finetune", "--policy", *policy, *ON, *TUNE, *extra, "--max_steps", "2")
    assert ran(gpu, "finetune", "--resume", "run", "--max_steps", "3")
    assert ran(gpu, "generate", "--policy", "run", *ON, "-n", "1", "--form", "couplet", "--raw")


@pytest.mark.slow
@pytest.mark.parametrize("algo", ["tb", "ppo", "rft"])
def test_training_in_the_planned_format(gpu, algo):
    assert ran(gpu, "finetune", "--policy", "plain", "--lang", "fr", "--format", "planned", *ON, *TUNE, "--max_steps", "1")
    assert ran(gpu, "train", "--policy", "run", *ON, *TRAIN, "--algo", algo, "--max_steps", "1", "--output_dir", "trained")


@pytest.mark.slow
def test_pretraining_runs_and_goes_on(gpu):
    argv = ["pretrain", "--lang", "fr", "--data", "poems.jsonl", "--output_dir", "run", "--size", "nano", "--vocab_size", "400", *ON]
    argv += ["--batch_tokens", "256", "--window", "128", "--save_steps", "1", "--threads", "1", "--no_compile", "--validation", "0.3"]
    assert ran(gpu, *argv, "--eval_samples", "4", "--max_steps", "1")
    assert ran(gpu, "pretrain", "--resume", "run", "--max_steps", "2")
