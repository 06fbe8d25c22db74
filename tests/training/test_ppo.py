"""PPO: its advantages and losses by themselves, its exact target on a language of 256 texts, and whole runs."""

from __future__ import annotations

import copy
import functools
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_gflownet import PROMPTS, plain
from tiny_policy import SMALL, tiny_policy
from torch import Tensor, nn
from trainers import make

from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout
from rlpoet.training.ppo.advantage import (
    approx_kl,
    clip_fraction,
    clipped_policy_loss,
    clipped_value_loss,
    explained_variance,
    gae,
    steered,
    whitened,
)
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.types import Prompt

VOCAB, LENGTH, BETA = 4, 4, 3.0
TEXTS = list(itertools.product(range(VOCAB), repeat=LENGTH))  # 256 texts, all of them
PREFIXES = [p for depth in range(LENGTH) for p in itertools.product(range(VOCAB), repeat=depth)]
FIRST = torch.tensor([sum(VOCAB**j for j in range(k)) for k in range(LENGTH)])  # where the beginnings of each length start
PAD = VOCAB


# -- a language small enough to write down whole ------------------------------------------------------


class Table(nn.Module):
    """A language model with a free distribution after each beginning: its "last hidden state" names the beginning."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.head = nn.Linear(len(PREFIXES), VOCAB + 1, bias=False, dtype=torch.float64)
        self.head.weight.data = nn.functional.pad(logits, (0, 1), value=-30.0).T.contiguous()

    def get_output_embeddings(self) -> nn.Linear:
        return self.head

    def forward(self, ids: Tensor) -> Tensor:
        """``(B, LENGTH + 1)`` to logits ``(B, LENGTH, VOCAB + 1)``."""
        within = torch.zeros(len(ids), LENGTH, dtype=torch.long)
        for k in range(1, LENGTH):
            within[:, k] = VOCAB * within[:, k - 1] + ids[:, k]
        places = FIRST + within
        logits: Tensor = self.head(torch.eye(len(PREFIXES), dtype=torch.float64)[places])
        return logits


@dataclass
class TablePolicy:
    model: Any
    generator: torch.Generator
    pad: int = PAD
    lang: str = "fr"
    authors: tuple[str, ...] = ()
    precision: torch.dtype = torch.float64

    def log_p_of_all(self) -> Tensor:
        with torch.no_grad():
            return self.log_prob(batch_of(TEXTS)).sum(1)

    def sample(self, prompts: Sequence[Prompt], n: int = 1, *, temperature: float = 1.0, **decoding: Any) -> Rollout:
        rows = torch.multinomial(self.log_p_of_all().exp(), n, replacement=True, generator=self.generator)
        return batch_of([TEXTS[i] for i in rows.tolist()])

    def log_prob(self, rollout: Rollout) -> Tensor:
        log_p = self.model(rollout.ids).log_softmax(-1).gather(2, rollout.ids[:, 1:, None]).squeeze(2)
        return nn.functional.pad(log_p, (1, 0))

    def reference(self) -> TablePolicy:
        return TablePolicy(copy.deepcopy(self.model).requires_grad_(False), torch.Generator())


def batch_of(texts: Sequence[tuple[int, ...]]) -> Rollout:
    """Texts as a policy draws them: a start, four tokens, two "lines" of one token and its mark each."""
    ids = torch.tensor([(0, *text) for text in texts])
    chosen = torch.ones_like(ids, dtype=torch.bool)
    chosen[:, 0] = False
    spelt = tuple("".join(map(str, text)) for text in texts)
    ends = torch.tensor([[1, 3]]).expand(len(texts), 2)
    return Rollout((Prompt("fr", "couplet"),) * len(texts), spelt, ids, chosen, torch.ones(len(texts), dtype=torch.bool), ends, ends)


@dataclass(frozen=True)
class Scored:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class Alike:
    """Half for the second token being 0, paid with the first line; half for the lines ending alike, paid with the second."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored:
        return Scored(tuple(sum(self.by_line(p, t)) for p, t in zip(prompts, texts, strict=True)), {})

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        return [0.5 * (text[1] == "0"), 0.5 * (text[1] == text[3])]

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        gains = self.by_line(prompt, text)
        return [0.0] * len(gains), gains


SCORE = torch.tensor([0.5 * (t[1] == 0) + 0.5 * (t[1] == t[3]) for t in TEXTS], dtype=torch.float64)


