"""The arithmetic of accuracy on annotated verse: what is asked of a tool, and what its answers score.

Rhyme is judged by pairs of lines at most ``WINDOW`` apart in one stanza, scansion line by line.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
WINDOW, LONGEST_POEM = 6, 60
N_PER_SOURCE = {
    "fr": {"metrique_en_ligne": 600, "chicago_fr": 600},
    "en": {"chicago_en": 1500, "4b4v": 100},
    "es": {"adso_sonnets_form": 600, "disco_19th_form": 500, "disco_18th_form": 200, "plc_form": 100},
}
N_METER = {"fr": 3000, "es": 2000, "en": 1100}


def pairs_of(n: int, stanza: Sequence[int] | None = None) -> list[tuple[int, int]]:
    """Line pairs that are judged: at most ``WINDOW`` apart, in one stanza."""
    return [(i, j) for i in range(n) for j in range(i + 1, min(i + WINDOW + 1, n)) if stanza is None or stanza[i] == stanza[j]]


def read_gold(path: Path, per_source: int | dict[str, int]) -> list[Row]:
    """Annotated items, at most so many of each source, in the order of their hashes."""
    by_source: dict[str, list[Row]] = {}
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        for row in stream:
            item = json.loads(row)
            by_source.setdefault(item["source"], []).append(item)

    def digest(item: Row) -> str:
        return hashlib.sha1((item.get("line") or "\n".join(item["lines"])).encode()).hexdigest()

    kept: list[Row] = []
    for source in sorted(by_source):
        limit = per_source.get(source) if isinstance(per_source, dict) else per_source
        kept += sorted(by_source[source], key=digest)[:limit]
    return kept


def ask_rhymes(item: Row) -> Row:
    """The judged pairs of a poem: both lines annotated, in one stanza."""
    lines, scheme, stanza = (item[key][:LONGEST_POEM] for key in ("lines", "scheme", "stanza"))
    pairs = [(i, j) for i, j in pairs_of(len(lines), stanza) if scheme[i] is not None and scheme[j] is not None]
    return {"lines": lines, "pairs": pairs}


def score_rhymes(items: Sequence[Row], answers: Sequence[Row], ambiguous: dict[str, list[list[int]]]) -> Row:
    """Precision, recall and F1 over pairs; ``distinct_F1`` without the ambiguous ones. Assonant poems apart."""
    counts = {name: Counter[str]() for name in ("all", "distinct", "assonant")}
    for item, answer in zip(items, answers, strict=True):
        row = ask_rhymes(item)
        key = hashlib.sha1("\n".join(row["lines"]).encode()).hexdigest()[:16]
        skipped = {tuple(pair) for pair in ambiguous.get(key, ())}
        for (i, j), said in zip(row["pairs"], answer["rhymes"], strict=True):
            true = item["scheme"][i] == item["scheme"][j]
            outcome = ("tp" if true else "fp") if said else ("fn" if true else "tn")
            for name in ["assonant"] if item.get("rtype") == "assonant" else ["all", "distinct"]:
                counts[name][outcome] += name != "distinct" or (i, j) not in skipped
    found = {f"{name}_{key}": value for name, count in counts.items() if count["tp"] for key, value in _f1(count).items()}
    return {key.removeprefix("all_"): value for key, value in found.items() if key.startswith("all_") or key.endswith("F1")}


def _f1(count: Counter[str]) -> dict[str, float]:
    p, r = count["tp"] / max(count["tp"] + count["fp"], 1), count["tp"] / max(count["tp"] + count["fn"], 1)
    return {"P": round(p, 4), "R": round(r, 4), "F1": round(2 * p * r / max(p + r, 1e-9), 4)}


def ask_meter(items: Sequence[Row]) -> list[list[Row]]:
    """The four questions about each line: free, at its length, one less, one more."""
    aimed = [[{"line": item["line"], "target": item["syllables"] + d} for item in items] for d in (0, -1, 1)]
    return [[{"line": item["line"]} for item in items], *aimed]


def score_meter(items: Sequence[Row], answers: Sequence[Sequence[Row]]) -> Row:
    """Shares of lines right; a figure the tool gives for no line is absent."""
    free, aimed, less, more = answers
    lengths = [item["syllables"] for item in items]
    right: dict[str, list[bool]] = {}
    if any(a["syllables"] is not None for a in free):
        right["count"] = [a["syllables"] == n for a, n in zip(free, lengths, strict=True)]
    if any(a.get("fits") for a in aimed):
        right["fits"] = [bool(a.get("fits")) for a in aimed]
        near = zip(right["fits"], less, more, strict=True)
        right["unique"] = [fits and not a.get("fits") and not b.get("fits") for fits, a, b in near]
    stresses = [(item["stress"] or "").replace("s", "+").replace("w", "-") for item in items]
    for name, given in (("stress", free), ("stress_given_length", aimed)):
        if any(a.get("stress") for a in given) and any(stresses):
            right[name] = [a.get("stress") == s for a, s in zip(given, stresses, strict=True) if s]
    return {name: round(sum(hits) / len(hits), 4) for name, hits in right.items()}


def every(items: Sequence[Row], seconds: float, cost: float) -> range:
    """Places of the items that a tool which takes ``cost`` seconds for all of them can be asked in ``seconds``."""
    return range(0, len(items), max(1, -int(-cost // seconds)))
