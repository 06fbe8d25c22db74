"""trl's GRPO and RLOO, rejection sampling and best of n: the same texts, the same prior, the same log as the other trainers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from enumerable_policy import NEAR, settled, trl_policy
from hypothesis import given
from hypothesis import strategies as st
from tiny_policy import SMALL, tiny_policy
from trainers import make

from policies.causal_lm import CausalPolicy
from rlpoet.cli.main import main
from rlpoet.config.ranges import made
from rlpoet.errors import RlpoetError
from rlpoet.text import split_poem
from rlpoet.training.baselines.best_of_n import BestOfN, best_of_n
from rlpoet.training.baselines.options import RFTOptions
from rlpoet.training.baselines.rejection import RejectionTrainer, chosen_rows
from rlpoet.training.baselines.trl import GRPOTrainer, RLOOTrainer, TRLTrainer
from rlpoet.training.build import check
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.objectives import target_log_reward, vargrad
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.options import StepOptions
from rlpoet.types import Prompt

OPENED = Prompt("fr", "couplet", None, ("Les sanglots longs",))
PROMPTS = [Prompt("fr", "couplet"), Prompt("fr", "couplet", "Paul Verlaine"), OPENED]
COMMON = {
    "reward/mean", "objective/kl", "objective/prior_nll_per_token", "objective/entropy_per_token", "frac_reward_zero_std",
    "time/fresh_samples", "time/samples_per_second", "train/learning_rate", "samples/ended", "samples/tokens",
}  # fmt: skip
ALGOS = pytest.mark.parametrize("algo", ["grpo", "rloo"])


@dataclass(frozen=True)
class Scores:
    total: tuple[float, ...]
    parts: dict[str, tuple[float, ...]]


class Vowels:
    """Share of vowels among the letters: a reward that random poems earn differently."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scores:
        self.seen += texts
        total = tuple(sum(c in "aeiouy" for c in text.lower()) / max(sum(map(str.isalpha, text)), 1) for text in texts)
        return Scores(total, {"vowels": total})

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        lines = split_poem(text)
        return [self([prompt], [text]).total[0] / max(len(lines), 1)] * len(lines)

    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]:
        gains = self.by_line(prompt, text)
        return [0.0] * len(gains), gains


def trl_trainer(algo: str, policy: CausalPolicy, *, score=None, **options) -> TRLTrainer:
    options = {"prompts_per_step": 2, "group_size": 3, "learning_rate": 2e-3, "warmup": 0.0, **options}
    return make({"grpo": GRPOTrainer, "rloo": RLOOTrainer}[algo], policy, score or Vowels(), PROMPTS, **options)


def listened(policy: CausalPolicy) -> list[str]:
    """The texts of a policy's samples, from now on."""
    drawn: list[str] = []
    sample = policy.sample

    def listening(*args, **kwargs):
        rollout = sample(*args, **kwargs)
        drawn.extend(rollout.texts)
        return rollout

    policy.sample = listening  # type: ignore[method-assign]
    return drawn


def weights(policy: CausalPolicy) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in policy.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


# -- trl ----------------------------------------------------------------------------------------------


@ALGOS
def test_the_reward_hears_the_texts_our_sampler_drew_and_the_log_is_like_the_others(algo):
    policy, score = tiny_policy(), Vowels()
    trainer = trl_trainer(algo, policy, score=score)
    drawn, before = listened(policy), weights(policy)
    metrics, fresh, scored = trainer.step(0.0)
    assert score.seen == drawn == list(fresh.texts) and len(drawn) == 6
    assert list(fresh.prompts) == trainer.asked
    assert metrics["objective/kl"] == pytest.approx(0.0, abs=1e-4)  # the policy is still the prior
    assert metrics["reward/mean"] == pytest.approx(sum(scored.total) / 6)
    assert COMMON | {"rewards/vowels/mean", "trl/kl", "trl/loss", "trl/clip_ratio/region_mean"} <= set(metrics)
    assert metrics["trl/reward"] == pytest.approx(metrics["reward/mean"], abs=1e-6)
    assert metrics["time/fresh_samples"] == trainer.n_fresh == 6
    assert not same(before, weights(policy))
    second = trainer.step(0.5)[0]
    assert second["train/learning_rate"] == pytest.approx(2e-3 * 0.55) and trainer.n_steps == 2


