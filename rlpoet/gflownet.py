"""Trajectory-balance training of a language model: one loop.

Target ``pi*(y|x) ~ p0(y|x) exp(beta r(x, y))``, p0 the frozen prior. Deviation from Malkin et al. (2022): log Z(x) is
not learned but estimated by the mean over the texts of one prompt (VarGrad), fresh and replayed alike. TB is right
off-policy, so replayed texts need no importance weights. Temperature 1 throughout: a hotter tiny vocabulary writes gibberish,
and gibberish stays in a buffer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from rlpoet.errors import RlpoetError
from rlpoet.objectives import balance_residual, centred, group_log_z, residual_to_go, target_log_reward
from rlpoet.prosody.forms import form
from rlpoet.replay import Replay, merge
from rlpoet.rollout import Policy, Rollout
from rlpoet.types import Prompt


class Scored(Protocol):
    """Totals and named parts of a batch, as the composed reward gives them."""

    @property
    def total(self) -> tuple[float | None, ...]: ...
    @property
    def parts(self) -> Mapping[str, tuple[float | None, ...]]: ...


class Scorer(Protocol):
    """A composed reward: scores with their parts, and what each line adds to one."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored: ...
    def by_line(self, prompt: Prompt, text: str) -> list[float]: ...


@dataclass(frozen=True)
class TBOptions:
    """Settings of the loop.

    Attributes:
        prompts_per_step: prompts in a batch.
        group_size: fresh texts a prompt; VarGrad centres within them, so at least 2.
        beta: inverse temperature of the target at the end of the warm-up.
        beta_warmup: steps over which beta rises from a quarter of itself.
        learning_rate: peak; it falls to a tenth over the budget.
        warmup: steps over which the rate rises.
        replay: texts from the buffer beside the fresh ones of a prompt, as a share of ``group_size``.
        clip: largest norm of a gradient.
        freeze_embeddings: leave token embeddings and the head as they are.
        credit: ``line`` weighs a token of a fresh text by the part of the residual its line can still change, ``poem`` by
            all of it; the same gradient in the mean. Replayed texts always count whole.
        bearing: with line credit, how much the part of a later line counts that this one does not rhyme with; 1 keeps TB's
            gradient in the mean.
    """

    prompts_per_step: int = 24
    group_size: int = 8
    beta: float = 22.0
    beta_warmup: int = 20
    learning_rate: float = 6e-4
    warmup: int = 10
    replay: float = 0.0
    clip: float = 1.0
    freeze_embeddings: bool = True
    credit: str = "line"
    bearing: float = 0.2


