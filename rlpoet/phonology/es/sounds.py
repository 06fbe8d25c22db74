"""Spanish words to sounds, from the spelling alone.

An ordered table (``data/letters.tsv``) turns letters into phonemes; ``letters.py`` finds syllables and stress by the rules of the
written norm. Golden Age spelling (ç, ss, x for j, u for v) is read too.
Left out: allophones (b / β, n before velars), voicing, and any lexicon; a foreign word is a guess.
"""

from __future__ import annotations

import functools
import re

from rlpoet.errors import UnknownName
from rlpoet.phonology.es.letters import ROMAN, Parsed, parse, with_tilde
from rlpoet.phonology.es.tables import doublets, reductions
from rlpoet.types import Pronunciation, Transcription

SESEO, YEISMO = ("θ", "s"), ("ʎ", "ʝ")
# Which phonemes a variety does not tell apart. Verse from both sides of the Atlantic rhymes by the first somewhere.
VARIETIES = {
    "seseo": (SESEO, YEISMO),
    "distincion": (YEISMO,),
    "lleismo": (SESEO,),
    "distincion-lleismo": (),
}
WORD_CACHE = 65_536


@functools.cache
def _reducible() -> re.Pattern[str]:
    return re.compile("|".join(re.escape(find) for find, _, _ in reductions()))


def readings_of(word: str) -> tuple[Parsed, ...]:
    """A word as typed, parsed; in capitals without accents also with the accent that it may have lost, first if it certainly has.

    >>> [[parsed.text for parsed in readings_of(word)] for word in ("CANCION", "AFAN", "cancion")]
    [['canción'], ['afan', 'afán'], ['cancion']]
    """
    parsed = parse(word)
    if len(word) < 2 or not word.isupper():
        return (parsed,)
    marked, sure = with_tilde(parsed.text)
    if marked == parsed.text:
        return (parsed,)
    return (parse(marked),) if sure else (parsed, parse(marked))


class Spanish:
    """Spanish phonology from spelling.

    Args:
        variety: ``seseo`` merges /θ/ (caza) with /s/ (casa) and, as all but ``lleismo`` do, /ʎ/ (pollo) with /ʝ/ (poyo);
            ``distincion`` keeps the first apart, ``lleismo`` the second, ``distincion-lleismo`` both.

    Raises:
        UnknownName: no such variety.
    """

    code = "es"

    def __init__(self, variety: str = "seseo") -> None:
        if variety not in VARIETIES:
            raise UnknownName("variety", variety, VARIETIES)
        self.variety = variety
        self._merged = dict(VARIETIES[variety])
        self.transcribe = functools.lru_cache(maxsize=WORD_CACHE)(self._transcribe)

    def __reduce__(self) -> tuple[object, ...]:
        return (Spanish, (self.variety,))

    def _transcribe(self, word: str) -> Transcription:
        parsed, *others = readings_of(word)
        if not parsed.phones:
            return Transcription(word, (), "", False)
        source = doublets()[parsed.text][1] if parsed.text in doublets() else parsed.rule or "stress rules"
        ways = self.ways(parsed) + tuple(way for other in others for way in self.ways(other))
        return Transcription(word, tuple(dict.fromkeys(ways)), source, not parsed.guess and not ROMAN.fullmatch(word))

    def ways(self, parsed: Parsed) -> tuple[Pronunciation, ...]:
        """All ways to say a parsed word that has a sound: by the norm, the other stress, the learned groups reduced."""
        main = self.pronounce(parsed, parsed.nuclei, parsed.stress)
        pronunciations = [main]
        if parsed.text in doublets():
            other = parse(doublets()[parsed.text][0])
            pronunciations.append(self.pronounce(other, other.nuclei, other.stress))
        if _reducible().search(main.ipa):
            for find, put, _ in reductions():
                shorter = self.reduced(main, find, put)
                if shorter is not None and shorter not in pronunciations:
                    pronunciations.append(shorter)
        return tuple(pronunciations)

    def pronounce(self, parsed: Parsed, carriers: tuple[int, ...], stress: int) -> Pronunciation:
        """Phones with glides written j and w, double consonants from a merger said once.

        Args:
            carriers: the sounds that carry a syllable: ``parsed.nuclei``, or those of a reading that a line asks for.
            stress: which of them has the primary stress.
        """
        merged, carrying = self._merged, frozenset(carriers)
        phones: list[str] = []
        nuclei: list[int] = []
        last = ""
        for i, (phone, kind) in enumerate(zip(parsed.phones, parsed.classes, strict=True)):
            if i in carrying:
                nuclei.append(len(phones))
            elif kind != "c":
                phone = {"i": "j", "u": "w"}.get(phone, phone + "\u032f")  # an a, e, o without a syllable of its own: e̯
            phone = merged.get(phone, phone)
            if phone == last and kind == "c" and i not in carrying:
                continue
            phones.append(phone)
            last = phone
        return Pronunciation(tuple(phones), tuple(nuclei), stress)

    def reduced(self, pronunciation: Pronunciation, find: str, put: str) -> Pronunciation | None:
        """``said`` with its last ``find`` made ``put`` (consonants only, so nuclei only shift), or None."""
        if find not in pronunciation.ipa:
            return None
        width, wanted = len(find), tuple(find)
        at = next((i for i in range(len(pronunciation.phones) - width, 0, -1) if pronunciation.phones[i : i + width] == wanted), None)
        if at is None:
            return None
        new = tuple(self._merged.get(phone, phone) for phone in put)
        phones = pronunciation.phones[:at] + new + pronunciation.phones[at + width :]
        nuclei = tuple(n if n < at else n + len(put) - width for n in pronunciation.nuclei)
        return Pronunciation(phones, nuclei, pronunciation.stress)
