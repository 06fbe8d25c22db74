"""French verse: rhyme by ear with the classical conditions on gender, plural and support.

Classical and romantic practice (16th to 19th century): masculine rhymes with masculine, feminine with
feminine; plural endings (-s, -x, -z) keep company; a final /e/ wants its support consonant.
Left out: the finer classes of silent consonants (sang : flanc), which measured worse than no rule.
"""

from __future__ import annotations

import functools
import re

from rlpoet.phonology import phonology
from rlpoet.phonology.fr import VOWELS, clean
from rlpoet.types import Ending, Scansion

MERGED = {"ɛ": "e", "ɔ": "o", "ɑ": "a", "œ": "ø", "œ̃": "ɛ̃", "ə": "ø"}
GLIDES = frozenset("jwɥ")
WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-]+[^\W\d_]+)*", re.UNICODE)
CLOSE_E = re.compile("(é|ée|er|ez|ed|ef|ié)s?$|^et$")
PLURAL = frozenset("sxz")
SUPPORTED = frozenset({("e",)})


def last_word(line: str) -> str:
    """The last word of a line as typed, with its clitics, or nothing."""
    found = ""
    for match in WORD.finditer(line[-200:]):
        found = match.group()
    return found


def gender(word: str, phones: tuple[str, ...]) -> str:
    """``f`` for a word in mute e, -es or verbal -ent, else ``m``. Imperfects in -aient, -oient are masculine.

    >>> gender("rose", ("ʁ", "o", "z")), gender("aimaient", ("e", "m", "ɛ"))
    ('f', 'm')
    """
    if word.endswith("ent"):
        if phones and phones[-1] in ("ɑ̃", "ɛ̃") or word.endswith(("aient", "oient")):
            return "m"
        return "f"
    if word.endswith(("e", "es")):
        sounded = phones and phones[-1] in ("ə",)
        return "m" if sounded else "f"
    return "m"


class FrenchVerse:
    """The ``Verse`` of French."""

    code = "fr"
    rhyming = frozenset({"pauvre", "suffisante", "riche", "léonine", "homonyme"})

    def __init__(self) -> None:
        self.phonology = phonology("fr")
        self.endings = functools.lru_cache(maxsize=100_000)(self._endings)  # type: ignore[method-assign]

    def endings(self, line: str) -> tuple[Ending, ...]:
        return self._endings(line)

    def _endings(self, line: str) -> tuple[Ending, ...]:
        return self.word_endings(last_word(line))

    @functools.lru_cache(maxsize=100_000)
    def word_endings(self, typed: str) -> tuple[Ending, ...]:
        word = clean(typed)
        if not word:
            return ()
        heard = self.phonology.transcribe(typed)
        short = word.rsplit("'", 1)[-1]
        found = []
        for said in heard.pronunciations:
            if not said.nuclei:
                continue
            at = said.nuclei[said.stress]
            for phones in open_vowel(short, said.phones[at:]):
                found.append(Ending(short, phones, said.phones[:at], gender(short, said.phones), heard.known))
        return tuple(dict.fromkeys(found))

    def kind(self, a: Ending, b: Ending) -> str | None:
        if a.word == b.word:
            return "identical"
        tail = merge(a.phones)
        if tail != merge(b.phones):
            return "assonante" if tail[0] == merge(b.phones)[0] and a.gender == b.gender else None
        if a.gender != b.gender:
            return "androgyne"
        if is_plural(a.word) != is_plural(b.word):
            return "irrégulière"
        common = shared(a.onset, b.onset)
        if tail in SUPPORTED and not common:
            return "insuffisante"
        n = len(tail) + common
        return "pauvre" if n == 1 else "suffisante" if n == 2 else "riche"

    def key(self, ending: Ending) -> str:
        tail = "".join(merge(ending.phones))
        support = ending.onset[-1] if ending.onset and merge(ending.phones) in SUPPORTED else ""
        return support + tail + ("ə" if ending.gender == "f" else "") + ("s" if is_plural(ending.word) else "")

    def scan(self, line: str, target: int | None = None) -> Scansion:
        return Scansion(line, 12, None, None if target is None else True)


def open_vowel(word: str, phones: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """A final open e by its spelling: close in ``é er ez``, open in ``ais et``, either in ``ai``."""
    if phones not in {("e",), ("ɛ",)}:
        return (phones,)
    if word.endswith("ai"):
        return (("ɛ",), ("e",))
    return (("e",),) if CLOSE_E.search(word) else (("ɛ",),)


def merge(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Phones as rhyme hears them."""
    if phones == ("ɛ",):
        return phones
    return tuple(MERGED.get(phone, phone) for phone in phones)


def shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    """How many phones two onsets share, counted from the rhyme vowel leftwards."""
    n = 0
    for x, y in zip(reversed(merge(a)), reversed(merge(b)), strict=False):
        if x != y:
            break
        n += 1
    return n


def is_plural(word: str) -> bool:
    return word[-1:] in PLURAL
