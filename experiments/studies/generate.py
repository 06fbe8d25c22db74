"""What `rlpoet generate` delivers: share accepted, draws and CPU-seconds per quatrain, and how many keep their form.

    python -m experiments.studies.generate --n 300 --seed 0

Runs the command line as a user would, with one thread, for the rhyming policy and the prior of each language, then reads what it wrote:
`rlpoet evaluate --texts` counts by the ear of the rewards, and the second judge, which shares no code with them, counts again.
Writes ``experiments/results/generate.json``.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rlpoet.evaluation.second_judge import judged, second_judge
from rlpoet.prosody.forms import form
from rlpoet.text import write_atomically

OUT = Path(__file__).resolve().parents[1] / "results" / "generate.json"
FORM = "quatrain-abab"
COLUMNS = [
    "policy", "accepted", "draws per poem", "most draws", "CPU-s per poem", "CPU-s of one poem", "perfect, words known",
    "perfect", "pairs", "pairs, second judge", "lines, second judge", "perfect, second judge",
]  # fmt: skip
WAYS: Mapping[str, tuple[str, ...]] = {"until it keeps its form": ("--best_of", "1"), "once (`--raw`)": ("--raw",)}


def rlpoet(*arguments: str) -> tuple[str, float]:
    """What a command wrote, and its CPU-seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "rlpoet", *arguments], stdout=subprocess.PIPE, text=True, check=True, env=environment, encoding="utf-8"
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(policy: str, way: str, *, n: int, seed: int) -> list[Any]:
    """One row of the table."""
    lang, flags = policy.partition("-")[0], WAYS[way]
    common = ("generate", "--policy", policy, "--form", FORM, "--seed", str(seed), "--json", *flags)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poems.txt"
        shown, cpu = rlpoet(*common, "-n", str(n), "--out", str(path))
        told, _ = rlpoet("evaluate", "--texts", str(path), "--lang", lang, "--forms", FORM, "--prior", "none", "--json")
    _, cpu_of_one = rlpoet(*common)
    poems = [json.loads(line) for line in shown.splitlines()]
    figures = json.loads(told)["texts"][FORM]
    judge, asked = second_judge(lang), form(FORM, lang)
    if judge is None:
        raise SystemExit(f"{lang}: no second judge")
    second = [judged(judge, asked, poem["lines"]) for poem in poems]
    draws = [poem["draws"] for poem in poems]
    whole = sum(pairs == len(asked.pairs) and lines == asked.n_lines for pairs, lines in second)
    return [
        policy, way, percent(poems[0]["acceptance"]), round(sum(draws) / n, 2), max(draws), round(cpu / n, 3), round(cpu_of_one, 1),
        percent(sum(poem["perfect"] for poem in poems) / n), percent(figures["perfect_stanzas"]), percent(figures["rhyme_pairs"]),
        percent(figures["second_rhyme_pairs"]), percent(figures["second_lines_in_meter"]), percent(whole / n),
    ]  # fmt: skip


def percent(share: float) -> float:
    return round(100 * share, 1)


def beside(row: Sequence[Any], raw: Sequence[Any]) -> list[Any]:
    """One row of both ways: the figures of single draws stand beside the others where they can differ."""
    draws = row[2:5]  # single draws have none
    return [row[0], *draws, *({"mean": kept, "beside": single} for kept, single in zip(row[5:], raw[5:], strict=True))]


def at_least(percents: Iterable[float]) -> str:
    """The least of some percentages, in words.

    >>> at_least([100.0, 99.0]), at_least([100.0])
    ('at least 99.0 %', 'all')
    """
    least = min(percents)
    return "all" if least == 100 else f"at least {least:.1f} %"


def table_of(rows: Sequence[Sequence[Any]], *, n: int, seed: int) -> dict[str, Any]:
    """The file of these rows."""
    kept = [row for row in rows if row[1] in list(WAYS)[:1]]
    once = [row for row in rows if row not in kept]
    low, high = min(row[2] for row in kept), max(row[2] for row in kept)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "title": "What `rlpoet generate` delivers",
        "question": "How many quatrains keep their form if each is drawn until it does, and at what cost?",
        "says": f"{low:.0f} to {high:.0f} % of the drawn poems are accepted. Of those shown, {at_least(row[8] for row in kept)} are "
        f"perfect by rlpoet's own rules. By the second judge, {at_least(row[10] for row in kept)} of their pairs rhyme.",
        "limits": "The rules that accept a poem also count it. The second judge errs more often, and allows one length per Spanish line "
        "where verse allows several.",
        "command": f"python -m experiments.studies.generate --n {n} --seed {seed}",
        "commit": commit,
        "date": datetime.date.today().isoformat(),
        "seeds": [seed],
        "brackets": "poems drawn once (`--raw`)",
        "columns": COLUMNS,
        "rows": [beside(row, raw) for row, raw in zip(kept, once, strict=True)],
        "notes": [
            f"{n} {FORM} a row, one after the other in batches of at most 64, at the defaults of `generate` (likeliest 95 % of "
            "tokens); one thread, CPU time.",
            "CPU-s per poem: of the whole command, its start and all scores included, over the number of poems; CPU-s of one poem: of a "
            "command that writes one.",
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=300, help="quatrains a row")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--langs", nargs="+", default=["fr", "es", "en"])
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = []
    for lang in options.langs:
        for policy in (f"{lang}-tb", lang):
            for way in WAYS:
                rows.append(measured(policy, way, n=options.n, seed=options.seed))
                print(json.dumps(rows[-1], ensure_ascii=False), flush=True)
    table = table_of(rows, n=options.n, seed=options.seed)
    write_atomically(options.out, json.dumps(table, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
