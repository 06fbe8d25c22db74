"""Rejection-sampling fine-tuning: draw, keep the best, learn them by heart, draw again. No gradient of a reward, no prior to hold on to.

Each step draws a batch, keeps of every prompt the best share that reaches a bar, and lowers the cross-entropy of what it kept by one
update. With ``refresh_steps`` 1 the policy in training draws (Dong et al. 2023, "RAFT", arXiv:2304.06767); with 0 the prior draws for good,
which is rejection-sampling fine-tuning as Yuan et al. (2023, arXiv:2308.01825) mean it; between them it goes in rounds (Gulcehre
et al. 2023, "ReST", arXiv:2308.08998). Deviation from all of them: a batch may not keep a word at line ends more than a few times
(``same_end``), for the fixed point of learning one's own best texts is to know a single one.
"""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from rlpoet.errors import RlpoetError
from rlpoet.prosody.ending import end_of
from rlpoet.protocols import Scored, Scorer
from rlpoet.rollout import Policy, Rollout
from rlpoet.text import split_poem
from rlpoet.training.common import checkpoint, learning_parameters, reward_means, write_checkpoint
from rlpoet.training.schedule import rate_factor
from rlpoet.types import Prompt


@dataclass(frozen=True)
class RejectionOptions:
    """Settings of the loop.

    Attributes:
        prompts_per_step: prompts in a batch.
        group_size: fresh texts a prompt.
        keep_share: largest share of a prompt's texts that is learned, at least one text, in (0, 1].
        keep_above: least score of a text that is learned, in [0, 1].
        same_end: texts of a batch that may end a line with the same word.
        refresh_steps: steps between renewals of the policy that draws; 0 leaves it the prior.
        learning_rate: peak; it falls to a tenth over the budget.
        warmup: share of the run over which the rate rises.
        clip: largest norm of a gradient.
        freeze_embeddings: leave token embeddings and the head as they are.
    """

    prompts_per_step: int = 24
    group_size: int = 8
    keep_share: float = 0.25
    keep_above: float = 0.0
    same_end: int = 3
    refresh_steps: int = 1
    learning_rate: float = 6e-4
    warmup: float = 0.1
    clip: float = 1.0
    freeze_embeddings: bool = True


def check_rejection(options: RejectionOptions) -> None:
    """Refuse options that cannot be meant.

    Raises:
        RlpoetError: an option, with what was expected.
    """
    if not 0 < options.keep_share <= 1:
        raise RlpoetError(f"--keep_share: {options.keep_share}; expected a share in (0, 1].")
    if not 0 <= options.keep_above <= 1:
        raise RlpoetError(f"--keep_above: {options.keep_above}; expected a score in [0, 1].")
    if options.same_end < 1:
        raise RlpoetError(f"--same_end: {options.same_end}; expected 1 or more.")
    if options.refresh_steps < 0:
        raise RlpoetError(f"--refresh_steps: {options.refresh_steps}; expected 0 or more.")


def chosen_rows(
    prompts: Sequence[Prompt], texts: Sequence[str], scores: Sequence[float], *, share: float, above: float, same_end: int
) -> list[int]:
    """Rows worth learning: of each prompt the best ``share`` that score ``above`` or more, the better ones of the batch first.

    A text is passed over that would end a line with a word that ``same_end`` texts kept before it end one with, and one that scores
    what every text of its prompt scores: it is not better than anything. What a text lost its place to, another of its prompt may take.

    >>> prompts = [Prompt("fr", "couplet")] * 4
    >>> texts = ["la mer\\namer", "la mer\\namer", "la nuit\\nluit", "un jour\\nla nuit"]
    >>> chosen_rows(prompts, texts, [1.0, 1.0, 0.5, 0.0], share=0.5, above=0.0, same_end=1)
    [0, 2]
    """
    rows_of: dict[Prompt, list[int]] = {}
    for row, prompt in enumerate(prompts):
        rows_of.setdefault(prompt, []).append(row)
    room = {prompt: max(1, math.floor(share * len(rows))) for prompt, rows in rows_of.items()}
    least = {prompt: min(scores[row] for row in rows) for prompt, rows in rows_of.items()}
    ends: Counter[str] = Counter()
    kept = []
    for row in sorted(range(len(texts)), key=lambda r: -scores[r]):
        prompt = prompts[row]
        if not room[prompt] or scores[row] < above or (len(rows_of[prompt]) > 1 and scores[row] <= least[prompt]):
            continue
        own = {end_of(line, prompt.lang).word for line in split_poem(texts[row])[len(prompt.opening) :]}
        if any(ends[word] >= same_end for word in own):
            continue
        ends.update(own)
        room[prompt] -= 1
        kept.append(row)
    return sorted(kept)


