"""Readings of a Spanish line to a ``Scansion``: the length, whether a target fits, hemistichs, syllables on the spelling."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable
from typing import NamedTuple

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.es.letters import ROMAN
from rlpoet.phonology.es.tables import weight_rows
from rlpoet.prosody.es.readings import Laid, Reading, joins, lay, likeliest, pieces, prior, readings, stress_pattern, weighed
from rlpoet.prosody.es.vowel_groups import HARD, PAUSES, Juncture, fold_letters
from rlpoet.types import Scansion, Syllable

CACHE = 65_536
JUST_READ = 512  # lines whose readings are remembered: a poem's lines are read once for each length that they may have
# How much dearer than the line's cheapest reading a reading may be and still be licensed (nats).
LICENCE = 6.5
ALEXANDRINE, HEMISTICH = 14, 7
DOUBLE_FIVE, SHORT_HEMISTICH = 10, 5  # Yo soy ardiente, | yo soy morena
# A pause at the caesura is itself a licence not to make sinalefa: what both halves may cost together.
CAESURA_LICENCE = 4.0
# How much likelier a pause between them makes two hemistichs of five, in nats: the line's only one, or one that ends a clause.
ONLY_PAUSE, CLAUSE_END = 2.0, 4.0
BREAKS = PAUSES | frozenset("¡¿—–")
FIGURES = re.compile(r"\d+")  # written in figures and not read: what they take is unknown
MOST_VOWELS = 3 * ALEXANDRINE  # three vowels in every syllable: no alexandrine has more
LONGEST = 300  # characters; beyond that a line is not verse and only its beginning is read


class Part(NamedTuple):
    """A line or a hemistich: its start in the folded line, its cells and junctures, and its reading."""

    start: int
    laid: Laid
    reading: Reading


class Chosen(NamedTuple):
    """The reading of a line.

    Attributes:
        parts: the line, or its two hemistichs; empty for a line without a vowel.
        syllables: metrical count.
        fits: whether it has the target's length by licence; None without a target.
        places: where each folded letter stands in the line; None where folding moved nothing.
        guessed: words whose syllables are guesses, and figures.
    """

    parts: tuple[Part, ...]
    syllables: int
    fits: bool | None
    places: list[int] | None
    guessed: tuple[str, ...]

    @property
    def stress(self) -> str:
        return "".join(stress_pattern(part.laid, part.reading) for part in self.parts)

    @property
    def caesura(self) -> int | None:
        return self.parts[0].reading.syllables if len(self.parts) > 1 else None


@functools.lru_cache(maxsize=JUST_READ)
def _read(line: str) -> tuple[str, list[int] | None, str, Laid, dict[int, Reading], tuple[str, ...]]:
    """The folded line, the places of its letters, the part that is read, its cells and junctures, all its readings, and what is a guess."""
    silent = heard(line[:LONGEST])
    folded, places = fold_letters(silent)
    visible = silent if places is None else "".join(silent[at] for at in places[:-1])
    laid = lay(folded, visible)
    guessed = tuple([word.text for word, _, _ in laid.words if word.guess]) + tuple(FIGURES.findall(folded))
    if any(letter in visible for letter in "IVX"):
        guessed += tuple(folded[start:end] for _, start, end in laid.words if ROMAN.fullmatch(visible[start:end]))
    return folded, places, visible, laid, readings(laid), guessed


def choose(line: str, target: int | None = None) -> Chosen:
    """The reading that ``SpanishVerse.scan`` describes."""
    folded, places, visible, laid, by_length, guessed = _read(line)
    if not by_length:
        return Chosen((), 0, None if target is None else False, places, ())
    cheapest = min(reading.cost for reading in by_length.values())
    wanted = target is None or target == ALEXANDRINE
    verse = _halves(laid, folded, visible, HEMISTICH) if wanted and _may_be_alexandrine(laid, by_length) else None
    if target is None:
        cost, best = weighed(laid, by_length)
        if verse is not None and best.syllables >= 12 and verse[0] <= CAESURA_LICENCE:
            return Chosen(verse[1], ALEXANDRINE, None, places, guessed)
        if abs(best.syllables - DOUBLE_FIVE) == 1 and cost > prior(DOUBLE_FIVE) - CLAUSE_END:
            fives = _parted_fives(laid, folded, visible, cost)
            if fives:
                return Chosen(fives, DOUBLE_FIVE, None, places, guessed)
        return Chosen((Part(0, laid, best),), best.syllables, None, places, guessed)
    if verse is not None and (verse[0] <= LICENCE or all(_by_dialefa(part) for part in verse[1])):
        return Chosen(verse[1], ALEXANDRINE, True, places, guessed)
    aimed = by_length.get(target)
    fits = aimed is not None and aimed.cost - cheapest <= LICENCE
    if not fits and target == DOUBLE_FIVE and abs(likeliest(laid, by_length).syllables - target) <= 1:
        verse = _halves(laid, folded, visible, SHORT_HEMISTICH)
        if verse is not None and verse[0] == 0.0:
            return Chosen(verse[1], target, True, places, guessed)
    if aimed is None or not fits:
        aimed = min(by_length.values(), key=lambda reading: (abs(reading.syllables - target), reading.cost))
    return Chosen((Part(0, laid, aimed),), aimed.syllables, fits, places, guessed)


@functools.lru_cache(maxsize=CACHE)
def scan_line(line: str, target: int | None = None) -> Scansion:
    """See ``SpanishVerse.scan``."""
    chosen = choose(line, target)
    if not chosen.parts:
        return Scansion(line, 0, "", chosen.fits, (Syllable(line, None, False),) if line else ())
    return Scansion(line, chosen.syllables, chosen.stress, chosen.fits, _units(line, chosen), chosen.caesura, chosen.guessed)


def count_line(line: str, target: int | None = None) -> Scansion:
    """``scan_line`` without units, which is faster."""
    chosen = choose(line, target)
    return Scansion(line, chosen.syllables, chosen.stress, chosen.fits, (), chosen.caesura, chosen.guessed)


def fits_line(line: str, target: int) -> bool:
    """Whether ``scan_line`` finds a licensed reading of that length, without building it."""
    return bool(choose(line, target).fits)


def _may_be_alexandrine(laid: Laid, by_length: dict[int, Reading]) -> bool:
    """Whether 7 + 7 is possible by length: a pause and two line ends change the count by a few syllables at most."""
    return laid.last <= MOST_VOWELS and max(by_length) >= ALEXANDRINE - 1 and min(by_length) <= ALEXANDRINE + 2


def _parted_fives(whole: Laid, folded: str, line: str, cost: float) -> tuple[Part, ...]:
    """Two hemistichs of five that need no licence, with the line's strongest pause between them, if they cost less than ``cost``."""
    gaps = [folded[left[2] : right[1]] for left, right in itertools.pairwise(whole.words)]
    strengths = [0 if gap.isspace() else 2 if BREAKS.intersection(gap) else 1 for gap in gaps]
    most = max(strengths, default=0)
    cuts = [n for n, strength in enumerate(strengths, start=1) if strength == most]
    if most == 0 or (most == 1 and len(cuts) > 1) or prior(DOUBLE_FIVE) - (ONLY_PAUSE if most == 1 else CLAUSE_END) >= cost:
        return ()
    verse = _halves(whole, folded, line, SHORT_HEMISTICH, cuts)
    return verse[1] if verse is not None and verse[0] == 0.0 else ()


