"""Where each trainer's own step settles, on languages that can be written down whole: at ``p0 exp(beta r) / Z`` of what is drawn, or where.

``p0`` is the distribution under the masks, wherever there are masks. Every trainer makes its steps as in a run: it draws, scores, weighs
and updates, in float64. Total variation from the exact target is under .02 at the end for those that claim it. The others are biased by
an option, and for them the distance they settle at is stated. The trainers of trl are in ``test_baselines``.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from enumerable_policy import BETA, GAIN, NEAR, NEVER, PROMPT, USUAL, Language, RhymeAndMeter, UnmaskedWeights, opened, settled
from torch import Tensor
from trainers import make

from rlpoet.training.baselines.rejection import RejectionTrainer
from rlpoet.training.gflownet.options import PRESETS, TBOptions
from rlpoet.training.gflownet.trainer import TBTrainer
from rlpoet.training.ppo.trainer import PPOTrainer

UNBIASED: dict[str, Any] = {  # what the preset segment sets, to be varied
    "cross_segment_credit": 1.0, "plan_token_weight": 1.0, "localize_meter_errors": False, "aux_rhyme_weight": 0.0,
}  # fmt: skip
SEGMENT = {"preset": "segment"}
STEPS = 56
# lambda 1 trusts no critic, and all texts of a batch make one update
PPO: dict[str, Any] = {"lam": 1.0, "minibatches": 1, "critic_first": 0, "value_epochs": 1, "value_minibatches": 1, "value_rate": 0.01}


# -- trainers that claim the target -------------------------------------------------------------------

TB: dict[str, dict[str, Any]] = {
    "textbook": {"preset": "textbook"},
    "textbook with replay": {"preset": "textbook", "replay": 0.5},
    "learned log Z": {"credit": "poem", "log_z": "learned", "aux_rhyme_weight": 0.0},
    "log Z of the prior": {"credit": "poem", "log_z": "prior", "aux_rhyme_weight": 0.0},
    "line": {"credit": "line", "cross_segment_credit": 1.0, "aux_rhyme_weight": 0.0},
    "segment": SEGMENT,
    "segment with hotter texts": {**SEGMENT, "explore": ("hot",)},
    "subtb": {"objective": "subtb", "aux_rhyme_weight": 0.0},
    "subtb, learned log Z": {"objective": "subtb", "log_z": "learned", "aux_rhyme_weight": 0.0},
    "fl": {"objective": "fl", "aux_rhyme_weight": 0.0},
    "fl, learned log Z": {"objective": "fl", "log_z": "learned", "aux_rhyme_weight": 0.0},
}


@pytest.mark.parametrize("name", TB)
def test_trajectory_balance_reaches_the_target_of_what_is_drawn(name: str) -> None:
    assert settled(TBTrainer, opened(Language(), masks=True), STEPS, **TB[name]) < NEAR


@pytest.mark.parametrize("name", ["textbook", "segment", "subtb"])
def test_trajectory_balance_reaches_the_target_without_masks(name: str) -> None:
    assert settled(TBTrainer, opened(Language(), masks=False), STEPS, **TB[name]) < NEAR


@pytest.mark.parametrize(("credit", "masks"), [("word", True), ("line", True), ("poem", True), ("word", False)])
def test_ppo_reaches_the_target(credit: str, masks: bool) -> None:
    assert settled(PPOTrainer, opened(Language(), masks=masks), STEPS, credit=credit, **PPO) < NEAR


def test_maximum_likelihood_of_weighed_poems_of_the_prior_reaches_the_target() -> None:
    exact = {"keep": "target", "refresh_steps": 0}
    assert settled(RejectionTrainer, opened(Language(), masks=True), 60, group_size=256, learning_rate=5e-3, **exact) < NEAR


@pytest.mark.parametrize(("credit", "masks"), [("word", True), ("poem", True), ("word", False)])
def test_ppo_with_a_critic_of_its_own_model_reaches_the_target(credit: str, masks: bool) -> None:
    """The table's states are fixed, so that the head of its copy is a table of values. ``test_ppo`` has a body that learns."""
    assert settled(PPOTrainer, opened(Language(), masks=masks), STEPS, credit=credit, critic="model", **PPO) < NEAR


@pytest.mark.parametrize("options", [{"lam": 1.0}, {"lam": 0.95}, {"lam": 0.8, "credit": "line"}])
def test_ppo_with_lambda_per_segment_reaches_the_target_where_the_critic_comes_to_be_right(options: dict[str, Any]) -> None:
    assert settled(PPOTrainer, opened(Language(), masks=True), STEPS, **{**PPO, "lam_per": "segment", **options}) < NEAR


def test_rhyme_words_that_learn_half_as_much_from_poems_reach_the_target_too() -> None:
    """One factor for all tokens of a place: their residuals' mean is zero at the target, whatever it is multiplied by."""
    assert settled(TBTrainer, opened(Language(), masks=True), STEPS, rhyme_word_weight=0.5, **UNBIASED) < NEAR


# -- options that move the fixed point ------------------------------------------------------------------

