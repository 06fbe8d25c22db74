"""A comparison from plan to page: run the missing cells, read all results, compute differences, write the report."""

from __future__ import annotations

import dataclasses
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from rlpoet.config.command import Command
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.reporting.poems import console
from rlpoet.reporting.tracking import plain
from rlpoet.sweeps.config import GridConfig
from rlpoet.sweeps.figures import read_cell
from rlpoet.sweeps.grid import Arm, plan, state_of
from rlpoet.sweeps.page import page
from rlpoet.sweeps.ray_grid import run_on_ray
from rlpoet.sweeps.results import Comparison, as_json, compared, spoken
from rlpoet.sweeps.run import n_cores, refuse_changes, run_grid
from rlpoet.sweeps.tables import markdown, terminal_table
from rlpoet.text import write_atomically
from rlpoet.training.build import check

CONFIG = "config.yaml"


def run_comparison(command: Command, config: GridConfig, arms: Sequence[Arm], *, baseline: str | None = None) -> int:
    """Run a grid and report on it. Returns 0 if all runs are done, 1 if a run failed, 130 if it was stopped.

    Args:
        command: the verb, for the report.
        baseline: name of the arm that the others are compared with; the first one if None.
    """
    cells = plan(config, arms)
    names = tuple(arm.name for arm in arms)
    if not names:
        raise RlpoetError("--arms: none; expected one or more.")
    if baseline is not None and baseline not in names:
        raise UnknownName("--baseline", baseline, names)
    if config.cluster is not None and config.cluster.partition(":")[0] != "ray":
        raise UnknownName("--cluster", config.cluster, ("ray", "ray:ADDRESS"))
    out = console(stderr=True)
    if config.dry_run:
        listing = [f"{cell.name:<32} {state_of(cell):<8} {spoken(cell.config)}" for cell in cells]
        console().print("\n".join([spelled(command, config), *listing]), markup=False)
        return 0
    outcomes: Mapping[str, str] = {}
    if not config.report_only:
        for cell in cells:
            try:
                check(cell.config)
            except RlpoetError as error:
                raise RlpoetError(f"{cell.name}: {error}") from None
        if not config.overwrite:
            refuse_changes(cells)
        write_config(config)
        if config.cluster is None:
            outcomes = run_grid(cells, jobs=config.jobs or n_cores(), out=out)
        else:
            outcomes = run_on_ray(cells, jobs=config.jobs, out=out, address=config.cluster.partition(":")[2])
    states = {cell.name: outcomes.get(cell.name, state_of(cell)) for cell in cells}
    again = dataclasses.replace(config, report_only=False, overwrite=False, resume=None)  # what makes all of it, from nothing
    trained = [read_cell(cell, reach=config.reach) for cell in cells if states[cell.name] == "done"]
    comparison = compared(config, cells, states, trained, baseline=baseline or names[0], command=spelled(command, again))
    paths = write_comparison(comparison)
    if comparison.rows:
        for lang in comparison.langs:
            console().print(terminal_table(comparison, lang))
    console().print("\n".join([*comparison.warnings, *(f"{path.suffix[1:]:<5} {path}" for path in paths)]), soft_wrap=True, markup=False)
    if "failed" in states.values():
        return 1
    return 130 if not config.report_only and any(state != "done" for state in states.values()) else 0


def write_config(config: GridConfig) -> None:
    """``config.yaml`` in the grid's folder, by which ``--resume`` goes on; what is asked of one call alone is left out."""
    once = dataclasses.replace(config, overwrite=False, report_only=False, dry_run=False, resume=None)
    folder = Path(config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / CONFIG, yaml.safe_dump(plain(once), allow_unicode=True, sort_keys=False))


def write_comparison(comparison: Comparison) -> list[Path]:
    """``table.md``, ``results.json`` and ``compare.html`` in the grid's folder."""
    folder = Path(comparison.config.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "table.md": markdown(comparison),
        "results.json": json.dumps(as_json(comparison), ensure_ascii=False, indent=2, allow_nan=False) + "\n",
        "compare.html": page(comparison),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    return [folder / name for name in texts]


def spelled(command: Command, config: Any) -> str:
    """The command line that gives a configuration."""
    return " ".join(["rlpoet", command.name, *_words(config, "")])


def _words(config: Any, prefix: str) -> list[str]:
    words: list[str] = []
    for item in dataclasses.fields(config):
        value, name = getattr(config, item.name), f"--{prefix}{item.name}"
        default = item.default_factory() if item.default_factory is not dataclasses.MISSING else item.default
        if dataclasses.is_dataclass(value):
            words += _words(value, f"{prefix}{item.name}.")
        elif value == default:
            continue
        elif isinstance(value, bool) and not prefix:
            words.append(name if value else f"--no_{item.name}")
        elif isinstance(value, tuple) and not prefix:
            words += [name, *(shlex.quote(str(part)) for part in value)]
        elif isinstance(value, Mapping | tuple | bool):
            words += [name, shlex.quote(json.dumps(plain(value), ensure_ascii=False))]
        else:
            words += [name, shlex.quote(str(value))]
    return words
