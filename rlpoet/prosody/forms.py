"""Fixed forms: scheme, number of lines and their lengths. One row per form in ``data/forms.tsv``, or in a language's folder."""

from __future__ import annotations

import dataclasses
import functools
import unicodedata
from collections.abc import Collection
from pathlib import Path

from rlpoet.errors import RlpoetError, TableError, UnknownName
from rlpoet.languages import CORE, FORMS, codes, find
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.tables import read_table
from rlpoet.types import Form

ASSONANT = frozenset({"assonant", "asonante", "assonante"})  # as English, Spanish and French handbooks spell it
COLUMNS = ["lang", "name", "scheme", "meters", "feet", "rhyme", "aliases", "description"]


def form(name: str, lang: str) -> Form:
    """The form of that name or alias in a language's tradition.

    An alias gives the form under its main name, so that two names of one form never become two forms.

    Raises:
        UnknownName: no such language, or no such form in it; the message says if another language has it.
        RlpoetError: the language has no forms.

    >>> form("redondilla", "es").name
    'quatrain-abba-8'
    >>> form("sonnet", "fr").pairs[:2]
    ((1, 2), (0, 3))
    """
    named = _names(lang)
    language = find(lang).language
    key = unicodedata.normalize("NFC", name).strip().lower()
    if key not in named:
        elsewhere = [other for other in codes() if other != language.code and key in _names(other)]
        fix = f"It is a form of {' and '.join(elsewhere)}: set the language." if elsewhere else ""
        if not named:
            raise RlpoetError(f"form {name!r}: {language.name} has no forms yet; expected a table. Put a forms.tsv into its folder.")
        raise UnknownName(f"form ({lang})", name, named, fix=fix)
    return named[key]


def forms(lang: str) -> tuple[Form, ...]:
    """Every form of a language, in the order of the table, commonest first.

    Raises:
        UnknownName: no such language.
    """
    return tuple(dict.fromkeys(_names(lang).values()))


def answers(a: str, b: str, form: Form) -> bool:
    """Whether two lines rhyme as a form requires.

    That is a full rhyme; in an assonant form, at least an assonance; in a historical form, also a historical rhyme of the language.

    >>> answers("el mar", "San Juan", form("romance", "es")), answers("el mar", "San Juan", form("pareado", "es"))
    (True, False)
    >>> answers("love", "prove", form("sonnet-shakespearean", "en")), answers("love", "prove", form("quatrain-abab", "en"))
    (True, False)
    """
    kind = rhyme_kind(a, b, form.lang)
    if kind in verse(form.lang).rhyming:
        return True
    return kind in (ASSONANT if form.rhyme == "assonant" else detecting(form.lang) if form.rhyme == "historical" else ())


def detecting(lang: str) -> Collection[str]:
    """Kinds of rhyme that poets of the language have used, whether or not they sound alike today; may be empty."""
    kinds: Collection[str] = getattr(verse(lang), "detecting", ())
    return kinds


@functools.cache
def _names(lang: str) -> dict[str, Form]:
    """Forms of a language by name; their ``lang`` is the given one, so that a variety or a folder is scanned by its own rules."""
    language = find(lang).language
    if language.forms is None:
        return {}
    found = load(language.forms, tuple(CORE) if language.forms == FORMS else (language.code,))[language.code]
    own = {asked: dataclasses.replace(asked, lang=lang) for asked in dict.fromkeys(found.values())}
    return {name: own[asked] for name, asked in found.items()}


@functools.cache
def load(path: Path, langs: Collection[str] = tuple(CORE)) -> dict[str, dict[str, Form]]:
    """Read a table of forms: language -> name or alias -> form.

    Args:
        langs: codes its rows may have.

    Raises:
        TableError: a bad header, a row that is not a form, or a name given twice in one language.
    """
    table: dict[str, dict[str, Form]] = {lang: {} for lang in langs}
    for where, cells in read_table(path, COLUMNS):
        found = _form(dict(zip(COLUMNS, cells, strict=True)), where, langs)
        for name in (found.name, *cells[COLUMNS.index("aliases")].split()):
            if name in table[found.lang]:
                raise TableError(f"{where}: {name!r} already names a form of {found.lang}; expected a name of its own.")
            table[found.lang][name] = found
    return table


def _form(cells: dict[str, str], where: str, langs: Collection[str]) -> Form:
    lang, scheme, rhyme = cells["lang"], cells["scheme"], cells["rhyme"]
    if lang not in langs:
        raise TableError(f"{where}: language {lang!r}; expected one of {', '.join(langs)}.")
    if rhyme not in ("consonant", "assonant", "historical"):
        raise TableError(f"{where}: rhyme {rhyme!r}; expected consonant, assonant or historical.")
    letters = scheme.replace(" ", "")
    lone = sorted(letter for letter in set(letters) - {"x"} if letters.count(letter) == 1)
    if not letters.isalpha() or not letters.islower() or lone:
        raise TableError(f"{where}: scheme {scheme!r}; expected lower-case letters, x for a line without rhyme, no letter alone.")
    try:
        meters = tuple(tuple(int(length) for length in cell.split("|")) for cell in cells["meters"].split())
    except ValueError:
        raise TableError(f"{where}: meters {cells['meters']!r}; expected syllables such as 12, 10|11 or 8 6 8 6.") from None
    if len(meters) == 1:
        meters *= len(letters)
    if len(meters) != len(letters):
        raise TableError(f"{where}: {len(meters)} meters for {len(letters)} lines; expected one, or one a line.")
    return Form(cells["name"], lang, scheme, meters, cells["feet"], rhyme, cells["description"])
