"""The arms of an ablation: the full recipe, and for each factor the recipe without it (or with it, if the recipe lacks it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.sweeps.grid import Arm
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.credit import CREDITS
from rlpoet.training.gflownet.options import EXPLORE, OBJECTIVES

OF_CREDIT = {"narrow-credit", "token-prob-exponent", "plan-tokens", "rhyme-words"}  # factors of credit by parts
BASE = "full"  # name of the recipe with nothing taken out


@dataclass(frozen=True)
class Factor:
    """A setting with two positions. A recipe in the off position gets an arm with it on, named ``with-NAME``; any other ``no-NAME``."""

    name: str
    on: Mapping[str, Any]
    off: Mapping[str, Any]

    def arm(self, recipe: TrainConfig) -> Arm:
        if all(getattr(recipe, key) == value for key, value in self.off.items()):
            return Arm(f"with-{self.name}", self.on)
        return Arm(f"no-{self.name}", self.off)


ALL = (
    Factor("openings", {"openings": 0.25}, {"openings": 0.0}),
    Factor("frozen-embeddings", {"freeze_embeddings": True}, {"freeze_embeddings": False}),
    Factor("beta-warmup", {"beta_warmup": 0.2}, {"beta_warmup": 0.0}),
    Factor("interpolation", {"interpolate": 0.25}, {"interpolate": 0.0}),
)
FACTORS: dict[str, tuple[Factor, ...]] = {
    "tb": (
        *ALL,
        Factor("narrow-credit", {"cross_segment_credit": 0.2}, {"cross_segment_credit": 1.0}),
        Factor("token-prob-exponent", {"token_prob_exponent": 0.5}, {"token_prob_exponent": 0.0}),
        Factor("plan-tokens", {"plan_token_weight": 0.7}, {"plan_token_weight": 1.0}),
        Factor("rhyme-words", {"rhyme_word_weight": 1.0}, {"rhyme_word_weight": 0.0}),
        Factor("aux-rhyme", {"aux_rhyme_weight": 2.0}, {"aux_rhyme_weight": 0.0}),
        Factor("aux-by-reference", {"aux_sampler": "reference"}, {"aux_sampler": "policy"}),
        Factor("meter-errors", {"localize_meter_errors": True}, {"localize_meter_errors": False}),
        Factor("identical-rhyme", {"allow_identical_rhyme": True}, {"allow_identical_rhyme": False}),
        Factor("replay", {"replay": 0.5}, {"replay": 0.0}),
        Factor("learned-log-z", {"log_z": "learned", "credit": "poem"}, {"log_z": "vargrad"}),
    ),
    "ppo": (
        *ALL,
        Factor("whitening", {"whiten": True}, {"whiten": False}),
        Factor("value-clipping", {"cliprange_value": 0.2}, {"cliprange_value": 0.0}),
        Factor("lambda", {"lam": 0.95}, {"lam": 1.0}),
        Factor("second-epoch", {"epochs": 2}, {"epochs": 1}),
        Factor("kl-target", {"kl_target": 10.0}, {"kl_target": 0.0}),
    ),
}


def arms_of(kind: str, recipe: TrainConfig, *, betas: Sequence[float] = (), pick: Sequence[str] = ()) -> list[Arm]:
    """The arm of the full recipe first, then one arm per factor; the arms of a sweep of beta are in ascending order.

    Args:
        kind: ``rewards``, ``factors`` or ``beta``.
        recipe: the settings of the full recipe.
        betas: values of a sweep; that of the recipe is the full arm and not repeated.
        pick: names of arms to keep beside the full one.

    Raises:
        RlpoetError: the recipe has no factor to change.
        UnknownName: no arm has a name in ``pick``.
    """
    full = Arm(baseline_of(kind, recipe), {})
    if kind == "rewards":
        named = [name for name, weight in recipe.rewards.items() if weight]
        if len(named) < 2:
            raise RlpoetError(
                f"--kind rewards: only {', '.join(named)} in the mix; expected two or more. Add one with --common.rewards.NAME 1."
            )
        arms = [Arm(f"no-{name}", {f"rewards.{name}": 0.0}) for name in named]
    elif kind == "beta":
        arms = [Arm(f"beta-{beta:g}", {"beta": beta}) for beta in betas if beta != recipe.beta]
    else:
        if recipe.algo not in FACTORS:
            raise UnknownName("--kind factors: --common.algo", recipe.algo, FACTORS)
        shares_itself = recipe.algo == "tb" and recipe.objective != "tb"  # flows share out credit by themselves
        arms = [] if shares_itself else _other_values("credit", CREDITS, recipe)
        arms += [factor.arm(recipe) for factor in FACTORS[recipe.algo] if not (shares_itself and factor.name in OF_CREDIT)]
        if recipe.algo == "tb":
            arms += _other_values("objective", OBJECTIVES, recipe)
            arms += [_exploration(name, recipe) for name in EXPLORE if name != "human" or recipe.explore_file]
    for name in pick:
        if name not in {arm.name for arm in arms}:
            raise UnknownName("--pick", name, [arm.name for arm in arms])
    chosen = [full, *(arm for arm in arms if not pick or arm.name in pick)]
    return sorted(chosen, key=lambda arm: arm.settings.get("beta", recipe.beta)) if kind == "beta" else chosen


def baseline_of(kind: str, recipe: TrainConfig) -> str:
    """The name of the arm with nothing taken out."""
    return f"beta-{recipe.beta:g}" if kind == "beta" else BASE


def _other_values(setting: str, values: Sequence[str], recipe: TrainConfig) -> list[Arm]:
    """Arms for the other values of a setting."""
    return [Arm(f"{setting}-{value}", {setting: value}) for value in values if value != getattr(recipe, setting)]


def _exploration(name: str, recipe: TrainConfig) -> Arm:
    """A kind of exploration, turned over."""
    if name in recipe.explore:
        return Arm(f"no-{name}", {"explore": tuple(kind for kind in recipe.explore if kind != name)})
    return Arm(f"with-{name}", {"explore": (*recipe.explore, name)})
