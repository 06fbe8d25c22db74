"""Trajectory-balance training of a language model: one loop.

Target ``pi*(y|x) ~ p0(y|x) exp(beta r(x, y))``, p0 the frozen prior under the masks that texts are drawn under. Both presets of the
options settle at it; the defaults are biased (``docs/training.md``, "Who reaches it"). Deviation from Malkin et al. (2022): log Z(x) is by
default not learned but estimated by the mean over the texts of one prompt (VarGrad), fresh and replayed alike. TB is right
off-policy, so replayed and explored texts need no importance weights. Fresh texts are drawn at temperature 1: a hotter tiny
vocabulary writes gibberish, and gibberish stays in a buffer.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import form
from rlpoet.rollout import LocatesMeterErrors, Rollout, follows_masks, join
from rlpoet.training.common import totals
from rlpoet.training.distributed.searchers import Found, Searchers
from rlpoet.training.gflownet.asynchronous import Ahead
from rlpoet.training.gflownet.credit import token_weights
from rlpoet.training.gflownet.exploration import RhymeIndex, human_stanzas, proposed_rhymes, read_stanzas, weakest_lines
from rlpoet.training.gflownet.flows import Flows, at_end, line_gains, lines_of, read_states, state_width
from rlpoet.training.gflownet.objectives import (
    balance_residual,
    group_flow,
    group_log_z,
    log_mean_weight,
    subtrajectory_balance,
    target_log_reward,
)
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.gflownet.replay import Kept, Replay
from rlpoet.training.gflownet.weighed import Weighed
from rlpoet.training.options import StepOptions
from rlpoet.training.trainer import BETAS, Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt

Heard = tuple[Sequence[Prompt], Sequence[str]]  # prompts and texts
PRIOR_POEMS, PRIOR_GROUP = 256, 4  # of a form, that the prior draws for its log Z; at least so many of a prompt
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


class TBTrainer(Trainer):
    """State of a run: policy, prior, flows, buffer. ``update`` and ``share`` are the algorithm."""

    OPTIONS = TBOptions
    AUX_RHYME_WEIGHT = 2.0
    options: TBOptions

    def __init__(self, *args: Any, **settings: Any) -> None:
        self.flows: Flows | None = None
        super().__init__(*args, **settings)
        self.ahead = Ahead(self.ranks, self.options.refresh_steps) if isinstance(self.ranks, Searchers) else None
        self.replay, self.book = Replay(), RhymeIndex()
        self.heard: list[Heard] = []  # of all ranks in the last step, where several share it
        self.prior_rewards: dict[str, list[float]] = {}  # of the prior's poems by form; with log Z from the prior only
        self.human: Mapping[str, Sequence[str]] = {}
        if self.options.explore_file is not None:
            forms = list(dict.fromkeys(prompt.form for prompt in self.prompts))
            self.human = read_stanzas(self.options.explore_file, forms, self.policy.lang)

    @classmethod
    def check(cls, common: StepOptions, options: TBOptions) -> None:
        super().check(common, options)
        if common.group_size < 2:
            raise RlpoetError(f"--group_size: {common.group_size}; expected 2 or more, log Z is a mean over a prompt's poems.")
        if options.preset == "textbook" and common.aux_rhyme_weight:
            raise RlpoetError(
                f"--aux_rhyme_weight {common.aux_rhyme_weight}: beside --tb.preset textbook, which has no auxiliary task; expected one of "
                "the two. Leave out --aux_rhyme_weight, or set --tb.preset segment."
            )

    @classmethod
    def usual_aux_rhyme_weight(cls, options: TBOptions) -> float:
        return 0.0 if options.preset else super().usual_aux_rhyme_weight(options)

    @classmethod
    def unshared(cls, common: StepOptions, options: TBOptions) -> str:
        return "tb.searchers" if options.searchers else ""

    def make_optimizer(self, seed: int) -> torch.optim.Optimizer:
        groups: list[dict[str, Any]] = [{"params": self.learned, "scale": 1.0}]
        if self.options.has_flows:
            n_nodes = 1 + max(form(prompt.form, prompt.lang).n_lines for prompt in self.prompts)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.flows = Flows(state_width(self.policy), n_nodes)
            self.flows.to(torch.promote_types(torch.float32, self.learned[0].dtype))
            groups.append({"params": list(self.flows.parameters()), "scale": FLOW_RATE})
        return torch.optim.AdamW(groups, lr=self.rate, betas=BETAS, weight_decay=0.0)

    def prepare(self) -> int:
        return self._draw_of_prior() if self.options.log_z == "prior" and not self.prior_rewards else 0

    def hand(self, asked: Sequence[Prompt]) -> tuple[list[Kept], list[Heard]]:
        """Texts of the buffer for these prompts, and the texts that others have heard since the last step."""
        n = round(self.options.replay * self.common.group_size)
        return [kept for prompt in asked for kept in self.replay.draw(prompt, n, self.rng)], self.heard

    def take_in(self, found: Sequence[Any]) -> None:
        """Put what was found into the buffer, and hear the ends of all texts."""
        self.heard = [heard for heard, _ in found] if len(found) > 1 and "rhyme" in self.options.explore else []
        for rank, (heard, offered) in enumerate(found):
            if rank and self.heard:
                self.book.hear(*heard)
            if offered is not None:
                self.replay.add(*offered)

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Leave the gradient of the step's loss in the parameters, and follow it."""
        assert self.optimizer is not None
        self.optimizer.zero_grad(set_to_none=True)
        found, behind, started = None, {}, time.perf_counter()
        if self.ahead is not None:
            found, updates = self.ahead.next(
                self.policy.model, prompts, self._asked, n_steps=self.n_steps, seed=functools.partial(self.rng.getrandbits, 48),
                progress=progress, pad=self.policy.pad,
            )  # fmt: skip
            behind = {"gfn/staleness": updates}
        waited = time.perf_counter() - started
        weighed = self.weigh(prompts, beta, found)
        n = len(weighed.log_pf)
        if self.flows is not None:
            self.ranks.average(self.flows.parameters(), n)
            torch.nn.utils.clip_grad_norm_(self.flows.parameters(), self.common.clip)
        norm = self.descend(weight=n)
        new = weighed.new
        offered = (
            (dataclasses.replace(new, token_masks=None, mask_of=None), weighed.scores, weighed.prior[: len(new)].tolist())
            if self.options.replay
            else None
        )
        figures = {"gfn/beta": beta, "train/grad_norm": norm, "replay/size": float(len(self.replay)), **behind}
        heard = (weighed.fresh.prompts, weighed.fresh.texts)
        return Update(
            weighed.fresh, weighed.scored, weighed.figures() | figures, waited + weighed.seconds, weighed.n_drawn, found=(heard, offered)
        )  # fmt: skip

    def weigh(self, asked: Sequence[Prompt], beta: float, found: Found | None = None) -> Weighed:
        """Draw and score texts for these prompts and leave the gradient of their loss in the parameters.

        Args:
            found: what searchers drew and scored, instead; for other prompts.
        """
        started, options = time.perf_counter(), self.options
        if found is not None:
            asked = list(dict.fromkeys(found.rollout.prompts))
        drawn, others = self.hand(asked) if found is not None else self._handed or self.hand(asked)
        for rank, heard in enumerate(others):
            if rank != self.ranks.rank:
                self.book.hear(*heard)
        fresh = self.draw(asked) if found is None else self.as_drawn(found.rollout)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts) if found is None else found.scored
        scores: list[float] = totals(scored).tolist()
        added, n_drawn = self._explore(fresh, scores, asked)
        added = [possible for rollout in added if (possible := self._possible(rollout))]
        new = join([fresh, *added], pad=self.policy.pad) if added else fresh
        scores += [x for rollout in added for x in self._totals(rollout.prompts, rollout.texts)]
        if drawn:
            replayed = self.masked(join([kept.rollout for kept in drawn], pad=self.policy.pad))
            still = follows_masks(replayed).nonzero()[:, 0].tolist()
            drawn = [drawn[row] for row in still]
            batch = join([new, replayed.rows(still)], pad=self.policy.pad) if drawn else new
        else:
            batch = new
        place = {prompt: i for i, prompt in enumerate(asked)}
        group = torch.tensor([place[prompt] for prompt in batch.prompts])
        n = len(fresh)
        targets, prior_steps = self._targets(batch, new, scores, drawn, group, beta, None if found is None else found.log_prior)
        prior = targets.log_reward - beta * torch.tensor(scores + [kept.score for kept in drawn])
        width = fresh.ids.shape[1]
        weigh = (
            (lambda steps: self._credit(fresh, steps[:n, :width], prior_steps[:n, :width], beta, group[:n]))
            if options.credit != "poem" and options.objective == "tb"
            else None
        )
        practice = self.practise(fresh, beta)  # before the loss, whose log-probabilities are of the same weights
        log_pf, residual = self._weigh(batch, targets, weigh)
        return Weighed(
            fresh=fresh, scored=scored, new=new, scores=scores, n_drawn=n_drawn, n_prompts=n // self.common.group_size, log_pf=log_pf,
            prior=prior, residual=residual, log_reward=targets.log_reward, practice=practice, seconds=sampled - started,
        )  # fmt: skip

    def _credit(self, fresh: Rollout, log_pi: Tensor, log_prior: Tensor, beta: float, group: Tensor) -> Tensor:
        """Weight of each token of the fresh texts, ``(B, S)``."""
        words = self.options.credit == "word"
        locates = words and self.options.localize_meter_errors
        spans = self.policy.meter_error_spans if locates and isinstance(self.policy, LocatesMeterErrors) else None
        return token_weights(
            fresh, log_pi - log_prior, self.score, beta=beta, group=group, words=words, log_pi=log_pi,
            cross_segment_credit=self.options.cross_segment_credit,
            token_prob_exponent=self.options.token_prob_exponent if words else 0.0,
            plan_token_weight=self.options.plan_token_weight if words else 1.0,
            rhyme_word_weight=self.options.rhyme_word_weight if words else 1.0,
            meter_error_spans=None if spans is None else functools.partial(spans, fresh),
        )  # fmt: skip

    def _weigh(self, batch: Rollout, targets: Targets, weigh: Callable[[Tensor], Tensor] | None) -> tuple[Tensor, Tensor]:
        """Add the gradient of the batch's loss; log-probabilities and residuals of whole texts, ``(B,)``.

        Args:
            weigh: from the fresh texts' detached log-probabilities to the weight of each of their tokens; None: the loss as it is.
        """
        self.policy.model.train()
        log_pf = self.policy.log_prob(batch).cpu()  # (B, S)
        if self.flows is None:
            log_z = (
                group_log_z(log_pf, targets.log_reward, targets.group)
                if self.options.log_z == "vargrad"
                else torch.tensor([log_mean_weight(self.prior_rewards[prompt.form], targets.beta) for prompt in batch.prompts])
            )
            residual = balance_residual(log_pf, targets.log_reward, log_z.to(log_pf.dtype))
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

    def _flow_loss(self, batch: Rollout, log_pf: Tensor, targets: Targets, flows: Flows) -> tuple[Tensor, Tensor]:
        """Residuals of whole texts and the loss of each, both ``(B,)``, with learned flows or a learned log Z."""
        prior, gains, states = targets.prior, targets.gains, targets.states
        assert prior is not None and gains is not None and states is not None
        line_of, last, _ = lines_of(batch)
        flows.settle(gains, self.ranks.total)
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
        self, batch: Rollout, new: Rollout, scores: list[float], drawn: list[Kept], group: Tensor, beta: float, known: Tensor | None
    ) -> tuple[Targets, Tensor]:
        """What the batch is balanced against, and the prior's log-probabilities of the new texts, ``(new, S)``.

        Args:
            known: log-probability under the prior of the first of the new texts, ``(K,)``, where searchers read them. Their tokens are not
                read again, and are missing from what is returned.
        """
        reward = torch.tensor(scores + [kept.score for kept in drawn], dtype=torch.float32)
        if self.flows is None:
            n_known = 0 if known is None else len(known)
            unread = new if known is None else new.rows(range(n_known, len(new)))
            with torch.no_grad():
                steps = self.prior.log_prob(unread).cpu() if len(unread) else torch.zeros(0, new.ids.shape[1])
            read = [steps.sum(1), torch.tensor([kept.log_prior for kept in drawn])]
            prior = torch.cat(read if known is None else [known.to(steps.dtype), *read])
            return Targets(target_log_reward(reward, prior[:, None], beta), group, beta), steps
        _, last, nodes = lines_of(batch)
        steps, states = read_states(self.prior, batch, nodes)
        if self.options.objective == "fl":
            by_line = [self.score.by_line(p, t) for p, t in zip(batch.prompts, batch.texts, strict=True)]
            gains = line_gains(by_line, reward.tolist(), batch.prompts, last, nodes.shape[1])
        else:
            gains = at_end(reward.tolist(), last, nodes.shape[1])
        return Targets(target_log_reward(reward, steps, beta), group, beta, steps, gains.to(steps.dtype), states), steps

    def _explore(self, fresh: Rollout, scores: list[float], asked: Sequence[Prompt]) -> tuple[list[Rollout], int]:
        """Texts to stand beside the fresh ones, and how many were drawn for them; a resampled line counts for its part of a poem."""
        options = self.options
        n = max(1, round(options.explore_share * self.common.group_size)) if options.explore else 0
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

    def _draw_of_prior(self) -> int:
        """Draw what log Z of each form is told by; the number of poems.

        One log Z stands for all prompts of a form. On the policy's own poems it is a baseline only: an error of it is noise, no bias.
        """
        prompts_of: dict[str, list[Prompt]] = {}
        for prompt in self.prompts:
            prompts_of.setdefault(prompt.form, []).append(prompt)
        for name, prompts in prompts_of.items():
            some = self.rng.sample(prompts, min(len(prompts), PRIOR_POEMS // PRIOR_GROUP))
            drawn = self.prior.sample(some, PRIOR_POEMS // len(some))
            self.prior_rewards[name] = self._totals(drawn.prompts, drawn.texts)
        return sum(map(len, self.prior_rewards.values()))

    def _possible(self, rollout: Rollout) -> Rollout:
        """The texts that the policy could have drawn, with their masks: all others have no probability to balance."""
        masked = self.masked(rollout)
        return masked.rows(follows_masks(masked).nonzero()[:, 0].tolist())

    def _totals(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float]:
        scores: list[float] = totals(self.score(prompts, texts)).tolist()
        return scores

    def state(self) -> dict[str, Any]:
        flows = {"flows": self.flows.state_dict()} if self.flows is not None else {}
        known = {"prior_rewards": self.prior_rewards} if self.options.log_z == "prior" else {}
        return {"replay": self.replay.state(), "book": self.book.state(), **flows, **known}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.replay = Replay.restore(state["replay"])
        self.book.restore(state["book"])
        self.prior_rewards = state.get("prior_rewards", {})
        if self.flows is not None:
            self.flows.load_state_dict(state["flows"])