@ALGOS
def test_trl_weighs_texts_as_the_policy_does(algo):
    policy = tiny_policy()
    with torch.no_grad():
        policy.model.get_output_embeddings().weight[policy.pad] *= 30  # a loud PAD
    trainer = trl_trainer(algo, policy, learning_rate=0.0)
    metrics, fresh, _ = trainer.step(0.0)
    with torch.no_grad():
        log_p = policy.log_prob(fresh).sum(1)
    assert metrics["objective/entropy_per_token"] == pytest.approx((-log_p / fresh.n_tokens).mean().item(), rel=1e-4)
    prior = trainer.prior.log_prob(fresh).sum(1)
    assert metrics["objective/prior_nll_per_token"] == pytest.approx((-prior / fresh.n_tokens).mean().item(), rel=1e-4)


def test_rloo_steps_along_the_gradient_of_trajectory_balance():
    """Leave-one-out advantages of reward less KL are the residuals of TB with the group's log Z, but for a factor."""
    policy = tiny_policy()
    trainer = trl_trainer("rloo", policy, beta=5.0, beta_warmup=0.0, clip=1e9, learning_rate=1e-2)
    trainer.step(0.0)
    moved = weights(policy)
    metrics, fresh, scored = trainer.step(0.0)
    assert abs(metrics["objective/kl"]) > 0.1
    theirs = torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])
    policy.model.load_state_dict(moved)
    with torch.no_grad():
        log_prior = trainer.prior.log_prob(fresh)
    group = torch.arange(2).repeat_interleave(3)
    policy.model.zero_grad()
    vargrad(policy.log_prob(fresh), target_log_reward(torch.tensor(scored.total), log_prior, 5.0), group).backward()
    ours = torch.cat([p.grad.flatten() for p in policy.model.parameters() if p.grad is not None])
    k, beta = 3, 5.0
    torch.testing.assert_close(theirs * (2 * beta * (k - 1) / k), ours, rtol=1e-3, atol=1e-3 * ours.abs().max().item())


def test_the_policy_keeps_its_own_modules_and_a_frozen_head():
    policy = tiny_policy()
    forward, head, table = policy.model.forward, policy.model.get_output_embeddings(), policy.model.get_input_embeddings().weight.clone()
    trainer = trl_trainer("grpo", policy)
    trainer.step(0.0)
    assert policy.model.forward == forward and policy.model.get_output_embeddings() is head and "generate" not in vars(policy.model)
    assert torch.equal(table, policy.model.get_input_embeddings().weight)
    assert next(trainer.trainer.model.parameters()) is next(policy.model.parameters())


@ALGOS
def test_generate_of_transformers_may_draw_and_never_draws_pad(algo):
    policy, score = tiny_policy(), Vowels()
    with torch.no_grad():
        policy.model.get_output_embeddings().weight[policy.pad] = 5.0
    trainer = trl_trainer(algo, policy, score=score, sampler="trl")
    drawn = listened(policy)
    metrics, fresh, _ = trainer.step(0.0)
    assert drawn == [] and score.seen == list(fresh.texts)
    assert policy.pad not in fresh.ids[fresh.chosen].tolist()
    read = [policy.read(ids[: int(at.nonzero()[-1]) + 1].tolist()) for ids, at in zip(fresh.ids, fresh.chosen, strict=True)]
    assert list(fresh.texts) == read
    assert metrics["objective/kl"] == pytest.approx(0.0, abs=1e-4)


