"""The worked example of a policy is installed as its README says, and all four verbs that open a policy use it, by name and by folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlpoet import registry
from rlpoet.cli.main import main
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.rollout import load_policy

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "experiments" / "examples" / "policy"
PIP = "install --quiet --no-deps --no-index --no-build-isolation --disable-pip-version-check --target".split()
SMALL = (
    "--max_steps 1 --minutes 0 --eval_samples 32 --prompts_per_step 4 --group_size 4 --threads 1 --report_to none --forms couplet".split()
)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A folder of installed packages with the example in it; pip builds in a copy, since it leaves things behind."""
    folder = tmp_path_factory.mktemp("site")
    source = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "pip", *PIP, str(folder / "site"), str(source)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def installed(site, monkeypatch, tmp_path):
    forget()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    yield
    forget()


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "word_poet"]:
        del sys.modules[name]


@pytest.mark.slow
def test_it_is_trained_written_with_and_measured_by_its_name_and_by_its_folder(installed, capsys):
    rewards = ["--rewards.rhyme", "1", "--rewards.even-lines", "1"]
    assert main(["train", "--policy_class", "word-gru", "--lang", "fr", *rewards, "--output_dir", "runs/word", *SMALL]) == 0
    assert json.loads(Path("runs/word/policy/policy_class.json").read_text()) == {"policy_class": "word-gru"}
    policy = load_policy("runs/word")
    assert type(policy).__module__ == "word_poet.policy"
    first = type(policy).load("fr").model.state_dict()
    assert any((weight != first[name]).any() for name, weight in policy.model.state_dict().items())  # it learned, and was saved
    assert main(["train", "--resume", "runs/word", "--max_steps", "2"]) == 0
    capsys.readouterr()
    poems = []
    for argv in (["--policy", "runs/word"], ["--policy", "latest"], ["--policy", "runs/word", "--policy_class", "word-gru"]):
        assert main(["generate", *argv, "--form", "couplet", "-n", "2", "--seed", "1", "--json"]) == 0
        poems.append([json.loads(line)["text"] for line in capsys.readouterr().out.splitlines()])
    assert poems[0] == poems[1] == poems[2] and all(set(text.split()) <= set(policy.words) for text in poems[0])
    fresh = ["--policy_class", "word-gru", "--policy", "es"]
    assert main(["generate", "--policy_class", "word-gru", "--lang", "es", "--form", "pareado", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["text"].split()) <= set(load_policy("es", policy_class="word-gru").words)
    for argv in (["--policy", "runs/word"], fresh):
        assert main(["evaluate", *argv, "--n", "4", "--forms", "couplet", "--rewards", "even-lines", "--prior", "none", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["sampled"]["all"]["n"] == 4
    for argv in (["--policy", "runs/word"], fresh):
        assert main(["preflight", *argv, "--forms", "couplet", "--prompts", "4", "--rewards.even-lines", "1", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["lang"] == {"runs/word": "fr", "es": "es"}[argv[-1]]


def test_its_trainer_trains_with_its_own_options_stops_and_goes_on(installed, capsys):
    argv = ["train", "--policy_class", "word-gru", "--lang", "fr", "--algo", "reinforce", "--output_dir", "runs/own", *SMALL]
    assert main([*argv, "--trainer_options.kl_weight", "0.5"]) == 0
    assert main(["train", "--resume", "runs/own", "--max_steps", "2"]) == 0
    rows = [json.loads(row) for row in Path("runs/own/metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["step"] for row in rows] == [1, 2] and all("reinforce/loss" in row and "objective/kl" in row for row in rows)
    assert abs(rows[1]["objective/kl"]) > 0  # the first step moved it
    result = json.loads(Path("runs/own/result.json").read_text(encoding="utf-8"))
    assert result["algo"] == "reinforce" and result["fresh_samples"] == 32  # one prompt, which stands four times in each step
    capsys.readouterr()
    for wrong, told in (("kl_weigth 1", "did you mean 'kl_weight'"), ("kl_weight -1", "kl_weight: -1; expected 0 or more")):
        name, value = wrong.split()
        assert main([*argv, f"--trainer_options.{name}", value]) == 2
        assert told in capsys.readouterr().err
    assert main([*argv, "--processes", "2"]) == 2 and "this trainer, whose steps are not shared out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["generate", "--policy_class", "word-gru", "--stream"], "--stream: with WordPolicy, whose tokens it needs"),
        (["generate", "--policy_class", "word-gru", "--prompt", "la lune"], "--prompt: with WordPolicy"),
        (["generate", "--policy_class", "word-gru", "--beams", "4"], "beams: word-gru does not have it"),
        (["generate", "--policy_class", "word-gro"], "policy_class: unknown 'word-gro' (did you mean 'word-gru'?)"),
        (
            ["evaluate", "--policy_class", "word-gru", "--policy", "fr", "--poems", "poems.txt", "--n", "0"],
            "--poems: WordPolicy cannot weigh them",
        ),
        (["train", "--policy_class", "word-gru", "--lora", "r=4", *SMALL], "--lora r=4: WordPolicy takes no adapter"),
    ],
)
def test_what_it_cannot_do_is_told_in_one_line(installed, capsys, argv, told):
    Path("poems.txt").write_text("la lune\nla brune\n", encoding="utf-8")
    assert main(argv) == 2
    assert told in capsys.readouterr().err


def test_a_folder_of_a_class_that_is_not_installed_says_so(site, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(site))
        load_policy("fr", policy_class="word-gru").save(tmp_path)
    forget()
    with pytest.raises(
        RlpoetError, match=r"saved by the policy class 'word-gru', which is not installed; expected one of causal-lm\. Install"
    ):
        load_policy(tmp_path)
    with pytest.raises(UnknownName, match="policy_class: unknown 'word-gru'"):
        load_policy("fr", policy_class="word-gru")
    (tmp_path / registry.CLASS_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"policy_class\.json: broken"):
        load_policy(tmp_path)


@pytest.mark.slow
def test_its_own_tests_pass(site):
    path = os.pathsep.join([str(site), str(ROOT)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", str(EXAMPLE), str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False)
    assert done.returncode == 0, done.stdout
