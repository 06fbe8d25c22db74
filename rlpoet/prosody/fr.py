"""French verse: rhyme by ear with the classical conditions on gender, plural and support.

Classical and romantic practice (16th to 19th century): masculine rhymes with masculine, feminine with
feminine; plural endings (-s, -x, -z) keep company; a final /e/ wants its support consonant. A word has as
many endings as it has sounds in verse (``fils``, ``Vénus``). Left out: the finer classes of silent consonants
(sang : flanc), which cost more true rhymes than the false ones they stop.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from rlpoet.phonology import phonology
from rlpoet.phonology.fr import VOWELS, clean
from rlpoet.prosody.fr_meter import scan_line
from rlpoet.prosody.fr_syllables import graphemes, mute_ending
from rlpoet.types import Ending, Scansion

MERGED = {"ɛ": "e", "ɔ": "o", "ɑ": "a", "œ": "ø", "œ̃": "ɛ̃", "ə": "ø"}
WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-]+[^\W\d_]+)*")
LONGEST_TAIL = 200
CLOSE_E = re.compile("(é|ée|ee|er|ez|ed|ef)s?$|^et$")
MASCULINE_E = re.compile("[^aeiouyéèêëïûôî]es?$")  # le, les, apres: their e is sounded
PLURAL = frozenset("sxz")
NORMAN = {("e",), ("e", "ʁ")}  # aimer : mer, whose r was once sounded in both
SUPPORTED = frozenset({("e",)})
LONGEST_CACHE = 100_000


def last_word(line: str) -> str:
    """The last word of a line as typed, with what hyphens, apostrophes or inversion tie to it.

    >>> last_word("Que vois-je ?"), last_word("qu'en sais je"), last_word("l’amour !")
    ('vois-je', 'sais-je', 'l’amour')
    """
    words = WORD.findall(unicodedata.normalize("NFC", line[-LONGEST_TAIL:]))
    if len(words) > 1 and words[-1].lower() in ("je", "ce"):
        return f"{words[-2]}-{words[-1]}".rsplit("'", 1)[-1]
    return words[-1] if words else ""


def gender(word: str, phones: tuple[str, ...]) -> str:
    """``f`` for a word in mute e, -es or verbal -ent, else ``m``. Imperfects in -aient, -oient are masculine.

    >>> gender("rose", ("ʁ", "o", "z")), gender("aimaient", ("e", "m", "ɛ")), gender("les", ("l", "ɛ"))
    ('f', 'm', 'm')
    """
    if word.endswith("ent"):
        return "m" if phones[-1:] in {("ɑ̃",), ("ɛ̃",)} or word.endswith(("aient", "oient")) else "f"
    if word.endswith(("e", "es")):
        return "m" if MASCULINE_E.search(word) and phones and phones[-1] in VOWELS else "f"
    return "m"


def open_vowel(word: str, phones: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """A final open e by its spelling: close in ``é er ez``, open in ``ais et``, either in ``ai``."""
    if phones not in {("e",), ("ɛ",)}:
        return (phones,)
    if word.endswith("ai"):
        return (("ɛ",), ("e",))
    return (("e",),) if CLOSE_E.search(word) else (("ɛ",),)


def merge(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Phones as rhyme hears them: e/ɛ, o/ɔ, ø/œ, ɛ̃/œ̃ are one, save that a bare final ɛ is not e (été : était)."""
    if phones == ("ɛ",):
        return phones
    return tuple(MERGED.get(phone, phone) for phone in phones)


def shared(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """The phones two onsets share, from the rhyme vowel leftwards."""
    found: list[str] = []
    for x, y in zip(reversed(merge(a)), reversed(merge(b)), strict=False):
        if x != y:
            break
        found.append(x)
    return tuple(found)


def is_plural(word: str) -> bool:
    return word[-1:] in PLURAL


def tail_start(word: str) -> int:
    """Where the rhyme begins in the spelling: the last vowel that is not a mute e.

    >>> "famille"[tail_start("famille"):], "dis-je"[tail_start("dis-je"):]
    ('ille', 'is-je')
    """
    mute_at, _ = mute_ending(word)
    cut = len(word) if mute_at < 0 else mute_at
    spans = graphemes(word[:cut]) or graphemes(word)
    return spans[-1][0] if spans else 0


class FrenchVerse:
    """The ``Verse`` of French.

    Kinds that rhyme, by shared sounds: ``pauvre`` (the vowel alone), ``suffisante`` (two), ``riche`` (three or
    more), ``léonine`` (two syllables), ``homonyme`` (the whole word). Kinds that do not: ``identical``,
    ``insuffisante`` (-é without its consonant), ``irrégulière`` (singular with plural), ``androgyne``
    (masculine with feminine), ``normande`` (aimer : mer), ``assonante``.
    """

    code = "fr"
    rhyming = frozenset({"pauvre", "suffisante", "riche", "léonine", "homonyme"})

    def __init__(self) -> None:
        self.phonology = phonology("fr")
        self._word_endings = functools.lru_cache(maxsize=LONGEST_CACHE)(self._find_endings)

    def endings(self, line: str) -> tuple[Ending, ...]:
        """One ending a pronunciation of the last word, likeliest first; empty without a word."""
        return self._word_endings(last_word(line))

    def _find_endings(self, typed: str) -> tuple[Ending, ...]:
        word = clean(typed)
        if not word:
            return ()
        heard = self.phonology.transcribe(typed)
        word = word.rsplit("'", 1)[-1]
        start = tail_start(word)
        found = []
        for said in heard.pronunciations:
            if not said.nuclei:
                continue
            at = said.nuclei[said.stress]
            for phones in open_vowel(word, said.phones[at:]):
                found.append(Ending(word, phones, said.phones[:at], gender(word, said.phones), heard.known, start))
        return tuple(dict.fromkeys(found))

    def kind(self, a: Ending, b: Ending) -> str | None:
        if a.word == b.word:
            return "identical"
        tail, other = merge(a.phones), merge(b.phones)
        if tail != other:
            if {tail, other} == NORMAN and a.word.endswith(("er", "ers")) and b.word.endswith(("er", "ers")):
                return "normande"
            return "assonante" if tail[0] == other[0] and a.gender == b.gender else None
        if a.gender != b.gender:
            return "androgyne"
        if is_plural(a.word) != is_plural(b.word):
            return "irrégulière"
        common = shared(a.onset, b.onset)
        if tail in SUPPORTED and not common:
            return "insuffisante"
        if common and len(common) == len(a.onset) == len(b.onset):
            return "homonyme"
        if VOWELS.intersection(common):
            return "léonine"
        return ("pauvre", "suffisante", "riche")[min(len(tail) + len(common), 3) - 1]

    def key(self, ending: Ending) -> str:
        """The tail in IPA, led by the support consonant of /e/; ``ə`` marks feminine, ``s`` plural."""
        tail = merge(ending.phones)
        support = ending.onset[-1] if ending.onset and tail in SUPPORTED else ""
        return support + "".join(tail) + ("ə" if ending.gender == "f" else "") + ("+s" if is_plural(ending.word) else "")

    def scan(self, line: str, target: int | None = None) -> Scansion:
        """The likeliest count, or the reading that has ``target`` syllables if one is licensed."""
        return scan_line(line, target)
