"""Fit the weights of Spanish junctures (``meter_weights.tsv``) on lines scanned by hand.

A log-linear model over the readings of a line: each reading sums the weights of what it does against the usual
(dialefa, sinéresis, diéresis), of neighbouring junctures that join or part together, and of its length. Maximised is
the chance of the readings that agree with the annotated stresses, less an L2 penalty. Readings with more than
``MOST_RARE`` unusual junctures are left out. Weights that a poem cannot tell (``BY_HAND``) are set, not fitted.

    python -m experiments.release.tables.fit_es_meter ../shared/gold/meter_es_dev.jsonl.gz                     # folds by author only
    python -m experiments.release.tables.fit_es_meter ../shared/gold/meter_es_dev.jsonl.gz --out rlpoet/phonology/es/data/meter_weights.tsv
"""

from __future__ import annotations

import argparse
import collections
import gzip
import hashlib
import itertools
import json
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from rlpoet.phonology.es import tables as es_tables
from rlpoet.prosody.es import readings as es_meter
from rlpoet.prosody.es import scansion as es_scan
from rlpoet.prosody.es import vowel_groups as es_cells
from rlpoet.prosody.es.readings import Laid, Reading, lay, stress_pattern, triple_features
from rlpoet.prosody.es.vowel_groups import CONJUNCTIONS, fold_letters

MOST_RARE = 4
LEAST_SEEN = 2  # a feature of one line only is noise
ROUNDED = 0.02
FLOOR = -5.0
BY_HAND = {"d:popular": FLOOR, "n:14": FLOOR, "n:other": FLOOR}
HEADER = """% Log-odds for the rarer reading of a juncture, by feature (see prosody/es_cells.py and SOURCES.md).
% Written by experiments/release/tables/fit_es_meter.py, not by hand:
% d diéresis, h sinéresis, s dialefa, w a word, l/r left/right word, t two junctures together, n: the lengths of lines.
feature\tweight
"""


class Seen(NamedTuple):
    """An annotated line and what its readings do: ``atoms`` of every reading, and how far each is from the annotation."""

    author: str
    readings: list[tuple[tuple[str, ...], ...]]
    distance: list[int]


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        return [json.loads(row) for row in rows]


def lay_line(line: str) -> Laid:
    folded, places = fold_letters(line)
    return lay(folded, line if places is None else "".join(line[at] for at in places[:-1]))


def readings_of(laid: Laid) -> list[tuple[int, str, int, tuple[tuple[str, ...], ...]]]:
    """Count, stress, conjunctions on the wrong side and atoms (feature tuples) of every reading with few unusual junctures."""
    soft, sure = laid.soft, laid.last + 2 - len(laid.soft)
    found = []
    for n in range(min(MOST_RARE, len(soft)) + 1):
        for rare in itertools.combinations(soft, n):
            tied = {i: bool(laid.junctures[i].joined) != (i in rare) for i in soft}
            atoms = [laid.junctures[i].features for i in rare]
            amiss = 0
            for i in soft:
                if i - 1 not in tied:
                    continue
                both = triple_features(laid, i, tied[i]) if tied[i - 1] is tied[i] else ()
                if both:
                    atoms.append(both)
                amiss += leans_back(laid, tied, i - 1)
            count = sure + sum(not joined for joined in tied.values())
            atoms.append((f"n:{count}",))
            mask = sum(1 << k for k, i in enumerate(soft) if tied[i])
            found.append((count, stress_pattern(laid, Reading(count, 0.0, mask)), amiss, tuple(atoms)))
    return found


def leans_back(laid: Laid, tied: dict[int, bool], i: int) -> bool:
    """Whether a conjunction between two vowels goes with the first: the stresses cannot tell, the handbooks say with the second."""
    return laid.words[laid.owner(i)][0].text in CONJUNCTIONS and tied[i] and not tied[i + 1]


