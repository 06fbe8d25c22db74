"""Rejection-sampling fine-tuning: draw, keep the best, learn them by heart, draw again. No gradient of a reward, no prior to hold on to.

Each step draws a batch, keeps of every prompt the best share that reaches a bar, and lowers the cross-entropy of what it kept by one
update. With ``refresh_steps`` 1 the policy in training draws (Dong et al. 2023, "RAFT", arXiv:2304.06767); with 0 the prior draws for good,
which is rejection-sampling fine-tuning as Yuan et al. (2023, arXiv:2308.01825) mean it; between them it goes in rounds (Gulcehre
et al. 2023, "ReST", arXiv:2308.08998). Deviation from all of them: a batch may not keep a word at line ends more than a few times
(``same_end``), for the fixed point of learning one's own best texts is to know a single one.

``keep`` target has another fixed point: the target of the other trainers. Exact rejection keeps a poem of the prior with probability
``exp(beta (r - 1))``, and what it keeps are exact samples of ``p0 exp(beta r) / Z``. Here each poem counts by that probability, which is
the same in the mean and has less noise. The loss is then, up to a constant and the factor ``Z exp(-beta)``, the KL from the target to the
policy (Parshakova et al. 2019, "Distributional reinforcement learning for energy-based sequential models", arXiv:1912.08517).
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from rlpoet.errors import RlpoetError
from rlpoet.prosody.ending import end_of
from rlpoet.rollout import CopiesItself, Rollout
from rlpoet.text import split_poem
from rlpoet.training.baselines.options import RFTOptions
from rlpoet.training.common import batch_figures, learned_state, load_learned, totals
from rlpoet.training.options import StepOptions
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt

NEGLIGIBLE = 1e-6  # weight of a text that is not worth reading


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


class RejectionTrainer(Trainer):
    """State of a run: policy, prior, and the policy that draws. ``update`` is the algorithm."""

    OPTIONS = RFTOptions
    options: RFTOptions

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.drawer = self.policy.copy() if isinstance(self.policy, CopiesItself) else self.policy.reference()
        self.drawer.model.requires_grad_(False)
        self.drawer.generator = self.policy.generator

    @classmethod
    def unshared(cls, common: StepOptions, options: RFTOptions) -> str:
        return ""

    @classmethod
    def check(cls, common: StepOptions, options: RFTOptions) -> None:
        super().check(common, options)
        if options.keep == "target" and options.refresh_steps:
            raise RlpoetError(
                f"--rft.keep target: with --rft.refresh_steps {options.refresh_steps}, so that the policy draws; expected poems of the "
                "reference. Set --rft.refresh_steps 0."
            )

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        """Draw, score, choose, and learn what was chosen; with ``keep`` best there is no beta in it."""
        started, options = time.perf_counter(), self.options
        fresh = self.draw(prompts, policy=self.drawer)
        sampled = time.perf_counter()
        scored = self.score(fresh.prompts, fresh.texts)
        scores: list[float] = totals(scored).tolist()
        weights = [1.0] * len(fresh) if options.keep == "best" else [math.exp(beta * (score - 1.0)) for score in scores]
        kept = self._best(fresh, scores) if options.keep == "best" else [row for row, weight in enumerate(weights) if weight > NEGLIGIBLE]
        # one text a prompt tells what the policy that drew has become; weighing all would cost as much as the update
        some = fresh.rows(range(0, len(fresh), self.common.group_size))
        with torch.no_grad():
            log_pf, log_prior = self.drawer.log_prob(some).sum(1).cpu(), self.prior.log_prob(some).sum(1).cpu()
        figures = {
            **batch_figures(fresh, scored, len(prompts), log_pf, log_prior, (some.n_tokens, some.n_tokens)),
            **self._learn(fresh.rows(kept), torch.tensor([weights[row] for row in kept]), len(fresh)),
            "rft/kept": float(len(kept)),
            **({"rft/kept_reward": sum(scores[row] for row in kept) / len(kept)} if kept else {}),
        }
        if options.refresh_steps and (self.n_steps + 1) % options.refresh_steps == 0:
            self.drawer.model.load_state_dict(self.policy.model.state_dict())
        return Update(fresh, scored, figures, sampled - started)

    def _learn(self, kept: Rollout, weights: Tensor, n_drawn: int) -> dict[str, float]:
        """One update by cross-entropy, and its figures; none where no rank kept a text.

        Every token of the best counts once. With ``keep`` target a poem counts by its weight, over all that were drawn: a batch of few
        good poems says less than one of many.

        Args:
            weights: of each text, ``(B,)``.
            n_drawn: texts of the batch that they were kept from.
        """
        assert self.optimizer is not None
        best = self.options.keep == "best"
        if not self.ranks.total([len(weights)])[0]:
            return {}
        self.optimizer.zero_grad(set_to_none=True)
        figures: dict[str, float] = {}
        if len(weights):
            self.policy.model.train()
            log_pi = self.policy.log_prob(kept).sum(1)
            weights = weights.to(log_pi)
            per_token = -(weights * log_pi).sum() / (weights * kept.n_tokens.to(weights)).sum()
            loss = per_token if best else -(weights * log_pi).sum() / n_drawn
            loss.backward()
            figures["rft/loss"] = per_token.item()
            self.policy.model.eval()
        norm = self.descend(weight=int(kept.n_tokens.sum()) if best else n_drawn)
        return {**figures, "train/grad_norm": norm}

    def _best(self, fresh: Rollout, scores: list[float]) -> list[int]:
        """Rows of this rank among the best of all: words at line ends are counted over all ranks."""
        told = self.ranks.every((fresh.prompts, fresh.texts, scores))
        options, begin = self.options, sum(len(own[1]) for own in told[: self.ranks.rank])
        prompts, texts, all_scores = (list(chain.from_iterable(part)) for part in zip(*told, strict=True))
        best = chosen_rows(prompts, texts, all_scores, share=options.keep_share, above=options.keep_above, same_end=options.same_end)
        return [row - begin for row in best if begin <= row < begin + len(fresh)]

    def state(self) -> dict[str, Any]:
        return {"drawer": learned_state(self.drawer.model, self.policy.model)}

    def restore(self, state: Mapping[str, Any]) -> None:
        load_learned(self.drawer.model, state["drawer"])
