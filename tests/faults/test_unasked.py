"""Nothing is fetched unasked, no seed is too large for one clear line, and no adapter is its own base."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path

import pytest
import yaml
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.loading.adapters import BASE
from policies.loading.files import ADAPTER, ModelFiles, find_model
from rlpoet.cli.main import main
from rlpoet.config.documents import MOST_VALUES, read_settings, read_yaml
from rlpoet.config.opening import OpeningOptions
from rlpoet.config.ranges import MOST_SEED
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.rollout import load_policy
from rlpoet.types import Prompt

# -- the network --------------------------------------------------------------------------------------


def test_the_suite_reaches_nothing_but_this_machine():
    with socket.socket() as one, pytest.raises(AssertionError, match="tests run without a network"):
        one.connect(("192.0.2.1", 80))


@pytest.fixture
def asked(monkeypatch):
    """What was asked of the hub, and of its cache."""
    calls: list[str] = []

    def note(name: str, *_: object, **__: object) -> None:
        calls.append(name)

    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", note)
    monkeypatch.setattr("huggingface_hub.snapshot_download", note)
    return calls


@pytest.mark.parametrize("name", ["gpt2", "nobody/nothing", "openai/gpt-2", "fr2", "../x"])
def test_a_bare_name_is_no_name_of_the_hub(name, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownName, match="hf:OWNER/NAME"):
        find_model(name, allow_download=True)
    with pytest.raises(UnknownName, match="hf:OWNER/NAME"):
        load_policy(name)
    assert asked == []


def test_a_name_of_the_hub_is_one_that_says_so(asked, tmp_path, monkeypatch):
    with pytest.raises(RlpoetError, match="hf:nobody/nothing: not in the cache of Hugging Face"):
        find_model("hf:nobody/nothing")
    assert asked == ["nobody/nothing"]
    tiny_policy().save(tmp_path)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda name, file: str(tmp_path / file) if name == "me/tiny" else None)
    assert find_model("hf:me/tiny").folder == tmp_path
    with pytest.raises(UnknownName):
        find_model("me/tiny")


@pytest.mark.parametrize("argv", [
    ["corpus", "merve/poetry"], ["generate", "--policy", "gpt2"], ["train", "--policy", "openai/gpt2"], ["preflight", "--policy", "a/b"],
    ["finetune", "--policy", "a/b", "--data", "x.jsonl", "--output_dir", "o", "--allow_download"],
])  # fmt: skip
def test_no_verb_takes_a_bare_name_to_the_hub(argv, asked, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.jsonl").write_text('{"stanzas": [["a", "b"]]}\n', encoding="utf-8")
    assert main(argv) == 2
    told = capsys.readouterr().err
    assert "hf:" in told and "Traceback" not in told and asked == []


def test_code_of_a_model_is_trusted_only_by_the_option():
    """Every call that opens a model says so, and none says more than the option, which is off."""
    assert OpeningOptions().trust_remote_code is False and ModelFiles(Path()).trusted is False
    root, told = Path(__file__).resolve().parents[2], set()
    for path in (path for room in ("rlpoet", "rewards", "policies") for path in (root / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".from_pretrained") and "peft." not in ast.unparse(node.func):
                given = {item.arg: ast.unparse(item.value) for item in node.keywords}
                told.add(given.get("trust_remote_code"))
    assert told <= {"False", "files.trusted"}, told


# -- adapters -----------------------------------------------------------------------------------------


def adapter(folder: Path, base: object) -> Path:
    folder.mkdir()
    (folder / ADAPTER).write_text(json.dumps({"base_model_name_or_path": str(base), "peft_type": "LORA"}), encoding="utf-8")
    return folder


@pytest.mark.parametrize("n", [1, 2, 3])
def test_adapters_that_are_their_own_bases_are_one_line(n, tmp_path):
    folders = [tmp_path / f"a{i}" for i in range(n)]
    for i, folder in enumerate(folders):
        adapter(folder, folders[(i + 1) % n])
    with pytest.raises(RlpoetError, match=r"an adapter on itself; expected one on a whole model\. Write") as caught:
        CausalPolicy.load(folders[0])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("told", ["[]", "5", "null", "{}", '{"base": 5, "relative": [1]}', "[" * 100_000, "{", '{"base": "\\ud83d"}', ""])
def test_a_damaged_word_on_a_base_is_one_line(told, tmp_path, asked):
    folder = adapter(tmp_path / "a", "nowhere")
    (folder / BASE).write_text(told, encoding="utf-8")
    with pytest.raises(RlpoetError) as caught:
        CausalPolicy.load(folder)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600 + len(str(tmp_path)) * 2


# -- seeds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [10**30, 2**64, 2**63, -(2**70), -1, 2**32])
def test_a_policy_takes_any_seed(seed):
    tiny = tiny_policy()
    first, again = (CausalPolicy(tiny.model, tiny.tokenizer, tiny.format, seed=seed).sample([Prompt("fr", "couplet")]) for _ in range(2))
    assert first.texts == again.texts


@pytest.mark.parametrize("seed", [str(10**30), str(2**64), str(MOST_SEED + 1), "-1", "9" * 5000, "1.5", "x"])
@pytest.mark.parametrize("verb", [["train", "--lang", "fr"], ["generate", "--policy", "fr"], ["preflight"], ["compare"]])
def test_a_seed_out_of_range_is_one_line(seed, verb, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flag = "--seeds" if verb[0] == "compare" else "--seed"
    assert main([*verb, f"{flag}={seed}"]) == 2
    told = capsys.readouterr().err
    assert "seed" in told and told.count("\n") == 1 and len(told) < 6000


def test_the_largest_seed_is_one_that_all_libraries_take(tmp_path):
    import numpy as np
    import torch

    np.random.seed(MOST_SEED)
    np.random.default_rng(MOST_SEED)
    torch.manual_seed(MOST_SEED + 1_000_003)


# -- YAML ---------------------------------------------------------------------------------------------

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 10)}]\n" for i in range(9)
)
HOSTILE = [
    BOMB, "a: &a [*a]", "a: &a {b: *a}", "a: " + "[" * 50_000, "a: " + "9" * 5000, "a: 2020-99-99", "!!python/object/apply:os.system [x]",
    "a: !!python/name:os.system", "a: *b", "\t", "a: b: c", "a: \x00", "%YAML 9\n---\na",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_yaml_is_one_short_line_wherever_it_is_read(text, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RlpoetError, match=r"config\.yaml: ") as caught:
        read_settings(Path("config.yaml"))
    assert len(str(caught.value)) < 200 and "\n" not in str(caught.value)
    for argv in (["train", "--config", "config.yaml"], ["train", "--resume", "."]):
        assert main(argv) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1 and len(told) < 400 and "Traceback" not in told
    assert main(["train", "--lang", "fr", "--rewards", text]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_a_few_aliases_are_as_good_as_what_they_stand_for():
    assert read_yaml("a: &a [1, 2]\nb: *a\n") == {"a": [1, 2], "b": [1, 2]}
    with pytest.raises(yaml.YAMLError, match="by aliases"):
        read_yaml(f"a: &a [{', '.join(['1'] * 1000)}]\nb: [{', '.join(['*a'] * (MOST_VALUES // 1000))}]\n")
