"""Spanish meter: the readings of a line, their costs, and the preferred one.

Sinalefa is the default, also across a comma and a mute h. Dialefa, diéresis and sinéresis have costs learned from annotated verse
(``phonology/es/data/meter_weights.tsv``: log odds). The count ends one syllable after the last stress (aguda +1, esdrújula -1).
Period: Golden Age to 1900. Left out: the other lines of the poem.
"""

from __future__ import annotations

import bisect
import functools
from typing import NamedTuple

from rlpoet.phonology.es.letters import with_tilde
from rlpoet.phonology.es.tables import meter_weights, rhythms, unstressed
from rlpoet.prosody.es.vowel_groups import CONJUNCTIONS, HARD, WORD, Juncture, Word, between, cell_starts, cost_of, metrical_word

CACHE = 65_536
MOST_RHYTHM = 6.0  # nats; what the rhythms of two lengths can differ by
VOCATIVE = frozenset('¡¿(«“"')

Placed = tuple[Word, int, int]  # a word with its first and last place in the folded line


class Laid(NamedTuple):
    """A line as cells (vowels) and the junctures between them.

    Attributes:
        words: each with its place.
        tonic: whether each word is stressed in this line.
        first: the first cell of each word.
        vowels, marks: the phone of each cell, and whether it is stressed in this line.
        junctures: ``junctures[i]`` stands before cell ``i``.
        soft: the cells up to ``last`` whose juncture has a choice.
        last: the cell that carries the last stress; -1 in a line without vowels.
    """

    words: list[Placed]
    tonic: list[bool]
    first: list[int]
    vowels: list[str]
    marks: list[bool]
    junctures: list[Juncture]
    soft: list[int]
    last: int

    def owner(self, cell: int) -> int:
        """The word of a cell."""
        return bisect.bisect_right(self.first, cell) - 1


class Reading(NamedTuple):
    """One reading of a line: its metrical syllables, its cost, and which of its soft junctures join (bit k: the k-th one)."""

    syllables: int
    cost: float
    mask: int


def _tonics(folded: str, line: str, words: list[Placed], final: int) -> list[bool]:
    """Whether each word is stressed, by the table and the next word; word ``final`` always is."""
    table = unstressed()
    tonics = []
    for n, (word, start, _) in enumerate(words):
        after = table.get(word.text)
        if after is None or n == final or n == len(words) - 1:
            tonics.append(True)
        elif not after:
            tonics.append(word.text == "o" and start > 0 and folded[start - 1] in VOCATIVE)  # ¡o muerte!
        else:
            following, place, _ = words[n + 1]
            tonics.append(not (following.text in after or ("Name" in after and line[place : place + 1].isupper())))
    return tonics


def spelt(word: str, typed: str) -> str:
    """A folded word, with the accent that capitals certainly lost (CANCION)."""
    if len(word) < 2 or not typed.isupper():
        return word
    marked, sure = with_tilde(word)
    return marked if sure else word


def lay(folded: str, line: str) -> Laid:
    """Cells and junctures of a folded line; ``line`` is the same line with capitals, character by character."""
    words = [(metrical_word(spelt(m.group(), line[m.start() : m.end()])), m.start(), m.end()) for m in WORD.finditer(folded)]
    final = len(words) - 1
    while final >= 0 and not words[final][0].vowels:
        final -= 1
    tonic = _tonics(folded, line, words, final)
    first: list[int] = []
    vowels: list[str] = []
    marks: list[bool] = []
    junctures: list[Juncture] = []
    soft: list[int] = []
    last = -1
    closed = False  # the word before ends in a vowel
    for n, (word, _, _) in enumerate(words):
        at = len(vowels)
        first.append(at)
        if word.vowels:
            junctures.extend(word.inner)
            if closed and word.opens:
                junctures[at] = _edge_at(folded, words, tonic, n, final)
                soft.append(at)
            if word.soft:
                soft.extend([at + k for k in word.soft])
            vowels.extend(word.vowels)
            marks.extend(word.marks if tonic[n] else (False,) * len(word.vowels))
            if n == final:
                last = at + word.primary
        closed = word.closes
    while soft and soft[-1] > last:
        soft.pop()
    return Laid(words, tonic, first, vowels, marks, junctures, soft, last)


