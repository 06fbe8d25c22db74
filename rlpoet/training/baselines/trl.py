"""GRPO and RLOO as trl has them, toward the same prior, on the same prompts, rewards and sampler as trajectory balance.

trl scores, weighs, forms advantages and losses, and differentiates; prompts, optimizer, schedules, budget and log are those of
the other trainers, so that curves compare. Each step is one batch of fresh texts and one update: the ratio of policies is 1 and nothing is
clipped. Deviations from trl's defaults, all for the sake of one target ``p0 exp(beta r)``: the KL coefficient is ``1 / beta``, not 0;
rewards are not divided by their group's deviation (``scale_rewards``), which would make beta another number for each prompt;
PAD has no probability, as everywhere here; the grammar of the form holds the sampler (``sampler``).

RLOO puts the sequence KL into the reward, so that its maximum is the target. GRPO adds a per-token estimate of KL to the loss; its
gradient is not that of the sequence KL (no token answers for the KL of later ones), and where it settles is near the target, not on it.

trl works on twins of policy and prior that share their parameters: it patches modules in place, and the policy has to stay as it was.
Of trl's private methods two are overridden, both in ``_Bridge``; the tests say when a new version of trl breaks them.
"""

from __future__ import annotations

import copy
import logging
import random
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from datasets import Dataset
from torch import Tensor, nn
from transformers import PrinterCallback
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.trainer.utils import add_fused_lm_head

from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout
from rlpoet.training.common import checkpoint, learning_parameters, reward_means, write_checkpoint
from rlpoet.training.schedule import beta_factor, rate_factor
from rlpoet.types import Prompt

BAR = -50.0  # added to PAD's logit
LINE_ROOM = 40  # tokens a line may need, where the grammar does not end it


@runtime_checkable
class Scribe(Policy, Protocol):
    """A policy that tells its tokens, so that another library can draw and weigh them."""

    tokenizer: Any  # a Hugging Face tokenizer
    end: int  # id that ends a poem

    def start_ids(self, prompt: Prompt) -> list[int]: ...
    def continued(self, prompts: Sequence[Prompt], tokens: Sequence[Sequence[int]]) -> Rollout: ...


@dataclass(frozen=True)
class TRLOptions:
    """Settings of a step.

    Attributes:
        algo: ``grpo`` or ``rloo``.
        prompts_per_step: prompts in a batch.
        group_size: fresh texts a prompt, at least 2.
        beta: inverse temperature of the target at the end of the warm-up; the KL coefficient is ``1 / beta``.
        beta_warmup: share of the run over which beta rises from a quarter of itself.
        learning_rate: peak; it falls to a tenth over the budget.
        warmup: share of the run over which the rate rises.
        clip: largest norm of a gradient.
        freeze_embeddings: leave token embeddings and the head as they are.
        sampler: ``own`` draws under the grammar of the form, ``trl`` with transformers' ``generate``, without it.
        scale_rewards: of grpo: ``none``; ``group`` divides advantages by the deviation of their prompt's rewards, ``batch`` of all.
    """

    algo: str = "grpo"
    prompts_per_step: int = 24
    group_size: int = 8
    beta: float = 30.0
    beta_warmup: float = 0.2
    learning_rate: float = 6e-4
    warmup: float = 0.1
    clip: float = 1.0
    freeze_embeddings: bool = True
    sampler: str = "own"
    scale_rewards: str = "none"


