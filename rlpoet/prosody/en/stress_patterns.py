"""English meter: the most likely pattern of beats of a line, without its context.

A pattern (``-+-+-+-+-+``) is scored by its frequency, by how well its beats agree with the stresses of the words, and by the cost of
the licences of the reading. The stress of a polysyllable is known. Each common monosyllable has log odds of a beat, estimated from
annotated verse (``meter_words.tsv``), because ``of`` may be promoted and ``day`` demoted. Patterns come from four feet with the
licences of the handbooks (inversion, an extra syllable at the end, a missing one at the start), and from poems
(``meter_patterns.tsv``).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import defaultdict
from operator import itemgetter
from typing import Any

import numpy as np

from rlpoet.phonology.en.tables import DATA
from rlpoet.text.tables import read_table

_BASE = itemgetter(1)
State = tuple[Any, ...]  # of ``scansion.py``: cost, base, odds, and what identifies the reading to the caller

COUNT_WEIGHT = 0.2  # of the counted patterns, against the grammar of feet
DEFAULT_ODDS = {"1": 2.5, "2": 0.8, "0": -2.5, "~": 0.0, "mono": 1.0}

# Log weights of a line by its number of feet, and what each form of the first, other and last foot costs, in nats.
# Rough values from the handbooks, then fitted on annotated lines, one at a time, cross-validation folds deciding.
FEET: dict[str, dict[str, object]] = {
    "iambic": {
        "feet": {1: -7.4, 2: -4.9, 3: -3.6, 4: -2.8, 5: -2.6, 6: -4.6, 7: -5.9, 8: -7.4},
        "first": {"-+": 0.0, "+-": 1.8, "--+": 2.3, "+": 2.8},
        "other": {"-+": 0.0, "+-": 4.0, "--+": 3.5},
        "last": {"-+": 0.0, "-+-": 2.0, "--+": 3.5, "-+--": 5.0},
    },
    "trochaic": {
        "feet": {2: -5.0, 3: -4.0, 4: -3.0, 5: -5.0, 6: -5.5, 7: -6.0, 8: -4.0},
        "first": {"+-": 0.0, "+--": 3.0},
        "other": {"+-": 0.0, "+--": 3.0},
        "last": {"+-": 0.7, "+": 0.7, "+--": 4.0},
    },
    "anapestic": {
        "feet": {1: -7.7, 2: -4.7, 3: -3.7, 4: -3.2, 5: -5.7},
        "first": {"--+": 0.5, "-+": 0.2, "+-+": 4.0},
        "other": {"--+": 0.1, "-+": 2.3},
        "last": {"--+": 0.1, "-+": 2.5, "--+-": 2.0, "-+-": 4.0},
    },
    "dactylic": {
        "feet": {1: -6.0, 2: -4.0, 3: -4.0, 4: -3.5, 5: -5.0, 6: -3.5},
        "first": {"+--": 0.2, "+-": 1.5},
        "other": {"+--": 0.2, "+-": 0.8},
        "last": {"+--": 1.1, "+-": 1.1, "+": 1.1},
    },
}
MOST_COST = 6.5  # of one pattern's substitutions together


def grammar() -> dict[str, float]:
    """Log weight of every pattern of the four feet whose licences cost at most ``MOST_COST``, by its best division into feet."""
    log_weights: dict[str, float] = {}
    for spec in FEET.values():
        for n, weight in spec["feet"].items():  # type: ignore[attr-defined]
            partial = {"": 0.0}
            for i in range(n):
                choices = spec["last"] if i == n - 1 else spec["first"] if i == 0 else spec["other"]
                if i == 0 and n == 1:
                    choices = spec["last"]
                grown: dict[str, float] = {}
                for (head, paid), (foot, cost) in itertools.product(partial.items(), choices.items()):  # type: ignore[attr-defined]
                    total = paid + cost
                    if total <= MOST_COST and grown.get(head + foot, math.inf) > total:
                        grown[head + foot] = total
                partial = grown
            for pattern, cost in partial.items():
                log_weights[pattern] = max(log_weights.get(pattern, -math.inf), weight - cost)
    return log_weights


@functools.cache
def patterns() -> dict[int, tuple[list[str], np.ndarray, np.ndarray]]:
    """For each length: the patterns, a 0/1 matrix (length, patterns) of their beats, and their log priors (patterns,)."""
    by_rule = grammar()
    counted = {pattern: float(weight) for _, (pattern, weight) in read_table(DATA / "meter_patterns.tsv", ("pattern", "weight"))}
    total = sum(counted.values())
    norm = sum(math.exp(w) for w in by_rule.values())
    by_length: dict[int, list[tuple[str, float]]] = defaultdict(list)
    for pattern in by_rule.keys() | counted.keys():
        p = (1 - COUNT_WEIGHT) * math.exp(by_rule.get(pattern, -math.inf)) / norm + COUNT_WEIGHT * counted.get(pattern, 0.0) / max(total, 1)
        by_length[len(pattern)].append((pattern, math.log(p)))
    table = {}
    for n, weighted in by_length.items():
        weighted.sort(key=lambda item: (-item[1], item[0]))
        names = [pattern for pattern, _ in weighted]
        beats = np.array([[c == "+" for c in pattern] for pattern in names], dtype=np.float64).T.copy()
        table[n] = names, beats, np.array([prior for _, prior in weighted], dtype=np.float64)
    return table


@functools.cache
def _words() -> dict[str, tuple[float, str]]:
    """Log odds of a beat and their row, for single monosyllables and the classes ``(1)``, ``(2)``, ``(0)``, ``(~)``, ``(mono)``."""
    return {word: (float(odds), where) for where, (word, odds) in read_table(DATA / "meter_words.tsv", ("word", "odds"))}


def syllable_class(marks: str, i: int) -> str:
    """The class of a syllable: ``1``, ``2``, ``0`` beside a stress of its word, or ``~`` unstressed and away from a stress."""
    mark = marks[i]
    if mark != "0":
        return mark
    beside = (i > 0 and marks[i - 1] != "0") or (i + 1 < len(marks) and marks[i + 1] != "0")
    return "0" if beside else "~"


def _entries(word: str, marks: str) -> list[str]:
    """The entry of ``meter_words.tsv`` for each syllable of a word read with these marks."""
    if len(marks) == 1:
        return [word if word in _words() else "(mono)"]
    return [f"({syllable_class(marks, i)})" for i in range(len(marks))]


@functools.lru_cache(maxsize=50_000)
def odds(word: str, marks: str) -> tuple[float, ...]:
    """Log odds that meter puts a beat on each syllable of a word read with these marks."""
    if len(marks) != 1:
        return _class_odds(marks)
    row = _words().get(word)
    return (row[0],) if row is not None else _class_odds("mono")


@functools.lru_cache(maxsize=5_000)
def _class_odds(marks: str) -> tuple[float, ...]:
    table = _words()
    entries = ["(mono)"] if marks == "mono" else _entries("", marks)
    return tuple([table[entry][0] if entry in table else DEFAULT_ODDS[entry.strip("()")] for entry in entries])


def odds_source(word: str, marks: str, i: int) -> str:
    """The row with the log odds of a beat on syllable ``i``."""
    return _words().get(_entries(word, marks)[i], (0.0, ""))[1]


def log_sigmoid(x: float) -> float:
    return -math.log1p(math.exp(-x)) if x > -30 else x


@functools.lru_cache(maxsize=50_000)
def idle(word: str, marks: str) -> float:
    """Log probability that no syllable of the word takes a beat; the odds of beats are added to it."""
    return _idle(odds(word, marks))


@functools.lru_cache(maxsize=5_000)
def _idle(readiness: tuple[float, ...]) -> float:
    return sum([log_sigmoid(-x) for x in readiness])


def best_choice(states: list[State]) -> tuple[float, str, State]:
    """The score and pattern of the best beats, and the candidate reading that has them.

    Args:
        states: ``(cost, base, odds, ...)`` each; all have the same number of syllables. ``base`` is the log
            probability of no beat at all, minus the cost.
    """
    table = patterns().get(len(states[0][2]))
    if table is None:
        state = max(states, key=_BASE)
        return state[1] - 20.0, "".join(["+" if x > 0 else "-" for x in state[2]]), state
    names, beats, prior = table
    if len(states) == 1:
        state = states[0]
        scores = np.array(state[2]) @ beats
        scores += prior
        at = int(scores.argmax())
        return float(scores[at]) + state[1], names[at], state
    scores = np.array([state[2] for state in states]) @ beats
    scores += prior
    scores += np.array([[state[1]] for state in states])
    which, column = divmod(int(scores.argmax()), len(names))
    return float(scores[which, column]), names[column], states[which]
