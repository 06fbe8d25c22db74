"""Hostile rows and files are one line each; none of them is run."""

from __future__ import annotations

import dataclasses
import errno
import json
import math
from pathlib import Path

import pytest
import torch
from tiny_policy import tiny_policy

from policies.causal_lm import CausalPolicy
from policies.training_loop import Batch, Schedule, learn
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.cli.jsonl import answer_rhymes, answer_scans
from rlpoet.cli.main import main
from rlpoet.cli.verbs.scan import COMMAND as SCAN
from rlpoet.errors import RlpoetError

ROWS = [
    '{"lines": ["nuit", "bruit"], "pairs": 5}',
    '{"lines": ["nuit", "bruit"], "pairs": {"0": 1}}',
    '{"lines": ["nuit", "bruit"], "pairs": "01"}',
    '{"lines": ["nuit", "bruit"], "pairs": [[' + "9" * 400 + ", 0]]}",
    '{"lines": ' + "[" * 100_000 + "]" * 100_000 + "}",
    '{"lines": ' + "9" * 5000 + "}",
    '{"lines": [NaN]}',
    "[" * 100_000,
    "9" * 5000,
    "null",
]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_a_hostile_row_is_one_short_line_that_names_its_row(row):
    for answers, good in ((answer_rhymes, '{"lines": ["nuit", "bruit"]}'), (answer_scans, '{"line": "nuit", "target": 1}')):
        with pytest.raises(RlpoetError, match=r"^<stdin>:2: ") as caught:
            list(answers([good, row if answers is answer_rhymes else row.replace("lines", "line")], "fr"))
        assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


@pytest.mark.parametrize("verb, row", [("rhymes", {"lines": ["nuit \ud83d", "bruit"]}), ("scan", {"line": "nuit \ud83d"})])
def test_half_a_surrogate_pair_is_a_character_like_any_other(verb, row, tmp_path, capsys):
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    assert main([verb, "--lang", "fr", "--jsonl", str(tmp_path / "rows.jsonl")]) in (0, 2)
    assert "Traceback" not in capsys.readouterr().err


NUL, HALF, DIGITS = "a\0b", "a\ud83d", "9" * 400


@pytest.mark.parametrize("argv, told", [
    (["annotate", "poem.txt", "--lang", "fr", "--out", f"{NUL}.csv"], "has the character U+0000"),
    (["complete", HALF, "--lang", "fr"], "has the character U+D83D"),
    (["rate", "read", NUL], "has the character U+0000"),
    (["train", "--config", "hostile.yaml"], "--forms: 'a\\x00b' has the character U+0000"),
    (["train", "--reward_timeout", DIGITS], "expected a number of at most 300 digits"),
    (["scan", "nuit", "--lang", "a" * 100_000], "unknown 'aaa"),
    (["x" * 100_000], "command: unknown 'xxx"),
    (["train", "--lang", "fr", "--forms", "aa " * 100_000], "aa aa aa"),
])  # fmt: skip
def test_a_hostile_word_is_one_line_that_can_be_read(argv, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("hostile.yaml").write_text('forms: ["a\\0b"]\n', encoding="utf-8")
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert told in said and said.count("\n") == 1 and len(said) < 2500


def test_a_folder_that_was_deleted_is_told(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert main(["scan", "nuit", "--lang", "fr"]) == 2
    told = "the folder you work in was deleted; expected one that is there. Change to it, and try again."
    assert capsys.readouterr().err == f"rlpoet: {told}\n"


@pytest.mark.parametrize("error", [MemoryError(), OverflowError("int too large"), OSError(errno.ENOSPC, "No space left on device")])
def test_what_a_machine_cannot_do_is_one_line(error, monkeypatch, capsys):
    def run(_: object) -> int:
        raise error

    monkeypatch.setattr("rlpoet.cli.main.find_command", lambda name: dataclasses.replace(SCAN, run=run))
    assert main(["scan", "nuit", "--lang", "fr"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_code_in_a_policy_folder_is_not_run(tmp_path):
    tiny_policy().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(RlpoetError, match="Python code of its own, which is not run unasked"):
        CausalPolicy.load(tmp_path)
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_a_checkpoint_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": Evil()}, tmp_path / "checkpoint.pt")
    with pytest.raises(RlpoetError, match="broken checkpoint"):
        read_checkpoint(tmp_path / "checkpoint.pt")
    assert not (tmp_path / "ran").exists()


def test_numbers_that_break_down_end_a_run_before_its_weights_are_lost(tmp_path):
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = torch.nn.Parameter(torch.ones(3))

    model, n = Broken(), 0

    def nats(ids: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        nonlocal n
        n += 1
        return (model.w * (math.nan if n >= 3 else 1.0)).sum()

    ids = torch.zeros(1, 2, dtype=torch.long)
    rows = iter([Batch(0.0, ids, ids)] * 9)
    optim = torch.optim.SGD(model.parameters(), lr=0.5)
    with pytest.raises(RlpoetError, match=r"step 5: loss nan, gradient nan, as in the 2 steps before; expected finite .*--learning_rate"):
        learn(
            model, rows, [optim], Schedule(steps=9), checkpoint=tmp_path / "checkpoint.pt", report=lambda *_: None, evaluate=dict, every=1,
            nats_of=nats,
        )  # fmt: skip
    state = read_checkpoint(tmp_path / "checkpoint.pt")
    assert state["step"] == 4 and torch.isfinite(model.w).all() and torch.equal(state["model"]["w"], model.w)
