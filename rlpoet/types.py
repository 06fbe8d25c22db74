"""What rooms hand to each other: frozen dataclasses, no behaviour beyond checks of their own fields."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass(frozen=True)
class Pronunciation:
    """One way to say a word.

    Attributes:
        phones: IPA segments, one string each, no stress marks or syllable dots.
        nuclei: positions in ``phones`` of the syllable nuclei, ascending; one per syllable.
        stress: which nucleus carries the primary stress, as an index into ``nuclei``.
    """

    phones: tuple[str, ...]
    nuclei: tuple[int, ...]
    stress: int

    @property
    def n_syllables(self) -> int:
        return len(self.nuclei)

    @property
    def ipa(self) -> str:
        return "".join(self.phones)


@dataclass(frozen=True)
class Transcription:
    """All pronunciations of a word, likeliest first, and where they come from.

    Attributes:
        word: the word as it was typed.
        pronunciations: never empty for a word that has a letter.
        source: the lexicon, or ``file:line`` of the last rule that decided.
        known: False when the answer is a guess (not in the lexicon, not covered by a rule).
    """

    word: str
    pronunciations: tuple[Pronunciation, ...]
    source: str
    known: bool


@dataclass(frozen=True)
class SpokenWord:
    """A word where it stands in a line.

    Attributes:
        start, end: its letters in the line as given.
        heard: its pronunciations here, the one the line wants first.
        link: the sound that ties it to the next word (French liaison ``z``), or empty.
        note: what happened to it in this place: ``e elided``, ``h aspiré``, ``sinalefa``, ``promoted``, ... or empty.
    """

    start: int
    end: int
    heard: Transcription
    link: str = ""
    note: str = ""


@dataclass(frozen=True)
class Ending:
    """What the ear keeps of a line's end; two endings rhyme or do not.

    Attributes:
        word: the last word, lower case, NFC, without punctuation.
        phones: from the last stressed vowel to the end.
        onset: the phones before that vowel, nearest last (for rime riche and dead rhymes).
        gender: ``"f"`` or ``"m"`` in French, ``""`` elsewhere.
        known: False when the pronunciation is a guess.
        start: where the tail begins in the *spelling* of ``word`` (best effort, for display).
    """

    word: str
    phones: tuple[str, ...]
    onset: tuple[str, ...] = ()
    gender: str = ""
    known: bool = True
    start: int = 0


@dataclass(frozen=True)
class Syllable:
    """A metrical syllable of a line.

    Attributes:
        text: its letters, spaces kept where a sinalefa joins words; the texts of a line's
            syllables joined give the line back, less what ``mute`` syllables hold.
        stressed: True, False, or None where the language's metre does not count stress.
        counts: False for what is written but not counted (French final e caduc).
        note: ``elided``, ``sinalefa``, ``diérèse``, ``synérèse``, ``promoted``, ... or empty.
        source: the table row that decided a doubtful case, ``dierese.tsv:123``, or empty where the general rule did.
    """

    text: str
    stressed: bool | None = None
    counts: bool = True
    note: str = ""
    source: str = ""


@dataclass(frozen=True)
class Scansion:
    """How a line scans.

    Attributes:
        line: the line as given.
        syllables: metrical count (French: final e caduc not counted; Spanish: aguda +1, esdrújula -1).
        stress: ``+`` and ``-``, one a syllable, or None (French).
        fits: whether some licensed reading has ``target`` syllables; None without a target.
        units: the syllables of the reading chosen.
        caesura: number of syllables before the caesura, or None.
        guessed: words whose syllables are guesses.
    """

    line: str
    syllables: int
    stress: str | None
    fits: bool | None = None
    units: tuple[Syllable, ...] = ()
    caesura: int | None = None
    guessed: tuple[str, ...] = ()


class Repeat(NamedTuple):
    """A line that a form asks to repeat an earlier one.

    Attributes:
        of, line: the earlier and the later line, from 0.
        part: what it repeats: the whole ``line`` (a refrain), its end ``word``, or its ``opening`` (the rentrement of a rondeau).
    """

    of: int
    line: int
    part: str


@dataclass(frozen=True)
class Form:
    """A fixed form: how many lines, which rhyme, how long, and what it repeats.

    Attributes:
        name: ``quatrain-abab``, ``redondilla``, ...
        lang: the language whose tradition defines it, as it was named: lines are heard by ``verse(lang)``.
        scheme: one letter a line, ``x`` for unrhymed, a space between stanzas: ``abba abba ccd eed``.
        meters: admissible metrical lengths, one tuple for each line; an empty one leaves the length free.
        feet: name of the foot pattern (English), or empty.
        rhyme: ``consonant``, ``assonant``, ``historical`` (what rhymed when the form was made counts too), or ``radif`` (the rhyme stands
            before the words that the rhyming lines all end in, as in a ghazal).
        description: one line for people.
        notation: the scheme with refrains, as handbooks write it (``rlpoet.prosody.notation``).
        repeats: the lines that repeat an earlier line or its end word.
        reach: lines within which a stray rhyme or a repeated end word counts against a line; 0 for its stanza, None for the whole poem.
    """

    name: str
    lang: str
    scheme: str
    meters: tuple[tuple[int, ...], ...]
    feet: str = ""
    rhyme: str = "consonant"
    description: str = ""
    notation: str = ""
    repeats: tuple[Repeat, ...] = ()
    reach: int | None = None

    @functools.cached_property
    def letters(self) -> str:
        """The scheme without stanza breaks: one letter a line."""
        return self.scheme.replace(" ", "")

    @property
    def n_lines(self) -> int:
        return len(self.letters)

    @functools.cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Line pairs that have to rhyme: each line that repeats none with the nearest earlier line of its letter."""
        last: dict[str, int] = {}
        repeated = {repeat.line for repeat in self.repeats}
        found = []
        for i, letter in enumerate(self.letters):
            if letter == "x":
                continue
            if letter in last and i not in repeated:
                found.append((last[letter], i))
            last[letter] = i
        return tuple(found)

    @functools.cached_property
    def same_words(self) -> tuple[int, ...]:
        """For each line the first line whose end word it shares by the form; its own number if it shares none."""
        first = list(range(self.n_lines))
        for repeat in self.repeats:
            if repeat.part != "opening":
                first[repeat.line] = repeat.of
        return tuple(first)

    def near(self, i: int, j: int) -> bool:
        """Whether two lines are so close that a rhyme between them counts."""
        if self.reach == 0:
            return self._stanza_of[i] == self._stanza_of[j]
        return self.reach is None or abs(i - j) <= self.reach

    @functools.cached_property
    def _stanza_of(self) -> tuple[int, ...]:
        return tuple(n for n, stanza in enumerate(self.scheme.split(" ")) for _ in stanza)


@dataclass(frozen=True)
class Prompt:
    """What the policy is asked for.

    Attributes:
        lang: ``fr``, ``es``, ``en``, a variety (``es-distincion``), an installed language, or the folder of one.
        form: name in the table of forms.
        author: whose manner, as spelt in the policy's author table, or None.
        opening: lines the poem has to begin with.
    """

    lang: str
    form: str
    author: str | None = None
    opening: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineScore:
    """Why a line got its score, for one reward."""

    line: str
    score: float | None
    reason: str


@dataclass(frozen=True)
class Explained:
    """A reward's score for one text with its reasons, line by line."""

    name: str
    score: float | None
    lines: tuple[LineScore, ...] = field(default_factory=tuple)
