"""Spanish metre: the readings of a line, their costs, and the one to prefer.

Sinalefa is the default, also across a comma and a mute h; dialefa, diéresis and sinéresis cost
something, learnt from annotated verse (``phonology/data/es/meter_weights.tsv``: logarithms of odds).
The count ends one syllable after the last stress (aguda +1, esdrújula -1). Variety: Golden Age to 1900.
Left out: the poem around the line.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rlpoet.phonology.es import meter_weights, unstressed
from rlpoet.prosody.es_cells import CONJUNCTIONS, WORD, Cell, Word, edge_features, metrical_word

CACHE = 65_536
VOCATIVE = frozenset('¡¿(«“"')


@dataclass(frozen=True, slots=True)
class Juncture:
    """Between a cell and the one before.

    Attributes:
        joined: the usual reading; None where a consonant parts them.
        features: what speaks for or against the other reading.
        cost: of the other reading, in nats; below 0 where that is in fact the likelier one.
    """

    joined: bool | None
    features: tuple[str, ...] = ()
    cost: float = 0.0

    @property
    def kind(self) -> str:
        return self.features[0] if self.features else ""


@dataclass(frozen=True, slots=True)
class Laid:
    """A line laid out for reading.

    Attributes:
        words: each with its first and last place in the folded line.
        tonic: whether each word is stressed here.
        cells: each with the index of its word.
        junctures: ``junctures[i]`` stands before ``cells[i]``.
        last: the cell that carries the last stress; -1 in a line without vowels.
    """

    words: tuple[tuple[Word, int, int], ...]
    tonic: tuple[bool, ...]
    cells: tuple[tuple[Cell, int], ...]
    junctures: tuple[Juncture, ...]
    last: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a line: its count, its cost, and for every cell whether it joins the one before."""

    count: int
    cost: float
    joins: tuple[bool, ...]


HARD = Juncture(None)
Path = tuple[bool, Any]  # (joined here, the path before or None)


def _cost(features: tuple[str, ...]) -> float:
    weights = meter_weights()
    return -sum(weights.get(name, 0.0) for name in features)


@functools.lru_cache(maxsize=CACHE)
def _inner(text: str) -> tuple[Juncture, ...]:
    """Junctures before each cell of a word; the first one is a placeholder."""
    cells = metrical_word(text).cells
    return tuple(Juncture(c.relation == "d", c.features, _cost(c.features)) if c.relation else HARD for c in cells)


@functools.lru_cache(maxsize=CACHE)
def _edge(left: str, right: str, between: str, tonic: str, around: str) -> Juncture:
    features = edge_features(left, right, between, tonic, around)
    return Juncture(True, features, _cost(features))


def _is_tonic(folded: str, line: str, words: list[tuple[Word, int, int]], n: int) -> bool:
    """Whether word ``n`` is stressed, by the table and the word that follows."""
    word, start, _ = words[n]
    after = unstressed().get(word.text)
    if after is None or n == len(words) - 1:
        return True
    if not after:
        return word.text == "o" and start > 0 and folded[start - 1] in VOCATIVE  # ¡o muerte!
    following, place, _ = words[n + 1]
    return not (following.text in after or ("Name" in after and line[place : place + 1].isupper()))


def lay(folded: str, line: str) -> Laid:
    """Cells and junctures of a folded line; ``line`` is the same one with its capitals, place for place."""
    words = [(metrical_word(m.group()), m.start(), m.end()) for m in WORD.finditer(folded)]
    tonic = [_is_tonic(folded, line, words, n) for n in range(len(words))]
    final = max((n for n, (word, _, _) in enumerate(words) if word.cells), default=-1)
    if final >= 0:
        tonic[final] = True
    cells: list[tuple[Cell, int]] = []
    junctures: list[Juncture] = []
    last = -1
    for n, (word, _, _) in enumerate(words):
        if not word.cells:
            continue
        touches = n > 0 and bool(word.opens) and words[n - 1][0].closes
        junctures.append(_edge_at(folded, words, tonic, n, final) if touches else HARD)
        junctures.extend(_inner(word.text)[1:])
        for cell in word.cells:
            if n == final and cell.primary:
                last = len(cells)
            cells.append((cell, n))
    return Laid(tuple(words), tuple(tonic), tuple(cells), tuple(junctures), last)


def _edge_at(folded: str, words: list[tuple[Word, int, int]], tonic: list[bool], n: int, final: int) -> Juncture:
    (left, _, end), (word, start, _) = words[n - 1], words[n]
    sides = ("S" if left.cells[-1].primary and tonic[n - 1] else "u") + ("S" if word.cells[0].primary and tonic[n] else "u")
    around = "l" if n == final and word.cells[0].primary else ""
    if (left.text in CONJUNCTIONS and n > 1 and words[n - 2][0].closes) or (
        word.text in CONJUNCTIONS and n + 1 < len(words) and words[n + 1][0].opens
    ):
        around += "v"
    return _edge(left.text, word.text, folded[end:start], sides, around)


