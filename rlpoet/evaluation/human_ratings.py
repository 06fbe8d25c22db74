"""What human judges say of poems: faults by kind, poems without a fault, ratings, each by source, and how far judges agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlpoet.analysis.intervals import Bounds, Share, count_bounds, proportion_bounds, ratio_bounds, statistic_bounds
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.rating_sheets import FAULTS, MOST, SCALES, ByPoem, Sheet, key_of, read_key, read_sheet

DRAWS = 200  # behind the interval of alpha
LEAST = 5  # poems with two judges from which alpha has an interval
ALL, NONE = "all faults", "without a fault"
Grid = Sequence[Sequence[float | None]]  # one row per judge, one column per poem; None without a rating


@dataclass(frozen=True)
class Judged:
    """One figure over all judges: a scale, a kind of fault, all faults, or the share of poems without one.

    Attributes:
        name: of the scale or kind, ``ALL`` or ``NONE``.
        means: source -> mean over poems, bounds of 95 % (poems drawn), number of judged poems. A poem's value is the mean of its judges.
        alpha: Krippendorff's alpha, ordinal; None if no poem has two judges, or if all values are the same.
        alpha_95: its interval, poems resampled; None if alpha is None, or with fewer than five poems that two judges share.
    """

    name: str
    means: Mapping[str, tuple[float, float, float, int]]
    alpha: float | None
    alpha_95: tuple[float, float] | None


@dataclass(frozen=True)
class JudgeReport:
    """What all judges said.

    Attributes:
        judges: how many sheets.
        shared: poems for which two judges or more counted faults or gave a rating; without them there is no agreement to tell.
        faults: of each kind in faults per poem, then ``ALL``, then ``NONE`` in [0, 1]; empty if nobody counted.
        scales: of each scale, from 1 to 5; empty if nobody rated.
    """

    judges: int
    shared: int
    faults: Sequence[Judged]
    scales: Sequence[Judged]


def read_ratings(sheets: Sequence[str], key: str | None = None, *, partial: bool = False, seed: int = 0) -> JudgeReport:
    """What filled sheets say, one of each judge.

    Args:
        key: the key of the sheets; the one beside the first of them by default.
        partial: accept sheets in which some poems have no counts; see ``read_sheet``.

    Raises:
        RlpoetError: no sheet or no key; see also ``read_sheet``, ``read_key`` and ``report``.
    """
    if not sheets:
        raise RlpoetError("rate read: no sheet; expected at least one. Name the files that judges filled in.")
    read = [read_sheet(Path(path), partial=partial) for path in sheets]
    key_path = Path(key) if key is not None else key_of(Path(sheets[0]))
    if key is None and not key_path.exists():
        raise RlpoetError(f"{key_path}: no such file; expected the key that `rlpoet rate make` wrote beside the sheet. Give it with --key.")
    return report(read, read_key(key_path), partial=partial, seed=seed)


def report(sheets: Sequence[Sheet], key: Mapping[str, str], *, partial: bool = False, seed: int = 0) -> JudgeReport:
    """Means by source and agreement. A poem's value is the mean of its judges, so each poem counts the same.

    Args:
        key: poem -> source.
        partial: accept sheets that count the faults of some poems only.

    Raises:
        RlpoetError: an empty sheet, a poem that is not in the key, or one whose faults a sheet does not count while it counts others.
    """
    judged_by = [_judged_poems(sheet) for sheet in sheets]
    for sheet, poems in zip(sheets, judged_by, strict=True):
        if not poems:
            raise RlpoetError(f"{sheet.path}: nothing is filled in; expected counts or ratings. Leave the sheet out, or fill it in.")
        if stray := sorted(poems - set(key)):
            raise RlpoetError(f"{sheet.path}: {stray[0]!r} is not in the key; expected the key of the same sheet. Give it with --key.")
        lost = sorted(set(key) - set(sheet.faults["syntax"])) if sheet.faults and not partial else []
        if lost:
            raise RlpoetError(
                f"{sheet.path}: no counts for {len(lost)} poems, the first is {lost[0]!r}; expected all {len(key)} poems of the key. "
                "Put the rows back, or take --partial to go without them."
            )
    counts = [sheet.faults for sheet in sheets if sheet.faults]
    totals = [{poem: sum(own[kind][poem] for kind in FAULTS) for poem in own["syntax"]} for own in counts]
    clean = [{poem: float(not total) for poem, total in own.items()} for own in totals]
    faults = []
    for kind in FAULTS:
        bounds = proportion_bounds if MOST.get(kind) == 1 else count_bounds
        faults.append(_judged(kind, [own[kind] for own in counts], key, bounds, seed))
    faults += [_judged(ALL, totals, key, count_bounds, seed), _judged(NONE, clean, key, proportion_bounds, seed)]
    scales = [_judged(scale, [sheet.ratings.get(scale, {}) for sheet in sheets], key, ratio_bounds, seed) for scale in SCALES]
    shared = sum(sum(poem in own for own in judged_by) > 1 for poem in key)
    rated = any(own.means for own in scales)
    return JudgeReport(len(sheets), shared, faults if counts else [], scales if rated else [])


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


def _judged_poems(sheet: Sheet) -> set[str]:
    return {poem for by_name in (sheet.faults, sheet.ratings) for by_poem in by_name.values() for poem in by_poem}


def _judged(name: str, sheets: Sequence[ByPoem], key: Mapping[str, str], bounds: Callable[..., Bounds], seed: int) -> Judged:
    means: dict[str, tuple[float, float, float, int]] = {}
    for source in dict.fromkeys(key.values()):
        poems = [number for number, origin in key.items() if origin == source and any(number in sheet for sheet in sheets)]
        if poems:
            each = np.array([np.mean([sheet[number] for sheet in sheets if number in sheet]) for number in poems])
            mean = Share(each, np.ones(len(each)))
            means[source] = (mean.value, *bounds(mean, seed=seed), len(each))
    rated = [number for number in key if sum(number in sheet for sheet in sheets) > 1]
    grid = [[sheet.get(number) for number in rated] for sheet in sheets]
    alpha, edges = krippendorff(grid), None
    if alpha is not None and len(rated) >= LEAST:
        edges = statistic_bounds(
            lambda picked: krippendorff([[row[i] for i in picked] for row in grid]), len(rated), seed=seed, draws=DRAWS
        )
    return Judged(name, means, alpha, edges)
