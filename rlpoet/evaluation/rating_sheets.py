"""Blind rating sheets: which poems stand on them, what judges are asked, and how a filled sheet is read.

A sheet is a table with one poem per row. Its second row, the guide, says for each column what to count or how to rate. Six columns count
faults, four have ratings from 1 (poor) to 5 (good). The sources of the poems are in a separate key file, which judges do not see. Poems are
shuffled and have the same typography: one kind of apostrophe, quote and dash, and a capital at each line.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlpoet.corpus.headings import form_of_heading
from rlpoet.corpus.read import poems_of
from rlpoet.errors import RlpoetError
from rlpoet.prosody.fit import guess_form, has_its_lines
from rlpoet.prosody.forms import form, forms
from rlpoet.text import read_text, write_atomically
from rlpoet.text.escapes import cell, cell_text
from rlpoet.text.tables import read_csv

LOW, HIGH = 1, 5
HUMAN = "human"  # source of the poems of --human
GUIDE = "guide"  # id of the row that explains the columns
HOW = (
    "Judge each poem by itself. Columns syntax to punctuation: count the faults, a whole number in each cell, 0 for none. "
    "A fault counts once, in the column that fits best. Old spelling, rare words and the word order of verse are no faults. "
    f"Columns meter to emotion: rate from {LOW} (poor) to {HIGH} (good), or leave the cell empty. Keep the ids as they are."
)
FAULTS = {  # kind -> what the guide says, in the order of the columns
    "syntax": "How many: a verb without an object that it needs or with a wrong one, a word missing or too many, a wrong mood or tense.",
    "agreement": "How many: gender, number or person that does not agree.",
    "invented_word": "How many words that do not exist. Names and old words do.",
    "broken_sentence": "How many sentences break off or do not hold together over the lines. One that a next stanza could end is no fault.",
    "no_thread": "1 if the lines have nothing to do with each other, or contradict each other; else 0.",
    "punctuation": "How many: quotes that are not closed, marks that are missing or too many.",
}
MOST = {"no_thread": 1}  # what a count cannot exceed
SCALES = {
    name: f"{asked} {LOW} poor, {HIGH} good."
    for name, asked in {
        "meter": "Is the rhythm regular?",
        "rhyme": "Do the lines rhyme as they should?",
        "readability": "Is it easy to read and to understand?",
        "emotion": "Does it move you?",
    }.items()
}
NAMED = 8  # cells that an error names beside the first
TYPOGRAPHY = str.maketrans(
    {"’": "'", "ʼ": "'", "“": '"', "”": '"', "«": '"', "»": '"', "—": "-", "–": "-", "…": "...", "\u00a0": " ", "\u202f": " "}
)
ByPoem = Mapping[str, float]


@dataclass(frozen=True)
class Item:
    """A poem on a sheet; ``number`` does not reveal its source."""

    number: str
    source: str
    text: str


@dataclass(frozen=True)
class Sheet:
    """What one judge filled in.

    Attributes:
        path: of the file.
        faults: kind -> poem -> number of faults. Every kind has the same poems: those whose faults were counted.
        ratings: scale -> poem -> rating; a poem without a rating is absent.
    """

    path: str
    faults: Mapping[str, ByPoem]
    ratings: Mapping[str, ByPoem]


def items_of(sources: Sequence[str], *, n: int, lines: int, seed: int, human: str | None = None, lang: str | None = None) -> list[Item]:
    """At most ``n`` stanzas of ``lines`` lines from each source (whole poems for 0), shuffled.

    Args:
        sources: files or folders of poems; ``NAME=FILE`` gives one a name, else it has the name of its file.
        human: a corpus of poems by people, the source ``HUMAN``. Of each form as many of its stanzas are taken as the source with most of
            that form has. The form of a stanza is that of its heading, as ``rlpoet generate --out`` writes it, else the one it keeps best.
        lang: language of the forms, needed with ``human`` where no heading says it.

    Raises:
        RlpoetError: a source has no such stanza, two sources have one name, no language, a stanza of no form, or too few human stanzas.
    """
    rng, names = random.Random(seed), set() if human is None else {HUMAN}
    chosen: list[tuple[str, str]] = []
    headings: dict[str, tuple[str, str]] = {}
    for entry in sources:
        name, path = _named(entry)
        if name in names:
            raise RlpoetError(f"{entry}: a second source called {name!r}; expected names of their own. Write NAME=FILE.")
        names.add(name)
        texts = _texts_of(path, lines)
        headings |= {text: heading for text, heading in texts.items() if heading is not None}
        chosen += [(name, text) for text in rng.sample(list(texts), min(n, len(texts)))]
    if human is not None:
        chosen += [(HUMAN, text) for text in _matched(chosen, headings, human, list(_texts_of(human, lines)), lang, rng)]
    rng.shuffle(chosen)
    salt = hashlib.sha1("\n".join(text for _, text in chosen).encode()).hexdigest()[:4]
    # the letter keeps spreadsheets from taking an id such as 1950-012 for a date
    return [Item(f"p{salt}-{number:03}", source, text) for number, (source, text) in enumerate(chosen, start=1)]


def write_sheet(items: Sequence[Item], path: Path) -> Path:
    """Write the sheet and, beside it, its key; returns the path of the key.

    Raises:
        RlpoetError: one of them exists already, since ratings must not be overwritten.
    """
    key = key_of(path)
    for file in (path, key):
        if file.exists():
            raise RlpoetError(f"{file}: there already; expected a new file, so that no rating is lost. Choose another --out.")
    asked = FAULTS | SCALES
    rows = [(GUIDE, HOW, *asked.values()), *((item.number, item.text, *("" for _ in asked)) for item in items)]
    write_atomically(path, _table(("id", "poem", *asked), rows))
    write_atomically(key, _table(("id", "source"), [(item.number, item.source) for item in sorted(items, key=lambda item: item.number)]))
    return key


def make_sheet(
    sources: Sequence[str], sheet: Path, *, n: int, lines: int, seed: int, human: str | None = None, lang: str | None = None
) -> tuple[Counter[str], Path]:
    """Choose poems and write a sheet and its key.

    Returns:
        The number of poems of each source and the path of the key.

    Raises:
        RlpoetError: numbers that cannot be meant; see also ``items_of`` and ``write_sheet``.
    """
    if n < 1 or lines < 0:
        raise RlpoetError(f"--n {n} --lines {lines}; expected at least 1 stanza, and 0 lines or more.")
    if not sources:
        raise RlpoetError("rate make: no source of poems; expected at least one. Name a file of poems.")
    items = items_of(sources, n=n, lines=lines, seed=seed, human=human, lang=lang)
    return Counter(item.source for item in items), write_sheet(items, sheet)


def key_of(sheet: Path) -> Path:
    """Where the key of a sheet lies: ``sheet.key.csv`` beside ``sheet.csv``."""
    return sheet.with_name(f"{sheet.stem}.key.csv")


def read_key(path: Path) -> dict[str, str]:
    """Poem -> source.

    Raises:
        RlpoetError: no key.
    """
    return {row["id"]: cell_text(row["source"]) for row in _rows(path, ("id", "source"))}


def read_sheet(path: Path, *, partial: bool = False) -> Sheet:
    """One judge's counts and ratings, from a sheet with the columns of faults, of ratings, or both.

    An empty rating is no rating. An empty count is an error where others are filled in: it could mean 0, or that the poem was not read.

    Args:
        partial: leave out poems for which no fault at all is counted; a poem with some counts and some empty cells stays an error.

    Raises:
        RlpoetError: not a sheet, a poem twice, or cells that are empty or hold something else. It says what is wrong with the first and
            lists rows and columns of the others.
    """
    rows = [(number, row) for number, row in enumerate(_rows(path, ("id",)), start=2) if row["id"] != GUIDE and any(row.values())]
    asked = _columns(path, rows[0][1] if rows else {})
    seen: set[str] = set()
    for number, row in rows:
        if not row["id"]:
            raise RlpoetError(f"{path}: row {number}, column id: empty; expected the poem's id. Copy it from the sheet.")
        if row["id"] in seen:
            raise RlpoetError(f"{path}: row {number}: {row['id']!r} a second time; expected each poem once. Keep one of the rows.")
        seen.add(row["id"])
    kinds, scales = [kind for kind in FAULTS if kind in asked], [scale for scale in SCALES if scale in asked]
    counted = any(row[kind] for _, row in rows for kind in kinds)
    faults: dict[str, dict[str, float]] = {kind: {} for kind in kinds if counted}
    ratings: dict[str, dict[str, float]] = {scale: {} for scale in scales}
    wrong: list[tuple[int, str, str, str]] = []
    for number, row in rows:
        untouched = not any(row[kind] for kind in kinds)
        for kind in kinds if counted and not (partial and untouched) else ():
            count, most = _number(row[kind]), MOST.get(kind)
            if count is None or count < 0 or count % 1 or (most is not None and count > most):
                hint = " Write 0 where there is none" + (", or take --partial to leave out poems without any count." if untouched else ".")
                wrong.append((number, kind, row[kind], "0 or 1." if most == 1 else f"a whole number of faults.{hint}"))
            else:
                faults[kind][row["id"]] = count
        for scale in scales:
            rating = _number(row[scale])
            if row[scale] and (rating is None or not LOW <= rating <= HIGH):
                wrong.append((number, scale, row[scale], f"a number from {LOW} to {HIGH}, or nothing."))
            elif rating is not None:
                ratings[scale][row["id"]] = rating
    if wrong:
        raise RlpoetError(_told(path, wrong))
    return Sheet(str(path), faults, ratings)


# -- choosing poems --------------------------------------------------------------------------------------


def _named(entry: str) -> tuple[str, str]:
    name, sep, path = entry.partition("=")
    return (name, path) if sep else (Path(entry).name.partition(".")[0], entry)


def _texts_of(path: str, lines: int) -> dict[str, tuple[str, str] | None]:
    """Stanzas of a source as they stand on a sheet, each once, with language and form of the heading above it."""
    texts: dict[str, tuple[str, str] | None] = {}
    for poem in poems_of(path):
        heading = form_of_heading(poem.columns.get("heading", ""))
        for unit in [poem.lines] if not lines else poem.stanzas:
            own = _unheaded(unit)
            if own and (not lines or len(own) == lines):
                texts.setdefault(_blind(own), heading)
    if not texts:
        raise RlpoetError(f"{path}: no stanza of {lines} lines; expected some. Choose another --lines, 0 for whole poems.")
    return texts


def _matched(
    chosen: Sequence[tuple[str, str]],
    headings: Mapping[str, tuple[str, str]],
    path: str,
    texts: Sequence[str],
    lang: str | None,
    rng: random.Random,
) -> list[str]:
    """Human stanzas of the forms of the chosen ones, none of which is among these."""
    langs = {headings[text][0] for _, text in chosen if text in headings} if lang is None else {lang}
    if len(langs) != 1:
        found = f"poems in {' and '.join(sorted(langs))}" if langs else "no heading that says the language of the poems"
        raise RlpoetError(f"--human {path}: {found}; expected one language, to find human stanzas of the same forms. Set --lang.")
    code = langs.pop()
    of_form = _form_by(code, headings)
    counts = Counter((source, of_form(source, text)) for source, text in chosen)
    wanted: Counter[str] = Counter()
    for (_, name), count in counts.items():
        wanted[name] = max(wanted[name], count)
    present, found_texts = {text for _, text in chosen}, []
    left = Counter(wanted)
    for text in rng.sample(texts, len(texts)):
        if text in present:
            continue
        best = guess_form(text.split("\n"), code)
        if best is not None and left[best.name]:
            left[best.name] -= 1
            found_texts.append(text)
        if not any(left.values()):
            return found_texts
    name = next(name for name, count in left.items() if count)
    raise RlpoetError(
        f"--human {path}: {wanted[name] - left[name]} stanzas of the form {name}; expected {wanted[name]}, as many as the others. "
        "Give more poems, or a smaller --n."
    )


def _form_by(lang: str, headings: Mapping[str, tuple[str, str]]) -> Callable[[str, str], str]:
    known = {own.name for own in forms(lang)}

    def of_form(source: str, text: str) -> str:
        lines, (_, name) = text.split("\n"), headings.get(text, ("", ""))
        if name in known and has_its_lines(lines, form(name, lang)):
            return name
        best = guess_form(lines, lang, least=0.0)
        if best is None:
            raise RlpoetError(f"{source}: a poem of {len(lines)} lines; expected one that a form of {lang!r} has. Choose another --lines.")
        return best.name

    return of_form


def _unheaded(lines: Sequence[str]) -> Sequence[str]:
    """Lines without the heading that `rlpoet generate --out` writes above a poem."""
    return lines[1:] if lines and lines[0].startswith("# ") else lines


def _blind(lines: Sequence[str]) -> str:
    """The poem in one typography, whoever wrote it."""
    translated = (" ".join(line.translate(TYPOGRAPHY).split()) for line in lines)
    spaced = (" ".join(line.replace(" ;", ";").replace(" :", ":").replace(" !", "!").replace(" ?", "?").split()) for line in translated)
    return "\n".join(line[:1].upper() + line[1:] for line in spaced)


# -- reading cells ---------------------------------------------------------------------------------------


def _columns(path: Path, header: Mapping[str, str]) -> set[str]:
    """The columns of faults and of ratings that a sheet has: all of a group or none."""
    present: set[str] = set()
    for group in (FAULTS, SCALES):
        own = [name for name in group if name in header]
        if own and len(own) < len(group):
            missing = next(name for name in group if name not in own)
            raise RlpoetError(f"{path}: no column {missing!r}; expected all of {', '.join(group)}. Put the column back.")
        present |= set(own)
    if not present:
        raise RlpoetError(
            f"{path}: no poem, or no column of a rating sheet; expected {', '.join(FAULTS | SCALES)} in the first row, and poems below it. "
            "Give a sheet that `rlpoet rate make` made."
        )
    return present


def _number(cell: str) -> float | None:
    """A number with a point or a comma; None for anything else."""
    try:
        return float(cell.replace(",", "."))
    except ValueError:
        return None


def _told(path: Path, wrong: Sequence[tuple[int, str, str, str]]) -> str:
    """All wrong cells in one line, so that a judge mends them at once."""
    (number, column, cell, expected), *others = wrong
    told = f"{path}: row {number}, column {column}: {repr(cell) if cell else 'empty'}; expected {expected}"
    if others:
        listed = "; ".join(f"row {number}, column {column}" for number, column, _, _ in others[:NAMED])
        told += f" {len(others)} more to mend: {listed}{f'; and {len(others) - NAMED} others' if len(others) > NAMED else ''}."
    return told


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([cell(str(value)) for value in row] for row in rows)
    return out.getvalue()


def _rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    return [{name: (cell or "").strip() for name, cell in row.items()} for _, row in read_csv(read_text(path), str(path), columns=wanted)]
