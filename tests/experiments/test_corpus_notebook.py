"""The notebook of a corpus runs from its first cell to its last, on the poems that it names."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

NOTEBOOK = Path(__file__).parents[2] / "experiments" / "corpus.ipynb"


@pytest.fixture
def cells() -> list[dict]:
    found = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert all(not cell["outputs"] for cell in found)  # nobody's machine in the file
    return found


def test_the_notebook_goes_from_a_folder_to_tables_and_plots(cells, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    names: dict[str, object] = {}
    try:
        for cell in cells:
            exec("".join(cell["source"]), names)
            if "parameters" in cell["metadata"].get("tags", []):
                assert {"CORPUS", "OUT"} <= names.keys()
                names["CORPUS"] = str((NOTEBOOK.parent / str(names["CORPUS"])).resolve())
        assert len(plt.get_fignums()) == 3
    finally:
        plt.close("all")
    lines, poems = names["lines"], names["poems"]
    n_files = len(list(Path(str(names["CORPUS"])).glob("*.txt")))
    assert len(poems) == n_files == len(set(lines["poem"])) and len(lines) == poems["lines"].sum()
    assert "6+6" in capsys.readouterr().out
    assert abs(names["shares"].sum(axis=1) - 1).max() < 1e-9