class RejectionTrainer:
    """State of a run: policy, the policy that draws, optimizer, clocks. ``step()`` is the whole algorithm."""

    def __init__(self, policy: Policy, score: Scorer, prompts: Sequence[Prompt], options: RejectionOptions, *, seed: int) -> None:
        check_rejection(options)
        self.policy, self.prior, self.drawer = policy, policy.reference(), policy.reference()
        self.drawer.generator = policy.generator
        self.score, self.prompts, self.options = score, list(prompts), options
        self.trained = learning_parameters(policy.model, freeze_embeddings=options.freeze_embeddings)
        self.optimizer = torch.optim.AdamW(self.trained, lr=options.learning_rate, betas=(0.9, 0.98), weight_decay=0.0)
        self.rng = random.Random(seed)
        self.n_steps = self.n_fresh = 0
        self.seconds = 0.0

    def step(self, progress: float) -> tuple[dict[str, float], Rollout, Scored]:
        """Draw, score, choose, update.

        Args:
            progress: share of the budget that is spent, in [0, 1]; drives the schedule.

        Returns:
            Metrics, the fresh texts, their scores.
        """
        started, options = time.perf_counter(), self.options
        asked = self.rng.sample(self.prompts, min(options.prompts_per_step, len(self.prompts)))
        fresh = self.drawer.sample(asked, options.group_size)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        scores = [0.0 if total is None else total for total in scored.total]
        kept = chosen_rows(
            fresh.prompts, fresh.texts, scores, share=options.keep_share, above=options.keep_above, same_end=options.same_end
        )
        rate = options.learning_rate * rate_factor(progress, options.warmup)
        for param_group in self.optimizer.param_groups:
            param_group["lr"] = rate
        # one text a prompt tells what the policy that drew has become; weighing all would cost as much as the update
        some = fresh.rows(range(0, len(fresh), options.group_size))
        with torch.no_grad():
            log_pf, log_prior = self.drawer.log_prob(some).sum(1).cpu(), self.prior.log_prob(some).sum(1).cpu()
        learned = self._learn(fresh.rows(kept)) if kept else {}
        n = len(fresh)
        self.n_steps += 1
        self.n_fresh += n
        if options.refresh_steps and self.n_steps % options.refresh_steps == 0:
            self.drawer.model.load_state_dict(self.policy.model.state_dict())
        taken = time.perf_counter() - started
        self.seconds += taken
        reward = torch.tensor(scores)
        metrics = {
            **learned,
            "rft/kept": float(len(kept)),
            **({"rft/kept_reward": sum(scores[row] for row in kept) / len(kept)} if kept else {}),
            "reward/mean": reward.mean().item(),
            "frac_reward_zero_std": (reward.view(len(asked), -1).std(1, correction=0) < 1e-6).float().mean().item(),
            "objective/kl": (log_pf - log_prior).mean().item(),
            "objective/prior_nll_per_token": (-log_prior / some.n_tokens).mean().item(),
            "objective/entropy_per_token": (-log_pf / some.n_tokens).mean().item(),
            "train/learning_rate": rate,
            "samples/ended": fresh.ended.float().mean().item(),
            "samples/tokens": fresh.n_tokens.float().mean().item(),
            "time/fresh_samples": float(self.n_fresh),
            "time/samples_per_second": n / taken,
            "time/share_sampling": (sampled - started) / taken,
        }
        return metrics | reward_means(scored.parts), fresh, scored

    def _learn(self, kept: Rollout) -> dict[str, float]:
        """One update by cross-entropy, each token counting once, and what is told of it."""
        self.policy.model.train()
        loss = -self.policy.log_prob(kept).sum() / kept.n_tokens.sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.trained, self.options.clip)
        self.optimizer.step()
        self.policy.model.eval()
        return {"rft/loss": loss.item(), "train/grad_norm": norm.item()}

    def save(self, path: Path) -> None:
        """Everything a run needs to go on as if it had not stopped; whole or not at all."""
        state = {
            "model": self.policy.model.state_dict(),
            "drawer": self.drawer.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.policy.generator.get_state(),
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
            self.drawer.model.load_state_dict(state["drawer"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.policy.generator.set_state(state["generator"])
            self.rng.setstate((3, tuple(state["rng"]), None))
            self.n_steps, self.n_fresh, self.seconds = state["n_steps"], state["n_fresh"], state["seconds"]
