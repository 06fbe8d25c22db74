"""The contract of a policy, executable: run it on your own before you train with it.

Some promises can be tested exactly, such as that a row's log-probability does not depend on its batch. That texts are drawn from the
distribution that is weighed is tested on many draws, with the draws of one seed: a policy that keeps the promise fails once in 10,000
seeds.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from scipy.stats import chi2, kstest
from torch import Tensor

from rlpoet import registry
from rlpoet.errors import RlpoetError
from rlpoet.prosody.forms import forms, unwritable
from rlpoet.rollout import Policy, Rollout, TracksMasks, load_policy
from rlpoet.types import Prompt

PROMISED = (
    "lang", "authors", "model", "pad", "generator", "precision", "allow_identical_rhyme", "sample", "log_prob", "reference", "write",
    "save",
)  # fmt: skip
CLOSE = 1e-3  # nats by which a token's log-probability may differ between two batches: products of other shapes round otherwise
ONE = 1e-3  # by which the probabilities of all tokens may miss 1
LEAST_P = 1e-4 / 6  # of the draws, if the promise is kept; there are at most six tests
LEAST_COUNT = 5.0  # expected draws of a cell of the chi-squared test
ROWS = 10_000  # rows that are weighed to have whole distributions over tokens
TOGETHER = 512  # of them at once
RATE = 0.05  # of the step that the policy is trained by


class BrokenContractError(RlpoetError):
    """A policy that does not do what every policy promises."""


def check_policy(policy: Policy, *, prompts: Sequence[Prompt] = (), draws: int = 600) -> None:
    """Hold a policy to the contract of ``rlpoet.rollout.Policy``. It is as it was afterwards.

    Args:
        policy: one that can be trained and saved.
        prompts: what it is asked for; by default the two shortest forms of its language.
        draws: poems to draw, for the test of what is drawn against what is weighed. More of them see smaller differences.

    Raises:
        BrokenContractError: names the promise that was broken, with the numbers that show it.
    """
    for name in PROMISED:
        if not hasattr(policy, name):
            raise _broken(policy, f"has no {name}; expected what rlpoet.rollout.Policy lists")
    if not prompts:
        known = sorted((own for own in forms(policy.lang) if own.pairs and not unwritable(own)), key=lambda form: form.n_lines)
        prompts = [Prompt(policy.lang, form.name) for form in known[:2]]
    with _as_it_was(policy):
        policy.precision = torch.float32
        drawn = _drawn(policy, prompts, 3, seed=1)
        _check_rows(policy, prompts, drawn)
        _check_seed(policy, prompts, drawn)
        _check_batches(policy, drawn)
        _check_draws(policy, prompts[0], draws)
        _check_files(policy, drawn)
        _check_reference(policy, drawn)


# -- the promises -------------------------------------------------------------------------------------


def _check_rows(policy: Policy, prompts: Sequence[Prompt], drawn: Rollout) -> None:
    """A rollout is what was asked for, and only what was drawn has a log-probability."""
    if drawn.prompts != tuple(prompt for prompt in prompts for _ in range(3)):
        raise _broken(policy, "sample(prompts, 3) does not give three poems per prompt, side by side; expected that order")
    if drawn.ids.shape != drawn.chosen.shape or len(drawn.ids) != len(drawn.texts) or not bool(drawn.chosen.any(1).all()):
        raise _broken(
            policy, f"ids {tuple(drawn.ids.shape)}, chosen {tuple(drawn.chosen.shape)}; expected one shape, and tokens in each row"
        )
    log_p = policy.log_prob(drawn).cpu()
    if log_p.shape != drawn.ids.shape:
        raise _broken(policy, f"log_prob gives {tuple(log_p.shape)} for ids {tuple(drawn.ids.shape)}; expected the same shape")
    if bool((log_p[~drawn.chosen] != 0).any()):
        raise _broken(policy, "log_prob is not 0 where chosen is False; expected the tokens that were drawn alone to be weighed")
    own = log_p[drawn.chosen]
    if not bool(torch.isfinite(own).all()) or bool((own > CLOSE).any()):
        raise _broken(policy, f"log_prob is between {own.min():.3g} and {own.max():.3g}; expected finite numbers of at most 0")
    if not log_p.requires_grad:
        raise _broken(policy, "log_prob has no gradient; expected one, or nothing can be learned")
    given = policy.write(drawn.prompts, drawn.texts)
    if given.prompts != drawn.prompts or len(given.texts) != len(drawn.texts):
        raise _broken(policy, f"write gives {len(given.texts)} rows for {len(drawn.texts)} poems; expected one per poem, in their order")


def _check_seed(policy: Policy, prompts: Sequence[Prompt], drawn: Rollout) -> None:
    """The state of ``generator`` decides what is drawn, and nothing else does."""
    for word, other in (("the same seed", 0), ("the same seed and another state of torch's own generator", 99)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(other)
            again = _drawn(policy, prompts, 3, seed=1)
        if again.texts != drawn.texts or not _equal(again.ids, drawn.ids):
            raise _broken(policy, f"sample gives other poems with {word}; expected policy.generator to be the only source of chance")
    if _drawn(policy, prompts, 3, seed=2).texts == drawn.texts:
        raise _broken(policy, "sample gives the same poems with another seed; expected draws from policy.generator")


def _check_batches(policy: Policy, drawn: Rollout) -> None:
    """A row has the same log-probability in any batch: alone, reordered, beside longer ones."""
    whole = _weighed(policy, drawn)
    order = list(range(len(drawn)))[::-1]
    wide = dataclasses.replace(
        drawn,
        ids=torch.nn.functional.pad(drawn.ids, (0, 5), value=policy.pad), chosen=torch.nn.functional.pad(drawn.chosen, (0, 5)),
    )  # fmt: skip
    ways: dict[str, Callable[[], Tensor]] = {
        "the second time": lambda: _weighed(policy, drawn),
        "in reversed order": lambda: _weighed(policy, drawn.rows(order))[order],
        "one row at a time": lambda: torch.stack(
            [_wide(_weighed(policy, drawn.rows([row])), whole.shape[1])[0] for row in range(len(drawn))]
        ),
        "with more padding": lambda: _weighed(policy, wide),
    }
    for how, again in ways.items():
        gap = (_wide(again(), whole.shape[1]) - whole).abs().max().item()
        if not gap <= CLOSE:
            raise _broken(policy, f"log_prob of a token differs by {gap:.3g} nats {how}; expected a row to depend on itself alone")


def _check_draws(policy: Policy, prompt: Prompt, draws: int) -> None:
    """What is weighed is what is drawn: token masks included, temperature 1."""
    drawn = _drawn(policy, [prompt], draws, seed=3)
    known = policy.masked(drawn) if isinstance(policy, TracksMasks) else drawn
    log_p = _weighed(policy, known)
    for n in (1, 2, 3):  # the first tokens of a poem: what is expected of each beginning is known exactly
        p = _beginnings(drawn, log_p, n)
        if p is not None and p < LEAST_P:
            raise _broken(
                policy,
                f"the first {n} tokens of {draws} poems are not those that log_prob expects (p = {p:.1g}); expected draws from the "
                "distribution that is weighed, at temperature 1, masks included",
            )
    if known.token_masks is not None:
        return  # the masks of a changed row are not known, so whole distributions cannot be asked for
    rows, sums = [], []
    for own, total in _places(policy, drawn):
        rows.append(own)
        sums.append(total)
    if rows and max(abs(total - 1) for total in sums) > ONE:
        worst = max(sums, key=lambda total: abs(total - 1))
        raise _broken(policy, f"the probabilities of all tokens at one place sum to {worst:.4f}; expected 1")
    for at, by in ((0, "by number"), (1, "by probability")):
        p = float(kstest([row[at] for row in rows], "uniform").pvalue) if rows else 1.0
        if p < LEAST_P:
            raise _broken(
                policy,
                f"{len(rows)} tokens inside poems, ranked {by}, are not those that log_prob expects (p = {p:.1g}); expected draws from the "
                "distribution that is weighed, masks included",
            )


def _check_files(policy: Policy, drawn: Rollout) -> None:
    """A saved policy is opened by its class, and gives the same numbers."""
    with tempfile.TemporaryDirectory() as folder:
        policy.save(folder)
        name = getattr(policy, "name", None)
        if name in registry.names(registry.POLICIES) and registry.load(registry.POLICIES, str(name)) is type(policy):
            if (found := registry.class_of(folder)) != name:
                raise _broken(policy, f"save names the class {found!r}; expected {name!r}. Call rlpoet.registry.name_class in save")
            again, hinted = load_policy(folder, lang=policy.lang), load_policy(folder, lang=policy.lang, inference_only=True)
        else:  # a class that is not registered
            own: Any = type(policy)
            again, hinted = own.load(folder, lang=policy.lang), own.load(folder, lang=policy.lang, inference_only=True)
        for opened in (again, hinted):
            _check_same(policy, opened, drawn, "after saving and opening")


def _check_reference(policy: Policy, drawn: Rollout) -> None:
    """The prior of a run is the policy as it was, and stays so while the policy learns."""
    prior = policy.reference()
    if any(weight.requires_grad for weight in prior.model.parameters()):
        raise _broken(policy, "reference has parameters that learn; expected requires_grad False for all of them")
    if prior.generator is policy.generator:
        raise _broken(policy, "reference draws from the policy's own generator; expected one of its own")
    _check_same(policy, prior, drawn, "as its reference")
    before = _weighed(prior, drawn)
    learning = [weight for weight in policy.model.parameters() if weight.requires_grad]
    (-policy.log_prob(drawn).sum() / drawn.n_tokens.sum()).backward()
    if not any(weight.grad is not None and bool(weight.grad.any()) for weight in learning):
        raise _broken(policy, "log_prob has no gradient in policy.model; expected its parameters to learn")
    with torch.no_grad():
        for weight in learning:
            if weight.grad is not None:
                weight.sub_(RATE * weight.grad)
    if not (gap := (_weighed(prior, drawn) - before).abs().max().item()) == 0:
        raise _broken(policy, f"a step of the policy moves its reference by {gap:.3g} nats; expected a copy that stays as it was")
    if not (_weighed(policy, drawn) - before).abs().max().item() > 0:
        raise _broken(
            policy, "a step of policy.model changes nothing that log_prob gives; expected it to weigh with the weights that learn"
        )


# -- what they are tested with ------------------------------------------------------------------------


@contextmanager
def _as_it_was(policy: Policy) -> Iterator[None]:
    weights = {name: weight.detach().clone() for name, weight in policy.model.state_dict().items()}
    state, precision, training = policy.generator.get_state(), policy.precision, policy.model.training
    policy.model.eval()
    try:
        yield
    finally:
        policy.model.load_state_dict(weights)
        policy.model.zero_grad(set_to_none=True)
        policy.model.train(training)
        policy.generator.set_state(state)
        policy.precision = precision


def _drawn(policy: Policy, prompts: Sequence[Prompt], n: int, *, seed: int) -> Rollout:
    policy.generator.manual_seed(seed)
    return policy.sample(prompts, n)


@torch.no_grad()
def _weighed(policy: Policy, rollout: Rollout) -> Tensor:
    policy.model.eval()
    return policy.log_prob(rollout).cpu().double()


def _check_same(policy: Policy, other: Policy, drawn: Rollout, when: str) -> None:
    gap = (_weighed(other, drawn) - _weighed(policy, drawn)).abs().max().item()
    if not gap <= CLOSE:
        raise _broken(policy, f"log_prob of a token differs by {gap:.3g} nats {when}; expected the same numbers")
    prompts = list(dict.fromkeys(drawn.prompts))
    if other.lang != policy.lang or _drawn(other, prompts, 3, seed=1).texts != drawn.texts:
        raise _broken(policy, f"other poems are drawn with one seed {when}; expected the same")


def _beginnings(drawn: Rollout, log_p: Tensor, n: int) -> float | None:
    """P-value of the first ``n`` tokens drawn, by Pearson's chi-squared; None where no beginning is common enough to count."""
    counts: Counter[tuple[int, ...]] = Counter()
    expected: dict[tuple[int, ...], float] = {}
    for ids, chosen, weights in zip(drawn.ids, drawn.chosen, log_p, strict=True):
        at = chosen.nonzero()[:n, 0]
        beginning = tuple(ids[at].tolist())
        counts[beginning] += 1
        expected[beginning] = len(drawn) * math.exp(weights[at].sum().item())
    common = {beginning: want for beginning, want in expected.items() if want >= LEAST_COUNT}
    rest, seen = len(drawn) - sum(common.values()), len(drawn) - sum(counts[beginning] for beginning in common)
    cells = [(counts[beginning], want) for beginning, want in common.items()] + [(seen, max(rest, LEAST_COUNT / 10))]
    return float(chi2.sf(sum((got - want) ** 2 / want for got, want in cells), len(cells) - 1)) if len(cells) > 1 else None


