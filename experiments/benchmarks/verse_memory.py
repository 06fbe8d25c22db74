"""The memory that verse analysis takes as new words go on coming: is it bounded?

    python -m experiments.benchmarks.verse_memory --out experiments/results/verse_memory.json

Words are made of syllables, none twice, twelve to a line. Each line is scanned, asked whether it is in meter, and rhymed with the line
before, so that every cache of words, lines and pairs fills. One process per language. Its resident memory is read when the tables are
loaded and after each part of the words; the peak is the process's own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PARTS = 3
WORDS_PER_LINE = 12
SYLLABLES = {  # openings, vowels, ends of words
    "fr": ("b bl c cr d f g gr j l m n p pl qu r s t tr v", "a ai an e é eau i in o oi on ou u", "_ e es r t x"),
    "es": ("b br c d f g gr j l ll m n ñ p pl qu r s t tr v", "a á e é i ia ie í o ó u ue", "_ s n r l d"),
    "en": ("b bl ch cl d dr f g h j k l m n p r s sh st t th tr v w", "a ai e ee ea i o oa oo ou u", "_ d e n r s ss t st ly ed ing"),
}


def new_words(lang: str, seed: int) -> Iterator[str]:
    """Words of three syllables in random order, none twice: over 200,000 in each language."""
    openings, vowels, ends = (cell.replace("_", "").split(" ") for cell in SYLLABLES[lang])
    n = [len(part) for part in (openings, vowels, openings, vowels, openings, vowels, ends)]
    order = random.Random(seed)
    seen: set[str] = set()
    while True:
        a, b, c, d, e, f, g = (order.randrange(most) for most in n)
        word = openings[a] + vowels[b] + openings[c] + vowels[d] + openings[e] + vowels[f] + ends[g]
        if word not in seen:
            seen.add(word)
            yield word


def resident() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(lang: str, n_words: int, seed: int) -> dict[str, Any]:
    """Resident memory in MB before the first word and after each part, and the peak of the process."""
    from rlpoet.prosody import meter, verse
    from rlpoet.prosody.rhyme import rhyme_kind

    words = new_words(lang, seed)
    verse(lang).scan("o")
    found, lines, previous = [resident()], n_words // WORDS_PER_LINE, "o"
    for part in range(PARTS):
        for _ in range(lines * part // PARTS, lines * (part + 1) // PARTS):
            line = " ".join(itertools.islice(words, WORDS_PER_LINE))
            meter.scan(line, lang)
            meter.in_meter(line, lang, (10, 12))
            rhyme_kind(previous, line, lang)
            previous = line
        found.append(resident())
    # the words that were drawn are known to the generator alone: some 20 MB that are not of the analysis
    return {"resident": [round(mb) for mb in found], "peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)}


def result(found: dict[str, dict[str, Any]], n_words: int, commit: str, seed: int) -> dict[str, Any]:
    """The table for ``experiments/results``."""
    most = max(own["peak"] for own in found.values())
    grown = max(own["resident"][-1] - own["resident"][-2] for own in found.values())
    thirds = [f"after {n_words * part // PARTS:,}" for part in range(1, PARTS + 1)]
    return {
        "title": "Memory of verse analysis",
        "question": f"How much memory does verse analysis take after {n_words:,} words that it has never met?",
        "says": f"At most {most} MB at the peak; the last third of the words adds {grown} MB or less.",
        "limits": "Every cache of words, lines and pairs has a limit, where old entries make room for new ones.",
        "command": "python -m experiments.benchmarks.verse_memory",
        "commit": commit,
        "date": time.strftime("%Y-%m-%d"),
        "seeds": [seed],
        "columns": ["language, MB", "tables loaded", *thirds, "peak"],
        "rows": [[lang, *own["resident"], own["peak"]] for lang, own in found.items()],
        "notes": [f"{WORDS_PER_LINE} words to a line. A process per language; the set of words drawn, some 20 MB, is counted too."],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=int, default=210_000, help="distinct new words per language")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--langs", nargs="+", choices=SYLLABLES, default=list(SYLLABLES))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", choices=SYLLABLES, help="measure one language in this process")
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure, args.words, args.seed)))
        return
    command = [sys.executable, "-m", "experiments.benchmarks.verse_memory", "--words", str(args.words), "--seed", str(args.seed)]
    found = {}
    for lang in args.langs:
        done = subprocess.run([*command, "--measure", lang], text=True, capture_output=True, check=True)
        found[lang] = json.loads(done.stdout)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], text=True, capture_output=True, check=True).stdout.strip()
    told = json.dumps(result(found, args.words, commit, args.seed), indent=1)
    print(told)
    if args.out:
        args.out.write_text(told + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
