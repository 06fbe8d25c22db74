"""--resume FOLDER means one thing: go on with the run in that folder, under its own configuration. Nothing deletes a run unasked."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from policies.finetuning.config import FinetuneConfig
from policies.pretraining.config import PretrainConfig
from rlpoet.cli.verbs.ablate import COMMAND as ABLATE
from rlpoet.cli.verbs.compare import COMMAND as COMPARE
from rlpoet.cli.verbs.finetune import COMMAND as FINETUNE
from rlpoet.cli.verbs.pretrain import COMMAND as PRETRAIN
from rlpoet.cli.verbs.train import COMMAND as TRAIN
from rlpoet.config.command import Command
from rlpoet.config.parser import parse
from rlpoet.errors import RlpoetError
from rlpoet.reporting.tracking import plain
from rlpoet.sweeps.compare import write_config

PRETRAINED = PretrainConfig("fr", ("poems.jsonl",), "prior", max_steps=2, rhyme_pairs_share=0.2, core=False)
FINETUNED = FinetuneConfig("fr", ("poems.jsonl", "more.csv"), "tuned", lora="r=2", max_steps=2, sampling={"top_k": 5.0})


def kept(folder: Path, config: Any, **old: Any) -> str:
    """The folder of a run with that configuration, which lies elsewhere now."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(plain(config) | old), encoding="utf-8")
    return str(folder)


def read(command: Command, *argv: str) -> tuple[Any, list[str]]:
    told: list[str] = []
    return parse(command, argv, tell=told.append), told


@pytest.mark.parametrize(("command", "config"), [(PRETRAIN, PRETRAINED), (FINETUNE, FINETUNED)])
def test_a_run_goes_on_under_its_own_configuration_wherever_it_lies(command, config, tmp_path):
    folder = kept(tmp_path / "moved", config)
    assert read(command, "--resume", folder) == (dataclasses.replace(config, output_dir=folder, resume=folder), [])
    longer, _ = read(command, "--resume", folder, "--max_steps", "9", "--minutes", "0.5")
    assert longer == dataclasses.replace(config, output_dir=folder, resume=folder, max_steps=9, minutes=0.5)


@pytest.mark.parametrize("argv", [["--learning_rate", "1"], ["--output_dir", "other"], ["--config", "recipe.yaml"], ["--seed", "0"]])
def test_what_the_run_decides_cannot_be_given_anew(argv, tmp_path):
    Path(tmp_path / "recipe.yaml").write_text("seed: 3\n", encoding="utf-8")
    folder = kept(tmp_path, FINETUNED)
    argv = [str(tmp_path / word) if word == "recipe.yaml" else word for word in argv]
    with pytest.raises(RlpoetError, match=f"{argv[0]}: given with --resume .*whose own configuration holds; expected at most --epochs"):
        read(FINETUNE, "--resume", folder, *argv)


@pytest.mark.parametrize("command", [PRETRAIN, FINETUNE, COMPARE, ABLATE, TRAIN])
def test_an_empty_word_is_no_order_to_begin_a_new_run(command):
    with pytest.raises(RlpoetError, match=r"--resume: empty; expected the folder of a run"):
        read(command, "--resume", "")


@pytest.mark.parametrize("command", [PRETRAIN, FINETUNE, COMPARE, ABLATE])
def test_a_folder_without_a_run_is_told(command, tmp_path):
    with pytest.raises(RlpoetError, match=r"--resume .*: no config\.yaml; expected the folder of a run that was stopped"):
        read(command, "--resume", str(tmp_path))


def test_the_switch_of_an_earlier_release_is_read_and_told(tmp_path):
    folder = kept(tmp_path / "tuned", FINETUNED, resume=False)  # a file of that release says so
    old = ["--policy", "fr", "--data", "poems.jsonl", "--output_dir", folder, "--max_steps", "5", "--resume"]
    expected = dataclasses.replace(FINETUNED, output_dir=folder, resume=folder, max_steps=5)
    assert read(FINETUNE, *old) == (expected, [f"--resume without a value is --resume {folder} now"])
    assert read(FINETUNE, *old[:-3], "--resume", "--max_steps", "5")[0] == expected  # a flag after it is no folder
    with pytest.raises(RlpoetError, match="--resume: no value; expected a text"):
        read(FINETUNE, "--resume")


def test_pretraining_begins_again_only_where_it_is_told(tmp_path):
    folder = kept(tmp_path / "prior", PRETRAINED, resume=True)
    begun = ["--lang", "fr", "--data", "poems.jsonl", "--output_dir", folder]
    again, told = read(PRETRAIN, *begun, "--no_resume", "--max_steps", "3")
    assert (again.overwrite, again.resume, again.max_steps, told) == (True, None, 3, ["--no_resume is --overwrite now"])
    resumed, told = read(PRETRAIN, *begun, "--resume")
    assert (resumed.resume, told) == (folder, [f"--resume without a value is --resume {folder} now"])
    recipe, told = read(PRETRAIN, "--config", f"{folder}/config.yaml", "--output_dir", "new")  # an earlier run's file as a recipe
    assert (recipe, told) == (dataclasses.replace(PRETRAINED, output_dir="new"), [])


@pytest.mark.parametrize("command", [COMPARE, ABLATE])
def test_a_grid_goes_on_under_its_own_configuration(command, tmp_path):
    argv = ["--output_dir", str(tmp_path), "--langs", "fr", "es", "--seeds", "4", "--max_steps", "3", "--overwrite", "--common.beta", "3"]
    argv += ["--common.forms", '["couplet"]', "--common.rewards.meter", "0.5"]
    config, _ = read(command, *argv)
    write_config(config)
    again, told = read(command, "--resume", str(tmp_path), "--jobs", "1")
    assert (again, told) == (dataclasses.replace(config, overwrite=False, resume=str(tmp_path), jobs=1), [])
    with pytest.raises(RlpoetError, match="--overwrite: given with --resume"):
        read(command, "--resume", str(tmp_path), "--overwrite")
