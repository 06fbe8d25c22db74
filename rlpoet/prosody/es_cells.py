"""A Spanish line as vowels and the junctures between them: what metre may join or part.

Every vowel is a cell. Between two cells that no consonant parts there is a juncture of one of three kinds:
``d`` inside a diphthong (parted by diéresis), ``h`` a hiatus inside a word (joined by sinéresis),
``s`` between words (joined by sinalefa, parted by dialefa). Features name what speaks for the rarer
choice; ``es_meter`` weighs them. Left out: who wrote the line, and the lines around it.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

from rlpoet.phonology.es import Parsed, fold, parse, syllable_starts

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
CONJUNCTIONS = frozenset("yeou")
PAUSES = frozenset(".;:!?…")
NOT_ADVERBS = frozenset(
    """vehemente clemente inclemente demente atormente alimente aumente lamente fomente comente cimente
    experimente fermente fundamente sedimente escarmente tormente argumente documente ornamente parlamente""".split()
)
# Stressed ie, ue are old e, o (tierra, fuego) and never parted, save in words where Latin had two vowels.
LEARNED = re.compile(r"ientes?$|ienci|quiet|fiel|cruel|luen|gruen")
CACHE = 65_536


@dataclass(frozen=True, slots=True)
class Cell:
    """A vowel of a word.

    Attributes:
        start: where its syllable would begin in the word if it began one.
        primary: nucleus of the stressed syllable.
        secondary: first stress of an adverb in -mente.
        relation: to the cell before it: ``d``, ``h`` or empty (a consonant between, or the first).
        features: for parting it from (``d``) or joining it to (``h``) the cell before.
    """

    phone: str
    start: int
    primary: bool
    secondary: bool
    relation: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Word:
    """The metrical side of a word: its cells and its two edges.

    Attributes:
        opens: how it begins for the word before: ``v`` vowel, ``h`` mute h and vowel, ``g`` glide
            (hierba, hueso: no sinalefa), empty for a consonant.
        closes: it ends in a vowel sound.
        glide_last: in a glide (rey, muy).
        guess: its syllables are a guess.
    """

    text: str
    cells: tuple[Cell, ...]
    opens: str
    closes: bool
    glide_last: bool
    guess: bool


def fold_letters(text: str) -> tuple[str, list[int] | None]:
    """``text`` folded to one character a letter, and where each begins in ``text`` (None: same place).

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
        letters.append(letter if len(letter) == 1 else (letter[:1] or " "))
        starts.append(at)
        at = end
    return "".join(letters), [*starts, len(text)]


def _secondary(word: Parsed) -> int | None:
    """Syllable of the adjective's stress in an adverb (dulcemente: 0), or None."""
    if not word.text.endswith("mente") or len(word.groups) < 4 or word.text in NOT_ADVERBS:
        return None
    stem = parse(word.text[:-5])
    return stem.stress if stem.groups else None


def _pair_features(word: Parsed, g: int, left: int, right: int, *, kind: str) -> tuple[str, ...]:
    """Why this juncture inside a word could be read the rarer way."""
    a, b = word.sounds[left], word.sounds[right]
    stressed = "L" if left == word.nuclei[word.stress] else "R" if right == word.nuclei[word.stress] else "0"
    last = "f" if g == len(word.groups) - 1 else "m"
    found = [kind, f"{kind}:{a.phone}{b.phone}", f"{kind}:{stressed}{last}", f"{kind}w:{word.text}"]
    if kind == "d":
        found.append(f"d:{a.phone}{b.phone}{stressed}")
        before = word.sounds[left - 1].phone if left else "#"
        found.append(f"d:{'v' if before in 'ɡk' and a.phone == 'u' else before + a.phone if a.phone in 'iu' else '-'}")
    if kind == "d" and stressed == "R" and a.phone + b.phone in ("ie", "ue") and LEARNED.search(word.text) is None:
        found.append("d:popular")
    if a.dieresis or b.dieresis:
        found.append("mark")
    if "h" in word.text[a.end : b.start]:
        found.append(f"{kind}:h")
    if kind == "h":
        found.append(f"h:{a.phone}{b.phone}{stressed}{last}")
    return tuple(found)


@functools.lru_cache(maxsize=CACHE)
def metrical_word(text: str) -> Word:
    """Cells of a folded word; a word without vowels has none."""
    word = parse(text)
    if not word.groups or not word.sounds[word.nuclei[0]].vowel:
        return Word(text, (), "", False, False, True)
    starts = syllable_starts(word)
    main, second = word.nuclei[word.stress], _secondary(word)
    other = word.nuclei[second] if second is not None else -1
    cells = []
    for g, group in enumerate(word.groups):
        for n, i in enumerate(group):
            sound = word.sounds[i]
            if n:
                relation, features = "d", _pair_features(word, g, i - 1, i, kind="d")
            elif g and word.groups[g - 1][-1] == i - 1:
                relation, features = "h", _pair_features(word, g, i - 1, i, kind="h")
            else:
                relation, features = "", ()
            cells.append(Cell(sound.phone, sound.start if n else starts[g], i == main, i == other, relation, features))
    first = word.groups[0]
    glide_first = len(first) > 1 and not word.sounds[first[0]].strong and word.nuclei[0] != first[0]
    opens = "" if first[0] else "g" if glide_first else "h" if text[0] == "h" else "v"
    final = word.groups[-1]
    closes = final[-1] == len(word.sounds) - 1
    return Word(text, tuple(cells), opens, closes, closes and word.nuclei[-1] != final[-1], word.guess)


@functools.lru_cache(maxsize=CACHE)
def edge_features(left: str, right: str, between: str, tonic: str, around: str) -> tuple[str, ...]:
    """Why two words that touch could be kept apart (dialefa).

    Args:
        left, right: folded words; the left one ends in a vowel sound, the right one begins with one.
        between: what stands between them.
        tonic: ``S`` or ``u`` for the vowel on either side, by the words' usual stress.
        around: ``l`` if the right vowel carries the line's last stress; ``v`` if a conjunction here
            touches a vowel on its other side too.
    """
    a, b = metrical_word(left), metrical_word(right)
    found = ["s", f"s:{tonic}", f"s:{a.cells[-1].phone}{b.cells[0].phone}", f"s:o{b.opens}", f"s:o{b.opens}{tonic[1]}"]
    if "l" in around:
        found += ["s:last", f"s:last{tonic[0]}", f"s:last{b.opens}"]
    touching = "v" if "v" in around else ""
    if left in CONJUNCTIONS:
        found += ["s:L&" + touching, f"s:L{left}{touching}", f"s:L&{touching}{tonic[1]}"]
    elif len(a.cells) == 1:
        found += ["s:L1", f"s:L1{tonic[1]}"]
    if right in CONJUNCTIONS:
        found += ["s:R&" + touching, f"s:R{right}{touching}", f"s:R&{touching}{tonic[0]}"]
    elif len(b.cells) == 1:
        found.append("s:R1")
    if a.glide_last:
        found.append("s:glide")
    if any(c in PAUSES for c in between):
        found.append("s:pause")
    elif len(between) > 1:
        found.append("s:comma")
    found += [f"sl:{left}", f"sr:{right}"]
    return tuple(found)
