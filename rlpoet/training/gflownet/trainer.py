"""Trajectory-balance training of a language model: one loop.

Target ``pi*(y|x) ~ p0(y|x) exp(beta r(x, y))``, p0 the frozen prior. Deviation from Malkin et al. (2022): log Z(x) is by
default not learned but estimated by the mean over the texts of one prompt (VarGrad), fresh and replayed alike. TB is right
off-policy, so replayed and explored texts need no importance weights. Fresh texts are drawn at temperature 1: a hotter tiny
vocabulary writes gibberish, and gibberish stays in a buffer.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlpoet.prosody.forms import form
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, RhymingWords, Rollout, join
from rlpoet.training.common import checkpoint, learning_parameters, reward_means, write_checkpoint
from rlpoet.training.distributed.pool import WorkerPool
from rlpoet.training.distributed.shard import Shard
from rlpoet.training.gflownet.auxiliary import auxiliary_weights, sounds_met
from rlpoet.training.gflownet.credit import token_weights
from rlpoet.training.gflownet.exploration import RhymeIndex, StanzasByForm, human_stanzas, proposed_rhymes, weakest_lines
from rlpoet.training.gflownet.flows import Flows, at_end, line_gains, lines_of, read_states, state_width
from rlpoet.training.gflownet.objectives import balance_residual, group_flow, group_log_z, subtrajectory_balance, target_log_reward
from rlpoet.training.gflownet.options import TBOptions, check_options
from rlpoet.training.gflownet.replay import Kept, Replay, merge
from rlpoet.training.schedule import beta_factor, rate_factor
from rlpoet.types import Prompt

__all__ = ["TBOptions", "TBTrainer"]
WORD_SHARE = 0.25  # of beta, what a right word of the auxiliary task is worth: about what it decides in a quatrain
FLOW_RATE = 10.0  # of the flows' learning rate to the policy's: a small network from scratch, on inputs that stay put


@dataclass(frozen=True)
class Targets:
    """What a batch is balanced against.

    Attributes:
        log_reward: ``log p0 + beta r``, ``(B,)``, nats.
        group: prompt of each text, ``(B,)``.
        beta: of this step.
        prior: log-probabilities of the prior, ``(B, S)``; with flows only.
        gains: reward by line, ``(B, L)``; with flows only.
        states: the prior's at the nodes, ``(B, L, width)``; with flows only.
    """

    log_reward: Tensor
    group: Tensor
    beta: float
    prior: Tensor | None = None
    gains: Tensor | None = None
    states: Tensor | None = None


class TBTrainer:
    """State of a run: policy, prior, optimizer, buffer, clocks. ``step()`` is the whole algorithm."""

    def __init__(
        self,
        policy: Policy,
        score: Scorer,
        prompts: Sequence[Prompt],
        options: TBOptions,
        *,
        seed: int,
        human: StanzasByForm | None = None,
        workers: WorkerPool | None = None,
    ) -> None:
        check_options(options, human)
        self.human, self.workers = human or {}, workers
        self.policy, self.prior, self.score, self.prompts, self.options = policy, policy.reference(), score, list(prompts), options
        self.prior.generator = policy.generator  # it draws words beside the policy: one stream, saved once
        self.learned = learning_parameters(policy.model, freeze_embeddings=options.freeze_embeddings)
        groups: list[dict[str, Any]] = [{"params": self.learned, "scale": 1.0}]
        self.flows = None
        if options.objective != "tb" or options.log_z == "learned":
            n_nodes = 1 + max(form(prompt.form, prompt.lang).n_lines for prompt in self.prompts)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.flows = Flows(state_width(policy), n_nodes)
            groups.append({"params": list(self.flows.parameters()), "scale": FLOW_RATE})
        self.optimizer = torch.optim.AdamW(groups, lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.replay, self.book = Replay(), RhymeIndex()
        self.rng = random.Random(seed)
        self.n_steps = self.n_fresh = 0
        self.seconds = 0.0

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Sample, score, weigh, update; with workers each process its shard of the prompts.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedules.

        Returns:
            Metrics, the fresh texts, their scores.

        Raises:
            RlpoetError: what a worker raised.
        """
        started, options = time.perf_counter(), self.options
        asked = self.rng.sample(self.prompts, min(options.prompts_per_step, len(self.prompts)))
        beta = options.beta * beta_factor(progress, options.beta_warmup)
        self.optimizer.zero_grad(set_to_none=True)
        if self.workers is None:
            told = self.share(asked, beta)
        else:
            seed = self.rng.getrandbits(48)
            told = self.workers.shared(self.share, self.learned, asked, beta, progress, seed=seed, pad=self.policy.pad)
        rate = options.learning_rate * rate_factor(progress, options.warmup)
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = rate * param_group.get("scale", 1.0)
        norm = self._update()
        self.n_steps += 1
        self.n_fresh += len(told.fresh) + told.n_drawn
        taken = time.perf_counter() - started
        self.seconds += taken
        figures = told.figures() | {
            "gfn/beta": beta,
            "train/learning_rate": rate,
            "train/grad_norm": norm,
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": len(told.fresh) / taken,
            "time/share_sampling": told.seconds / taken,
            "replay/size": float(len(self.replay)),
        }
        return figures | reward_means(told.scored.parts), told.fresh, told.scored

    def share(self, asked: Sequence[Prompt], beta: float) -> Shard:
        """Draw and score texts for these prompts and leave the gradient of their loss in the parameters."""
        started, options = time.perf_counter(), self.options
        fresh = self.policy.sample(asked, options.group_size)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        scores = [0.0 if total is None else total for total in scored.total]
        added, n_drawn = self._explore(fresh, scores, asked)
        new = join([fresh, *added], pad=self.policy.pad) if added else fresh
        scores += [x for rollout in added for x in self._totals(rollout.prompts, rollout.texts)]
        drawn = [kept for prompt in asked for kept in self.replay.draw(prompt, round(options.replay * options.group_size), self.rng)]
        batch = merge(new, drawn, pad=self.policy.pad)
        place = {prompt: i for i, prompt in enumerate(asked)}
        group = torch.tensor([place[prompt] for prompt in batch.prompts])
        n = len(fresh)
        targets, prior_steps = self._targets(batch, new, scores, drawn, group, beta)
        prior = targets.log_reward - beta * torch.tensor(scores + [kept.score for kept in drawn])
        width = fresh.ids.shape[1]
        weigh = (
            (lambda steps: self._credit(fresh, steps[:n, :width], prior_steps[:n, :width], beta, group[:n]))
            if options.credit != "poem" and options.objective == "tb"
            else None
        )
        auxiliary = self._auxiliary_gradient(fresh, len(asked), beta) if options.aux_rhyme_weight else None
        log_pf, residual = self._weigh(batch, targets, weigh)
        self.replay.add(new, scores, prior[: len(new)].tolist())
        return Shard(
            fresh=fresh, scored=scored, explored=tuple(scores[n:]), n_drawn=n_drawn, n_prompts=len(asked), log_pf=log_pf, prior=prior,
            residual=residual, log_reward=targets.log_reward, auxiliary=auxiliary, seconds=sampled - started,
        )  # fmt: skip

    def _credit(self, fresh: Rollout, log_pi: Tensor, log_prior: Tensor, beta: float, group: Tensor) -> Tensor:
        """Weight of each token of the fresh texts, ``(B, S)``."""
        words = self.options.credit == "word"
        tells = getattr(self.policy, "meter_error_spans", None) if words and self.options.localize_meter_errors else None
        return token_weights(
            fresh, log_pi - log_prior, self.score, beta=beta, group=group, words=words, log_pi=log_pi,
            cross_segment_credit=self.options.cross_segment_credit,
            token_prob_exponent=self.options.token_prob_exponent if words else 0.0,
            plan_token_weight=self.options.plan_token_weight if words else 1.0,
            rhyme_word_weight=self.options.rhyme_word_weight if words else 1.0,
            meter_error_spans=None if tells is None else functools.partial(tells, fresh),
        )  # fmt: skip

    def _auxiliary_gradient(self, fresh: Rollout, n_prompts: int, beta: float) -> tuple[float, float] | None:
        """Add the gradient of the auxiliary rhyming-word task, after the plan tokens of the fresh texts.

        Returns:
            How many words were right and how many there were; None from a policy that cannot do the task.
        """
        options = self.options
        by_reference = options.aux_sampler == "reference"
        sounds = sounds_met(fresh, max(1, n_prompts // 2), self.rng)
        draw = getattr(self.policy, "rhyming_words", None)
        own: RhymingWords | None = draw(sounds, 1 if by_reference else options.group_size) if sounds and draw else None
        if own is None:
            return None
        elder: Any = self.prior
        words = elder.rhyming_words(sounds, options.group_size) if by_reference else own
        with torch.no_grad():
            prior = self.prior.log_prob(words.rollout).cpu()
        self.policy.model.train()
        log_pi = self.policy.log_prob(words.rollout).cpu()
        steps = log_pi.detach()
        group = torch.arange(len(steps)) // options.group_size
        exponent = 0.0 if by_reference else options.token_prob_exponent
        weights = auxiliary_weights(words, steps, steps - prior, beta=WORD_SHARE * beta, group=group, token_prob_exponent=exponent)
        (options.aux_rhyme_weight * 2 * (weights * log_pi).sum(1).mean()).backward()
        self.policy.model.eval()
        return own.right.sum().item(), own.whole.sum().item()

    def _weigh(self, batch: Rollout, targets: Targets, weigh: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, Tensor]:
        """Add the gradient of the batch's loss; log-probabilities and residuals of whole texts, ``(B,)``.

        Args:
            weigh: from the fresh texts' detached log-probabilities to the weight of each of their tokens; None: the loss as it is.
        """
        self.policy.model.train()
        log_pf = self.policy.log_prob(batch).cpu()  # (B, S)
        if self.flows is None:
            residual = balance_residual(log_pf, targets.log_reward, group_log_z(log_pf, targets.log_reward, targets.group))
            loss = residual.square()
        else:
            residual, loss = self._flow_loss(batch, log_pf, targets, self.flows)
        if weigh is not None:  # the square's gradient is twice the residual; weights take its place
            weights = weigh(log_pf.detach())  # (fresh, S)
            n = len(weights)
            loss = torch.cat([2 * (weights * log_pf[:n, : weights.shape[1]]).sum(1), loss[n:]])
        loss.mean().backward()
        self.policy.model.eval()
        return log_pf.detach().sum(1), residual.detach()

    def _update(self) -> float:
        """One optimizer step along the gradients that are there; their norm before clipping."""
        norm = torch.nn.utils.clip_grad_norm_(self.policy.model.parameters(), self.options.clip)
        if self.flows is not None:
            torch.nn.utils.clip_grad_norm_(self.flows.parameters(), self.options.clip)
        self.optimizer.step()
        return norm.item()

    def _flow_loss(self, batch: Rollout, log_pf: Tensor, targets: Targets, flows: Flows) -> tuple[Tensor, Tensor]:
        """Residuals of whole texts and the loss of each, both ``(B,)``, with learned flows or a learned log Z."""
        prior, gains, states = targets.prior, targets.gains, targets.states
        assert prior is not None and gains is not None and states is not None
        line_of, last, _ = lines_of(batch)
        flows.settle(gains)
        flow = torch.nn.functional.pad(flows(states, targets.beta), (0, 1))  # (B, L + 1), the end's is not read
        steps = torch.zeros_like(gains).scatter_add(1, line_of, log_pf - prior) - targets.beta * gains
        if self.options.objective == "tb":
            residual = balance_residual(log_pf, targets.log_reward, flow[:, 0])
            return residual, residual.square()
        if self.options.log_z == "vargrad":
            log_z = group_flow(steps, flow, last, self.options.decay, targets.group)
            flow = torch.cat([log_z[:, None], flow[:, 1:]], 1)
        residual = flow[:, 0] + steps.sum(1)
        return residual, subtrajectory_balance(steps, flow, last, self.options.decay)

    def _targets(
        self, batch: Rollout, new: Rollout, scores: list[float], drawn: list[Kept], group: Tensor, beta: float
    ) -> tuple[Targets, Tensor]:
        """What the batch is balanced against, and the prior's log-probabilities of the new texts, ``(new, S)``."""
        reward = torch.tensor(scores + [kept.score for kept in drawn], dtype=torch.float32)
        if self.flows is None:
            with torch.no_grad():
                steps = self.prior.log_prob(new).cpu()
            prior = torch.cat([steps.sum(1), torch.tensor([kept.log_prior for kept in drawn])])
            return Targets(target_log_reward(reward, prior[:, None], beta), group, beta), steps
        _, last, nodes = lines_of(batch)
        steps, states = read_states(self.prior, batch, nodes)
        if self.options.objective == "fl":
            by_line = [self.score.by_line(p, t) for p, t in zip(batch.prompts, batch.texts, strict=True)]
            gains = line_gains(by_line, reward.tolist(), batch.prompts, last, nodes.shape[1])
        else:
            gains = at_end(reward.tolist(), last, nodes.shape[1])
        return Targets(target_log_reward(reward, steps, beta), group, beta, steps, gains, states), steps

    def _explore(self, fresh: Rollout, scores: list[float], asked: Sequence[Prompt]) -> tuple[list[Rollout], int]:
        """Texts to stand beside the fresh ones, and how many were drawn for them; a resampled line counts for its part of a poem."""
        options = self.options
        n = max(1, round(options.explore_share * options.group_size)) if options.explore else 0
        added: list[Rollout] = []
        n_drawn = 0
        if "hot" in options.explore:
            added.append(self.policy.sample(asked, n, temperature=options.explore_temperature))
            n_drawn += len(added[-1])
        if "resample" in options.explore:
            by_line = [self.score.by_line(p, t) for p, t in zip(fresh.prompts, fresh.texts, strict=True)]
            mended, n_lines = weakest_lines(self.policy, fresh, scores, by_line, self._totals, n=n, tries=options.tries)
            added += [mended] if mended is not None else []
            n_drawn += -(-n_lines // max(fresh.line_ends.shape[1], 1))
        if "rhyme" in options.explore:
            self.book.hear(fresh.prompts, fresh.texts)
            rhymed, n_lines = proposed_rhymes(self.policy, self.prior, fresh, scores, self.book, n=n, rng=self.rng)
            added += [rhymed] if rhymed is not None else []
            n_drawn += -(-n_lines // max(fresh.line_ends.shape[1], 1))
        if "human" in options.explore:
            written = human_stanzas(self.policy, self.human, asked, n, self.rng)
            added += [written] if written is not None else []
        return added, n_drawn

    def _totals(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float]:
        return [0.0 if total is None else total for total in self.score(prompts, texts).total]

    # -- checkpoints ------------------------------------------------------------------------------

    def save(self, path: Path) -> None:
        """Everything a run needs to go on as if it had not stopped; whole or not at all."""
        state = {
            "model": self.policy.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.policy.generator.get_state(),
            "rng": list(self.rng.getstate()[1]),
            "n_steps": self.n_steps, "n_fresh": self.n_fresh, "seconds": self.seconds,
            "replay": self.replay.state(), "book": self.book.state(),
            **({"flows": self.flows.state_dict()} if self.flows is not None else {}),
        }  # fmt: skip
        write_checkpoint(path, state)

    def load(self, path: Path) -> None:
        """Take up a saved run.

        Raises:
            RlpoetError: the file is damaged or belongs to another model.
        """
        with checkpoint(path) as state:
            self.policy.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.policy.generator.set_state(state["generator"])
            self.rng.setstate((3, tuple(state["rng"]), None))
            self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]
            self.replay = Replay.restore(state["replay"])
            self.book.restore(state.get("book", []))
            if self.flows is not None:
                self.flows.load_state_dict(state["flows"])
