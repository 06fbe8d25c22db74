"""The contract of a verse language as a test: run it on your own language before you score or train with it.

>>> from rlpoet.prosody import verse
>>> check_verse(verse("es"), rhyming=[("la vida", "querida")], lengths={"Cuando me paro a contemplar mi estado": 11})
"""

from __future__ import annotations

import functools
import itertools
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlpoet.errors import BrokenContractError
from rlpoet.protocols import Verse
from rlpoet.types import Ending, Pronunciation, Scansion

PROMISED = ("code", "rhyming", "endings", "kind", "key", "scan", "words", "why", "meter_name")
TARGETS = (None, 1, 8, 12)
WORDLESS = ("", " ", "?!", "…", "—", "\u200b", "🌹")
ODD_LINES = (
    "a",
    "l’été s'en va",
    "E\u0301TE\u0301",
    "ÉTÉ",
    "ñandú corazón razón",
    "Que d'amours, qu'hier !",
    "brrr",
    "pst",
    "Œuvre æther ß İstanbul",
    "Шекспир 詩 שיר",
    "12 o'clock, 1850",
    "12 345",
    "\ud83d\x00",
    "-- a-b-c ''d'' e'",
    "y" * 300,
    "e" * 300,
    "la " * 300,
)  # fmt: skip


def check_verse(
    verse: Verse,
    *,
    lines: Sequence[str] = (),
    rhyming: Sequence[tuple[str, str]] = (),
    apart: Sequence[tuple[str, str]] = (),
    lengths: Mapping[str, int] | None = None,
) -> None:
    """Test a language against the contract of ``rlpoet.protocols.Verse``.

    Args:
        verse: the language.
        lines: lines of verse in it; unusual texts are always tested too.
        rhyming: pairs of lines that must rhyme in full and share a key.
        apart: pairs of lines that must not rhyme.
        lengths: lines, each with the number of syllables of its likeliest reading.

    Raises:
        BrokenContractError: names the promise that was broken, and the line that shows it.
    """
    missing = [name for name in PROMISED if not hasattr(verse, name)]
    if missing or not isinstance(verse.code, str) or not verse.code:
        lack = f"no {', '.join(missing)}" if missing else f"code {verse.code!r}"
        raise BrokenContractError(f"{type(verse).__name__}: {lack}; expected a code and the methods of rlpoet.protocols.Verse.")
    if not verse.rhyming or not all(isinstance(kind, str) for kind in verse.rhyming):
        raise BrokenContractError(f"{verse.code}: rhyming is {verse.rhyming!r}; expected the kinds that count as a full rhyme.")
    pool = list(dict.fromkeys([*lines, *itertools.chain(*rhyming, *apart), *(lengths or {}), *ODD_LINES]))
    for line in WORDLESS:
        endings = _attempt(verse, line, functools.partial(verse.endings, line), "endings raised")
        if endings != ():
            raise _broken(verse, line, f"endings are {endings!r:.60}; expected none, since it has no word")
    for line in (*pool, *WORDLESS):
        _check_endings(verse, line)
        _check_scan(verse, line)
        _check_words(verse, line)
        _check_spelling(verse, line)
    _check_kinds(verse, pool)
    _check_again(verse, pool)
    for a, b in rhyming:
        _check_pair(verse, a, b)
    for a, b in apart:
        if kind := next((k for k in _kinds(verse, a, b) if k in verse.rhyming), None):
            raise _broken(verse, f"{a} / {b}", f"rhyme ({kind}); expected no full rhyme")
    for line, length in (lengths or {}).items():
        counted = verse.scan(line).syllables
        if counted != length or not verse.scan(line, length).fits:
            raise _broken(verse, line, f"has {counted} syllables; expected {length}, and that it fits {length}")


def _check_endings(verse: Verse, line: str) -> None:
    endings = _attempt(verse, line, lambda: verse.endings(line), "endings raised")
    if not isinstance(endings, tuple):
        raise _broken(verse, line, f"endings are a {type(endings).__name__}; expected a tuple")
    for end in endings:
        if not end.word or not end.phones or not 0 <= end.start <= len(end.word):
            raise _broken(verse, line, f"ending {end!r:.90}; expected a word, phones, and a start inside the word")
        key = _attempt(verse, line, functools.partial(verse.key, end), "key raised")
        if not isinstance(key, str) or not key or any(c in key for c in "<|>\n\t "):
            raise _broken(verse, line, f"key {key!r}; expected a short label without spaces, <, | or >")


def _check_scan(verse: Verse, line: str) -> None:
    for target in TARGETS:
        scansion: Scansion = _attempt(verse, line, functools.partial(verse.scan, line, target), f"scan to {target} raised")
        if scansion.line != line:
            raise _broken(verse, line, f"scan gives back the line {scansion.line!r:.40}; expected it as given")
        if (target is None) != (scansion.fits is None):
            raise _broken(verse, line, f"fits is {scansion.fits!r} for target {target}; expected None without a target, else a bool")
        if scansion.fits and scansion.syllables != target:
            raise _broken(verse, line, f"fits {target} with {scansion.syllables} syllables; expected {target}")
        counted = sum(unit.counts for unit in scansion.units)
        if counted != scansion.syllables:
            raise _broken(verse, line, f"{counted} units count and there are {scansion.syllables} syllables; expected one number")
        written = "".join(unit.text for unit in scansion.units)
        if unicodedata.normalize("NFC", written) != unicodedata.normalize("NFC", line):
            raise _broken(verse, line, f"the units spell {written!r:.60}; expected the line")
        if scansion.stress is not None and (len(scansion.stress) != scansion.syllables or set(scansion.stress) - {"+", "-"}):
            raise _broken(verse, line, f"stress is {scansion.stress!r:.40} for {scansion.syllables} syllables; expected + or - for each")
        name = _attempt(verse, line, functools.partial(verse.meter_name, scansion), "meter_name raised")
        if not isinstance(name, str):
            raise _broken(verse, line, f"meter_name gives {name!r}; expected a text, empty where there is no name")