def table_policy(seed: int = 7) -> TablePolicy:
    logits = torch.randn(len(PREFIXES), VOCAB, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return TablePolicy(Table(logits), torch.Generator().manual_seed(0))


def distance(log_p: Tensor, log_q: Tensor) -> float:
    """Total variation."""
    return 0.5 * (log_p.exp() - log_q.exp()).abs().sum().item()


EXACT: dict[str, Any] = {
    "prompts_per_step": 1, "group_size": 256, "beta": BETA, "beta_warmup": 0.0, "warmup": 0.0, "learning_rate": 0.1, "value_rate": 0.01,
    "epochs": 2, "value_epochs": 4, "minibatches": 1, "value_minibatches": 2, "lam": 0.95, "whiten": False, "clip": 1e9,
    "freeze_embeddings": False,
}  # fmt: skip


def test_ppo_reaches_the_target_of_trajectory_balance():
    policy = table_policy()
    prior = policy.log_p_of_all()
    target = (prior + BETA * SCORE).log_softmax(0)
    run = make(PPOTrainer, policy, Alike(), [Prompt("fr", "couplet")], **EXACT)
    n = 50
    for i in range(n):
        metrics, _, _ = run.step(i / n)
    assert distance(policy.log_p_of_all(), target) < 0.02
    assert distance(prior, target) > 0.2  # it was not there already
    log_z = torch.logsumexp(prior + BETA * SCORE, 0).item()
    assert BETA * metrics["ppo/objective"] == pytest.approx(log_z, abs=0.05)  # the maximum of E[r] - KL / beta is log Z / beta


def test_a_tight_kl_target_holds_the_policy_nearer_to_the_prior():
    apart = []
    for target in (0.0, 0.02):
        policy = table_policy()
        run = make(PPOTrainer, policy, Alike(), [Prompt("fr", "couplet")], **{**EXACT, "group_size": 64, "kl_target": target})
        apart += [[run.step(0.0)[0]["objective/kl"] for _ in range(20)][-5:]]
        assert (run.alpha > 1 / BETA) == (target > 0)
    assert sum(apart[1]) < sum(apart[0])


def test_gains_sum_to_the_score_and_stand_on_the_mark_after_their_line():
    run = make(PPOTrainer, table_policy(), Alike(), [Prompt("fr", "couplet")], **EXACT)
    batch = batch_of([(1, 0, 2, 0), (1, 0, 2, 3), (0, 1, 1, 1)])
    expected = torch.tensor([[0, 0, 0.5, 0, 0.5], [0, 0, 0.5, 0, 0], [0, 0, 0, 0, 0.5]])
    assert torch.equal(run._gains(batch, [1.0, 0.5, 0.5]), expected)
    later = replace(batch, line_ends=torch.tensor([[1, -1]] * 3))  # the second line never ended
    assert torch.equal(run._gains(later, [1.0, 0.5, 0.5]).sum(1), torch.tensor([1.0, 0.5, 0.5]))
    whole = replace(run.options, credit="poem")
    run.options = whole
    assert torch.equal(run._gains(batch, [1.0, 0.5, 0.5]), torch.tensor([[0, 0, 0, 0, s] for s in (1.0, 0.5, 0.5)]))


# -- advantages and losses ------------------------------------------------------------------------------

ROWS, STEPS = 5, 7


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rewards, values and a mask with a prompt before and padding behind, as a rollout has them."""
    generator = torch.Generator().manual_seed(seed)
    rewards, values = torch.randn(2, ROWS, STEPS, dtype=torch.float64, generator=generator)
    start = torch.randint(0, 3, (ROWS, 1), generator=generator)
    length = torch.randint(1, 5, (ROWS, 1), generator=generator)
    place = torch.arange(STEPS)[None]
    return rewards, values, (place >= start) & (place < start + length)


seeds = st.integers(0, 2**32 - 1)


@given(seeds)
def test_lambda_one_is_returns_less_values_and_lambda_zero_the_td_error(seed):
    rewards, values, mask = drawn(seed)
    whole, returns = gae(rewards, values, mask, lam=1.0)
    near, _ = gae(rewards, values, mask, lam=0.0)
    for row in range(ROWS):
        places = mask[row].nonzero().flatten().tolist()
        for k, t in enumerate(places):
            to_go = sum(rewards[row, u].item() for u in places[k:])
            after = values[row, places[k + 1]].item() if k + 1 < len(places) else 0.0
            assert whole[row, t].item() == pytest.approx(to_go - values[row, t].item())
            assert returns[row, t].item() == pytest.approx(to_go)
            assert near[row, t].item() == pytest.approx(rewards[row, t].item() + after - values[row, t].item())


def test_gae_is_the_weighted_sum_of_td_errors_of_its_paper():
    rewards, values, mask = drawn(3)
    lam, gamma = 0.7, 0.9
    found, _ = gae(rewards, values, mask, lam=lam, gamma=gamma)
    for row in range(ROWS):
        places = mask[row].nonzero().flatten().tolist()
        following = [*(values[row, u].item() for u in places[1:]), 0.0]
        delta = [rewards[row, t].item() + gamma * v - values[row, t].item() for t, v in zip(places, following, strict=True)]
        expected = [sum((gamma * lam) ** k * d for k, d in enumerate(delta[i:])) for i in range(len(delta))]
        assert found[row, places].tolist() == pytest.approx(expected)


@given(seeds, st.sampled_from([0.0, 0.5, 1.0]))
def test_masked_tokens_never_matter(seed, lam):
    rewards, values, mask = drawn(seed)
    noise = torch.where(mask, 0.0, 1e6 * torch.randn(ROWS, STEPS, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
    for clean, dirty in zip(gae(rewards, values, mask, lam=lam), gae(rewards + noise, values + noise, mask, lam=lam), strict=True):
        assert torch.equal(clean, dirty)
        assert not clean[~mask].any()
    log_p, old = -rewards.abs(), -values.abs()
    assert torch.equal(whitened(values, mask), whitened(values + noise, mask))
    for loss in (clipped_policy_loss, clipped_value_loss):
        assert torch.equal(loss(log_p, old, rewards, mask, clip=0.2), loss(log_p + noise, old - noise, rewards + noise, mask, clip=0.2))
    assert torch.equal(approx_kl(log_p, old, mask), approx_kl(log_p - noise, old + noise, mask))
    assert torch.equal(explained_variance(values, rewards, mask), explained_variance(values + noise, rewards - noise, mask))


def test_at_ratio_one_the_gradient_is_the_policy_gradient():
    rewards, values, mask = drawn(5)
    log_p = values.clone().requires_grad_()
    clipped_policy_loss(log_p, values, rewards, mask, clip=0.2).backward()
    assert log_p.grad is not None
    assert torch.allclose(log_p.grad, torch.where(mask, -rewards, 0.0) / mask.sum())


def test_losses_agree_with_finite_differences():
    rewards, values, mask = drawn(11)
    log_p = (values + 0.3 * rewards).requires_grad_()  # ratios on both sides of the clip
    assert 0 < clip_fraction(log_p, values, mask, clip=0.2) < 1
    for loss in (clipped_policy_loss, clipped_value_loss):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, values, rewards.flip(0), mask, clip=0.2), (log_p,))


def test_a_token_that_moved_past_the_clip_its_own_way_teaches_no_more():
    old, every = torch.zeros(1, 4), torch.ones(1, 4, dtype=torch.bool)
    log_p = torch.tensor([[1.5, 0.5, 1.5, 0.5]]).log().requires_grad_()
    clipped_policy_loss(log_p, old, torch.tensor([[1.0, 1.0, -1.0, -1.0]]), every, clip=0.2).backward()
    assert log_p.grad is not None
    assert (log_p.grad[0] != 0).tolist() == [False, True, True, False]  # only moves in the wrong direction are still corrected


def test_whitened_advantages_have_mean_0_and_deviation_1():
    _, values, mask = drawn(2)
    found = whitened(values, mask)[mask]
    assert found.mean().item() == pytest.approx(0, abs=1e-9) and found.std(correction=0).item() == pytest.approx(1, abs=1e-6)


def test_explained_variance_of_the_truth_is_1_and_of_a_constant_0():
    rewards, _, mask = drawn(2)
    assert explained_variance(rewards, rewards, mask).item() == pytest.approx(1)
    assert explained_variance(torch.full_like(rewards, 9.0), rewards, mask).item() == pytest.approx(0)


@given(st.floats(0.1, 100))
def test_the_coefficient_rises_exactly_when_the_kl_is_above_its_target(kl):
    found = steered(0.05, kl, target=10.0)
    assert (found > 0.05) == (kl > 10.0) and (found < 0.05) == (kl < 10.0)
    assert 0.98 * 0.05 <= found <= 1.02 * 0.05 + 1e-12


# -- the loop on a policy of verse ------------------------------------------------------------------------


def trainer(**options: Any) -> PPOTrainer:
    policy = tiny_policy()
    # random weights seldom write the marks a skeleton forces, and texts forced on a policy are not its own
    policy.sample = functools.partial(policy.sample, constrained=False)  # type: ignore[method-assign]
    chosen = {"prompts_per_step": 2, "group_size": 8, "learning_rate": 3e-3, "warmup": 0.0, "minibatches": 2, **options}
    return make(PPOTrainer, policy, plain, PROMPTS, **chosen)


@pytest.mark.slow
def test_training_raises_the_reward():
    run = trainer(beta=60.0, beta_warmup=0.0, freeze_embeddings=False, group_size=48)
    run.policy.sample = functools.partial(run.policy.sample, max_new_tokens=8)  # type: ignore[method-assign]
    seen = [run.step(0.0)[0] for _ in range(28)]
    first, last = (sum(m["reward/mean"] for m in part) / 5 for part in (seen[:5], seen[-5:]))
    assert last > first + 0.1


def test_an_unchanged_policy_has_ratio_1_and_no_kl():
    told, _, _ = trainer(minibatches=1).step(0.0)  # one update: everything is measured before it
    assert told["ppo/ratio"] == pytest.approx(1, abs=1e-4) and told["ppo/approx_kl"] == pytest.approx(0, abs=1e-6)
    assert told["ppo/clipfrac"] == 0 and told["objective/kl"] == pytest.approx(0, abs=1e-3)


def test_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    whole = trainer(kl_target=0.5, group_size=4)
    whole.step(0.0)
    whole.save(tmp_path / "checkpoint.pt")
    expected = [whole.step(0.1)[0] for _ in range(2)]
    again = trainer(kl_target=0.5, group_size=4)
    again.load(tmp_path / "checkpoint.pt")
    for want in expected:
        got = again.step(0.1)[0]
        same = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in (got, want)]
        assert same[0] == pytest.approx(same[1], abs=1e-6)


def test_a_damaged_checkpoint_says_so(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"half a file")
    with pytest.raises(RlpoetError, match=r"checkpoint.pt: broken checkpoint"):
        trainer().load(tmp_path / "checkpoint.pt")


def test_the_prior_and_the_embeddings_stay_where_they_were():
    run = trainer()
    before = [p.clone() for p in run.prior.model.parameters()]
    table = run.policy.model.get_input_embeddings().weight.clone()
    run.step(0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, run.prior.model.parameters(), strict=True))
    assert torch.equal(table, run.policy.model.get_input_embeddings().weight)
    assert any(not torch.equal(a, b) for a, b in zip(before, run.policy.model.parameters(), strict=True))


def test_the_critic_teaches_the_policy_nothing_through_its_states():
    run = trainer(learning_rate=0.0)
    before = [p.clone() for p in run.policy.model.parameters()]
    critic = [p.clone() for p in run.critic.parameters()]
    run.step(0.0)
    assert all(torch.equal(a, b) for a, b in zip(before, run.policy.model.parameters(), strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(critic, run.critic.parameters(), strict=True))


@pytest.mark.parametrize("options", [{"epochs": 0}, {"minibatches": 0}, {"beta": 0.0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(RlpoetError, match=next(iter(options))):
        trainer(**options)


@pytest.mark.slow
def test_a_whole_run_stops_reports_and_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_policy().save("tiny")
    flags = ["train", "--algo", "ppo", "--policy", "tiny", *SMALL]
    assert main([*flags, "--output_dir", "whole"]) == 0
    step = PPOTrainer.step

    def stopped(self, progress):
        if self.n_steps == 1:
            raise KeyboardInterrupt
        return step(self, progress)

    monkeypatch.setattr(PPOTrainer, "step", stopped)
    assert main([*flags, "--output_dir", "parted"]) == 130
    monkeypatch.setattr(PPOTrainer, "step", step)
    assert main(["train", "--resume", "parted"]) == 0
    rows = [[json.loads(row) for row in Path(name, "metrics.jsonl").read_text("utf-8").splitlines()] for name in ("whole", "parted")]
    assert [row["step"] for row in rows[1]] == [1, 2, 3]
    for want, got in zip(*rows, strict=True):
        assert {k for k in want if k.startswith("ppo/")} == LOGGED
        same = [{k: v for k, v in row.items() if not k.startswith("time/")} for row in (got, want)]
        assert same[0] == pytest.approx(same[1], abs=1e-4)
    result = json.loads(Path("parted/result.json").read_text("utf-8"))
    assert result["algo"] == "ppo" and result["steps"] == 3 and result["fresh_samples"] == 12
    assert not any("critic" in path.name for path in Path("parted/policy").iterdir())  # the policy's folder is a policy's


LOGGED = {
    f"ppo/{name}"
    for name in (
        "policy_loss", "value_loss", "approx_kl", "approx_kl_last", "clipfrac", "value_clipfrac", "ratio", "ratio_max", "entropy",
        "explained_variance", "advantage_mean", "advantage_std", "return_mean", "return_std", "value_mean", "value_grad_norm",
        "kl_coefficient", "objective",
    )
}  # fmt: skip


def test_every_metric_of_ppo_is_defined_in_the_documentation():
    text = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text("utf-8")
    assert [name for name in sorted(LOGGED) if f"`{name}`" not in text] == []
