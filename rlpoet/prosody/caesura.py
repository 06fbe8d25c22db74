"""Whether a line has the caesura that its tradition requires."""

from __future__ import annotations

import functools
from collections.abc import Collection

from rlpoet.languages import code_of
from rlpoet.prosody.fr import caesura as fr_cesure
from rlpoet.prosody.meter import in_meter, scan

HALVES = {14: 7}  # Spanish: the alejandrino; the endecasílabo has accents in place of a caesura


@functools.lru_cache(maxsize=50_000)
def keeps_caesura(line: str, lang: str, lengths: tuple[int, ...]) -> bool | None:
    """Whether some reading of an admissible length has its caesura; None where the tradition requires none, or the line has no such length.

    Required in French lines of twelve (6+6, or the romantic 4+4+4) and ten (4+6, 5+5, 6+4), and in Spanish lines of fourteen (7+7).
    English verse has no fixed caesura. Where shorter lines are admissible too, a line of their length needs none.

    >>> keeps_caesura("Je fais souvent ce rêve étrange et pénétrant", "fr", (12,))
    True
    >>> keeps_caesura("Périssez ! puissance, justice, histoire, à bas !", "fr", (12,)), keeps_caesura("Mignonne, allons voir", "fr", (8,))
    (False, None)
    >>> keeps_caesura("Mignonne, allons voir si la rose", "fr", (8, 10)) is None
    True
    """
    code = code_of(lang)
    asking: Collection[int] = fr_cesure.PATTERNS if code == "fr" else HALVES if code == "es" else ()
    cut = [length for length in lengths if length in asking and in_meter(line, lang, (length,))]
    if not cut or any(length not in asking and in_meter(line, lang, (length,)) for length in lengths):
        return None
    if code == "fr":
        return any(caesura.kept for length in cut if (caesura := fr_cesure.cesure(line, length)) is not None)
    return any(scan(line, lang, length).caesura == HALVES[length] for length in cut)
