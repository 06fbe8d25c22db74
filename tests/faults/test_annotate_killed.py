"""`rlpoet annotate` that is killed, whenever that is: the same command goes on, and the tables are those of a run that was left alone."""

from __future__ import annotations

import signal
from pathlib import Path

from kill_harness import in_child, killed_at, n_changes, some

from rlpoet.cli.main import main
from rlpoet.corpus import Poem, write_poems
from rlpoet.evaluation.annotation import run

POEMS = [Poem(((f"Ici gît dans la nuit sombre {n}", "Un poète sans nul nombre"),), f"Auteur {n}") for n in range(5)]
KILLS = 5


def left(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_killed_annotation_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "PART_LINES", 4)  # two poems a part
    write_poems(tmp_path / "poems.jsonl", POEMS)
    log = tmp_path / "log.txt"

    def argv(folder: Path) -> list[str]:
        folder.mkdir()
        return ["annotate", str(tmp_path / "poems.jsonl"), "--lang", "fr", "--out", str(folder / "verse.csv")]

    assert main(argv(tmp_path / "whole")) == 0  # here, so that the forks find the tables of the language read
    whole = left(tmp_path / "whole")
    total = n_changes(argv(tmp_path / "counted"), tmp_path / "counted", log)
    assert set(whole) == {"verse.csv", "verse.poems.csv"} and left(tmp_path / "counted") == whole and total > 2 * KILLS
    for number in some(total, KILLS):
        folder = tmp_path / f"killed-{number}"
        words = argv(folder)
        assert in_child(words, before=killed_at(number, folder), log=log) == -signal.SIGKILL
        assert left(folder).items() <= whole.items(), "half a table"
        assert in_child(words, log=log) == 0, log.read_text(encoding="utf-8")
        assert left(folder) == whole and len(list(folder.iterdir())) == len(whole)
