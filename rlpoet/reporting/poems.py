"""One picture of a scored poem, drawn for the terminal, for HTML and for Markdown.

``drawn`` decides what is shown; the backends only spell it. Colour repeats what letters, numbers and underlines say already:
a rhyme family has a letter and a hue, the part of the line that has to rhyme is underlined (bold in Markdown), a line that
rhymes with no other has an ``x`` and is grey, a wrong length reads ``11≠12``.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from rlpoet.languages import codes
from rlpoet.prosody import verse
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.meter import scan_within
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.reporting.pages import render
from rlpoet.reporting.terminal import console as console
from rlpoet.text import visible
from rlpoet.types import Scansion

if TYPE_CHECKING:
    from markupsafe import Markup

    from rlpoet.evaluation.score import ScoredPoem

HUES = ("#2f7de1", "#d9730d", "#1f9d55", "#c026d3", "#dc3545", "#0d9488", "#7c5cff", "#a8790a")  # readable on white and on black

METRICS = {  # key of result.json -> (label, format): a share, a number whose change is relative, or nats, whose change is a difference
    "target_kl": ("nats from target", "nats"),
    "rhyme_pairs": ("pairs that rhyme", "share"),
    "credited_pairs": ("pairs that earn", "share"),
    "lines_in_meter": ("lines in meter", "share"),
    "perfect_stanzas": ("perfect stanzas", "share"),
    "prior_nll_per_token": ("prior nats/token", "number"),
    "distinct_end_words": ("distinct end words", "number"),
    "rhyme_sound_entropy": ("entropy of sounds", "nats"),
    "invented_words": ("invented words", "share"),
    "distinct_bigrams": ("distinct bigrams", "number"),
    "n": ("fresh samples", "number"),
}
Intervals = Mapping[str, Mapping[str, Sequence[float]]]  # figure -> before, after or change -> low, high: result.json's "intervals"
NOTE = "95 % intervals. Shares change in points, nats in nats, the rest in per cent."

OPENING = re.compile(r"(?<=\s)[^\w\s]+$")
TIE = "‿"


@dataclass(frozen=True)
class DrawnLine:
    """One line as every backend shows it.

    Attributes:
        letter: scheme letter heard, ``x`` when the line rhymes with no other.
        hue: index into ``HUES`` of its family, or None when unrhymed.
        head, tail, rest: the line, cut around the part that has to rhyme.
        count: metrical syllables, ``12`` or ``11≠12``; ``in_meter`` says which of the two.
        reasons: one sentence a reward, after what the line earned by it, where it says so.
        syllables: marks over syllables, ``("6", "dor ‖ ")``, where they are wanted (``syllables_of``).
    """

    letter: str
    hue: int | None
    head: str
    tail: str
    rest: str
    count: str
    in_meter: bool
    reasons: tuple[str, ...]
    syllables: tuple[tuple[str, str], ...] = ()


def drawn(poem: ScoredPoem, *, scansion: bool = False) -> list[DrawnLine | None]:
    """What is shown of a poem, line by line, with its syllables if asked; None is a stanza break."""
    letters = [letter for letter in dict.fromkeys(poem.found) if letter != "x"]
    breaks = _breaks(poem)
    marked = scansion and poem.lang in codes()  # asked once: it reads what is installed
    lines: list[DrawnLine | None] = []
    rows = zip(poem.lines, poem.found, poem.syllables, poem.targets, poem.tails, poem.reasons, strict=True)
    for i, (line, letter, syllables, targets, tail, reasons) in enumerate(rows):
        if i in breaks:
            lines.append(None)
        head, end, rest = _cut(line, tail)
        in_meter = not targets or syllables in targets
        count = str(syllables) if in_meter else f"{syllables}≠{'|'.join(map(str, targets))}"
        hue = letters.index(letter) % len(HUES) if letter in letters else None
        told = tuple(_earned(reason, poem.credits[i]) for reason in reasons) if poem.credits else reasons
        marks = syllables_of(scan_within(line, poem.lang, targets)) if marked else ()
        lines.append(DrawnLine(letter, hue, head, end, rest, count, in_meter, told, marks))
    return lines


def about(poem: ScoredPoem) -> str:
    """The line above a poem: form, schemes, scores."""
    parts = [poem.form + (" (guessed)" if poem.guessed else "")] if poem.form else []
    if poem.form and "/" in poem.form:  # a scheme of its own stands beside it
        lengths = poem.form.split("/")[1]
        parts = ["as heard" if poem.guessed else "as asked", *([_of_syllables(lengths)] if lengths else [])]
    asked = poem.asked.replace(" ", "")
    found = f"heard {poem.found}" if poem.found else "no line of verse"
    parts = [poem.title, *parts] if poem.title else parts
    parts.append(found if not asked else f"scheme {poem.asked}" if asked == poem.found else f"scheme {poem.asked}, {found}")
    parts += [f"{name} {score:.2f}" for name, score in poem.scores.items() if score is not None]
    return " · ".join(parts)


def _of_syllables(lengths: str) -> str:
    """The lengths of a poem in words; where all lines but a few have one length, that one alone.

    >>> _of_syllables("10 10 10 -"), _of_syllables("8 6 8 6")
    ('mostly 10 syllables', '8 6 8 6 syllables')
    """
    regular = set(lengths.split()) - {"-"}
    return f"mostly {min(regular)} syllables" if "-" in lengths and len(regular) == 1 else f"{lengths} syllables"


def poem_text(poem: ScoredPoem, *, reasons: bool = False) -> Text:
    """For a terminal, or plain where there is none."""
    lines = drawn(poem)
    width = max((len(line.count) for line in lines if line), default=0)
    out = Text().append(about(poem), style="dim")
    for line in lines:
        out.append("\n")
        if line is None:
            continue
        style = "bright_black" if line.hue is None else HUES[line.hue]
        out.append(f" {line.letter} ", style=f"bold {style}")
        out.append(f"{line.count:>{width}}  ", style="dim" if line.in_meter else "bold")
        out.append(line.head)
        out.append(line.tail, style=f"underline {style}" if line.hue is None else f"bold underline {style}")
        out.append(line.rest)
        for reason in line.reasons if reasons else ():
            out.append(f"\n   {'':>{width}}    {reason}", style="dim")
    return out


def poem_html(poem: ScoredPoem, *, reasons: bool = False, scansion: bool = False) -> Markup:
    """An HTML fragment; the page holds ``poem.css`` once."""
    return render("poem.html", about=about(poem), lang=poem.lang, lines=drawn(poem, scansion=scansion), reasons=reasons)


def poem_markdown(poem: ScoredPoem) -> str:
    """A Markdown table, which survives TensorBoard's text tab; control characters are shown as pictures."""
    rows = [_escape(about(poem).replace("|", "/")), "", "| | syllables | |", "| --- | --- | --- |"]
    for line in drawn(poem):
        if line is None:
            rows.append("| | | |")
            continue
        tail = f"**{_escape(line.tail)}**" if line.tail else ""
        rows.append(f"| {line.letter} | {line.count.replace('|', '/')} | {_escape(line.head)}{tail}{_escape(line.rest)} |")
    return "\n".join(rows)


