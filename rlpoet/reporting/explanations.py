"""Explanations drawn for the terminal: the line with its syllables, then what was heard and what decided.

The part of ``rlpoet.reporting.poems`` that shows why. Colour repeats what words and marks say: a guess is the word ``guess`` and a ``?``
before it is yellow, the letters that rhyme are spelt out beside the underlined ones.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from rlpoet.errors import RlpoetError
from rlpoet.prosody.explain import LineExplained, PairHeard, RhymeExplained, explain, explain_rhyme
from rlpoet.reporting.poems import TIE, console, joined, scansion_rows
from rlpoet.reporting.terminal import write_row
from rlpoet.text import visible
from rlpoet.types import Ending, Pronunciation, SpokenWord

WIDEST = 100  # columns: rows of words are read across, so they stay short where the window is wide
GENDERS = {"f": "feminine", "m": "masculine"}
GUESS = "yellow"
LABEL = 7  # columns of the longest label
GAP = 3  # blanks between columns
NARROWEST = 8
EDGES = re.compile(r"^\W+|\W+$")
LIQUIDS = frozenset("lɾrɹʁjwɥ")
OBSTRUENTS = frozenset("pbtdkɡgfvθðsʃ")


@dataclass(frozen=True)
class LineView:
    """A line explained: its syllables, facts about the whole, one row a word."""

    told: LineExplained

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST)
        start, end = self.told.tail
        line = self.told.line
        if not self.told.words:
            yield Text(visible(line) or "(empty line)", style="bold")
            yield Text("  no word here: nothing to hear and nothing to count", style="dim")
            yield from _facts(_guesses(self.told), console, width)
            return
        yield Text(visible(line[:start]), "bold").append(visible(line[start:end]), "underline").append(visible(line[end:]))
        yield ""
        for marks, below in scansion_rows(self.told.scansion, width - 2):
            yield Text("  ").append_text(marks)
            yield Text("  ").append_text(below)
        yield ""
        yield from _facts(_about_line(self.told), console, width)
        yield ""
        yield from _columns(_words(self.told), console, width)


@dataclass(frozen=True)
class RhymeView:
    """Two lines and their rhyme: the answer, the reasons, and every pair of pronunciations where there is more than one."""

    told: RhymeExplained

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        told, width = self.told, min(options.max_width, WIDEST)
        yield Text().append(visible(told.a) or "(empty)", "bold").append(" : ", "dim").append(visible(told.b) or "(empty)", "bold")
        answer = told.kind or "no rhyme"
        verdict = "a full rhyme" if told.full else "does not count as a rhyme" if told.kind else ""
        facts = [("rhyme", Text().append(answer, "bold").append(f" · {verdict}" if verdict else ""))]
        if told.pairs:
            heard = told.pairs[told.decided or 0]
            facts.append(("heard", _ending(heard.a).append("  :  ", "dim").append_text(_ending(heard.b))))
        facts += [("why" if i == 0 else "", Text(visible(sentence))) for i, sentence in enumerate(told.why)]
        yield from _facts(facts, console, width)
        if len(told.pairs) > 1:
            yield ""
            yield from _columns(_pairs(told.pairs, told.decided), console, width)


def explained(lines: Sequence[str], lang: str, *, rhyme: bool = False, target: int | None = None) -> list[LineExplained | RhymeExplained]:
    """Every line, or with ``rhyme`` every pair of lines.

    Raises:
        RlpoetError: too few lines, or a target that cannot be meant.
        UnknownName: no such language.
    """
    if target is not None and target < 1:
        raise RlpoetError(f"--target: {target}; expected 1 or more syllables.")
    if rhyme and target is not None:
        raise RlpoetError("--target: given with --rhyme; expected one of them. A rhyme has no length.")
    if len(lines) < (2 if rhyme else 1):
        wanted = "two lines or words, or more" if rhyme else "a line of verse"
        raise RlpoetError(f"LINES: {len(lines) or 'none'} given; expected {wanted}.")
    if rhyme:
        return [explain_rhyme(a, b, lang) for a, b in itertools.combinations(lines, 2)]
    return [explain(line, lang, target=target) for line in lines]


def show_explanations(told: Iterable[LineExplained | RhymeExplained], *, json: bool = False) -> None:
    """Print explanations one below the other, or one JSON object each."""
    out = console()
    for i, one in enumerate(told):
        if json:
            write_row(dataclasses.asdict(one))
            continue
        if i:
            out.print()
        out.print(RhymeView(one) if isinstance(one, RhymeExplained) else LineView(one))


def line_facts(told: LineExplained) -> list[tuple[str, str]]:
    """What is said of a whole line: ``(label, text)``; a row with an empty label goes on with the one above.

    >>> line_facts(explain("Sous le pont Mirabeau coule la Seine", "fr"))[0]
    ('meter', 'décasyllabe 6+4 · 10 syllables')
    """
    rows = _about_line(told) if told.words else _guesses(told)
    return [(label, text.plain) for label, text in rows]


def word_rows(told: LineExplained) -> list[tuple[str, ...]]:
    """One row per word, the heads first: the word, how it is heard, other ways to say it, what happens to it here, what decided."""
    return [tuple(cell.plain for cell in row) for row in _words(told)]


def ipa(said: Pronunciation, *, stressed: bool = True) -> str:
    """A pronunciation in IPA, ``ˈ`` before the stressed syllable of a longer word.

    The onset is what rises to the vowel, as a dictionary would cut it: one consonant, or an obstruent with its liquid or glide.

    >>> ipa(Pronunciation(tuple("alegɾia"), (0, 2, 5, 6), 2)), ipa(Pronunciation(tuple("sol"), (1,), 0))
    ('aleˈgɾia', 'sol')
    """
    if not stressed or said.n_syllables < 2:
        return said.ipa
    at = said.nuclei[said.stress]
    before = said.nuclei[said.stress - 1] + 1 if said.stress else 0
    onset = at - 1 if at > before else at
    if onset > before and said.phones[onset] in LIQUIDS and said.phones[onset - 1] in OBSTRUENTS:
        onset -= 1
    onset = before if not said.stress else onset
    return "".join(said.phones[:onset]) + "ˈ" + "".join(said.phones[onset:])


def _about_line(told: LineExplained) -> Iterator[tuple[str, Text]]:
    scansion = told.scansion
    count = f"{' · ' if told.meter else ''}{scansion.syllables} syllable{'s' * (scansion.syllables != 1)}"
    meter = Text().append(told.meter, "bold")
    if not re.search(rf"(?<![\d+-]){scansion.syllables}(?![\d+-])", told.meter.partition("(")[0]):  # "13 syllabes" says it
        meter.append(count)
    halves = "" if scansion.caesura is None else f"{scansion.caesura}+{scansion.syllables - scansion.caesura}"
    if halves not in told.meter:
        meter.append(f" · caesura {halves}")
    yield "meter", meter
    if scansion.fits is not None:
        fits = "fits" if scansion.fits else "does not fit: no licensed reading has that length"
        yield "target", Text(f"{told.target} · {fits}", "" if scansion.fits else "bold")
    yield "sounds", Text("".join(_said(word, stressed=scansion.stress is not None) for word in told.words).rstrip())
    if told.endings:
        yield "ending", _line_ending(told)
    told_below = {word.heard.source for word in told.words}
    notes: dict[str, list[str]] = {}
    for unit in scansion.units:
        if unit.note or (unit.source and unit.source not in told_below):
            letters = EDGES.sub("", joined(unit.text)) or joined(unit.text) or "+1"
            notes.setdefault(unit.note or "counted by", []).append(letters + (f" ({unit.source})" if unit.source else ""))
    for i, (note, places) in enumerate(notes.items()):
        yield "" if i else "notes", Text(f"{note}: {' · '.join(places)}")
    yield from _guesses(told)


def _guesses(told: LineExplained) -> Iterator[tuple[str, Text]]:
    if told.guessed:
        yield "guessed", Text("? " + ", ".join(map(visible, told.guessed)), GUESS)


def _said(word: SpokenWord, *, stressed: bool) -> str:
    """A word's sounds and what parts it from the next: a blank, a tie, or nothing where it has no vowel of its own (l'amour)."""
    ways = word.heard.pronunciations
    sound = ipa(ways[0], stressed=stressed) if ways else word.heard.word
    after = f"{word.link.rstrip(TIE)}{TIE}" if word.link else " " if not ways or ways[0].nuclei else ""
    return ("" if word.heard.known else "?") + sound + after


def _line_ending(told: LineExplained) -> Text:
    first, start, end = told.endings[0], *told.tail
    text = Text().append(f"-{visible(told.line[start:end])} " if start < end else "", "underline")
    ways = dict.fromkeys("".join(ending.phones) for ending in told.endings)
    text.append(" or ".join(f"/{phones}/" for phones in ways))
    text.append(f" · {GENDERS[first.gender]}" if first.gender in GENDERS else "")
    return text if first.known else text.append(" ? guess", GUESS)


def _ending(ending: Ending) -> Text:
    text = Text(ending.word[: ending.start]).append(ending.word[ending.start :], "underline")
    before = "".join(ending.onset) + "·" if ending.onset else ""
    text.append(f" /{before}", "dim").append("".join(ending.phones)).append("/", "dim")
    return text if ending.known else text.append(" ? guess", GUESS)


def _words(told: LineExplained) -> Iterator[tuple[Text, ...]]:
    """One row a word, the heads first."""
    yield tuple(map(Text, ("word", "heard", "or", "here", "decided by")))
    stressed = told.scansion.stress is not None
    for word in told.words:
        first, *others = [ipa(way, stressed=stressed) for way in word.heard.pronunciations] or [""]
        place = ", ".join(part for part in (word.note, f"linked by {word.link}" if word.link.rstrip(TIE) else "") if part)
        source = Text(word.heard.source) if word.heard.known else Text("? guess", GUESS).append(f" {word.heard.source}")
        typed = Text(visible(told.line[word.start : word.end]))
        yield typed, Text(first), Text(", ".join(dict.fromkeys(others))), Text(place), source


def _pairs(pairs: Sequence[PairHeard], decided: int | None) -> Iterator[tuple[Text, ...]]:
    """One row a pair of pronunciations, the heads first."""
    yield tuple(map(Text, ("heard", "with", "kind", "")))
    for i, pair in enumerate(pairs):
        yield _ending(pair.a), _ending(pair.b), Text(pair.kind or "-"), Text("decided" if i == decided else "", "bold")


def _columns(rows: Iterable[tuple[Text, ...]], console: Console, width: int) -> Iterator[Text]:
    """Rows under their heads, without the columns no row fills; the widest column gives way where they do not fit.

    A table of rich would do, but pads every row with blanks and takes a second for a page of words.
    """
    heads, *body = rows
    kept = [i for i in range(len(heads)) if any(row[i].plain for row in body)]
    sizes = [min(max(row[i].cell_len for row in (heads, *body)), width) for i in kept]
    while sum(sizes) + GAP * (len(sizes) - 1) > width and max(sizes) > NARROWEST:
        sizes[sizes.index(max(sizes))] -= 1
    for n, row in enumerate((heads, *body)):
        cells = [
            [row[i]] if row[i].cell_len <= size else list(row[i].wrap(console, size, overflow="fold"))
            for i, size in zip(kept, sizes, strict=True)
        ]
        for k in range(max(map(len, cells))):
            out = Text(style="dim" if n == 0 else "")
            for cell, size in zip(cells, sizes, strict=True):
                part = cell[k] if k < len(cell) else Text()
                part.rstrip()
                out.append_text(part).append(" " * (size - part.cell_len + GAP))
            out.rstrip()
            yield out
        if n == 0:
            yield Text("─" * (sum(sizes) + GAP * (len(sizes) - 1)), "dim")


def _facts(rows: Iterable[tuple[str, Text]], console: Console, width: int) -> Iterator[Text]:
    """A label and its text, wrapped beside it."""
    for label, text in rows:
        for i, part in enumerate(text.wrap(console, width - LABEL - 4, overflow="fold")):
            part.rstrip()
            yield Text().append(f"  {'' if i else label:<{LABEL}}  ", "dim").append_text(part)