class TRLTrainer:
    """State of a run: policy, prior, trl's trainer, optimizer, clocks."""

    def __init__(self, policy: Policy, score: Scorer, prompts: Sequence[Prompt], options: TRLOptions, *, seed: int) -> None:
        if not isinstance(policy, Scribe):
            raise RlpoetError(f"--algo {options.algo}: {type(policy).__name__} has no tokens to show; expected start_ids and continued.")
        self.policy, self.prior, self.score, self.prompts, self.options = policy, policy.reference(), score, list(prompts), options
        self.trained = learning_parameters(policy.model, freeze_embeddings=options.freeze_embeddings)
        self.optimizer = torch.optim.AdamW(self.trained, lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.rng = random.Random(seed)
        self.n_steps = self.n_fresh = 0
        self.seconds = 0.0
        self.asked: list[Prompt] = []
        self.batch: tuple[Rollout, Scored] | None = None
        self._noise = torch.Generator().manual_seed(seed).get_state()  # of trl's own draws, which read torch's global state
        with self._own_noise(), _quiet():
            self.trainer = _trainer(self, seed)
        self._generate, self.trainer.model.generate = self.trainer.model.generate, self.draw
        self._drawing = 0.0

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Let trl sample, score and weigh a batch; update.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedules.

        Returns:
            Metrics, the fresh texts, their scores.
        """
        started, options = time.perf_counter(), self.options
        asked = self.rng.sample(self.prompts, min(options.prompts_per_step, len(self.prompts)))
        self.asked = [prompt for prompt in asked for _ in range(options.group_size)]
        beta = options.beta * beta_factor(progress, options.beta_warmup)
        rate = options.learning_rate * rate_factor(progress, options.warmup)
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = rate
        trainer = self.trainer
        trainer.beta = 1 / beta
        rows = [{"prompt": text} for text in self.policy.tokenizer.batch_decode([self.policy.start_ids(p) for p in self.asked])]
        self.optimizer.zero_grad(set_to_none=True)
        with self._own_noise(), _quiet():
            loss = trainer.training_step(trainer.model, rows, None)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, options.clip)
        self.optimizer.step()
        assert self.batch is not None
        (fresh, scored), n = self.batch, len(self.asked)
        self.n_steps += 1
        self.n_fresh += n
        taken = time.perf_counter() - started
        self.seconds += taken
        reward = torch.tensor([0.0 if total is None else total for total in scored.total])
        # sums over the tokens of each text; trl shuffles rows between the two, so only their means belong together
        (log_prior, n_of_prior), (log_pf, n_of_policy) = trainer.heard["prior"], trainer.heard["policy"]
        told: dict[str, float] = {}
        trainer.log(told)
        trainer.state.log_history.clear()
        metrics = {
            "reward/mean": reward.mean().item(),
            "frac_reward_zero_std": (reward.view(len(asked), -1).std(1) < 1e-6).float().mean().item(),
            "objective/kl": (log_pf.mean() - log_prior.mean()).item(),
            "objective/prior_nll_per_token": (-log_prior / n_of_prior).mean().item(),
            "objective/entropy_per_token": (-log_pf / n_of_policy).mean().item(),
            "train/learning_rate": rate,
            "train/grad_norm": norm.item(),
            "samples/ended": fresh.ended.float().mean().item(),
            "samples/tokens": fresh.n_tokens.float().mean().item(),
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": n / taken,
            "time/share_sampling": self._drawing / taken,
            "trl/loss": loss.item(),
            "trl/kl_coefficient": 1 / beta,
            **{f"trl/{name}": float(value) for name, value in told.items() if value is not None and name != "epoch"},
        }
        return metrics | reward_means(scored.parts), fresh, scored

    # -- what trl asks back -----------------------------------------------------------------------

    def draw(self, input_ids: Tensor, **settings: Any) -> Tensor:
        """Stands in for the model's ``generate``: texts of the step's prompts, ``(B, S)``, each after its row of ``input_ids``."""
        started, n = time.perf_counter(), self.options.group_size
        if self.options.sampler == "own":
            fresh = self.policy.sample(self.asked[::n], n)
            tokens = [ids[chosen] for ids, chosen in zip(fresh.ids, fresh.chosen, strict=True)]
            drawn = nn.utils.rnn.pad_sequence(tokens, batch_first=True, padding_value=self.policy.pad).to(input_ids)
            whole = torch.cat([input_ids, drawn], 1)
        else:
            with self.in_precision():
                whole = self._generate(input_ids=input_ids, **settings)
        self._drawing = time.perf_counter() - started
        return whole

    def reward(self, completion_ids: Sequence[Sequence[int]], **_: Any) -> list[float]:
        """A reward function of trl's: the composed reward of what those tokens spell, 0 where a prompt asks for none of its terms."""
        fresh = self.policy.continued(self.asked, completion_ids)
        scored = self.score(fresh.prompts, fresh.texts)
        self.batch = fresh, scored
        return [0.0 if total is None else total for total in scored.total]

    def in_precision(self) -> torch.autocast:
        """The policy's precision, for what trl computes."""
        device = next(self.policy.model.parameters()).device
        return torch.autocast(device.type, torch.bfloat16, enabled=self.policy.precision == torch.bfloat16)

    @contextmanager
    def _own_noise(self) -> Iterator[None]:
        """Torch's global generator with this run's state, and as it was afterwards."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._noise)
            yield
            self._noise = torch.get_rng_state()

    # -- checkpoints ------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Everything a run needs to go on as if it had not stopped; whole or not at all."""
        state = {
            "model": self.policy.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.policy.generator.get_state(),
            "noise": self._noise,
            "rng": list(self.rng.getstate()[1]),
            "n_steps": self.n_steps, "n_fresh": self.n_fresh, "seconds": self.seconds,
        }  # fmt: skip
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Take up a saved run.

        Raises:
            RlpoetError: the file is damaged or belongs to another model or trainer.
        """
        with checkpoint(path) as state:
            self.policy.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.policy.generator.set_state(state["generator"])
            self._noise = state["noise"]
            self.rng.setstate((3, tuple(state["rng"]), None))
            self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]


class _Bridge:
    """What both of trl's trainers are told otherwise: token ids of prompts, precision; and what is listened to."""

    run: TRLTrainer
    heard: dict[str, tuple[Tensor, Tensor]]  # "prior", "policy" -> log-probability and tokens of each text, (B,)

    def _tokenize_prompts(self, prompts: Sequence[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """A policy's own ids: its tokenizer alone does not know how its format is cut."""
        self.heard = {}
        return [self.run.policy.start_ids(prompt) for prompt in self.run.asked], None, {}

    def _get_per_token_logps_and_entropies(
        self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, *args: Any, **kwargs: Any
    ) -> Any:
        with self.run.in_precision():
            found = super()._get_per_token_logps_and_entropies(  # type: ignore[misc]
                model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
            )
        mask = attention_mask[:, -logits_to_keep:]
        log_p = (found[0].detach().float() * mask).sum(1).cpu()
        self.heard["prior" if model is self.ref_model else "policy"] = log_p, mask.sum(1).cpu()  # type: ignore[attr-defined]
        return found


class _GRPO(_Bridge, GRPOTrainer):
    pass


class _RLOO(_Bridge, RLOOTrainer):
    pass


class _BarredHead(nn.Module):
    """A model's head, PAD's logit far below the others."""

    bar: Tensor

    def __init__(self, head: Any, pad: int) -> None:
        super().__init__()
        self.head = head
        bar = torch.zeros(len(head.weight), dtype=head.weight.dtype, device=head.weight.device)
        bar[pad] = BAR
        self.register_buffer("bar", bar, persistent=False)

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.head.weight
        return weight

    @property
    def bias(self) -> Tensor:
        own = getattr(self.head, "bias", None)
        return self.bar if own is None else self.bar + own

    def forward(self, states: Tensor) -> Tensor:
        logits: Tensor = nn.functional.linear(states, self.weight, self.bias)
        return logits


def _twin(model: Any, pad: int) -> Any:
    """A copy of a model's modules over the same parameters, PAD barred."""
    twin = copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})
    twin.set_output_embeddings(_BarredHead(twin.get_output_embeddings(), pad))
    return twin


def _trainer(run: TRLTrainer, seed: int) -> Any:
    """trl's trainer of a run: nothing logged, saved or reported of its own, no reference model loaded from disk."""
    options, policy = run.options, run.policy
    model = _twin(policy.model, policy.pad)
    model.generation_config.eos_token_id = [policy.end]
    longest = max(form(prompt.form, prompt.lang).n_lines for prompt in run.prompts)
    n_texts = options.group_size * min(options.prompts_per_step, len(run.prompts))
    with tempfile.TemporaryDirectory() as folder:  # it makes its folder, though nothing is ever written to it
        settings: dict[str, Any] = {
            "output_dir": folder, "seed": seed, "use_cpu": model.device.type == "cpu", "bf16": False, "report_to": [],
            "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "gradient_checkpointing": False,
            "per_device_train_batch_size": n_texts, "num_generations": options.group_size, "max_completion_length": LINE_ROOM * longest,
            "temperature": 1.0, "disable_dropout": True, "beta": 0.0, "shuffle_dataset": False,
        }  # fmt: skip
        rows = Dataset.from_dict({"prompt": [""] * n_texts})  # asked for, never read: a step hands over its own
        if options.algo == "grpo":
            args, kind = GRPOConfig(**settings, scale_rewards=options.scale_rewards), _GRPO
        else:
            args, kind = RLOOConfig(**settings), _RLOO
        trainer = kind(model, [run.reward], args=args, train_dataset=rows, processing_class=copy.deepcopy(policy.tokenizer))
    trainer.remove_callback(PrinterCallback)
    trainer.run = run
    # beta was 0 above, or trl would reload the prior from a hub name or a path the policy may not have
    trainer.ref_model = _twin(run.prior.model, policy.pad)
    add_fused_lm_head(trainer.ref_model)
    trainer.current_gradient_accumulation_steps = 1
    return trainer


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what trl and its libraries say to each other: about settings that are meant, and calls one of them deprecates."""
    names = ("trl", "accelerate", "transformers.trainer")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for name in ("trl", "transformers", "accelerate"):
                warnings.filterwarnings("ignore", module=rf"{name}(\.|$)")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