@dataclass(frozen=True)
class SideBySide:
    """Pairs of poems, the prior's left and the trained policy's right; one above the other where the terminal is narrow."""

    before: Sequence[ScoredPoem]
    after: Sequence[ScoredPoem]
    titles: tuple[str, str] = ("before", "after")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        texts = [(poem_text(a), poem_text(b)) for a, b in zip(self.before, self.after, strict=True)]
        widest = max((cell_len(row) for pair in texts for text in pair for row in text.plain.split("\n")), default=0)
        if 2 * widest + 4 > options.max_width:
            for pair in texts:
                for title, text in zip(self.titles, pair, strict=True):
                    yield Text(title, "bold")
                    yield text
                    yield ""
            return
        grid = Table.grid(padding=(0, 4, 1, 0))
        grid.add_row(*(Text(title, style="bold") for title in self.titles))
        for left, right in texts:
            grid.add_row(left, right)
        yield grid


def comparison_rows(
    before: Mapping[str, float], after: Mapping[str, float], intervals: Intervals | None = None
) -> list[tuple[str, str, str, str]]:
    """``(label, before, after, change)`` of a result's two blocks, known metrics first; what was not measured is a dash.

    A figure stands with the farther end of its interval, a change with both ends. A change whose interval holds 0 was not seen.
    """
    keys = [*(key for key in METRICS if key in before or key in after)]
    keys += [key for key in dict.fromkeys([*before, *after]) if key not in METRICS]
    rows = []
    for key in keys:
        label, kind = METRICS.get(key, (key, "number"))
        a, b, bounds = before.get(key), after.get(key), (intervals or {}).get(key, {})
        change = _change(a, b, kind, bounds.get("change")) if a is not None and b is not None and key != "n" else ""
        rows.append((label, _figure(a, kind, bounds.get("before")), _figure(b, kind, bounds.get("after")), change))
    return rows


def comparison_table(before: Mapping[str, float], after: Mapping[str, float], intervals: Intervals | None = None) -> Table:
    """Before and after, for a terminal of 80 columns."""
    note = NOTE if intervals else None
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False, caption=note, caption_justify="left")
    table.add_column("")
    for head in ("before", "after", "change"):
        table.add_column(head, justify="right" if head != "change" else "left")
    for row in comparison_rows(before, after, intervals):
        table.add_row(*row)
    return table


