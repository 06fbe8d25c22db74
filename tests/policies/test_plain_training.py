"""Training any causal LM: each trainer on each kind of model, adapters without a second model, and what is said of options and prompts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_plain import plain_tokenizer, tiny_model
from tiny_policy import BAUDELAIRE, tiny_policy
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel

from policies.causal_lm import CausalPolicy
from policies.formats.plain import PlainFormat
from policies.hub import scorer
from rlpoet.errors import RlpoetError
from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.baselines.trl import GRPOTrainer
from rlpoet.training.build import check, fitted, resolve, try_saving
from rlpoet.training.common import learned_state, without_dropout
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.monitoring.preflight import preflight, report_learnability
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.types import Prompt

COUPLETS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Victor Hugo")]
SMALL: dict[str, Any] = {"prompts_per_step": 2, "group_size": 3, "freeze_embeddings": False}
TRAINERS: dict[str, tuple[type, dict[str, Any]]] = {
    "tb": (TBTrainer, {}),
    "subtb": (TBTrainer, {"objective": "subtb"}),
    "ppo": (PPOTrainer, {}),
    "ppo with a model critic": (PPOTrainer, {"critic": "model", "value_epochs": 1, "critic_first": 1}),
    "ppo with an entropy bonus": (PPOTrainer, {"entropy_bonus": 0.01}),
    "rft": (RejectionTrainer, {"refresh_steps": 1}),
}
LORA = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft asks transformers the old way


class Letters:
    """A reward any random model can raise: the share of plain letters, line by line."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Any:
        scores = tuple(sum(self.by_line(prompt, text)) for prompt, text in zip(prompts, texts, strict=True))
        return SimpleNamespace(total=scores, parts={"letters": scores})

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        lines = text.split("\n")
        return [sum(c.isascii() and c.isalpha() for c in line) / max(len(line), 1) / len(lines) for line in lines]

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        gains = self.by_line(prompt, text)
        return [0.0] * len(gains), gains


def make(kind: Any, policy: CausalPolicy, prompts: Sequence[Prompt], **settings: Any) -> Any:
    """A trainer; each setting goes to the options that have it, the shared ones or the trainer's own."""
    shared = {item.name for item in dataclasses.fields(StepOptions)}
    common = StepOptions(**{name: value for name, value in settings.items() if name in shared})
    own = kind.OPTIONS(**{name: value for name, value in settings.items() if name not in shared})
    return kind(policy, Letters(), prompts, common, own, seed=0)


def plain_policy(name: str = "gpt2") -> CausalPolicy:
    tokenizer = plain_tokenizer()
    model = tiny_model(name, tokenizer, sharpness=2.0)
    without_dropout(model)
    return CausalPolicy(model, tokenizer, PlainFormat("fr"), seed=1)


@pytest.mark.parametrize("trainer", TRAINERS)
@pytest.mark.parametrize("name", ["gpt2", "gemma3", "granite", "lfm2"])
def test_a_step_of_each_trainer_on_each_kind_of_model(name, trainer):
    policy = plain_policy(name)
    policy.micro_batch = 4
    before = {key: weight.clone() for key, weight in policy.model.named_parameters()}
    kind, own = TRAINERS[trainer]
    figures, fresh, _ = make(kind, policy, COUPLETS, **SMALL, **own).step(0.3)
    assert len(fresh) == 6 and abs(figures["objective/kl"]) < 1e-3  # prior and policy are one
    assert all(torch.isfinite(weight).all() for weight in policy.model.parameters())
    assert any(not torch.equal(weight, before[key]) for key, weight in policy.model.named_parameters())


# -- adapters -------------------------------------------------------------------------------------


