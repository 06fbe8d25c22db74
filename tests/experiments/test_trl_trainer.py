"""Trajectory balance in trl's own loop: the project's loss, RLOO's gradient, A*-PO's loss, whatever way a prompt's texts are spread."""

from __future__ import annotations

import warnings
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from experiments.examples.interop.poems import byte_tokenizer
from rlpoet.errors import RlpoetError
from rlpoet.training.gflownet.frameworks import group_balance

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import trl
    from trl.experimental.a2po import A2POTrainer

    from rlpoet.training.gflownet.trl_trainer import TBTrainerForTRL

pytestmark = pytest.mark.filterwarnings("ignore")  # trl's and accelerate's, about settings that are meant
KL, GROUP, PROMPTS = 0.25, 3, ("ombre ", "jour ")


class Kept(TBTrainerForTRL):
    """Keeps the micro-batches and their losses."""

    def _compute_loss(self, model, inputs):
        loss = super()._compute_loss(model, inputs)
        self.batches = [*getattr(self, "batches", []), inputs]
        self.losses = [*getattr(self, "losses", []), loss.item()]
        return loss


def vowels(prompts, completions, **_):
    return [
        float(sum(letter in "aeiou" for letter in text) > 0) if prompt == PROMPTS[0] else len(text) % 2 / 2
        for prompt, text in zip(prompts, completions, strict=True)
    ]