def _halves(whole: Laid, folded: str, line: str, half: int, cuts: Iterable[int] | None = None) -> tuple[float, tuple[Part, ...]] | None:
    """The cheapest cut into two of ``half`` syllables after a stressed word, or None. Costs are relative to each half's cheapest one.

    Args:
        cuts: the words before which the line may be cut; any by default.
    """
    best: tuple[float, tuple[Part, ...]] | None = None
    for n in range(1, len(whole.words)) if cuts is None else cuts:
        if not whole.tonic[n - 1] or not _may_be_cut(whole, n, half):
            continue
        cut = whole.words[n][1]
        halves = []
        cost = 0.0
        for start, end in ((0, cut), (cut, len(folded))):
            laid = lay(folded[start:end], line[start:end])
            by_length = readings(laid)
            if half not in by_length:
                break
            cost += by_length[half].cost - min(reading.cost for reading in by_length.values())
            halves.append(Part(start, laid, by_length[half]))
        if len(halves) == 2 and (best is None or cost < best[0]):
            best = (cost, tuple(halves))
    return best


def _by_dialefa(part: Part) -> bool:
    """Whether a hemistich differs from the usual reading by dialefas alone, which the mester de clerecía prefers to sinalefa."""
    pairs = zip(part.laid.junctures, joins(part.laid, part.reading), strict=True)
    return all(juncture.kind == "s" for juncture, joined in pairs if juncture.joined is not None and joined is not juncture.joined)


def _may_be_cut(whole: Laid, n: int, half: int) -> bool:
    """Whether both sides of word ``n`` can have ``half`` syllables, by their vowels alone."""
    middle, left = whole.first[n], whole.first[n - 1] + whole.words[n - 1][0].primary
    for start, last in ((0, left), (middle, whole.last)):
        most = last - start + 2
        least = most - sum(juncture is not HARD for juncture in whole.junctures[start + 1 : last + 1])
        if not least <= half <= most:
            return False
    return True


def _units(line: str, chosen: Chosen) -> tuple[Syllable, ...]:
    """Syllables on the spelling. After an aguda an empty one counts; after an esdrújula one does not."""
    places, units = chosen.places, []
    cuts = [part.start if places is None else places[part.start] for part in chosen.parts] + [len(line)]
    for part, begin, end in zip(chosen.parts, cuts, cuts[1:], strict=False):
        syllables = pieces(part.laid, part.reading)
        starts = [part.start + start if places is None else places[part.start + start] for start, _, _ in syllables] + [end]
        starts[0] = begin
        marks = stress_pattern(part.laid, part.reading)
        for k, (_, note, juncture) in enumerate(syllables):
            counts = k < part.reading.syllables
            source = deciding_row(juncture) if counts and juncture is not None else ""
            note = note if counts else "esdrújula"
            units.append(Syllable(line[starts[k] : starts[k + 1]], counts and marks[k] == "+", counts, note, source))
        if len(syllables) < part.reading.syllables:
            units.append(Syllable("", False, True, "aguda"))
    return tuple(units)


def deciding_row(juncture: Juncture) -> str:
    """The table row with the largest weight for the rarer reading; empty if only the target length required it."""
    weights = [(weight, name) for name, weight in juncture.weighed if weight > 0]
    return weight_rows()[max(weights)[1]] if weights else ""
