"""Blind rating sheets for human judges, and the evaluation of their ratings: means by source, and agreement of judges.

A sheet is a table with one poem per row and empty columns for ratings from 1 (poor) to 5 (good). The sources of the poems are in a
separate key file, which judges do not see. Poems are shuffled and have the same typography: one kind of apostrophe, quote and dash, and
a capital at each line.
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
TYPOGRAPHY = str.maketrans(
    {"’": "'", "ʼ": "'", "“": '"', "”": '"', "«": '"', "»": '"', "—": "-", "–": "-", "…": "...", "\u00a0": " ", "\u202f": " "}
)
Grid = Sequence[Sequence[float | None]]  # one row per judge, one column per poem; None without a rating


@dataclass(frozen=True)
class Item:
    """A poem on a sheet; ``number`` does not reveal its source."""

    number: str
    source: str
    text: str


@dataclass(frozen=True)
class ScaleReport:
    """One scale over all judges.

    Attributes:
        means: source -> mean, bounds of 95 % (poems resampled), and number of rated poems.
        alpha: Krippendorff's alpha, ordinal; None with one judge, or if all ratings are the same.
        alpha_95: its interval, poems resampled; None if alpha is None, or with fewer than five poems.
    """

    scale: str
    means: Mapping[str, tuple[float, float, float, int]]
    alpha: float | None
    alpha_95: tuple[float, float] | None


def items_of(sources: Sequence[str], *, n: int, lines: int, seed: int) -> list[Item]:
    """At most ``n`` stanzas of ``lines`` lines from each source (whole poems for 0), shuffled.

    Args:
        sources: files or folders of poems; ``NAME=FILE`` gives one a name, else it has the name of its file.

    Raises:
        RlpoetError: a source has no such stanza, or two sources have one name.
    """
    rng, chosen, names = random.Random(seed), [], set()
    for entry in sources:
        name, sep, path = entry.partition("=")
        path, name = (path, name) if sep else (entry, Path(entry).name.partition(".")[0])
        if name in names:
            raise RlpoetError(f"{entry}: a second source called {name!r}; expected names of their own. Write NAME=FILE.")
        names.add(name)
        units = (
            poem_lines for poem in poems_of(path) for poem_lines in ([_unheaded(poem.lines)] if not lines else map(_unheaded, poem.stanzas))
        )
        texts = list(dict.fromkeys(_blind(poem_lines) for poem_lines in units if poem_lines and (not lines or len(poem_lines) == lines)))
        if not texts:
            raise RlpoetError(f"{path}: no stanza of {lines} lines; expected some. Choose another --lines, 0 for whole poems.")
        chosen += [(name, text) for text in rng.sample(texts, min(n, len(texts)))]
    rng.shuffle(chosen)
    salt = hashlib.sha1("\n".join(text for _, text in chosen).encode()).hexdigest()[:4]
    return [Item(f"{salt}-{number:03}", source, text) for number, (source, text) in enumerate(chosen, start=1)]


def write_sheet(items: Sequence[Item], path: Path) -> Path:
    """Write the sheet and, beside it, its key; returns the path of the key.

    Raises:
        RlpoetError: one of them exists already, since ratings must not be overwritten.
    """
    key = key_of(path)
    for file in (path, key):
        if file.exists():
            raise RlpoetError(f"{file}: there already; expected a new file, so that no rating is lost. Choose another --out.")
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
    ratings: dict[str, dict[str, float]] = {scale: {} for scale in SCALES}
    seen = set()
    for number, row in enumerate(_rows(path, ("id", *SCALES)), start=2):
        if row["id"] in seen:
            raise RlpoetError(f"{path}: row {number}: {row['id']!r} a second time; expected each poem once.")
        seen.add(row["id"])
        for scale in SCALES:
            typed = row[scale].strip().replace(",", ".")
            if not typed:
                continue
            try:
                rating = float(typed)
            except ValueError:
                rating = float("nan")
            if not LOW <= rating <= HIGH:
                raise RlpoetError(f"{path}: row {number}: {scale} is {typed!r}; expected a number from {LOW} to {HIGH}, or nothing.")
            ratings[scale][row["id"]] = rating
    return ratings


def report(sheets: Sequence[Mapping[str, Mapping[str, float]]], key: Mapping[str, str], *, seed: int = 0) -> list[ScaleReport]:
    """Means by source and agreement, for each scale. A poem's rating is the mean of its judges, so each poem counts the same.

    Raises:
        RlpoetError: a rated poem that is not in the key.
    """
    stray = sorted({number for sheet in sheets for by_poem in sheet.values() for number in by_poem} - set(key))
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

    Poems with one rating only are left out. None if no poem has two ratings, or if all ratings are the same.

    References:
        Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011: sections C and D, ordinal metric.

    >>> krippendorff([[1, 2, 3], [1, 2, 3]]), krippendorff([[1, 1], [1, 1]])
    (1.0, None)
    """
    units = [[rating for row in ratings if (rating := row[i]) is not None] for i in range(len(ratings[0]) if ratings else 0)]
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
        poems = [number for number, origin in key.items() if origin == source and any(number in sheet for sheet in sheets)]
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
    translated = (" ".join(line.translate(TYPOGRAPHY).split()) for line in lines)
    spaced = (" ".join(line.replace(" ;", ";").replace(" :", ":").replace(" !", "!").replace(" ?", "?").split()) for line in translated)
    return "\n".join(line[:1].upper() + line[1:] for line in spaced)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue()


def _rows(path: Path, wanted: Sequence[str]) -> list[dict[str, str]]:
    return [{name: cell or "" for name, cell in row.items()} for _, row in read_csv(read_text(path), str(path), columns=wanted)]
