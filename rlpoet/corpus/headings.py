"""What ``rlpoet generate --out`` writes above a poem: ``# fr quatrain-abab, author, temperature 1, seed 0``."""

from __future__ import annotations

import re

from rlpoet.languages import codes
from rlpoet.prosody.forms import forms

LABEL = re.compile(r"#\s+(\S+) ([\w-]+)(?=,|$)")


def form_of_heading(heading: str) -> tuple[str, str] | None:
    """Language and form that a heading names; None for any other heading.

    >>> form_of_heading("# es quatrain-abab, temperature 1, seed 3"), form_of_heading("# Soneto triste")
    (('es', 'quatrain-abab'), None)
    """
    match = LABEL.match(heading)
    if match is None or match[1].partition("-")[0] not in codes() or match[2] not in {own.name for own in forms(match[1])}:
        return None
    return match[1], match[2]
