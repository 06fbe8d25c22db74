"""The table of fixed forms: which rhyme, how many lines, how long. One row a form in ``data/forms.tsv``."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

from rlpoet.errors import TableError, UnknownName
from rlpoet.phonology import LANGUAGES
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.types import Form

TABLE = Path(__file__).parent / "data" / "forms.tsv"
ASSONANT = frozenset({"assonant", "asonante"})  # as English and Spanish handbooks spell it
COLUMNS = ["lang", "name", "scheme", "meters", "feet", "rhyme", "aliases", "description"]


def form(name: str, lang: str) -> Form:
    """The form of that name or alias in a language's tradition.

    An alias gives the form under its own name, so that two names of one form never become two.

    Raises:
        UnknownName: no such language, or no such form in it; a form of another language is named as such.

    >>> form("redondilla", "es").name
    'quatrain-abba-8'
    >>> form("sonnet", "fr").pairs[:2]
    ((1, 2), (0, 3))
    """
    named = _names(lang)
    key = unicodedata.normalize("NFC", name).strip().lower()
    if key not in named:
        elsewhere = [other for other in LANGUAGES if key in _names(other)]
        fix = f"It is a form of {' and '.join(elsewhere)}: set the language." if elsewhere else ""
        raise UnknownName(f"form ({lang})", name, named, fix=fix)
    return named[key]


def forms(lang: str) -> tuple[Form, ...]:
    """Every form of a language, in the order of the table, commonest first.

    Raises:
        UnknownName: no such language.
    """
    return tuple(dict.fromkeys(_names(lang).values()))


def answers(a: str, b: str, asked: Form) -> bool:
    """Whether two lines rhyme as a form wants it: in full, or at least in assonance where the form is assonant.

    >>> answers("el mar", "San Juan", form("romance", "es")), answers("el mar", "San Juan", form("pareado", "es"))
    (True, False)
    """
    kind = rhyme_kind(a, b, asked.lang)
    return kind in verse(asked.lang).rhyming or (asked.rhyme == "assonant" and kind in ASSONANT)


@functools.cache
def _names(lang: str) -> dict[str, Form]:
    if lang not in LANGUAGES:
        raise UnknownName("language", lang, LANGUAGES)
    return load(TABLE)[lang]


@functools.cache
def load(path: Path) -> dict[str, dict[str, Form]]:
    """Read a table of forms: language -> name or alias -> form.

    Raises:
        TableError: a bad header, a row that is not a form, or a name given twice in one language.
    """
    table: dict[str, dict[str, Form]] = {lang: {} for lang in LANGUAGES}
    header_seen = False
    for number, row in enumerate(unicodedata.normalize("NFC", path.read_text(encoding="utf-8")).split("\n"), start=1):
        where = f"{path.name}:{number}"
        if not row.strip() or row.startswith("%"):
            continue
        cells = row.split("\t")
        if not header_seen:
            if cells != COLUMNS:
                raise TableError(f"{where}: header is {cells}; expected {COLUMNS}.")
            header_seen = True
            continue
        if len(cells) != len(COLUMNS):
            raise TableError(f"{where}: {len(cells)} columns; expected {len(COLUMNS)}.")
        found = _form(dict(zip(COLUMNS, cells, strict=True)), where)
        for name in (found.name, *cells[COLUMNS.index("aliases")].split()):
            if name in table[found.lang]:
                raise TableError(f"{where}: {name!r} already names a form of {found.lang}; expected a name of its own.")
            table[found.lang][name] = found
    return table


def _form(cells: dict[str, str], where: str) -> Form:
    lang, scheme, rhyme = cells["lang"], cells["scheme"], cells["rhyme"]
    if lang not in LANGUAGES:
        raise TableError(f"{where}: language {lang!r}; expected one of {', '.join(LANGUAGES)}.")
    if rhyme not in ("consonant", "assonant"):
        raise TableError(f"{where}: rhyme {rhyme!r}; expected consonant or assonant.")
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
