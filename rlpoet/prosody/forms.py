"""Forms: scheme, number of lines and their lengths, refrains. One row per form in ``data/forms.tsv``, or in a language's folder."""

from __future__ import annotations

import dataclasses
import functools
import re
import unicodedata
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from pathlib import Path

from rlpoet.errors import RlpoetError, TableError, UnknownName
from rlpoet.languages import CORE, FORMS, codes, find
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.notation import LETTERS, is_open, repeats_of, scheme_of, signs
from rlpoet.prosody.rhyme import ASSONANT, rhyme_kind
from rlpoet.text.tables import read_table
from rlpoet.types import Form

RHYMES = ("consonant", "assonant", "historical", "radif")
MOST_RHYMES = 16  # marks for rhymes that policies have (``policies.formats.verse.LETTERS``)
MOST_LINES = 1000  # of an open form
REACH = 6  # lines within which the rhymes of a form of any length are kept apart: as far as they are heard
LONGEST_WHOLE = 14  # lines of a scheme of one's own whose rhymes are kept apart all through
SIZED = re.compile(r"(.+?)([:*])(\d{1,9})")
WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
COLUMNS = ["lang", "name", "scheme", "meters", "feet", "rhyme", "aliases", "description"]


def form(name: str, lang: str) -> Form:
    """The form of that name or alias in a language's tradition.

    An alias gives the form under its main name, so that two names of one form never become two forms. Three kinds of names need no row:

    - ``terza-rima:13``: an open form with that number of lines;
    - ``quatrain-abab*3``: a stanza three times, each time with rhymes of its own;
    - ``aaba/10|11``: any scheme (``rlpoet.prosody.notation``) and lengths, as in the table; ``aaba/`` leaves lengths free, and a kind of
      rhyme may follow: ``xaxa/8/assonant``.

    Raises:
        UnknownName: no such language, or no such form in it; the message says if another language has it.
        RlpoetError: the language has no forms; a scheme or a number of lines that cannot be.

    >>> form("redondilla", "es").name
    'quatrain-abba-8'
    >>> form("sonnet", "fr").pairs[:2]
    ((1, 2), (0, 3))
    >>> form("terza-rima:10", "en").scheme, form("couplet*2", "fr").scheme, form("aaba/8", "fr").n_lines
    ('aba bcb cdc d', 'aa bb', 4)
    """
    name = unicodedata.normalize("NFC", name).strip()
    if "/" in name:
        return _free(name, lang)
    named = _names(lang)
    language = find(lang).language
    key = name.lower()
    match = SIZED.fullmatch(key) if key not in named else None
    if match and match[1] in named:
        base, n = named[match[1]], int(match[3])
        found = sized(base, n) if match[2] == ":" else repeated(base, n)
        if found is None and match[2] == ":":
            raise RlpoetError(f"form {name!r}: {base.name} cannot have {n} lines; expected {_sizes(base)}.")
        if found is None:
            raise RlpoetError(f"form {name!r}: {base.name} cannot come {n} times; expected a stanza without refrains, and 1 or more.")
        return found
    if key not in named:
        elsewhere = [other for other in codes() if other != language.code and key in _names(other)]
        fix = f"It is a form of {' and '.join(elsewhere)}: set the language." if elsewhere else ""
        if not named:
            raise RlpoetError(f"form {name!r}: {language.name} has no forms yet; expected a table. Put a forms.tsv into its folder.")
        raise UnknownName(f"form ({lang})", name, named, fix=fix)
    return named[key]


def form_to_write(name: str, lang: str) -> Form:
    """The form of that name, for a policy that is to write it.

    Raises:
        UnknownName: see ``form``.
        RlpoetError: a form that policies cannot be asked for; the message says why.
    """
    asked = form(name, lang)
    if why := unwritable(asked):
        raise RlpoetError(
            f"form {asked.name!r}: {why}, which policies cannot be asked for; expected a form without that. `rlpoet score` judges them."
        )
    return asked