BIASED: dict[str, tuple[dict[str, Any], float, float]] = {  # options beside those of segment, and between what the distance is
    "narrow credit": ({"cross_segment_credit": 0.2}, 0.11, 0.16),
    "plan tokens in part": ({"plan_token_weight": 0.7}, 0.035, 0.07),
    "likely words first": ({"token_prob_exponent": 1.0}, 0.035, 0.07),
    "auxiliary task": ({"aux_rhyme_weight": 2.0}, 0.13, 0.18),
    "the defaults without the auxiliary task": (
        {"cross_segment_credit": 0.2, "plan_token_weight": 0.7, "localize_meter_errors": True}, 0.12, 0.17
    ),
    "the defaults": (
        {"cross_segment_credit": 0.2, "plan_token_weight": 0.7, "localize_meter_errors": True, "aux_rhyme_weight": 2.0}, 0.17, 0.24
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BIASED)
def test_a_biased_option_settles_at_a_distance_that_is_known(name: str) -> None:
    options, low, high = BIASED[name]
    assert low < settled(TBTrainer, opened(Language(), masks=True), 40, **{**UNBIASED, **options}) < high


def test_the_defaults_are_those_that_the_biased_cases_name() -> None:
    usual = TBOptions()
    given = BIASED["the defaults"][0]
    assert {name: getattr(usual, name) for name in given if name != "aux_rhyme_weight"} | {"aux_rhyme_weight": 2.0} == given
    assert TBTrainer.usual_aux_rhyme_weight(usual) == 2.0


def test_meter_errors_that_are_localized_settle_at_a_distance_that_is_known() -> None:
    """Where a rest has two tokens; with one there is nothing to tell apart."""
    options = {**UNBIASED, "localize_meter_errors": True}
    assert 0.05 < settled(TBTrainer, opened(Language(rest=2), masks=True), 50, **options) < 0.1


# two segments a line instead of three tokens
@pytest.mark.parametrize(("lam_per", "low", "high"), [("token", 0.06, 0.09), ("segment", 0.035, 0.055)])
def test_ppo_with_a_critic_that_knows_nothing_settles_elsewhere_and_nearer_with_lambda_per_segment(
    lam_per: str, low: float, high: float
) -> None:
    options = {**PPO, "value_rate": 1e-12, "lam": 0.8, "lam_per": lam_per}
    assert low < settled(PPOTrainer, opened(Language(), masks=True), STEPS, **options) < high


def test_ppo_with_lambda_1_asks_no_critic() -> None:
    assert settled(PPOTrainer, opened(Language(), masks=True), STEPS, **{**PPO, "value_rate": 1e-12}) < NEAR


# -- a trainer that makes the mistake fails -------------------------------------------------------------


@pytest.mark.parametrize(("kind", "options"), [(TBTrainer, TB["textbook"]), (TBTrainer, SEGMENT), (TBTrainer, TB["fl"]), (PPOTrainer, PPO)])
def test_a_trainer_that_weighed_without_masks_what_it_drew_under_them_would_settle_elsewhere(kind: Any, options: dict[str, Any]) -> None:
    assert settled(kind, opened(Language(), masks=True, kind=UnmaskedWeights), 30, **options) > 0.08


# -- presets ----------------------------------------------------------------------------------------------


def gradient(options: dict[str, Any], *, masks: bool) -> Tensor:
    """Of a step whose batch is the policy itself: choices have odds of 1 to 2, and a text of probability n / 729 stands n times in it."""
    policy = opened(Language(), masks=masks)
    run = make(TBTrainer, policy, RhymeAndMeter(policy.language), [PROMPT], **{**USUAL, "group_size": 729, **options})
    with torch.no_grad():
        logits = torch.full_like(policy.model.head.weight, NEVER)
        likely = torch.rand(policy.language.n_states, generator=torch.Generator().manual_seed(1)) > 0.5
        logits[0], logits[1] = torch.where(likely, 2.0, 1.0).log(), torch.where(likely, 1.0, 2.0).log()
        policy.model.head.weight.copy_(logits / GAIN)
    run.weigh([PROMPT], BETA)
    found = policy.model.head.weight.grad
    assert found is not None
    return found


@pytest.mark.parametrize("masks", [True, False])
def test_segments_have_the_gradient_of_the_textbook_in_the_mean(masks: bool) -> None:
    textbook = gradient(TB["textbook"], masks=masks)
    assert textbook.norm() > 1
    assert torch.allclose(gradient(SEGMENT, masks=masks), textbook, atol=1e-9)
    for options in ({"cross_segment_credit": 0.2}, {"plan_token_weight": 0.7}, {"token_prob_exponent": 0.5}, {"aux_rhyme_weight": 2.0}):
        biased = gradient({**UNBIASED, **options}, masks=masks)
        assert (biased - textbook).norm() > 0.01 * textbook.norm(), options


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_sets_its_options_and_no_auxiliary_task(preset: Any) -> None:
    options = TBOptions(preset=preset)
    assert {name: getattr(options, name) for name in PRESETS[preset]} == PRESETS[preset]
    assert TBTrainer.usual_aux_rhyme_weight(options) == 0.0
    assert TBOptions(preset=preset, **PRESETS[preset]) == options  # as a run's configuration has it
