"""GRPO and RLOO as trl has them, toward the same prior, on the same prompts, rewards and sampler as trajectory balance.

trl scores, weighs, forms advantages and losses, and differentiates; prompts, optimizer, schedules, budget and log are those of
the other trainers, so that curves compare. Each step is one batch of fresh texts and one update: the ratio of policies is 1 and nothing is
clipped. Deviations from trl's defaults, all for the sake of one target ``p0 exp(beta r)``: the KL coefficient is ``1 / beta``, not 0;
rewards are not divided by their group's deviation (``scale_rewards``), which would make beta another number for each prompt;
PAD has no probability, as everywhere here; the grammar of the form holds the sampler (``sampler``).

RLOO puts the sequence KL into the reward, so that its maximum is the target. GRPO adds a per-token estimate of KL to the loss; its
gradient is not that of the sequence KL (no token answers for the KL of later ones), and where it settles is near the target, not on it.

trl works on twins of policy and prior that share their parameters: it patches modules in place, and the policy has to stay as it was.
Log-probabilities are those of the distribution that was sampled, token masks included. trl has no place for masks beside its fused head,
so they are computed here, in the same shapes.

Of trl's private methods two are overridden, both in ``_Bridge``; the tests say when a new version of trl breaks them.
"""

from __future__ import annotations

import copy
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import torch
import trl
from datasets import Dataset
from torch import Tensor, nn
from transformers import PrinterCallback
from trl.trainer.utils import add_fused_lm_head

from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.protocols import Scored
from rlpoet.rollout import CopiesItself, Policy, Rollout, ShowsTokens
from rlpoet.training.baselines.options import TRLOptions
from rlpoet.training.common import batch_figures, totals
from rlpoet.training.options import StepOptions
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt

BAR = -50.0  # added to PAD's logit
NEVER = -1e9  # logit of what a mask excludes: not infinite, or its part of an entropy would be no number
LINE_ROOM = 40  # tokens a line may need, where the grammar does not end it


class TRLTrainer(Trainer):
    """State of a run: policy, prior, trl's trainer. trl samples, scores and weighs."""

    OPTIONS = TRLOptions
    ALGO: ClassVar[Literal["grpo", "rloo"]]
    options: TRLOptions
    policy: Any

    def __init__(self, policy: Policy, *args: Any, seed: int, **settings: Any) -> None:
        if not isinstance(policy, ShowsTokens):
            raise RlpoetError(f"--algo {self.ALGO}: {type(policy).__name__} has no tokens to show; expected start_ids and continued.")
        super().__init__(policy, *args, seed=seed, **settings)
        self.asked: list[Prompt] = []
        self.batch: tuple[Rollout, Scored] | None = None
        self.drawn: Rollout | None = None  # the step's texts with their masks; None where trl draws
        self._noise = torch.Generator().manual_seed(seed).get_state()  # of trl's own draws, which read torch's global state
        with self._own_noise(), _quiet():
            self.trainer = _trainer(self, seed)
        self._generate, self.trainer.model.generate = self.trainer.model.generate, self.generate
        self._drawing = 0.0

    @classmethod
    def check(cls, common: StepOptions, options: TRLOptions) -> None:
        super().check(common, options)
        if common.group_size < 2:
            raise RlpoetError(f"--group_size: {common.group_size}; expected 2 or more, {cls.ALGO} compares the poems of a prompt.")
        if not common.beta > 0:
            raise RlpoetError(f"--beta: {common.beta}; expected more than 0, the KL coefficient of {cls.ALGO} is 1 / beta.")

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Let trl sample, score and weigh a batch; follow its gradient."""
        assert self.optimizer is not None
        self.asked = [prompt for prompt in prompts for _ in range(self.common.group_size)]
        trainer = self.trainer
        trainer.beta = 1 / beta
        rows = [{"prompt": text} for text in self.policy.tokenizer.batch_decode([self.policy.start_ids(p) for p in self.asked])]
        self.optimizer.zero_grad(set_to_none=True)
        with self._own_noise(), _quiet():
            loss = trainer.training_step(trainer.model, rows, None)
        assert self.batch is not None
        fresh, scored = self.batch
        norm = self.descend(fresh)
        # sums over the tokens of each text; trl shuffles rows between the two, so only their means belong together
        (log_prior, n_of_prior), (log_pf, n_of_policy) = trainer.heard["prior"], trainer.heard["policy"]
        log: dict[str, float] = {}
        trainer.log(log)
        trainer.state.log_history.clear()
        figures = {
            **batch_figures(fresh, scored, len(prompts), log_pf, log_prior, (n_of_policy, n_of_prior)),
            "train/grad_norm": norm,
            "trl/loss": loss.item(),
            "trl/kl_coefficient": 1 / beta,
            **{f"trl/{name}": float(value) for name, value in log.items() if value is not None and name != "epoch"},
        }
        return Update(fresh, scored, figures, self._drawing)

    # -- what trl asks back -----------------------------------------------------------------------

    def generate(self, input_ids: Tensor, **settings: Any) -> Tensor:
        """Stands in for the model's ``generate``: texts of the step's prompts, ``(B, S)``, each after its row of ``input_ids``."""
        started, n = time.perf_counter(), self.common.group_size
        if self.options.sampler == "own":
            fresh = self.drawn = self.draw(self.asked[::n])
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
        fresh = self.masked(fresh) if self.drawn is not None else fresh
        scored = self.score(fresh.prompts, fresh.texts)
        self.batch = fresh, scored
        scores: list[float] = totals(scored).tolist()
        return scores

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

    def state(self) -> dict[str, Any]:
        return {"noise": self._noise}

    def restore(self, state: Mapping[str, Any]) -> None:
        self._noise = state["noise"]


class GRPOTrainer(TRLTrainer):
    """Group-relative policy optimisation."""

    ALGO = "grpo"


class RLOOTrainer(TRLTrainer):
    """REINFORCE, each poem's baseline the mean of its prompt's other poems."""

    ALGO = "rloo"


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
            if self.run.drawn is not None:
                found = self._as_drawn(model, input_ids, attention_mask, logits_to_keep)
            else:
                found = super()._get_per_token_logps_and_entropies(  # type: ignore[misc]
                    model, input_ids, attention_mask, logits_to_keep, *args, **kwargs
                )
        mask = attention_mask[:, -logits_to_keep:]
        log_p = (found[0].detach().float() * mask).sum(1).cpu()
        self.heard["prior" if model is self.ref_model else "policy"] = log_p, mask.sum(1).cpu()  # type: ignore[attr-defined]
        return found

    def _as_drawn(self, model: nn.Module, input_ids: Tensor, attention_mask: Tensor, n: int) -> tuple[Tensor, Tensor, None]:
        """What trl's own method gives, of the distribution under the token masks: log-probabilities and entropies ``(B, n)``."""
        drawn = self.run.drawn
        assert drawn is not None
        logits = model(input_ids=input_ids, attention_mask=attention_mask, use_cache=False).logits[:, -n - 1 : -1].float()
        if drawn.token_masks is not None and drawn.mask_of is not None:
            row_of = {
                tuple(ids[: int(chosen.nonzero()[-1]) + 1].tolist()): row
                for row, (ids, chosen) in enumerate(zip(drawn.ids, drawn.chosen, strict=True))
            }
            which = torch.full((len(input_ids), n), -1)
            for at, (ids, real) in enumerate(zip(input_ids.cpu(), attention_mask.cpu(), strict=True)):
                row = row_of[tuple(ids[real.bool()].tolist())]  # trl shuffles rows
                own = drawn.mask_of[row][drawn.chosen[row]]
                which[at, : len(own)] = own
            masks = torch.cat([drawn.token_masks, torch.zeros_like(drawn.token_masks[:1])])  # the last is of padding
            logits = logits.masked_fill(masks.to(logits.device)[which.to(logits.device)], NEVER)
        log_p = logits.log_softmax(-1)
        entropy = -(log_p.exp() * log_p).sum(-1)
        return log_p.gather(2, input_ids[:, -n:, None]).squeeze(2), entropy.detach(), None


