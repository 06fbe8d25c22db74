"""A run is watched where its user likes, with the same figures everywhere; a missing package is one line, before anything is written."""

from __future__ import annotations

import json
import sys

import pytest
from matplotlib.figure import Figure

from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.reporting.tracking import Tracker
from rlpoet.reporting.tracking.reporters import LAYOUT, PACKAGES, REPORTERS, check

CONFIG = {"beta": 22.0, "rewards": {"rhyme": 2.0}, "forms": ("couplet", "sonnet"), "policy": None}


def a_run(folder, report_to, **options):
    with Tracker(folder, report_to=report_to, **options) as tracker:
        tracker.config(CONFIG)
        tracker.scalars(1, {"reward/mean": 0.25, "missing": None})
        tracker.scalars(2, {"reward/mean": 0.5})
        tracker.samples(2, [{"text": "ombre"}], markdown="**ombre**")
        if tracker.has_pictures:
            tracker.figure(2, "poems", Figure())
        tracker.hparams(CONFIG, {"rhyme_pairs": 0.75, "copied": None})


@pytest.mark.parametrize("report_to", ["none", "tensorboard"])
def test_the_files_are_the_same_wherever_a_run_is_watched(tmp_path, report_to):
    a_run(tmp_path / "run", report_to)
    rows = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"step": 1, "reward/mean": 0.25}, {"step": 2, "reward/mean": 0.5}]
    assert bool(list((tmp_path / "run").glob("events.out.tfevents.*"))) is (report_to == "tensorboard")


@pytest.mark.parametrize("report_to", PACKAGES)
def test_a_package_that_is_missing_is_one_line_and_nothing_is_written(tmp_path, monkeypatch, report_to):
    monkeypatch.setitem(sys.modules, report_to, None)
    with pytest.raises(
        RlpoetError, match=rf"--report_to {report_to}: {PACKAGES[report_to]} is not installed.*pip install {PACKAGES[report_to]}"
    ):
        Tracker(tmp_path / "run", report_to=report_to)
    assert not (tmp_path / "run").exists()


def test_what_a_package_itself_misses_is_not_hidden(monkeypatch, tmp_path):
    (tmp_path / "trackio.py").write_text("import a_module_nobody_has\n")
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="a_module_nobody_has"):
        check("trackio")


def test_an_unknown_place_names_those_there_are():
    with pytest.raises(UnknownName, match="wandbb"):
        check("wandbb")
    assert set(PACKAGES) | {"tensorboard", "none"} == set(REPORTERS)


def test_tensorboard_shows_first_what_matters_first(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.custom_scalar import layout_pb2, metadata

    a_run(tmp_path, "tensorboard")
    board = EventAccumulator(str(tmp_path)).Reload()
    (event,) = board.Tensors(metadata.CONFIG_SUMMARY_TAG)
    layout = layout_pb2.Layout.FromString(event.tensor_proto.string_val[0])
    first = layout.category[0]
    assert [chart.title for chart in first.chart] == ["reward", "pairs that rhyme", "lines in meter", "distance to the target"]
    assert [category.title for category in layout.category] == list(LAYOUT)
    assert list(first.chart[0].multiline.tag) == ["reward/mean"]


def test_every_tag_of_the_layout_is_documented():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    tags = [tag for charts in LAYOUT.values() for _, found in charts.values() for tag in found]
    assert tags and not [tag for tag in tags if f"`{tag.replace('.*', 'NAME')}`" not in page]


def test_mlflow_has_the_run(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    a_run(tmp_path / "run", "mlflow")
    (found,) = mlflow.search_runs(experiment_names=["rlpoet"], output_format="list")
    assert found.info.run_name == "run" and found.info.status == "FINISHED"
    assert found.data.params["rewards.rhyme"] == "2.0" and found.data.params["forms"] == "couplet, sonnet"
    assert found.data.metrics == {"reward/mean": 0.5, "final/rhyme_pairs": 0.75}
    with Tracker(tmp_path / "run", report_to="mlflow", resume_step=2) as tracker:
        tracker.scalars(3, {"reward/mean": 0.75})
    (again,) = mlflow.search_runs(experiment_names=["rlpoet"], output_format="list")
    assert again.info.run_id == found.info.run_id and again.data.metrics["reward/mean"] == 0.75


def test_trackio_has_the_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("trackio", reason="trackio is not installed")
    a_run(tmp_path / "run", "trackio")
    import trackio
    from trackio.sqlite_storage import SQLiteStorage

    (run,) = [run for run in trackio.Api().runs("rlpoet") if run.name == "run"]
    assert run.config["beta"] == 22.0 and run.config["rewards.rhyme"] == 2.0
    rows = SQLiteStorage.get_logs("rlpoet", "run")
    assert [(row["step"], row["reward/mean"]) for row in rows if "reward/mean" in row] == [(1, 0.25), (2, 0.5)]
    assert [row["final/rhyme_pairs"] for row in rows if "final/rhyme_pairs" in row] == [0.75]


def test_wandb_has_the_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    a_run(tmp_path / "run", "wandb")
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*")) and (tmp_path / "run" / "wandb_run_id.txt").read_text()