def prepare(rows: list[dict[str, Any]]) -> list[Seen]:
    """Lines that some reading gives the annotated length; the nearest readings in stress are the right ones."""
    seen = []
    for row in rows:
        laid = lay_line(row["line"])
        if laid.last < 0:
            continue
        found = readings_of(laid)
        far = len(row["stress"])
        distance = [unlike(s, row["stress"]) + amiss if c == row["syllables"] else far for c, s, amiss, _ in found]
        if min(distance) < far:
            seen.append(Seen(row["author"], [atoms for *_, atoms in found], distance))
    return seen


def unlike(stress: str, other: str) -> int:
    """On how many syllables two patterns of one length differ."""
    return sum(a != b for a, b in zip(stress, other, strict=True))


def surname(author: str) -> str:
    """What an author's several spellings share; a fold never parts them.

    >>> surname("Luis de Góngora Y Argote") == surname("Gongora"), surname("Virués, Cristóbal de")
    (True, 'virues')
    """
    plain = "".join(c for c in unicodedata.normalize("NFD", author.lower()) if not unicodedata.combining(c))
    return plain.partition(",")[0].partition(" y ")[0].split()[-1]


class Fit:
    """Weights of the features that the given lines have: those of junctures, or given these, those of lengths.

    Apart, because a length that is all but certain explains every reading of a line and leaves the junctures little to say.
    """

    def __init__(self, lines: list[Seen], *, junctures: dict[str, float] | None = None) -> None:
        given = {**BY_HAND, **(junctures or {})}
        times: collections.Counter[str] = collections.Counter()
        for seen in lines:
            times.update({name for atoms in seen.readings for atom in atoms for name in atom})
        self.names = sorted(
            name for name, n in times.items() if n >= LEAST_SEEN and name not in given and is_length(name) is (junctures is not None)
        )
        place = {name: k for k, name in enumerate(self.names)}
        atoms: dict[tuple[str, ...], int] = {}
        of_reading: list[int] = []  # atoms of all readings, one after the other
        first: list[int] = []  # where each reading begins among them
        line_of: list[int] = []
        right: list[bool] = []
        for n, seen in enumerate(lines):
            nearest = min(seen.distance)
            for reading, distance in zip(seen.readings, seen.distance, strict=True):
                first.append(len(of_reading))
                of_reading.extend(atoms.setdefault(atom, len(atoms)) for atom in reading)
                line_of.append(n)
                right.append(distance == nearest)
        pairs = [(k, place[name]) for atom, k in atoms.items() for name in atom if name in place]
        self.n_atoms, self.n_lines = len(atoms), len(lines)
        self.atom, self.feature = (np.array(column) for column in zip(*pairs, strict=True))
        self.fixed = np.array([sum(given.get(name, 0.0) for name in atom) for atom in atoms])
        self.of_reading, self.first, self.line_of, self.right = map(np.array, (of_reading, first, line_of, right))
        self.reading_of = np.repeat(np.arange(len(first)), np.diff([*first, len(of_reading)]))

    def loss(self, weights: np.ndarray) -> tuple[float, np.ndarray]:
        """Minus the log-likelihood, and its gradient."""
        atoms = self.fixed + np.bincount(self.atom, weights[self.feature], self.n_atoms)
        score = np.add.reduceat(atoms[self.of_reading], self.first)
        every, p_every = self._normalised(score)
        agreeing, p_agreeing = self._normalised(np.where(self.right, score, -np.inf))
        per_atom = np.bincount(self.of_reading, (p_every - p_agreeing)[self.reading_of], self.n_atoms)
        return float((every - agreeing).sum()), np.bincount(self.feature, per_atom[self.atom], len(self.names))

    def _normalised(self, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        top = np.full(self.n_lines, -np.inf)
        np.maximum.at(top, self.line_of, score)
        odds = np.exp(score - top[self.line_of])
        total = np.bincount(self.line_of, odds, self.n_lines)
        return np.log(total) + top, odds / total[self.line_of]

    def solve(self, penalty: float, word_penalty: float) -> dict[str, float]:
        """The weights of least loss. ``word_penalty``: of features that name one word."""
        weight = torch.zeros(len(self.names), dtype=torch.float64, requires_grad=True)
        strength = torch.tensor([word_penalty if is_word(name) else penalty for name in self.names], dtype=torch.float64)
        solver = torch.optim.LBFGS([weight], max_iter=200, history_size=20, line_search_fn="strong_wolfe")

        def closure() -> float:
            loss, gradient = self.loss(weight.detach().numpy())
            weight.grad = torch.from_numpy(gradient) + strength * weight.detach()
            return loss + float((strength * weight.detach() ** 2).sum()) / 2

        solver.step(closure)
        return dict(zip(self.names, map(float, weight.detach()), strict=True))


def is_word(name: str) -> bool:
    return name.partition(":")[0] in ("dw", "hw", "sl", "sr")


def is_length(name: str) -> bool:
    return name.startswith("n:")


def fitted(lines: list[Seen], penalty: float, word_penalty: float) -> dict[str, float]:
    """Weights of junctures, then of lengths, as they are written."""
    junctures = Fit(lines).solve(penalty, word_penalty)
    return rounded({**junctures, **Fit(lines, junctures=junctures).solve(penalty, word_penalty)})


def rounded(weights: dict[str, float]) -> dict[str, float]:
    """What is written: two decimals, lengths counted from that of the hendecasyllable and no lower than ``FLOOR``."""
    top = weights["n:11"]
    weights = {name: max(weight - top, FLOOR) if is_length(name) else weight for name, weight in weights.items()}
    kept = sorted({**weights, **BY_HAND}.items())
    return {name: round(weight, 2) for name, weight in kept if abs(weight) >= ROUNDED or is_length(name)}


def use(weights: dict[str, float]) -> None:
    """Let the scanner weigh with these."""
    es_tables.meter_weights.cache_clear()
    es_tables.meter_weights().clear()
    es_tables.meter_weights().update(weights)
    for cached in (es_cells.metrical_word, es_cells._cost_inside, es_cells._cost_between, es_meter._triple_cost, es_scan.scan_line):
        cached.cache_clear()


def accuracy(rows: list[dict[str, Any]]) -> collections.Counter[str]:
    """How many lines are right, by measure; the arithmetic of the anchors, on all lines given."""
    right: collections.Counter[str] = collections.Counter()
    for row in rows:
        line, count, stress = row["line"], row["syllables"], row["stress"].translate(str.maketrans("sw", "+-"))
        free, aimed = es_scan.count_line(line), es_scan.count_line(line, count)
        near = any(es_scan.count_line(line, count + d).fits for d in (-1, 1))
        right["n"] += 1
        right["count"] += free.syllables == count
        right["stress"] += free.stress == stress
        right["fits"] += bool(aimed.fits)
        right["stress_given"] += aimed.stress == stress
        right["unique"] += bool(aimed.fits) and not near
    return right


def fold_of(author: str, n_folds: int) -> int:
    return int(hashlib.sha1(surname(author).encode()).hexdigest(), 16) % n_folds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--penalty", type=float, default=0.5)
    parser.add_argument("--word_penalty", type=float, default=1.0)
    options = parser.parse_args()
    rows = read_lines(options.lines)
    seen = prepare(rows)
    print(f"{len(rows)} lines, {len(seen)} with a reading of their length, {sum(len(s.readings) for s in seen)} readings")
    total: collections.Counter[str] = collections.Counter()
    for k in range(options.folds):
        held = [row for row in rows if fold_of(row["author"], options.folds) == k]
        use(fitted([s for s in seen if fold_of(s.author, options.folds) != k], options.penalty, options.word_penalty))
        right = accuracy(held)
        total += right
        print(f"fold {k}:", shares(right))
    print("held out:", shares(total))
    if options.out is not None:
        weights = fitted(seen, options.penalty, options.word_penalty)
        use(weights)
        print("in sample:", shares(accuracy(rows)))
        options.out.write_text(HEADER + "".join(f"{name}\t{weight:g}\n" for name, weight in weights.items()), encoding="utf-8")


def shares(right: collections.Counter[str]) -> str:
    measures = ("count", "fits", "stress", "stress_given", "unique")
    return f"n {right['n']}, " + ", ".join(f"{name} {right[name] / right['n']:.4f}" for name in measures)


if __name__ == "__main__":
    main()
