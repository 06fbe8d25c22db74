"""Splits a text into lines and compares their number with the form."""

from __future__ import annotations

from collections.abc import Sequence

from rlpoet.prosody.fit import form_and_lines as read
from rlpoet.types import Explained, Form, LineScore

__all__ = ["explain_miscount", "gains_of", "read"]


def explain_miscount(name: str, form: Form, lines: list[str]) -> Explained:
    """The explanation every reward gives for a text with too few or too many lines."""
    reason = f"{len(lines)} {'line' if len(lines) == 1 else 'lines'}, {form.name} has {form.n_lines}: no credit"
    return Explained(name, 0.0, tuple(LineScore(line, 0.0, reason) for line in lines))


def gains_of(reached: Sequence[float]) -> list[float]:
    """What each line adds, of what the first one, two, three ... lines have reached: sums to the last of them.

    >>> gains_of([0.0, 0.5, 0.25])
    [0.0, 0.5, -0.25]
    """
    return [now - before for before, now in zip((0.0, *reached), reached, strict=False)]
