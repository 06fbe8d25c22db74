"""Rare French words: those that Lexique has and the word list lacks, found by the end of their sounds in the installed lexicon."""

from __future__ import annotations

import functools
import re

from rlpoet.phonology import phonology
from rlpoet.phonology.fr.sounds import LEXIQUE, French
from rlpoet.types import Ending

MERGED = ("eE", "oO", "aA", "2 9", "51")  # letters of Lexique that rhyme takes as one


@functools.cache
def _rows() -> str:
    """Every form and its sounds, one a line, ``sounds<TAB>form``: searched whole in a few milliseconds."""
    sounds = phonology("fr")
    assert isinstance(sounds, French)
    return "\n".join(f"{phones}\t{word}" for word, phones in sounds.lexicon.items()) + "\n"


def forms_ending_like(ending: Ending, *, support: str = "") -> list[str]:
    """The forms of Lexique whose sounds end as those of an ending do, in alphabetical order.

    Args:
        support: a phone that has to stand before them.

    >>> "désencombre" in forms_ending_like(Ending("ombre", ("ɔ̃", "b", "ʁ"), gender="f"))
    True
    """
    letters = {phone: letter for letter, phone in LEXIQUE.items()}
    phones = ((support,) if support else ()) + ending.phones
    if not all(phone in letters for phone in phones):
        return []
    alike = {letter: f"[{group.replace(' ', '')}]" for group in MERGED for letter in group if letter != " "}
    pattern = "".join(alike.get(letters[phone], re.escape(letters[phone])) for phone in phones)
    return sorted(re.findall(f"{pattern}°?\t(.+)", _rows()))