def comparison_html(before: Mapping[str, float], after: Mapping[str, float], intervals: Intervals | None = None) -> Markup:
    """The same table in HTML."""
    return render("change.html", rows=comparison_rows(before, after, intervals), note=NOTE if intervals else "")


def scansion_rows(scansion: Scansion, width: int | None = None) -> list[tuple[Text, Text]]:
    """Rows of marks and of the syllables under them: numbers where stress does not count (French), ``/`` and ``x`` where it does.

    ``‖`` is the caesura, ``‿`` a sinalefa or an elision, ``·`` a syllable break inside a word; what is written but not counted
    is in brackets. A row wider than ``width`` is broken between words, inside a word only where one is wider by itself.
    """
    rows = [(Text(), Text())]
    for word in _scanned_words(scansion):
        whole = sum(below.cell_len for _, below in word)
        for i, (mark, below) in enumerate(word):
            used, needed = rows[-1][1].cell_len, below.cell_len if i or (width and whole > width) else whole
            if width is not None and used and used + needed > width:
                rows.append((Text(), Text()))
            rows[-1][0].append_text(mark)
            rows[-1][1].append_text(below)
    for pair in rows:
        for text in pair:
            text.rstrip()
    return rows


def joined(text: str) -> str:
    """The letters of a syllable; words that share it are tied with ``‿``, other blanks stay.

    >>> joined("ne, al"), joined("ro a "), joined("vol ! "), joined("le ! et"), joined("en 1850 ")
    ('ne,‿al', 'ro‿a', 'vol !', 'le !‿et', 'en 1850')
    """
    out, tied = "", False  # tied: a word stands before, with nothing but punctuation since
    for chunk in visible(text.strip()).split(" "):
        is_word = any(char.isalpha() for char in chunk)
        out += (TIE if tied and is_word else " " if out else "") + chunk
        tied = is_word or (tied and all(unicodedata.category(char)[0] == "P" for char in chunk))
    return out


def _scanned_words(scansion: Scansion) -> list[list[tuple[Text, Text]]]:
    """The cells of ``scansion_rows``, mark and syllable, as wide as one another, grouped by word."""
    words: list[list[tuple[Text, Text]]] = [[]]
    texts = [*(unit.text for unit in scansion.units), ""]
    n, due = 0, False  # due: the caesura stands inside the next syllable, after an elided vowel (rê·ve ‖ é)
    for i, unit in enumerate(scansion.units):
        last = i + 1 == len(scansion.units)
        opening = OPENING.search(texts[i])
        if opening and not last:  # what opens the next word (¡ya) goes with it
            texts[i], texts[i + 1] = texts[i][: opening.start()], opening.group() + texts[i + 1]
        text, following = texts[i], texts[i + 1]
        n += unit.counts
        mark = "" if not unit.counts else (str(n) if unit.stressed is None else "/" if unit.stressed else "x")
        shown = joined(text) if unit.counts else f"({joined(text)})"
        if not unit.text:  # counted by rule, not written (the +1 of an aguda)
            shown = "+1"
        if due:
            before, _, after = shown.partition(TIE)
            mark, shown, due = " " * cell_len(f"{before} ‖ ") + mark, f"{before} ‖ {after}", False
        spaced = not last and (text[-1:].isspace() or following[:1].isspace() or not following.strip())
        gap = "" if last else " " if spaced else "·"
        if n == scansion.caesura and not last and scansion.units[i + 1].counts:
            due = gap == "·" and TIE in joined(following)
            gap = gap if due else " ‖ "
        size = max(cell_len(shown), cell_len(mark))
        above = Text().append(mark + " " * (size - cell_len(mark) + cell_len(gap)), style="bold" if unit.stressed else "dim")
        below = Text().append(shown + " " * (size - cell_len(shown)), style="" if unit.counts else "dim").append(gap, style="dim")
        words[-1].append((above, below))
        if gap != "·":
            words.append([])
    return words


def syllables_of(scansion: Scansion) -> tuple[tuple[str, str], ...]:
    """Every mark with the syllable under it and what parts it from the next, as ``scansion_rows`` has them.

    >>> from rlpoet.prosody.meter import scan
    >>> syllables_of(scan("Le jour descend", "fr"))
    (('1', 'Le '), ('2', 'jour '), ('3', 'des·'), ('4', 'cend'))
    """
    cells = [(mark.plain.strip(), below.plain.rstrip()) for word in _scanned_words(scansion) for mark, below in word]
    return tuple(
        (mark, re.sub(" +·$", "·", below) + (" " if below[-1:] != "·" and n + 1 < len(cells) else ""))
        for n, (mark, below) in enumerate(cells)
    )


