"""Which languages there are, and where their phonology and verse come from: one look-up for codes, varieties and folders.

A language is named by its code (``fr``), by code and variety (``es-distincion``), or by a folder that holds a ``language.toml``
(``experiments/languages/it``). Codes are the three below and those of entry points in the group ``rlpoet.languages``. The value of an
entry point is ``module:object``; the object is the path of such a folder, a ``Language``, or a function without arguments that returns
one of these.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlpoet import registry
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.languages.settings import read_settings

GROUP = "rlpoet.languages"
FILE = "language.toml"
FORMS = Path(__file__).parents[1] / "prosody" / "data" / "forms.tsv"


@dataclass(frozen=True)
class Language:
    """Where a language's phonology, verse and forms come from.

    Attributes:
        code: ``fr``, ``it``, ...; the ``lang`` column of its table of forms.
        name: in English.
        phonology, verse: a class or a function that makes the object, itself or as ``module:object``. A verse class with an attribute
            ``varieties`` takes ``variety=``; the first of them is its default.
        forms: its table of forms, or None.
    """

    code: str
    name: str
    phonology: str | Callable[..., Any]
    verse: str | Callable[..., Any]
    forms: Path | None = None

    @property
    def varieties(self) -> tuple[str, ...]:
        """The varieties of the language, the default first; empty if it has only one."""
        return tuple(getattr(import_object(self.verse), "varieties", ()))


CORE = {
    code: Language(code, name, f"rlpoet.phonology.{code}.sounds:{name}", f"rlpoet.prosody.{code}.verse:{name}Verse", FORMS)
    for code, name in (("fr", "French"), ("es", "Spanish"), ("en", "English"))
}


@dataclass(frozen=True)
class LanguageMatch:
    """The result of a look-up: a language, and a variety of it, or ``""`` for the default."""

    language: Language
    variety: str = ""


def codes() -> tuple[str, ...]:
    """Codes of the installed languages, core ones first; folders have no code."""
    return (*CORE, *(name for name in registry.names(GROUP) if name not in CORE))


@functools.lru_cache(maxsize=1024)
def find(lang: str) -> LanguageMatch:
    """The language and variety of a code, ``code-variety`` or folder.

    Raises:
        UnknownName: no such language, or no such variety of it; the message has the nearest name.
        RlpoetError: a folder or plug-in does not define a language.

    >>> find("fr").language.name
    'French'
    """
    installed = _installed(lang)
    if installed is not None:
        return LanguageMatch(installed)
    if _is_folder(lang):
        return LanguageMatch(_of_folder(Path(lang)))
    head, dash, variety = lang.partition("-")
    base = _installed(head) if dash else None
    if base is None:
        raise UnknownName("language", lang, codes(), fix=f"A folder that holds a {FILE} is a language too.")
    if not base.varieties:
        raise UnknownName("language", lang, codes(), fix=f"{head!r} has no varieties: leave {variety!r} out.")
    if variety not in base.varieties:
        raise UnknownName("variety", variety, base.varieties, fix=f"They are varieties of {head!r}.")
    return LanguageMatch(base, variety)


def code_of(lang: str) -> str:
    """The code of a language by any of its names; forms, authors, policies and folders of runs use the code.

    Raises:
        UnknownName: no such language or variety.

    >>> code_of("fr")
    'fr'
    """
    return find(lang).language.code


def import_object(spec: str | Callable[..., Any]) -> Any:
    """Import the object of a ``module:object`` text; anything else is returned as it is."""
    if not isinstance(spec, str):
        return spec
    module, _, name = spec.partition(":")
    return getattr(importlib.import_module(module), name)


def _installed(code: str) -> Language | None:
    if code in CORE:
        return CORE[code]
    if not code or code not in registry.names(GROUP):
        return None
    plugin = registry.load(GROUP, code)
    if callable(plugin):
        plugin = plugin()
    if isinstance(plugin, (str, Path)):
        plugin = _of_folder(Path(plugin))
    if not isinstance(plugin, Language):
        raise RlpoetError(f"{GROUP}: {code!r} gives {plugin!r:.60}; expected a folder, a Language, or a function that gives one.")
    if plugin.code != code:
        raise RlpoetError(f"{GROUP}: {code!r} leads to a language of code {plugin.code!r}; expected one name. Rename one of them.")
    return plugin


def _is_folder(lang: str) -> bool:
    try:
        return bool(lang) and ("/" in lang or "\\" in lang or (Path(lang) / FILE).is_file())
    except (OSError, ValueError):  # a name no file can have
        return False


def _of_folder(path: Path) -> Language:
    """The language of a folder; its files are read when its verse or phonology is made."""
    settings = read_settings(path)

    def phonology() -> Any:
        return import_object("rlpoet.phonology.generic.sounds:GenericPhonology")(settings)

    def verse() -> Any:
        return import_object("rlpoet.prosody.generic.verse:GenericVerse")(import_object("rlpoet.phonology:phonology")(str(path)))

    forms = path / "forms.tsv"
    return Language(settings.code, settings.name, phonology, verse, forms if forms.is_file() else None)
