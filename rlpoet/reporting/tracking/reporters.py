"""Where a run is watched: TensorBoard, trackio, Weights & Biases, MLflow. One protocol; what is not installed is not imported.

The files of ``rlpoet.reporting.tracking`` are written whatever is chosen here. Each library keeps its own settings: where its server
is, offline or not, comes from its environment variables (``WANDB_MODE``, ``MLFLOW_TRACKING_URI``, ``TRACKIO_SPACE_ID``).
"""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from rlpoet.errors import RlpoetError, UnknownName

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ReportTo = Literal["tensorboard", "trackio", "wandb", "mlflow", "none"]
REPORTERS: Sequence[str] = get_args(ReportTo)
PROJECT = "rlpoet"  # the project or experiment that runs are listed under
PACKAGES = {"trackio": "trackio", "wandb": "wandb", "mlflow": "mlflow"}  # what to install

# TensorBoard's CUSTOM SCALARS tab, from the top: what tells first whether a run goes well.
LAYOUT = {
    "1 Does it learn?": {
        "reward": ["Multiline", ["reward/mean"]],
        "pairs that rhyme": ["Multiline", ["samples/rhyme_pairs"]],
        "lines in meter": ["Multiline", ["samples/lines_in_meter"]],
        "distance to the target": ["Multiline", ["gfn/var_residual", "objective/kl"]],
    },
    "2 Does it stay a poet?": {
        "variety": ["Multiline", ["samples/distinct_end_words", "samples/duplicate_lines"]],
        "prior, nats per token": ["Multiline", ["objective/prior_nll_per_token"]],
        "entropy, nats per token": ["Multiline", ["objective/entropy_per_token"]],
        "texts that end": ["Multiline", ["samples/ended"]],
    },
    "3 By reward": {"each reward": ["Multiline", ["rewards/.*/mean"]], "its weight": ["Multiline", ["rewards/.*/weight"]]},
}

Values = Mapping[str, Any]


class Reporter(Protocol):
    """A place where a run is watched. ``flat`` configurations have one level of plain values."""

    has_pictures: bool

    def config(self, values: Values, flat: Values) -> None: ...
    def scalars(self, step: int, values: Mapping[str, float]) -> None: ...
    def text(self, step: int, name: str, markdown: str) -> None: ...
    def figure(self, step: int, name: str, figure: Figure) -> None: ...
    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None: ...
    def close(self) -> None: ...


def check(report_to: str) -> None:
    """Refuse a reporter that cannot report, before anything is written.

    Raises:
        UnknownName: no such reporter.
        RlpoetError: its package is not installed.
    """
    if report_to not in REPORTERS:
        raise UnknownName("report_to", report_to, REPORTERS)
    if report_to in PACKAGES:
        _library(report_to)


def reporter(report_to: str, folder: Path, *, resume_step: int | None = None) -> Reporter:
    """The reporter of that name for the run in a folder; see ``check`` for its errors.

    Args:
        resume_step: of a run that goes on; None for a new one.
    """
    check(report_to)
    if report_to == "none":
        return Nowhere()
    if report_to == "tensorboard":
        return TensorBoard(folder, resume_step)
    kinds: dict[str, Any] = {"trackio": Trackio, "wandb": WandB, "mlflow": MLflow}
    found: Reporter = kinds[report_to](_library(report_to), folder, resume_step is not None)
    return found


class Nowhere:
    """Reports to nobody."""

    has_pictures = False

    def config(self, values: Values, flat: Values) -> None:
        pass

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        pass

    def text(self, step: int, name: str, markdown: str) -> None:
        pass

    def figure(self, step: int, name: str, figure: Figure) -> None:
        pass

    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None:
        pass

    def close(self) -> None:
        pass


