"""Text to phonemes, syllables and stress. No torch. A core language has a module and a data folder; an added one is a folder."""

from __future__ import annotations

import functools

from rlpoet.languages import find, import_object
from rlpoet.protocols import Phonology


@functools.cache
def phonology(lang: str) -> Phonology:
    """The phonology of a language (``fr``, ``es-distincion``, a folder), loaded once, on first use.

    For a variety, this is the phonology that the variety's verse module uses.

    Raises:
        UnknownName: no such language or variety.
    """
    match = find(lang)
    if match.variety:
        verse = import_object(match.language.verse)(variety=match.variety)
        if hasattr(verse, "phonology"):
            return verse.phonology
    return import_object(match.language.phonology)()
