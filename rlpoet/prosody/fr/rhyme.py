"""French rhyme between two endings: shared sounds, richness, what the tradition forbids, and reasons.

Richness counts shared sounds from the end, as taught since the 20th century (Mazaleyrat, Éléments de métrique française, 1974; Elwert,
Traité de versification française, 1965): ``pauvre`` the vowel alone, ``suffisante`` two sounds, ``riche`` three or more, ``léonine``
two full syllables (from the vowel of the last but one on; Quicherat, Traité de versification française, 1850). A mute e is not
counted. Classical conditions: both feminine or both masculine, both with or both without -s, -x, -z (Quicherat), and a consonne
d'appui for final /e/.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.fr.sounds import VOWELS
from rlpoet.prosody.fr.syllables import graphemes, masculine_ent, mute_ending
from rlpoet.types import Ending

MERGED = {"ɛ": "e", "ɔ": "o", "ɑ": "a", "œ": "ø", "œ̃": "ɛ̃", "ə": "ø"}
WORD = re.compile(r"[^\W\d_]+(?:['’ʼ-]+[^\W\d_]+)*")
LONGEST_TAIL = 200
CLOSE_E = re.compile("(é|ée|ee|er|ez|ed|ef)s?$|[^aeiou]e$|edz$|^et$")
EITHER_E = re.compile("(ai|[ae]y)$|^(gais|gaies?|quais|sais|sait|vais)$")  # said close or open
MASCULINE_E = re.compile("[^aeiouyéèêëïûôî]es?$")  # le, les, apres: their e is sounded
PLURAL = frozenset("sxz")
NORMAN = {("e",), ("e", "ʁ")}  # aimer : mer, whose r was once sounded in both
SUPPORTED = frozenset({("e",)})
HIATUS = frozenset({*VOWELS, "w", "ɥ"})  # what stands before the é of nuée, trouée, Noé
DIPHTHONGS: dict[tuple[str, ...], str] = {
    ("a",): "w",
    ("ɛ̃",): "jw",
}  # roi : sera, bien : vin, point : vin are no rhymes: oi, ien, oin keep to themselves
OI = frozenset("iyîïêë")
RICHNESS = ("pauvre", "suffisante", "riche")
FULL = frozenset({*RICHNESS, "léonine", "homonyme"})


@functools.lru_cache(maxsize=32_768)
def last_word(line: str) -> str:
    """The last word of a line as typed, with what hyphens, apostrophes or inversion tie to it.

    >>> last_word("Que vois-je ?"), last_word("qu'en sais je"), last_word("l’amour !")
    ('vois-je', 'sais-je', 'l’amour')
    """
    words = WORD.findall(unicodedata.normalize("NFC", heard(line)[-LONGEST_TAIL:]))
    if len(words) > 1 and words[-1].lower() in ("je", "ce"):
        return f"{words[-2]}-{words[-1]}".rsplit("'", 1)[-1]
    return words[-1] if words else ""


def gender(word: str, phones: tuple[str, ...]) -> str:
    """``f`` for a word in mute e, -es or verbal -ent, else ``m``. Imperfects in -aient, -oient are masculine, presents feminine.

    >>> gender("rose", ("ʁ", "o", "z")), gender("aimaient", ("e", "m", "ɛ")), gender("les", ("l", "ɛ"))
    ('f', 'm', 'm')
    """
    if word.endswith("ent"):
        return "m" if phones[-1:] in {("ɑ̃",), ("ɛ̃",)} or masculine_ent(word) else "f"
    if word.endswith(("guë", "guës")):
        return "f"
    if word.endswith(("e", "es")):
        return "m" if MASCULINE_E.search(word) and phones and phones[-1] in VOWELS else "f"
    return "m"


def open_vowel(word: str, phones: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """A final open e by its spelling: close in ``é er ez``, open in ``ais et``, either in ``ai ay``."""
    if phones not in {("e",), ("ɛ",)}:
        return (phones,)
    if EITHER_E.search(word):
        return (("ɛ",), ("e",))
    return (("e",),) if CLOSE_E.search(word) else (("ɛ",),)


@functools.lru_cache(maxsize=16_384)
def merge(phones: tuple[str, ...]) -> tuple[str, ...]:
    """Phones merged as in rhyme: e/ɛ, o/ɔ, ø/œ, ɛ̃/œ̃ are one, but a final ɛ without a consonant is not e (été : était)."""
    if phones == ("ɛ",):
        return phones
    return tuple(MERGED.get(phone, phone) for phone in phones)


def shared(a: tuple[str, ...], b: tuple[str, ...]) -> tuple[str, ...]:
    """The phones that two onsets share, from the rhyme vowel leftwards; vowels are not merged, and mute e is skipped.

    >>> shared(("s", "y", "l", "t"), ("ɛ̃", "s", "y", "l", "t"))
    ('t', 'l', 'y', 's')
    """
    common: list[str] = []
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        if x != "ə":
            common.append(x)
    return tuple(common)


def support(ending: Ending) -> str:
    """The sound required before the rhyme vowel in both words: the consonant of a final é, the glide of oi, ien, oin, or none.

    >>> support(Ending("beauté", ("e",), ("b", "o", "t"))), support(Ending("nuée", ("e",), ("n", "ɥ")))
    ('t', '-')
    >>> support(Ending("roi", ("a",), ("ʁ", "w"), start=1)), support(Ending("loua", ("a",), ("l", "w"), start=3))
    ('w', '')
    """
    tail, before = ending.phones, ending.onset[-1:]
    if tail == ("e",):
        return "-" if not before or before[0] in HIATUS else before[0]
    if before and len(tail) == 1 and before[0] in DIPHTHONGS.get(merge(tail), ""):
        return before[0] if tail != ("a",) or ending.word[ending.start + 1 : ending.start + 2] in OI else ""
    return ""


def family(ending: Ending) -> tuple[tuple[str, ...], str, bool, str]:
    """The key that two endings must share to rhyme by the classical rules.

    >>> family(Ending("amours", ("u", "ʁ"), ("a", "m"), "m"))
    (('u', 'ʁ'), 'm', True, '')
    """
    return merge(ending.phones), ending.gender, is_plural(ending.word), support(ending)


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


def richness(a: Ending, b: Ending) -> str:
    """How rich the rhyme of two endings with one tail is."""
    if merge(a.onset) == merge(b.onset) and (a.onset or b.onset):
        return "homonyme"
    common = shared(a.onset, b.onset)
    if VOWELS.intersection(common):
        return "léonine"
    return RICHNESS[min(len(a.phones) + len(common), 3) - 1]


def kind_of(a: Ending, b: Ending, *, classical: bool = True) -> str | None:
    """The kind of two endings; see ``FrenchVerse``. ``classical`` applies the rules of gender, plural and support consonant."""
    if a.word == b.word:
        return "identical"
    tail, other = merge(a.phones), merge(b.phones)
    if tail != other:
        if classical and {tail, other} == NORMAN and a.word.endswith(("er", "ers")) and b.word.endswith(("er", "ers")):
            return "normande"
        return "assonante" if tail[0] == other[0] and (a.gender == b.gender or not classical) else None
    if classical:
        if a.gender != b.gender:
            return "androgyne"
        if is_plural(a.word) != is_plural(b.word):
            return "irrégulière"
        if support(a) != support(b):
            return "insuffisante"
    return richness(a, b)


def reasons(a: Ending, b: Ending, kind: str | None, *, classical: bool = True) -> list[str]:
    """Short sentences that explain a kind."""
    if kind == "identical":
        return [f"{a.word!r} stands at both ends: the same word is no rhyme."]
    sentences = []
    tail, other = merge(a.phones), merge(b.phones)
    if tail != other:
        sentences.append(f"The tails differ: {a.word!r} ends in /{''.join(a.phones)}/, {b.word!r} in /{''.join(b.phones)}/.")
        if kind == "normande":
            sentences.append("Rime normande: -er was once said alike in verbs and in words like mer; not counted as a rhyme.")
        elif kind == "assonante":
            sentences.append(f"Only the vowel /{a.phones[0]}/ is shared: an assonance.")
        elif {tail, other} == {("e",), ("ɛ",)}:
            sentences.append("Close /e/ (é, er, ez) and open /ɛ/ (ais, et) do not rhyme at the end of a word.")
        return sentences
    common = tuple(reversed(shared(a.onset, b.onset)))
    sounds = (*common, *a.phones)
    sentences.append(f"{a.word!r} and {b.word!r} share /{''.join(sounds)}/: {len(sounds)} sound{'s' if len(sounds) > 1 else ''}.")
    if kind == "homonyme":
        sentences.append("They sound alike from end to end: rime homonyme.")
    elif kind == "léonine":
        sentences.append("Two full syllables or more are shared: rime léonine.")
    elif kind in RICHNESS:
        sentences.append(
            f"{('The vowel alone is', 'Two sounds are', 'Three sounds or more are')[RICHNESS.index(kind)]} shared: rime {kind}."
        )
    genders = {"f": "feminine (mute e)", "m": "masculine"}
    if a.gender == b.gender:
        sentences.append(f"Both are {genders[a.gender]}.")
    else:
        verdict = "which classical verse forbids" if classical else "which modern verse allows"
        sentences.append(f"{a.word!r} is {genders[a.gender]}, {b.word!r} is {genders[b.gender]}, {verdict}.")
    if is_plural(a.word) != is_plural(b.word):
        with_s, without = (a, b) if is_plural(a.word) else (b, a)
        verdict = "classical verse forbids it" if classical else "modern verse allows it"
        sentences.append(f"{with_s.word!r} ends in -{with_s.word[-1]}, {without.word!r} has no such ending: {verdict}.")
    elif is_plural(a.word):
        sentences.append("Both end in -s, -x or -z.")
    x, y = support(a), support(b)
    if tail in SUPPORTED:
        if x == y == "-":
            sentences.append("Final /e/ follows a vowel in both and needs no consonne d'appui.")
        else:
            sentences.append(f"Final /e/ has its consonne d'appui /{x}/." if x == y else "Final /e/ lacks a common consonne d'appui.")
    elif x != y:
        sentences.append(f"/{x or y}{a.phones[0]}/ (oi, ien, oin) rhymes only with itself.")
    return sentences
