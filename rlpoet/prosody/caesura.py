"""Whether a line has the caesura that its tradition requires."""

from __future__ import annotations

import functools

from rlpoet.languages import code_of
from rlpoet.prosody.fr import caesura as fr_cesure
from rlpoet.prosody.meter import scan

HALVES = {14: 7}  # Spanish: the alejandrino; the endecasílabo has accents in place of a caesura


@functools.lru_cache(maxsize=50_000)
def keeps_caesura(line: str, lang: str, lengths: tuple[int, ...]) -> bool | None:
    """Whether some reading of an admissible length has its caesura; None where the tradition requires none.

    Required in French lines of twelve (6+6, or the romantic 4+4+4) and ten (4+6, 5+5, 6+4), and in Spanish lines of fourteen (7+7).
    English verse has no fixed caesura.

    >>> keeps_caesura("Je fais souvent ce rêve étrange et pénétrant", "fr", (12,))
    True
    >>> keeps_caesura("Périssez ! puissance, justice, histoire, à bas !", "fr", (12,)), keeps_caesura("Mignonne, allons voir", "fr", (8,))
    (False, None)
    """
    code = code_of(lang)
    if code == "fr":
        caesuras = [fr_cesure.cesure(line, length) for length in lengths if length in fr_cesure.PATTERNS]
        return any(caesura is not None and caesura.kept for caesura in caesuras) if caesuras else None
    halves = [(length, HALVES[length]) for length in lengths if length in HALVES] if code == "es" else []
    return any(scan(line, lang, length).caesura == half for length, half in halves) if halves else None
