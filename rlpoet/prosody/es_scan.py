"""From readings to a Scansion: which count, whether a target fits, hemistichs, units on the spelling."""

from __future__ import annotations

import functools

from rlpoet.prosody.es_cells import WORD, fold_letters
from rlpoet.prosody.es_meter import Laid, Reading, lay, pieces, prior, readings, stress_pattern
from rlpoet.types import Scansion, Syllable

CACHE = 65_536
# How much dearer than the line's cheapest reading a reading may be and still be licensed (nats).
LICENCE = 5.0
ALEXANDRINE, HEMISTICH = 14, 7
# A pause at the caesura is itself a licence not to make sinalefa: what both halves may cost together.
CAESURA_LICENCE = 3.0
LONGEST = 300  # characters; beyond that a line is not verse and only its beginning is read


@functools.lru_cache(maxsize=CACHE)
def scan_line(line: str, target: int | None = None) -> Scansion:
    """See ``SpanishVerse.scan``."""
    folded, places = fold_letters(line[:LONGEST])
    shown = line[:LONGEST] if places is None else "".join(line[at] for at in places[:-1])
    laid = lay(folded, shown)
    found = readings(laid)
    if not found:
        return Scansion(line, 0, "", None if target is None else False, (Syllable(line, None, False),) if line else ())
    guessed = tuple(word.text for word, _, _ in laid.words if word.guess)
    cheapest = min(reading.cost for reading in found.values())
    verse = _alexandrine(folded, shown) if target in (None, ALEXANDRINE) and _may_be_alexandrine(found) else None
    if target is None:
        best = min(found.values(), key=lambda reading: reading.cost + prior(reading.count))
        if verse is not None and best.count >= 12 and verse[0] <= CAESURA_LICENCE:
            return _halves(line, places, verse[1], None, guessed)
        return _scansion(line, places, laid, best, None, guessed)
    if verse is not None and verse[0] <= LICENCE:
        return _halves(line, places, verse[1], True, guessed)
    aimed = found.get(target)
    fits = aimed is not None and aimed.cost - cheapest <= LICENCE
    if aimed is None or not fits:
        aimed = min(found.values(), key=lambda reading: (abs(reading.count - target), reading.cost))
    return _scansion(line, places, laid, aimed, fits, guessed)


def _may_be_alexandrine(found: dict[int, Reading]) -> bool:
    """A pause and two line ends inside may add or take a few syllables to what the line has in one piece."""
    return max(found) >= ALEXANDRINE - 1 and min(found) <= ALEXANDRINE + 2


def _alexandrine(folded: str, line: str) -> tuple[float, list[tuple[int, Laid, Reading]]] | None:
    """The cheapest cut into 7 + 7 behind a stressed word, or None. Costs are over each half's cheapest reading."""
    best: tuple[float, list[tuple[int, Laid, Reading]]] | None = None
    words = list(WORD.finditer(folded))
    whole = lay(folded, line)
    for n in range(1, len(words)):
        if not whole.tonic[n - 1]:
            continue
        cut = words[n].start()
        halves = []
        cost = 0.0
        for start, end in ((0, cut), (cut, len(folded))):
            laid = lay(folded[start:end], line[start:end])
            found = readings(laid)
            if HEMISTICH not in found:
                break
            cost += found[HEMISTICH].cost - min(reading.cost for reading in found.values())
            halves.append((start, laid, found[HEMISTICH]))
        if len(halves) == 2 and (best is None or cost < best[0]):
            best = (cost, halves)
    return best


def _halves(
    line: str, places: list[int] | None, halves: list[tuple[int, Laid, Reading]], fits: bool | None, guessed: tuple[str, ...]
) -> Scansion:
    stress = "".join(stress_pattern(laid, reading) for _, laid, reading in halves)
    cut = halves[1][0] if places is None else places[halves[1][0]]
    parts = [(line[:cut], halves[0]), (line[cut:], halves[1])]
    units: list[Syllable] = []
    for text, (start, laid, reading) in parts:
        own = None if places is None else [at - places[start] for at in places[start:]]
        units.extend(_units(text, own, laid, reading))
    return Scansion(line, ALEXANDRINE, stress, fits, tuple(units), HEMISTICH, guessed)


def _scansion(line: str, places: list[int] | None, laid: Laid, reading: Reading, fits: bool | None, guessed: tuple[str, ...]) -> Scansion:
    return Scansion(line, reading.count, stress_pattern(laid, reading), fits, _units(line, places, laid, reading), None, guessed)


def _units(line: str, places: list[int] | None, laid: Laid, reading: Reading) -> tuple[Syllable, ...]:
    """Syllables on the spelling. After an aguda an empty one counts; after an esdrújula one does not."""
    found = list(pieces(laid, reading))
    starts = [start if places is None else places[start] for start, _ in found] + [len(line)]
    marks = stress_pattern(laid, reading)
    units = []
    for k, (_, note) in enumerate(found):
        counts = k < reading.count
        units.append(Syllable(line[starts[k] : starts[k + 1]], counts and marks[k] == "+", counts, note if counts else "esdrújula"))
    if len(units) < reading.count:
        units.append(Syllable("", False, True, "aguda"))
    return tuple(units)
