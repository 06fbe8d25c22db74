"""The worked example of a plug-in is installed as its README says, found by its entry point and used by name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlpoet import registry
from rlpoet.cli.main import main
from rlpoet.evaluation.score import score_text
from rlpoet.training.rewards import composed
from rlpoet.types import Prompt

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "experiments" / "examples" / "reward"
PIP = "install --quiet --no-deps --no-index --no-build-isolation --disable-pip-version-check --target".split()


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder of installed packages with the example in it; pip builds in a copy, since it leaves things behind."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, folder / "source")
    done = subprocess.run(
        [sys.executable, "-m", "pip", *PIP, str(folder / "site"), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def installed(site, monkeypatch):
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("lipogram", None)


def test_it_is_unknown_until_it_is_installed():
    assert "lipogram" not in registry.names("rlpoet.rewards")


def test_it_is_found_by_its_entry_point_and_used_by_name(installed):
    assert "lipogram" in registry.names("rlpoet.rewards")
    score = composed({"rhyme": 1.0, "lipogram": 1.0}, {"lipogram": {"letter": "u"}})
    assert score([Prompt("es", "pareado")], ["amor\nluna"]).parts == {"rhyme": (0.0,), "lipogram": (0.5,)}
    (poem,) = score_text("amor\ndolor", "es", "pareado")
    assert poem.scores["lipogram"] == 1.0


def test_it_can_be_tried_on_the_command_line(installed, capsys):
    assert main(["redteam", "lipogram", "--reward_options.lipogram.letter", "x"]) == 0
    assert "| la la la | open 1.00 |" in capsys.readouterr().out


@pytest.mark.slow
def test_its_own_tests_pass(site):
    path = os.pathsep.join([str(site), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(EXAMPLE), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stdout
