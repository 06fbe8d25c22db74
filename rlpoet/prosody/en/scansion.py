"""Scans English lines: combines the readings of all words, chooses the best pattern, and lays its syllables on the spelling.

What does not depend on the line is computed once per word (``WordOptions``), so a line costs little more than joining its words.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from operator import itemgetter

from rlpoet.phonology.apparatus import heard
from rlpoet.phonology.en.sounds import fold, phones_of
from rlpoet.phonology.en.tables import Phones, is_vowel
from rlpoet.prosody.en.rhyme import MOJIBAKE, WORD
from rlpoet.prosody.en.stress_patterns import best_choice, idle, odds, odds_source
from rlpoet.prosody.en.syllables import Reading, cut, readings
from rlpoet.types import Scansion, Syllable

LONGEST = 40  # words: longer lines are no verse and get each word's first reading
JUST_READ = 512  # lines whose readings are remembered: who asks for a length asks next for another, or for the likeliest one
BEAM = 48  # readings of a line kept while its words are joined
DEAREST = 4.5  # nats of licences a line may take in all to fit a target
CROSSING = {"the": 2.2, "to": 2.5}  # th'eternal, t'other: cost of losing the syllable before a vowel
GLIDES = frozenset({"a", "an"})  # many a, in two syllables
GLIDE = 1.0
PROMOTED, DEMOTED = 0.0, 1.0  # log odds below and above which a beat, or none, is the meter's doing

Option = tuple[float, float, tuple[float, ...], Reading]  # reach, log probability without beats less cost, odds of beats, the reading
_COST = itemgetter(0)
State = tuple[float, float, tuple[float, ...], tuple[Reading, ...]]  # the same of several words; only words with a choice have readings


def option(word: str, reading: Reading) -> Option:
    """A reading with the numbers that every line needs."""
    return reading.reach, idle(word, reading.marks) - reading.cost, odds(word, reading.marks), reading


@dataclass(frozen=True, slots=True)
class WordOptions:
    """The readings of a word that do not depend on its line.

    Attributes:
        spelt, folded: the word as in the line, and without case and accents.
        known: False if its sound is a guess.
        options: its readings, cheapest first.
        before_vowel, before_glide: the options before a word that begins with a vowel, and before ``a`` or ``an``. The same object as
            ``options`` if that makes no difference.
        vowel: whether the word begins with a vowel.
        glide: whether the word is ``a`` or ``an``.
    """

    spelt: str
    folded: str
    known: bool
    options: tuple[Option, ...]
    before_vowel: tuple[Option, ...]
    before_glide: tuple[Option, ...]
    vowel: bool
    glide: bool

    def before(self, after: WordOptions) -> tuple[Option, ...]:
        """The options before a word that begins with a vowel."""
        return self.before_glide if after.glide and self.before_glide is not self.options else self.before_vowel


@functools.lru_cache(maxsize=50_000)
def word_options(token: str) -> WordOptions | None:
    """The options of a token of a line; None if it is not a word."""
    spelt = token.rstrip(MOJIBAKE)
    word = fold(spelt)
    if not word.strip("'"):
        return None
    pronunciations, known = phones_of(spelt)
    word_readings = readings(spelt.lower())  # with its accents: wingèd
    options = tuple([option(word, reading) for reading in word_readings])
    before_vowel = before_glide = options
    if word in CROSSING:
        mute: Phones = tuple(p for p in pronunciations[0][0] if not is_vowel(p))
        before_vowel = (*options, option(word, Reading("", CROSSING[word], "elided", pronunciations[0][1], mute, CROSSING[word])))
    elif pronunciations and pronunciations[0][0][-1] == "IY0" and len(pronunciations[0][0]) > 2:
        before_glide = (*options, *(option(word, _glided(reading)) for reading in word_readings if len(reading.marks) > 1))
    vowel = bool(pronunciations) and is_vowel(pronunciations[0][0][0])
    return WordOptions(spelt, word, known, options, before_vowel, before_glide, vowel, word in GLIDES)


def _glided(reading: Reading) -> Reading:
    """The reading in which the last syllable joins the article after it: many a."""
    return Reading(reading.marks[:-1], reading.cost + GLIDE, "elided", reading.source, (*reading.phones[:-1], "Y"), reading.reach + GLIDE)


def words_of_line(line: str) -> list[WordOptions]:
    """The words of a line."""
    return [word for word in map(word_options, WORD.findall(heard(line))) if word is not None]


def candidates(words: list[WordOptions]) -> dict[int, list[State]]:
    """Readings of the whole line, by number of syllables, cheapest first."""
    beam: list[State] = [(0.0, 0.0, (), ())]
    sure: tuple[float, ...] = ()  # odds and log probability of the words without a choice since the last one with
    paid, last = 0.0, len(words) - 1
    for i, word in enumerate(words):
        options = word.before(words[i + 1]) if i < last and words[i + 1].vowel else word.options
        if len(options) == 1:
            _, base, readiness, _ = options[0]
            paid += base
            sure += readiness
            continue
        if len(words) > LONGEST:
            options = options[:1]
        beam = [
            (cost + more, base + paid + base_log_p, readiness + sure + others, (*chosen, reading))
            for cost, base, readiness, chosen in beam
            for more, base_log_p, others, reading in options
        ]
        sure, paid = (), 0.0
        if len(beam) > BEAM:
            beam.sort(key=_COST)
            del beam[BEAM:]
    if len(beam) == 1:
        cost, base, readiness, chosen = beam[0]
        readiness += sure
        return {len(readiness): [(cost, base + paid, readiness, chosen)]}
    beam.sort(key=_COST)
    most = DEAREST + beam[0][0]
    table: dict[int, list[State]] = {}
    for cost, base, readiness, chosen in beam:
        if cost > most:
            break
        readiness += sure
        table.setdefault(len(readiness), []).append((cost, base + paid, readiness, chosen))
    return table


class LineScansion(Scansion):
    """A scansion that computes ``units`` only on first access, since scoring never needs them.

    Attributes:
        parts: the words of the line, and the reading of each word that has several.
    """

    parts: tuple[list[WordOptions], tuple[Reading, ...]]

    def __init__(  # the fields of Scansion, so that dataclasses.replace works
        self,
        line: str,
        syllables: int,
        stress: str | None,
        fits: bool | None = None,
        units: tuple[Syllable, ...] | None = None,
        caesura: int | None = None,
        guessed: tuple[str, ...] = (),
        parts: tuple[list[WordOptions], tuple[Reading, ...]] = ([], ()),
    ) -> None:
        values = {
            "line": line,
            "syllables": syllables,
            "stress": stress,
            "fits": fits,
            "caesura": caesura,
            "guessed": guessed,
            "parts": parts,
        }
        self.__dict__.update(values)  # frozen: not by assignment
        if units is not None:
            self.__dict__["units"] = units

    @functools.cached_property
    def parse(self) -> tuple[tuple[WordOptions, Reading], ...]:
        """Each word with its reading."""
        words, chosen = self.parts
        left = iter(chosen)
        parsed = []
        for i, word in enumerate(words):
            options = word.before(words[i + 1]) if i + 1 < len(words) and words[i + 1].vowel else word.options
            parsed.append((word, options[0][3] if len(options) == 1 else next(left)))
        return tuple(parsed)

    @property
    def is_licensed(self) -> bool:
        """Whether some word is read by a licence; False says without ``units`` that none of them has a note of one."""
        return any(reading.note or not reading.marks for _, reading in self.parse)

    @functools.cached_property
    def units(self) -> tuple[Syllable, ...]:
        return lay(self.line, self.parse, self.stress or "")


@functools.lru_cache(maxsize=JUST_READ)
def _read(line: str) -> tuple[list[WordOptions], dict[int, list[State]]]:
    """The words of a line and its readings. Nobody may change them."""
    words = words_of_line(line)
    return words, candidates(words) if words else {}


def scan_line(line: str, target: int | None) -> LineScansion:
    """The likeliest reading of a line; with a target, the likeliest with ``target`` syllables, if there is one.

    >>> scan_line("Shall I compare thee to a summer's day?", None).stress
    '-+-+-+-+-+'
    """
    words, table = _read(line)
    if not words:
        return LineScansion(line, 0, "", None if target is None else target == 0)
    fits = None if target is None else target in table
    groups = [table[target]] if target is not None and target in table else list(table.values())
    best, pattern, state = best_choice(groups[0])
    for others in groups[1:]:
        score, other, chosen = best_choice(others)
        if score > best:
            best, pattern, state = score, other, chosen
    guessed = tuple([word.spelt for word in words if not word.known])
    return LineScansion(line, len(pattern), pattern, fits, None, None, guessed, (words, state[3]))


def fits_line(line: str, target: int) -> bool:
    """Whether the line has a reading with that many syllables, as ``scan_line`` says.

    >>> fits_line("Shall I compare thee to a summer's day?", 10), fits_line("Shall I compare thee to a summer's day?", 4)
    (True, False)
    """
    words, table = _read(line)
    return target in table if words else target == 0


def lay(line: str, parse: tuple[tuple[WordOptions, Reading], ...], pattern: str) -> tuple[Syllable, ...]:
    """The syllables of a reading on the spelling; a word without a syllable gives its letters to the next one."""
    syllables: list[tuple[str, str, str]] = []
    at = 0
    silent = heard(line)
    waiting = ""  # letters and signs before the next syllable
    lent: Reading | None = None  # the word without a syllable they come from
    for word, reading in parse:
        start = silent.index(word.spelt, at)
        between, at = line[at:start], start + len(word.spelt)
        if syllables and not waiting:
            text, note, source = syllables[-1]
            syllables[-1] = (text + between, note, source)
        else:
            waiting += between
        if not reading.marks:
            waiting += word.spelt
            lent = reading
            continue
        readiness = odds(word.folded, reading.marks)
        for i, piece in enumerate(cut(word.spelt, len(reading.marks))):
            note, source = (reading.note, reading.source) if i == 0 else ("", "")
            if i == 0 and lent is not None and not note:
                note, source = "elided", lent.source
            beat = pattern[len(syllables)] == "+"
            moved = "promoted" if beat and readiness[i] < PROMOTED else "demoted" if not beat and readiness[i] > DEMOTED else ""
            if moved and not note:
                source = odds_source(word.folded, reading.marks, i)
            syllables.append((waiting + piece, f"{note} {moved}".strip(), source or word_source(reading)))
            waiting, lent = "", None
    if not syllables:
        return (Syllable(line, counts=False),) if line else ()
    text, note, source = syllables[-1]
    syllables[-1] = (text + waiting + line[at:], note, source)
    return tuple(Syllable(text, beat == "+", True, note, source) for (text, note, source), beat in zip(syllables, pattern, strict=True))


def word_source(reading: Reading) -> str:
    """The source of the syllables that no licence changed."""
    return "" if reading.source.startswith("licences.tsv") else reading.source
