"""Do the shipped models' poems make sense? What ``generate`` delivers and single draws, beside human verse of the same form.

    python -m experiments.studies.sense --corpora FOLDER --langs fr es en       # writes experiments/results/sense.json

FOLDER holds verse by people, ``LANG.jsonl.gz``. ``N`` quatrains abab of a side, drawn by seed. Half of the human poems are shown, the other
half trains the classifier. Needs the extras ``sense`` and ``embeddings``. No judge is a reward or the sampler's word list.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from experiments.release.results_page import RESULTS
from rlpoet.training.run import commit

N, MOST_POEMS, SEED = 300, 8000, 0
SIDES = {"delivered": [], "single draws": ["--raw", "--top_p", "1"]}
COLUMNS = {  # heading -> figure, factor, digits
    "with an invented word, %": ("invented_words", 100, 1), "coherence, AUC": ("coherence_auc", 1, 3),
    "told from human verse, AUC": ("classifier_auc", 1, 3), "distinct pairs of words": ("distinct_bigrams", 1, 3),
    "sounds, nats": ("rhyme_sound_entropy", 1, 2),
}  # fmt: skip


def rlpoet(*argv: str) -> str:
    done = subprocess.run([sys.executable, "-m", "rlpoet", *argv], stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def measured(lang: str, corpus: Path, folder: Path) -> list[list[Any]]:
    """A row of each side; human verse first."""
    rows: list[list[Any]] = []
    for side, options in SIDES.items():
        poems = folder / f"{lang}-{side.replace(' ', '-')}.txt"
        rlpoet("generate", "--lang", lang, "--form", "quatrain-abab", "-n", str(N), "--seed", str(SEED), "--out", str(poems), *options)
        found = json.loads(
            rlpoet(
                "evaluate", "--texts", str(poems), "--human", str(corpus), "--max_poems", str(MOST_POEMS), "--lang", lang, "-n", str(N),
                "--prior", "none", "--threads", "1", "--rewards", "meter", "--sense", "--json",
            )
        )["sense"]  # fmt: skip
        rows = rows or [row(f"{lang}, human", found["human"])]
        rows.append(row(f"{lang}, {side}", found["texts"]))
        sys.stderr.write(f"{rows[-1]}\n")
    return rows


def row(name: str, figures: dict[str, Any]) -> list[Any]:
    cells = []
    for key, factor, digits in COLUMNS.values():
        low, high = figures[f"{key}_95"]
        bounds = [round(factor * bound, digits) for bound in (low, high)]
        cells.append({"mean": round(factor * figures[key], digits), "interval": bounds})
    return [name, *cells]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--corpora", type=Path, required=True, help="folder of verse by people, LANG.jsonl.gz")
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [line for lang in args.langs for line in measured(lang, args.corpora / f"{lang}.jsonl.gz", Path(folder))]
    path = RESULTS / "sense.json"
    said = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}  # sentences are written by hand, and checked again
    table = {
        "title": "Sense",
        "question": "Do the shipped models' poems make sense, as far as it can be counted?",
        **{key: said.get(key, "") for key in ("says", "limits")},
        "command": "python -m experiments.studies.sense --corpora FOLDER",
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seeds": [SEED],
        "columns": ["poems", *COLUMNS],
        "rows": rows,
        "brackets": "95 % over poems",
        "notes": [
            f"{N} quatrains abab a side. Invented: in neither wordfreq nor Hunspell, older spellings aside.",
            "Coherence: own lines against lines of several poems of the set, by E5 (English: MiniLM); 0.5 is chance.",
            "The classifier reads characters; 0.5 cannot be told from human verse.",
        ],
    }
    path.write_text(json.dumps(table, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