def unwritable(asked: Form) -> str:
    """Why no policy can be asked for a form: what it needs that their formats lack; empty if nothing.

    >>> unwritable(form("sonnet", "fr")), unwritable(form("triolet", "fr"))
    ('', 'it repeats lines')
    """
    if asked.repeats:
        parts = {repeat.part for repeat in asked.repeats}
        return "it repeats " + ("lines" if "line" in parts else "the beginning of its first line" if "opening" in parts else "end words")
    if asked.rhyme == "radif":
        return "its rhyming lines end in the same words"
    if not all(asked.meters):
        return "it leaves the length of lines free"
    if len(set(asked.letters) - {"x"}) > MOST_RHYMES:
        return f"it has more than {MOST_RHYMES} rhymes"
    return ""


@functools.lru_cache(maxsize=4096)
def sized(asked: Form, n_lines: int) -> Form | None:
    """An open form with that many lines, or a form that has so many; None where it cannot have them.

    >>> sized(form("terza-rima", "en"), 4).scheme, sized(form("terza-rima", "en"), 5), sized(form("couplet", "en"), 2).name
    ('aba b', None, 'couplet')
    """
    if asked.n_lines == n_lines:
        return asked
    if n_lines > MOST_LINES or not is_open(asked.notation):
        return None
    lines = signs(asked.notation, n_lines)
    if not lines:
        return None
    return dataclasses.replace(
        asked,
        name=f"{asked.name}:{n_lines}",
        scheme=scheme_of(lines),
        meters=asked.meters[:1] * n_lines,
        repeats=repeats_of(lines),
        reach=None if asked.rhyme == "radif" else REACH,
    )


@functools.lru_cache(maxsize=4096)
def repeated(asked: Form, times: int) -> Form | None:
    """A form of one stanza so many times, with new rhymes each time; None where a form has several stanzas, or refrains.

    >>> repeated(form("ballad", "en"), 2).scheme
    'xaxa xbxb'
    """
    if times == 1:
        return asked
    if times < 1 or times * asked.n_lines > MOST_LINES or " " in asked.scheme or asked.repeats or is_open(asked.notation):
        return None
    own = [letter for letter in dict.fromkeys(asked.letters) if letter != "x"]
    stanzas = []
    for turn in range(times):
        new = {letter: LETTERS[(turn * len(own) + k) % len(LETTERS)] for k, letter in enumerate(own)}
        stanzas.append("".join(new.get(letter, letter) for letter in asked.letters))
    return dataclasses.replace(
        asked, name=f"{asked.name}*{times}", scheme=" ".join(stanzas), notation="", meters=asked.meters * times, reach=0
    )


def _sizes(asked: Form) -> str:
    if not is_open(asked.notation):
        return f"{asked.n_lines}"
    return ", ".join(str(n) for n in range(1, 60) if signs(asked.notation, n))[:20].rpartition(",")[0] + " ..."


@functools.lru_cache(maxsize=4096)
def _free(name: str, lang: str) -> Form:
    """A form by its scheme and lengths, ``aaba/10|11``; a letter that stands alone is a line without rhyme."""
    scheme, meters, rhyme = (*name.split("/", 2), "")[:3]
    scheme = " ".join(scheme.split())
    if scheme.replace(" ", "").isalpha():
        own = scheme.lower()
        scheme = "".join("x" if letter.islower() and own.count(letter) == 1 else letter for letter in scheme)
    cells = {"lang": find(lang).language.code, "name": name, "scheme": scheme, "meters": meters, "feet": ""}
    where = f"form {name!r}"
    try:
        found = _form(cells | {"rhyme": rhyme.strip() or "consonant", "description": "a scheme of one's own"}, where, (cells["lang"],))
    except TableError as error:
        raise RlpoetError(str(error)) from None
    return dataclasses.replace(found, lang=lang, reach=REACH if found.n_lines > LONGEST_WHOLE else None)


def forms(lang: str) -> tuple[Form, ...]:
    """Every form of a language, in the order of the table, commonest first.

    Raises:
        UnknownName: no such language.
    """
    return tuple(dict.fromkeys(_names(lang).values()))