@LORA
@pytest.mark.parametrize("kind", ["plain", "verse"])
def test_the_reference_of_an_adapter_is_the_same_model_with_the_adapter_off(kind):
    policy = plain_policy() if kind == "plain" else tiny_policy()
    rollout = policy.sample([Prompt("fr", "couplet")], 3, max_new_tokens=30)
    as_it_was = policy.log_prob(rollout).detach()
    policy.adapt("r=2")
    prior = policy.reference()
    with torch.no_grad():
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.5)
    learns = [name for name, parameter in policy.model.named_parameters() if parameter.requires_grad]
    assert prior.model is policy.model
    assert torch.allclose(prior.log_prob(rollout), as_it_was, atol=1e-5)
    assert not torch.allclose(policy.log_prob(rollout).detach(), as_it_was, atol=1e-2)
    prior.generator.manual_seed(7)
    drawn = prior.sample([Prompt("fr", "couplet")], 2, max_new_tokens=20)
    fresh = plain_policy() if kind == "plain" else tiny_policy()
    fresh.generator.manual_seed(7)
    assert torch.equal(drawn.ids, fresh.sample([Prompt("fr", "couplet")], 2, max_new_tokens=20).ids)
    assert learns == [name for name, parameter in policy.model.named_parameters() if parameter.requires_grad]
    assert prior.copy().model is not policy.model


@LORA
@pytest.mark.parametrize("trainer", [*TRAINERS, "grpo"])
def test_an_adapter_learns_toward_the_prior_it_began_as(trainer):
    policy = plain_policy()
    policy.adapt("r=2")
    frozen = {key: weight.clone() for key, weight in policy.model.named_parameters() if "lora" not in key}
    kind, own = (GRPOTrainer, {}) if trainer == "grpo" else TRAINERS[trainer]
    run = make(kind, policy, COUPLETS, **SMALL | {"freeze_embeddings": True}, learning_rate=0.05, **own)
    first, *_ = run.step(0.3)
    second, *_ = run.step(0.3)
    assert abs(first["objective/kl"]) < 1e-3
    if trainer != "rft":  # whose own figures are of the policy that drew
        assert abs(second["objective/kl"]) > 1e-4
    assert all(torch.equal(weight, frozen[key]) for key, weight in policy.model.named_parameters() if key in frozen)


@LORA
def test_a_checkpoint_holds_what_learns_and_an_earlier_one_with_all_weights_still_opens(tmp_path):
    def begun() -> TBTrainer:
        policy = plain_policy()
        policy.adapt("r=2")
        return make(TBTrainer, policy, COUPLETS, **SMALL | {"freeze_embeddings": True})

    run = begun()
    run.step(0.3)
    run.save(tmp_path / "new.pt")
    state = torch.load(tmp_path / "new.pt", weights_only=True)
    assert state["model"] and all("lora" in name for name in state["model"])
    torch.save(state | {"model": run.policy.model.state_dict()}, tmp_path / "old.pt")
    goes_on = run.step(0.4)[0]
    for name in ("new.pt", "old.pt"):
        again = begun()
        again.load(tmp_path / name)
        assert all(torch.equal(again.policy.model.state_dict()[key], weight) for key, weight in state["model"].items())
        assert again.step(0.4)[0]["gfn/loss"] == pytest.approx(goes_on["gfn/loss"], rel=1e-5)
    other = plain_policy()
    with pytest.raises(RlpoetError, match="a checkpoint of another run"):
        make(TBTrainer, other, COUPLETS, **SMALL).load(tmp_path / "new.pt")


def test_frozen_layers_are_not_kept_either():
    policy = plain_policy()
    policy.model.transformer.h[0].requires_grad_(False)
    kept = learned_state(policy.model)
    assert kept and not any(name.startswith("transformer.h.0.") for name in kept)
    assert learned_state(policy.reference().model, policy.model).keys() == kept.keys()


# -- prompts and options --------------------------------------------------------------------------


def test_a_step_has_as_many_prompts_as_it_was_asked_for():
    run = make(TBTrainer, plain_policy(), COUPLETS, prompts_per_step=5, group_size=2)
    _, fresh, _ = run.step(0.3)
    assert len(fresh) == 10
    assert sorted(fresh.prompts.count(prompt) for prompt in COUPLETS) == [4, 6]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"aux_rhyme_weight": 1.0}, "--aux_rhyme_weight 1.0.*names no sound"),
        ({"aux_sampler": "reference"}, "--aux_sampler reference"),
        ({"tb": {"plan_token_weight": 0.5}}, r"--tb.plan_token_weight 0.5"),
        ({"tb": {"explore": ("hot", "rhyme")}}, r"--tb.explore rhyme.*from their beginning"),
        ({"tb": {"token_prob_exponent": 1.0}}, r"--tb.token_prob_exponent 1.0"),
    ],
)
def test_an_option_without_effect_on_a_plain_model_is_refused_with_the_reason(given, named):
    tb = TrainConfig().tb.__class__(**given.pop("tb", {}))
    config = resolve(TrainConfig(threads=1, tb=tb, **given), spawn=False)
    with pytest.raises(RlpoetError, match=rf"{named}.*Leave it out"):
        fitted(config, plain_policy())
    assert fitted(config, tiny_policy()) == config