class TBTrainer:
    """State of a run: policy, prior, optimizer, buffer, clocks. ``step()`` is the whole algorithm."""

    def __init__(self, policy: Policy, score: Scorer, prompts: Sequence[Prompt], options: TBOptions, *, seed: int) -> None:
        if options.group_size < 2:
            raise RlpoetError(f"group_size: {options.group_size}; expected 2 or more, log Z is a mean over a prompt's texts.")
        self.policy, self.prior, self.score, self.prompts, self.options = policy, policy.reference(), score, list(prompts), options
        if options.freeze_embeddings:
            # a token's row is seen in few texts of a batch; Adam scales its noise up to full steps and the policy drifts
            for table in (policy.model.get_input_embeddings(), policy.model.get_output_embeddings()):
                table.requires_grad_(False)
        trained = [parameter for parameter in policy.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.replay = Replay()
        self.rng = random.Random(seed)
        self.n_steps = self.n_fresh = 0
        self.seconds = 0.0

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Sample, score, weigh, update.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedules.

        Returns:
            Metrics, the fresh texts, their scores.
        """
        started, options = time.perf_counter(), self.options
        asked = self.rng.sample(self.prompts, min(options.prompts_per_step, len(self.prompts)))
        fresh = self.policy.sample(asked, options.group_size)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        scores = [0.0 if total is None else total for total in scored.total]
        with torch.no_grad():
            prior_steps = self.prior.log_prob(fresh).cpu()  # (B, S)
        log_prior = prior_steps.sum(1)
        drawn = [kept for prompt in asked for kept in self.replay.draw(prompt, round(options.replay * options.group_size), self.rng)]
        batch = merge(fresh, drawn, pad=self.policy.pad)
        place = {prompt: i for i, prompt in enumerate(asked)}
        group = torch.tensor([place[prompt] for prompt in batch.prompts])
        beta = options.beta * min(1.0, 0.25 + 0.75 * (self.n_steps + 1) / max(options.beta_warmup, 1))
        prior = torch.cat([log_prior, torch.tensor([kept.log_prior for kept in drawn])])
        reward = torch.tensor(scores + [kept.score for kept in drawn], dtype=torch.float32)
        log_reward = target_log_reward(reward, prior[:, None], beta)  # (B,)

        rate = options.learning_rate * min(1.0, (self.n_steps + 1) / options.warmup) * (1.0 - 0.9 * min(progress, 1.0))
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = rate
        weigh = (
            (lambda steps: self._credit(fresh, steps[: len(fresh), : prior_steps.shape[1]] - prior_steps, beta, group[: len(fresh)]))
            if options.credit == "line"
            else None
        )
        log_pf, residual, norm = self._update(batch, log_reward, group, weigh)
        self.replay.add(fresh, scores, log_prior.tolist())
        n = len(fresh)
        self.n_steps += 1
        self.n_fresh += n
        taken = time.perf_counter() - started
        self.seconds += taken
        kl = log_pf[:n] - prior[:n]  # one-sample estimate of the sequence KL to the prior
        by_prompt = reward[:n].view(len(asked), -1)
        metrics = {
            "gfn/loss": residual.square().mean().item(),
            "gfn/log_z": (log_reward - log_pf).mean().item(),
            "gfn/var_residual": residual[:n].var().item(),
            "gfn/beta": beta,
            "reward/mean": reward[:n].mean().item(),
            "frac_reward_zero_std": (by_prompt.std(1) < 1e-6).float().mean().item(),
            "objective/kl": kl.mean().item(),
            "objective/prior_nll_per_token": (-prior[:n] / fresh.n_tokens).mean().item(),
            "objective/entropy_per_token": (-log_pf[:n] / fresh.n_tokens).mean().item(),
            "train/learning_rate": rate,
            "train/grad_norm": norm,
            "samples/ended": fresh.ended.float().mean().item(),
            "samples/tokens": fresh.n_tokens.float().mean().item(),
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": n / taken,
            "time/share_sampling": (sampled - started) / taken,
            "replay/size": float(len(self.replay)),
        }
        for name, part in scored.parts.items():
            known = [x for x in part if x is not None]
            if known:
                metrics[f"rewards/{name}/mean"] = sum(known) / len(known)
        return metrics, fresh, scored

    def _credit(self, fresh: Rollout, log_ratio: Tensor, beta: float, group: Tensor) -> Tensor:
        """Weight of each token of the fresh texts, ``(B, S)``: its line's residual to go, centred within the prompt."""
        n_lines = max(fresh.line_ends.shape[1], 1)
        gains = torch.zeros(len(fresh), n_lines)
        bearing = torch.full((len(fresh), n_lines, n_lines), self.options.bearing)
        bearing.diagonal(dim1=1, dim2=2).fill_(1.0)
        for row, (prompt, text) in enumerate(zip(fresh.prompts, fresh.texts, strict=True)):
            own = self.score.by_line(prompt, text)[len(prompt.opening) :][:n_lines]
            gains[row, : len(own)] = torch.tensor(own)
            letters = form(prompt.form, prompt.lang).letters[len(prompt.opening) :][:n_lines]
            for late, letter in enumerate(letters):
                for early in range(late):
                    if letters[early] == letter != "x":
                        bearing[row, early, late] = 1.0  # a line that opens a rhyme has a full part in the one that answers it
        # the mark after a line decides where the line ends, so it counts as part of it
        ends = fresh.line_ends.masked_fill(fresh.line_ends < 0, fresh.ids.shape[1]) + 1  # (B, L)
        place = torch.arange(fresh.ids.shape[1])
        line_of = (place[None, :, None] > ends[:, None, :]).sum(2).clamp_max(n_lines - 1)  # (B, S)
        return centred(residual_to_go(log_ratio, gains, line_of, beta, bearing), group).gather(1, line_of)

    def _update(
        self, batch: Rollout, log_reward: Tensor, group: Tensor, weigh: Callable[[Tensor], Tensor] | None
    ) -> tuple[Tensor, Tensor, float]:
        """One optimizer step on the VarGrad loss; log-probabilities ``(B,)``, residuals ``(B,)``, gradient norm.

        Args:
            weigh: from the fresh texts' detached log-probabilities to the weight of each of their tokens; None: the residual's square.
        """
        self.policy.model.train()
        log_pf = self.policy.log_prob(batch).cpu()  # (B, S)
        log_z = group_log_z(log_pf, log_reward, group)
        residual = balance_residual(log_pf, log_reward, log_z)
        self.optimizer.zero_grad(set_to_none=True)
        loss = residual.square()
        if weigh is not None:  # the square's gradient is twice the residual; weights take its place
            weights = weigh(log_pf.detach())  # (fresh, S)
            n = len(weights)
            loss = torch.cat([2 * (weights * log_pf[:n, : weights.shape[1]]).sum(1), loss[n:]])
        loss.mean().backward()
        norm = torch.nn.utils.clip_grad_norm_(self.policy.model.parameters(), self.options.clip)
        self.optimizer.step()
        self.policy.model.eval()
        return log_pf.detach().sum(1), residual.detach(), norm.item()

    # -- checkpoints ------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Everything a run needs to go on as if it had not stopped; whole or not at all."""
        state = {
            "model": self.policy.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.policy.generator.get_state(),
            "rng": list(self.rng.getstate()[1]),
            "n_steps": self.n_steps, "n_fresh": self.n_fresh, "seconds": self.seconds,
            "replay": self.replay.state(),
        }  # fmt: skip
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Take up a saved run.

        Raises:
            RlpoetError: the file is damaged or belongs to another model.
        """
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.policy.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.policy.generator.set_state(state["generator"])
            self.rng.setstate((3, tuple(state["rng"]), None))
            self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]
            self.replay = Replay.restore(state["replay"])
        except Exception as error:  # torch raises a dozen kinds for a damaged file
            raise RlpoetError(
                f"{path}: broken checkpoint ({error!s:.80}); expected one this run wrote. Start a new run without --resume."
            ) from None