def scansion_text(scansion: Scansion) -> Text:
    """A line in one row of ``scansion_rows``, and below it the count with what was done to get there."""
    ((marks, below),) = scansion_rows(scansion)
    notes = [f"{scansion.syllables} syllables"]
    if scansion.stress:
        notes.append(scansion.stress)
    if scansion.caesura is not None:
        notes.append(f"caesura {scansion.caesura}+{scansion.syllables - scansion.caesura}")
    if scansion.fits is not None:
        notes.append("fits" if scansion.fits else "does not fit")
    notes += [f"{unit.text.strip()}: {unit.note}" for unit in scansion.units if unit.note]
    if scansion.guessed:
        notes.append("guessed: " + ", ".join(scansion.guessed))
    parts = [marks, below, Text(" · ".join(notes), style="dim")]
    return Text("\n").join(part for part in parts if part.plain)


def rhyme_table(lines: Sequence[str], lang: str) -> Table:
    """Every pair of lines with its kind of rhyme; a dash where there is none."""
    full = verse(lang).rhyming
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head in ("", "", "rhymes", "kind"):
        table.add_column(head, overflow="fold")
    for i, a in enumerate(lines):
        for b in lines[i + 1 :]:
            kind = rhyme_kind(a, b, lang)
            table.add_row(_tailed(a, lang), _tailed(b, lang), "yes" if kind in full else "no", kind or "-")
    return table


def _tailed(line: str, lang: str) -> Text:
    head, tail, rest = _cut(line, end_of(line, lang).tail)
    return Text(head).append(tail, style="bold underline").append(rest)


def _earned(reason: str, earned: Mapping[str, float]) -> str:
    name, _, why = reason.partition(": ")
    return f"{name} {earned[name]:.2f}: {why}" if name in earned else reason


def _cut(line: str, tail: str) -> tuple[str, str, str]:
    """The line around its tail, which may be spelt in another case; all of it first when the tail is not in it."""
    at = line.lower().rfind(tail.lower()) if tail and len(line.lower()) == len(line) else -1
    return (line, "", "") if at < 0 else (line[:at], line[at : at + len(tail)], line[at + len(tail) :])


def _breaks(poem: ScoredPoem) -> set[int]:
    """Numbers of the lines that begin a stanza: as the asked scheme has them, or as they are printed."""
    sizes = [len(block) for block in poem.asked.split()]
    if sum(sizes) != len(poem.lines) or len(sizes) < len(poem.stanzas):
        sizes = list(poem.stanzas)
    if sum(sizes) != len(poem.lines):
        return set()
    return set(itertools.accumulate(sizes[:-1]))


def _figure(value: float | None, kind: str, bounds: Sequence[float] | None = None) -> str:
    if value is None:
        return "-"
    reach = None if bounds is None else max(value - bounds[0], bounds[1] - value)
    if kind == "share":
        return f"{100 * value:.1f} %" + ("" if reach is None else f" ± {100 * reach:.{1 if reach < 0.0995 else 0}f}")
    return str(value) if isinstance(value, int) else f"{value:.3f}" + ("" if reach is None else f" ± {reach:.3f}")


def _change(before: float, after: float, kind: str, bounds: Sequence[float] | None = None) -> str:
    """What became of a figure: in points for a share, in nats, or in per cent for others, whose change is relative."""
    if kind == "nats":
        told = f"{after - before:+z.2f} nats"
        if bounds is None:
            return told
        return f"{'no change seen' if bounds[0] <= 0 <= bounds[1] else told} ({bounds[0]:z.2f} to {bounds[1]:z.2f})"
    if kind != "share" and not before:
        return ""
    gap, unit = (after - before, "points") if kind == "share" else (after / before - 1, "%")
    told = f"{_hundredths(gap, signed=True)} {unit}"
    if bounds is None:
        return told
    low, high = (_hundredths(bound) for bound in bounds)
    return f"{'no change seen' if bounds[0] <= 0 <= bounds[1] else told} ({low} to {high})"


def _hundredths(value: float, *, signed: bool = False) -> str:
    """In per cent, without its sign: of three figures, so that the widest change stays within 30 columns."""
    shown = 100 * value
    return f"{shown:{'+' if signed else ''}z.{1 if abs(shown) < 99.95 else 0}f}"


def _escape(text: str, special: Iterable[str] = "\\`*_[]<>|#&") -> str:
    return "".join("\\" + char if char in set(special) else char for char in visible(text))