def _check_words(verse: Verse, line: str) -> None:
    at = 0
    for word in _attempt(verse, line, lambda: verse.words(line), "words raised"):
        if not at <= word.start < word.end <= len(line):
            raise _broken(verse, line, f"a word at {word.start}:{word.end} after {at}; expected words in order, inside the line")
        at = word.end
        if not word.heard.pronunciations and any(map(str.isalpha, line[word.start : word.end])):
            raise _broken(verse, line, f"{line[word.start : word.end]!r} has no pronunciation; expected one, a guess if need be")
        for way in word.heard.pronunciations:
            _check_way(verse, line, way)


def _check_way(verse: Verse, line: str, way: Pronunciation) -> None:
    places = list(way.nuclei)
    inside = all(0 <= place < len(way.phones) for place in places) and 0 <= way.stress < max(len(places), 1)
    if not inside or places != sorted(set(places)):
        raise _broken(verse, line, f"{way!r:.90}; expected nuclei that ascend inside the phones, and the stress on one of them")


def _check_spelling(verse: Verse, line: str) -> None:
    """The encoding of letters must not change the result."""
    for how, other in (
        ("composed", unicodedata.normalize("NFC", line)),
        ("decomposed", unicodedata.normalize("NFD", line)),
        ("with curly apostrophes", line.replace("'", "’")),
    ):
        same = _attempt(verse, other, functools.partial(verse.endings, other), f"endings {how} raised")
        if {end.phones for end in same} != {end.phones for end in verse.endings(line)}:
            raise _broken(verse, line, f"ends otherwise when it is written {how}; expected the same sounds")
        if verse.scan(other).syllables != verse.scan(line).syllables:
            raise _broken(verse, line, f"has another length when it is written {how}; expected the same")


def _check_kinds(verse: Verse, pool: Sequence[str]) -> None:
    ends: list[Ending] = list(dict.fromkeys(end for line in pool for end in verse.endings(line)))
    for a, b in itertools.combinations_with_replacement(ends[:60], 2):
        both = f"{a.word} / {b.word}"
        forward = _attempt(verse, both, functools.partial(verse.kind, a, b), "kind raised")
        back = _attempt(verse, both, functools.partial(verse.kind, b, a), "kind raised")
        if forward != back:
            raise _broken(verse, both, f"kind is {forward!r} and {back!r} the other way round; expected one kind")
        if a.word == b.word and forward != "identical":
            raise _broken(verse, both, f"kind is {forward!r}; expected 'identical' of a word with itself")
        sentences = _attempt(verse, both, functools.partial(verse.why, a, b), "why raised")
        if not isinstance(sentences, tuple) or not all(isinstance(sentence, str) and sentence for sentence in sentences):
            raise _broken(verse, both, f"why gives {sentences!r:.60}; expected a tuple of sentences")
    if "identical" in verse.rhyming:
        raise BrokenContractError(f"{verse.code}: 'identical' counts as a rhyme; expected that a word never rhymes with itself.")


def _check_again(verse: Verse, pool: Sequence[str]) -> None:
    """Earlier calls must not change a result."""
    first = [(verse.endings(line), verse.scan(line)) for line in pool]
    for line, (ends, scansion) in reversed(list(zip(pool, first, strict=True))):
        if verse.endings(line) != ends or verse.scan(line) != scansion:
            raise _broken(verse, line, "is heard otherwise the second time; expected the same")


def _check_pair(verse: Verse, a: str, b: str) -> None:
    kinds = _kinds(verse, a, b)
    if not verse.rhyming.intersection(kinds):
        names = ", ".join(sorted({kind or "no rhyme" for kind in kinds})) or "without a word"
        raise _broken(verse, f"{a} / {b}", f"are {names}; expected a full rhyme")
    if not {verse.key(end) for end in verse.endings(a)} & {verse.key(end) for end in verse.endings(b)}:
        raise _broken(verse, f"{a} / {b}", "rhyme and share no key; expected one, since rhymes are planned by it")


def _kinds(verse: Verse, a: str, b: str) -> list[str | None]:
    return [verse.kind(x, y) for x in verse.endings(a) for y in verse.endings(b)]


def _attempt(verse: Verse, line: str, act: Callable[[], Any], what: str) -> Any:
    try:
        return act()
    except Exception as error:  # whatever it is, it is the finding
        raise _broken(verse, line, f"{what} ({type(error).__name__}: {error}); expected no exception on any text") from error


def _broken(verse: Verse, line: str, what: str) -> BrokenContractError:
    return BrokenContractError(f"{verse.code}: {what}." + (f" The line was {line[:60]!r}." if line else ""))
