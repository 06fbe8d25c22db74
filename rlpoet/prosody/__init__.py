"""Meter, rhyme and forms. No torch. One module a language beside what all languages share."""

from __future__ import annotations

import functools
import importlib

from rlpoet.errors import UnknownName
from rlpoet.phonology import LANGUAGES
from rlpoet.protocols import Verse


@functools.cache
def verse(lang: str) -> Verse:
    """The ear of a language, loaded once, on first use.

    Raises:
        UnknownName: no such language.
    """
    if lang not in LANGUAGES:
        raise UnknownName("language", lang, LANGUAGES)
    return getattr(importlib.import_module(f"rlpoet.prosody.{lang}"), f"{LANGUAGES[lang]}Verse")()
