"""Teaching a plain model to plan its lines, and training it on: files, resuming, adapters, and what the trainers make of plans."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_plain import gpt2, plain_tokenizer, save_plain, tiny_model
from tiny_policy import BAUDELAIRE, tiny_policy

from policies.causal_lm import CausalPolicy
from policies.finetuning import run as finetune_run
from policies.formats.plain import PlainFormat
from policies.formats.planned import PlannedCodec
from rlpoet.cli.main import main
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.common import without_dropout
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.types import Prompt

FLAGS = ["--threads", "1", "--batch_size", "4", "--eval_samples", "0", "--n_samples", "1", "--forms", "couplet", "--precision", "fp32",
         "--format", "planned", "--lang", "fr", "--dtype", "fp32", "--report_to", "none"]  # fmt: skip
LORA = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers the old way


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    tokenizer = plain_tokenizer()
    model = gpt2(tokenizer, positions=400)
    for name in ("attn_pdrop", "embd_pdrop", "resid_pdrop"):  # so that few steps teach it
        setattr(model.config, name, 0.0)
    return save_plain(tmp_path_factory.mktemp("base"), model, tokenizer)


@pytest.fixture(scope="module")
def couplet(tmp_path_factory) -> Path:
    """Two lines and the same in the other order: what few steps teach."""
    path = tmp_path_factory.mktemp("couplet") / "poems.jsonl"
    rows = [{"author": "Charles Baudelaire", "stanzas": [list(order)]} for order in itertools.permutations(BAUDELAIRE[::2])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def poems(tmp_path_factory) -> Path:
    """Every order of four lines, as couplets."""
    path = tmp_path_factory.mktemp("poems") / "poems.jsonl"
    rows = [{"author": "Charles Baudelaire", "stanzas": [list(order)]} for order in itertools.permutations(BAUDELAIRE, 2)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tune(*words: object) -> int:
    return main(["finetune", *FLAGS, *map(str, words)])


def forbidden(policy: CausalPolicy) -> float:
    """How much the masks of the format take away from a model that writes a couplet of the training poems, nats."""
    couplet = [Prompt("fr", "couplet", "Charles Baudelaire")], ["\n".join(BAUDELAIRE[::2])]
    policy.adopt(dataclasses.replace(policy.format, planned=True))
    with torch.no_grad():
        free = policy.write(*couplet)
        return float((policy.log_prob(policy.masked(free)) - policy.log_prob(free)).sum())


def test_a_tuned_model_comes_to_keep_the_format_by_itself_and_resumes(base, couplet, tmp_path, monkeypatch):
    run = tmp_path / "run"
    real = finetune_run.batches

    def stopping(*args, **kwargs):
        yield from itertools.islice(real(*args, **kwargs), 7)
        raise KeyboardInterrupt

    flags = ["--policy", base, "--data", couplet, "--validation", 0, "--max_steps", 100, "--save_steps", 200, "--learning_rate", 0.02]
    monkeypatch.setattr(finetune_run, "batches", stopping)
    assert tune(*flags, "--output_dir", run) == 130
    assert isinstance(CausalPolicy.load(run, lang="fr").codec, PlannedCodec)
    monkeypatch.setattr(finetune_run, "batches", real)
    assert main(["finetune", "--resume", str(run)]) == 0
    tuned = CausalPolicy.load(run)
    assert tuned.format.planned and tuned.lang == "fr" and "--format planned" in (run / "README.md").read_text(encoding="utf-8")
    assert forbidden(tuned) < 0.5 * forbidden(CausalPolicy.load(base, lang="fr"))


@LORA
def test_an_adapter_brings_the_format_with_it(base, poems, tmp_path):
    flags = ["--policy", base, "--data", poems, "--validation", 0.3, "--max_steps", 2, "--lora", "r=2"]
    assert tune(*flags, "--output_dir", tmp_path / "run") == 0
    assert (tmp_path / "run/adapter_model.safetensors").exists()
    assert isinstance(CausalPolicy.load(tmp_path / "run").codec, PlannedCodec)
    assert not CausalPolicy.load(base).codec.word_first


def test_a_policy_with_marks_of_its_own_keeps_them(poems, tmp_path, capsys):
    tiny_policy().save(tmp_path / "verse")
    assert tune("--policy", tmp_path / "verse", "--data", poems, "--output_dir", tmp_path / "run") == 2
    assert "--format planned" in capsys.readouterr().err


class Vowels:
    """A reward any random model can raise: vowels in last words, then vowels in the rest of the lines."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Any:
        scores = tuple(sum(map(sum, self.by_part(prompt, text))) for prompt, text in zip(prompts, texts, strict=True))
        return SimpleNamespace(total=scores, parts={"vowels": scores})

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        lines = text.split("\n")
        gains = [
            [share(line.split()[-1:]) / 2 / len(lines) for line in lines],
            [share(line.split()[:-1]) / 2 / len(lines) for line in lines],
        ]
        return gains[0], gains[1]


def share(words: Sequence[str]) -> float:
    letters = "".join(words)
    return sum(letter in "aeiou" for letter in letters) / max(len(letters), 1)


@pytest.mark.parametrize("trainer", [TBTrainer, PPOTrainer, RejectionTrainer])
@pytest.mark.parametrize("name", ["gpt2", "gemma3"])
def test_a_step_of_each_trainer(name, trainer):
    tokenizer = plain_tokenizer()
    model = tiny_model(name, tokenizer, sharpness=2.0)
    without_dropout(model)
    policy = CausalPolicy(model, tokenizer, PlainFormat("fr", planned=True), seed=1)
    policy.codec.longest = 8
    before = {key: weight.clone() for key, weight in policy.model.named_parameters()}
    options = StepOptions(prompts_per_step=2, group_size=3, freeze_embeddings=False)
    prompts = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Victor Hugo")]
    own = trainer.OPTIONS(**({"refresh_steps": 1} if trainer is RejectionTrainer else {}))
    figures, fresh, _ = trainer(policy, Vowels(), prompts, options, own, seed=0).step(0.3)
    assert len(fresh) == 6 and abs(figures["objective/kl"]) < 1e-3  # prior and policy are one
    assert fresh.end_words.shape == fresh.line_ends.shape == (6, 2)
    assert any(not torch.equal(weight, before[key]) for key, weight in policy.model.named_parameters())
