"""What is said of each line and of each poem: the columns of the tables that ``rlpoet annotate`` writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rlpoet.corpus.poem import Poem
from rlpoet.corpus.statistics import year_of
from rlpoet.evaluation.recognition import recognize
from rlpoet.languages import code_of
from rlpoet.prosody import verse
from rlpoet.prosody.alternation import genders
from rlpoet.prosody.meter import length_of, scan_within, usual_reading
from rlpoet.prosody.rhyme import find_poem_scheme, rhyme_kind
from rlpoet.types import Form, Scansion, Syllable

# notes of syllables that the usual rules of a language bring about: no licences
REGULAR = {"fr": ("elided",), "es": ("sinalefa", "aguda", "esdrújula"), "en": ("promoted", "demoted")}
Value = TypeVar("Value")
# languages whose notes are on usual readings too: a licence is what the usual reading of the line does not have
BY_COMPARISON = frozenset({"fr"})
# languages in which the usual reading of a line is also the one that is found if its length is asked for
SAME_READING = frozenset({"fr", "en"})
GENDERS = {"m": "masculine", "f": "feminine", "": ""}
LONGEST = 400  # lines of a poem whose form is looked for; a longer one has a scheme, and no form


@dataclass(frozen=True)
class LineRow:
    """A line of verse.

    Attributes:
        poem: id of its poem, the same as in the table of poems.
        author, title, year, form: of its poem.
        stanza, line: number of the stanza in the poem and of the line in the poem, from 1.
        text: the line.
        letter: its letter in the rhyme scheme, ``x`` if it rhymes with no other line.
        rhymes_with: number of the line whose letter it takes, or of the next line with it; None for ``x``.
        rhyme: kind of the rhyme between the two (``riche``, ``consonante``, ``perfect``, ...); empty for ``x``.
        sounds: what has to sound alike, in IPA, of the likeliest pronunciation.
        gender: ``masculine`` or ``feminine``, of the ending of a French line; empty in other languages, and where a last word can be either
            (couvent) and its rhyme does not decide.
        syllables: metrical syllables of the reading.
        target: lengths that the form allows, such as ``12`` or ``10|11``; empty if no form or a free length.
        in_meter: whether a licensed reading has one of these lengths; None without a target.
        meter: the traditional name of the reading.
        stress: ``+`` and ``-``, one a syllable; empty where the language's meter counts no stress.
        caesura: syllables before the caesura; None if there is none.
        licences: what the reading takes liberties with, and where: ``diérèse (li)``; several are parted by ``; ``.
        guesses: words whose sounds or syllables are guesses, parted by ``; ``.
    """

    poem: str
    author: str
    title: str
    year: int | None
    form: str
    stanza: int
    line: int
    text: str
    letter: str
    rhymes_with: int | None
    rhyme: str
    sounds: str
    gender: str
    syllables: int
    target: str
    in_meter: bool | None
    meter: str
    stress: str
    caesura: int | None
    licences: str
    guesses: str


@dataclass(frozen=True)
class PoemRow:
    """A poem.

    Attributes:
        poem: id in these tables: file and number of the poem in it.
        source: file or data set.
        id: id that the source gives it.
        author, title, book, date: as the source says.
        year: the first number of the date.
        lang: language it was read in.
        stanzas, lines: how many.
        form: the form of the table of forms that it keeps; empty if none.
        scheme: letters of the rhymes that are heard, with a space at each stanza break.
        lengths: metrical syllables of the lines, of the form or as heard: ``12``, ``10|11``, or one a line, ``-`` for a free line; empty if
            irregular.
        syllables: the commonest length of its lines.
        rhyme: the commonest kind of its rhymes.
        rhymed: share of lines that rhyme with another, in [0, 1].
        in_meter: share of the lines with a target that have it; None without targets.
        guesses: how many words were guessed.
    """

    poem: str
    source: str
    id: str
    author: str
    title: str
    book: str
    date: str
    year: int | None
    lang: str
    stanzas: int
    lines: int
    form: str
    scheme: str
    lengths: str
    syllables: int
    rhyme: str
    rhymed: float
    in_meter: float | None
    guesses: int


@dataclass(frozen=True)
class Annotated:
    """A poem with its row and those of its lines."""

    poem: PoemRow
    lines: tuple[LineRow, ...]


def annotate_poem(poem: Poem, lang: str, *, name: str = "", source: str = "") -> Annotated:
    """What is heard in a poem.

    Args:
        lang: language it is read in.
        name: its id in the tables.
        source: where it stands.

    Raises:
        UnknownName: no such language.

    >>> told = annotate_poem(Poem((("Ici gît dans la nuit sombre", "Un poète sans nul nombre"),)), "fr")
    >>> told.poem.lengths, told.poem.scheme, [(row.syllables, row.rhymes_with, row.rhyme) for row in told.lines]
    ('7', 'aa', [(7, 2, 'riche'), (7, 1, 'riche')])
    """
    lines, year = poem.lines, year_of(poem)
    form, letters = recognize(poem.stanzas, lang) if len(lines) <= LONGEST else (None, find_poem_scheme(lines, lang))
    named = form.name if form is not None and "/" not in form.name else ""
    numbers = [n for n, stanza in enumerate(poem.stanzas, start=1) for _ in stanza]
    mates = _mates(letters)
    sexes = genders(lines, letters) if code_of(lang) == "fr" else ("",) * len(lines)
    rows = [
        _line_row(
            poem, lines, lang, (name, year, named), n, numbers[n], (letters[n], GENDERS[sexes[n]]), mates[n], form.meters[n] if form else ()
        )
        for n in range(len(lines))
    ]
    aimed = [row.in_meter for row in rows if row.in_meter is not None]
    columns = poem.columns
    return Annotated(
        PoemRow(
            poem=name,
            source=source,
            id=columns.get("id", ""),
            author=poem.author or "",
            title=poem.title,
            book=columns.get("book", ""),
            date=columns.get("date", "") or columns.get("year", ""),
            year=year,
            lang=lang,
            stanzas=len(poem.stanzas),
            lines=len(lines),
            form=named,
            scheme=_parted(letters, [len(stanza) for stanza in poem.stanzas]),
            lengths=_lengths(form),
            syllables=_commonest([row.syllables for row in rows]) or 0,
            rhyme=_commonest([row.rhyme for row in rows if row.rhyme]) or "",
            rhymed=sum(letter != "x" for letter in letters) / len(letters),
            in_meter=sum(aimed) / len(aimed) if aimed else None,
            guesses=sum(len(row.guesses.split("; ")) for row in rows if row.guesses),
        ),
        tuple(rows),
    )


def _line_row(
    poem: Poem,
    lines: Sequence[str],
    lang: str,
    about: tuple[str, int | None, str],
    n: int,
    stanza: int,
    ending: tuple[str, str],
    mate: int | None,
    lengths: Sequence[int],
) -> LineRow:
    language = verse(lang)
    scansion, fits = _scanned(lines[n], lang, lengths)
    endings = language.endings(lines[n])
    guessed = [*scansion.guessed, *(own.word for own in endings[:1] if not own.known)]
    return LineRow(
        poem=about[0],
        author=poem.author or "",
        title=poem.title,
        year=about[1],
        form=about[2],
        stanza=stanza,
        line=n + 1,
        text=lines[n],
        letter=ending[0],
        rhymes_with=None if mate is None else mate + 1,
        rhyme="" if mate is None else rhyme_kind(lines[mate], lines[n], lang) or "",
        sounds="".join(endings[0].phones) if endings else "",
        gender=ending[1],
        syllables=scansion.syllables,
        target="|".join(map(str, lengths)),
        in_meter=fits if lengths else None,
        meter=language.meter_name(scansion) if endings else "",
        stress=scansion.stress or "",
        caesura=scansion.caesura,
        licences="; ".join(_licences(scansion, lang)),
        guesses="; ".join({word.casefold(): word for word in guessed}.values()),
    )


def _scanned(line: str, lang: str, lengths: Sequence[int]) -> tuple[Scansion, bool | None]:
    """The reading of a line, of a length that its form allows if there is one, and whether there is; it may lack its units."""
    code = code_of(lang)
    if code not in SAME_READING:
        scansion = scan_within(line, lang, lengths)
        return scansion, scansion.fits
    usual = usual_reading(line, lang)
    if code in BY_COMPARISON and usual.syllables in lengths:
        return usual, True
    for target in lengths:
        aimed = usual if target == usual.syllables else verse(lang).scan(line, target)
        if aimed is usual or aimed.fits:
            return aimed, True
    return usual, False


def _licences(scansion: Scansion, lang: str) -> list[str]:
    """The licences of a reading, each with the letters where it is taken."""
    code, line = code_of(lang), scansion.line
    if code in BY_COMPARISON:
        if scansion.syllables == length_of(line, lang):
            return []
        usual = {(unit.note, unit.text) for unit in verse(lang).scan(line).units}
        units = [unit for unit in verse(lang).scan(line, scansion.syllables).units if (unit.note, unit.text) not in usual]
    elif not getattr(scansion, "is_licensed", True):
        return []
    else:
        units = list(scansion.units)
    regular = REGULAR.get(code, ())
    return [f"{note} ({_letters(unit)})" for unit in units for note in unit.note.split() if note not in regular]


def _letters(unit: Syllable) -> str:
    return "".join(sign for sign in unit.text if sign.isalpha() or sign in " '’").strip().replace("  ", " ")


def _mates(letters: str) -> list[int | None]:
    """For each line the nearest earlier line of its letter, for the first of a letter the next one."""
    last: dict[str, int] = {}
    mates: list[int | None] = []
    for n, letter in enumerate(letters):
        mates.append(last.get(letter) if letter != "x" else None)
        if letter != "x":
            if letter in last and mates[last[letter]] is None:
                mates[last[letter]] = n
            last[letter] = n
    return mates


def _parted(letters: str, sizes: Sequence[int]) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(letters[at : at + size])
        at += size
    return " ".join(parts)


def _lengths(form: Form | None) -> str:
    cells = ["|".join(map(str, lengths)) or "-" for lengths in form.meters] if form else []
    fixed = set(cells) - {"-"}
    return fixed.pop() if len(fixed) == 1 else " ".join(cells) if fixed else ""


def _commonest(values: Sequence[Value]) -> Value | None:
    return Counter(values).most_common(1)[0][0] if values else None
