"""Theme and coherence: whether lines fit together, and how close they are to given words. Small word models, without torch."""

from __future__ import annotations

from collections.abc import Sequence

from rlpoet.analysis.coherence.model import ThemeModel, theme_model

__all__ = ["ThemeModel", "coherence", "theme_model"]


def coherence(lines: Sequence[str], lang: str) -> float | None:
    """How well the lines of one stanza go together, in [0, 1]: about the share of stanzas shuffled across poems that do less well.

    Human quatrains have medians above .9, shuffled ones about 1/2. None where there is nothing to tell: a language without a
    model, or fewer than two lines.

    Raises:
        UnknownName: no such language.
    """
    model = theme_model(lang)
    return None if model is None or len(lines) < 2 else model.coherence(lines)
