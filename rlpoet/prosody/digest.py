"""The version of all code and tables that decide rhyme and meter, for caches and for comparing results."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

import rlpoet.phonology
import rlpoet.prosody


@functools.cache
def verse_version() -> str:
    """SHA-1 of the code and tables of ``rlpoet.phonology`` and ``rlpoet.prosody``; a cache is valid for one version."""
    digest = hashlib.sha1()
    for package in (rlpoet.phonology, rlpoet.prosody):
        for path in sorted(Path(package.__path__[0]).rglob("*")):
            if path.suffix in (".py", ".tsv"):
                digest.update(path.read_bytes())
    return digest.hexdigest()
