"""Drafts of a part whose gaps are being filled, and which of them are best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Draft:
    """The lines of a part so far.

    Attributes:
        lines: None for a gap.
        log_p: of the lines that were written and of the given lines after them, nats.
        n_characters: of those lines.
        n_uncut: how many of the written lines lack a caesura that is wanted.
    """

    lines: tuple[str | None, ...]
    log_p: float = 0.0
    n_characters: int = 0
    n_uncut: int = 0


def with_line(draft: Draft, n: int, text: str) -> Draft:
    """The draft with line ``n``."""
    return replace(draft, lines=(*draft.lines[:n], text, *draft.lines[n + 1 :]))


def best(pool: Sequence[tuple[Draft, float | None]], n: int) -> list[Draft]:
    """The best drafts: those with most caesuras, and of these by two orders of equal weight.

    The orders are the log-probability per character, and the coherence where it is known.
    """
    by_policy = sorted(range(len(pool)), key=lambda k: -_per_character(pool[k][0]))
    by_sense = sorted(range(len(pool)), key=lambda k: -(pool[k][1] or 0.0))
    places = {k: by_policy.index(k) + (by_sense.index(k) if pool[k][1] is not None else 0) for k in range(len(pool))}
    return [pool[k][0] for k in sorted(places, key=lambda k: (pool[k][0].n_uncut, places[k], by_policy.index(k)))[:n]]


def _per_character(draft: Draft) -> float:
    return draft.log_p / draft.n_characters if draft.n_characters else 0.0