def test_a_plain_model_trains_without_the_auxiliary_task_by_default():
    config = resolve(TrainConfig(threads=1), spawn=False)
    assert config.aux_rhyme_weight == 2.0 and fitted(config, plain_policy()).aux_rhyme_weight == 0.0
    segment = resolve(TrainConfig(threads=1, tb=TrainConfig().tb.__class__(preset="segment")), spawn=False)
    assert fitted(segment, plain_policy()) == segment


def test_that_no_poem_earns_anything_is_said_even_where_few_were_drawn(tmp_path):
    told = report_learnability(tmp_path, COUPLETS[:1] * 4, [0.0] * 4, beta=30.0, group_size=4)
    assert any("no poem earns anything, of 4 drawn" in line for line in told)
    assert not report_learnability(tmp_path, COUPLETS[:1] * 64, [0.0, 0.5] * 32, beta=30.0, group_size=4)
    assert preflight(COUPLETS[:1] * 4, [0.0] * 4, beta=30.0, group_size=4)[0].verdict == "unknown"


def test_what_cannot_be_saved_is_found_out_before_the_budget_is_spent(tmp_path, monkeypatch):
    policy = plain_policy()
    try_saving(policy, tmp_path)
    assert not list(tmp_path.iterdir())
    policy.model.hf_quantizer = _Quantized()  # as transformers marks a model in blocks
    with pytest.raises(RlpoetError, match=r"cannot be saved .*nothing was trained"):
        try_saving(policy, tmp_path)


class _Quantized:
    quantization_config = type("Config", (), {"quant_method": "gguf"})()


@pytest.mark.parametrize("asked", ["cuda", "cuda:3", "gpu", "cuda:one", "cpu:1"])
def test_a_device_that_is_not_here_is_refused_before_anything_is_opened(asked, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(RlpoetError, match=f"--device {asked}"):
        check(TrainConfig(device=asked))


# -- memory ---------------------------------------------------------------------------------------


def test_a_large_vocabulary_is_held_in_parts(monkeypatch):
    """What autograd holds of a reading beside the weights, for 262,144 pieces and some fifty tokens:
    less than a tenth of one copy of the logits."""
    monkeypatch.setattr(scorer, "LOGITS", 2_000_000)
    tokenizer = plain_tokenizer()
    config = GPT2Config(vocab_size=262_144, n_positions=256, n_embd=8, n_layer=1, n_head=1, bos_token_id=0, eos_token_id=0)
    policy = CausalPolicy(GPT2LMHeadModel(config).eval(), tokenizer, PlainFormat("fr"))
    policy.model.requires_grad_(False)
    policy.model.transformer.h.requires_grad_(True)
    rollout = policy.write([Prompt("fr", "quatrain-abab")], ["\n".join(BAUDELAIRE)])
    assert int(rollout.chosen.sum()) > 2 * scorer.LOGITS // config.vocab_size  # several parts
    with _Peak() as peak:
        policy.log_prob(rollout).sum().backward()
    whole = int(rollout.chosen.sum()) * config.vocab_size * 4
    assert peak.saved < 0.1 * whole
    assert any(parameter.grad is not None for parameter in policy.model.parameters())


class _Peak:
    """Bytes that autograd saves while the block runs, outside of parts that are made again."""

    def __init__(self) -> None:
        self.saved = 0

    def __enter__(self) -> _Peak:
        self._hooks = torch.autograd.graph.saved_tensors_hooks(self._pack, lambda tensor: tensor)
        self._hooks.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._hooks.__exit__(*error)

    def _pack(self, tensor: torch.Tensor) -> torch.Tensor:
        if not isinstance(tensor, nn.Parameter):
            self.saved += tensor.numel() * tensor.element_size()
        return tensor