def _places(policy: Policy, drawn: Rollout) -> Iterator[tuple[tuple[float, float], float]]:
    """Of some tokens inside poems where each stands in its whole distribution, two numbers in [0, 1], and the sum over all tokens.

    The numbers are the share of probability below the token, tokens in the order of their ids, then of their probabilities, plus a share
    of its own (the probability integral transform). They are uniform if the token was drawn from that distribution.
    """
    size = int(policy.model.config.vocab_size)
    chance = torch.Generator().manual_seed(0)
    taken = [(row, at) for row in range(len(drawn)) for at in drawn.chosen[row].nonzero()[:, 0].tolist()]
    order = torch.randperm(len(taken), generator=chance).tolist()[: max(8, ROWS // size)]
    for row, at in (taken[i] for i in order):
        one = drawn.rows([row])
        ids, chosen = one.ids[:, : at + 1].repeat(size, 1), one.chosen[:, : at + 1].repeat(size, 1)
        ids[:, at] = torch.arange(size)
        parts = []
        for start in range(0, size, TOGETHER):
            n = min(TOGETHER, size - start)
            many = dataclasses.replace(
                one, prompts=one.prompts * n, texts=one.texts * n, ids=ids[start : start + n], chosen=chosen[start : start + n],
                ended=one.ended.repeat(n), line_ends=one.line_ends.repeat(n, 1), end_words=one.end_words.repeat(n, 1),
                sounds=None if one.sounds is None else one.sounds.repeat(n, 1),
            )  # fmt: skip
            parts.append(_weighed(policy, many)[:, at])
        p = torch.cat(parts).exp()
        own, share = int(one.ids[0, at]), torch.rand((), generator=chance).item()
        below = (p[:own].sum().item(), p[p < p[own]].sum().item())
        tied = (p[own].item(), p[p == p[own]].sum().item())
        total = p.sum().item()
        yield ((below[0] + share * tied[0]) / total, (below[1] + share * tied[1]) / total), total


def _wide(log_p: Tensor, width: int) -> Tensor:
    """With as many columns as the widest, zeros on the right; what is beyond them was padding."""
    return torch.nn.functional.pad(log_p, (0, max(0, width - log_p.shape[1])))[:, :width]


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a == b).all())


def _broken(policy: Policy, what: str) -> BrokenContractError:
    return BrokenContractError(f"{type(policy).__name__}: {what}.")