@pytest.mark.parametrize("algo, sampler", [("grpo", "own"), ("rloo", "own"), ("rloo", "trl")])
@pytest.mark.slow
def test_a_resumed_trl_run_is_the_uninterrupted_one(algo, sampler, tmp_path):
    whole = trl_trainer(algo, tiny_policy(), sampler=sampler)
    whole.step(0.0)
    whole.save(tmp_path / "c.pt")
    expected = whole.step(0.5)
    torch.manual_seed(99)  # nothing outside the run may matter
    again = trl_trainer(algo, tiny_policy(), sampler=sampler)
    again.load(tmp_path / "c.pt")
    found = again.step(0.5)
    assert found[1].texts == expected[1].texts and again.n_fresh == whole.n_fresh == 12
    assert same(weights(whole.policy), weights(again.policy))


def test_a_checkpoint_of_another_trainer_is_refused(tmp_path):
    make(RejectionTrainer, tiny_policy(), Vowels(), PROMPTS).save(tmp_path / "c.pt")
    with pytest.raises(RlpoetError, match=r"checkpoint of another run \(no noise in it\)"):
        trl_trainer("grpo", tiny_policy()).load(tmp_path / "c.pt")


# -- rejection sampling -------------------------------------------------------------------------------


def rft(policy: CausalPolicy, **options) -> RejectionTrainer:
    options = {"prompts_per_step": 2, "group_size": 4, "learning_rate": 1e-3, "warmup": 0.0, **options}
    return make(RejectionTrainer, policy, Vowels(), PROMPTS, **options)


def test_rejection_sampling_makes_the_poems_it_kept_likelier():
    policy = tiny_policy()
    trainer = rft(policy)
    metrics, fresh, scored = trainer.step(0.0)
    kept = fresh.rows(chosen_rows(fresh.prompts, fresh.texts, scored.total, share=0.25, above=0.0, same_end=3))
    assert len(kept) == metrics["rft/kept"] > 0 and metrics["rft/kept_reward"] > metrics["reward/mean"]
    assert policy.log_prob(kept).sum().item() > trainer.prior.log_prob(kept).sum().item()
    assert metrics["objective/kl"] == pytest.approx(0.0, abs=1e-4)
    assert COMMON | {"rewards/vowels/mean", "rft/loss"} <= set(metrics)
    assert trainer.step(0.5)[0]["objective/kl"] != pytest.approx(0.0, abs=1e-4)


def test_without_renewal_the_prior_draws_for_good():
    trainer = rft(tiny_policy(), refresh_steps=0, learning_rate=1e-2)
    for _ in range(2):
        assert trainer.step(0.0)[0]["objective/kl"] == pytest.approx(0.0, abs=1e-4)
    assert not same(weights(trainer.policy), weights(trainer.drawer))


def test_a_bar_nothing_reaches_leaves_the_policy_alone():
    policy = tiny_policy()
    before = weights(policy)
    metrics, _, _ = rft(policy, keep_above=1.0).step(0.0)
    assert metrics["rft/kept"] == 0 and "rft/loss" not in metrics and same(before, weights(policy))


def test_a_resumed_rejection_run_is_the_uninterrupted_one(tmp_path):
    whole = rft(tiny_policy(), refresh_steps=2)
    whole.step(0.0)
    whole.save(tmp_path / "c.pt")
    whole.step(0.5)
    again = rft(tiny_policy(), refresh_steps=2)
    again.load(tmp_path / "c.pt")
    again.step(0.5)
    assert same(weights(whole.policy), weights(again.policy)) and same(weights(whole.drawer), weights(again.drawer))


