"""What a run reads is made once: it is read back whole, serves the budget it was made for, and trains without the corpora."""

from __future__ import annotations

import dataclasses
import gzip
import json
import shutil

import pytest

from policies.formats.data import Piece
from policies.pretraining.prepared import FILE, Prepared
from rlpoet.checkpoints.files import read_checkpoint
from rlpoet.cli.main import main

VERSE = [{"author": "Nadie", "stanzas": [["la noche del amor", f"la {a} de la flor", "un canto de dolor", f"el {b} del albor"]]} for a in
         ("voz", "luz", "cruz", "paz", "faz", "red") for b in ("sol", "mar", "son", "fin", "don")]  # fmt: skip
TEXT = "La noche era clara y el mar estaba en calma, y nadie pensaba en dormir. Los hombres miraban la luna."
FLAGS = "--lang es --size nano --vocab_size 200 --batch_tokens 256 --window 128 --eval_samples 1 --threads 1 --device cpu".split()


def piece(*ids, chars=7):
    return Piece(ids[:1], ids[1:], chars)


DATA = Prepared(
    verse=[[piece(1, 70_000, 3), piece(4)], [piece(5, 6)]], pairs=[[piece(7, 8, chars=0)]], prose=[], held=[[piece(9, 1)]],
    order=[0, 1, 1], share=0.5, budget=3, n_train=4, n_held=1,
)  # fmt: skip


def test_what_is_written_is_read_back_and_equal_runs_write_equal_files(tmp_path):
    DATA.write(tmp_path)
    first = (tmp_path / FILE).read_bytes()
    assert Prepared.read(tmp_path) == DATA
    DATA.write(tmp_path)
    assert (tmp_path / FILE).read_bytes() == first
    small = dataclasses.replace(DATA, verse=[[piece(1, 2)], [piece(3)]])
    small.write(tmp_path)
    assert Prepared.read(tmp_path) == small


def test_a_damaged_file_or_none_is_nothing(tmp_path):
    assert Prepared.read(tmp_path) is None
    DATA.write(tmp_path)
    whole = (tmp_path / FILE).read_bytes()
    for wrong in (
        b"",
        whole[:-20],
        whole[:40],
        b"x" * 200,
        gzip.compress(b"x" * 200),
        gzip.compress(bytes(8)),
        gzip.compress(b"\x02" + bytes(7) + b"{}"),
    ):
        (tmp_path / FILE).write_bytes(wrong)
        assert Prepared.read(tmp_path) is None, wrong[:20]


def test_poems_are_read_as_often_as_the_order_says_and_prose_is_read_early():
    data = dataclasses.replace(DATA, prose=[[piece(2, 2)]])
    assert data.late == [DATA.verse[0], DATA.verse[1], DATA.verse[1], *DATA.pairs]
    assert data.early == [*data.late, *data.prose]
    assert data.n_tokens() == 2 * (4 + 2 + 2 + 2 + 2)


def test_a_choice_for_a_short_budget_serves_no_other_budget():
    assert DATA.serves(3) and not DATA.serves(4)
    assert dataclasses.replace(DATA, share=1.0).serves(4)


@pytest.fixture
def argv(tmp_path):
    (tmp_path / "v.jsonl").write_text("\n".join(map(json.dumps, VERSE)), encoding="utf-8")
    prose = [{"author": "Otro", "paragraphs": [f"{TEXT} {n}"]} for n in range(40)]
    (tmp_path / "p.jsonl").write_text("\n".join(map(json.dumps, prose)), encoding="utf-8")
    return ["pretrain", *FLAGS, "--data", str(tmp_path / "v.jsonl"), "--prose", str(tmp_path / "p.jsonl"), "--max_steps", "6"]


def weights(folder):
    state = read_checkpoint(folder / "checkpoint.pt")
    return {name: tensor.tolist() for name, tensor in state["model"].items()}


def test_what_was_prepared_trains_elsewhere_without_corpora_as_a_run_in_one_go(argv, tmp_path, capsys):
    assert main([*argv, "--output_dir", str(tmp_path / "one")]) == 0
    assert main([*argv, "--output_dir", str(tmp_path / "two"), "--prepare"]) == 0
    assert "--resume" in capsys.readouterr().err and not (tmp_path / "two" / "checkpoint.pt").exists()
    shutil.move(tmp_path / "two", tmp_path / "three")
    for name in ("v.jsonl", "p.jsonl"):
        (tmp_path / name).unlink()
    assert main(["pretrain", "--resume", str(tmp_path / "three")]) == 0
    assert weights(tmp_path / "three") == weights(tmp_path / "one")
    (one, three) = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("one", "three"))
    assert one["bits_per_char"] == three["bits_per_char"] and one["poems"] == three["poems"] == {"train": 29, "validation": 1}


def test_prose_is_read_first_and_verse_alone_after_it(argv, tmp_path, monkeypatch):
    from policies.pretraining import model

    read = []
    windows = model.windows

    def watched(pieces, *rest):
        for batch in windows(pieces, *rest):
            read.append(len(pieces))
            yield batch

    monkeypatch.setattr(model, "windows", watched)
    assert main([*argv, "--output_dir", str(tmp_path / "run"), "--prose_until", "0.5"]) == 0
    data = Prepared.read(tmp_path / "run")
    assert data is not None and read == [len(data.early)] * 3 + [len(data.late)] * 3 and len(data.early) > len(data.late)


def test_a_run_stopped_after_the_turn_goes_on_as_one_that_was_not(argv, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    at = ["--prose_until", "0.5", "--save_steps", "1", "--curve", "cosine"]
    assert main([*argv, *at, "--output_dir", str(whole)]) == 0
    assert main([*argv, *at, "--output_dir", str(cut)]) == 0
    turned = [read_checkpoint(folder / "checkpoint.pt")["turned"] for folder in (whole, cut)]
    assert turned == [3, 3] and weights(whole) == weights(cut)


def test_a_run_that_begins_anew_does_not_read_what_another_prepared(argv, tmp_path):
    folder = tmp_path / "run"
    assert main([*argv, "--output_dir", str(folder), "--prepare"]) == 0
    before = Prepared.read(folder)
    assert main([*argv, "--output_dir", str(folder), "--prepare", "--prose_share", "0.2", "--overwrite"]) == 0
    after = Prepared.read(folder)
    assert before is not None and after is not None and len(after.prose) < len(before.prose)
