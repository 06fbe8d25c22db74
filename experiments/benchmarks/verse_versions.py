"""The speed of verse analysis in two versions of rlpoet, in turns in one run: is the newer one slower?

    git worktree add ../before ab863d4
    python -m experiments.benchmarks.verse_versions FOLDER --before ../before --out experiments/results/verse_versions.json

``FOLDER`` has ``fr.jsonl.gz``, ``es.jsonl.gz`` and ``en.jsonl.gz``, a poem per line with ``stanzas``. Each version answers in a process of
its own, both on one core. The lines are cut into as many parts as there are repeats. Of each part the versions read a few stanzas in turn,
so that what else the machine does meets both. Times are of the process, not of the clock. *Cold*: lines that the process has not met,
though it may have met their words. *Warm*: the same lines again. *scan* is the likeliest reading of each line, *rhymes* the kind of rhyme
of all lines at most ``APART`` lines apart in one stanza.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import gzip
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

LANGUAGES = ("fr", "es", "en")
APART = 6  # lines
SLICE = 10  # stanzas that one version reads before the other has its turn
PARTS = ("scan cold", "scan warm", "rhymes cold", "rhymes warm")


def stanzas_of(path: Path, n_lines: int) -> list[list[str]]:
    """The first stanzas of a corpus, with ``n_lines`` lines or a few more in all."""
    found: list[list[str]] = []
    n = 0
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in rows:
            for lines in json.loads(row)["stanzas"]:
                found.append(lines)
                n += len(lines)
            if n >= n_lines:
                break
    return found


def measure(lang: str, stanzas: list[list[str]]) -> dict[str, float]:
    """CPU-seconds of each part, of the rlpoet that is imported."""
    from rlpoet.prosody import verse
    from rlpoet.prosody.rhyme import rhyme_kind

    rules = verse(lang)
    rules.scan("o")
    rhyme_kind("o", "a", lang)
    times = {}
    for part in PARTS:
        started = time.process_time()
        for lines in stanzas:
            if part.startswith("scan"):
                for line in lines:
                    rules.scan(line)
            else:
                for i, line in enumerate(lines):
                    for other in lines[i + 1 : i + 1 + APART]:
                        rhyme_kind(line, other, lang)
        times[part] = time.process_time() - started
    return times


class Version:
    """A process with the rlpoet of a folder that answers ``measure``."""

    def __init__(self, root: Path, lang: str, core: int) -> None:
        environment = os.environ | {"PYTHONPATH": str(root.resolve()), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(Path(__file__).resolve()), "--measure", lang, "--core", str(core)]
        self.process = subprocess.Popen(command, env=environment, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, stanzas: list[list[str]]) -> dict[str, float]:
        """The times of the version for some stanzas."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(stanzas) + "\n")
        self.process.stdin.flush()
        times: dict[str, float] = json.loads(self.process.stdout.readline())
        return times

    def close(self) -> None:
        self.process.communicate()


def compare(lang: str, before: Path, now: Path, corpus: Path, n_lines: int, repeats: int, core: int) -> dict[str, list[float]]:
    """The ratio now / before of each part's times, one per repeat."""
    stanzas = stanzas_of(corpus / f"{lang}.jsonl.gz", n_lines)
    versions = {"now": Version(now, lang, core), "before": Version(before, lang, core)}
    ratios: dict[str, list[float]] = {part: [] for part in PARTS}
    for repeat in range(repeats):
        own = stanzas[repeat::repeats]
        times = {name: dict.fromkeys(PARTS, 0.0) for name in versions}
        for start in range(0, len(own), SLICE):
            for name in ("before", "now") if start // SLICE % 2 else ("now", "before"):
                for part, seconds in versions[name].ask(own[start : start + SLICE]).items():
                    times[name][part] += seconds
        for part in PARTS:
            ratios[part].append(times["now"][part] / times["before"][part])
        print(json.dumps({"repeat": repeat, "lang": lang, **times}), file=sys.stderr, flush=True)
    for version in versions.values():
        version.close()
    return ratios


def result(ratios: dict[str, dict[str, list[float]]], commits: dict[str, str], n_lines: int) -> dict[str, Any]:
    """The table for ``experiments/results``."""
    medians = {(lang, part): statistics.median(own) for lang, parts in ratios.items() for part, own in parts.items()}
    worst = max(medians, key=lambda at: medians[at])
    cold = [ratio for (_, part), ratio in medians.items() if part.endswith("cold")]
    return {
        "title": "Verse analysis before and after the second round",
        "question": "Is verse analysis slower than before the second round of rules and tables?",
        "says": f"A new line takes {min(cold):.2f} to {max(cold):.2f} times as long. The largest factor is {medians[worst]:.2f}, "
        f"of {worst[1]} in {worst[0]}.",
        "limits": "These are ratios of process times on a busy machine. Warm figures mostly time cache look-ups.",
        "command": "python -m experiments.benchmarks.verse_versions FOLDER --before WORKTREE",
        "commit": commits["now"],
        "date": time.strftime("%Y-%m-%d"),
        "seeds": [],
        "brackets": "the lowest and the highest of the repeats",
        "columns": ["time now / before", *PARTS],
        "rows": [
            [
                lang,
                *(
                    {"mean": round(medians[lang, part], 2), "interval": [round(min(own), 2), round(max(own), 2)]}
                    for part, own in parts.items()
                ),
            ]
            for lang, parts in ratios.items()
        ],
        "notes": [
            f"Before: commit {commits['before']}. {n_lines} lines a language; medians of repeats in turns, in fresh processes, one thread."
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", nargs="?", type=Path, help="folder of LANG.jsonl.gz")
    parser.add_argument("--before", type=Path, help="folder of the older version")
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1, help="languages measured at a time")
    parser.add_argument("--core", type=int, help="of both versions; the last one by default")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=LANGUAGES, help="answer the stanzas on standard input, as one version")
    args = parser.parse_args()
    core = max(os.sched_getaffinity(0)) if args.core is None else args.core
    if args.measure:
        os.sched_setaffinity(0, {core})
        for row in sys.stdin:
            print(json.dumps(measure(args.measure, json.loads(row))), flush=True)
        return
    if args.corpus is None or args.before is None:
        parser.error("FOLDER or --before: missing; expected the corpora and the older version. Make one with git worktree add.")
    now = Path(__file__).resolve().parents[2]
    commits = {
        name: subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=root, text=True, capture_output=True, check=True).stdout.strip()
        for name, root in (("before", args.before), ("now", now))
    }
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        compared = pool.map(lambda lang: compare(lang, args.before, now, args.corpus.resolve(), args.lines, args.repeats, core), LANGUAGES)
        ratios = dict(zip(LANGUAGES, compared, strict=True))
    told = json.dumps(result(ratios, commits, args.lines), indent=1, ensure_ascii=False)
    print(told)
    if args.out:
        args.out.write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