def test_exact_samples_are_those_of_the_prior_weighed_by_what_rejection_keeps():
    """The update is that of the sum of exp(beta (r - 1)) log pi over what was drawn, whatever scores best."""
    found = []
    for by_hand in (False, True):
        policy = tiny_policy()
        trainer = rft(policy, keep="target", refresh_steps=0, beta=2.0, beta_warmup=0.0, clip=1e9)
        if by_hand:
            fresh = trainer.draw(trainer.rng.sample(trainer.prompts, 2))
            scores = torch.tensor(trainer.score(fresh.prompts, fresh.texts).total)
            (-((2.0 * (scores - 1)).exp() * policy.log_prob(fresh).sum(1)).mean()).backward()
        else:
            assert trainer.step(0.0)[0]["rft/kept"] == 8
        found.append({name: weight.grad.clone() for name, weight in policy.model.named_parameters() if weight.grad is not None})
    assert found[0].keys() == found[1].keys()
    assert all(torch.allclose(found[0][name], found[1][name], atol=1e-5) for name in found[0])


def test_exact_samples_are_the_priors_own():
    with pytest.raises(RlpoetError, match=r"--rft.refresh_steps 0"):
        RejectionTrainer.check(StepOptions(), RFTOptions(keep="target"))


def test_log_z_of_the_prior_is_drawn_once_counted_and_kept(tmp_path):
    def begun() -> TBTrainer:
        options = {"prompts_per_step": 2, "group_size": 4, "credit": "poem", "log_z": "prior", "aux_rhyme_weight": 0.0}
        return make(TBTrainer, tiny_policy(), Vowels(), PROMPTS, **options)

    run = begun()
    n_forms = len({prompt.form for prompt in PROMPTS})
    drawn = [run.step(0.0)[0]["time/fresh_samples"], run.step(0.5)[0]["time/fresh_samples"]]
    assert n_forms * 200 < drawn[0] - 8 <= n_forms * 256 and drawn[1] - drawn[0] == 8
    run.save(tmp_path / "c.pt")
    again = begun()
    again.load(tmp_path / "c.pt")
    assert again.prior_rewards == run.prior_rewards and set(run.prior_rewards) == {prompt.form for prompt in PROMPTS}


@given(
    rows=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["mer", "nuit", "jour", "cœur"]), st.floats(0, 1)), max_size=20),
    share=st.sampled_from([0.1, 0.25, 0.5, 1.0]),
    above=st.sampled_from([0.0, 0.5, 1.0]),
    same_end=st.integers(1, 3),
)
def test_what_is_kept_is_within_the_share_the_bar_and_the_count_of_each_end_word(rows, share, above, same_end):
    prompts = [PROMPTS[i] for i, _, _ in rows]
    texts = [f"un vers pour la {word}" for _, word, _ in rows]
    scores = [score for _, _, score in rows]
    kept = chosen_rows(prompts, texts, scores, share=share, above=above, same_end=same_end)
    assert kept == sorted(set(kept)) and all(scores[row] >= above for row in kept)
    words = [texts[row].split()[-1] for row in kept if not prompts[row].opening]
    assert all(words.count(word) <= same_end for word in words)
    for prompt in set(prompts):
        own = [row for row, other in enumerate(prompts) if other == prompt]
        mine = [row for row in kept if row in own]
        assert len(mine) <= max(1, int(share * len(own)))
        assert len(own) == 1 or all(scores[row] > min(scores[r] for r in own) for row in mine)


# -- best of n ----------------------------------------------------------------------------------------


def test_the_best_of_more_is_never_worse_and_a_resumed_run_is_the_uninterrupted_one(tmp_path):
    places = [*PROMPTS, PROMPTS[0]]
    run = make(BestOfN, tiny_policy(), Vowels(), PROMPTS, slots=places, prompts_per_step=3, group_size=2)
    first = run.step(0.0)[0]
    run.save(tmp_path / "c.pt")
    rewards = [first["best/reward"], *(run.step(0.5)[0]["best/reward"] for _ in range(2))]
    assert rewards == sorted(rewards) and rewards[0] < rewards[-1] and run.n == 18 / 4
    shown = run.shown()
    assert list(shown.prompts) == places and sum(Vowels()(places, shown.texts).total) / 4 == pytest.approx(rewards[-1])
    again = make(BestOfN, tiny_policy(), Vowels(), PROMPTS, slots=places, prompts_per_step=3, group_size=2)
    again.load(tmp_path / "c.pt")
    for _ in range(2):
        again.step(0.5)
    assert again.shown().texts == shown.texts and again.facts()["best_of"] == 4.5


