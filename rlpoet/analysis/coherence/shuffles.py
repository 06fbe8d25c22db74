"""Shuffled stanzas, whose lines come from different poems, and how well a score separates real stanzas from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.intervals import statistic_bounds
from rlpoet.corpus.poem import Poem
from rlpoet.prosody import verse


@dataclass(frozen=True)
class Stanza:
    """A stanza and its source.

    Attributes:
        syllables: metrical syllables of each line: its form without rhyme.
        poem: number of its poem.
    """

    lines: tuple[str, ...]
    syllables: tuple[int, ...]
    poem: int
    author: str | None


def stanzas_of(poems: Iterable[Poem], lang: str, *, n_lines: int = 4) -> list[Stanza]:
    """The stanzas of ``n_lines`` lines, if every line has a letter."""
    language = verse(lang)
    stanzas = []
    for number, poem in enumerate(poems):
        for lines in poem.stanzas:
            if len(lines) == n_lines and all(any(map(str.isalpha, line)) for line in lines):
                stanzas.append(Stanza(lines, tuple(language.scan(line).syllables for line in lines), number, poem.author))
    return stanzas


def same_form(stanza: Stanza) -> Hashable:
    """The key of stanzas that may be shuffled together: the same lengths of lines, place by place."""
    return stanza.syllables


def same_author(stanza: Stanza) -> Hashable:
    """The key with the same lengths and author: harder, since manner and century do not help. None (left out) without an author."""
    return (stanza.author, stanza.syllables) if stanza.author else None


def shuffled(stanzas: Sequence[Stanza], alike: Callable[[Stanza], Hashable] = same_form, *, seed: int = 0) -> list[tuple[Stanza, Stanza]]:
    """Each stanza with a shuffled one: line k is line k of a stanza with the same key, and all lines are of different poems.

    One line, at a random place, is that of the real stanza. A stanza without enough poems of its key is left out.
    """
    rng = np.random.default_rng(seed)
    groups: dict[Hashable, dict[int, list[Stanza]]] = {}
    for stanza in stanzas:
        groups.setdefault(alike(stanza), {}).setdefault(stanza.poem, []).append(stanza)
    pairs = []
    for stanza in stanzas:
        key = alike(stanza)
        poems = groups[key]
        n = len(stanza.lines)
        if key is None or len(poems) < n:
            continue
        others = [poem for poem in poems if poem != stanza.poem]
        sources = [stanza, *(_pick(poems[others[i]], rng) for i in rng.choice(len(others), n - 1, replace=False))]
        order = rng.permutation(n)
        lines = tuple(sources[source].lines[place] for place, source in enumerate(order))
        pairs.append((stanza, Stanza(lines, stanza.syllables, stanza.poem, None)))
    return pairs


def without_ends(lines: Sequence[str]) -> list[str]:
    """The lines without their last words, so that no rhyme is left.

    >>> without_ends(["où blanchit la campagne,"])
    ['où blanchit la']
    """
    return [" ".join(line.split()[:-1]) for line in lines]


def auc(real: Sequence[float] | NDArray[np.float64], false: Sequence[float] | NDArray[np.float64]) -> float:
    """The area under the ROC curve: how often a real value exceeds a false one; a tie counts half.

    >>> auc([0.9, 0.5], [0.1, 0.5])
    0.875
    """
    high, low = np.sort(np.asarray(real, dtype=float)), np.asarray(false, dtype=float)
    beaten = len(high) - np.searchsorted(high, low, "right")
    level = np.searchsorted(high, low, "right") - np.searchsorted(high, low, "left")
    return float((beaten + level / 2).sum() / (len(high) * len(low)))


def auc_interval(
    real: NDArray[np.float64], false: NDArray[np.float64], poem: Sequence[int], *, draws: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Bounds of 95 % by bootstrap over poems: the stanzas of a poem and their shuffled ones are drawn together."""
    _, number = np.unique(np.asarray(poem), return_inverse=True)
    of_poem = [np.flatnonzero(number == k) for k in range(number.max() + 1)]

    def of(poems: NDArray[np.int64]) -> float:
        rows = np.concatenate([of_poem[k] for k in poems])
        return auc(real[rows], false[rows])

    return statistic_bounds(of, len(of_poem), seed=seed, draws=draws) or (math.nan, math.nan)


def _pick(stanzas: Sequence[Stanza], rng: np.random.Generator) -> Stanza:
    return stanzas[int(rng.integers(len(stanzas)))]