def trainer_of(folder, kind=Kept, config=trl.GRPOConfig, *, rows=None, micro_batches=1, **options):
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    size = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=tokenizer.pad_token_id, **size)).save_pretrained(folder)
    model = LlamaForCausalLM.from_pretrained(folder)  # trl opens the reference model where the model says it came from
    settings = {
        "output_dir": str(folder), "max_steps": 1, "per_device_train_batch_size": GROUP * len(PROMPTS) // micro_batches,
        "gradient_accumulation_steps": micro_batches, "num_generations": GROUP, "max_completion_length": 6, "learning_rate": 0.0,
        "beta": KL, "report_to": "none", "save_strategy": "no", "use_cpu": True, "bf16": False, "gradient_checkpointing": False,
        "disable_tqdm": True, "logging_steps": 1,
    }  # fmt: skip
    rows = rows or [{"prompt": prompt} for prompt in PROMPTS]
    trainer = kind(model, vowels, args=config(**{**settings, **options}), train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    with torch.no_grad():  # away from the reference
        for weight in trainer.model.parameters():
            weight.add_(0.05 * torch.randn(weight.shape))
    return trainer


def joined(batches):
    """The rows of all micro-batches, whose texts may differ in padding."""
    found = {}
    for name in ("completion_mask", "ref_per_token_logps", "tb_reward", "tb_log_z", "completion_ids", "prompt_ids", "prompt_mask"):
        found[name] = torch.cat([batch[name] for batch in batches])
    return found


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_a_step_of_trl_has_the_project_s_loss_however_its_texts_are_spread(tmp_path, micro_batches):
    trainer = trainer_of(tmp_path, micro_batches=micro_batches)
    trainer.train()
    batch = joined(trainer.batches)
    log_p = trainer._log_p(trainer.model, batch)
    group = torch.unique(batch["prompt_ids"], dim=0, return_inverse=True)[1]
    assert group.bincount().tolist() == [GROUP] * len(PROMPTS)
    own = group_balance(
        list(log_p), list(batch["ref_per_token_logps"]), list(batch["completion_mask"]), batch["tb_reward"], group, beta=1 / KL
    )
    assert sum(trainer.losses) == pytest.approx(own.item(), rel=1e-4) and own > 0
    logged = next(row for row in trainer.state.log_history if "tb/log_z" in row)
    assert logged["tb/log_z"] == pytest.approx(batch["tb_log_z"].mean().item(), rel=1e-4)
    assert logged["reward"] == pytest.approx(batch["tb_reward"].mean().item(), rel=1e-4)


def test_on_fresh_texts_the_gradient_is_that_of_trl_s_rloo(tmp_path):
    trainer = trainer_of(tmp_path / "tb")
    trainer.train()
    (batch,) = trainer.batches
    trainer.model.zero_grad()
    trainer.current_gradient_accumulation_steps = 1
    TBTrainerForTRL._compute_loss(trainer, trainer.model, batch).backward()
    ours = [weight.grad.clone() for weight in trainer.model.parameters()]

    rloo = trainer_of(tmp_path / "rloo", trl.RLOOTrainer, trl.RLOOConfig)
    rloo.model.load_state_dict(trainer.model.state_dict())
    log_p = (trainer._log_p(trainer.model, batch) * batch["completion_mask"]).sum(1).detach()
    penalised = batch["tb_reward"] - KL * (log_p - (batch["ref_per_token_logps"] * batch["completion_mask"]).sum(1))
    group = torch.unique(batch["prompt_ids"], dim=0, return_inverse=True)[1]
    sums = torch.zeros(len(PROMPTS)).index_add(0, group, penalised)[group]
    advantages = penalised - (sums - penalised) / (GROUP - 1)
    rloo.model.zero_grad()
    rloo._compute_loss(rloo.model, {**batch, "old_logps": log_p, "advantages": advantages}).backward()
    theirs = [weight.grad for weight in rloo.model.parameters()]
    assert all(torch.allclose(a, b * (GROUP - 1) / GROUP, atol=1e-6) for a, b in zip(ours, theirs, strict=True))
    assert max(grad.abs().max() for grad in theirs) > 1e-4


def test_a_known_log_z_gives_the_loss_of_trl_s_a2po(tmp_path):
    values = (0.5, 0.125)  # V* of each prompt
    rows = [{"prompt": prompt, "log_z": value / KL} for prompt, value in zip(PROMPTS, values, strict=True)]
    trainer = trainer_of(tmp_path, rows=rows)
    trainer.train()
    (batch,) = trainer.batches
    assert sorted(set(batch["tb_log_z"].tolist())) == sorted(value / KL for value in values)
    log_p = (trainer._log_p(trainer.model, batch) * batch["completion_mask"]).sum(1).detach()
    a2po = SimpleNamespace(
        model=trainer.model,
        args=SimpleNamespace(beta2=KL),
        _get_sequence_logps=lambda *_: log_p,
        _metrics=defaultdict(lambda: defaultdict(list)),
    )
    seen = {"ref_logps": (batch["ref_per_token_logps"] * batch["completion_mask"]).sum(1), "rewards": batch["tb_reward"]}
    unread = dict.fromkeys(("input_ids", "attention_mask", "logits_to_keep"))
    theirs = A2POTrainer.compute_loss(a2po, trainer.model, {**seen, **unread, "v_star": batch["tb_log_z"] * KL})
    assert trainer.losses[0] == pytest.approx(theirs.item() / (2 * KL), rel=1e-4)


def test_without_a_kl_penalty_there_is_no_target(tmp_path):
    with pytest.raises(RlpoetError, match=r"beta is 0.0.*GRPOConfig\(beta=0.05\)"):
        trainer_of(tmp_path, beta=0.0)


def test_a_text_that_nothing_scores_teaches_nothing(tmp_path):
    def only_first(prompts, completions, **_):
        return [len(text) % 3 / 2 if prompt == PROMPTS[0] else None for prompt, text in zip(prompts, completions, strict=True)]

    trainer = trainer_of(tmp_path)
    trainer.reward_funcs = [only_first]
    trainer.train()
    (batch,) = trainer.batches
    scored = batch["tb_scored"]
    assert scored.sum() == GROUP
    log_p = trainer._log_p(trainer.model, batch)[scored]
    masks, prior = batch["completion_mask"][scored], batch["ref_per_token_logps"][scored]
    own = group_balance(
        list(log_p), list(prior), list(masks), batch["tb_reward"][scored], torch.zeros(GROUP, dtype=torch.long), beta=1 / KL
    )
    assert trainer.losses[0] == pytest.approx(own.item() * GROUP / len(scored), rel=1e-4)
