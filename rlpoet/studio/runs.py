"""The runs under a folder, for the page that compares a policy before and after training."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.reporting.charts import smooth, thinned
from rlpoet.reporting.poems import NOTE, comparison_rows
from rlpoet.reporting.run_folder import N_FIRST, Curve, RunFolder, read_run
from rlpoet.reporting.run_report import PAIRS, heard, measured
from rlpoet.studio.pad import whole

SURROGATES = re.compile("[\ud800-\udfff]")  # bytes of a name that are no UTF-8 (PEP 383)
MARKS = ("metrics.jsonl", "samples.jsonl", "result.json")  # one of them is in the folder of every run


def run_names(folder: Path) -> list[str]:
    """Names of the runs under a folder, the newest first; one that is no UTF-8 could not be asked for, and is left out."""
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.is_dir() and any((path / mark).is_file() for mark in MARKS)]
    return [path.name for path in sorted(found, key=_changed, reverse=True) if not SURROGATES.search(path.name)]


def run_shown(folder: Path, name: str) -> dict[str, Any]:
    """A run as plain data: facts, figures before and after, rewards, curves, poems side by side.

    Args:
        name: one of ``run_names``; anything else, such as a path, is refused.

    Raises:
        UnknownName: no such run.
        RlpoetError: a log of it that cannot be read.
    """
    known = run_names(folder)
    if name not in known:
        if not known:
            raise RlpoetError(f"{folder}: no run there; expected the folder of `rlpoet train`. Train one, or start the studio with --runs.")
        raise UnknownName("run", name, known)
    return _shown(folder / name, _changed(folder / name))


@functools.lru_cache(maxsize=8)
def _shown(path: Path, changed: float) -> dict[str, Any]:
    """``changed`` is there so that a run that goes on is read again."""
    run = read_run(path)
    before, after = measured(run.result)
    rewards, averaged = run.reward_rows()
    intervals = run.result.get("intervals", {})
    return {
        "name": run.name,
        "facts": run.facts(),
        "shares": run.rhyming_pairs(),
        "fell": run.fell(),
        "change": comparison_rows(before, after, intervals) if before or after else [],
        "note": NOTE if intervals else "",
        "rewards": rewards,
        "averaged": averaged,
        "curves": [_curve(curve) for curve in run.curves()],
        "n_first": N_FIRST,
        "pairs": _pairs(run),
        "alarms": [{key: str(row.get(key, "")) for key in ("name", "step", "seen", "advice")} for row in run.alarms],
    }


def _curve(curve: Curve) -> dict[str, Any]:
    points = thinned(curve.points)
    return {
        "name": curve.name,
        "log": curve.log and all(value > 0 for _, value in points),
        "steps": [step for step, _ in points],
        "values": [value for _, value in points],
        "smooth": smooth([value for _, value in points]),
        "first": curve.points[0][1],
        "last": curve.points[-1][1],
    }


def _pairs(run: RunFolder) -> list[list[dict[str, Any] | None]]:
    sides = [[_sample(row) for row in run.of_phase(phase)[:PAIRS]] for phase in ("before", "after")]
    return [list(pair) for pair in itertools.zip_longest(*sides)]


def _sample(row: Mapping[str, Any]) -> dict[str, Any]:
    prompt, text = row.get("prompt", {}), str(row.get("text", ""))
    shown = {"author": prompt.get("author") or "", "text": text}
    if prompt.get("lang"):
        shown |= whole(heard(text, prompt["lang"], form=prompt.get("form"), scores=row.get("scores")), prompt["lang"])
    return shown


def _changed(path: Path) -> float:
    """When a run was last written to, in seconds."""
    return max((file.stat().st_mtime for mark in MARKS if (file := path / mark).is_file()), default=0.0)
