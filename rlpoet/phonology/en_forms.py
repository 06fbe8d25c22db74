"""Words CMUdict lacks, made from words it has: elisions, endings, prefixes, compounds, older spellings.

Each function returns ``(phones, source)`` pairs or nothing; the tables are ordered and the first row that
reaches a known word decides. Early Modern print (haue, vnto, ioy) is covered by the commonest rows only.
"""

from __future__ import annotations

import functools
import re

from rlpoet.phonology.en_tables import Phones, is_vowel, known_phones, rows

Found = tuple[tuple[Phones, str], ...]

LONGEST = 40  # letters: no English word is longer, and the searches below are not linear: longer strings are guessed
SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"})
ELIDED = re.compile(r"^([a-z]+)'(r|n|l|m|v)([a-z]*)$")  # heav'n, pow'rs, glitt'ring; not maiden's, lov'd, mak'st
SYNCOPE = re.compile(r"^([a-z]*[aeiou][a-z]*[bdfgkptv])(r)(ing|ed|est|eth|ous)$")  # wandring: older print without the sign
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
def _endings() -> tuple[tuple[str, str, tuple[str, ...], str], ...]:
    return tuple((where, strip, tuple(put.split("|")), phones) for where, (strip, put, phones, _) in rows("endings.tsv"))


@functools.cache
def _prefixes() -> tuple[tuple[str, str, Phones], ...]:
    return tuple((where, prefix, tuple(phones.split())) for where, (prefix, phones, _) in rows("prefixes.tsv"))


@functools.cache
def _spellings(when: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    return tuple((where, re.compile(find), put) for where, (at, find, put, _) in rows("spellings.tsv") if at == when)


def stems(rest: str, puts: tuple[str, ...]) -> list[str]:
    """Spellings the stem may have had: ``begg`` with ``0|e|2`` gives begg, begge, beg."""
    found = []
    for put in puts:
        if put == "2":
            if len(rest) > 2 and rest[-1] == rest[-2]:
                found.append(rest[:-1])
        else:
            found.append(rest if put == "0" else rest + put)
    return [stem for stem in found if len(stem) > 1]


def elided(word: str) -> Found:
    """An apostrophe for a vowel: the full word less that syllable. ``heav'n`` is heaven in one."""
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
                kept = ("R",) if phones[i] == "ER0" else ()
                return ((phones[:i] + kept + phones[i + 1 :], f"elided: {source}"),)
        if whole:
            return whole
    return ()


def inflected(word: str, deep: bool = True) -> Found:
    """A known stem and an ending of ``endings.tsv``; the stem may itself carry one (wearied-ly)."""
    for where, strip, puts, ending in _endings():
        if not word.endswith(strip) or len(word) <= len(strip):
            continue
        for stem in stems(word[: -len(strip)], puts):
            if len(stem) < 3 and "'" not in strip:
                continue
            found = known_phones(stem) or (inflected(stem, deep=False) if deep and len(stem) > 3 else ())
            if found:
                return tuple((phones + allomorph(phones, ending), where) for phones, _ in found)
    return ()


def syllabic(found: Found) -> Found:
    """``-èd`` is a syllable of its own: inflamèd, wingèd. Takes the pronunciations of the word less its accent."""
    return tuple((phones if is_vowel(phones[-2]) else (*phones[:-1], "IH0", "D"), "èd") for phones, _ in found if len(phones) > 2)


def prefixed(word: str) -> Found:
    """A prefix of ``prefixes.tsv`` before a known or inflected word of three letters or more."""
    for where, prefix, phones in _prefixes():
        if word.startswith(prefix) and len(word) - len(prefix) > 2:
            rest = word[len(prefix) :]
            found = known_phones(rest) or inflected(rest)
            if found:
                return tuple((phones + tail, where) for tail, _ in found)
    return ()


def compound(word: str) -> Found:
    """Two known words of three letters or more, the second as long as can be; its stress becomes secondary."""
    for cut in range(3, len(word) - 2) if word.isalpha() else ():
        first, second = known_phones(word[:cut]), known_phones(word[cut:])
        if first and second:
            return tuple((first[0][0] + tuple(p.replace("1", "2") for p in tail), "compound") for tail, _ in second)
    return ()


def respelt(word: str, when: str) -> Found:
    """The word in the lexicon's spelling, by one row of ``spellings.tsv`` or, for ``late``, by two."""
    once = [(where, pattern.sub(put, word)) for where, pattern, put in _spellings(when) if pattern.search(word)]
    if when == "late":
        once = [(where, p.sub(put, word)) for where, p, put in _spellings("early") if p.search(word)] + once
    for where, form in once:
        found = known_phones(form)
        if found:
            return tuple((phones, where) for phones, _ in found)
    if when == "early":
        return ()
    for where, form in once:
        found = inflected(form)
        if found:
            return tuple((phones, where) for phones, _ in found)
    for where, form in once:
        for _, pattern, put in _spellings("early") + _spellings("late"):
            if pattern.search(form):
                twice = pattern.sub(put, form)
                found = known_phones(twice) if twice != word else ()
                if found:
                    return tuple((phones, where) for phones, _ in found)
    return ()


def formed(word: str) -> Found:
    """Every way of this module in order, nearest to the lexicon first."""
    ways = (elided, lambda w: respelt(w, "early"), inflected, prefixed, lambda w: respelt(w, "late"), compound)
    for way in ways:
        found = way(word)
        if found:
            return found
    return ()
