"""A Spanish line as vowels and the junctures between them, which meter may join or part (synalepha, dialoephe, diaeresis).

Every vowel is a cell. Between two cells without a consonant between them there is a juncture of one of three kinds: ``d`` inside a
diphthong (parted by diéresis), ``h`` a hiatus inside a word (joined by sinéresis), ``s`` between words (joined by sinalefa, parted by
dialefa). Features describe the evidence for the rarer choice; their weights (``meter_weights.tsv``) give its cost. Left out: the
author and the other lines. Costs are cached by the inputs of their features, so a new word costs little.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from typing import NamedTuple

from rlpoet.phonology.es.letters import GLIDE, MARKED, STRONG, VOWELS, Parsed, fold, parse, syllable_starts
from rlpoet.phonology.es.tables import meter_weights

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
CONJUNCTIONS = frozenset("yeou")
PAUSES = frozenset(".;:!?…")
NOT_ADVERBS = frozenset(
    """vehemente clemente inclemente demente atormente alimente aumente lamente fomente comente cimente
    experimente fermente fundamente sedimente escarmente tormente argumente documente ornamente parlamente""".split()
)
# Stressed ie, ue are old e, o (tierra, fuego) and never parted, save in words where Latin or Hebrew had two vowels.
LEARNED = re.compile(r"ientes?$|ienci|quiet|fiel|cruel|luen|gruen|jue[zc]|[nr]iel$|quiel$|[nm]uel$")
CACHE = 65_536


class Inside(NamedTuple):
    """Inputs of the features of a juncture inside a word, apart from the word itself."""

    kind: str
    left: str
    right: str
    stressed: str
    last: str
    before: str
    popular: bool
    marked: bool
    mute: bool


class Between(NamedTuple):
    """Inputs of the features of a juncture between words, apart from the words.

    Attributes:
        tonic: ``S`` (stressed) or ``u`` for the vowel on each side.
        around: ``l`` if the right vowel carries the line's last stress; ``v`` if a conjunction here
            touches a vowel on its other side too.
        before, after: the word on that side if it is a conjunction, ``1`` if it has a single vowel, else empty.
        pause: ``pause`` or ``comma`` or empty.
    """

    left: str
    right: str
    opens: str
    tonic: str
    around: str
    before: str
    after: str
    glide: bool
    pause: str


class Juncture(NamedTuple):
    """The juncture between a cell and the one before it.

    Attributes:
        joined: the usual reading; None if a consonant stands between them.
        kind: ``d``, ``h``, ``s`` or empty.
        cost: cost of the other reading, in nats; negative if that is in fact the likelier one.
        about, words: the inputs of its features.
    """

    joined: bool | None
    kind: str = ""
    cost: float = 0.0
    about: Inside | Between | None = None
    words: tuple[str, ...] = ()

    @property
    def features(self) -> tuple[str, ...]:
        """Features for or against the other reading."""
        if self.about is None:
            return ()
        common = inside_features(self.about) if isinstance(self.about, Inside) else between_features(self.about)
        return common + word_features(self.kind, self.words)

    @property
    def weighed(self) -> list[tuple[str, float]]:
        """Its features that have a weight."""
        weights = meter_weights()
        return [(name, weights[name]) for name in self.features if name in weights]


HARD = Juncture(None)


class Word(NamedTuple):
    """The cells and junctures of a word.

    Attributes:
        vowels: the phone of each cell.
        marks: whether each cell is a stressed nucleus (two in adverbs in -mente).
        primary: the cell of the primary stress.
        inner: the juncture before each cell; the first is none.
        soft: the cells whose juncture has a choice.
        opens: how the word begins: ``v`` vowel, ``h`` mute h and vowel, ``g`` glide (hierba, hueso: no sinalefa), empty for a
            consonant.
        closes: whether it ends in a vowel sound.
        glide_last: whether it ends in a glide (rey, muy).
        single: the word if it is a conjunction of one vowel, ``1`` if it has one vowel, else empty.
        guess: whether its syllables are a guess.
    """

    text: str
    vowels: tuple[str, ...]
    marks: tuple[bool, ...]
    primary: int
    inner: tuple[Juncture, ...]
    soft: tuple[int, ...]
    opens: str
    closes: bool
    glide_last: bool
    single: str
    guess: bool


def fold_letters(text: str) -> tuple[str, list[int] | None]:
    """``text`` folded to one character per letter, and where each begins in ``text`` (None: at the same place).

    >>> fold_letters("An\u0303o")
    ('año', [0, 1, 3, 4])
    """
    folded = fold(text)
    if len(folded) == len(text) and unicodedata.is_normalized("NFC", text):
        return folded, None
    letters, starts = [], []
    at = 0
    while at < len(text):
        end = at + 1
        while end < len(text) and unicodedata.combining(text[end]):
            end += 1
        letter = fold(text[at:end])
        found = letter if len(letter) == 1 or letter.isalpha() else letter[:1] or " "  # two letters: a ligature
        letters.append(found)
        starts += [at] * len(found)
        at = end
    return "".join(letters), [*starts, len(text)]


def _secondary(word: Parsed) -> int | None:
    """Syllable of the adjective's stress in an adverb (dulcemente: 0), or None."""
    if not word.text.endswith("mente") or len(word.groups) < 4 or word.text in NOT_ADVERBS:
        return None
    stem = parse(word.text[:-5])
    return stem.stress if stem.groups else None