def _edge_at(folded: str, words: list[Placed], tonic: list[bool], n: int, final: int) -> Juncture:
    (left, _, end), (word, start, _) = words[n - 1], words[n]
    sides = ("S" if tonic[n - 1] and left.primary == len(left.vowels) - 1 else "u") + ("S" if tonic[n] and word.primary == 0 else "u")
    around = "l" if n == final and word.primary == 0 else ""
    if (left.text in CONJUNCTIONS and n > 1 and words[n - 2][0].closes) or (
        word.text in CONJUNCTIONS and n + 1 < len(words) and words[n + 1][0].opens
    ):
        around += "v"
    return between(left, word, folded[end:start], sides, around)


def _triple(kinds: str, phone: str, alone: str, joined: bool) -> tuple[str, ...]:
    if joined:
        if kinds == "ss":
            return ("t:1ss", f"t:1{alone or phone}")
        return (f"t:1{kinds}", f"t:1{kinds}{'w' if phone in 'iu' else 's'}")
    return ("t:0ss", f"t:0{alone}") if kinds == "ss" else ()


@functools.lru_cache(maxsize=CACHE)
def _triple_cost(kinds: str, phone: str, alone: str) -> tuple[float, float]:
    """The joint cost of two neighbouring junctures if both part, and if both join."""
    return cost_of(_triple(kinds, phone, alone, False)), cost_of(_triple(kinds, phone, alone, True))


def _triple_at(laid: Laid, i: int) -> tuple[str, str, str]:
    """The kinds of the junctures on both sides of cell ``i - 1``, its vowel, and the conjunction that it is, if any."""
    first, second = laid.junctures[i - 1].kind, laid.junctures[i].kind
    alone = laid.words[laid.owner(i - 1)][0].text if first == second == "s" else ""
    return first + second, laid.vowels[i - 1], alone if alone in CONJUNCTIONS else ""


def triple_features(laid: Laid, i: int, joined: bool) -> tuple[str, ...]:
    """Joint features of the junctures before cells ``i - 1`` and ``i``, if both join or both part."""
    if laid.junctures[i - 1] is HARD or laid.junctures[i] is HARD:
        return ()
    return _triple(*_triple_at(laid, i), joined)


States = dict[int, tuple[float, int]]  # syllables beyond the sure ones -> cost, joined junctures


def _cheaper(states: States, key: int, cost: float, mask: int) -> None:
    if key not in states or cost < states[key][0]:
        states[key] = (cost, mask)


def readings(laid: Laid) -> dict[int, Reading]:
    """The cheapest reading of every length the line allows (dynamic programme over its soft junctures).

    The cost of a reading is the sum over junctures, plus the joint costs of neighbours (muerte y amor: y joins one side only).
    """
    if laid.last < 0:
        return {}
    parted: States = {0: (0.0, 0)}  # the last juncture parts
    tied: States = {}  # the last juncture joins
    previous = -2
    for k, i in enumerate(laid.soft):
        juncture = laid.junctures[i]
        to_tie, to_part = (0.0, juncture.cost) if juncture.joined else (juncture.cost, 0.0)
        both_part, both_tie = _triple_cost(*_triple_at(laid, i)) if i == previous + 1 else (0.0, 0.0)
        bit = 1 << k
        new_parted: States = {}
        new_tied: States = {}
        for n, (cost, mask) in parted.items():
            new_parted[n + 1] = (cost + to_part + both_part, mask)
            new_tied[n] = (cost + to_tie, mask | bit)
        for n, (cost, mask) in tied.items():
            _cheaper(new_parted, n + 1, cost + to_part, mask)
            _cheaper(new_tied, n, cost + to_tie + both_tie, mask | bit)
        parted, tied, previous = new_parted, new_tied, i
    for n, (cost, mask) in tied.items():
        _cheaper(parted, n, cost, mask)
    sure = laid.last + 2 - len(laid.soft)
    return {sure + n: Reading(sure + n, cost, mask) for n, (cost, mask) in parted.items()}


