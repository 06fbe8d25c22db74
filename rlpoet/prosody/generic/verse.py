"""Verse of a language that is a folder: endings, rhyme and words (``rlpoet.prosody.generic.scansion`` has meter).

Rhyme begins at the last stressed vowel. Kinds: ``perfect``, the same sounds from there on; ``rich``, also the same consonant before
it; ``assonant``, only the same vowels; ``identical``, the same word. The first two are full rhymes.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from typing import Any

from rlpoet.phonology.generic.sounds import VOWEL, GenericPhonology
from rlpoet.prosody.generic.scansion import LONGEST, LineWord, line_words, scan_line
from rlpoet.types import Ending, Scansion, SpokenWord, Transcription

CACHE = 65_536


class GenericVerse:
    """The ``Verse`` of a folder, made from its settings."""

    rhyming = frozenset({"perfect", "rich"})

    def __init__(self, phonology: GenericPhonology) -> None:
        self.phonology = phonology
        self.settings = phonology.settings
        self.code = phonology.code
        self._merged = {other: sounds[0] for sounds in self.settings.rhyme.same for other in sounds[1:]}
        self._names = [_named(key, name) for key, name in self.settings.meter.names.items()]
        self._names.sort(key=lambda row: -len(row[1]))  # the most particular name first
        self._of_word = functools.lru_cache(maxsize=CACHE)(self._word_endings)
        self._scan = functools.lru_cache(maxsize=CACHE)(self._scan_line)

    def __reduce__(self) -> tuple[Any, ...]:
        return (GenericVerse, (self.phonology,))

    def endings(self, line: str) -> tuple[Ending, ...]:
        words = line_words(line[-LONGEST:])
        return self._of_word(words[-1].text) if words else ()

    def _word_endings(self, typed: str) -> tuple[Ending, ...]:
        word = typed.strip("'-")
        transcription = self.phonology.transcribe(typed)
        starts = []
        for parsed in self.phonology.parse(typed):
            letters = parsed.text.rstrip("'-")
            starts.append(len(word) - len(letters) + (parsed.nuclei[parsed.stress] if parsed.nuclei else 0))
        endings: dict[tuple[str, ...], Ending] = {}
        for k, way in enumerate(transcription.pronunciations):
            at = way.nuclei[way.stress]
            start = starts[min(k, len(starts) - 1)]
            endings.setdefault(way.phones[at:], Ending(word, way.phones[at:], way.phones[:at], "", transcription.known, max(start, 0)))
        return tuple(endings.values())

    def kind(self, a: Ending, b: Ending) -> str | None:
        """``identical``, ``rich``, ``perfect``, ``assonant`` or None."""
        if a.word == b.word:
            return "identical"
        tail, other = self._tail(a), self._tail(b)
        if tail == other:
            shared = bool(a.onset and b.onset) and a.onset[-1] == b.onset[-1]
            return "rich" if shared and self.settings.rhyme.rich else "perfect"
        return "assonant" if _vowels(tail) == _vowels(other) else None

    def key(self, ending: Ending) -> str:
        return "".join(self._tail(ending))

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest reading; with a target, the reading of that length, if licences allow one."""
        return self._scan(line, target)

    def _scan_line(self, line: str, target: int | None) -> Scansion:
        return scan_line(line, target, self.phonology)

    def words(self, line: str, target: int | None = None) -> tuple[SpokenWord, ...]:
        words = line_words(line[:LONGEST])
        begun = set(itertools.accumulate(len(unit.text) for unit in self.scan(line, target).units))
        spoken = []
        for word, following in itertools.pairwise([*words, None]):
            if word is None:
                break
            joined = following is not None and following.start not in begun and self._meet(word, following)
            spoken.append(SpokenWord(word.start, word.end, self._as_typed(line, word), "", "sinalefa" if joined else ""))
        return tuple(spoken)

    def _as_typed(self, line: str, word: LineWord) -> Transcription:
        return dataclasses.replace(self.phonology.transcribe(word.text), word=line[word.start : word.end])

    def _meet(self, left: LineWord, right: LineWord) -> bool:
        a, b = self.phonology.parse(left.text), self.phonology.parse(right.text)
        return bool(a and b) and a[0].closes and b[0].opens

    def why(self, a: Ending, b: Ending) -> tuple[str, ...]:
        kind, tail, other = self.kind(a, b), self._tail(a), self._tail(b)
        if kind == "identical":
            return (f"{a.word!r} is the same word on both sides, and a word does not rhyme with itself.",)
        sentences = [f"From the last stressed vowel on, {a.word!r} is /{''.join(a.phones)}/ and {b.word!r} is /{''.join(b.phones)}/."]
        if tail == other:
            if a.phones != b.phones:
                merged = ", ".join(self.settings.rhyme.same)
                sentences.append(f"Sounds that rhyme in this language are taken as one ({merged}): both are /{''.join(tail)}/.")
            sentences.append("All sounds agree: a full rhyme.")
            if kind == "rich":
                sentences.append(f"/{a.onset[-1]}/ before it is shared too: a rich one.")
        elif kind == "assonant":
            sentences.append(f"Only the vowels agree ({'-'.join(_vowels(tail))}): an assonance, not a full rhyme.")
        else:
            sentences.append("They differ: no rhyme.")
        sentences += [f"The sounds of {end.word!r} are a guess." for end in (a, b) if not end.known]
        return tuple(sentences)

    def meter_name(self, scansion: Scansion) -> str:
        """The folder's name for a length; if it has several, the one whose stressed syllables are stressed here."""
        stress = scansion.stress or ""
        for length, places, name in self._names:
            if length == scansion.syllables and all(place <= len(stress) and stress[place - 1] == "+" for place in places):
                return name
        return ""

    def _tail(self, ending: Ending) -> tuple[str, ...]:
        return tuple(self._merged.get(phone, phone) for phone in ending.phones)


def _vowels(tail: tuple[str, ...]) -> tuple[str, ...]:
    """The vowels of a tail, without glides; the whole tail if it has no vowel."""
    return tuple(phone for phone in tail if phone[0] in VOWEL) or tail


def _named(key: str, name: str) -> tuple[int, tuple[int, ...], str]:
    length, _, places = key.partition(":")
    return int(length), tuple(map(int, places.split())), name
