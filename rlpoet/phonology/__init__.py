"""Text to phonemes, syllables and stress. No torch. One module and one data folder a language."""

from __future__ import annotations

import functools
import importlib

from rlpoet.errors import UnknownName
from rlpoet.protocols import Phonology

LANGUAGES = {"fr": "French", "es": "Spanish", "en": "English"}


@functools.cache
def phonology(lang: str) -> Phonology:
    """The phonology of a language, loaded once, on first use.

    Raises:
        UnknownName: no such language.
    """
    if lang not in LANGUAGES:
        raise UnknownName("language", lang, LANGUAGES)
    return getattr(importlib.import_module(f"rlpoet.phonology.{lang}"), LANGUAGES[lang])()
