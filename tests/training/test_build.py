"""What a run is made of: numbers that are chosen for it, and what cannot be meant."""

from __future__ import annotations

import pytest

from rlpoet.config.command import Command
from rlpoet.config.parser import parse
from rlpoet.config.ranges import made
from rlpoet.errors import RlpoetError
from rlpoet.sweeps.config import CompareConfig
from rlpoet.sweeps.grid import Arm, plan
from rlpoet.training.build import check, resolve
from rlpoet.training.config import TrainConfig


def processes(**settings) -> int | None:
    return resolve(made(TrainConfig, settings), spawn=True).processes


def test_how_many_processes_pay():
    assert processes(threads=4) == 4 and processes(threads=1) == 1
    assert processes(threads=4, prompts_per_step=12) == 2
    for alone in ({"max_steps": 3}, {"algo": "grpo"}, {"algo": "best-of-n"}):
        assert processes(threads=4, **alone) == 1
    for shared in ({"algo": "ppo"}, {"algo": "rft"}, {"tb.replay": 0.5}, {"tb.objective": "fl"}, {"tb.explore": ("rhyme",)}):
        assert processes(threads=4, **shared) == 4
    assert processes(threads=4, algo="grpo", processes=3) == 3  # asked for: refused below, not mended
    assert resolve(TrainConfig(threads=4), spawn=False).processes == 1  # another's script may not bear to be imported again


@pytest.mark.parametrize("wrong", [{"algo": "grpo"}, {"algo": "rloo"}, {"algo": "best-of-n"}, {"prompts_per_step": 1}])
def test_what_cannot_be_shared_is_refused(wrong):
    with pytest.raises(RlpoetError, match=r"--processes 2: .*expected"):
        check(made(TrainConfig, {"processes": 2, **wrong}))


def test_a_trainer_has_a_rate_and_a_task_of_its_own_unless_others_are_asked_for():
    def of(**settings):
        config = resolve(TrainConfig(**settings), spawn=False)
        return config.learning_rate, config.aux_rhyme_weight

    assert of() == (6e-4, 2.0) and of(algo="ppo") == (3e-4, 0.0) and of(algo="rloo") == (6e-4, 0.0)
    assert of(algo="ppo", learning_rate=1e-3) == (1e-3, 0.0) and of(aux_rhyme_weight=0.0) == (6e-4, 0.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algo": "ppo", "tb": {"plan_token_weight": 0.5}}, r"--tb\.plan_token_weight 0\.5: an option of tb; .* beside --algo ppo"),
        ({"algo": "tb", "trl": {"scale_rewards": "group"}}, r"--trl\.scale_rewards group: an option of grpo or rloo; .* beside --algo tb"),
        ({"algo": "best-of-n", "aux_rhyme_weight": 1.0}, "--aux_rhyme_weight 1.0: this trainer changes no weights"),
        ({"algo": "ppo", "trainer_options": {"x": 1}}, r"--ppo\.OPTION"),
        ({"algo": "pp0"}, "did you mean 'ppo'"),
        ({"algo": "ppo", "tb": {"decay": -2}}, "decay: -2; expected more than 0"),
        ({"lam": 0.5}, "unknown 'lam'"),
        ({"minutes": 0, "max_steps": 0}, "no budget"),
        ({"curriculum": {"meter": [[0.0, 1.0]]}, "tb": {"replay": 0.5}}, "scores are of other weights"),
    ],
)
def test_an_impossible_value_and_an_option_of_another_trainer_are_refused_whichever_runs(settings, message):
    with pytest.raises(RlpoetError, match=message):
        check(made(TrainConfig, settings))
    check(TrainConfig(algo=settings.get("algo", "tb").replace("0", "o")))


# -- presets ----------------------------------------------------------------------------------------------

TRAIN = Command("train", "", TrainConfig, lambda config: 0)


def test_a_preset_is_a_word_on_the_command_line_and_in_a_file_and_leaves_the_auxiliary_task_out(tmp_path):
    config = resolve(parse(TRAIN, ["--tb.preset", "textbook"]), spawn=False)
    assert (config.tb.credit, config.tb.localize_meter_errors, config.aux_rhyme_weight) == ("poem", False, 0.0)
    path = tmp_path / "run.yaml"
    path.write_text("tb: {preset: segment, replay: 0.5}\naux_rhyme_weight: 1.0\n", encoding="utf-8")
    config = resolve(parse(TRAIN, ["--config", str(path)]), spawn=False)
    assert (config.tb.credit, config.tb.cross_segment_credit, config.tb.replay, config.aux_rhyme_weight) == ("word", 1.0, 0.5, 1.0)
    check(config)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            "--tb.preset textbook --tb.credit word",
            "--tb.credit word: beside --tb.preset textbook, which sets poem",
        ),  # the default, but given
        ("--tb.preset segment --tb.cross_segment_credit 0.5", "--tb.cross_segment_credit 0.5: beside --tb.preset segment, which sets 1.0"),
        ("--tb.preset segment --tb.localize_meter_errors", "--tb.localize_meter_errors True: beside"),
        ("--tb.preset textbook --aux_rhyme_weight 2", "--aux_rhyme_weight 2.0: beside --tb.preset textbook"),
        ("--tb.preset text", "--tb.preset: 'text'.*expected one of 'textbook', 'segment'"),
        ("--algo ppo --tb.preset textbook", "--tb.preset textbook: an option of tb"),
    ],
)
def test_what_contradicts_a_preset_is_refused(flags, message):
    with pytest.raises(RlpoetError, match=message):
        check(parse(TRAIN, flags.split()))


def test_what_agrees_with_a_preset_may_be_given_beside_it():
    assert parse(TRAIN, ["--tb.preset", "textbook", "--tb.credit", "poem"]) == parse(TRAIN, ["--tb.preset", "textbook"])


def test_an_arm_of_a_sweep_may_set_a_preset_over_common_options(tmp_path):
    common = TrainConfig(tb=made(TrainConfig, {"tb.cross_segment_credit": 0.5}).tb)
    config = CompareConfig(common=common, langs=("fr",), seeds=(0,), output_dir=str(tmp_path))
    cell, _ = plan(config, [Arm("textbook", {"tb.preset": "textbook"}), Arm("usual", {})])
    assert (cell.config.tb.credit, cell.config.tb.cross_segment_credit) == ("poem", 1.0)
    with pytest.raises(RlpoetError, match=r"arm 'both'.*--tb.credit line: beside --tb.preset textbook"):
        plan(config, [Arm("both", {"tb.preset": "textbook", "tb.credit": "line"})])


def test_an_arm_of_a_sweep_may_vary_one_option_of_a_common_preset(tmp_path):
    config = CompareConfig(common=made(TrainConfig, {"tb.preset": "segment"}), langs=("fr",), seeds=(0,), output_dir=str(tmp_path))
    usual, narrow = plan(config, [Arm("usual", {}), Arm("narrow", {"tb.cross_segment_credit": 0.2})])
    assert (usual.config.tb.preset, resolve(usual.config, spawn=False).aux_rhyme_weight) == ("segment", 0.0)
    assert (narrow.config.tb.preset, narrow.config.aux_rhyme_weight) == (None, 0.0)
    assert (narrow.config.tb.cross_segment_credit, narrow.config.tb.plan_token_weight) == (0.2, 1.0)
