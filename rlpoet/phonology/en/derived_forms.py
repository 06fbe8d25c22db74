"""Words that CMUdict lacks, derived from words that it has: elisions, endings, prefixes, compounds, older spellings.

Each function returns ``(phones, source)`` pairs or nothing; the tables are ordered and the first row that
reaches a known word decides. Early Modern print (haue, vnto, ioy) is covered by the commonest rows only.
"""

from __future__ import annotations

import functools
import re

from rlpoet.phonology.en.tables import DATA, Phones, is_vowel, known_phones
from rlpoet.tables import read_table, table_lines

SourcedPhones = tuple[tuple[Phones, str], ...]

LONGEST = 40  # letters: no English word is longer, and the searches below are not linear: longer strings are guessed
SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"})
ELIDED = re.compile(r"^([a-z]+)'(r|n|l|m|v)([a-z]*)$")  # heav'n, pow'rs, glitt'ring; not maiden's, lov'd, mak'st
SYNCOPE = re.compile(r"^([a-z]*[aeiou][a-z]*[bdfgkptv])(r)(ing|ed|ous)$")  # wandring: older print without the sign
VOWEL_LETTERS = re.compile(r"[aeiouy]+")


def allomorph(stem: Phones, ending: str) -> Phones:
    """What an ending adds after these phones: ``PAST`` and ``PLURAL`` depend on the last one."""
    out: list[str] = []
    for part in ending.replace("+", " ").split():
        last = (stem + tuple(out))[-1].rstrip("012")
        if part == "PAST":
            out += ["IH0", "D"] if last in ("T", "D") else ["T"] if last in VOICELESS else ["D"]
        elif part == "PLURAL":
            out += ["IH0", "Z"] if last in SIBILANTS else ["S"] if last in VOICELESS else ["Z"]
        elif part != "0":
            out.append(part)
    return tuple(out)


@functools.cache
def _endings() -> dict[str, tuple[tuple[str, str, tuple[str, ...], str], ...]]:
    """The rows of ``endings.tsv`` by their last letter, in order."""
    table: dict[str, list[tuple[str, str, tuple[str, ...], str]]] = {}
    for where, (strip, put, phones, _) in read_table(DATA / "endings.tsv", ("strip", "put", "phones", "example")):
        table.setdefault(strip[-1], []).append((where, strip, tuple(put.split("|")), phones))
    return {last: tuple(found) for last, found in table.items()}


@functools.cache
def _vocabulary() -> frozenset[str]:
    return frozenset(word for _, word in table_lines(DATA / "vocabulary.tsv", ("word",)))


@functools.cache
def _prefixes() -> tuple[tuple[str, str, Phones], ...]:
    found = read_table(DATA / "prefixes.tsv", ("prefix", "phones", "example"))
    return tuple((where, prefix, tuple(phones.split())) for where, (prefix, phones, _) in found)


Respelling = tuple[str, str, re.Pattern[str], str]  # row, letters the pattern cannot do without, the pattern, its replacement
NEEDLESS = re.compile(r"\(\?=.*$|\(\?<[=!][^)]*\)|\([^)]*\)|\[[^]]*\]|[a-z]\?|\\.|[$^]")


@functools.cache
def _spellings(when: str) -> tuple[Respelling, ...]:
    found = []
    for where, (at, find, put, _) in read_table(DATA / "spellings.tsv", ("when", "find", "put", "example")):
        if at == when:
            needed = max(NEEDLESS.sub(" ", find).split(), key=len, default="")
            found.append((where, needed, re.compile(find), put))
    return tuple(found)


def respellings(word: str, when: tuple[str, ...]) -> list[tuple[str, str]]:
    """What each row of ``spellings.tsv`` makes of a word, with the row."""
    return [
        (where, pattern.sub(put, word))
        for table in when
        for where, needed, pattern, put in _spellings(table)
        if needed in word and pattern.search(word)
    ]


def stems(rest: str, puts: tuple[str, ...]) -> list[str]:
    """Possible spellings of the stem: ``begg`` with ``0|e|2`` gives begg, begge, beg."""
    candidates = []
    for put in puts:
        if put == "2":
            if len(rest) > 2 and rest[-1] == rest[-2]:
                candidates.append(rest[:-1])
        else:
            candidates.append(rest if put == "0" else rest + put)
    return [stem for stem in candidates if len(stem) > 1]


