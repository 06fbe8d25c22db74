"""Runs of an earlier release, whose files use the names of then."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlpoet.errors import RlpoetError
from rlpoet.sweeps.grid import CONFIG_FILE, Cell, changes
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.ppo.options import PPOOptions
from rlpoet.training.run import CHECKPOINT, resumed, train

OLD = "drill: 5.0\ndrill_by: prior\npinpoint: false\nend_words: 0.7\nlam: 0.9\nthreads: 0\nreward_options: {meter: {strained: 0.25}}\n"
NEW = {
    "aux_rhyme_weight": 5.0,
    "aux_sampler": "reference",
    "tb": TBOptions(localize_meter_errors=False, rhyme_word_weight=0.7),
    "reward_options": {"meter": {"licence_credit": 0.25}},
}


def test_an_earlier_run_goes_on_with_its_own_settings(tmp_path: Path, capsys):
    (tmp_path / "config.yaml").write_text(OLD, encoding="utf-8")
    (tmp_path / CHECKPOINT).touch()
    (tmp_path / "before.json").write_text(json.dumps({}), encoding="utf-8")
    config = resumed(TrainConfig(resume=str(tmp_path)))
    assert {name: getattr(config, name) for name in NEW} == NEW
    assert config.ppo == PPOOptions() and config.threads is None  # what another trainer was told does not matter
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "drill is aux_rhyme_weight now" in told and "drill_by prior is aux_sampler reference now" in told


def test_a_cell_of_an_earlier_grid_is_unchanged(tmp_path: Path):
    cell = Cell("a", "fr", 0, TrainConfig(output_dir=str(tmp_path), **NEW))
    (tmp_path / CONFIG_FILE).write_text(OLD.replace("lam: 0.9\n", ""), encoding="utf-8")
    assert changes(cell) == {}


def test_python_warns_of_an_earlier_name():
    with pytest.warns(FutureWarning, match="drill is aux_rhyme_weight now"), pytest.raises(RlpoetError, match="xx"):
        train(drill=1.0, lang="xx")


def test_credit_was_an_option_of_two_trainers(tmp_path: Path):
    for algo, table in (("ppo", "ppo"), ("tb", "tb"), ("grpo", "tb")):
        (tmp_path / "config.yaml").write_text(f"algo: {algo}\ncredit: poem\n", encoding="utf-8")
        (tmp_path / CHECKPOINT).touch()
        (tmp_path / "before.json").write_text("{}", encoding="utf-8")
        config = resumed(TrainConfig(resume=str(tmp_path)))
        assert getattr(config, table).credit == ("poem" if algo == table else "word")
