"""A blind rating sheet for human judges, and what their ratings say: means by source, and how far judges agree.

A sheet is a table with a poem a row and empty columns to fill in, 1 (poor) to 5 (good). Where a poem comes from stands in a key of its
own, so that a judge can be given the sheet alone. Poems are shuffled, and written alike: one kind of apostrophe, quote and dash, a capital
at each line, so that typography tells nothing.
"""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlpoet.analysis.intervals import Share, ratio_bounds, statistic_bounds
from rlpoet.corpus.read import poems_of
from rlpoet.errors import RlpoetError
from rlpoet.tables import read_csv
from rlpoet.text import read_text, write_atomically

SCALES = ("meter", "rhyme", "readability", "emotion")
LOW, HIGH = 1, 5
DRAWS = 200  # behind the interval of alpha
PLAIN = str.maketrans(
    {"’": "'", "ʼ": "'", "“": '"', "”": '"', "«": '"', "»": '"', "—": "-", "–": "-", "…": "...", "\u00a0": " ", "\u202f": " "}
)
Grid = Sequence[Sequence[float | None]]  # one row a judge, one column a poem; None where the judge gave none


@dataclass(frozen=True)
class Item:
    """A poem on a sheet; ``number`` says nothing of its source."""

    number: str
    source: str
    text: str


@dataclass(frozen=True)
class ScaleReport:
    """One scale over all judges.

    Attributes:
        means: source -> mean, low, high of 95 %, poems resampled, and number of poems rated.
        alpha: Krippendorff's, ordinal; None with one judge, or where all ratings are the same.
        alpha_95: its interval, poems resampled; None where alpha is, or with fewer than five poems.
    """

    scale: str
    means: Mapping[str, tuple[float, float, float, int]]
    alpha: float | None
    alpha_95: tuple[float, float] | None


def items_of(sources: Sequence[str], *, n: int, lines: int, seed: int) -> list[Item]:
    """At most ``n`` stanzas of ``lines`` lines from each source (whole poems for 0), shuffled.

    Args:
        sources: files or folders of poems, ``NAME=FILE`` to name one; a source is otherwise called by its file.

    Raises:
        RlpoetError: a source without such a stanza, or two of one name.
    """
    rng, chosen, names = random.Random(seed), [], set()
    for given in sources:
        name, sep, path = given.partition("=")
        path, name = (path, name) if sep else (given, Path(given).name.partition(".")[0])
        if name in names:
            raise RlpoetError(f"{given}: a second source called {name!r}; expected names of their own. Write NAME=FILE.")
        names.add(name)
        units = (own for poem in poems_of(path) for own in ([_unheaded(poem.lines)] if not lines else map(_unheaded, poem.stanzas)))
        texts = list(dict.fromkeys(_blind(own) for own in units if own and (not lines or len(own) == lines)))
        if not texts:
            raise RlpoetError(f"{path}: no stanza of {lines} lines; expected some. Choose another --lines, 0 for whole poems.")
        chosen += [(name, text) for text in rng.sample(texts, min(n, len(texts)))]
    rng.shuffle(chosen)
    salt = hashlib.sha1("\n".join(text for _, text in chosen).encode()).hexdigest()[:4]
    return [Item(f"{salt}-{number:03}", source, text) for number, (source, text) in enumerate(chosen, start=1)]


def write_sheet(items: Sequence[Item], path: Path) -> Path:
    """Write the sheet and, beside it, its key; returns the path of the key.

    Raises:
        RlpoetError: one of them is there already: ratings are not to be written over.
    """
    key = key_of(path)
    for own in (path, key):
        if own.exists():
            raise RlpoetError(f"{own}: there already; expected a new file, so that no rating is lost. Choose another --out.")
    write_atomically(path, _table(("id", "poem", *SCALES), [(item.number, item.text, *("" for _ in SCALES)) for item in items]))
    write_atomically(key, _table(("id", "source"), [(item.number, item.source) for item in sorted(items, key=lambda item: item.number)]))
    return key


def key_of(sheet: Path) -> Path:
    """Where the key of a sheet lies: ``sheet.key.csv`` beside ``sheet.csv``."""
    return sheet.with_name(f"{sheet.stem}.key.csv")


def read_key(path: Path) -> dict[str, str]:
    """Poem -> source.

    Raises:
        RlpoetError: no key.
    """
    return {row["id"]: row["source"] for row in _rows(path, ("id", "source"))}


def read_sheet(path: Path) -> dict[str, dict[str, float]]:
    """One judge's ratings, scale -> poem -> rating; an empty cell is no rating.

    Raises:
        RlpoetError: not a sheet, a poem twice, or a rating that is no number from 1 to 5.
    """
    found: dict[str, dict[str, float]] = {scale: {} for scale in SCALES}
    seen = set()
    for number, row in enumerate(_rows(path, ("id", *SCALES)), start=2):
        if row["id"] in seen:
            raise RlpoetError(f"{path}: row {number}: {row['id']!r} a second time; expected each poem once.")
        seen.add(row["id"])
        for scale in SCALES:
            told = row[scale].strip().replace(",", ".")
            if not told:
                continue
            try:
                rating = float(told)
            except ValueError:
                rating = float("nan")
            if not LOW <= rating <= HIGH:
                raise RlpoetError(f"{path}: row {number}: {scale} is {told!r}; expected a number from {LOW} to {HIGH}, or nothing.")
            found[scale][row["id"]] = rating
    return found


