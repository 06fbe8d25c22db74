"""French words to metrical nuclei, from the spelling: which certainly count, which may, and with what probability.

The count is the classical one. Every vowel grapheme is a nucleus. Two adjacent ones may be read apart (diérèse, ``li-on``) or
together (synérèse, ``pied``). A word-final mute e counts before a consonant, is elided before a vowel or mute h, and is dropped at the
end of the line. The probability of each diérèse is learned from annotated verse (``dierese.tsv``), by word and by ending. Left out:
apocope and colloquial elision that is not written (``p'tit`` is read as written).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

from rlpoet.phonology import phonology
from rlpoet.phonology.fr.sounds import French, fold, strip_accents
from rlpoet.phonology.fr.spelling import DATA
from rlpoet.text.tables import read_table

VOWEL_LETTERS = "aàâäeéèêëiîïoôöuùûüyÿœæ"
GRAPHEMES = re.compile("eau|aoû|œu|œi(?=l)|[ae][iîuûy]|o[iîuûùy]|oe(?=u|il)u?|[" + VOWEL_LETTERS + "]")
GROUP = re.compile(f"[{VOWEL_LETTERS}]+")
SPECIAL_STARTS = frozenset("oui ouistiti ouate onze onzième uhlan yacht yole yatagan yucca".split())
OLD_LETTERS = (
    (re.compile("^v(?=[bcdfgjkmnpqst])"), "u"),
    (re.compile(f"(?<=[{VOWEL_LETTERS}])u(?=[{VOWEL_LETTERS}r])"), "v"),
    (re.compile("^i(?=[aeou])"), "j"),
    (re.compile(f"(?<=[{VOWEL_LETTERS}n])i(?=[{VOWEL_LETTERS}])"), "j"),
)
INNER_E = re.compile(f"e[^{VOWEL_LETTERS}][{VOWEL_LETTERS}]")  # gaieté, avouera
LONG_ENT = re.compile("([ao])[iy]ent$")
TRAIRE = re.compile("(abs|at|dis|ex|por|re|sous)?traient$|braient$")  # -ayer and -oyer tell the present of other verbs
VERB_PREFIX = re.compile("^(?:entre|re|ré|dé|é|em)(?=..)")
ONE_SYLLABLE = frozenset("soient soyent aient ayent étaient avoient avoyent".split())  # être and avoir, not étayer and avoyer
LONGEST_WORD = 40  # letters
CLUSTER = re.compile("[bcdfgptv][lr]$")
PRIOR_STRENGTH = 1.0
START_GLIDE, START_HIATUS, START_INNER_E = 0.5, 0.97, 0.05


@dataclass(frozen=True, slots=True)
class Nucleus:
    """A vowel grapheme of a word that may carry a syllable.

    Attributes:
        start, end: its letters in the word.
        keys: table keys for the probability that it counts, most specific first; empty if it certainly does.
        start_p: the probability if the table has none of the keys.
        mute: ``e``, ``es``, ``ent`` for a final mute e, else empty. Its probability depends on the next word.
    """

    start: int
    end: int
    keys: tuple[str, ...] = ()
    start_p: float = 1.0
    mute: str = ""


def mask_silent(word: str) -> str:
    """The word with a dot for letters that are no vowels here: qu, gu before e i, ge before a o, glide y and il.

    >>> mask_silent("quelqu"), mask_silent("voyage"), mask_silent("soleil"), mask_silent("mangea")
    ('q.elq.', 'vo.age', 'sole.l', 'mang.a')
    """
    for pattern in SILENT:
        word = pattern.sub(lambda match: match.group(1) + "." * (len(match.group()) - len(match.group(1))), word)
    return word


SILENT = tuple(
    re.compile(source)
    for source in (
        "(q)[uû]",
        "(g)u(?=[eéèêiîy])",
        "(g)e(?=[aâàoô])",
        "([cg])u(?=eil)",
        f"([aeoœ]u?|[oœ]e|ou)i(?=ll[{VOWEL_LETTERS}]|ls?$)",
        f"([aoueéi])y(?=[{VOWEL_LETTERS}])",
    )
)


def modern_letters(word: str) -> str:
    """A word with v and j for old u and i, and u for old v, if that gives a known word; the length stays the same.

    >>> modern_letters("auoir"), modern_letters("vnique"), modern_letters("iour"), modern_letters("jouir")
    ('avoir', 'unique', 'jour', 'jouir')
    """
    phonology = french()
    if word in phonology.lexicon:
        return word
    for pattern, put in OLD_LETTERS:
        changed = pattern.sub(put, word)
        if changed in phonology.lexicon or (put == "u" and changed != word):
            return changed
    return word


def graphemes(word: str) -> list[tuple[int, int]]:
    """Spans of the vowel graphemes of a lower-case word."""
    return [(match.start(), match.end()) for match in GRAPHEMES.finditer(mask_silent(word))]


def mute_ending(word: str) -> tuple[int, str]:
    """The place and kind of a final mute e; ``(-1, "")`` without one."""
    if word.endswith("e"):
        return len(word) - 1, "e"
    if word.endswith("es"):
        return len(word) - 2, "es"
    if word.endswith("ent") and verbal_ent(word):
        return len(word) - 3, "ent"
    return -1, ""


def accented(word: str) -> str:
    """A word from capitals with the accent of its final é, if only that word is in the lexicon: beaute is beauté.

    >>> accented("beaute"), accented("ete"), accented("cites"), accented("belle")
    ('beauté', 'été', 'cites', 'belle')
    """
    phonology = french()
    if word in phonology.lexicon or not word.endswith(("e", "es")):
        return word
    stem, final = (word[:-2], "és") if word.endswith("es") else (word[:-1], "é")
    spelling = stem + final if stem + final in phonology.lexicon else phonology.folded.get(fold(stem + final), word)
    return spelling if len(spelling) == len(word) else word


def verbal_ent(word: str) -> bool:
    """Whether a final -ent is the silent verb ending, by the word's sounds."""
    if word.endswith(("aient", "oient")):
        return True
    readings = phonology("fr").transcribe(word).pronunciations
    return bool(readings) and readings[0].phones[-1:] not in {("ɑ̃",), ("ɛ̃",)}


