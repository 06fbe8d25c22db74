"""Sounds of a language that is a folder: phonemes by epitran, breaks by pyphen, syllables and stress by the folder's rules.

epitran gives phonemes without syllables or stress. pyphen gives typographic breaks, which do not part vowels in hiatus. So the
settings cut the vowel letters into syllables, and the spelling gives the stress. Then each syllable is matched with a vowel of
epitran's, one run of vowels at a time. This suits languages whose spelling shows their sounds; French and English need modules
of their own. Left out: what the spelling does not show (the stress of an Italian sdrucciola), unless ``words.tsv`` has it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rlpoet.errors import RlpoetError
from rlpoet.languages.settings import MARKS, Row, Settings
from rlpoet.text import plain_letters
from rlpoet.types import Pronunciation, Transcription

VOWEL = frozenset("aeiouyɐɑɒæɛɔəɘɜɞɤɨɪʊʏøœʉɯɵʌ")
GLIDE = frozenset("jwɥɰ")
GLIDES = {"i": "j", "u": "w"}
FULL = {glide: vowel for vowel, glide in GLIDES.items()}
SEGMENT = re.compile(r"[^\W\d_](?:[\u0300-\u0360\u0362-\u036fːˑʰʷʲˠˤ]|\u0361[^\W\d_])*")
SPELT_MARKS = frozenset("\u0300\u0301\u0302\u0308")  # accents epitran's tables leave standing: pa\u00eds
LONGEST = 60  # letters; beyond that a string is no word and only its end is read
CACHE = 65_536


@dataclass(frozen=True, slots=True)
class Parsed:
    """A word cut into syllables, on its spelling.

    Attributes:
        text: the word in lower case, NFC.
        groups: for each syllable the places of its vowel letters in ``text``.
        nuclei: for each the one that carries it.
        starts: where each syllable begins in ``text``.
        stress: which syllable is stressed.
        opens, closes: whether it begins and ends in a vowel, for the words beside it.
        source: the table row or settings line that decided, or empty where the general rules did.
        ipa: the pronunciation a row gives, or empty.
        known: False for a word the rules are not made for.
    """

    text: str
    groups: tuple[tuple[int, ...], ...]
    nuclei: tuple[int, ...]
    starts: tuple[int, ...]
    stress: int
    opens: bool
    closes: bool
    source: str = ""
    ipa: str = ""
    known: bool = True


def fold(text: str) -> str:
    """Lower case, NFC, apostrophes and hyphens of one kind.

    >>> fold("L\u2019Amor")
    "l'amor"
    """
    return plain_letters(unicodedata.normalize("NFC", text)).replace("\u2019", "'").replace("\u02bc", "'").replace("\u2010", "-").lower()


def base_letter(letter: str) -> str:
    """A letter without its marks."""
    return unicodedata.normalize("NFD", letter)[:1]


def segments(ipa: str) -> tuple[str, ...]:
    """IPA text as segments, each with its marks.

    >>> segments("t\u0361\u0283\u02d0elo"), segments("ba\u027eo\u0303j\u0303")
    (('t\u0361\u0283\u02d0', 'e', 'l', 'o'), ('b', 'a', '\u027e', 'o\u0303', 'j\u0303'))
    """
    return tuple(SEGMENT.findall(unicodedata.normalize("NFD", ipa)))


class GenericPhonology:
    """The ``Phonology`` of a language whose spelling shows its sounds.

    Args:
        settings: what ``read_settings`` read from the language's folder.

    Raises:
        RlpoetError: epitran has no such language, or pyphen has no patterns for it.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.code = settings.code
        self._mute = re.compile(settings.letters.mute or r"(?!)")
        self._marks = tuple(MARKS[name] for name in settings.stress.marks)
        self._vowels, self._weak = frozenset(settings.letters.vowels), frozenset(settings.letters.weak)
        self._longest = max(map(len, settings.endings), default=0)
        self._ends = [(re.compile(f"(?:{ending})$"), ending, place) for ending, place in settings.stress.endings.items()]
        self._epitran = _epitran(settings)
        self._pyphen = _pyphen(settings)
        self.transcribe = functools.lru_cache(maxsize=CACHE)(self._transcribe)
        self.parse = functools.lru_cache(maxsize=CACHE)(self._parse)

    def __reduce__(self) -> tuple[Any, ...]:
        return (GenericPhonology, (self.settings,))

    def _transcribe(self, word: str) -> Transcription:
        sources: dict[Pronunciation, tuple[str, bool]] = {}
        for parsed in self.parse(word):
            pronunciation, agree = self._pronounce(parsed)
            if pronunciation is not None:
                sources.setdefault(pronunciation, (parsed.source or f"epitran {self.settings.epitran}", parsed.known and agree))
        if not sources:
            return Transcription(word, (), "", False)
        source, known = next(iter(sources.values()))
        return Transcription(word, tuple(sources), source, known)

    def _parse(self, word: str) -> tuple[Parsed, ...]:
        """Every way to cut a word: one per row of ``words.tsv``, else one by the rules. Empty for a word without a letter."""
        text = fold(word)[-LONGEST:]
        if not any(map(str.isalpha, text)):
            return ()
        rows = self.settings.words.get(text.strip("'")) if len(word) <= LONGEST else None
        if rows:
            at = len(text) - len(text.lstrip("'"))
            return tuple(self._by_row(text, row, at) for row in rows)
        for length in range(min(self._longest, len(text) - 1), 0, -1):
            if row_of_end := self.settings.endings.get(text[-length:]):
                return tuple(self._by_row(text, row, len(text) - length) for row in row_of_end)
        return (self._by_rule(text, known=len(word) <= LONGEST),)

    def _by_row(self, text: str, row: Row, at: int) -> Parsed:
        """The syllables of a row; for an ending, preceded by those that the rules find before it."""
        groups = self._groups(text, stop=at)
        starts = self._starts(text, groups)
        glide = groups[-1] if groups and groups[-1][-1] == at - 1 and self._joined(text, groups[-1], at, at_end=False) else ()
        n_head, glide_start = len(groups), starts[-1] if starts else 0
        if glide:  # stu-dia-vano: what an ending's first vowel takes in
            groups.pop()
            starts.pop()
            n_head -= 1
        for syllable in row.syllables:
            vowels = tuple(n for n in range(at, at + len(syllable)) if base_letter(text[n]) in self._vowels)
            sounded = tuple(n for n in vowels if n not in self._muted(text))
            if len(groups) > n_head:
                starts.append(at)
                groups.append(sounded or vowels)
            else:
                starts.append(glide_start if glide else self._start(text, at, groups))
                groups.append((*glide, *(sounded or vowels)))
            at += len(syllable)
        starts[0] = 0
        stress = len(groups) - len(row.syllables) + row.stress
        ipa = row.ipa if not row.word.startswith("-") else ""
        return self._parsed(text, groups, starts, stress, row.source, ipa, known=True)

    def _by_rule(self, text: str, *, known: bool) -> Parsed:
        groups = self._groups(text)
        starts = self._starts(text, groups)
        stress, source = self._stress(text, groups)
        alphabet = set(self.settings.letters.alphabet) | {"'", "-"}
        known = known and bool(groups or "'" in text) and all(base_letter(letter) in alphabet for letter in text)
        return self._parsed(text, groups, starts, stress, source, "", known=known)

    def _parsed(
        self, text: str, groups: Sequence[tuple[int, ...]], starts: Sequence[int], stress: int, source: str, ipa: str, *, known: bool
    ) -> Parsed:
        nuclei = tuple(self._nucleus(group, text) for group in groups)
        muted = self._muted(text)
        sounded = [n for n, letter in enumerate(text) if letter.isalpha() and (n not in muted or base_letter(letter) in self._vowels)]
        opens = bool(groups and sounded) and sounded[0] >= groups[0][0]
        closes = bool(groups and sounded) and sounded[-1] <= groups[-1][-1]
        return Parsed(text, tuple(groups), nuclei, tuple(starts), stress, opens, closes, source, ipa, known)

    @functools.lru_cache(maxsize=1024)
    def _muted(self, text: str) -> frozenset[int]:
        return frozenset(n for match in self._mute.finditer(text) for n in range(*match.span()))

    def _runs(self, text: str) -> list[list[int]]:
        """Places of vowel letters that touch; a mute letter between them does not part them."""
        muted = self._muted(text)
        runs: list[list[int]] = []
        apart = True
        for n, letter in enumerate(text):
            if n in muted:
                continue
            if base_letter(letter) not in self._vowels:
                apart = True
                continue
            if apart:
                runs.append([])
            runs[-1].append(n)
            apart = False
        return runs

    def _groups(self, text: str, *, stop: int | None = None) -> list[tuple[int, ...]]:
        """Vowel letters by syllable, of the letters before ``stop``."""
        groups: list[list[int]] = []
        runs = [before_stop for run in self._runs(text) if (before_stop := [n for n in run if stop is None or n < stop])]
        marked = any(mark in unicodedata.normalize("NFD", text[: runs[-1][0]]) for mark in self._marks) if runs and stop is None else False
        for run in runs:
            for k, n in enumerate(run):
                at_end = marked and run is runs[-1]
                if k and not self._onset(text, run, k) and self._joined(text, groups[-1], n, at_end=at_end):
                    groups[-1].append(n)
                else:
                    groups.append([n])
        return [tuple(group) for group in groups]

    def _onset(self, text: str, run: Sequence[int], k: int) -> bool:
        """Whether a weak vowel between two others begins a syllable (no-ia, bu-io), where weak vowels glide before a vowel."""
        between = 0 < k < len(run) - 1 and self.settings.letters.rising == "always" and self._is_weak(text[run[k]])
        return between and (k == 1 or not self._is_weak(text[run[k - 1]]))

    def _joined(self, text: str, group: Sequence[int], n: int, *, at_end: bool) -> bool:
        left, right = text[group[-1]], text[n]
        if left + right in self.settings.letters.diphthongs:
            return True
        if len(group) > 1 and base_letter(left) in self._weak and not self._is_weak(text[group[0]]):
            return False  # the glide closed its syllable: prai-a, noi-a
        weak, other = self._is_weak(left), self._is_weak(right)
        rising = self.settings.letters.rising == "always" or (self.settings.letters.rising == "final" and at_end)
        if weak and other:
            return left != right
        if other:
            return True
        return weak and rising

    def _is_weak(self, letter: str) -> bool:
        marks = unicodedata.normalize("NFD", letter)[1:]
        return base_letter(letter) in self._weak and not any(mark in marks for mark in (*self._marks, MARKS["dieresis"]))

    def _nucleus(self, group: tuple[int, ...], text: str) -> int:
        for n in group:
            if any(mark in unicodedata.normalize("NFD", text[n]) for mark in self._marks):
                return n
        strong = [n for n in group if base_letter(text[n]) not in self._weak]
        if strong:
            return strong[0]
        if self.settings.letters.rising == "always":
            return max(group, key=lambda n: self.settings.letters.weak.find(base_letter(text[n])))
        return group[0]

    def _starts(self, text: str, groups: Sequence[tuple[int, ...]]) -> list[int]:
        """Where each syllable begins: at pyphen's break if there is one, else one consonant before the vowel."""
        return [self._start(text, group[0], groups[:g]) if g else 0 for g, group in enumerate(groups)]

    def _start(self, text: str, first: int, before: Sequence[tuple[int, ...]]) -> int:
        if not before:
            return 0
        floor = before[-1][-1] + 1
        breaks = [at for at in self._breaks(text) if floor <= at <= first]
        if breaks:
            return breaks[-1]
        at = first
        muted = self._muted(text)
        while at > floor and at - 1 in muted:
            at -= 1
        return max(floor, at - 1)

    @functools.lru_cache(maxsize=1024)
    def _breaks(self, text: str) -> tuple[int, ...]:
        return tuple(int(at) for at in self._pyphen.positions(text))

    def _stress(self, text: str, groups: Sequence[tuple[int, ...]]) -> tuple[int, str]:
        """The stressed syllable, and the settings line that decided it; empty where that was the default."""
        if not groups:
            return 0, ""
        for mark in self._marks:
            for g, group in enumerate(groups):
                if any(mark in unicodedata.normalize("NFD", text[n]) for n in group):
                    return g, ""
        for pattern, ending, place in self._ends:
            if pattern.search(text.rstrip("'")):
                return max(len(groups) - place, 0), self.settings.where("stress.endings", ending)
        return max(len(groups) - self.settings.stress.default, 0), ""

    def _pronounce(self, parsed: Parsed) -> tuple[Pronunciation | None, bool]:
        """The phones with the syllable that each vowel carries, and whether epitran's vowels agree with the spelling."""
        phones = list(segments(parsed.ipa or self._ipa(parsed.text)))
        if not phones:
            phones = [letter for letter in parsed.text if letter.isalpha()]
        vowel_runs: list[list[int]] = []
        for n, phone in enumerate(phones):
            if phone[0] in VOWEL or phone[0] in GLIDE:
                if vowel_runs and vowel_runs[-1][-1] == n - 1:
                    vowel_runs[-1].append(n)
                else:
                    vowel_runs.append([n])
        vowel_runs = [run for run in vowel_runs if any(phones[n][0] in VOWEL for n in run)]
        spelt: list[list[int]] = []  # nuclei by run
        runs = self._runs_of(parsed)
        for run in runs:
            spelt.append([nucleus for nucleus in parsed.nuclei if nucleus in run])
        agree = len(vowel_runs) == len(runs) and bool(vowel_runs)
        nuclei: dict[int, int] = {}
        for run, run_nuclei, sounds in zip(reversed(runs), reversed(spelt), reversed(vowel_runs), strict=False):
            if sum(phones[n][0] in VOWEL for n in sounds) < len(run_nuclei):  # a-in-da: a row parts what epitran has in one
                for n in sounds:
                    phones[n] = FULL.get(phones[n][0], phones[n][0]) + phones[n][1:]
            vowels = [n for n in sounds if phones[n][0] in VOWEL]
            for k, nucleus in enumerate(run_nuclei):
                at = vowels[k] if len(vowels) == len(run_nuclei) else sounds[max(len(sounds) - (len(run) - run.index(nucleus)), 0)]
                if phones[at][0] in GLIDE:
                    at = min(vowels, key=lambda n, at=at: abs(n - at))  # type: ignore[misc]
                nuclei.setdefault(at, nucleus)
            for n in vowels:
                if n not in nuclei and phones[n][0] in GLIDES:
                    phones[n] = GLIDES[phones[n][0]] + phones[n][1:]
        if not nuclei:
            return (Pronunciation(tuple(phones), (len(phones) - 1,), 0), not parsed.groups) if phones else (None, False)
        places = tuple(sorted(nuclei))
        stressed_nucleus = parsed.nuclei[parsed.stress] if parsed.nuclei else -1
        stress = next((k for k, at in enumerate(places) if nuclei[at] == stressed_nucleus), None)
        agree = agree and stress is not None and len(places) == len(parsed.nuclei)
        return Pronunciation(tuple(phones), places, len(places) - 1 if stress is None else stress), agree

    def _runs_of(self, parsed: Parsed) -> list[list[int]]:
        """Runs of vowel letters that carry a syllable, including letters that a row of ``words.tsv`` marks as sounded."""
        extra = {n for group in parsed.groups for n in group}
        runs: list[list[int]] = []
        muted = self._muted(parsed.text)
        apart = True
        for n, letter in enumerate(parsed.text):
            if n in extra or (n not in muted and base_letter(letter) in self._vowels):
                if apart:
                    runs.append([])
                runs[-1].append(n)
                apart = False
            elif n not in muted:
                apart = True
        return [run for run in runs if any(nucleus in run for nucleus in parsed.nuclei)]

    def _ipa(self, text: str) -> str:
        word = text.replace("'", "").replace("-", "")
        for pattern, replacement in self.settings.letters.respell:
            word = re.sub(pattern, replacement, word)
        ipa = unicodedata.normalize("NFD", self._epitran.transliterate(word))
        for pattern, replacement in self.settings.letters.sounds:
            ipa = re.sub(unicodedata.normalize("NFD", pattern), replacement, ipa)
        return "".join(mark for mark in ipa if mark not in SPELT_MARKS)


@functools.cache
def _transcriber(code: str) -> Any:
    import epitran  # here, since it is slow to come and only added languages need it
    from epitran.simple import SimpleEpitran

    if code in epitran.Epitran.special:
        return epitran.Epitran(code)
    return SimpleEpitran(code)  # what Epitran(code) asks; the whole of it reads the same feature table twice more, for a second each


def _epitran(settings: Settings) -> Any:
    from epitran.exceptions import DatafileError

    try:
        return _transcriber(settings.epitran)
    except (DatafileError, OSError) as error:
        where = settings.where("", "epitran")
        raise RlpoetError(
            f"{where}: epitran has no {settings.epitran!r}; expected a code such as 'ita-Latn'. epitran's README lists them."
        ) from error


def _pyphen(settings: Settings) -> Any:
    import pyphen

    if settings.pyphen not in pyphen.LANGUAGES:
        near = ", ".join(sorted(name for name in pyphen.LANGUAGES if name[:2] == settings.pyphen[:2])) or "a code such as 'it_IT'"
        raise RlpoetError(f"{settings.where('', 'pyphen')}: pyphen has no {settings.pyphen!r}; expected {near}.")
    return pyphen.Pyphen(lang=settings.pyphen, left=1, right=1)
