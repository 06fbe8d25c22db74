"""The arms of an ablation: the full recipe, and for each factor the recipe without it (or with it, if the recipe lacks it)."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.sweeps.grid import Arm
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.options import Credit, Exploration, Objective

OF_CREDIT = {"narrow-credit", "token-prob-exponent", "plan-tokens", "rhyme-words"}  # factors of credit by parts
CREDITS, OBJECTIVES, EXPLORE = (typing.get_args(kind) for kind in (Credit, Objective, Exploration))
BASE = "full"  # name of the recipe with nothing taken out


@dataclass(frozen=True)
class Factor:
    """A setting with two positions. A recipe in the off position gets an arm with it on, named ``with-NAME``; any other ``no-NAME``."""

    name: str
    on: Mapping[str, Any]
    off: Mapping[str, Any]

    def arm(self, recipe: TrainConfig) -> Arm:
        if all(_at(recipe, key) == value for key, value in self.off.items()):
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
        Factor("narrow-credit", {"tb.cross_segment_credit": 0.2}, {"tb.cross_segment_credit": 1.0}),
        Factor("token-prob-exponent", {"tb.token_prob_exponent": 0.5}, {"tb.token_prob_exponent": 0.0}),
        Factor("plan-tokens", {"tb.plan_token_weight": 0.7}, {"tb.plan_token_weight": 1.0}),
        Factor("rhyme-words", {"tb.rhyme_word_weight": 1.0}, {"tb.rhyme_word_weight": 0.0}),
        Factor("aux-rhyme", {"aux_rhyme_weight": 2.0}, {"aux_rhyme_weight": 0.0}),
        Factor("aux-by-reference", {"aux_sampler": "reference"}, {"aux_sampler": "policy"}),
        Factor("meter-errors", {"tb.localize_meter_errors": True}, {"tb.localize_meter_errors": False}),
        Factor("identical-rhyme", {"allow_identical_rhyme": True}, {"allow_identical_rhyme": False}),
        Factor("replay", {"tb.replay": 0.5}, {"tb.replay": 0.0}),
        Factor("learned-log-z", {"tb.log_z": "learned", "tb.credit": "poem"}, {"tb.log_z": "vargrad"}),
    ),
    "ppo": (
        *ALL,
        Factor("whitening", {"ppo.whiten": True}, {"ppo.whiten": False}),
        Factor("value-clipping", {"ppo.cliprange_value": 0.2}, {"ppo.cliprange_value": 0.0}),
        Factor("lambda", {"ppo.lam": 0.95}, {"ppo.lam": 1.0}),
        Factor("second-epoch", {"ppo.epochs": 2}, {"ppo.epochs": 1}),
        Factor("kl-target", {"ppo.kl_target": 10.0}, {"ppo.kl_target": 0.0}),
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
        shares_itself = recipe.algo == "tb" and recipe.tb.objective != "tb"  # flows share out credit by themselves
        arms = [] if shares_itself else _other_values(f"{recipe.algo}.credit", CREDITS, recipe)
        arms += [factor.arm(recipe) for factor in FACTORS[recipe.algo] if not (shares_itself and factor.name in OF_CREDIT)]
        if recipe.algo == "tb":
            arms += _other_values("tb.objective", OBJECTIVES, recipe)
            arms += [_exploration(name, recipe) for name in EXPLORE if name != "human" or recipe.tb.explore_file]
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
    name = setting.rpartition(".")[2]
    return [Arm(f"{name}-{value}", {setting: value}) for value in values if value != _at(recipe, setting)]


def _exploration(name: str, recipe: TrainConfig) -> Arm:
    """A kind of exploration, turned over."""
    now = recipe.tb.explore
    if name in now:
        return Arm(f"no-{name}", {"tb.explore": tuple(kind for kind in now if kind != name)})
    return Arm(f"with-{name}", {"tb.explore": (*now, name)})


def _at(recipe: TrainConfig, setting: str) -> Any:
    """A setting by its dotted name."""
    return functools.reduce(getattr, setting.split("."), recipe)
