"""The log of a run: files anyone can read, and a place to watch it (``rlpoet.reporting.tracking.reporters``).

``runs/NAME/`` holds ``config.yaml`` (resolved), ``metrics.jsonl`` and ``samples.jsonl`` (one object a line, each with its ``step``),
``alarms.jsonl`` where something looked wrong, ``result.json``, and TensorBoard's event files if it reports there. A number that was not
measured is absent; it is never 0 and never NaN.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TextIO

import yaml

from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking.reporters import Reporter, check, reporter
from rlpoet.text import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENDINGS = ("after", "interrupted")  # phases of the poems that a run shows where it ends, or was stopped


class Tracker:
    """Writes a run's folder. One writer a folder; use it as a context manager.

    Args:
        folder: made if missing.
        report_to: one of ``rlpoet.reporting.tracking.reporters.REPORTERS``; the JSON Lines files are written whatever it is.
        resume_step: None starts afresh, and refuses a folder that already holds metrics. A number goes on after that
            step: rows of later steps, which the resumed run measures again, are dropped, and so are the poems that it ended with.

    Raises:
        RlpoetError: the folder is a file, already holds a run, or its logs are broken before the resumed step.
        UnknownName: no such reporter.
        RlpoetError: the reporter's package is not installed.
    """

    def __init__(self, folder: str | Path, *, report_to: str = "tensorboard", resume_step: int | None = None) -> None:
        check(report_to)
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            fix = "Choose another --output_dir."
            raise RlpoetError(f"{self.folder}: {error.strerror}; expected a folder that can be made. {fix}") from None
        metrics, samples, alarms = (self.folder / f"{name}.jsonl" for name in ("metrics", "samples", "alarms"))
        if resume_step is None and metrics.exists():
            raise RlpoetError(f"{self.folder}: holds a run already; expected a new folder. Go on with --resume, or choose another name.")
        if resume_step is not None:
            for path in (metrics, samples, alarms):
                _truncate(path, resume_step)
        self._files: dict[str, TextIO] = {p.stem: p.open("a", encoding="utf-8", newline="\n") for p in (metrics, samples)}
        self._step = resume_step or 0
        self._reporter: Reporter | None = None
        try:
            self._reporter = reporter(report_to, self.folder, resume_step=resume_step)
        except BaseException:
            self.close()
            raise

    @property
    def has_pictures(self) -> bool:
        """Whether anybody will see a figure: drawing one takes a while."""
        return self._reporter is not None and self._reporter.has_pictures

    def config(self, config: Any) -> None:
        """Write the resolved configuration: ``config.yaml`` for ``--config``, and the run's settings where it is watched.

        Args:
            config: a dataclass or a mapping.
        """
        write_config(self.folder, config)
        values = plain(config)
        if self._reporter is not None:
            self._reporter.config(values, flat(values))

    def hparams(self, config: Any, figures: Mapping[str, float | None]) -> None:
        """What a run came to, beside its settings: in TensorBoard its row in the HPARAMS tab, elsewhere figures ``final/NAME``.

        Settings of settings are columns of their own (``rewards.rhyme``).

        Args:
            config: a dataclass or a mapping, the one given to ``config``; TensorBoard keeps what it saw first.
            figures: of the finished run, by name; None means not measured.

        Raises:
            RlpoetError: a figure that is no finite number.
        """
        known = {key: _number(f"final/{key}", value, self._step) for key, value in figures.items() if value is not None}
        if self._reporter is not None:
            self._reporter.finish(self._step, flat(plain(config)), known)

    def scalars(self, step: int, values: Mapping[str, float | None]) -> None:
        """One row of metrics. None means not measured: the key is left out.

        Raises:
            RlpoetError: a number that is not finite; the message names its key.
        """
        row = {"step": step, **{key: _number(key, value, step) for key, value in values.items() if value is not None}}
        self._step = step
        self._append("metrics", row)
        if self._reporter is not None:
            self._reporter.scalars(step, {key: value for key, value in row.items() if key != "step"})

    def samples(self, step: int, rows: Sequence[Mapping[str, Any]], *, markdown: str = "") -> None:
        """Poems of this step, one row each: ``{"phase", "prompt", "text", "scores"}``; ``markdown`` is what is shown of them."""
        for row in rows:
            self._append("samples", {"step": step, **plain(row)})
        if markdown:
            self.text(step, "samples", markdown)

    def alarm(self, step: int, row: Mapping[str, Any], *, markdown: str = "") -> None:
        """Something looked wrong: a row of ``alarms.jsonl``, a file that healthy runs do not have; ``markdown`` is what is shown."""
        if "alarms" not in self._files:
            self._files["alarms"] = (self.folder / "alarms.jsonl").open("a", encoding="utf-8", newline="\n")
        self._append("alarms", {"step": step, **plain(row)})
        if markdown:
            self.text(step, "alarms", markdown)

    def text(self, step: int, name: str, markdown: str) -> None:
        """Markdown, where the run is watched; TensorBoard strips colours."""
        if self._reporter is not None:
            self._reporter.text(step, name, markdown)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        """A matplotlib figure; the figure is closed."""
        if self._reporter is not None:
            self._reporter.figure(step, name, figure)

    def result(self, values: Mapping[str, Any]) -> Path:
        """Write ``result.json``, whole or not at all, and return its path."""
        path = self.folder / "result.json"
        write_atomically(path, json.dumps(_finite(plain(values)), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
        return path

    def close(self) -> None:
        """Flush and close everything; again is harmless."""
        for stream in self._files.values():
            stream.close()
        if self._reporter is not None:
            closing, self._reporter = self._reporter, None
            closing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _append(self, name: str, row: Mapping[str, Any]) -> None:
        stream = self._files[name]
        try:
            stream.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
            stream.flush()  # a killed run keeps what it measured
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder / f"{name}.jsonl")) from error


def write_config(folder: Path, config: Any) -> None:
    """``config.yaml`` of a run, which ``--config`` and ``--resume`` read.

    Args:
        config: a dataclass or a mapping.
    """
    write_atomically(folder / "config.yaml", yaml.safe_dump(plain(config), allow_unicode=True, sort_keys=False))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Rows of a log; a missing file has none.

    A run that was killed may leave half a row at the end. It is left out.

    Raises:
        RlpoetError: a broken row that is not the last one.
    """
    if not path.exists():
        return []
    rows = path.read_text(encoding="utf-8", errors="replace").removesuffix("\n").split("\n")  # a poem may hold U+2028: no splitlines
    found = []
    for number, row in enumerate(rows, start=1):
        try:
            item = json.loads(row)
            if not isinstance(item, dict):
                raise ValueError(row)
        except (ValueError, RecursionError):
            if number == len(rows):
                break
            raise RlpoetError(f"{path}:{number}: {row[:40]!r} is not a JSON object; expected one a line.") from None
        found.append(item)
    return found


