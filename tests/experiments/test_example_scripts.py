"""One-file examples: each runs here with what is installed, and by ``uv run`` with what it names itself."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "experiments" / "examples" / "scripts"
ENVIRONMENTS = ROOT / "experiments" / "examples" / "environments"
TINY = ("--steps", "2", "--prompts", "2", "--group", "2")
RUNS = {  # each script at a tiny size, and what it has to print
    "trl_grpo_verse.py": (
        TINY,
        r"^2 \{'rewards/rhyme/mean': [\d.]+, 'rewards/meter/mean': [\d.]+, 'rewards/lexicon/mean': [\d.]+, 'reward'",
    ),
    "trl_tb_verse.py": (TINY, r"^2 \{'loss': -?[\d.]+, 'rewards/rhyme/mean': [\d.]+, .*'tb/log_z': -?[\d.]+"),
    "verifiers_eval.py": (("--tasks", "2"), r"^verse +(1\.000|0\.9\d\d) ± 0\.0\d\d  2 poems$"),  # stanzas by people
}
NOT_CACHED = "the network was disabled"  # uv, of a package that it would have to download


def header(script: Path) -> dict[str, object]:
    """What a script says it needs, as PEP 723 reads it."""
    block = re.search(r"^# /// script\n(.*?)^# ///$", script.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert block, f"{script.name} has no header"
    return tomllib.loads("".join(line.removeprefix("#").removeprefix(" ") + "\n" for line in block[1].splitlines()))


def options(name: str, folder: Path) -> list[str]:
    said = list(RUNS[name][0])
    return [*said, "--output_dir", str(folder)] if "--steps" in said else said


def test_every_script_is_run():
    assert {path.name for path in SCRIPTS.glob("*.py")} == set(RUNS)


@pytest.mark.parametrize("name", RUNS)
def test_a_script_names_what_it_needs_and_where_that_lies(name):
    said = header(SCRIPTS / name)
    assert "rlpoet" in said["dependencies"] and said["requires-python"] == ">=3.11"
    sources = {package: (SCRIPTS / source["path"]).resolve() for package, source in said["tool"]["uv"]["sources"].items()}
    assert sources["rlpoet"] == ROOT and sources.get("rlpoet-verse", ENVIRONMENTS) == ENVIRONMENTS
    named = {re.split(r"[\[<>=]", need)[0] for need in said["dependencies"]}
    assert named & {"rlpoet", "rlpoet-verse"} == set(sources)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_script_runs_with_what_is_installed(name, tmp_path):
    if name == "verifiers_eval.py":
        pytest.importorskip("verifiers.v1", reason="verifiers is not installed")
    path = os.pathsep.join([str(ROOT), str(ENVIRONMENTS)])
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *options(name, tmp_path)],
        capture_output=True, text=True, encoding="utf-8", env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(RUNS[name][1], done.stdout, flags=re.MULTILINE), done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_uv_runs_a_script_with_what_its_header_names(name, tmp_path):
    """From uv's cache alone, since tests use no network; RLPOET_NETWORK=1 lets uv download the packages, some gigabytes."""
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    online = os.environ.get("RLPOET_NETWORK") == "1"
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        [uv, "run", *([] if online else ["--offline"]), str(SCRIPTS / name), *options(name, tmp_path)],
        capture_output=True, text=True, encoding="utf-8", env=environment, cwd=tmp_path, check=False,
    )  # fmt: skip
    if not online and done.returncode and NOT_CACHED in done.stderr:
        pytest.skip(f"uv's cache lacks packages of {name}; RLPOET_NETWORK=1 lets uv download them")
    assert done.returncode == 0, done.stderr
    assert re.search(RUNS[name][1], done.stdout, flags=re.MULTILINE), done.stdout
