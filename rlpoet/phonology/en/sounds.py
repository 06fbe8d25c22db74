"""English words to sounds: CMUdict, then forms of its words, then guesses.

Variety: General American with all its lexicon's variants, plus the pronunciations verse is written for
(``words.tsv``). Left out: regional rhyme (Scots, Cockney) beyond single words, and sentence stress.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from rlpoet.phonology.en.derived_forms import LONGEST, SourcedPhones, formed, read_letters, syllabic
from rlpoet.phonology.en.numbers import in_words, roman_in_words
from rlpoet.phonology.en.tables import Phones, arpabet, is_vowel, known_phones, stressed_nucleus
from rlpoet.text import plain_letters
from rlpoet.types import Pronunciation, Transcription

SIGNS = str.maketrans({**dict.fromkeys("’‘ʼ＇`´′", "'"), **dict.fromkeys("\u2010\u2011", "-"), "\u00ad": None})
LIGATURES = str.maketrans({"æ": "ae", "œ": "oe", "ß": "ss", "ø": "o", "ð": "th", "þ": "th", "ł": "l"})
NUMBER = re.compile(r"([0-9]{1,40})(st|nd|rd|th)?")
GRAVE_ED = re.compile(r"[a-z]e[\u0300\u0301]d$")


@functools.lru_cache(maxsize=50_000)
def fold(word: str) -> str:
    """Lower-case Latin letters, apostrophes and hyphens; accents dropped, numbers in words.

    >>> fold("Heav’n,")
    "heav'n"
    >>> fold("1850")
    'eighteen-fifty'
    """
    lowered = word.lower()
    if lowered.isascii() and lowered.isalpha():  # nearly every word
        return lowered
    number = NUMBER.fullmatch(word)
    if number is not None:
        return in_words(number[1], ordinal=bool(number[2]))
    lowered = unicodedata.normalize("NFD", plain_letters(word).translate(SIGNS).lower()).translate(LIGATURES)
    return "".join(c for c in lowered if "a" <= c <= "z" or c in "'-").strip("-")


class English:
    """``Phonology`` for English."""

    code = "en"

    def transcribe(self, word: str) -> Transcription:
        sourced, known = phones_of(word)
        pronunciations = tuple(dict.fromkeys(pronunciation(phones) for phones, _ in sourced))
        return Transcription(word, pronunciations, sourced[0][1] if sourced else "", known)


def pronunciation(phones: Phones) -> Pronunciation:
    """IPA of ARPAbet phones. Stress: the last primary one (compounds), else secondary, else the first full vowel."""
    table = arpabet()
    ipa, nuclei, marks = [], [], []
    for i, phone in enumerate(phones):
        if is_vowel(phone):
            nuclei.append(i)
            marks.append(phone[-1])
            ipa.append({"AH0": "ə", "ER0": "ɚ"}.get(phone) or table[phone[:-1]])
        else:
            ipa.append(table[phone])
    return Pronunciation(tuple(ipa), tuple(nuclei), stressed_nucleus(phones))


@functools.lru_cache(maxsize=50_000)
def phones_of(word: str) -> tuple[SourcedPhones, bool]:
    """All pronunciations in ARPAbet with their sources, likeliest first; and False if they are only a guess, else True."""
    simple = fold(word)
    if not simple.strip("'-"):
        return (((("AH0",), "contexts.tsv"),), False) if any(c.isalpha() for c in word) else ((), False)
    if not word.isascii() and GRAVE_ED.search(unicodedata.normalize("NFD", word.lower())):
        pronunciations, known = _lookup(simple)
        return syllabic(pronunciations) or pronunciations, known
    if word[0].isdigit():
        return _lookup(simple)[0], False
    return _lookup(simple)


@functools.lru_cache(maxsize=50_000)
def _lookup(simple: str) -> tuple[SourcedPhones, bool]:
    """Look up a folded word: in the lexicon, among derived forms, by its hyphenated parts, then by a guess."""
    if len(simple) > LONGEST:
        return (read_letters(simple),), False
    aloud = roman_in_words(simple)  # Henry VIII, Canto IV
    if aloud:
        return tuple(sourced for words in aloud for sourced in _lookup(words)[0]), False
    bare = simple.strip("'")
    ways = (bare, simple) if simple.endswith("s'") else (simple, bare)  # sons' sounds as sons; CMUdict has other ideas
    pronunciations = known_phones(ways[0]) or known_phones(ways[1])
    if pronunciations:
        return pronunciations, True
    pronunciations, known = formed(simple)
    if not known and simple.startswith("'"):  # 'fore, 'bout: aphaeresis of a- or be-
        for start in ("a", "be"):
            whole = known_phones(start + simple[1:])
            if whole and any(map(is_vowel, without_first_syllable(whole[0][0]))):
                return tuple((without_first_syllable(phones), f"elided: {source}") for phones, source in whole), True
    if not known and "-" in simple.strip("-"):
        return _hyphened(simple)
    if not known and bare != simple:
        without = formed(bare)
        pronunciations, known = without if without[1] or not pronunciations else (pronunciations, known)
    if not pronunciations and "'" in bare:
        first, _, rest = bare.partition("'")
        if first in ("th", "t", "d", "l") and rest:
            tail, known = _lookup(rest)
            head = {"th": ("DH",), "t": ("T",), "d": ("D",), "l": ("L",)}[first]
            return tuple((head + phones, source) for phones, source in tail), known
    if pronunciations:
        return pronunciations, known
    return (read_letters(simple),), False


def without_first_syllable(phones: Phones) -> Phones:
    """The phones after the first vowel: ``'bout`` of about."""
    return phones[next((i for i, phone in enumerate(phones, start=1) if is_vowel(phone)), 0) :]


def _hyphened(simple: str) -> tuple[SourcedPhones, bool]:
    """The parts one after another; the last keeps its primary stress and all its pronunciations."""
    parts = [part for part in simple.split("-") if part.strip("'")]
    before: Phones = ()
    known = True
    for part in parts[:-1]:
        part_phones, sure = _lookup(part)
        before += tuple(p.replace("1", "2") for p in part_phones[0][0])
        known &= sure
    tail, sure = _lookup(parts[-1])
    return tuple((before + phones, source) for phones, source in tail), known and sure
