"""French verse: rhyme by sound, with the classical conditions on gender, plural and support consonant.

Classical and romantic practice (16th to 19th century): masculine rhymes with masculine, feminine with feminine; plural endings
(-s, -x, -z) rhyme with each other only; a final /e/ needs the same support consonant. A word has one ending for each of its
pronunciations in verse (``fils``, ``Vénus``). Left out: the finer classes of silent consonants (sang : flanc), which would lose more
true rhymes than the false ones they exclude.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence

from rlpoet.errors import UnknownName
from rlpoet.phonology import phonology
from rlpoet.phonology.fr.numerals import aloud
from rlpoet.phonology.fr.sounds import French, clean
from rlpoet.prosody.fr.caesura import PATTERNS, cesure
from rlpoet.prosody.fr.licences import LICENCES, licensed_lines
from rlpoet.prosody.fr.readings import read_line
from rlpoet.prosody.fr.rhyme import (
    FULL,
    SUPPORTED,
    family,
    gender,
    is_plural,
    kind_of,
    last_word,
    merge,
    open_vowel,
    reasons,
    support,
    tail_start,
)
from rlpoet.prosody.fr.scansion import count_line, scan_line
from rlpoet.prosody.fr.syllables import accented
from rlpoet.prosody.fr.words import spoken_words
from rlpoet.types import Ending, Scansion, SpokenWord

NAMES = dict(
    enumerate(
        "monosyllabe dissyllabe trisyllabe tétrasyllabe pentasyllabe hexasyllabe heptasyllabe octosyllabe ennéasyllabe décasyllabe "
        "hendécasyllabe alexandrin".split(),
        start=1,
    )
)
LONGEST_CACHE = 50_000


class FrenchVerse:
    """The ``Verse`` of French.

    Kinds that rhyme, by shared sounds: ``pauvre`` (the vowel alone), ``suffisante`` (two), ``riche`` (three or
    more), ``léonine`` (two syllables), ``homonyme`` (the whole word). Kinds that do not: ``identical``,
    ``insuffisante`` (-é without its consonant, oi with a), ``irrégulière`` (singular with plural), ``androgyne``
    (masculine with feminine), ``normande`` (aimer : mer), ``assonante``. In the variety ``modern`` only sounds count:
    gender, plural and support consonant do not matter.

    Raises:
        UnknownName: no such variety.
    """

    code = "fr"
    varieties = ("classical", "modern")
    rhyming = FULL
    detecting = FULL | LICENCES

    def __init__(self, variety: str = "classical") -> None:
        if variety not in self.varieties:
            raise UnknownName("variety", variety, self.varieties)
        sounds = phonology("fr")
        assert isinstance(sounds, French)
        self.phonology = sounds
        self.classical = variety == "classical"
        self.endings = functools.lru_cache(maxsize=LONGEST_CACHE)(self._line_endings)  # type: ignore[method-assign]
        self._licensed = functools.lru_cache(maxsize=256)(self._find_licensed)
        self._families = functools.lru_cache(maxsize=LONGEST_CACHE)(self._find_families)
        self._word_endings = functools.lru_cache(maxsize=LONGEST_CACHE)(self._find_endings)

    def endings(self, line: str) -> tuple[Ending, ...]:
        """One ending per pronunciation of the last word, likeliest first; empty without a word."""
        return self._line_endings(line)

    def _line_endings(self, line: str) -> tuple[Ending, ...]:
        return self._word_endings(last_word(line))

    def _find_endings(self, typed: str) -> tuple[Ending, ...]:
        word = aloud(typed) or clean(typed)
        if not word:
            return ()
        transcription = self.phonology.transcribe(typed)
        word = word.rsplit("'", 1)[-1]
        if typed.isupper() and not aloud(typed):
            word = accented(word)
        start = tail_start(word)
        endings = []
        for pronunciation in transcription.pronunciations:
            if not pronunciation.nuclei:
                continue
            at = pronunciation.nuclei[pronunciation.stress]
            for phones in open_vowel(word, pronunciation.phones[at:]):
                endings.append(
                    Ending(word, phones, pronunciation.phones[:at], gender(word, pronunciation.phones), transcription.known, start)
                )
        return tuple(dict.fromkeys(endings))

    def rhyming_for(self, lines: Sequence[str]) -> frozenset[str]:
        """The kinds that count as rhyme when the scheme of a poem is found: ``rhyming``, and the poem's licences."""
        return self.rhyming | LICENCES if self._licensed(tuple(lines)) else self.rhyming

    def loose_for(self, lines: Sequence[str]) -> frozenset[int]:
        """The lines of such a poem that take part in no licence."""
        free = self._licensed(tuple(lines))
        return frozenset(range(len(lines))) - free if free else frozenset()

    def _find_licensed(self, lines: tuple[str, ...]) -> frozenset[int]:
        if not self.classical:
            return frozenset()
        words = [last_word(line) for line in lines]
        return licensed_lines([self._word_endings(word) for word in words], [self._families(word) for word in words], self.kind)

    def _find_families(self, typed: str) -> tuple[Hashable, ...]:
        return tuple(family(ending) for ending in self._word_endings(typed))

    def kind(self, a: Ending, b: Ending) -> str | None:
        return kind_of(a, b, classical=self.classical)

    def key(self, ending: Ending) -> str:
        """The tail in IPA; classical: after the consonant of a final é or the glide of oi, ien, oin; ``ə`` marks feminine, ``s`` plural."""
        tail = merge(ending.phones)
        if not self.classical:
            return "".join(tail)
        head = "".join(ending.onset[-1:]) if tail in SUPPORTED else support(ending)
        return head + "".join(tail) + ("ə" if ending.gender == "f" else "") + ("+s" if is_plural(ending.word) else "")

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest reading; with a target, the reading of ``target`` syllables, if one is licensed."""
        return scan_line(line, target)

    def counted(self, line: str, target: int | None = None) -> Scansion:
        """``scan`` without units: a fifth of the work."""
        return count_line(line, target)

    def fits(self, line: str, target: int) -> bool:
        """Whether ``scan`` finds a licensed reading of that length, which is faster still."""
        return bool(read_line(line, target).fits)

    def words(self, line: str, target: int | None = None) -> tuple[SpokenWord, ...]:
        """The words with their pronunciation in the line: mute e, diérèse, liaison, h aspiré."""
        return spoken_words(line, self.phonology, target)

    def why(self, a: Ending, b: Ending) -> tuple[str, ...]:
        """Sentences that explain the kind of two endings, and the sources of their sounds."""
        sentences = reasons(a, b, self.kind(a, b), classical=self.classical)
        for word in dict.fromkeys((a.word, b.word)):
            transcription = self.phonology.transcribe(word)
            sentences.append(
                f"{word!r} is in {transcription.source}."
                if transcription.known
                else f"{word!r} is a guess from its spelling ({transcription.source})."
            )
        return tuple(sentences)

    def meter_name(self, scansion: Scansion) -> str:
        """``alexandrin 6+6``, ``décasyllabe, césure manquée: ...``, ``octosyllabe``, ``13 syllabes``; empty for nothing to count.

        >>> ear = FrenchVerse()
        >>> ear.meter_name(ear.scan("La fille de Minos et de Pasiphaé"))
        'alexandrin 6+6'
        """
        count = scansion.syllables
        if not count:
            return ""
        name = NAMES.get(count, f"{count} syllabes")
        if count not in PATTERNS:
            return name
        cut = cesure(scansion.line, count)
        if cut is None or cut.kind == "length":
            return name
        return f"{name} {cut.name}" if cut.kept else f"{name}, césure manquée: {cut.why}"
