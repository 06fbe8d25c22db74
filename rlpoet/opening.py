"""Opening the policy that a configuration names, with the options that say where it runs and what may be fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from rlpoet.machine import check_device
from rlpoet.rollout import Policy, load_policy


class Opening(Protocol):
    """The options; ``rlpoet.config.opening.OpeningOptions`` is them."""

    @property
    def device(self) -> str: ...
    @property
    def allow_download(self) -> bool: ...
    @property
    def trust_remote_code(self) -> bool: ...
    @property
    def keep_gguf(self) -> bool: ...


def open_policy(
    source: str | Path,
    config: Opening,
    *,
    seed: int = 0,
    lang: str | None = None,
    policy_class: str | None = None,
    inference_only: bool = False,
) -> Policy:
    """As ``rlpoet.rollout.load_policy``, with the options of a configuration.

    Raises:
        RlpoetError: a device that is not here.
    """
    check_device(config.device)
    return load_policy(
        source, seed=seed, lang=lang, policy_class=policy_class, device=config.device, inference_only=inference_only,
        allow_download=config.allow_download, trust_remote_code=config.trust_remote_code, keep_gguf=config.keep_gguf,
    )  # fmt: skip
