"""Lines to scansions: the candidates of all words together, the best pattern, and its units on the spelling."""

from __future__ import annotations

import functools

from rlpoet.phonology.en import phones_of, plain
from rlpoet.phonology.en_tables import is_vowel
from rlpoet.prosody.en_meter import LONGEST, best_choice, odds
from rlpoet.prosody.en_rhyme import words_of
from rlpoet.prosody.en_syllables import Reading, cut, readings
from rlpoet.types import Scansion, Syllable

BEAM = 48  # readings of a line kept while its words are joined
DEAREST = 4.5  # nats of licences a line may take in all to fit a target
CROSSING = {"the": 1.5, "to": 2.5, "thou": 3.0}  # th'eternal, t'other: cost of losing the syllable before a vowel
GLIDES = frozenset({"a", "an"})  # many a, in two syllables
GLIDE = 1.0
METERS = {"-+": "iambic", "+-": "trochaic", "--+": "anapestic", "+--": "dactylic"}
LINES = ("", "monometer", "dimeter", "trimeter", "tetrameter", "pentameter", "hexameter", "heptameter", "octameter")

Choice = tuple[Reading, ...]


@functools.lru_cache(maxsize=100_000)
def _vowel_edges(word: str) -> tuple[bool, bool]:
    """Whether a word begins with a vowel (or a weak h) and whether it ends in unstressed i."""
    found, _ = phones_of(word)
    if not found:
        return False, False
    phones = found[0][0]
    return is_vowel(phones[0]), phones[-1] == "IY0" and len([p for p in phones if is_vowel(p)]) > 1


def _in_context(words: list[str]) -> list[tuple[Reading, ...]]:
    """The readings of each word, with the elisions its neighbour allows."""
    found = []
    for i, word in enumerate(words):
        own = readings(word)
        if i + 1 < len(words):
            if word in CROSSING and _vowel_edges(words[i + 1])[0]:
                own = (*own, Reading("", CROSSING[word], "elided"))
            elif words[i + 1] in GLIDES and _vowel_edges(word)[1]:
                own = (*own, *(Reading(r.marks[:-1], r.cost + GLIDE, "elided") for r in own if len(r.marks) > 1))
        found.append(own)
    return found


def candidates(words: list[str]) -> dict[int, list[Choice]]:
    """Readings of a line by their count of syllables, cheapest first."""
    beam: list[tuple[float, int, Choice]] = [(0.0, 0, ())]
    for options in _in_context(words):
        if len(options) == 1:
            only = options[0]
            beam = [(cost + only.cost, n + len(only.marks), (*choice, only)) for cost, n, choice in beam]
        else:
            beam = [(cost + r.cost, n + len(r.marks), (*choice, r)) for cost, n, choice in beam for r in options]
            if len(beam) > BEAM:
                beam.sort(key=lambda state: state[0])
                del beam[BEAM:]
    table: dict[int, list[Choice]] = {}
    for cost, n, choice in sorted(beam, key=lambda state: state[0]):
        if cost <= DEAREST + beam[0][0] or not table:
            table.setdefault(n, []).append(choice)
    return table


@functools.lru_cache(maxsize=100_000)
def scan_line(line: str, target: int | None) -> Scansion:
    """The likeliest reading of a line, or of its readings of ``target`` syllables if there are any."""
    spelt = words_of(line)
    if not spelt:
        return Scansion(line, 0, "", None if target is None else target == 0, (Syllable(line, counts=False),) if line else ())
    words = [plain(word) for word in spelt]
    guessed = tuple(word for word in spelt if not phones_of(word)[1])
    table = candidates(words)
    wanted = table if target is None else {target: table[target]} if target in table else table
    best = max((best_choice(words, choices), choices) for n, choices in wanted.items())
    (_, pattern, which), choices = best
    fits = None if target is None else target in table
    return Scansion(line, len(pattern), pattern, fits, units(line, spelt, words, choices[which], pattern), None, guessed)


def units(line: str, spelt: list[str], words: list[str], choice: Choice, pattern: str) -> tuple[Syllable, ...]:
    """The syllables of a reading on the spelling; a word without one lends its letters to the next syllable."""
    found: list[Syllable] = []
    at = beat = 0
    waiting = ""
    for text, word, reading in zip(spelt, words, choice, strict=True):
        start = line.index(text, at)
        between, at = line[at:start], start + len(text)
        if found and not waiting:
            found[-1] = Syllable(found[-1].text + between, found[-1].stressed, True, found[-1].note)
        else:
            waiting += between
        if not reading.marks:
            waiting += text
            continue
        readiness = odds(word, reading.marks)
        for i, piece in enumerate(cut(text, len(reading.marks))):
            stressed = pattern[beat] == "+"
            beat += 1
            note = reading.note if i == 0 and reading.note else "elided" if waiting and i == 0 and waiting.strip() and found else ""
            if stressed and readiness[i] < 0:
                note = f"{note} promoted".strip()
            elif not stressed and readiness[i] > 1:
                note = f"{note} demoted".strip()
            found.append(Syllable(waiting + piece, stressed, True, note))
            waiting = ""
    rest = waiting + line[at:]
    if rest and found:
        found[-1] = Syllable(found[-1].text + rest, found[-1].stressed, True, found[-1].note)
    return tuple(found)


def meter_name(scansion: Scansion) -> str:
    """The feet and their number, from the pattern alone; empty if it has no beat.

    >>> meter_name(Scansion("", 10, "-+-+-+-+-+"))
    'iambic pentameter'
    """
    pattern = scansion.stress or ""
    beats = pattern.count("+")
    if not 0 < beats < len(LINES):
        return ""
    inner = pattern.strip("-").split("+")[1:-1]
    doubles = sum(len(gap) > 1 for gap in inner)
    rising = pattern[0] == "-" or pattern.startswith("+--+-")
    triple = 2 * doubles > len(inner) if inner else "--" in pattern
    foot = ("--+" if rising else "+--") if triple else ("-+" if rising else "+-")
    return f"{METERS[foot]} {LINES[beats]}"