def names_of(form: Form) -> tuple[str, ...]:
    """The names by which a form of a table can be asked for, its main name first.

    >>> [names_of(one)[:2] for one in forms("es") if one.name == "quatrain-abba-8"]
    [('quatrain-abba-8', 'redondilla')]
    """
    return tuple(name for name, own in _names(form.lang).items() if own is form or own == form)


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


def before_radif(lines: Sequence[str], asked: Form) -> list[str]:
    """The lines without the words in which all rhyming lines of a ghazal end; of other forms, the lines as they are.

    >>> before_radif(["the night is long", "my road is long", "a bird", "a load is long"], form("aaxa//radif", "en"))
    ['the night', 'my road', 'a bird', 'a load']
    """
    if asked.rhyme != "radif":
        return list(lines)
    rhyming = [n for n, letter in enumerate(asked.letters[: len(lines)]) if letter != "x"]
    words = {n: WORD.findall(lines[n].casefold()) for n in rhyming}
    shared = 0
    while rhyming and all(len(own) > shared + 1 for own in words.values()) and len({own[-1 - shared] for own in words.values()}) == 1:
        shared += 1
    out = list(lines)
    for n in rhyming if shared else ():
        out[n] = lines[n][: list(WORD.finditer(lines[n]))[-shared].start()].rstrip()
    return out


def repeats_line(a: str, b: str, part: str, lang: str) -> bool:
    """Whether line ``b`` repeats line ``a``: its words, its end word, or as an ``opening`` its first words.

    A refrain may change a third of its words, as poets let it, but not the last one.

    >>> repeats_line("Ombre, va dormir !", "ombre va, dormir...", "line", "fr"), repeats_line("Le jour dort", "Le jour", "opening", "fr")
    (True, True)
    >>> repeats_line("la nuit sombre", "la mer sombre", "word", "fr"), repeats_line("la nuit sombre", "la mer", "word", "fr")
    (True, False)
    """
    if part == "word":
        return bool(end_of(b, lang).stem) and end_of(a, lang).stem == end_of(b, lang).stem
    first, second = (WORD.findall(line.casefold().replace("’", "'")) for line in (a, b))
    if part == "opening":
        return bool(second) and first[: len(second)] == second
    if not first or not second or first[-1] != second[-1]:
        return False
    kept = sum(block.size for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks())
    return 3 * kept >= 2 * max(len(first), len(second))


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
    lang, notation, rhyme = cells["lang"], cells["scheme"], cells["rhyme"]
    if lang not in langs:
        raise TableError(f"{where}: language {lang!r}; expected one of {', '.join(langs)}.")
    if rhyme not in RHYMES:
        raise TableError(f"{where}: rhyme {rhyme!r}; expected {', '.join(RHYMES[:-1])} or {RHYMES[-1]}.")
    try:
        lines = signs(notation)
    except ValueError:
        lines = ()
    scheme = scheme_of(lines)
    letters = scheme.replace(" ", "")
    lone = [letter for letter in set(letters) - {"x"} if letters.count(letter) == 1]
    if not lines or lone:
        raise TableError(
            f"{where}: scheme {notation!r}; expected letters, x for a line without rhyme, capitals for refrains, no letter alone."
        )
    try:
        meters = tuple(() if cell == "-" else tuple(map(int, cell.split("|"))) for cell in cells["meters"].split())
    except ValueError:
        raise TableError(f"{where}: meters {cells['meters']!r}; expected syllables such as 12, 10|11 or 8 6 8 6, - for any.") from None
    if not meters and "/" in cells["name"]:
        meters = ((),)
    if len(meters) == 1:
        meters *= len(letters)
    if len(meters) != len(letters):
        raise TableError(f"{where}: {len(meters)} meters for {len(letters)} lines; expected one, or one a line.")
    if is_open(notation) and len(set(meters)) > 1:
        raise TableError(f"{where}: several meters in an open form; expected one for all lines.")
    return Form(cells["name"], lang, scheme, meters, cells["feet"], rhyme, cells["description"], notation, repeats_of(lines))
