"""What the default run brings on this machine, or on one like most laptops: before and after, updates, seconds.

    python -m experiments.benchmarks.main_job --langs fr es en                 # this machine as it is
    python -m experiments.benchmarks.main_job --langs fr es en --ordinary      # AVX2 without bfloat16, one core

``--ordinary`` takes from torch, its libraries and numba every vector unit beyond AVX2 and leaves one core: a stand-in for two cores of
half its speed. ``gflops`` is the pace of float32 products there. The job is ``rlpoet train --lang LANG`` with nothing else set but the
seed and the folder. Rows go to ``experiments/results/main_job.json``, one a machine, language and seed; ``--dry`` only prints them.
Run nothing else on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "results" / "main_job.json"
ORDINARY = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "NUMBA_CPU_NAME": "haswell",
    "OPENBLAS_CORETYPE": "Haswell",
}
FIGURES = (
    "target_kl", "rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas", "distinct_end_words", "rhyme_sound_entropy",
    "prior_nll_per_token",
)  # fmt: skip


def job(lang: str, seed: int, *, ordinary: bool, core: int) -> dict[str, Any]:
    """One row: the default run of a language in a process of its own."""
    limits = ORDINARY if ordinary else {}
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        argv = [sys.executable, "-m", "rlpoet", "train", "--lang", lang, "--seed", str(seed), "--output_dir", str(run)]

        def one_core() -> None:
            if ordinary:
                os.sched_setaffinity(0, {core})

        done = subprocess.run(
            argv, env={**os.environ, **limits}, preexec_fn=one_core,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        sys.stderr.write(done.stderr)
        if done.returncode:
            raise SystemExit(f"rlpoet train ended with {done.returncode}")
        result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    pace = re.search(r"precision (\w+): (\d+) GFLOP/s", done.stderr)
    return {
        "machine": "AVX2, one core" if ordinary else "as it is", "lang": lang, "seed": seed, "command": " ".join(["rlpoet", *argv[3:8]]),
        "commit": result["commit"], "precision": pace[1] if pace else None, "gflops": int(pace[2]) if pace else None,
        "minutes": round(result["seconds"] / 60, 2), "updates": result["steps"], "poems": result["fresh_samples"],
        "before": {name: result["before"][name] for name in FIGURES}, "after": {name: result["after"][name] for name in FIGURES},
        "intervals": result.get("intervals"),
    }  # fmt: skip


def keep(row: dict[str, Any]) -> None:
    """Put a row in the place of the one of that machine, language and seed."""
    rows = json.loads(RESULTS.read_text(encoding="utf-8"))["rows"] if RESULTS.exists() else []
    same = ("machine", "lang", "seed")
    rows = sorted([r for r in rows if any(r[key] != row[key] for key in same)] + [row], key=lambda r: [str(r[key]) for key in same])
    RESULTS.parent.mkdir(exist_ok=True)
    table = {"command": "python -m experiments.benchmarks.main_job [--ordinary]", "rows": rows}
    RESULTS.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--ordinary", action="store_true", help="emulate a machine without AVX-512 and bfloat16, one core")
    parser.add_argument("--core", type=int, default=0, help="which core, with --ordinary")
    parser.add_argument("--dry", action="store_true", help="print rows, keep none")
    args = parser.parse_args()
    for seed in args.seeds:
        for lang in args.langs:
            row = job(lang, seed, ordinary=args.ordinary, core=args.core)
            print(json.dumps(row, ensure_ascii=False), flush=True)
            if not args.dry:
                keep(row)


if __name__ == "__main__":
    main()
