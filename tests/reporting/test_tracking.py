"""The log of a run: what was measured is there, what was not is absent, and a killed run goes on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import Tracker, read_jsonl


@dataclass(frozen=True)
class Config:
    lang: str = "fr"
    learning_rate: float = 1e-4
    weights: tuple[float, ...] = (1.0, 2.0)
    output_dir: Path = Path("runs/a")


def events(folder: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return found


def test_rows_are_on_disk_before_the_run_ends(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.scalars(1, {"a": 1.5, "unmeasured": None, "tensor": torch.tensor(2.0)})
        tracker.samples(1, [{"phase": "step", "prompt": {"opening": ("é",)}, "text": "a\u2028b\nc"}])
        assert read_jsonl(tmp_path / "metrics.jsonl") == [{"step": 1, "a": 1.5, "tensor": 2.0}]
        assert read_jsonl(tmp_path / "samples.jsonl") == [{"step": 1, "phase": "step", "prompt": {"opening": ["é"]}, "text": "a\u2028b\nc"}]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), torch.tensor(float("nan")), "0.5", True])
def test_what_is_no_number_is_refused_by_name_and_nothing_is_written(tmp_path, value):
    with Tracker(tmp_path, report_to="none") as tracker:
        with pytest.raises(RlpoetError, match=r"metric 'gfn/loss': .* at step 3"):
            tracker.scalars(3, {"gfn/loss": value})
    assert (tmp_path / "metrics.jsonl").read_text(encoding="utf-8") == ""


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.scalars(1, {"a": 1.0})
    with pytest.raises(RlpoetError, match="holds a run already"):
        Tracker(tmp_path, report_to="none")


def test_resuming_drops_what_came_after_the_checkpoint_and_half_a_row(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        for step in range(1, 6):
            tracker.scalars(step, {"a": float(step)})
            tracker.samples(step, [{"text": "x"}])
    with (tmp_path / "metrics.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"step": 6, "a"')
    with Tracker(tmp_path, report_to="none", resume_step=3) as tracker:
        tracker.scalars(4, {"a": 40.0})
    assert [(row["step"], row["a"]) for row in read_jsonl(tmp_path / "metrics.jsonl")] == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 40.0)]
    assert [row["step"] for row in read_jsonl(tmp_path / "samples.jsonl")] == [1, 2, 3]


def test_a_broken_row_in_the_middle_is_reported_with_its_line(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 2}\n', encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"metrics\.jsonl:2: 'nonsense'"):
        Tracker(tmp_path, report_to="none", resume_step=2)


def test_config_reads_back_as_yaml(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.config(Config())
    assert yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8")) == {
        "lang": "fr",
        "learning_rate": 1e-4,
        "weights": [1.0, 2.0],
        "output_dir": "runs/a",
    }


def test_tensorboard_has_one_run_with_scalars_text_figure_and_hparams(tmp_path):
    from matplotlib.figure import Figure

    with Tracker(tmp_path) as tracker:
        tracker.config(Config())
        tracker.scalars(1, {"reward/rhyme": 0.25})
        tracker.samples(1, [{"text": "x"}], markdown="**ombre**")
        tracker.figure(1, "curve", Figure())
    assert len(list(tmp_path.rglob("events.out.tfevents.*"))) == 1
    board = events(tmp_path)
    assert [(event.step, event.value) for event in board.Scalars("reward/rhyme")] == [(1, 0.25)]
    assert {"config/text_summary", "samples/text_summary"} <= set(board.Tags()["tensors"])
    assert board.Tags()["images"] == ["curve"]
    assert "_hparams_/session_start_info" in board.summary_metadata


def session(folder: Path):
    from tensorboard.plugins.hparams import metadata

    found = events(folder)
    content = {tag: found.summary_metadata[tag].plugin_data.content for tag in found.summary_metadata if tag.startswith("_hparams_")}
    return metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG]).hparams, set(content), found


def test_a_finished_run_is_a_row_of_the_hparams_tab_with_its_figures(tmp_path):
    config = {"beta": 22.0, "algo": "tb", "rewards": {"rhyme": 2.0, "meter": 1.0}, "forms": ("couplet",), "policy": None, "whiten": True}
    with Tracker(tmp_path) as tracker:
        tracker.config(config)
        tracker.scalars(7, {"reward/mean": 0.5})
        tracker.hparams(config, {"rhyme_pairs": 0.875, "copied": None})
    given, tags, board = session(tmp_path)
    assert len(list(tmp_path.rglob("events.out.tfevents.*"))) == 1
    assert {key: value.number_value or value.string_value for key, value in given.items()} == {
        "beta": 22.0, "algo": "tb", "rewards.rhyme": 2.0, "rewards.meter": 1.0, "forms": "couplet", "whiten": 1.0,
    }  # fmt: skip
    assert [(event.step, event.value) for event in board.Scalars("final/rhyme_pairs")] == [(7, 0.875)]
    assert "final/copied" not in board.Tags()["scalars"]
    # a list of columns in one run would be TensorBoard's for all runs
    assert tags == {"_hparams_/session_start_info", "_hparams_/session_end_info"}


def test_runs_with_other_settings_compare_in_one_table(tmp_path):
    """What TensorBoard itself makes of a folder of runs: all columns, and which of them differ."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import backend_context

    for name, config in {
        "a": {"beta": 22.0, "rewards": {"rhyme": 2.0}},
        "b": {"beta": 22.0, "rewards": {"meter": 1.0}, "lam": 0.9},
    }.items():
        with Tracker(tmp_path / name) as tracker:
            tracker.config(config)
            tracker.scalars(1, {"reward/mean": 0.5})
            tracker.hparams(config, {"rhyme_pairs": 0.5})
    runs = plugin_event_multiplexer.EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    runs.Reload()
    context = backend_context.Context(base_plugin.TBContext(data_provider=data_provider.MultiplexerDataProvider(runs, str(tmp_path))))
    asked = RequestContext()
    table = context.experiment_from_metadata(asked, "", True, context.hparams_metadata(asked, ""), [])
    assert {info.name for info in table.hparam_infos} == {"beta", "rewards.rhyme", "rewards.meter", "lam"}
    assert {info.name.tag for info in table.metric_infos} == {"reward/mean", "final/rhyme_pairs"}


