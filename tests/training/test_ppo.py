"""PPO: its exact target on a language of 256 texts, its critics, and whole runs."""

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
from test_gflownet import PROMPTS, plain
from tiny_plain import gpt2, plain_tokenizer, save_plain
from tiny_policy import SMALL, tiny_policy
from torch import Tensor, nn
from trainers import make

from policies.causal_lm import CausalPolicy
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError
from rlpoet.rollout import Rollout
from rlpoet.training.ppo.critic import ModelCritic, listened
from rlpoet.training.ppo.trainer import PPOTrainer
from rlpoet.training.trainer import BETAS
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


@pytest.mark.parametrize(
    "options, expected",
    [({}, None), ({"lam_per": "segment"}, [1.0, 0.9, 1.0]), ({"lam_per": "segment", "credit": "line"}, [1.0, 1.0, 1.0])],
)
def test_lambda_per_segment_counts_after_a_word_where_words_are_paid_apart(options, expected):
    run = make(PPOTrainer, table_policy(), Alike(), [Prompt("fr", "couplet")], **{**EXACT, **options})
    batch = batch_of([(1, 0, 2, 0)])
    batch = replace(batch, end_words=torch.tensor([[1, -1]]), line_ends=torch.tensor([[4, -1]]))  # the word is over with token 2
    found = run._lam(batch, 0.9)
    assert found == 0.9 if expected is None else found[0, 1:4].tolist() == expected


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


@pytest.mark.parametrize("critic", ["states", "model"])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path, critic):
    options = {"kl_target": 0.5, "group_size": 4, "critic": critic, "critic_first": 2, "value_minibatches": 2}
    whole = trainer(**options)
    whole.step(0.0)
    whole.save(tmp_path / "checkpoint.pt")
    expected = [whole.step(0.1)[0] for _ in range(2)]
    again = trainer(**options)
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


# -- a critic with a model of its own --------------------------------------------------------------------


def upper_half(policy: CausalPolicy) -> CausalPolicy:
    """The policy with its lower layer, its embeddings and its head left as they are."""
    policy.model.requires_grad_(False)
    policy.model.model.layers[1].requires_grad_(True)
    policy.model.model.norm.requires_grad_(True)
    return policy


def critic_trainer(**options: Any) -> PPOTrainer:
    policy = upper_half(tiny_policy())
    policy.sample = functools.partial(policy.sample, constrained=False)  # type: ignore[method-assign]
    chosen = {"prompts_per_step": 2, "group_size": 4, "warmup": 0.0, "critic": "model", **options}
    return make(PPOTrainer, policy, plain, PROMPTS, **chosen)