def joins(laid: Laid, reading: Reading) -> list[bool]:
    """For each cell whether it joins the one before; after the last stress, the usual reading."""
    joined = [bool(juncture.joined) for juncture in laid.junctures]
    for k, i in enumerate(laid.soft):
        joined[i] = bool(reading.mask >> k & 1)
    return joined


def prior(count: int) -> float:
    """Prior cost of a length: 11 is the commonest, then 8 and 7; a line of 14 is read with its caesura instead."""
    weights = meter_weights()
    return -weights.get(f"n:{count}", weights["n:other"])


def likeliest(laid: Laid, by_length: dict[int, Reading]) -> Reading:
    """The reading without a target, see ``weighed``."""
    return weighed(laid, by_length)[1]


def weighed(laid: Laid, by_length: dict[int, Reading]) -> tuple[float, Reading]:
    """The reading without a target and its cost: least cost, prior cost of its length and cost of a rhythm that the length does not have.

    A single reading near the least cost is not asked for its rhythm.
    """
    found = sorted((reading.cost + prior(reading.syllables), n) for n, reading in by_length.items())
    least = found[0][0]
    near = [(cost, n) for cost, n in found if cost - least < MOST_RHYTHM]
    cost, n = near[0]
    if len(near) > 1:
        cost, n = min((cost - rhythm(stress_pattern(laid, by_length[n])), n) for cost, n in near)
    return cost, by_length[n]


@functools.lru_cache(maxsize=CACHE)
def rhythm(stress: str) -> float:
    """What a stress pattern weighs for its length (``rhythms.tsv``), in nats.

    >>> rhythm("--+--+--+-"), rhythm("-+---+---+-"), rhythm("-+--+----+-")
    (3.0, 0.0, -2.0)
    """
    stressed = {place for place, mark in enumerate(stress, start=1) if mark == "+"}
    own = rhythms().get(len(stress), ())
    return next((weight for wanted, barred, weight in own if wanted <= stressed and not barred & stressed), 0.0)


def stress_pattern(laid: Laid, reading: Reading) -> str:
    """``+`` and ``-``, one per metrical syllable; the last is always ``-`` (added after an aguda)."""
    tied = {i for k, i in enumerate(laid.soft) if reading.mask >> k & 1}
    marks: list[str] = []
    for i, stressed in enumerate(laid.marks[: laid.last + 1]):
        if i not in tied:
            marks.append("+" if stressed else "-")
        elif stressed:
            marks[-1] = "+"
    marks[-1] = "+"
    return "".join(marks) + "-"


def pieces(laid: Laid, reading: Reading) -> list[tuple[int, str, Juncture | None]]:
    """The start of each syllable in the folded line, its note, and the juncture that has its rarer reading there."""
    starts: list[tuple[int, str, Juncture | None]] = []
    joined = joins(laid, reading)
    for n, (word, start, _) in enumerate(laid.words):
        for place, i in zip(cell_starts(word.text) if word.vowels else (), range(laid.first[n], len(joined)), strict=False):
            juncture = laid.junctures[i]
            rare = juncture if juncture.joined is not None and joined[i] is not juncture.joined else None
            if joined[i]:
                begin, note, other = starts[-1]
                if juncture.kind == "s":
                    starts[-1] = (begin, "sinalefa", other or rare)
                elif juncture.kind == "h":
                    starts[-1] = (begin, note or "sinéresis", other or rare)
                continue
            note = {"d": "diéresis", "s": "dialefa"}.get(juncture.kind, "") if juncture.joined else ""
            starts.append((start + place, note, rare))
    return starts