@functools.lru_cache(maxsize=16_384)
def masculine_ent(word: str) -> bool:
    """Whether a final -aient or -oient is one syllable, of an imperfect, a conditional, ``soient`` or ``aient``, and so masculine.

    In the present (``paient``, ``voient``) its e is one of the old mute syllables, and the rhyme is feminine (Quicherat 1850).

    >>> [masculine_ent(word) for word in ("étaient", "estoient", "soient", "voient", "emploient", "paient", "traient", "rient")]
    [True, True, True, False, False, False, False, False]
    """
    match = LONG_ENT.search(word)
    if not match:
        return False
    stem, vowel = word[: match.start()], match.group(1)
    known = french().lexicon
    bases = {stem, VERB_PREFIX.sub("", stem)}
    present = any(f"{base}{vowel}yer" in known or (vowel == "o" and f"{base}oient" in known) for base in bases)
    return word in ONE_SYLLABLE or not (present or TRAIRE.match(word))


@functools.lru_cache(maxsize=50_000)
def nuclei(word: str) -> tuple[Nucleus, ...]:
    """Nuclei of a lower-case word without apostrophe or hyphen.

    >>> [word_part.keys == () for word_part in nuclei("maison")]
    [True, True]
    """
    word = modern_letters(word)
    spans = graphemes(word)
    mute_at, mute = mute_ending(word)
    units: list[Nucleus] = []
    previous_end = -1
    for index, (start, end) in enumerate(spans):
        touches = start == previous_end
        previous_end = end
        if start == mute_at and len(spans) > 1 and masculine_ent(word):
            continue
        if start == mute_at and len(spans) > 1:
            after = "V" if touches else "C"
            before = word[spans[-2][0] : start] if touches else ""
            units.append(Nucleus(start, end, (f"{before}{after}{mute}", f"{after}{mute}"), 1.0 if after == "C" else 0.1, mute))
        elif touches:
            keys = contact_keys(word, spans[index - 1][0], start, end)
            units.append(Nucleus(start, end, keys, contact_prior(word, units[-1], start, end)))
        elif word[start:end] in ("ay", "ey") and end < len(word):
            units.append(Nucleus(start, start + 1))
            units.append(Nucleus(start + 1, end, contact_keys(word, start, start + 1, end), 0.1))
        else:
            units.append(Nucleus(start, end))
    return tuple(units)


