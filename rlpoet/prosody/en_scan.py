"""Lines to scansions: the candidates of all words together, the best pattern, and its units on the spelling."""

from __future__ import annotations

import functools

from rlpoet.phonology.en import phones_of, plain
from rlpoet.phonology.en_tables import is_vowel
from rlpoet.prosody.en_meter import best_choice, odds
from rlpoet.prosody.en_rhyme import words_of
from rlpoet.prosody.en_syllables import Reading, cut, readings
from rlpoet.types import Scansion, Syllable

LONGEST = 40  # words: longer lines are no verse and get each word's first reading
BEAM = 48  # readings of a line kept while its words are joined
DEAREST = 4.5  # nats of licences a line may take in all to fit a target
CROSSING = {"the": 2.2, "to": 2.5, "thou": 3.0}  # th'eternal, t'other: cost of losing the syllable before a vowel
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


def _in_context(spelt: list[str]) -> list[tuple[Reading, ...]]:
    """The readings of each word, with the elisions its neighbour allows."""
    words = [plain(word) for word in spelt]
    found = []
    for i, word in enumerate(words):
        own = readings(spelt[i].lower())  # with its accents: wingèd
        if i + 1 < len(words):
            if word in CROSSING and _vowel_edges(words[i + 1])[0]:
                own = (*own, Reading("", CROSSING[word], "elided"))
            elif words[i + 1] in GLIDES and _vowel_edges(word)[1]:
                own = (*own, *(Reading(r.marks[:-1], r.cost + GLIDE, "elided") for r in own if len(r.marks) > 1))
        found.append(own)
    return found


def candidates(spelt: list[str]) -> dict[int, list[Choice]]:
    """Readings of a line's words, as spelt, by their count of syllables, cheapest first."""
    beam: list[tuple[float, int, Choice]] = [(0.0, 0, ())]
    for options in _in_context(spelt):
        if len(options) == 1 or len(spelt) > LONGEST:
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
    table = candidates(spelt)
    wanted = table if target is None else {target: table[target]} if target in table else table
    best = max(((best_choice(words, choices), choices) for choices in wanted.values()), key=lambda item: item[0][0])
    (_, pattern, which), choices = best
    fits = None if target is None else target in table
    return Scansion(line, len(pattern), pattern, fits, units(line, spelt, words, choices[which], pattern), None, guessed)


def units(line: str, spelt: list[str], words: list[str], choice: Choice, pattern: str) -> tuple[Syllable, ...]:
    """The syllables of a reading on the spelling; a word without one lends its letters to the next syllable."""
    texts: list[str] = []
    notes: list[str] = []
    at = 0
    waiting = ""  # letters and signs before the next syllable
    for text, word, reading in zip(spelt, words, choice, strict=True):
        start = line.index(text, at)
        between, at = line[at:start], start + len(text)
        if texts and not waiting:
            texts[-1] += between
        else:
            waiting += between
        if not reading.marks:
            waiting += text
            continue
        crossed = "elided" if texts and waiting else ""
        readiness = odds(word, reading.marks)
        for i, piece in enumerate(cut(text, len(reading.marks))):
            note = (reading.note or crossed) if i == 0 else ""
            beat = pattern[len(texts)] == "+"
            changed = "promoted" if beat and readiness[i] < 0 else "demoted" if not beat and readiness[i] > 1 else ""
            texts.append(waiting + piece)
            notes.append(f"{note} {changed}".strip())
            waiting = ""
    if not texts:
        return (Syllable(line, counts=False),)
    texts[-1] += waiting + line[at:]
    return tuple(Syllable(text, beat == "+", True, note) for text, beat, note in zip(texts, pattern, notes, strict=True))


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
    triple = 2 * doubles > len(inner) if inner else "--" in pattern
    rising = pattern[0] == "-" or (not triple and pattern.startswith("+--+"))
    foot = ("--+" if rising else "+--") if triple else ("-+" if rising else "+-")
    return f"{METERS[foot]} {LINES[beats]}"
