"""A grid of trainings: every arm in every language with every seed, each one ``rlpoet train`` in its own folder.

The state of a cell is in its folder: ``asked.yaml`` is its configuration, ``result.json`` shows that it is done, ``checkpoint.pt`` that
it can continue. So planning the same grid again continues one that was stopped.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from rlpoet.checkpoints.folder import RunState, run_state
from rlpoet.config.command import current
from rlpoet.config.documents import read_settings
from rlpoet.config.parser import read
from rlpoet.config.ranges import flat, left_to_preset, nested
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.languages import code_of
from rlpoet.reporting.tracking import plain
from rlpoet.sweeps.config import GridConfig
from rlpoet.text import is_part, write_atomically
from rlpoet.training.config import TABLES, TrainConfig
from rlpoet.training.gflownet.options import PRESETS
from rlpoet.training.options import MOST_PROMPTS

CONFIG_FILE, ATTEMPTS, LOG = "asked.yaml", "attempts.jsonl", "train.log"
GRID_FIELDS = ("lang", "seed", "output_dir", "resume")  # what the grid sets, so that nobody else may
UNIMPORTANT = ("output_dir", "resume", "logging_steps", "save_steps", "report_to")  # a change of these leaves a result what it is
State = RunState | Literal["changed"]


@dataclass(frozen=True)
class Arm:
    """One way to train: settings that override the common ones; ``rewards.meter`` sets one entry of a table, ``rewards`` the whole."""

    name: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training."""

    arm: str
    lang: str
    seed: int
    config: TrainConfig

    @property
    def folder(self) -> Path:
        return Path(str(self.config.output_dir))

    @property
    def name(self) -> str:
        return f"{self.arm}/{self.lang}-s{self.seed}"


def plan(config: GridConfig, arms: Sequence[Arm]) -> list[Cell]:
    """All cells, seed by seed, so that a grid stopped early holds whole comparisons.

    Raises:
        RlpoetError, UnknownName: an arm, a language or a setting is not valid.
    """
    names = [arm.name for arm in arms]
    for name in names:
        if not re.fullmatch(r"\w[\w.+-]*", name):
            raise RlpoetError(f"arm {name!r}: no name for a folder; expected letters, digits, '.', '+' and '-'.")
        if names.count(name) > 1:
            raise RlpoetError(f"arm {name!r}: given twice; expected different names.")
    for what, many in (("--langs", config.langs), ("--seeds", config.seeds)):
        if not many or len(set(many)) < len(many):
            raise RlpoetError(f"{what}: {' '.join(map(str, many)) or 'none'}; expected one or more, each once.")
    for lang in config.by_lang:
        if lang not in config.langs:
            raise UnknownName("--by_lang", lang, config.langs)
    for name in GRID_FIELDS:
        if getattr(config.common, name) != getattr(TrainConfig(), name):
            raise RlpoetError(
                f"--common.{name}: {getattr(config.common, name)!r}; expected it left out, the grid sets it (--langs, --seeds, ...)."
            )
    recipes = {(arm.name, lang): _recipe(config, arm, lang) for lang in config.langs for arm in arms}
    return [_cell(config, arm, lang, seed, recipes[arm.name, lang]) for seed in config.seeds for lang in config.langs for arm in arms]


def state_of(cell: Cell) -> State:
    """The state of a cell.

    ``changed`` means that its folder has another configuration; the others are those of ``rlpoet.checkpoints.folder.run_state``.

    Raises:
        RlpoetError: the folder holds something else.
    """
    folder = cell.folder
    if not folder.exists() or all(is_part(path) for path in folder.iterdir()):  # of a grid that was killed as it wrote there first
        return "new"
    if not (folder / CONFIG_FILE).exists():
        raise RlpoetError(
            f"{folder}: holds files but no {CONFIG_FILE}; expected a run of this grid or nothing. Choose another --output_dir."
        )
    if changes(cell):
        return "changed"
    return run_state(folder)


def changes(cell: Cell) -> dict[str, tuple[Any, Any]]:
    """Settings that differ from those in the folder: name -> (then, now). A setting that is missing there had its default."""
    asked = current(TrainConfig, read_settings(cell.folder / CONFIG_FILE))
    then = flat(nested(asked), TrainConfig)
    now, default = _settings(cell.config), _settings(TrainConfig())
    pairs = {key: (then.get(key, default[key]), now[key]) for key in now if key not in UNIMPORTANT}
    return {key: (old, new) for key, (old, new) in pairs.items() if old != new}


