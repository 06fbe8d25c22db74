"""Learn how often French vowels in contact are read apart, from lines whose length is known.

Expectation maximisation: the chance of each doubtful nucleus given the line's length, with the chances of
its more general keys as a prior (strength PRIOR_STRENGTH). Only keys that say something their more general
key does not are written.

    python experiments/release/tables/build_fr_dierese.py ../shared/gold/meter_fr_dev.jsonl.gz rlpoet/phonology/fr/data/dierese.tsv
"""

from __future__ import annotations

import argparse
import collections
import gzip
import hashlib
import itertools
import json
from pathlib import Path

from rlpoet.prosody.fr import readings as fr_reading
from rlpoet.prosody.fr import syllables as fr_syllables
from rlpoet.prosody.fr.syllables import PRIOR_STRENGTH

ROUNDS = 8
WORTH_WRITING = 0.02
LEAST_SEEN = 0.9
MOST_OF_ONE_WORD = 2.0  # unseen words resemble rare ones: a frequent word tells its endings no more than this
FLOOR = 0.002

Slots = list[tuple[tuple[str, ...], float]]


def read_lines(path: Path, part: str) -> list[tuple[str, int]]:
    """Lines with their lengths; ``part`` is all, train (four fifths of the poems) or held."""
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in rows:
            item = json.loads(row)
            fold = int(hashlib.sha1(item["id"].encode()).hexdigest(), 16) % 5
            if part == "all" or (part == "held") == (fold == 0):
                found.append((item["line"], item["syllables"]))
    return found


def slots_of(line: str) -> tuple[int, Slots]:
    """Sure nuclei of a line and the keys of the doubtful ones."""
    sure, slots = 0, []
    for mark in fr_reading.line_marks(line):
        if mark.last:
            continue
        if mark.keys:
            start = fr_syllables.START_P.get(mark.keys[-1], mark.start_p)
            slots.append((mark.keys, start))
        else:
            sure += mark.p > 0.5
    return sure, slots


def posterior(chances: list[float], wanted: int) -> list[float] | None:
    """Chance that each yes-or-no slot is yes when ``wanted`` of them are; None if impossible."""
    n = len(chances)
    ahead = [[0.0] * (n + 2) for _ in range(n + 1)]
    behind = [[0.0] * (n + 2) for _ in range(n + 1)]
    ahead[0][0] = behind[n][0] = 1.0
    for i, p in enumerate(chances):
        for k in range(i + 2):
            ahead[i + 1][k] = ahead[i][k] * (1 - p) + (ahead[i][k - 1] * p if k else 0.0)
    for i in range(n - 1, -1, -1):
        p = chances[i]
        for k in range(n - i + 1):
            behind[i][k] = behind[i + 1][k] * (1 - p) + (behind[i + 1][k - 1] * p if k else 0.0)
    total = ahead[n][wanted] if 0 <= wanted <= n else 0.0
    if total < 1e-9:
        return None
    return [
        p * sum(ahead[i][k] * behind[i + 1][wanted - 1 - k] for k in range(min(i + 1, wanted)) if wanted - 1 - k <= n - i) / total
        for i, p in enumerate(chances)
    ]


def learn(lines: list[tuple[str, int]]) -> tuple[dict[str, float], dict[str, float], dict[str, str]]:
    """Chance and number seen of each key, and the more general key of each."""
    data = [(*slots_of(line), n) for line, n in lines]
    parent: dict[str, str] = {}
    starts: dict[str, list[float]] = collections.defaultdict(list)
    for _, slots, _ in data:
        for keys, start in slots:
            for special, general in itertools.pairwise(keys):
                parent[special] = general
            starts[keys[-1]].append(start)
    root = {key: sum(values) / len(values) for key, values in starts.items()}
    words = collections.Counter(keys[0] for _, slots, _ in data for keys, _ in slots)
    p: dict[str, float] = {}
    seen: dict[str, float] = {}
    for _ in range(ROUNDS):
        yes: dict[str, float] = collections.defaultdict(float)
        seen = collections.defaultdict(float)
        for sure, slots, n in data:
            chances = [next((p[key] for key in keys if key in p), start) for keys, start in slots]
            answers = posterior([min(max(c, FLOOR), 1 - FLOOR) for c in chances], n - sure)
            if answers is None:
                continue
            for (keys, _), answer in zip(slots, answers, strict=True):
                share = min(1.0, MOST_OF_ONE_WORD / words[keys[0]])
                for key in keys:
                    weight = 1.0 if key == keys[0] else share
                    yes[key] += answer * weight
                    seen[key] += weight
        p = {}
        for key in sorted(seen, key=lambda k: depth(k, parent)):
            base = p[parent[key]] if key in parent else root[key]
            p[key] = (yes[key] + PRIOR_STRENGTH * base) / (seen[key] + PRIOR_STRENGTH)
    return p, dict(seen), parent


def depth(key: str, parent: dict[str, str]) -> int:
    n = 0
    while key in parent:
        key, n = parent[key], n + 1
    return n


def worth_writing(p: dict[str, float], seen: dict[str, float], parent: dict[str, str]) -> list[tuple[str, float, float]]:
    """Keys whose chance differs from what a reader without them would take."""
    kept: dict[str, float] = {}
    for key in sorted(p, key=lambda k: depth(k, parent)):
        up = parent.get(key)
        while up is not None and up not in kept:
            up = parent.get(up)
        if up is None or (abs(p[key] - kept[up]) > WORTH_WRITING and seen[key] > LEAST_SEEN):
            kept[key] = p[key]
    return sorted((key, min(max(value, FLOOR), 1 - FLOOR), seen[key]) for key, value in kept.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold", type=Path)
    parser.add_argument("table", type=Path)
    parser.add_argument("--part", choices=("all", "train"), default="all")
    args = parser.parse_args()
    rows = worth_writing(*learn(read_lines(args.gold, args.part)))
    with args.table.open("w", encoding="utf-8", newline="\n") as out:
        out.write("% How often a French vowel in contact (or a doubtful mute e) counts as a syllable of its own (build_fr_dierese.py).\n")
        out.write("key\tp\tn\n")
        out.writelines(f"{key}\t{p:.3f}\t{n:.0f}\n" for key, p, n in rows)


if __name__ == "__main__":
    main()