def report(sheets: Sequence[Mapping[str, Mapping[str, float]]], key: Mapping[str, str], *, seed: int = 0) -> list[ScaleReport]:
    """Each scale: means by source and agreement. A poem's rating is the mean of its judges', so that each poem counts the same.

    Raises:
        RlpoetError: a rated poem that is not in the key.
    """
    stray = sorted({number for sheet in sheets for own in sheet.values() for number in own} - set(key))
    if stray:
        raise RlpoetError(f"{stray[0]!r}: rated, but not in the key; expected the key of the same sheet. Give it with --key.")
    return [_scale(scale, [sheet[scale] for sheet in sheets], key, seed) for scale in SCALES]


def make_sheet(sources: Sequence[str], sheet: Path, *, n: int, lines: int, seed: int) -> tuple[int, Path]:
    """Choose poems and write a sheet and its key.

    Returns:
        The number of poems and the path of the key.

    Raises:
        RlpoetError: numbers that cannot be meant; see also ``items_of`` and ``write_sheet``.
    """
    if n < 1 or lines < 0:
        raise RlpoetError(f"--n {n} --lines {lines}; expected at least 1 stanza, and 0 lines or more.")
    items = items_of(sources, n=n, lines=lines, seed=seed)
    return len(items), write_sheet(items, sheet)


def read_ratings(sheets: Sequence[str], key: str | None = None, *, seed: int = 0) -> list[ScaleReport]:
    """What filled sheets say, one of each judge.

    Args:
        key: the key of the sheets; the one beside the first of them by default.

    Raises:
        RlpoetError: see ``read_sheet``, ``read_key`` and ``report``.
    """
    return report([read_sheet(Path(path)) for path in sheets], read_key(Path(key or key_of(Path(sheets[0])))), seed=seed)


def krippendorff(ratings: Grid) -> float | None:
    """Krippendorff's alpha for ordered values: 1 is full agreement, 0 what chance gives, below 0 worse than chance.

    Poems rated by one judge alone say nothing of agreement and are left out. None where no poem has two ratings, or all ratings are one
    value: nothing could disagree.

    References:
        Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011: sections C and D, ordinal metric.

    >>> krippendorff([[1, 2, 3], [1, 2, 3]]), krippendorff([[1, 1], [1, 1]])
    (1.0, None)
    """
    units = [[own for row in ratings if (own := row[i]) is not None] for i in range(len(ratings[0]) if ratings else 0)]
    units = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in units for value in unit})
    if len(values) < 2:
        return None
    at = {value: i for i, value in enumerate(values)}
    coincidence = np.zeros((len(values), len(values)))
    for unit in units:
        counts = np.bincount([at[value] for value in unit], minlength=len(values)).astype(float)
        coincidence += (np.outer(counts, counts) - np.diag(counts)) / (len(unit) - 1)
    n = coincidence.sum(axis=1)
    below = np.concatenate([[0.0], np.cumsum(n)])
    rank = (below[:-1] + below[1:]) / 2
    distance = (rank[:, None] - rank[None, :]) ** 2
    expected = (np.outer(n, n) * distance).sum() / (n.sum() - 1)
    return float(1 - (coincidence * distance).sum() / expected)


def _scale(scale: str, sheets: Sequence[Mapping[str, float]], key: Mapping[str, str], seed: int) -> ScaleReport:
    means: dict[str, tuple[float, float, float, int]] = {}
    for source in dict.fromkeys(key.values()):
        poems = [number for number, whose in key.items() if whose == source and any(number in sheet for sheet in sheets)]
        if poems:
            each = np.array([np.mean([sheet[number] for sheet in sheets if number in sheet]) for number in poems])
            mean = Share(each, np.ones(len(each)))
            means[source] = (mean.value, *ratio_bounds(mean, seed=seed), len(each))
    rated = [number for number in key if sum(number in sheet for sheet in sheets) > 1]
    grid = [[sheet.get(number) for number in rated] for sheet in sheets]
    alpha, edges = krippendorff(grid), None
    if alpha is not None and len(rated) >= 5:
        edges = statistic_bounds(
            lambda picked: krippendorff([[row[i] for i in picked] for row in grid]), len(rated), seed=seed, draws=DRAWS
        )
    return ScaleReport(scale, means, alpha, edges)


def _unheaded(lines: Sequence[str]) -> Sequence[str]:
    """Lines without the heading that `rlpoet generate --out` writes above a poem."""
    return lines[1:] if lines and lines[0].startswith("# ") else lines


def _blind(lines: Sequence[str]) -> str:
    """The poem in one typography, whoever wrote it."""
    plain = (" ".join(line.translate(PLAIN).split()) for line in lines)
    spaced = (" ".join(line.replace(" ;", ";").replace(" :", ":").replace(" !", "!").replace(" ?", "?").split()) for line in plain)
    return "\n".join(line[:1].upper() + line[1:] for line in spaced)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def _rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    return [{name: cell or "" for name, cell in row.items()} for _, row in read_csv(read_text(path), str(path), columns=wanted)]
