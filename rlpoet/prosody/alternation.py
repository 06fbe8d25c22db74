"""The rule of alternation: two different rhymes of one gender may not touch (règle d'alternance).

Ronsard (Abrégé de l'art poétique, 1565) recommends it, Malherbe makes it law, and it holds until the end of the 19th
century, across stanza breaks too. A refrain or a repeated word counts as one rhyme.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import find_scheme


@dataclass(frozen=True)
class Touch:
    """Two neighbouring lines of different rhymes and one gender.

    Attributes:
        line: index of the first of the two; the other is the next.
        gender: the gender of both, ``m`` or ``f``.
    """

    line: int
    gender: str


def genders(lines: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The gender of each line: ``m``, ``f``, or empty where a word can have both (couvent) and its rhyme does not decide."""
    language = verse("fr")
    possible = [frozenset(ending.gender for ending in language.endings(line)) for line in lines]
    family: dict[str, frozenset[str]] = {}
    for letter, line_gender in zip(scheme, possible, strict=True):
        if letter != "x":
            family[letter] = (family.get(letter, line_gender) & line_gender) or line_gender
    chosen = [
        family.get(letter, line_gender) if letter != "x" else line_gender for letter, line_gender in zip(scheme, possible, strict=True)
    ]
    return tuple(
        next(iter(line_gender)) if len(line_gender) == 1 else ""
        for line_gender in (a & b or b for a, b in zip(chosen, possible, strict=True))
    )


def touches(lines: Sequence[str], scheme: str | None = None) -> tuple[Touch, ...]:
    """Where two different rhymes of the same gender touch; empty for a poem that alternates.

    Args:
        lines: lines of French verse, without blank ones.
        scheme: one letter per line, ``x`` for unrhymed, spaces ignored; None finds it from the lines.

    Raises:
        ValueError: the scheme does not have one letter per line.

    >>> touches(["l'amour", "le jour", "la rose", "la chose"])
    ()
    >>> touches(["l'amour", "le jour", "la nuit", "le bruit"])
    (Touch(line=1, gender='m'),)
    """
    letters = find_scheme(lines, "fr") if scheme is None else scheme.replace(" ", "")
    if len(letters) != len(lines):
        raise ValueError(f"scheme: {scheme!r} has {len(letters)} letters; expected one for each of the {len(lines)} lines.")
    sexes = genders(lines, letters)
    return tuple(
        Touch(i, sexes[i])
        for i in range(len(lines) - 1)
        if sexes[i] and sexes[i] == sexes[i + 1] and "x" not in letters[i : i + 2] and letters[i] != letters[i + 1]
    )