def contact_keys(word: str, left: int, at: int, right: int) -> tuple[str, ...]:
    """Table keys of the adjacent vowels before letter ``at``, from the whole word to the vowels alone.

    Flags before the colon: K a cluster like ``bl`` leads (ou-bli-er), V the stem is a verb's (confi-er),
    M the ending is a verb's (aim-ions), E an e before one consonant
    and a vowel follows (avou-era). A word too long to be one has no key of its own.

    Args:
        left: where the vowel before the contact begins.
        right: where the vowel after it ends.

    >>> contact_keys("oublier", 4, 5, 6)
    ('#oubli-er#', 'bli-er#', 'KV:li=er', 'KV:i=er#', 'KV:i+e')
    """
    long = len(word) > LONGEST_WORD
    verbs = frozenset[str]() if long else verb_stems()
    flags = "K" if CLUSTER.search(word, max(left - 2, 0), left) else ""
    flags += (
        "V" if word[: min(at, LONGEST_WORD)] in verbs else "M" if word[at - 1] == "i" and word[: min(at, LONGEST_WORD) - 1] in verbs else ""
    )
    flags += "E" if INNER_E.match(word, at) else ""
    vowels = word[left:at]
    general = f"{flags}:{word[max(left - 1, 0) : left]}{vowels}={word[at : right + 1]}", f"{flags}:{vowels}+{word[at:right]}"
    if long:
        return general
    rest = word[at:].removesuffix("s")
    return (
        f"#{word[:at]}-{word[at:]}#",
        f"{word[max(left - 2, 0) : left]}{vowels}-{rest}#",
        general[0],
        f"{flags}:{vowels}={rest}#",
        general[1],
    )


def french() -> French:
    """The loaded French phonology, for its word list."""
    language = phonology("fr")
    assert isinstance(language, French)
    return language


@functools.cache
def verb_stems() -> frozenset[str]:
    """Stems of verbs in -er: what stands before the imperfect -ait when the infinitive is known too."""
    known = french().lexicon
    return frozenset(word[:-3] for word in known if word.endswith("ait") and word[:-3] + "er" in known)


def contact_prior(word: str, left: Nucleus, start: int, end: int) -> float:
    """Prior probability of a diérèse: glides may join, other vowels stay apart, an e inside a word after a vowel is mute."""
    if INNER_E.match(word, start):
        return START_INNER_E
    return START_GLIDE if word[left.start : left.end] in ("i", "y", "u", "ou", "o", "î") else START_HIATUS


@functools.cache
def h_starts() -> dict[str, bool]:
    """Starts of words in h, without accents, ``#`` for the end of the word: whether the h bars elision (``h_aspire.tsv``)."""
    return {start: aspire == "yes" for _, (start, aspire, _) in read_table(DATA / "h_aspire.tsv", ("start", "aspire", "example"))}


@functools.lru_cache(maxsize=16_384)
def is_aspirated(word: str) -> bool:
    """Whether a lower-case word begins with h aspiré, before which there is no elision: by the longest start in the table.

    >>> [is_aspirated(word) for word in ("hérissé", "héritier", "héros", "héroïque", "harnais", "harmonie", "amour")]
    [True, False, True, False, True, False, False]
    """
    table, plain = h_starts(), strip_accents(word) + "#"
    return next((table[plain[:n]] for n in range(len(plain), 0, -1) if plain[:n] in table), False)


def start_keys(word: str) -> tuple[str, ...]:
    """How a word begins, for the word before it: ``V``, ``C``, or keys of doubtful starts (h, oui, onze, y).

    >>> start_keys("amour"), start_keys("roi"), start_keys("homme")
    (('V',), ('C',), ('>homme', '>h*'))
    """
    first = word[:1]
    if first == "h":
        return f">{word}", ">h!" if is_aspirated(word) else ">h*"
    if word in SPECIAL_STARTS:
        return f">{word}", ">oui*"
    if first == "y" and len(word) > 1:
        return f">{word}", ">y*"
    if first == "v" and word[1:2] in "bcdfgjkmnpqst":
        return ("V",)
    return ("V",) if first and first in VOWEL_LETTERS else ("C",)


START_P = {"V": 0.0, "C": 1.0, ">h!": 0.97, ">h*": 0.04, ">oui*": 0.5, ">y*": 0.1}


@functools.cache
def _learned_rows() -> tuple[dict[str, float], dict[str, str]]:
    table = DATA / "dierese.tsv"
    rows = list(read_table(table, ("key", "p", "n"))) if table.exists() else []  # what learns the table asks this module first
    return {key: float(p) for _, (key, p, _) in rows}, {key: where for where, (key, *_) in rows}


def learned() -> dict[str, float]:
    """Probabilities of ``dierese.tsv`` by key."""
    return _learned_rows()[0]


def row_of(keys: tuple[str, ...]) -> str:
    """The row of ``dierese.tsv`` for the most specific key in it, as ``file:line``; empty if it has none of the keys."""
    rows = _learned_rows()[1]
    return next((rows[key] for key in keys if key in rows), "")


def is_learned(keys: tuple[str, ...]) -> bool:
    return any(key in learned() for key in keys)


def chance(keys: tuple[str, ...], start_p: float) -> float:
    """The learned probability of the most specific key in the table."""
    table = learned()
    for key in keys:
        p = table.get(key)
        if p is not None:
            return p
    return start_p