def elided(word: str) -> SourcedPhones:
    """Words in which an apostrophe replaces a vowel: the full word without that syllable. ``heav'n`` is heaven in one syllable."""
    match = ELIDED.match(word) or SYNCOPE.match(word)
    if match is None:
        return ()
    left, letter, right = match.groups()
    at = len(VOWEL_LETTERS.findall(left))
    for vowel in "eioa":
        whole = known_phones(left + vowel + letter + right) or inflected(left + vowel + letter + right)
        for phones, source in whole:
            nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
            if len(nuclei) > at and phones[nuclei[at]].endswith("0"):
                i = nuclei[at]
                consonant = ("R",) if phones[i] == "ER0" else ()
                return ((phones[:i] + consonant + phones[i + 1 :], f"elided: {source}"),)
        if whole:
            return whole
    return ()


def inflected(word: str, deep: bool = True) -> SourcedPhones:
    """A known stem and an ending of ``endings.tsv``; the stem may itself carry one (wearied-ly)."""
    for where, strip, puts, ending in _endings().get(word[-1:], ()):
        if not word.endswith(strip) or len(word) <= len(strip):
            continue
        for stem in stems(word[: -len(strip)], puts):
            if len(stem) < 3 and "'" not in strip:
                continue
            stem_phones = known_phones(stem) or (inflected(stem, deep=False) if deep and len(stem) > 3 else ())
            if stem_phones:
                return tuple((phones + allomorph(phones, ending), where) for phones, _ in stem_phones)
    return ()


def syllabic(pronunciations: SourcedPhones) -> SourcedPhones:
    """``-èd`` as a separate syllable: inflamèd, wingèd. Takes the pronunciations of the word without its accent."""
    return tuple((phones if is_vowel(phones[-2]) else (*phones[:-1], "IH0", "D"), "èd") for phones, _ in pronunciations if len(phones) > 2)


def prefixed(word: str) -> SourcedPhones:
    """A prefix of ``prefixes.tsv`` before a known or inflected word of three letters or more."""
    for where, prefix, phones in _prefixes():
        if word.startswith(prefix) and len(word) - len(prefix) > 2:
            rest = word[len(prefix) :]
            rest_phones = known_phones(rest) or inflected(rest)
            if rest_phones:
                return tuple((phones + tail, where) for tail, _ in rest_phones)
    return ()


def compound(word: str) -> SourcedPhones:
    """Two words of ``vocabulary.tsv``, the second as long as possible; its stress becomes secondary."""
    common = _vocabulary()
    for cut in range(3, len(word) - 2) if word.isalpha() else ():
        if word[:cut] in common and word[cut:] in common:
            first, second = known_phones(word[:cut]), known_phones(word[cut:])
            if not first or not second:  # the vocabulary is of another lexicon
                continue
            return tuple((first[0][0] + tuple(p.replace("1", "2") for p in tail), "compound") for tail, _ in second)
    return ()


def respelt(word: str, when: str) -> SourcedPhones:
    """The word in the lexicon's spelling, by one row of ``spellings.tsv``, or by two rows for ``late``."""
    once = respellings(word, ("early",) if when == "early" else ("early", "late"))
    for where, form in once:
        pronunciations = known_phones(form)
        if pronunciations:
            return tuple((phones, where) for phones, _ in pronunciations)
    if when == "early":
        return ()
    for where, form in once:
        pronunciations = inflected(form)
        if pronunciations:
            return tuple((phones, where) for phones, _ in pronunciations)
    for where, form in once:
        for _, twice in respellings(form, ("early", "late")):
            pronunciations = known_phones(twice) if twice != word else ()
            if pronunciations:
                return tuple((phones, where) for phones, _ in pronunciations)
    return ()


def formed(word: str) -> SourcedPhones:
    """Tries every derivation of this module in order, closest to the lexicon first."""
    if word.endswith("s") and word[:-1] in _vocabulary():  # smites, before the older spelling of a plural (teares)
        pronunciations = inflected(word)
        if pronunciations:
            return pronunciations
    ways = (elided, lambda w: respelt(w, "early"), inflected, prefixed, lambda w: respelt(w, "late"), compound)
    for way in ways:
        pronunciations = way(word)
        if pronunciations:
            return pronunciations
    return ()
