"""The arms of an ablation: the full recipe, and what remains when one thing is taken out of it (or put in, where it is not in it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.sweeps.grid import Arm
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.credit import CREDITS
from rlpoet.training.gflownet.options import EXPLORE, OBJECTIVES

OF_CREDIT = {"narrow-bearing", "favour", "prior-sounds", "end-words"}  # levers of credit by parts
BASE = "full"  # name of the recipe with nothing taken out


@dataclass(frozen=True)
class Lever:
    """A setting with two positions. A recipe in the off position gets an arm with it on, named ``with-NAME``; any other ``no-NAME``."""

    name: str
    on: Mapping[str, Any]
    off: Mapping[str, Any]

    def arm(self, recipe: TrainConfig) -> Arm:
        if all(getattr(recipe, key) == value for key, value in self.off.items()):
            return Arm(f"with-{self.name}", self.on)
        return Arm(f"no-{self.name}", self.off)


ALL = (
    Lever("openings", {"openings": 0.25}, {"openings": 0.0}),
    Lever("frozen-embeddings", {"freeze_embeddings": True}, {"freeze_embeddings": False}),
    Lever("beta-warmup", {"beta_warmup": 0.2}, {"beta_warmup": 0.0}),
    Lever("interpolation", {"interpolate": 0.25}, {"interpolate": 0.0}),
)
LEVERS: dict[str, tuple[Lever, ...]] = {
    "tb": (
        *ALL,
        Lever("narrow-bearing", {"bearing": 0.2}, {"bearing": 1.0}),
        Lever("favour", {"favour": 0.5}, {"favour": 0.0}),
        Lever("prior-sounds", {"announce": 0.7}, {"announce": 1.0}),
        Lever("end-words", {"end_words": 1.0}, {"end_words": 0.0}),
        Lever("drill", {"drill": 2.0}, {"drill": 0.0}),
        Lever("drill-by-prior", {"drill_by": "prior"}, {"drill_by": "policy"}),
        Lever("pinpoint", {"pinpoint": True}, {"pinpoint": False}),
        Lever("repeats", {"may_repeat": True}, {"may_repeat": False}),
        Lever("replay", {"replay": 0.5}, {"replay": 0.0}),
        Lever("learned-log-z", {"log_z": "learned", "credit": "poem"}, {"log_z": "vargrad"}),
    ),
    "ppo": (
        *ALL,
        Lever("whitening", {"whiten": True}, {"whiten": False}),
        Lever("value-clipping", {"cliprange_value": 0.2}, {"cliprange_value": 0.0}),
        Lever("lambda", {"lam": 0.95}, {"lam": 1.0}),
        Lever("second-epoch", {"epochs": 2}, {"epochs": 1}),
        Lever("kl-target", {"kl_target": 10.0}, {"kl_target": 0.0}),
    ),
}


def arms_of(kind: str, recipe: TrainConfig, *, betas: Sequence[float] = (), pick: Sequence[str] = ()) -> list[Arm]:
    """The full recipe, and one arm for each thing taken out; the recipe comes first, but in a sweep, which goes up.

    Args:
        kind: ``rewards``, ``levers`` or ``beta``.
        recipe: the settings everything is taken out of.
        betas: of a sweep; the recipe's own is the full arm and not repeated.
        pick: names to keep beside the full arm.

    Raises:
        RlpoetError: nothing to take out.
        UnknownName: a name to keep that is none of the arms'.
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
        if recipe.algo not in LEVERS:
            raise UnknownName("--kind levers: --common.algo", recipe.algo, LEVERS)
        shares_itself = recipe.algo == "tb" and recipe.objective != "tb"  # flows have no use for credit and bearing
        arms = [] if shares_itself else _others("credit", CREDITS, recipe)
        arms += [lever.arm(recipe) for lever in LEVERS[recipe.algo] if not (shares_itself and lever.name in OF_CREDIT)]
        if recipe.algo == "tb":
            arms += _others("objective", OBJECTIVES, recipe)
            arms += [_exploration(name, recipe) for name in EXPLORE if name != "human" or recipe.explore_file]
    for name in pick:
        if name not in {arm.name for arm in arms}:
            raise UnknownName("--pick", name, [arm.name for arm in arms])
    kept = [full, *(arm for arm in arms if not pick or arm.name in pick)]
    return sorted(kept, key=lambda arm: arm.settings.get("beta", recipe.beta)) if kind == "beta" else kept


def baseline_of(kind: str, recipe: TrainConfig) -> str:
    """The name of the arm with nothing taken out."""
    return f"beta-{recipe.beta:g}" if kind == "beta" else BASE


def _others(setting: str, values: Sequence[str], recipe: TrainConfig) -> list[Arm]:
    """The other positions of a setting that has several."""
    return [Arm(f"{setting}-{value}", {setting: value}) for value in values if value != getattr(recipe, setting)]


def _exploration(name: str, recipe: TrainConfig) -> Arm:
    """A kind of exploration, turned over."""
    if name in recipe.explore:
        return Arm(f"no-{name}", {"explore": tuple(kind for kind in recipe.explore if kind != name)})
    return Arm(f"with-{name}", {"explore": (*recipe.explore, name)})
