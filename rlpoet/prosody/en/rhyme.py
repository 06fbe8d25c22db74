"""English rhyme tails: the part of a pronunciation that must agree, and the licences of verse.

Sounds that poets treat as one are merged before tails are compared: the vowels before r (near, mirror; care, marry), schwa and short
i after the stress, the optional schwa of heaven and hour, and the o of dog and fog, which CMUdict writes in two ways.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.en.sounds import fold, phones_of
from rlpoet.phonology.en.tables import Phones, arpabet, is_vowel, stressed_nucleus
from rlpoet.prosody.en.tables import promoted_vowels
from rlpoet.types import Ending

WORD = re.compile(
    r"(?:(?<![^\W_])['’‘])?[^\W\d_]+"
    r"(?:(?:['’‘]|[-\u2010\u2011](?![-\u2010\u2011])|[\u0300-\u036f]+)[^\W\d_]+)*[\u0300-\u036f]*['’]?"
    r"|(?:(?<!^)|(?![0-9]{1,3}[.:]?\s+[\"“‘']?[A-Z]))(?<![^\s\"“‘'«—–:$£-])[0-9]{1,40}(?:st|nd|rd|th)?(?![\])0-9])"  # no line's, no note's
)
NEAR, FAR = 50, 200  # signs at a line's end where its last words are looked for
MOJIBAKE = "ñâÑÂ"  # dashes of another encoding, common in digitised verse; no English word ends so
BEFORE_R = {"IH": "IY", "AE": "EH", "UH": "UW", "OW": "AO"}  # near, care, poor, four
CLOTH = frozenset({"G", "F", "TH", "S", "SH"})  # dog, off, cloth, cross, wash: AA and AO in turn
FULL = frozenset({"AY0", "EY0", "AW0", "OY0", "AO0"})  # uprise, alway: vowels no English word reduces
LIGHT = frozenset({("OW2",), ("UW2",), ("IY2",)})  # borrow, tissue: after the stress no heavier than the 0 other such words have
WEAK = frozenset("it me him her them us thee you ye he she 'em".split())  # may end a rhyme of several words: upon it
LIGHT_WORDS = WEAK | frozenset("in on of to at for is was are not all so o' a i be by up".split())  # may stand in one: lot o' news, you all
VOWEL_LETTERS = re.compile(r"[aeiouy]+")
PRIMARY, PROMOTED, HISTORICAL, WRENCHED = "primary", "promoted", "historical", "wrenched"


@dataclass(frozen=True)
class EnglishEnding(Ending):
    """An ending with the source of its stress.

    Attributes:
        stress: ``primary``: the stress of the word. ``promoted``: the meter's stress on a last syllable that has secondary stress, or
            that comes two or more after the word's stress (eterniTY, moonLIGHT). ``historical``: the same with an older sound
            (eternity / die). ``wrenched``: the meter's stress right after the word's stress (counTRY).
        sound: the phones as one string with spaces, which is faster to compare and to look up.
    """

    stress: str = PRIMARY
    sound: str = ""


def words_of(line: str) -> list[str]:
    """The words of a line as spelt, with apostrophes and single hyphens, without punctuation and numbers.

    >>> words_of("’Twas the sea-wind -- heav’n’s own!")
    ['’Twas', 'the', 'sea-wind', 'heav’n’s', 'own']
    """
    words = (word.rstrip(MOJIBAKE) for word in WORD.findall(line))
    return [word for word in words if fold(word).strip("'")]


def last_words(line: str, n: int = 2) -> list[str]:
    """The last ``n`` words of a line, two or three, or fewer if it has no more; only its end is read."""
    line = heard(line)
    tokens = WORD.findall(line[-NEAR:])
    if len(tokens) <= n and len(line) > NEAR:  # the first of them may have been cut
        tokens = WORD.findall(line[-FAR:])
    words: list[str] = []
    for token in reversed(tokens):
        word = token.rstrip(MOJIBAKE)
        if fold(word).strip("'"):
            words.append(word)
            if len(words) == n:
                break
    return words[::-1]


def merged(tail: Phones) -> tuple[str, ...]:
    """A tail in IPA in which sounds that rhyme are merged; the first phone is its vowel.

    >>> "".join(merged(("AW1", "ER0"))), "".join(merged(("AW1", "R")))
    ('aʊɹ', 'aʊɹ')
    """
    out: list[str] = []
    for i, phone in enumerate(tail):
        after = tail[i + 1] if i + 1 < len(tail) else ""
        base = phone[:-1] if is_vowel(phone) else phone
        if i == 0:
            out.append(BEFORE_R.get(base, base) if after == "R" else "AA" if base == "AO" and after in CLOTH else base)
        elif phone == "ER0" and out[-1] in ("AW", "AY", "OY"):
            out.append("R")
        elif phone in ("AH0", "IH0") and after in ("N", "L", "M") and not is_vowel(tail[i - 1]):
            continue
        elif base in ("AH", "IH") and after != "NG":
            out.append("@")
        else:
            out.append(base)
    table = arpabet()
    return tuple("ə" if p == "@" else table[p] for p in out)


def onset(phones: Phones, start: int) -> tuple[str, ...]:
    """The consonants before the vowel at ``start``, back to the last vowel."""
    at = start
    while at and not is_vowel(phones[at - 1]):
        at -= 1
    return tuple(arpabet()[p] for p in phones[at:start])


def tails(word: str, phones: Phones) -> list[tuple[int, Phones, str]]:
    """Where the rhyme may start: ``(nucleus, tail, stress)``, the likeliest first.

    Rhyme may start at the primary stress or at a later secondary one (imiTAtors). In words that end in two weak syllables it may also
    start at the last syllable, as the meter stresses it. Then the vowel may be that of its schwa (eternity, wilderness), that of its
    spelling (loveliest / rest) or, for -y, the diphthong of older rhyme (eternity / die).
    """
    nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
    if not nuclei:
        return []
    main, last = stressed_nucleus(phones), len(nuclei) - 1
    candidates = [(main, phones[nuclei[main] :], PRIMARY)]
    if last == main:
        return candidates
    weak = phones[nuclei[last] :]
    far = last - main > 1 or weak[0] in FULL or (weak[0][-1] == "2" and weak not in LIGHT)
    more = [(last, weak, PROMOTED if far else WRENCHED)]
    candidates += [(i, phones[nuclei[i] :], PROMOTED) for i in range(main + 1, last) if phones[nuclei[i]][-1] == "2"]
    if weak[0] in ("AH0", "IH0") and len(weak) > 1:
        more[0] = (last, ("AH1", *weak[1:]), more[0][2])
        spelt_vowel = next((vowel for pattern, vowel in promoted_vowels() if pattern.search(word)), None)
        if spelt_vowel not in (None, "AH1"):
            more.append((last, (spelt_vowel, *weak[1:]), more[0][2]))
    elif weak[0] == "IY0":
        more.append((last, ("AY1", *weak[1:]), HISTORICAL if far else WRENCHED))
    return more[:1] + candidates + more[1:] if last - main > 1 else candidates + more


def spelling_start(word: str, nucleus: int, n_nuclei: int) -> int:
    """Where the letters of a nucleus begin, approximately: counts groups of vowel letters from the nearer end of the word."""
    groups = [m.start() for m in VOWEL_LETTERS.finditer(word)]
    if not groups:
        return 0
    if len(groups) >= n_nuclei:  # what is too many is a silent e at the end
        return groups[nucleus]
    return groups[max(0, len(groups) - (n_nuclei - nucleus))]


@functools.lru_cache(maxsize=50_000)
def word_endings(word: str) -> tuple[EnglishEnding, ...]:
    """The endings of one word, each plausible tail once; end-stressed pronunciations first, as at line ends (combine, the verb)."""
    pronunciations, known = phones_of(word)
    pronunciations = tuple(sorted(pronunciations, key=lambda pair: "1" not in [p[-1] for p in pair[0] if is_vowel(p)][-1:]))
    simple = fold(word).strip("'")
    endings: dict[tuple[str, ...], EnglishEnding] = {}
    for phones, _ in pronunciations:
        nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
        for nucleus, tail, stress in tails(simple, phones):
            merged_tail = merged(tail)
            start = spelling_start(simple, nucleus, len(nuclei))
            ending = EnglishEnding(simple, merged_tail, onset(phones, nuclei[nucleus]), "", known, start, stress, " ".join(merged_tail))
            endings.setdefault(merged_tail, ending)
    return tuple(endings.values())


def mosaic(words: list[str]) -> EnglishEnding | None:
    """A feminine rhyme of two words or a triple one of three: ``upon it``, ``henpecked you all``.

    The first word must end in its stress. A last word that is no weak pronoun needs a rhyme of three syllables: two are too common.
    """
    folded = [fold(word) for word in words]
    if folded[0] in WEAK or not all(word in LIGHT_WORDS for word in folded[1:]):
        return None
    found = [phones_of(word) for word in words]
    if not all(pronunciations for pronunciations, _ in found):
        return None
    phones = found[0][0][0][0]
    nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
    if not nuclei or stressed_nucleus(phones) != len(nuclei) - 1 or phones[nuclei[-1]][-1] != "1":
        return None
    tail = phones[nuclei[-1] :] + tuple(p.replace("1", "0") for pronunciations, _ in found[1:] for p in pronunciations[0][0])
    if folded[-1] not in WEAK and sum(map(is_vowel, tail)) < 3:
        return None
    word = " ".join(word.strip("'") for word in folded)
    start = spelling_start(word.partition(" ")[0], len(nuclei) - 1, len(nuclei))
    merged_tail = merged(tail)
    known = all(sure for _, sure in found)
    return EnglishEnding(word, merged_tail, onset(phones, nuclei[-1]), "", known, start, PRIMARY, " ".join(merged_tail))
