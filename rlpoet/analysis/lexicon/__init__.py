"""Which words exist: word lists of the core languages, from verse and novels in the public domain.

A language's phonology says how a word sounds and guesses at what it has not seen; what it derives by rule may be no word at all
(*slightful*). A list of words that several authors have used settles that. ``data/README.md`` says how the lists were made.
"""

from __future__ import annotations

import functools
import gzip
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from rlpoet.analysis.lexicon.verbs import infinitives
from rlpoet.languages import code_of
from rlpoet.phonology import phonology

DATA = Path(__file__).parent / "data"
SPLIT_AT_APOSTROPHES = ("fr",)  # l'eau is two words, heav'n is one
LETTERS = {"fr": "aàoôy", "es": "aáeéoóuúy", "en": "aio"}  # words of one letter; the lists have every initial that authors print
ELIDED = {"fr": "cçdjlmnst", "es": "dlmnst", "en": "dlmst"}  # letters that an elision leaves: l'eau, i' th' sun, 't is
ENTRIES = {"fr": ("Lexique 3.82",), "en": ("CMUdict", "words.tsv")}  # sources of a sound that are entries of a lexicon, not rules

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
_SAME_LETTERS = str.maketrans({"’": "'", "ʼ": "'", "œ": "oe", "æ": "ae", "Œ": "Oe", "Æ": "Ae"})
_GOES_ON = re.compile(r"[^\W\d_]['-]?\s*$|[,;]\s*$")  # text after which a capital begins no sentence


@dataclass(frozen=True)
class Word:
    """A word where it stands in a line.

    Attributes:
        form: in the spelling of the lists.
        written: as it is written, ``oe`` for ``œ``, without an English ``'s``.
        elided: whether an apostrophe touches it (*l'*, *th'*, *'tis*), or it is the *t* of *a-t-il*.
        capital: whether it has a capital where neither a line nor a sentence begins.
    """

    form: str
    written: str
    elided: bool = False
    capital: bool = False


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


def listed_languages() -> tuple[str, ...]:
    """Codes of the languages that have a list, in alphabetical order.

    >>> listed_languages()
    ('en', 'es', 'fr')
    """
    return tuple(sorted(path.name.removesuffix(".txt.gz") for path in DATA.glob("*.txt.gz")))


def words(text: str, lang: str) -> list[str]:
    """The words of a text in the spelling of the lists: lower case, ``oe`` for ``œ``, no hyphens, no English ``'s``.

    >>> words("Peut-être l’Œil", "fr"), words("The lark's at heav'n’s gate", "en")
    (['peut', 'être', 'l', 'oeil'], ['the', 'lark', 'at', "heav'n", 'gate'])
    """
    return [form for form, *_ in _cut(unicodedata.normalize("NFC", text).translate(_SAME_LETTERS), code_of(lang))]


def words_in_place(line: str, lang: str) -> list[Word]:
    """The same words of one line, with what their place and their capitals say.

    >>> [(word.form, word.elided, word.capital) for word in words_in_place("L’ombre d'Hélène", "fr")]
    [('l', True, False), ('ombre', True, False), ('d', True, False), ('hélène', True, True)]
    >>> [word.written for word in words_in_place("Hark! Thus, O Thyrsis: Dawn's near.", "en") if word.capital]
    ['Thyrsis']
    """
    text, code = unicodedata.normalize("NFC", line).translate(_SAME_LETTERS), code_of(lang)
    found = []
    for form, written, start in _cut(text, code):
        before, after = text[max(start - 1, 0) : start], text[start + len(written) :][:1]
        elided = "'" in (before, after) or (code, form, before, after) == ("fr", "t", "-", "-")
        capital = len(written) > 1 and written.istitle() and _GOES_ON.search(text, max(start - 9, 0), start) is not None
        found.append(Word(form, written, elided, capital))
    return found


def _cut(text: str, code: str) -> list[tuple[str, str, int]]:
    """Form, spelling and start of each word of a text in NFC with its letters made the same."""
    found = []
    for match in _WORD.finditer(text):
        start, parts = match.start(), match[0].split("'") if code in SPLIT_AT_APOSTROPHES else [match[0]]
        for part in parts:
            written = part[:-2] if code == "en" and part.lower().endswith("'s") else part
            found.append((written.lower(), written, start))
            start += len(part) + 1
    return found


def pronounced(word: str, lang: str) -> bool:
    """Whether the pronouncing lexicon of a language has a word itself: Lexique in French, CMUdict in English, none in Spanish.

    What its phonology derives by rule, such as an inflection, a compound or an old spelling, does not count, since it may be no word.

    Args:
        word: in the spelling of the lists.

    >>> pronounced("toboggan", "en"), pronounced("slightful", "en"), pronounced("bergamasques", "fr"), pronounced("toboggan", "es")
    (True, False, True, False)
    """
    code = code_of(lang)
    if code not in ENTRIES:
        return False
    heard = phonology(code).transcribe(word)
    return heard.known and heard.source.partition(":")[0] in ENTRIES[code]


def conjugated(word: str, lang: str) -> bool:
    """Whether a word is a regular form of a verb that the list or the pronouncing lexicon has: French -er, Spanish -ar.

    >>> conjugated("rêverez", "fr"), conjugated("zorberez", "fr"), conjugated("culpáis", "es"), conjugated("zorbáis", "es")
    (True, False, True, False)
    """
    code = code_of(lang)
    return any(verb in (_listed(code) or ()) or pronounced(verb, code) for verb in infinitives(word, code))


def known(word: str, lang: str) -> bool:
    """Whether a word is in the list of its language, in its pronouncing lexicon, or a regular form of a verb that is.

    This is wider than ``unknown_words``, which asks the list alone.

    Args:
        word: in the spelling of the lists.

    >>> known("amour", "fr"), known("toboggan", "en"), known("culpáis", "es"), known("slightful", "en")
    (True, True, True, False)
    """
    return word in (lexicon(lang) or ()) or pronounced(word, lang) or conjugated(word, lang)


def unknown_words(text: str, lang: str) -> tuple[str, ...]:
    """Words of a text that the list of its language lacks, each once; none for a language without a list.

    >>> unknown_words("The slightful purplling gate", "en"), unknown_words("La penumba de la noche", "es")
    (('slightful', 'purplling'), ('penumba',))
    """
    listed = lexicon(lang)
    return () if listed is None else tuple(dict.fromkeys(word for word in words(text, lang) if word not in listed))