@functools.lru_cache(maxsize=CACHE)
def _triple(kinds: str, phone: str, alone: str, joined: bool) -> tuple[str, ...]:
    if joined:
        if kinds == "ss":
            return ("t:1ss", f"t:1{alone or phone}")
        return (f"t:1{kinds}", f"t:1{kinds}{'w' if phone in 'iu' else 's'}")
    return ("t:0ss", f"t:0{alone}") if kinds == "ss" else ()


def triple_features(laid: Laid, i: int, joined: bool) -> tuple[str, ...]:
    """What the junctures before cells ``i - 1`` and ``i`` say together when both join, or both part."""
    first, second = laid.junctures[i - 1], laid.junctures[i]
    if first.joined is None or second.joined is None:
        return ()
    middle, n = laid.cells[i - 1]
    text = laid.words[n][0].text
    return _triple(first.kind + second.kind, middle.phone, text if text in CONJUNCTIONS else "", joined)


def readings(laid: Laid) -> dict[int, Reading]:
    """The cheapest reading of every length the line allows (dynamic programme over junctures).

    State: syllables so far, and whether the last juncture joined. Costs add up, plus what two
    neighbouring junctures cost together (muerte y amor: y goes with one side only). The path
    behind a state is a linked list, newest first.
    """
    if laid.last < 0:
        return {}
    states: dict[tuple[int, bool], tuple[float, Path]] = {(1, False): (0.0, (False, None))}
    for i in range(1, laid.last + 1):
        juncture = laid.junctures[i]
        choices = (False,) if juncture.joined is None else (True, False)
        soft = juncture.joined is not None and laid.junctures[i - 1].joined is not None
        both = (_cost(triple_features(laid, i, False)), _cost(triple_features(laid, i, True))) if soft else (0.0, 0.0)
        forked: dict[tuple[int, bool], tuple[float, Path]] = {}
        for (count, before), (cost, path) in states.items():
            for joined in choices:
                key = (count + (not joined), joined)
                rarer = juncture.joined is not None and joined is not juncture.joined
                total = cost + (juncture.cost if rarer else 0.0) + (both[joined] if before is joined else 0.0)
                if key not in forked or total < forked[key][0]:
                    forked[key] = (total, (joined, path))
        states = forked
    found: dict[int, Reading] = {}
    for (count, _), (cost, path) in states.items():
        if count + 1 not in found or cost < found[count + 1].cost:
            found[count + 1] = Reading(count + 1, cost, _unlinked(path))
    return found


def _unlinked(path: Path) -> tuple[bool, ...]:
    steps: list[bool] = []
    rest: Path | None = path
    while rest is not None:
        steps.append(rest[0])
        rest = rest[1]
    return tuple(reversed(steps))


def prior(count: int) -> float:
    """Cost of a length before the line is seen: 11 is the commonest, then 8 and 7; 14 is read with its caesura."""
    return -meter_weights().get(f"n:{count}", meter_weights().get("n:other", -4.0))


def stress_pattern(laid: Laid, reading: Reading) -> str:
    """``+`` and ``-``, one a metrical syllable; the last is always ``-`` (added after an aguda)."""
    marks: list[bool] = []
    for i in range(laid.last + 1):
        cell, n = laid.cells[i]
        stressed = laid.tonic[n] and (cell.primary or cell.secondary)
        if reading.joins[i]:
            marks[-1] = marks[-1] or stressed
        else:
            marks.append(stressed)
    marks[-1] = True
    return "".join("+" if mark else "-" for mark in marks) + "-"


def pieces(laid: Laid, reading: Reading) -> Iterator[tuple[int, str]]:
    """Where each syllable begins in the folded line, and what is special about it."""
    starts: list[int] = []
    notes: list[str] = []
    for i, (cell, n) in enumerate(laid.cells):
        juncture = laid.junctures[i]
        joined = reading.joins[i] if i <= laid.last else bool(juncture.joined)
        if joined:
            if juncture.kind == "s":
                notes[-1] = "sinalefa"
            elif juncture.kind == "h":
                notes[-1] = notes[-1] or "sinéresis"
            continue
        starts.append(laid.words[n][1] + cell.start)
        notes.append({"d": "diéresis", "s": "dialefa"}.get(juncture.kind, "") if juncture.joined else "")
    starts[0] = 0
    yield from zip(starts, notes, strict=True)
