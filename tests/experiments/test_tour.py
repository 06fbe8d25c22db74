"""The notebook runs from its first cell to its last, with the numbers of its parameter cell made small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[2] / "experiments" / "tour.ipynb"
SMALL = {
    "PRETRAIN_STEPS": 2, "TRAIN_MINUTES": 0.0, "TRAIN_STEPS": 1, "PROMPTS_PER_STEP": 2, "FINETUNE_STEPS": 2, "SAMPLES": 4, "THREADS": 1,
}  # fmt: skip


@pytest.mark.slow
def test_the_tour_goes_from_a_corpus_to_a_rhyming_policy(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    cells = [cell for cell in json.loads(TOUR.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in cells)  # nobody's machine in the file
    names: dict[str, object] = {}
    for cell in cells:
        exec("".join(cell["source"]), names)
        if "parameters" in cell["metadata"].get("tags", []):
            assert SMALL.keys() <= names.keys()
            names.update(SMALL)
    shown = capsys.readouterr().out
    assert "alexandrin" in shown and "aabccb" in shown
    folder = tmp_path / "runs" / "tour"
    assert (folder / "rhyming" / "report.html").exists()
    assert (folder / "adapter" / "adapter_model.safetensors").exists()