class _GRPO(_Bridge, trl.GRPOTrainer):
    pass


class _RLOO(_Bridge, trl.RLOOTrainer):
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


def _prior_model(run: TRLTrainer) -> Any:
    """The prior's model; a whole copy where the prior is the policy's own model with its adapter off, which trl cannot know."""
    if run.prior.model is not run.policy.model or not isinstance(run.policy, CopiesItself):
        return run.prior.model
    copied: Any = run.policy.copy()
    model = copied.model.requires_grad_(False)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.zero_()
    return model


def _trainer(run: TRLTrainer, seed: int) -> Any:
    """trl's trainer of a run: nothing logged, saved or reported of its own, no reference model loaded from disk."""
    common, policy = run.common, run.policy
    model = _twin(policy.model, policy.pad)
    model.generation_config.eos_token_id = [policy.end]
    longest = max(form(prompt.form, prompt.lang).n_lines for prompt in run.prompts)
    n_texts = common.group_size * common.n_prompts
    with tempfile.TemporaryDirectory() as folder:  # it makes its folder, though nothing is ever written to it
        settings: dict[str, Any] = {
            "output_dir": folder, "seed": seed, "use_cpu": model.device.type == "cpu", "bf16": False, "report_to": [],
            "save_strategy": "no", "logging_strategy": "no", "disable_tqdm": True, "gradient_checkpointing": False,
            "per_device_train_batch_size": n_texts, "num_generations": common.group_size, "max_completion_length": LINE_ROOM * longest,
            "temperature": 1.0, "disable_dropout": True, "beta": 0.0, "shuffle_dataset": False,
        }  # fmt: skip
        rows = Dataset.from_dict({"prompt": [""] * n_texts})  # asked for, never read: a step hands over its own
        if run.ALGO == "grpo":
            args, kind = trl.GRPOConfig(**settings, scale_rewards=run.options.scale_rewards), _GRPO
        else:
            args, kind = trl.RLOOConfig(**settings), _RLOO
        trainer = kind(model, [run.reward], args=args, train_dataset=rows, processing_class=copy.deepcopy(policy.tokenizer))
    trainer.remove_callback(PrinterCallback)
    trainer.run = run
    # beta was 0 above, or trl would reload the prior from a hub name or a path the policy may not have
    trainer.ref_model = _twin(_prior_model(run), policy.pad)
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
