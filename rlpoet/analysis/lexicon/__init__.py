"""Which words exist: word lists of the core languages, from verse and novels in the public domain.

A language's phonology says how a word sounds and guesses at what it has not seen; what it derives by rule may be no word at all
(*slightful*). A list of words that several authors have used settles that. ``data/README.md`` says how the lists were made.
"""

from __future__ import annotations

import functools
import gzip
import re
import unicodedata
from pathlib import Path

from rlpoet.languages import code_of

DATA = Path(__file__).parent / "data"
SPLIT_AT_APOSTROPHES = ("fr",)  # l'eau is two words, heav'n is one

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SAME_LETTERS = str.maketrans({"’": "'", "ʼ": "'", "œ": "oe", "æ": "ae"})


def lexicon(lang: str) -> frozenset[str] | None:
    """The word forms of a language, as ``words`` gives them; None for a language without a list.

    Raises:
        UnknownName: no such language.
    """
    return _listed(code_of(lang))


@functools.cache
def _listed(code: str) -> frozenset[str] | None:
    path = DATA / f"{code}.txt.gz"
    if not path.is_file():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return frozenset(rows.read().split())


def words(text: str, lang: str) -> list[str]:
    """The words of a text in the spelling of the lists: lower case, ``oe`` for ``œ``, no hyphens, no English ``'s``.

    >>> words("Peut-être l’Œil", "fr"), words("The lark's at heav'n’s gate", "en")
    (['peut', 'être', 'l', 'oeil'], ['the', 'lark', 'at', "heav'n", 'gate'])
    """
    code = code_of(lang)
    found = _WORD.findall(unicodedata.normalize("NFC", text).lower().translate(_SAME_LETTERS))
    if code in SPLIT_AT_APOSTROPHES:
        return [part for word in found for part in word.split("'")]
    return [word.removesuffix("'s") for word in found] if code == "en" else found


def unknown_words(text: str, lang: str) -> tuple[str, ...]:
    """Words of a text that the list of its language lacks, each once; none for a language without a list.

    >>> unknown_words("The slightful purplling gate", "en"), unknown_words("La penumba de la noche", "es")
    (('slightful', 'purplling'), ('penumba',))
    """
    listed = lexicon(lang)
    return () if listed is None else tuple(dict.fromkeys(word for word in words(text, lang) if word not in listed))