def test_a_critic_with_a_model_learns_the_returns_as_autograd_has_it_and_leaves_the_policy_alone():
    """Three updates on all texts. In the first only the head has a gradient, for it is 0."""
    clip, rate = 0.05, 2e-3
    run = critic_trainer(
        critic_first=0, value_epochs=3, value_minibatches=1, cliprange_value=0.0, value_rate=rate, clip=clip, learning_rate=0.0,
        beta_warmup=0.0,
    )  # fmt: skip
    twin = upper_half(tiny_policy())
    head = nn.Linear(32, 1)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    _, fresh, scored = run.step(0.0)
    mask = fresh.chosen
    rewards = run._gains(fresh, list(scored.total))  # the policy is its prior: no penalty
    returns = rewards.flip(1).cumsum(1).flip(1)[mask]
    learned = [p for p in twin.model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW([*learned, *head.parameters()], lr=rate, betas=BETAS, weight_decay=0.0)
    for _ in range(3):
        states = twin.model.model(input_ids=fresh.ids, use_cache=False).last_hidden_state[:, :-1][mask[:, 1:]]
        optimizer.zero_grad()
        (0.5 * (head(states).squeeze(1) - returns).square().mean()).backward()
        nn.utils.clip_grad_norm_([*learned, *head.parameters()], clip)
        optimizer.step()
    assert isinstance(run.critic, ModelCritic)
    assert torch.allclose(run.critic.out.weight, head.weight, atol=0.05 * rate)
    assert torch.allclose(run.critic.out.bias, head.bias, atol=0.05 * rate)
    start, wanted = dict(tiny_policy().model.named_parameters()), dict(twin.model.named_parameters())
    policy = dict(run.policy.model.named_parameters())
    for name, found in run.critic.model.named_parameters():
        assert torch.allclose(found, wanted[name], atol=0.05 * rate), name
        learns = name.startswith(("model.layers.1.", "model.norm."))
        assert found.requires_grad == learns
        furthest = (found - start[name]).abs().max().item()
        assert (rate < furthest < 2.5 * rate) if learns else not furthest, name
        assert torch.equal(policy[name], start[name]), name


def test_values_come_in_the_order_of_the_batch_and_do_not_depend_on_what_is_read_together(monkeypatch):
    run = critic_trainer()
    fresh = run.draw(PROMPTS)
    nn.init.normal_(run.critic.out.weight)
    states = torch.zeros(0, 32)
    whole = run.critic.values(fresh, states, range(8))
    assert len(whole) == int(fresh.chosen.sum()) and whole.std() > 0.1
    monkeypatch.setattr("rlpoet.training.ppo.critic.ROWS_AT_ONCE", 2)
    rows = [6, 1, 4]
    at = torch.isin(fresh.chosen.nonzero()[:, 0], torch.tensor(rows))
    assert torch.allclose(run.critic.values(fresh, states, rows), whole[at], atol=1e-4)


@pytest.mark.parametrize(
    "options, rate",
    [({"critic": "states"}, 1e-3), ({}, 3e-4), ({"learning_rate": 7e-4}, 7e-4), ({"value_rate": 2e-3, "learning_rate": 7e-4}, 2e-3)],
)
def test_a_critic_with_a_model_learns_at_the_rate_of_the_policy_unless_told(options, rate):
    run = critic_trainer(group_size=2, critic_first=0, **options)
    run.step(0.5)
    assert run.value_optimizer.param_groups[0]["lr"] == pytest.approx(0.55 * rate)


def test_the_critic_of_another_run_is_refused(tmp_path):
    critic_trainer(critic="states").save(tmp_path / "checkpoint.pt")
    with pytest.raises(RlpoetError, match=r"--ppo.critic model"):
        critic_trainer().load(tmp_path / "checkpoint.pt")


def test_a_policy_whose_reference_is_no_copy_of_it_is_refused():
    policy = tiny_policy()
    policy.copy = table_policy  # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(RlpoetError, match=r"no parameter model\.embed_tokens\.weight"):
        make(PPOTrainer, policy, plain, PROMPTS, critic="model")


def test_a_model_of_another_make_is_heard_from_its_first_reading_on(tmp_path):
    """Such a policy first tries its model's head on two tokens."""
    tokenizer = plain_tokenizer()
    policy = CausalPolicy.load(str(save_plain(tmp_path / "plain", gpt2(tokenizer), tokenizer)), lang="fr")
    texts = policy.sample([Prompt("fr", "couplet")], 3, max_new_tokens=6)
    again = CausalPolicy.load(str(tmp_path / "plain"), lang="fr")
    log_p, states, _ = listened(again, texts)
    at = texts.chosen[:, 1:]
    assert torch.allclose(states, again.model.base_model(texts.ids[:, :-1]).last_hidden_state[at], atol=1e-5)
    assert torch.allclose(log_p, policy.log_prob(texts))


# -- what is refused, and whole runs -----------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"epochs": 0}, {"minibatches": 0}, {"beta": 0.0}])
def test_what_cannot_be_meant_is_refused(options):
    with pytest.raises(RlpoetError, match=next(iter(options))):
        trainer(**options)


@pytest.mark.slow
@pytest.mark.parametrize("options", ["", "--ppo.critic model --ppo.lam_per segment --ppo.lam 1"])
def test_a_whole_run_stops_reports_and_goes_on_as_if_it_had_not(tmp_path, monkeypatch, options):
    monkeypatch.chdir(tmp_path)
    tiny_policy().save("tiny")
    flags = ["train", "--algo", "ppo", "--policy", "tiny", *SMALL, *options.split()]
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
