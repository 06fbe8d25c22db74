"""The auxiliary task alone, on rows of two words that can be counted, drawn under masks: where it comes to rest is the target it states."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn
from trainers import make

from rlpoet.rollout import RhymingWords, Rollout
from rlpoet.training.auxiliary import WORD_SHARE, word_weights
from rlpoet.training.trainer import Trainer
from rlpoet.training.update import Update
from rlpoet.types import Prompt

OVER, PAD = 2, 3  # the mark after a word; pieces are 0 and 1
MASKS = ~torch.tensor([[1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0]], dtype=torch.bool)  # a piece; a piece or the mark; the mark
SOUNDS = (0, 1)  # a word has the sound of its first piece
B = 2.0  # nats a right word is worth
Word = tuple[int, ...]
WORDS: list[Word] = [(a, OVER) for a in (0, 1)] + [(a, b, OVER) for a in (0, 1) for b in (0, 1)]
CUT = (0, 1)  # there is no room for its mark, nor for anything after it
WORDS[WORDS.index((*CUT, OVER))] = CUT


def is_right(sound: int, word: Word, before: Sequence[Word]) -> bool:
    if word == CUT or word[0] != sound:
        return False
    return not before or (before[0] != word and (before[0][0] != sound or before[0][-2] == word[-2]))


ROWS: list[tuple[Word, ...]] = [(w,) if w == CUT else (w, v) for w in WORDS for v in WORDS if w != CUT or v == CUT]
States = dict[tuple[int, tuple[Word, ...], Word], int]


def _states() -> States:
    keys = {
        (sound, row[:k], word[:n])
        for sound, row in itertools.product(SOUNDS, ROWS) for k, word in enumerate(row) for n in range(len(word))
    }  # fmt: skip
    return {key: i for i, key in enumerate(sorted(keys))}


STATE = _states()
WIDTH = 1 + 6  # the sound, two words of three tokens at most


def table(fill: int) -> Tensor:
    return torch.full((len(SOUNDS), len(ROWS), WIDTH), fill)


IDS, STATE_OF, WORD_OF, PIECES = table(PAD), table(0), table(0), table(0)
RIGHT, WHOLE = (torch.zeros(len(SOUNDS), len(ROWS), 2, dtype=torch.bool) for _ in range(2))
for sound, (r, row) in itertools.product(SOUNDS, enumerate(ROWS)):
    at = 1
    IDS[sound, r, 0] = sound
    for k, word in enumerate(row):
        RIGHT[sound, r, k], WHOLE[sound, r, k] = is_right(sound, word, row[:k]), word != CUT
        for n, token in enumerate(word):
            IDS[sound, r, at], STATE_OF[sound, r, at] = token, STATE[sound, row[:k], word[:n]]
            WORD_OF[sound, r, at], PIECES[sound, r, at] = k, n
            at += 1
CHOSEN = (IDS != PAD) & (torch.arange(WIDTH) > 0)


def log_p(logits: Tensor) -> Tensor:
    """Of the tokens of every row under the masks, ``(sounds, rows, WIDTH)``, nats."""
    masked = logits[STATE_OF].masked_fill(MASKS[PIECES], -torch.inf).log_softmax(-1)
    return masked.gather(3, IDS.masked_fill(~CHOSEN, 0)[..., None])[..., 0].masked_fill(~CHOSEN, 0.0)


PRIOR = 1.5 * torch.randn(len(STATE), 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3))


def target() -> tuple[Tensor, Tensor]:
    """Probability of each row, ``(sounds, rows)``, and the logits that give it: word by word, ``p0 exp(b right)`` over its sum."""
    prior = torch.zeros(len(SOUNDS), len(ROWS), 2, dtype=torch.float64).scatter_add(2, WORD_OF, log_p(PRIOR))
    mass: dict[tuple[int, tuple[Word, ...], Word], dict[int, float]] = {key: {} for key in STATE}
    total: dict[tuple[int, tuple[Word, ...]], float] = {}
    weight: dict[tuple[int, tuple[Word, ...]], float] = {}
    for sound, (r, row) in itertools.product(SOUNDS, enumerate(ROWS)):
        for k, word in enumerate(row):
            if (sound, row[: k + 1]) not in weight:
                w = float((prior[sound, r, k] + B * RIGHT[sound, r, k]).exp())
                weight[sound, row[: k + 1]] = w
                total[sound, row[:k]] = total.get((sound, row[:k]), 0.0) + w
                for n, token in enumerate(word):
                    after = mass[sound, row[:k], word[:n]]
                    after[token] = after.get(token, 0.0) + w
    p = torch.ones(len(SOUNDS), len(ROWS), dtype=torch.float64)
    for sound, (r, row) in itertools.product(SOUNDS, enumerate(ROWS)):
        for k in range(len(row)):
            p[sound, r] *= weight[sound, row[: k + 1]] / total[sound, row[:k]]
    logits = torch.zeros(len(STATE), 4, dtype=torch.float64)
    for key, i in STATE.items():
        for token, w in mass[key].items():
            logits[i, token] = math.log(w)
    return p, logits


TARGET, AT_TARGET = target()
PLACE = {tuple(IDS[sound, r].tolist()): (sound, r) for sound in SOUNDS for r in range(len(ROWS))}


def batch(places: Sequence[tuple[int, int]]) -> RhymingWords:
    s, r = torch.tensor(places).T
    nowhere = torch.full((len(places), 1), -1)
    prompts, texts = (Prompt("fr", "couplet"),) * len(places), ("",) * len(places)
    rollout = Rollout(prompts, texts, IDS[s, r], CHOSEN[s, r], torch.ones(len(places), dtype=torch.bool), nowhere, nowhere)
    return RhymingWords(rollout, WORD_OF[s, r], RIGHT[s, r], WHOLE[s, r])


class Table(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(PRIOR.clone())
        self.embedding = nn.Embedding(1, 1)

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    get_output_embeddings = get_input_embeddings


@dataclass
class TablePolicy:
    """Writes poems that are one plan token each, and two words for the first sound of a row."""

    model: Table
    generator: torch.Generator
    pad: int = PAD

    def sample(self, prompts: Sequence[Prompt], n: int = 1) -> Rollout:
        m = len(prompts) * n
        ids = torch.arange(m)[:, None] % len(SOUNDS)
        at, one = torch.zeros(m, 1, dtype=torch.long), torch.ones(m, 1, dtype=torch.bool)
        return Rollout(tuple(p for p in prompts for _ in range(n)), ("",) * m, ids, one, one[:, 0], at, at, sounds=at)

    def rhyming_words(self, sounds: Sequence[Sequence[int]], n: int) -> RhymingWords:
        asked = [row[0] for row in sounds for _ in range(n)]
        p = log_p(self.model.logits.detach()).sum(2).exp()
        rows = [int(torch.multinomial(p[sound], 1, generator=self.generator)) for sound in asked]
        return batch(list(zip(asked, rows, strict=True)))

    def log_prob(self, rollout: Rollout) -> Tensor:
        s, r = torch.tensor([PLACE[tuple(ids)] for ids in rollout.ids.tolist()]).T
        return log_p(self.model.logits)[s, r]

    def reference(self) -> TablePolicy:
        return TablePolicy(copy.deepcopy(self.model).requires_grad_(False), torch.Generator())


@dataclass(frozen=True)
class Nothing:
    """No options."""


@dataclass(frozen=True)
class NoScore:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class Idle(Trainer):
    """Learns nothing from its poems."""

    OPTIONS = Nothing

    def make_optimizer(self, seed: int) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.learned, lr=self.rate)  # AdamW makes full steps of the noise of rare states

    def update(self, prompts: Sequence[Prompt], beta: float, progress: float) -> Update:
        fresh = self.draw(prompts)
        return Update(fresh, NoScore((0.0,) * len(fresh), {}))


def expected_gradient(logits: Tensor, *, drawn_by: Tensor, by_reference: bool) -> Tensor:
    """Of the weighted log-probabilities, over all pairs of rows of one list as they would be drawn."""
    logits = logits.clone().requires_grad_()
    steps, prior = log_p(logits), log_p(PRIOR)
    log_pi, p = steps.detach(), log_p(drawn_by).sum(2).exp()
    total = torch.zeros(())
    zero = torch.zeros(2, dtype=torch.long)
    for sound in SOUNDS:
        coefficient = torch.zeros(len(ROWS), WIDTH, dtype=torch.float64)
        for i, j in itertools.product(range(len(ROWS)), repeat=2):
            words = batch([(sound, i), (sound, j)])
            own = log_pi[sound, [i, j]], prior[sound, [i, j]]
            weights = word_weights(words, *own, beta=B, group=zero, by_reference=by_reference)
            coefficient.index_add_(0, torch.tensor([i, j]), p[sound, i] * p[sound, j] * weights)
        total = total + (coefficient * steps[sound]).sum()
    (gradient,) = torch.autograd.grad(total, logits)
    return gradient


@pytest.mark.parametrize(("drawn_by", "by_reference"), [("policy", False), ("prior", True)])
def test_the_expected_gradient_vanishes_at_the_target_and_nowhere_else(drawn_by, by_reference):
    for logits, at_target in ((AT_TARGET, True), (PRIOR, False)):
        drawer = PRIOR if drawn_by == "prior" else logits
        gradient = expected_gradient(logits, drawn_by=drawer, by_reference=by_reference)
        assert (gradient.abs().max() < 1e-12) == at_target


def test_balance_on_words_of_the_prior_would_rest_elsewhere():
    """Only with the log Z of each beginning would it not; so the prior's words are weighed in another way."""
    assert expected_gradient(AT_TARGET, drawn_by=PRIOR, by_reference=False).abs().max() > 1e-3


@pytest.mark.parametrize("sampler", ["policy", "reference"])
@pytest.mark.slow
def test_the_task_alone_reaches_its_target(sampler):
    policy = TablePolicy(Table(), torch.Generator().manual_seed(0))
    settings = {"prompts_per_step": 8, "group_size": 32, "aux_rhyme_weight": 1.0, "aux_sampler": sampler, "clip": 100.0}
    prompts = [Prompt("fr", "couplet", author=str(i)) for i in range(8)]
    run = make(Idle, policy, None, prompts, beta=B / WORD_SHARE, learning_rate=1.0, beta_warmup=0.0, **settings)
    steps = 300
    for step in range(steps):
        run.step(step / steps)
    p = log_p(policy.model.logits.detach()).sum(2).exp()
    prior = log_p(PRIOR).sum(2).exp()
    assert (0.5 * (p - TARGET).abs().sum(1) < 0.02).all()
    assert (0.5 * (prior - TARGET).abs().sum(1) > 0.2).all()
