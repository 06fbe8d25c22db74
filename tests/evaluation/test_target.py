"""The distance from the target is the true divergence on a language of 64 texts, masks included, and its error is as large as it says."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from rewards.rhyme import Rhyme
from rlpoet.analysis.intervals import Redrawn, difference, interval, number_bounds, number_change
from rlpoet.evaluation import sampled
from rlpoet.evaluation.form import figures_of, poem_facts
from rlpoet.evaluation.sampled import about_target, distance, examine, keep, read, toward
from rlpoet.evaluation.target import acceptance, prior_weights, strata_of, target_kl
from rlpoet.prosody.forms import form as find_form
from rlpoet.rollout import Rollout, TracksMasks
from rlpoet.types import Prompt

VOCAB, LENGTH, BETA = 4, 3, 6.0
LETTERS = "abcd"
FORMS = ("couplet", "quatrain-abab")
PREFIXES = [p for depth in range(LENGTH) for p in itertools.product(range(VOCAB), repeat=depth)]
PLACE = {p: i for i, p in enumerate(PREFIXES)}
# what may not come after each prefix, of each form: never the letter before, and in couplets no first a
MASKS = torch.zeros(len(FORMS), len(PREFIXES), VOCAB, dtype=torch.bool)
for _prefix, _at in PLACE.items():
    if _prefix:
        MASKS[:, _at, _prefix[-1]] = True
MASKS[0, PLACE[()], 0] = True


def tables(seed: int, spread: float = 1.0) -> torch.Tensor:
    return spread * torch.randn(len(FORMS), len(PREFIXES), VOCAB, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Maskless:
    """A policy of three letters a text, by a table of logits for each form and prefix; the prompt is one token. It knows no masks."""

    lang, authors, pad, model = "fr", (), 0, None

    def __init__(self, logits: torch.Tensor) -> None:
        self.logits, self.generator = logits, torch.Generator()
        self.precision, self.allow_identical_rhyme = torch.float32, False

    def sample(self, prompts: Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, **decoding: float) -> Rollout:
        rows = [prompt for prompt in prompts for _ in range(n)]
        form = torch.tensor([FORMS.index(prompt.form) for prompt in rows])
        drawn: list[tuple[int, ...]] = [()] * len(rows)
        for _ in range(LENGTH):
            at = torch.tensor([PLACE[own] for own in drawn])
            p = self.logits[form, at].masked_fill(MASKS[form, at], -torch.inf).softmax(-1)
            drawn = [(*own, int(x)) for own, x in zip(drawn, torch.multinomial(p, 1, generator=self.generator), strict=True)]
        ids = torch.tensor([(0, *own) for own in drawn])
        chosen = torch.tensor([[False] + [True] * LENGTH]).expand(len(rows), -1).clone()
        none = torch.full((len(rows), 1), -1)
        texts = tuple("".join(LETTERS[x] for x in own) for own in drawn)
        return Rollout(tuple(rows), texts, ids, chosen, torch.ones(len(rows), dtype=torch.bool), none, none)

    def log_prob(self, rollout: Rollout) -> torch.Tensor:
        form, at = _places(rollout)
        logits = self.logits[form[:, None], at]
        if rollout.token_masks is not None:
            logits = logits.masked_fill(rollout.token_masks[rollout.mask_of[:, 1:]], -torch.inf)
        own = logits.log_softmax(-1).gather(2, rollout.ids[:, 1:, None]).squeeze(2)
        return torch.nn.functional.pad(own, (1, 0))


def _places(rollout: Rollout) -> tuple[torch.Tensor, torch.Tensor]:
    form = torch.tensor([FORMS.index(prompt.form) for prompt in rollout.prompts])
    at = torch.tensor([[PLACE[tuple(row[1 : 1 + k])] for k in range(LENGTH)] for row in rollout.ids.tolist()])
    return form, at


class Toy(Maskless):
    """The same, which tells what it could not draw."""

    def masked(self, rollout: Rollout) -> Rollout:
        form, at = _places(rollout)
        mask_of = torch.zeros_like(rollout.ids)
        mask_of[:, 1:] = form[:, None] * len(PREFIXES) + at
        return dataclasses.replace(rollout, token_masks=MASKS.reshape(-1, VOCAB), mask_of=mask_of)


def reward_of(text: str) -> float:
    return (0.5 * (text[0] == text[2]) + 0.25 * ("b" in text) + 0.25 * (text[1] == "d")) if len(text) == LENGTH else 0.0


def by_enumeration(policy: Toy, prior: Toy) -> float:
    """The divergence, the mean of both forms, from all texts that can be drawn."""
    found = []
    for form in FORMS:
        rows = [ids for ids in itertools.product(range(VOCAB), repeat=LENGTH) if _can_be_drawn(form, ids)]
        ids = torch.tensor([(0, *own) for own in rows])
        none = torch.full((len(rows), 1), -1)
        texts = tuple("".join(LETTERS[x] for x in own) for own in rows)
        every = Rollout((Prompt("fr", form),) * len(rows), texts, ids, ids >= 0, ids[:, 0] >= 0, none, none)
        log_pi, log_p0 = (one.log_prob(one.masked(every)).sum(1) for one in (policy, prior))
        assert log_pi.exp().sum().item() == pytest.approx(1.0)
        log_target = (log_p0 + BETA * torch.tensor([reward_of(text) for text in texts], dtype=torch.float64)).log_softmax(0)
        found.append((log_pi.exp() * (log_pi - log_target)).sum().item())
    return sum(found) / len(found)


def _can_be_drawn(form: str, ids: Sequence[int]) -> bool:
    return not any(MASKS[FORMS.index(form), PLACE[tuple(ids[:k])], ids[k]] for k in range(LENGTH))


PRIOR = Toy(tables(0))
POLICIES = {"near": Toy(PRIOR.logits + tables(1, 0.5)), "far": Toy(tables(2, 1.5)), "prior": Toy(PRIOR.logits)}


def measured(policy: Toy, prior: Toy, n_prompts: int, seed: int) -> tuple[sampled.Measured, sampled.Measured]:
    prompts = [Prompt("fr", FORMS[i % 2]) for i in range(n_prompts)]
    first, _ = examine(prior, prior, prompts, 4 * n_prompts, seed=seed)
    first = toward(first, [reward_of(text) for text in first.texts], BETA)
    last, _ = examine(policy, prior, prompts, 4 * n_prompts, seed=seed + 5000, weigh=True)
    return first, toward(last, [reward_of(text) for text in last.texts], BETA, prior=first)


@pytest.mark.parametrize("name", POLICIES)
def test_the_estimate_is_the_true_divergence(name):
    first, last = measured(POLICIES[name], PRIOR, 1000, 1)
    found, truth = distance(first, last), by_enumeration(POLICIES[name], PRIOR)
    assert found.value == last.figures["target_kl"] == next(iter(last.figures.values()))
    assert found.deviation < 0.08 and abs(found.value - truth) < 3 * found.deviation
    exact = by_enumeration(PRIOR, PRIOR)
    assert (abs(first.figures["target_kl"] - exact) < 3 * distance(first, first).deviation and truth != exact) or name == "prior"


def test_log_probabilities_without_masks_would_be_another_figure():
    """Mass parked on letters that are never drawn changes nothing that is drawn, and so no distance."""
    logits = PRIOR.logits + 2.0 * MASKS
    first, last = measured(Toy(logits), PRIOR, 200, 1)
    found, truth = distance(first, last), by_enumeration(PRIOR, PRIOR)
    assert by_enumeration(Toy(logits), PRIOR) == pytest.approx(truth) and abs(found.value - truth) < 3 * found.deviation
    assert isinstance(PRIOR, TracksMasks) and not isinstance(Maskless(logits), TracksMasks)
    first, last = measured(Maskless(logits), Maskless(PRIOR.logits), 200, 1)
    found = distance(first, last)
    assert abs(found.value - truth) > 8 * found.deviation


def test_intervals_hold_the_truth_as_often_as_they_say():
    policy, held, changes = POLICIES["near"], [], []
    truth, start = by_enumeration(policy, PRIOR), by_enumeration(PRIOR, PRIOR)
    values, told = [], []
    for seed in range(80):
        first, last = measured(policy, PRIOR, 32, seed)
        found = distance(first, last)
        low, high = number_bounds(found)
        held.append(low <= truth <= high)
        low, high = number_change(distance(first, first), found).change
        changes.append(low <= truth - start <= high)
        values.append(found.value)
        told.append(found.deviation)
    assert np.mean(held) > 0.9 and np.mean(changes) > 0.9
    assert 0.85 < np.sqrt(np.mean(np.square(told))) / np.std(values) < 1.2


def test_figures_by_hand():
    rewards, strata = np.array([1.0, 0.0, 1.0, 0.5]), np.array([0, 0, 1, 1])
    weights = prior_weights(rewards, strata, 2.0)
    forms = [math.log((math.e**2 + 1) / 2), math.log((math.e**2 + math.e) / 2)]
    assert weights.log_z == pytest.approx(sum(forms) / 2) and weights.n == 4
    assert weights.acceptance == pytest.approx((2 + math.exp(-2) + math.exp(-1)) / 4) == pytest.approx(acceptance(rewards, 2.0))
    assert weights.ess == pytest.approx((2 + math.exp(-2) + math.exp(-1)) ** 2 / (2 + math.exp(-4) + math.exp(-2))) and not weights.known
    found = target_kl(rewards, np.array([0.5, 0.0, 1.0, 0.0]), rewards, beta=2.0, strata=strata, group=np.arange(4))
    assert found.value == pytest.approx((0.5 - 2 + 0 + 1 - 2 - 1) / 4 + sum(forms) / 2)


def test_a_form_is_weighed_by_its_poems_and_by_its_own_z():
    prompts = [Prompt("fr", "couplet")] * 4 + [Prompt("fr", "quatrain-abab")] * 8
    assert strata_of(prompts).tolist() == [0] * 4 + [1] * 8
    rewards = np.array([0.0] * 4 + [1.0] * 8)  # alike within a form: the prior is the target, whatever each earns
    assert target_kl(rewards, np.zeros(12), rewards, beta=9.0, strata=strata_of(prompts), group=np.arange(12) // 4).value == pytest.approx(
        0
    )


def test_what_the_prior_says_cancels_in_a_difference():
    """Of two policies on the same prompts: with one prior's poems or another's."""
    (first, near), (other, _) = measured(POLICIES["near"], PRIOR, 40, 3), measured(POLICIES["near"], PRIOR, 40, 4)
    _, far = measured(POLICIES["far"], PRIOR, 40, 3)
    gaps = [distance(prior, far).value - distance(prior, near).value for prior in (first, other)]
    assert gaps[0] == pytest.approx(gaps[1])
    gap = difference({0: distance(first, far)}, {0: distance(first, near)})
    assert gap.mean == pytest.approx(gaps[0]) and gap.low < gap.mean < gap.high and gap.separated
    assert interval([distance(first, near)]).low < distance(first, near).value
    assert interval([Redrawn(1.0, np.array([1.0, 1.0]), 2, 1.0)]).low is None  # too few prompts


def test_a_file_keeps_all_that_the_distance_needs(tmp_path):
    first, last = measured(POLICIES["near"], PRIOR, 16, 0)
    for name, side in (("before", first), ("after", last)):
        keep(tmp_path / f"{name}.json", side)
    again = [read(tmp_path / f"{name}.json") for name in ("before", "after")]
    assert distance(*again).value == distance(first, last).value
    told = about_target(*again)
    assert told["after"] == {"kl": distance(first, last).value, "standard_error": distance(first, last).deviation}
    assert told["beta"] == BETA and told["n"] == 64 and 0 < told["acceptance"] < 1 and told["log_z_known"] == (told["ess"] >= 30)
    assert "target_kl" in sampled.intervals(*again) and set(sampled.intervals(*again)["target_kl"]) == {"before", "after", "change"}


def test_what_is_not_drawn_from_the_policy_has_no_distance():
    first, last = measured(POLICIES["near"], PRIOR, 8, 0)
    assert distance(first, dataclasses.replace(last, log_ratio=None)) is None
    assert distance(dataclasses.replace(first, rewards=None), last) is None
    assert distance(dataclasses.replace(first, beta=2.0), last) is None
    assert distance(dataclasses.replace(first, prompts=first.prompts[::-1]), last) is None
    policy, prompts = POLICIES["near"], [Prompt("fr", "couplet")]
    assert examine(policy, PRIOR, prompts, 4, seed=0, top_p=0.9, weigh=True)[0].log_ratio is None
    assert examine(policy, PRIOR, prompts, 4, seed=0)[0].log_ratio is None
    nothing = dataclasses.replace(first, prompts=(), texts=(), facts=(), rewards=None, beta=None)
    assert about_target(nothing, nothing) == {} and distance(nothing, nothing) is None


# -- the rule of the reward ---------------------------------------------------------------------------

WORDS = {
    "fr": "ombre sombre nombre flamme âme amour jour tour zorbre zamour mer mère fleur pleur coeur cœur là-bas bas pas".split(),
    "es": "amor dolor flor vida herida perdida zamor mar cantar noche coche luz cruz".split(),
    "en": "day way night light love prove heaven given sea see zight sight sun one".split(),
}


@pytest.mark.parametrize(
    "lang, form", [("fr", "quatrain-abab"), ("es", "quatrain-abba"), ("en", "sonnet-shakespearean"), ("en", "quatrain-abab")]
)
def test_credited_pairs_are_those_that_the_reward_pays(lang, form):
    rng, rule = random.Random(0), Rhyme()
    prompt, seen = Prompt(lang, form), set()
    for _ in range(300):
        text = "\n".join(rng.choice(WORDS[lang]) for _ in range(find_form(form, lang).n_lines))
        facts = poem_facts(prompt, text)
        assert facts.credited == pytest.approx(rule.score([prompt], [text])[0] * facts.pairs) and facts.credited <= facts.rhymed
        seen.add((facts.credited, facts.rhymed))
    assert any(credited for credited, _ in seen) and any(credited < rhymed for credited, rhymed in seen)


def test_invented_words_rhyme_by_the_ear_and_earn_nothing():
    facts = poem_facts(Prompt("fr", "couplet"), "la zombre\nle sombre")
    assert (facts.rhymed, facts.credited) == (1, 0)
    figures = figures_of([facts, poem_facts(Prompt("fr", "couplet"), "une ombre\nle sombre")])
    assert (figures["rhyme_pairs"], figures["credited_pairs"]) == (1.0, 0.5)
    assert figures["rhyme_sound_entropy"] == 0.0  # four lines, one sound
    assert figures_of([poem_facts(Prompt("fr", "couplet"), "une ombre\nle jour")])["rhyme_sound_entropy"] == pytest.approx(math.log(2))
    given = poem_facts(Prompt("fr", "couplet", opening=("une ombre",)), "une ombre\nle jour")
    assert len(given.sounds) == 1