def write_config(cell: Cell) -> Path:
    """``asked.yaml`` of a cell: a file for ``rlpoet train --config``."""
    cell.folder.mkdir(parents=True, exist_ok=True)
    path = cell.folder / CONFIG_FILE
    write_atomically(path, yaml.safe_dump(nested(_settings(cell.config)), allow_unicode=True, sort_keys=False))
    return path


def apply(settings: Mapping[str, Any], base: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A configuration with some settings replaced.

    >>> apply({"rewards.meter": 0, "beta": 3}, {"beta": 22, "rewards": {"rhyme": 2, "meter": 1}}, "arm x")
    {'beta': 3, 'rewards': {'rhyme': 2, 'meter': 0}}

    Raises:
        UnknownName: no such setting.
        RlpoetError: the grid sets this setting itself.
    """
    out = dict(base)
    for key, value in flat(settings, TrainConfig).items():
        name = next((known for known in base if key == known or key.startswith(f"{known}.")), None)
        if name is None:
            raise UnknownName(f"{where}: setting", key, base)
        if name in GRID_FIELDS:
            raise RlpoetError(f"{where}: sets {name!r}; expected it left out, the grid sets it (--langs, --seeds, ...).")
        if inner := key[len(name) + 1 :]:
            if not isinstance(out[name], Mapping):
                raise RlpoetError(f"{where}: {key!r}, but {name} is no table; expected {name!r}.")
            out[name] = {**out[name], **_nested(inner.split("."), value, out[name])}
        else:
            out[name] = value
    given = flat(settings, TrainConfig)
    left = left_to_preset(TrainConfig, given)
    return {name: value for name, value in (out | _varied_preset(out, given)).items() if name not in left}


def _varied_preset(out: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What stands in place of a preset of the common options that an arm varies: no preset, and everything else as the preset has it."""
    preset = None if "tb.preset" in given else out.get("tb.preset")
    varies = any(given.get(f"tb.{name}", value) != value for name, value in PRESETS.get(str(preset), {}).items())
    if varies or (preset == "textbook" and given.get("aux_rhyme_weight")):
        return {"tb.preset": None, "aux_rhyme_weight": out["aux_rhyme_weight"] or 0.0}
    return {}


def _nested(keys: Sequence[str], value: Any, table: Mapping[str, Any]) -> dict[str, Any]:
    first, *rest = keys
    if not rest:
        return {first: value}
    below = table.get(first) or {}
    return {first: {**below, **_nested(rest, value, below)}}


def _cell(config: GridConfig, arm: Arm, lang: str, seed: int, recipe: TrainConfig) -> Cell:
    folder = Path(config.output_dir) / arm.name / f"{code_of(lang)}-s{seed}"
    return Cell(arm.name, code_of(lang), seed, dataclasses.replace(recipe, seed=seed, output_dir=str(folder)))


def _recipe(config: GridConfig, arm: Arm, lang: str) -> TrainConfig:
    """The configuration of an arm in a language, without the seed."""
    base = _settings(config.common)
    base |= {key: value for key in ("minutes", "max_steps") if (value := getattr(config, key)) is not None}
    base["threads"] = base["threads"] or 1  # runs stand side by side
    base["processes"] = base["processes"] or 1
    base["prompts_per_step"] = base["prompts_per_step"] or MOST_PROMPTS  # the same in all arms, however fast each is
    settings = apply(config.by_lang.get(lang, {}), base, f"--by_lang.{lang}")
    settings = apply(arm.settings, settings, f"arm {arm.name!r}")
    others = set(TABLES.values()) - {TABLES.get(str(settings["algo"]))}  # common may hold options of several arms' trainers
    settings = {name: value for name, value in settings.items() if name.partition(".")[0] not in others}
    return _checked({**settings, "lang": lang}, f"arm {arm.name!r}")


def _checked(settings: Mapping[str, Any], where: str) -> TrainConfig:
    """The configuration as ``rlpoet train`` will read it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / CONFIG_FILE
        path.write_text(yaml.safe_dump(nested(plain(settings)), allow_unicode=True), encoding="utf-8")
        try:
            return read(TrainConfig, path)
        except RlpoetError as error:
            raise RlpoetError(f"{where}: {error}") from None


def _settings(config: TrainConfig) -> dict[str, Any]:
    """Every setting by its dotted name, in types that YAML has."""
    return flat(plain(dataclasses.asdict(config)), TrainConfig)