class TensorBoard:
    """Event files in the run's own folder, with the layout of ``LAYOUT`` on the tab CUSTOM SCALARS."""

    has_pictures = True

    def __init__(self, folder: Path, resume_step: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # purge_step tells TensorBoard to drop what the interrupted run logged after the checkpoint
        self._board: Any = SummaryWriter(str(folder), purge_step=None if resume_step is None else resume_step + 1)
        if resume_step is None:
            self._board.add_custom_scalars(LAYOUT)

    def config(self, values: Values, flat: Values) -> None:
        self._session(flat)
        table = "\n".join(["| key | value |", "| --- | --- |", *(f"| {k} | `{json.dumps(v)}` |" for k, v in values.items())])
        self._board.add_text("config", table, 0)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        for key, value in values.items():
            self._board.add_scalar(key, value, step)

    def text(self, step: int, name: str, markdown: str) -> None:
        self._board.add_text(name, markdown, step)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        self._board.add_figure(name, figure, step, close=True)

    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None:
        """Scalars ``final/NAME``, and the run's row in the HPARAMS tab."""
        self.scalars(step, {f"final/{name}": value for name, value in figures.items()})
        self._session(flat, done=True)

    def close(self) -> None:
        self._board.close()

    def _session(self, flat: Values, *, done: bool = False) -> None:
        """Say what this run's settings are, and that it is done.

        No list of columns is written: TensorBoard takes the first list it finds for all runs, and would hide what other runs add.
        """
        from torch.utils.tensorboard.summary import hparams

        # not add_hparams: it opens a second writer, and the run shows up twice
        _, start, end = hparams(dict(flat), {})
        for summary in (start, end) if done else (start,):
            self._board.file_writer.add_summary(summary)


class Trackio:
    """A run of trackio's project ``rlpoet``, with the folder's name; ``trackio show`` opens the dashboard."""

    has_pictures = True

    def __init__(self, library: Any, folder: Path, resumed: bool) -> None:
        self._library, self._folder, self._resumed = library, folder, resumed
        self._run: Any = None

    def config(self, values: Values, flat: Values) -> None:
        self._begin(flat)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._begin().log(dict(values), step=step)

    def text(self, step: int, name: str, markdown: str) -> None:
        self._begin().log({name: self._library.Markdown(markdown)}, step=step)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        self._begin().log({name: self._library.Image(_drawn(figure))}, step=step)

    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None:
        self.scalars(step, {f"final/{name}": value for name, value in figures.items()})

    def close(self) -> None:
        if self._run is not None:
            self._library.finish()

    def _begin(self, flat: Values | None = None) -> Any:
        if self._run is None:
            resume = "allow" if self._resumed else "never"
            self._run = self._library.init(
                project=PROJECT, name=self._folder.name, config=dict(flat or {}), resume=resume, embed=False, auto_log_gpu=False
            )
        return self._run


class WandB:
    """A run of Weights & Biases' project ``rlpoet``, with the folder's name. Its files lie in the run's folder."""

    has_pictures = True

    def __init__(self, library: Any, folder: Path, resumed: bool) -> None:
        self._library = library
        mark = folder / "wandb_run_id.txt"  # by which a run that goes on is the same run there
        known = mark.read_text(encoding="utf-8").strip() if resumed and mark.exists() else None
        self._run = library.init(project=PROJECT, name=folder.name, dir=str(folder), id=known, resume="allow" if known else None)
        mark.write_text(self._run.id, encoding="utf-8")

    def config(self, values: Values, flat: Values) -> None:
        self._run.config.update(dict(values), allow_val_change=True)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def text(self, step: int, name: str, markdown: str) -> None:
        self._run.log({name: self._library.Table(columns=["step", "markdown"], data=[[step, markdown]])}, step=step)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        self._run.log({name: self._library.Image(_drawn(figure))}, step=step)

    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None:
        self._run.summary.update({f"final/{name}": value for name, value in figures.items()})

    def close(self) -> None:
        self._run.finish()


class MLflow:
    """A run of MLflow's experiment ``rlpoet``, with the folder's name."""

    has_pictures = True

    def __init__(self, library: Any, folder: Path, resumed: bool) -> None:
        self._library = library
        mark = folder / "mlflow_run_id.txt"  # by which a run that goes on is the same run there
        library.set_experiment(PROJECT)
        if resumed and mark.exists():
            self._run = library.start_run(run_id=mark.read_text(encoding="utf-8").strip())
        else:
            self._run = library.start_run(run_name=folder.name)
        mark.write_text(self._run.info.run_id, encoding="utf-8")

    def config(self, values: Values, flat: Values) -> None:
        self._library.log_params({name: str(value)[:500] for name, value in flat.items()})  # the longest that every store takes

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._library.log_metrics(dict(values), step=step)

    def text(self, step: int, name: str, markdown: str) -> None:
        self._library.log_text(markdown, f"{name}/{step:06d}.md")

    def figure(self, step: int, name: str, figure: Figure) -> None:
        self._library.log_figure(figure, f"{name}/{step:06d}.png")
        figure.clear()

    def finish(self, step: int, flat: Values, figures: Mapping[str, float]) -> None:
        self._library.log_metrics({f"final/{name}": value for name, value in figures.items()}, step=step)

    def close(self) -> None:
        self._library.end_run()


def _library(name: str) -> Any:
    """A reporter's library.

    Raises:
        RlpoetError: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != name:
            raise
        package = PACKAGES[name]
        raise RlpoetError(f"--report_to {name}: {package} is not installed; expected it. Run `pip install {package}`.") from None


def _drawn(figure: Figure) -> Any:
    """The figure as an image; the figure is cleared."""
    from PIL import Image

    stream = io.BytesIO()
    figure.savefig(stream, format="png")
    figure.clear()
    stream.seek(0)
    return Image.open(stream)