def test_a_budget_too_small_for_every_place_still_shows_one_poem_each():
    run = make(BestOfN, tiny_policy(), Vowels(), PROMPTS, slots=PROMPTS, prompts_per_step=1, group_size=2)
    run.step(0.0)
    assert len(run.shown()) == 3 and run.n_fresh == 3 and run.n == 1.0


def test_best_of_n_is_the_best_of_the_texts_drawn():
    policy = tiny_policy()
    drawn = listened(policy)
    best, scores = best_of_n(policy, Vowels(), PROMPTS, 4, batch_size=8)
    totals = Vowels()(PROMPTS * 4, drawn).total
    assert scores == [max(totals[i : i + 4]) for i in range(0, 12, 4)] and list(best.prompts) == PROMPTS
    with pytest.raises(RlpoetError, match="n is 0"):
        best_of_n(policy, Vowels(), PROMPTS, 0)


# -- whole runs ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_baseline_runs_and_reports_through_the_command_line_and_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_policy().save("prior")
    for algo in ("grpo", "rloo", "rft", "best-of-n"):
        argv = ["train", "--policy", "prior", "--algo", algo, "--report_to", "none", *SMALL, "--max_steps", "1"]
        assert main(argv) == 0
        folder = Path(f"runs/fr-{algo}-s0")
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        assert result["algo"] == algo and result["after"]["n"] == 8 and result["fresh_samples"] == (8 if algo == "best-of-n" else 4)
        assert ("best_of" in result) == (algo == "best-of-n")
    assert main(["train", "--resume", "runs/fr-grpo-s0", "--max_steps", "2"]) == 0
    rows = Path("runs/fr-grpo-s0/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2]


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"algo": "grpo", "group_size": 1}, "expected 2 or more"),
        ({"algo": "rloo", "beta": 0.0}, "expected more than 0"),
        ({"trl.sampler": "owm"}, "did you mean 'own'"),
        ({"trl.scale_rewards": "grup"}, "did you mean 'group'"),
        ({"rft.keep_share": 0.0}, "keep_share"),
        ({"rft.keep_above": 1.5}, "keep_above"),
        ({"rft.same_end": 0}, "same_end"),
        ({"rft.refresh_steps": -1}, "refresh_steps"),
        ({"best_of_n.temperature": 0.0}, "temperature"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(fields, message):
    with pytest.raises(RlpoetError, match=message):
        check(made(TrainConfig, fields))


def test_every_metric_of_the_baselines_is_defined_in_the_docs():
    text = Path(__file__).parents[2].joinpath("docs/metrics.md").read_text("utf-8")
    told: set[str] = set()
    told |= set(trl_trainer("grpo", tiny_policy()).step(0.0)[0]) | set(rft(tiny_policy()).step(0.0)[0])
    told |= set(make(BestOfN, tiny_policy(), Vowels(), PROMPTS, slots=PROMPTS, prompts_per_step=3, group_size=1).step(0.0)[0])
    ours = {name for name in told if not name.startswith(("trl/", "rewards/")) or name in ("trl/loss", "trl/kl_coefficient")}
    assert sorted(name for name in ours if f"`{name}`" not in text) == []


# -- on a language that can be written down whole (``test_fixed_points``) ----------------------------------


@pytest.mark.parametrize("masks", [True, False])
def test_rloo_reaches_the_target(masks: bool) -> None:
    assert settled(RLOOTrainer, trl_policy(masks=masks), 54) < NEAR


def test_grpo_settles_near_the_target_and_not_on_it() -> None:
    assert 0.02 < settled(GRPOTrainer, trl_policy(masks=True), 40) < 0.08