def test_a_resumed_run_ends_with_its_figures(tmp_path):
    with Tracker(tmp_path) as tracker:
        tracker.config(Config())
        tracker.scalars(3, {"a": 1.0})
    with Tracker(tmp_path, resume_step=3) as tracker:
        tracker.hparams(Config(), {"n": 4})
    given, tags, board = session(tmp_path)
    assert given["lang"].string_value == "fr" and given["weights"].string_value == "1.0, 2.0" and "_hparams_/session_end_info" in tags
    assert [(event.step, event.value) for event in board.Scalars("final/n")] == [(3, 4.0)]


def test_alarms_are_a_file_that_only_troubled_runs_have(tmp_path):
    with Tracker(tmp_path) as tracker:
        assert not (tmp_path / "alarms.jsonl").exists()
        tracker.alarm(4, {"name": "reward-dead", "seen": "x"}, markdown="**reward-dead** x")
        tracker.alarm(9, {"name": "entropy", "seen": "y"})
    assert "alarms/text_summary" in events(tmp_path).Tags()["tensors"]
    Tracker(tmp_path, report_to="none", resume_step=5).close()
    assert read_jsonl(tmp_path / "alarms.jsonl") == [{"step": 4, "name": "reward-dead", "seen": "x"}]


def test_a_resumed_board_shows_the_later_value(tmp_path):
    with Tracker(tmp_path) as tracker:
        for step in (1, 2, 3):
            tracker.scalars(step, {"a": float(step)})
    time.sleep(1.1)  # files are read in the order of their names: the second, then the number of the writer as text, 10 before 9
    with Tracker(tmp_path, resume_step=1) as tracker:
        tracker.scalars(2, {"a": 20.0})
    assert [(event.step, event.value) for event in events(tmp_path).Scalars("a")] == [(1, 1.0), (2, 20.0)]


def test_closing_twice_is_harmless(tmp_path):
    tracker = Tracker(tmp_path)
    tracker.close()
    tracker.close()


def test_a_result_is_whole_or_not_there(tmp_path):
    with Tracker(tmp_path, report_to="none") as tracker:
        tracker.result({"before": {"rhyme_pairs": 0.5, "unmeasured": None}, "seed": 1})
        assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == {"before": {"rhyme_pairs": 0.5}, "seed": 1}
        with pytest.raises(RlpoetError, match=r"result\.after\.n: nan"):
            tracker.result({"after": {"n": float("nan")}})
        assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["seed"] == 1
    assert not list(tmp_path.glob("*.part"))


def test_an_unknown_reporter_is_named_with_the_nearest(tmp_path):
    with pytest.raises(RlpoetError, match="did you mean 'tensorboard'"):
        Tracker(tmp_path, report_to="tensorbord")


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(RlpoetError, match="expected a folder that can be made"):
        Tracker(tmp_path / "file" / "run", report_to="none")
