"""Phone n-grams smoothed by interpolation after Witten and Bell: how likely a row of phones is in a language, or in a poet.

    p(w | h) = (c(hw) + T(h) p(w | h')) / (c(h) + T(h))

c counts, T(h) is the number of different phones after the history h, and h' is h without its first phone. Before the empty history,
every phone of the inventory, and one symbol for all others, is equally likely. Every p(. | h) sums to 1, also with pruned counts.

References: Chen and Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, section 2.5 (Witten-Bell).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

START = "^"  # stands before a row of phones; is never predicted


class PhoneNgrams:
    """An n-gram model of rows of phones.

    Args:
        counts: n-grams (phones separated by spaces) of every length up to the order, with their counts.

    >>> model = PhoneNgrams.of([["a", "b", "a"], ["a", "b"]], order=2)
    >>> model.order, round(model.p("b", ["a"]), 3)
    (2, 0.794)
    """

    def __init__(self, counts: Mapping[str, int]) -> None:
        self.counts = dict(counts)
        self.order = max((gram.count(" ") + 1 for gram in self.counts), default=1)
        self.inventory = tuple(sorted({gram for gram in self.counts if " " not in gram}))
        self._after: dict[str, list[int]] = {}  # history -> [how often, how many different phones]
        for gram, count in self.counts.items():
            history = gram.rpartition(" ")[0]
            totals = self._after.setdefault(history, [0, 0])
            totals[0] += count
            totals[1] += 1

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]], *, order: int, fewest: int = 1) -> PhoneNgrams:
        """Count n-grams.

        Args:
            fewest: n-grams of three or more phones with lower counts are left out.
        """
        counts: Counter[str] = Counter()
        for row in rows:
            padded = [START] * (order - 1) + list(row)
            for at in range(order - 1, len(padded)):
                for n in range(1, order + 1):
                    counts[" ".join(padded[at - n + 1 : at + 1])] += 1
        return cls({gram: count for gram, count in counts.items() if count >= fewest or gram.count(" ") < 2})

    def p(self, phone: str, history: Sequence[str]) -> float:
        """The probability of a phone after a history, of which the last ``order - 1`` phones matter."""
        likely = 1.0 / (len(self.inventory) + 1)
        for n in range(min(len(history), self.order - 1) + 1):
            before = " ".join(history[len(history) - n :])
            totals = self._after.get(before)
            if totals is None:
                break
            n_seen = self.counts.get(f"{before} {phone}" if before else phone, 0)
            likely = (n_seen + totals[1] * likely) / (totals[0] + totals[1])
        return likely

    def mean_log_p(self, row: Sequence[str]) -> float:
        """Mean log-probability per phone, in nats; minus infinity for no phone."""
        if not row:
            return -math.inf
        padded = [START] * (self.order - 1) + list(row)
        first = self.order - 1
        return sum(math.log(self.p(padded[at], padded[at - first : at])) for at in range(first, len(padded))) / len(row)