def plain(value: Any) -> Any:
    """The same value in types that JSON and YAML have: tuples and sets to lists, paths to text, dataclasses to tables."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value  # numpy and torch scalars


def flat(values: Mapping[str, Any]) -> dict[str, bool | int | float | str]:
    """A configuration as one level of plain values; what is None is left out.

    >>> flat({"beta": 22.0, "forms": ["couplet", "sonnet"], "rewards": {"rhyme": 2.0}, "policy": None})
    {'beta': 22.0, 'forms': 'couplet, sonnet', 'rewards.rhyme': 2.0}
    """
    found: dict[str, bool | int | float | str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= {f"{key}.{inner}": item for inner, item in flat(value).items()}
        elif isinstance(value, bool | int | float | str):
            found[key] = value
        elif value is not None:
            found[key] = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return found


def _truncate(path: Path, step: int) -> None:
    rows = [row for row in read_jsonl(path) if row.get("step", 0) <= step and row.get("phase") not in ENDINGS]
    if path.exists():
        write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _number(key: str, value: Any, step: int) -> float | int:
    number = value.item() if hasattr(value, "item") else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise RlpoetError(f"metric {key!r}: {value!r} at step {step}; expected a number.")
    if not math.isfinite(number):
        raise RlpoetError(f"metric {key!r}: {number} at step {step}; expected a finite number. Leave it out when it was not measured.")
    return number


def _finite(value: Any, key: str = "result") -> Any:
    if isinstance(value, dict):
        return {k: _finite(v, f"{key}.{k}") for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_finite(v, key) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise RlpoetError(f"{key}: {value}; expected a finite number. Leave it out when it was not measured.")
    return value
