"""Proximal policy optimisation of a language model, one token an action, with a KL penalty to the frozen prior: one loop.

Maximises ``E[r] - alpha KL(pi || p0)`` with ``alpha = 1 / beta``; the maximum is the same ``p0 exp(beta r) / Z`` that trajectory
balance aims at. Deviations from Schulman et al. (2017): no discount and no entropy bonus by default, either would move the
maximum; the critic is by default a small network of its own on the policy's last hidden states, detached, with an optimizer of its own.
Detached, because the body is small and its states serve the next token: errors of a critic that starts from nothing would swamp
them, and one coefficient would have to balance two losses. And since it needs no gradient of the body, it can learn from the states
of the batch as they were when the batch was drawn, in as many passes as it likes, at next to no cost. ``--ppo.critic model`` gives it
a body of its own instead, and what that costs is in ``rlpoet.training.ppo.critic.ModelCritic``. Either learns plain returns
(lambda 1), first of all on the first batch, before the policy moves: from values of 0 the bootstrap of GAE takes tens of batches
(Yuan et al. 2025, "What's behind PPO's collapse in long-CoT?", arXiv:2503.01491, find the same).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout, ScoresTokens, TokenScores
from rlpoet.training.common import batch_figures, totals
from rlpoet.training.gflownet.credit import parts_of
from rlpoet.training.options import StepOptions
from rlpoet.training.ppo.advantage import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    gae,
    lambda_per_segment,
    masked_mean,
    steered,
    whitened,
)
from rlpoet.training.ppo.critic import Critic, ModelCritic, StateCritic, entropies, listened
from rlpoet.training.ppo.options import PPOOptions
from rlpoet.training.trainer import BETAS, Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt


@dataclass(frozen=True)
class Batch:
    """Fresh texts and what was known of them before the update; all ``(B, S)`` but ``states`` and ``scores``.

    Attributes:
        states: what the critic keeps of the policy's last hidden state before each token drawn, rows of the mask in order.
        old_log_p: of the policy that drew.
        old_values: the critic's before the update.
    """

    rollout: Rollout
    mask: Tensor
    states: Tensor
    old_log_p: Tensor
    old_values: Tensor
    advantages: Tensor
    returns: Tensor


class PPOTrainer(Trainer):
    """State of a run: policy, prior, critic, two optimizers. ``update`` is the algorithm."""

    OPTIONS = PPOOptions
    RATE = 3e-4  # two updates a step: at 6e-4 more end words are lost for the same poems (experiments/LOG.md)
    STATES_RATE = 1e-3  # peak rate of a critic on states where none is given
    options: PPOOptions

    def __init__(self, *args: Any, seed: int, **settings: Any) -> None:
        super().__init__(*args, seed=seed, **settings)
        self.critic = self._new_critic(seed)
        usual = self.rate if self.options.critic == "model" else self.STATES_RATE
        self.value_rate = usual if self.options.value_rate is None else self.options.value_rate
        learned = [parameter for parameter in self.critic.parameters() if parameter.requires_grad]
        self.value_optimizer = torch.optim.AdamW(learned, lr=self.value_rate, betas=BETAS, weight_decay=0.0)
        self.alpha = 1 / self.common.beta
        self._least = 0  # texts of the rank that has the fewest in this step

    def _new_critic(self, seed: int) -> Critic:
        dtype = torch.promote_types(torch.float32, self.learned[0].dtype)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # the critic's first weights belong to the run, and the caller's generator stays where it is
            if self.options.critic == "model":
                return ModelCritic(self.policy, dtype)
            return StateCritic(self.policy.model.get_output_embeddings().in_features).to(dtype)

    @classmethod
    def unshared(cls, common: StepOptions, options: PPOOptions) -> str:
        return ""

    @classmethod
    def check(cls, common: StepOptions, options: PPOOptions) -> None:
        super().check(common, options)
        if not common.beta > 0:
            raise RlpoetError(f"--beta: {common.beta}; expected more than 0, the KL coefficient of ppo is 1 / beta.")

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Some epochs of the policy and of the critic over a fresh batch."""
        started, options = time.perf_counter(), self.options
        fresh = self.draw(prompts)
        self._least = min(self.ranks.every(len(fresh)))
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        reward = totals(scored)
        if not options.kl_target:
            self.alpha = 1 / beta
        for param_group in self.value_optimizer.param_groups:
            param_group["lr"] = self.value_rate * (1.0 - 0.9 * min(progress, 1.0))

        alpha = self.alpha
        with torch.no_grad():
            log_prior = self.prior.log_prob(fresh).cpu()  # (B, S)
        log_ratio, entropy, batch = self._collect(fresh, reward.tolist(), log_prior, alpha)
        told = self._update(batch)
        kl = log_ratio.sum(1)  # (B,): one-sample estimate of the sequence KL to the prior
        if options.kl_target:
            added, n = self.ranks.total([kl.sum().item(), len(kl)])
            self.alpha = steered(self.alpha, added / n, target=options.kl_target)
        mask = batch.mask
        advantages, returns = batch.advantages[mask], batch.returns[mask]
        figures = {
            **batch_figures(fresh, scored, len(prompts), batch.old_log_p.sum(1), log_prior.sum(1)),
            **told,
            "ppo/objective": (reward.to(kl.dtype) - alpha * kl).mean().item(),
            "ppo/kl_coefficient": alpha,
            "ppo/entropy": entropy,
            "ppo/explained_variance": explained_variance(batch.old_values, batch.returns, mask).item(),
            "ppo/advantage_mean": advantages.mean().item(),
            "ppo/advantage_std": advantages.std(correction=0).item(),
            "ppo/return_mean": returns.mean().item(),
            "ppo/return_std": returns.std(correction=0).item(),
            "ppo/value_mean": batch.old_values[mask].mean().item(),
        }
        return Update(fresh, scored, figures, sampled - started)

    # -- before the update ------------------------------------------------------------------------

    def _collect(self, fresh: Rollout, scores: Sequence[float], log_prior: Tensor, alpha: float) -> tuple[Tensor, float, Batch]:
        """``log pi - log p0`` by token ``(B, S)``, mean entropy by token in nats, and the batch with its advantages."""
        mask = fresh.chosen
        with torch.no_grad():
            told = self._token_scores(fresh)
            log_p, states, entropy = told.log_p, self.critic.prepared(told.states), told.entropy.mean().item()
            values = self._values(fresh, states, log_p.dtype)
        log_ratio = log_p - log_prior
        rewards = self._gains(fresh, scores).to(log_p.dtype) - alpha * log_ratio
        _, returns = gae(rewards, values, mask, lam=self._lam(fresh, self.options.value_lam))
        batch = Batch(fresh, mask, states, log_p, values, torch.zeros_like(values), returns)
        if self.n_steps == 0 and self.options.critic_first:
            self._study(batch, self.options.critic_first, clip=0.0)
            values = self._values(fresh, states, log_p.dtype)
            batch = replace(batch, old_values=values)
        return log_ratio, entropy, replace(batch, advantages=gae(rewards, values, mask, lam=self._lam(fresh, self.options.lam))[0])

    @torch.no_grad()
    def _values(self, fresh: Rollout, states: Tensor, dtype: torch.dtype) -> Tensor:
        """The critic's values of a batch as it is now, ``(B, S)``, 0 where nothing was drawn."""
        values = self.critic.values(fresh, states, range(len(fresh))).to(dtype)
        return torch.zeros(fresh.chosen.shape, dtype=dtype).masked_scatter(fresh.chosen, values)

    def _lam(self, fresh: Rollout, lam: float) -> float | Tensor:
        """Lambda as ``gae`` takes it."""
        if self.options.lam_per == "token":
            return lam
        return lambda_per_segment(parts_of(fresh, words=self.options.credit == "word")[0], fresh.chosen, lam)

    def _token_scores(self, rollout: Rollout) -> TokenScores:
        """Log-probabilities, states and entropies: the policy's own word on them, or what is heard at its model's head."""
        told = self.policy.score_tokens(rollout) if isinstance(self.policy, ScoresTokens) else None
        if told is None:
            log_p, states, logits = listened(self.policy, rollout)
            told = TokenScores(log_p, states, entropies(logits, self.policy.pad, rollout))
        return TokenScores(told.log_p.cpu(), told.states.detach().cpu().to(self.critic.out.weight.dtype), told.entropy.cpu())

    def _gains(self, fresh: Rollout, scores: Sequence[float]) -> Tensor:
        """The reward by token ``(B, S)``: each line's part on the mark after it, the rest on the last token; a row sums to its score."""
        width = fresh.ids.shape[1]
        lasts = (fresh.chosen * torch.arange(width)).amax(1).tolist()  # 0 where nothing was drawn: a first token never is
        ends_of = fresh.line_ends.tolist()
        words_of = fresh.end_words.tolist() if self.options.credit == "word" else ends_of
        rows: list[list[float]] = []
        for prompt, text, last, ends, words, left in zip(fresh.prompts, fresh.texts, lasts, ends_of, words_of, scores, strict=True):
            row = [0.0] * width
            rows.append(row)
            if not last:
                continue
            if self.options.credit != "poem":
                own = list(zip(*self.score.by_part(prompt, text), strict=True))[len(prompt.opening) :]
                for (by_word, by_rest), word, end in zip(own, words, ends, strict=False):
                    if end >= 0:
                        # the token after a word or a line decides where it ends
                        row[min(word + 1, last)] += by_word
                        row[min(end + 1, last)] += by_rest
                        left -= by_word + by_rest
            row[last] += left  # what the opening earned, what an unfinished line lost
        return torch.tensor(rows)

    # -- the update -------------------------------------------------------------------------------

    def _update(self, batch: Batch) -> dict[str, float]:
        """Some epochs of the policy, then of the critic; means over all minibatches of what is told of them."""
        options, mask = self.options, batch.mask
        weights = whitened(batch.advantages, mask, self.ranks.total) if options.whiten else batch.advantages
        told = [
            self._improve(batch, rows, weights)
            for _ in range(options.epochs)
            for rows in self._minibatches(len(batch.rollout), options.minibatches)
        ]
        learned = self._study(batch, options.value_epochs, clip=options.cliprange_value)
        means = {f"ppo/{key}": sum(item[key] for item in items) / len(items) for items in (told, learned) for key in items[0]}
        means["train/grad_norm"] = means.pop("ppo/grad_norm")
        means["ppo/ratio_max"] = max(item["ratio_max"] for item in told)
        means["ppo/approx_kl_last"] = sum(item["approx_kl"] for item in told[-options.minibatches :]) / len(told[-options.minibatches :])
        return means

    def _minibatches(self, n: int, parts: int) -> list[list[int]]:
        """The rows of a batch in a new order, cut into as even parts as can be, and as many as on other ranks."""
        order, parts = list(range(n)), min(parts, self._least)
        self.rng.shuffle(order)
        return [order[i::parts] for i in range(parts)]

    def _improve(self, batch: Batch, rows: Sequence[int], weights: Tensor) -> dict[str, float]:
        """One update of the policy on some texts."""
        options, part = self.options, batch.rollout.rows(rows)
        at, width = torch.as_tensor(rows), part.ids.shape[1]
        old, weight, mask = batch.old_log_p[at, :width], weights[at, :width], part.chosen
        # in evaluation mode: dropout would make the ratio of an unchanged policy differ from 1
        if options.entropy_bonus:
            log_p, _, logits = listened(self.policy, part)
        else:
            log_p = self.policy.log_prob(part).cpu()
        loss = surrogate = clipped_policy_loss(log_p, old, weight, mask, clip=options.cliprange)
        if options.entropy_bonus:
            loss = surrogate - options.entropy_bonus * entropies(logits, self.policy.pad, part).mean().cpu()
        assert self.optimizer is not None
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = self.descend(weight=int(mask.sum()))
        log_p = log_p.detach()
        ratio = (log_p - old).exp()
        return {
            "policy_loss": surrogate.item(),
            "approx_kl": approx_kl(log_p, old, mask).item(),
            "clipfrac": clip_fraction(log_p, old, mask, clip=options.cliprange).item(),
            "ratio": masked_mean(ratio, mask).item(),
            "ratio_max": ratio[mask].max().item(),
            "grad_norm": norm,
        }

    def _study(self, batch: Batch, epochs: int, *, clip: float) -> list[dict[str, float]]:
        """Some passes of the critic over a batch; what is told of each update."""
        rows_of = batch.mask.nonzero()[:, 0]  # (N,): text of each token drawn
        old, returns = batch.old_values[batch.mask], batch.returns[batch.mask]
        learned = [parameter for parameter in self.critic.parameters() if parameter.requires_grad]
        told = []
        for rows in (rows for _ in range(epochs) for rows in self._minibatches(len(batch.rollout), self.options.value_minibatches)):
            at = torch.isin(rows_of, torch.as_tensor(rows)).nonzero()[:, 0]
            values = self.critic.values(batch.rollout, batch.states, rows).to(old.dtype)
            loss = clipped_value_loss(values, old[at], returns[at], torch.ones_like(values, dtype=torch.bool), clip=clip)
            self.value_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.ranks.average(learned, len(at))
            norm = torch.nn.utils.clip_grad_norm_(self.critic.parameters(), self.common.clip)
            self.value_optimizer.step()
            moved = ((values.detach() - old[at]).abs() > clip).float().mean().item() if clip > 0 else 0.0
            told.append({"value_loss": loss.item(), "value_clipfrac": moved, "value_grad_norm": norm.item()})
        return told

    def state(self) -> dict[str, Any]:
        """The critic is here and not in the policy's folder."""
        return {"critic": self.critic.state_dict(), "value_optimizer": self.value_optimizer.state_dict(), "alpha": self.alpha}

    def restore(self, state: Mapping[str, Any]) -> None:
        if state["critic"].keys() != self.critic.state_dict().keys():
            raise RlpoetError(
                f"checkpoint: its critic is not that of --ppo.critic {self.options.critic}; expected the critic the run began with. "
                "Go on with the options of that run, or start a new one."
            )
        self.critic.load_state_dict(state["critic"])
        self.value_optimizer.load_state_dict(state["value_optimizer"])
        self.alpha = state["alpha"]
