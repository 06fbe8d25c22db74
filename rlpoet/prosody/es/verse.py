"""Spanish verse: ``rhyme.py`` has endings and kinds, ``scansion.py`` meter, ``accent_patterns.py`` names, ``explanations.py`` reasons."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from rlpoet.errors import UnknownName
from rlpoet.phonology.es.letters import ROMAN, fold
from rlpoet.phonology.es.sounds import VARIETIES, Spanish, readings_of
from rlpoet.prosody.es import accent_patterns
from rlpoet.prosody.es.explanations import rhyme_reasons, spoken_words
from rlpoet.prosody.es.rhyme import Tail, assonance, assonant_lines, last_word, strict_assonance
from rlpoet.prosody.es.scansion import count_line, fits_line, scan_line
from rlpoet.types import Ending, Scansion, SpokenWord

CACHE = 65_536
LINE_CACHE = 16_384
POEM_CACHE = 64
SOLEA, LONGEST_SOLEA = 3, 9  # lines, and the syllables of the longest: eight, with a licence
STRICT = "strict"
MARKED = re.compile("[ÁÉÍÓÚ]|[AEIOU]\u0301")


class SpanishVerse:
    """The ``Verse`` of Spanish.

    Args:
        variety: which sounds are merged, see ``Spanish``; meter is the same in all varieties. With ``strict`` alone or behind it
            (``distincion-strict``) assonance needs all vowels from the stressed one on alike, glides and the middle ones too.

    Raises:
        UnknownName: no such variety.
    """

    code = "es"
    rhyming = frozenset({"consonante"})
    varieties = (*VARIETIES, STRICT, *(f"{name}-{STRICT}" for name in VARIETIES))

    def __init__(self, variety: str = "seseo") -> None:
        if variety not in self.varieties:
            raise UnknownName("variety", variety, self.varieties)
        sounds = variety.removesuffix(STRICT).removesuffix("-")
        self.phonology = Spanish(sounds) if sounds else Spanish()
        self.variety = variety
        self._assonance = strict_assonance if variety.endswith(STRICT) else assonance
        self._of_word = functools.lru_cache(maxsize=CACHE)(self._word_endings)
        self._of_line = functools.lru_cache(maxsize=LINE_CACHE)(self._line_endings)
        self._bound = functools.lru_cache(maxsize=POEM_CACHE)(self._read_bound)

    def __reduce__(self) -> tuple[object, ...]:
        return (SpanishVerse, (self.variety,))

    def endings(self, line: str) -> tuple[Ending, ...]:
        return self._of_line(line)

    def _line_endings(self, line: str) -> tuple[Ending, ...]:
        word = last_word(line)
        if word.isupper() and not line.isascii() and MARKED.search(line):
            word = word.lower()  # capitals that keep their tildes have lost none
        return self._of_word(word) if word else ()

    def _word_endings(self, word: str) -> tuple[Ending, ...]:
        endings: dict[Tail, Ending] = {}
        for parsed in readings_of(word):
            if not parsed.phones:
                return ()
            start = parsed.starts[parsed.nuclei[parsed.stress]]
            known = not parsed.guess and not ROMAN.fullmatch(word)
            for way in self.phonology.ways(parsed):
                at = way.nuclei[way.stress]
                tail = way.phones[at:]
                if tail not in endings:
                    endings[tail] = Ending(fold(word), tail, way.phones[:at], "", known, start)
        return tuple(endings.values())

    def kind(self, a: Ending, b: Ending) -> str | None:
        """``identical``, ``consonante``, ``asonante`` or None."""
        if a.word == b.word:
            return "identical"
        if a.phones == b.phones:
            return "consonante"
        if self._assonance(a.phones) == self._assonance(b.phones):
            return "asonante"
        return None

    def rhyming_for(self, lines: Sequence[str]) -> frozenset[str]:
        """The kinds that count as rhyme in this poem: also assonance, if it binds the poem (``assonant_lines``)."""
        return self._bound(tuple(lines))[0]

    def loose_for(self, lines: Sequence[str]) -> frozenset[int]:
        """Lines that this poem leaves unrhymed, if assonance binds it."""
        return self._bound(tuple(lines))[1]

    def _read_bound(self, lines: tuple[str, ...]) -> tuple[frozenset[str], frozenset[int]]:
        tails = [ends[0].phones if ends else () for ends in map(self._of_line, lines)]
        stanzas: list[list[int]] = [[]]
        for i, tail in enumerate(tails):
            if tail:
                stanzas[-1].append(i)
            elif stanzas[-1]:
                stanzas.append([])
        bound = assonant_lines([stanza for stanza in stanzas if stanza], tails, self._assonance)
        written = [line for line in lines if line.strip()]
        if len(written) == SOLEA and any(self.scan(line).syllables > LONGEST_SOLEA for line in written):
            bound = frozenset()  # of three long lines two assonate by chance
        if not bound:
            return self.rhyming, frozenset()
        return self.rhyming | {"asonante"}, frozenset(range(len(lines))) - bound

    def key(self, ending: Ending) -> str:
        return "".join(ending.phones)

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest reading of a line, or with a target the best one of that many syllables.

        Without a target there is a small preference for the usual lengths (11, then 8 and 7). A line that divides into 7 + 7 is an
        alexandrine with a caesura. One that divides into 5 + 5 at its strongest pause is a decasílabo compuesto, if any other reading
        needs a licence. With a target there is no such preference. ``fits`` says whether sinalefa, dialefa, diéresis and sinéresis can
        license exactly that many syllables.
        """
        return scan_line(line, target)

    def counted(self, line: str, target: int | None = None) -> Scansion:
        """``scan`` without units, which is faster."""
        return count_line(line, target)

    def fits(self, line: str, target: int) -> bool:
        """Whether ``scan`` finds a licensed reading of that length, which is faster still."""
        return fits_line(line, target)

    def words(self, line: str, target: int | None = None) -> tuple[SpokenWord, ...]:
        return spoken_words(line, self.phonology, target)

    def why(self, a: Ending, b: Ending) -> tuple[str, ...]:
        return rhyme_reasons(a, b, self.kind(a, b), self.phonology)

    def meter_name(self, scansion: Scansion) -> str:
        return accent_patterns.meter_name(scansion)
