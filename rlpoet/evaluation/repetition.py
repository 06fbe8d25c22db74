"""What poems repeat: from a corpus, from each other (self-BLEU), and within themselves. Uses texts only, no prompts and no forms."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlpoet.analysis.intervals import Share, proportion_bounds, subsample_bounds
from rlpoet.analysis.ngram_index import Copied, words_of
from rlpoet.evaluation.diversity import distinct_share
from rlpoet.evaluation.human_baseline import SUBSETS, Figures

NEIGHBOURS = 40  # subsets behind the interval of self-BLEU, which costs the most
VARIETY = {  # measure -> (label, whether it is a share)
    "copied_lines": ("lines in a run of the corpus", True),
    "whole_lines_copied": ("whole lines of the corpus", True),
    "repeated_end_words": ("end words used twice in a poem", True),
    "end_word_entropy": ("bits of an end word", False),
    "distinct_2": ("distinct word pairs", True),
    "distinct_3": ("distinct word triples", True),
    "self_bleu": ("self-BLEU", True),
}


@dataclass(frozen=True)
class Words:
    """A poem as words: all of its words in order, and the last word of each line, ``""`` if it has none."""

    all: tuple[str, ...]
    ends: tuple[str, ...]

    @classmethod
    def of(cls, lines: Sequence[str]) -> Words:
        rows = [words_of(line) for line in lines]
        return cls(tuple(word for row in rows for word in row), tuple(row[-1] if row else "" for row in rows))


def variety(poems: Sequence[Sequence[str]], *, copied: Sequence[Copied] | None = None, seed: int = 0) -> Figures:
    """Each measure with its ``_95`` interval; one without data is absent.

    | measure | definition |
    | --- | --- |
    | ``copied_lines``, ``whole_lines_copied`` | shares of lines, see ``rlpoet.analysis.ngram_index.Copied`` |
    | ``repeated_end_words`` | share of lines whose last word ended an earlier line of the poem |
    | ``distinct_2``, ``distinct_3`` | different pairs and triples of words, divided by all of them, within poems |
    | ``end_word_entropy`` | entropy of the frequencies of end words, in bits |
    | ``self_bleu`` | mean BLEU-4 of each poem against all others: high if poems resemble each other |

    The last four depend on the number of poems: compare sets of one size.

    Args:
        poems: the lines of each poem.
        copied: the copied parts of each poem.

    References:
        Li et al., "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016 (distinct-n).
        Zhu et al., "Texygen: A Benchmarking Platform for Text Generation Models", 2018 (self-BLEU).
    """
    words = [Words.of(lines) for lines in poems]
    out: Figures = {}
    sizes = [len(poem_words.ends) for poem_words in words]
    if not sum(sizes):
        return out
    shares = {"repeated_end_words": [_again(poem_words.ends) for poem_words in words]}
    if copied is not None:
        shares["copied_lines"] = [sum(poem_words.runs) for poem_words in copied]
        shares["whole_lines_copied"] = [sum(poem_words.whole) for poem_words in copied]
    for name, part in shares.items():
        share = Share(np.array(part, dtype=float), np.array(sizes, dtype=float))
        out |= {name: share.value, name + "_95": list(proportion_bounds(share, seed=seed))}
    out["end_word_entropy"] = _entropy([end for poem_words in words for end in poem_words.ends])
    ends = [Counter(poem_words.ends) for poem_words in words]
    spread = functools.partial(subsample_bounds, n=len(words), seed=seed)
    out["end_word_entropy_95"] = list(spread(lambda rows: _entropy([end for row in rows for end in ends[row].elements()]), draws=SUBSETS))
    for n in (2, 3):
        grams = [_grams(poem_words.all, n) for poem_words in words]
        if any(grams):
            distinct = functools.partial(_distinct, grams)
            out[f"distinct_{n}"] = distinct(range(len(grams)))
            out[f"distinct_{n}_95"] = list(spread(distinct, most=1.0, draws=SUBSETS))
    if len(words) > 1:
        out["self_bleu"] = self_bleu([poem_words.all for poem_words in words])
        out["self_bleu_95"] = list(spread(lambda rows: self_bleu([words[row].all for row in rows]), most=1.0, draws=NEIGHBOURS))
    return out


def self_bleu(poems: Sequence[Sequence[str]], *, n: int = 4) -> float:
    """Mean BLEU of each poem against all others as its references, in [0, 1].

    BLEU is the geometric mean of clipped precisions of 1- to n-grams, times the brevity penalty for the nearest length. From pairs on, one
    is added to hits and to n-grams: a stanza seldom shares four words in a row with another, and would score 0. Orders for which a
    poem is too short are left out.

    The result is exact, in time linear in the text. The clip of an n-gram is its greatest count in any poem, or the second greatest for
    the poem that has the greatest.

    References:
        Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", 2002, section 2.3.
        Lin and Och, "ORANGE: a Method for Evaluating Automatic Evaluation Metrics for Machine Translation", 2004 (the added one).

    >>> self_bleu(["la mer la nuit noire".split(), "la mer la nuit noire".split()]), self_bleu(["un".split(), "deux".split()])
    (1.0, 0.0)
    """
    if len(poems) < 2:
        return 0.0
    logs = np.zeros(len(poems))
    orders = np.zeros(len(poems))
    for size in range(1, n + 1):
        counts = [Counter(_grams(poem, size)) for poem in poems]
        best: dict[tuple[str, ...], tuple[int, int, int]] = {}  # n-gram -> most, whose, second most
        for i, poem_counts in enumerate(counts):
            for gram, count in poem_counts.items():
                most, holder, second = best.get(gram, (0, -1, 0))
                best[gram] = (count, i, most) if count > most else (most, holder, max(second, count))
        for i, poem_counts in enumerate(counts):
            if not poem_counts:
                continue
            clipped = 0
            for gram, count in poem_counts.items():
                most, holder, second = best[gram]
                clipped += min(count, second if holder == i else most)
            one = size > 1
            logs[i] += math.log((clipped + one) / (poem_counts.total() + one)) if clipped or one else -math.inf
            orders[i] += 1
    lengths = [len(poem) for poem in poems]
    return float(np.mean([_brevity(lengths, i) * math.exp(logs[i] / orders[i]) if orders[i] else 0.0 for i in range(len(poems))]))


def _brevity(lengths: Sequence[int], i: int) -> float:
    """The brevity penalty: 1 if the poem is at least as long as the other poem nearest in length, the shorter one of two."""
    own_length = lengths[i]
    nearest = min((length for j, length in enumerate(lengths) if j != i), key=lambda length: (abs(length - own_length), length))
    return 1.0 if own_length >= nearest else math.exp(1 - nearest / own_length)


def _grams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def _distinct(grams: Sequence[Sequence[tuple[str, ...]]], rows: Sequence[int]) -> float:
    return distinct_share([gram for row in rows for gram in grams[row]])


def _again(ends: Sequence[str]) -> int:
    written = [end for end in ends if end]
    return len(written) - len(set(written))


def _entropy(ends: Sequence[str]) -> float:
    counts = Counter(ends).values()
    total = sum(counts)
    return sum(count / total * math.log2(total / count) for count in counts)
