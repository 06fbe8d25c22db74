"""Options by the names of an earlier release: read for one release more, with one line that says what they are called now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from policies.finetuning.config import FinetuneConfig
from policies.generation.config import GenerateConfig
from policies.pretraining.config import PretrainConfig
from rlpoet.cli.main import main
from rlpoet.cli.verbs.redteam import RedteamConfig
from rlpoet.config import parser
from rlpoet.config.command import Command, under
from rlpoet.config.ranges import leaves
from rlpoet.errors import RlpoetError
from rlpoet.sweeps.config import AblateConfig, CompareConfig
from rlpoet.training.config import TrainConfig
from rlpoet.training.gflownet.options import TBOptions
from rlpoet.training.monitoring.config import PreflightConfig
from rlpoet.training.ppo.options import PPOOptions

OLD = {"speed": "pace", "go": "walk", "many": "several", "tables.feet.worn": "tables.feet.tired"}


@dataclass(frozen=True)
class Toy:
    """A verb for tests.

    Attributes:
        pace: how fast.
    """

    EARLIER = OLD
    EARLIER_VALUES = {"pace": {"quick": "fast"}, "several": {"one": "1"}}  # noqa: RUF012

    pace: str = "slow"
    walk: bool = True
    several: tuple[str, ...] = ()
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Many:
    """Several toys.

    Attributes:
        common: of all.
    """

    EARLIER = under("arms.*", OLD)
    EARLIER_VALUES = under("arms.*", Toy.EARLIER_VALUES)

    common: Toy = field(default_factory=Toy)
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def parse(schema: type[Any], *argv: str) -> tuple[Any, list[str]]:
    told: list[str] = []
    return parser.parse(Command("toy", "a toy", schema, lambda _: 0), argv, tell=told.append), told


@pytest.mark.parametrize(
    ("argv", "expected", "line"),
    [
        (["--speed", "5"], Toy("5"), "--speed is --pace now"),
        (["--speed=quick"], Toy("fast"), "--speed quick is --pace fast now"),
        (["--pace", "quick"], Toy("fast"), "--pace quick is --pace fast now"),
        (["--go"], Toy(), "--go is --walk now"),
        (["--no_go"], Toy(walk=False), "--go is --walk now"),
        (["--many", "a", "one"], Toy(several=("a", "1")), "--many a one is --several a 1 now"),
        (["--tables.feet.worn", "2"], Toy(tables={"feet": {"tired": 2.0}}), "--tables.feet.worn is --tables.feet.tired now"),
        (["--tables", "{feet: {worn: 2}}"], Toy(tables={"feet": {"tired": 2.0}}), "--tables.feet.worn is --tables.feet.tired now"),
        (["--speed", "1", "--no_go"], Toy("1", walk=False), "--speed is --pace now; --go is --walk now"),
    ],
)
def test_a_flag_is_read_by_its_earlier_name(argv, expected, line):
    assert parse(Toy, *argv) == (expected, [line])


@pytest.mark.parametrize(
    ("argv", "expected", "line"),
    [
        (["--common.speed", "quick"], Many(Toy("fast")), "--common.speed quick is --common.pace fast now"),
        (["--arms.hot.speed", "quick"], Many(arms={"hot": {"pace": "fast"}}), "--arms.hot.speed quick is --arms.hot.pace fast now"),
        (["--arms", "{hot: {speed: 3}}"], Many(arms={"hot": {"pace": 3}}), "--arms.hot.speed is --arms.hot.pace now"),
        (["--common.tables.feet.worn", "2"], Many(Toy(tables={"feet": {"tired": 2.0}})),
         "--common.tables.feet.worn is --common.tables.feet.tired now"),
    ],
)  # fmt: skip
def test_so_is_a_nested_one(argv, expected, line):
    assert parse(Many, *argv) == (expected, [line])


def test_so_is_a_key_of_a_file(tmp_path: Path):
    file = tmp_path / "toy.yaml"
    file.write_text("speed: quick\nmany: [a]\ntables: {feet: {worn: 2, long: 1}}\n", encoding="utf-8")
    expected = Toy("fast", several=("a",), tables={"feet": {"tired": 2.0, "long": 1.0}})
    got, told = parse(Toy, "--config", str(file))
    assert got == expected == parser.read(Toy, file)
    assert told == [f"{file}: speed quick is pace fast now; {file}: many is several now; {file}: tables.feet.worn is tables.feet.tired now"]
    assert parse(Toy, "--config", str(file), "--pace", "1")[0].pace == "1"  # a flag wins over a file by either name
    assert parse(Toy, "--config", str(file), "--speed", "1")[0].pace == "1"


def test_and_of_an_arm_in_a_file_with_dots_too(tmp_path: Path):
    file = tmp_path / "many.yaml"
    file.write_text("common: {go: false}\narms: {a: {speed: quick}, b: {tables.feet.worn: 1}}\n", encoding="utf-8")
    got, told = parse(Many, "--config", str(file))
    assert got == Many(Toy(walk=False), {"a": {"pace": "fast"}, "b": {"tables.feet.tired": 1}})
    assert len(told) == 1 and f"{file}: arms.b.tables.feet.worn is arms.b.tables.feet.tired now" in told[0]


@pytest.mark.parametrize("argv", [["--speed", "1", "--pace", "2"], ["--pace", "2", "--speed", "1"]])
def test_both_names_at_once_are_refused(argv, tmp_path: Path):
    with pytest.raises(RlpoetError, match=r"^--speed: given beside --pace, its new name; .* Leave out --speed\."):
        parse(Toy, *argv)
    file = tmp_path / "toy.yaml"
    file.write_text("speed: 1\npace: 2\n", encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"toy\.yaml: speed: given beside pace"):
        parse(Toy, "--config", str(file))


def test_today_s_names_need_no_word_and_help_shows_no_other(capsys):
    assert parse(Toy, "--pace", "1", "--no_walk") == (Toy("1", walk=False), [])
    with pytest.raises(SystemExit):
        parse(Toy, "--help")
    assert "--pace" in (shown := capsys.readouterr().out) and "speed" not in shown


# -- the renames of this release ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "expected", "line"),
    [
        (["--drill", "5"], {"aux_rhyme_weight": 5.0}, "--drill is --aux_rhyme_weight now"),
        (["--drill_by", "policy"], {"aux_sampler": "policy"}, "--drill_by is --aux_sampler now"),
        (["--drill_by", "prior"], {"aux_sampler": "reference"}, "--drill_by prior is --aux_sampler reference now"),
        (["--favour", "0.5"], {"tb": TBOptions(token_prob_exponent=0.5)}, "--favour is --tb.token_prob_exponent now"),
        (["--announce", "1"], {"tb": TBOptions(plan_token_weight=1.0)}, "--announce is --tb.plan_token_weight now"),
        (["--end_words", "0"], {"tb": TBOptions(rhyme_word_weight=0.0)}, "--end_words is --tb.rhyme_word_weight now"),
        (["--bearing", "1"], {"tb": TBOptions(cross_segment_credit=1.0)}, "--bearing is --tb.cross_segment_credit now"),
        (["--no_pinpoint"], {"tb": TBOptions(localize_meter_errors=False)}, "--pinpoint is --tb.localize_meter_errors now"),
        (["--no_may_repeat"], {"allow_identical_rhyme": False}, "--may_repeat is --allow_identical_rhyme now"),
        (["--lam", "1"], {"ppo": PPOOptions(lam=1.0)}, "--lam is --ppo.lam now"),
        (["--credit", "poem"], {"tb": TBOptions(credit="poem")}, "--credit is --tb.credit now"),
        (["--algo", "ppo", "--credit", "poem"], {"algo": "ppo", "ppo": PPOOptions(credit="poem")}, "--credit is --ppo.credit now"),
        (["--no_whiten"], {"ppo": PPOOptions(whiten=False)}, "--whiten is --ppo.whiten now"),
        (["--explore", "hot", "rhyme"], {"tb": TBOptions(explore=("hot", "rhyme"))}, "--explore is --tb.explore now"),
        (["--learning_rate", "0"], {"learning_rate": None}, "--learning_rate 0 is the default of --learning_rate now"),
        (["--reward_options.meter.strained", "1"], {"reward_options": {"meter": {"licence_credit": 1.0}}},
         "--reward_options.meter.strained is --reward_options.meter.licence_credit now"),
    ],
)  # fmt: skip
def test_every_renamed_option_of_train(argv, expected, line):
    assert parse(TrainConfig, *argv) == (TrainConfig(**expected), [line])


def test_every_renamed_option_is_one_that_exists():
    for schema in (TrainConfig, PretrainConfig):
        for old, new in schema.EARLIER.items():
            names = dict(leaves(schema))
            assert old not in names and (new.partition(".")[0] == "reward_options" or new.replace("{algo:tb,ppo}", "tb") in names), old


def test_options_of_sweeps_are_read_wherever_they_stand():
    got, told = parse(
        CompareConfig, "--common.drill", "1",
        "--arms", "{a: {announce: 0.5, drill_by: prior, reward_options.meter.uncut: 0}, b: {algo: ppo, credit: line}}",
        "--by_lang.fr.pinpoint", "false", "--common.reward_options.meter.strained", "1",
    )  # fmt: skip
    assert got.common == TrainConfig(aux_rhyme_weight=1.0, reward_options={"meter": {"licence_credit": 1.0}})
    settings = {"tb.plan_token_weight": 0.5, "aux_sampler": "reference", "reward_options.meter.missing_caesura_credit": 0}
    assert got.arms == {"a": settings, "b": {"algo": "ppo", "ppo.credit": "line"}} and len(told) == 1
    assert got.by_lang == {"fr": {"tb.localize_meter_errors": False}}
    got, told = parse(AblateConfig, "--kind", "levers", "--pick", "no-drill", "with-replay")
    assert (got.kind, got.pick) == ("factors", ("no-aux-rhyme", "with-replay"))
    assert told == ["--kind levers is --kind factors now; --pick no-drill with-replay is --pick no-aux-rhyme with-replay now"]


@pytest.mark.parametrize("schema", [PreflightConfig, RedteamConfig])
def test_other_verbs_read_options_of_rewards_too(schema):
    got, told = parse(schema, "--reward_options.meter.uncut", "0")
    assert got.reward_options["meter"]["missing_caesura_credit"] == 0 and len(told) == 1


def test_pretraining_reads_the_earlier_name_of_its_rhyme_pairs():
    got, told = parse(PretrainConfig, "--lang", "fr", "--data", "x.txt", "--output_dir", "out", "--school", "0.2")
    assert got.rhyme_pairs_share == 0.2 and told == ["--school is --rhyme_pairs_share now"]


@pytest.mark.parametrize(
    ("schema", "required", "values"),
    [
        (PretrainConfig, {"lang": "fr", "data": "x.txt", "output_dir": "out"}, {"key_heads": "0", "countdown": "-1", "threads": "0"}),
        (FinetuneConfig, {"policy": "fr", "data": "x.txt", "output_dir": "out"}, {"epochs": "0.0", "threads": "0"}),
        (GenerateConfig, {}, {"limit": "0"}),
    ],
)
def test_a_number_that_meant_the_default_is_read_as_the_default(schema, required, values, tmp_path):
    flags = [f"--{name}={value}" for name, value in required.items()]
    default, told = parse(schema, *flags)
    assert told == [] and all(getattr(default, name) is None for name in values)
    got, told = parse(schema, *flags, *(f"--{name}={value}" for name, value in values.items()))
    assert got == default and told == ["; ".join(f"--{name} {value} is the default of --{name} now" for name, value in values.items())]
    file = tmp_path / "old.yaml"
    file.write_text("".join(f"{name}: {value}\n" for name, value in values.items()), encoding="utf-8")
    assert parse(schema, *flags, "--config", str(file))[0] == default
    kept, told = parse(schema, *flags, *(f"--{name}=2" for name in values))
    assert told == [] and all(getattr(kept, name) == 2 for name in values)


def test_one_line_on_standard_error(capsys):
    assert main(["train", "--drill", "1", "--no_pinpoint", "--lang", "xx"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "rlpoet train: --drill is --aux_rhyme_weight now; --pinpoint is --tb.localize_meter_errors now" and len(lines) == 2
    assert main(["train", "--drill", "1", "--aux_rhyme_weight", "2"]) == 2
    assert "--drill: given beside --aux_rhyme_weight" in capsys.readouterr().err