def _inside(word: Parsed, g: int, left: int, right: int, kind: str) -> Inside:
    a, b = word.phones[left], word.phones[right]
    main = word.nuclei[word.stress]
    stressed = "L" if left == main else "R" if right == main else "0"
    last = "f" if g == len(word.groups) - 1 else "m"
    before, popular = "", False
    if kind == "d":
        onset = word.phones[left - 1] if left else "#"
        before = "-" if a not in "iu" else "v" if onset in "ɡk" and a == "u" else onset + a
        h_before = word.text[word.starts[left]] == "h"  # vi-hue-la, des-hue-sar
        popular = a in "iu" and b == "e" and (h_before or (stressed == "R" and LEARNED.search(word.text) is None))
    marked = word.classes[left] in MARKED or word.classes[right] in MARKED
    mute = word.ends[left] < word.starts[right] and "h" in word.text[word.ends[left] : word.starts[right]]
    return Inside(kind, a, b, stressed, last, before, popular, marked, mute)


@functools.lru_cache(maxsize=CACHE)
def inside_features(about: Inside) -> tuple[str, ...]:
    """Features for the rarer reading of a juncture inside a word."""
    kind, pair = about.kind, about.left + about.right
    features = [kind, f"{kind}:{pair}", f"{kind}:{about.stressed}{about.last}"]
    if kind == "d":
        features += [f"d:{pair}{about.stressed}", f"d:{about.before}"]
    else:
        features.append(f"h:{pair}{about.stressed}{about.last}")
    if about.popular:
        features.append("d:popular")
    if about.marked:
        features.append("mark")
    if about.mute:
        features.append(f"{kind}:h")
    return tuple(features)


@functools.lru_cache(maxsize=CACHE)
def between_features(about: Between) -> tuple[str, ...]:
    """Features for keeping two adjacent words apart (dialefa)."""
    tonic, opens = about.tonic, about.opens
    features = ["s", f"s:{tonic}", f"s:{about.left}{about.right}", f"s:o{opens}", f"s:o{opens}{tonic[1]}"]
    if "l" in about.around:
        features += ["s:last", f"s:last{tonic[0]}", f"s:last{opens}"]
    touching = "v" if "v" in about.around else ""
    if about.before == "1":
        features += ["s:L1", f"s:L1{tonic[1]}"]
    elif about.before:
        features += ["s:L&" + touching, f"s:L{about.before}{touching}", f"s:L&{touching}{tonic[1]}"]
    if about.after == "1":
        features.append("s:R1")
    elif about.after:
        features += ["s:R&" + touching, f"s:R{about.after}{touching}", f"s:R&{touching}{tonic[0]}"]
    if about.glide:
        features.append("s:glide")
    if about.pause:
        features.append(f"s:{about.pause}")
    return tuple(features)


