"""Meter, rhyme and forms. No torch. Each core language has a package here, beside what all languages share."""

from __future__ import annotations

import functools

from rlpoet.languages import find, import_object
from rlpoet.protocols import Verse


@functools.cache
def verse(lang: str) -> Verse:
    """The ``Verse`` of a language (``fr``), of a variety (``es-distincion``) or of a folder, loaded once, on first use.

    Raises:
        UnknownName: no such language or variety.
    """
    match = find(lang)
    make = import_object(match.language.verse)
    return make(variety=match.variety) if match.variety else make()