def word_features(kind: str, words: tuple[str, ...]) -> tuple[str, ...]:
    return (f"sl:{words[0]}", f"sr:{words[1]}") if kind == "s" else (f"{kind}w:{words[0]}",)


def cost_of(features: tuple[str, ...]) -> float:
    """The negative sum of the weights of these features."""
    weights = meter_weights()
    return -sum(weights.get(name, 0.0) for name in features)


@functools.lru_cache(maxsize=CACHE)
def _cost_inside(about: Inside) -> float:
    return cost_of(inside_features(about))


@functools.lru_cache(maxsize=CACHE)
def _cost_between(about: Between) -> float:
    return cost_of(between_features(about))


def inside(word: Parsed, g: int, left: int, right: int, kind: str) -> Juncture:
    """The juncture between two vowels of a word; ``g``: the syllable of the right one."""
    about = _inside(word, g, left, right, kind)
    cost = _cost_inside(about) - meter_weights().get(f"{kind}w:{word.text}", 0.0)
    return Juncture(kind == "d", kind, cost, about, (word.text,))


def between(left: Word, right: Word, gap: str, tonic: str, around: str) -> Juncture:
    """The juncture between two adjacent words, the first ending and the second beginning in a vowel.

    Args:
        gap: the characters between them in the line.
        tonic, around: see ``Between``.
    """
    pause = "" if gap.isspace() else "pause" if any(c in PAUSES for c in gap) else "comma" if len(gap) > 1 else ""
    about = Between(left.vowels[-1], right.vowels[0], right.opens, tonic, around, left.single, right.single, left.glide_last, pause)
    weights = meter_weights()
    cost = _cost_between(about) - weights.get(f"sl:{left.text}", 0.0) - weights.get(f"sr:{right.text}", 0.0)
    return Juncture(True, "s", cost, about, (left.text, right.text))


@functools.lru_cache(maxsize=CACHE)
def metrical_word(text: str) -> Word:
    """Cells of a folded word; a word without vowels has none."""
    word = parse(text)
    groups = word.groups
    if not groups or word.classes[word.nuclei[0]] not in VOWELS:
        return Word(text, (), (), -1, (), (), "", False, False, "", True)
    second = _secondary(word)
    main, other = word.nuclei[word.stress], -1 if second is None else word.nuclei[second]
    vowels: list[int] = []
    inner: list[Juncture] = []
    previous = -2
    for g, group in enumerate(groups):
        for n, i in enumerate(group):
            inner.append(inside(word, g, previous, i, "d" if n else "h") if previous == i - 1 and word.classes[i] != GLIDE else HARD)
            vowels.append(i)
            previous = i
    first, final = groups[0], groups[-1]
    glide_first = len(first) > 1 and word.classes[first[0]] not in STRONG and word.nuclei[0] != first[0]
    opens = "" if first[0] else "g" if glide_first else "h" if text[0] == "h" else "v"
    closes = final[-1] == len(word.phones) - 1
    return Word(
        text,
        tuple([word.phones[i] for i in vowels]),
        tuple([i in (main, other) for i in vowels]),
        vowels.index(main),
        tuple(inner),
        tuple([n for n, juncture in enumerate(inner) if juncture is not HARD]),
        opens,
        closes,
        closes and word.nuclei[-1] != final[-1],
        "" if len(vowels) > 1 else text if text in CONJUNCTIONS else "1",
        word.guess,
    )


@functools.lru_cache(maxsize=CACHE)
def cell_starts(text: str) -> tuple[int, ...]:
    """For each cell the place in the word where its syllable begins, if it begins one."""
    word = parse(text)
    starts = syllable_starts(word)
    return tuple(starts[g] if n == 0 else word.starts[i] for g, group in enumerate(word.groups) for n, i in enumerate(group))
