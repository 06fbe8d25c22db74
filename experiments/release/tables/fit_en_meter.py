"""Fit what English meter knows of words and patterns: ``meter_words.tsv`` and ``meter_patterns.tsv``; report it cross-validated.

    python -m experiments.release.tables.fit_en_meter ../shared/gold/meter_en_dev.jsonl.gz ../shared/corpora/en.jsonl.gz
    python -m experiments.release.tables.fit_en_meter GOLD CORPUS --out rlpoet/phonology/en/data

Two sources. Lines scanned by hand are few: they know some 200 monosyllables. A corpus is not scanned, but most poems keep one meter, so
that a poem says of each of its lines which pattern is likely: lines are scanned, their patterns counted in the poem, and scanned again with
these counts as prior, until nothing moves. Poems without a consensus are left out. How often a monosyllable takes a beat there, damped, is
what is expected of it before the lines scanned by hand are counted.

The report leaves whole poems out (``epg64`` names no poems: groups of lines): the tables are made from the other folds, and each
held-out line is scanned alone. The weights of the two sources (``Weights``) are chosen anew in each fold, by folds of its other poems
(nested), so that the figures are no better than those of unseen poems. A second report leaves a whole source out. The last figures are in
the sample: no estimate. The corpus is read with the shipped tables, which saw all lines scanned by hand: so much the folds share.
With ``--licences`` it prints how often poems of strict meter take each licence, by its row; ``licences.tsv`` is written by hand from it.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import hashlib
import json
import math
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlpoet.prosody.en import scansion, stress_patterns
from rlpoet.prosody.en.scansion import State, WordOptions
from rlpoet.prosody.en.syllables import Reading

KAPPA = 3.0  # lines of a poem that the general prior of patterns is worth
CONSENSUS = 0.6  # share of a poem's lines in its two commonest patterns
STRICT = 0.85  # share of its lines in its commonest length, where its licences are counted
LONGEST_POEM, FEWEST_LINES, MOST_WORDS, MOST_OF_AN_AUTHOR = 60, 8, 20, 600
CORPUS_LINES = 120_000
SEEN_IN_CORPUS, SEEN_BY_HAND = 20, 4  # from which a monosyllable has its own row
CLASS_DAMPED = 0.7
PATTERN_POWER = 0.75  # of the counts of the corpus, for its authors prefer few patterns
EPG_GROUPS = 60
INNER_FOLDS = 2
Counts = dict[str, list[int]]  # entry -> without and with a beat


class Gold(NamedTuple):
    """A line scanned by hand."""

    source: str
    group: str
    line: str
    beats: str


class Weights(NamedTuple):
    """How much the corpus counts.

    Attributes:
        damped: factor of its log odds of a word.
        sights: lines scanned by hand with a word that these are worth.
        patterns: its share of the weights of patterns.
    """

    damped: float = 0.6
    sights: float = 30.0
    patterns: float = 0.5


CHOICES = [Weights(damped, sights, patterns) for damped in (0.4, 0.6) for sights in (10.0, 30.0) for patterns in (0.0, 0.5)]


class Corpus(NamedTuple):
    """What poems of one meter say: beats by entry, and lines by pattern."""

    beats: Counts
    patterns: collections.Counter[str]


class Settled(NamedTuple):
    """A line of the corpus with its words, their readings, and the pattern that its poem makes likeliest."""

    words: list[WordOptions]
    chosen: list[Reading]
    pattern: str
    strict: bool


def read_gold(path: str) -> list[Gold]:
    found = []
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            by_line = int(hashlib.sha1(row["line"].encode()).hexdigest(), 16) % EPG_GROUPS
            group = row["id"] if row["source"] != "epg64" else f"epg64 {by_line}"
            found.append(Gold(row["source"], group, row["line"], row["stress"].translate(str.maketrans("sw", "+-"))))
    return found


def read_poems(path: str, n_lines: int) -> Iterator[list[str]]:
    """Poems of many authors in random order, long ones cut, until there are ``n_lines`` lines."""
    draw = random.Random(0)
    poems = []
    with gzip.open(path, "rt", encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            lines = [line for stanza in row["stanzas"] for line in stanza]
            if len(lines) >= FEWEST_LINES:
                poems.append((row["author"], lines))
    draw.shuffle(poems)
    taken: collections.Counter[str] = collections.Counter()
    for author, lines in poems:
        if taken[author] >= MOST_OF_AN_AUTHOR:
            continue
        start = draw.randrange(max(1, len(lines) - LONGEST_POEM + 1))
        part = lines[start : start + LONGEST_POEM]
        taken[author] += len(part)
        yield part
        if taken.total() >= n_lines:
            return


def readings_of(words: Sequence[WordOptions], state: State) -> list[Reading]:
    """The reading of each word in a state of the line."""
    left = iter(state[3])
    found = []
    for i, word in enumerate(words):
        options = word.before(words[i + 1]) if i + 1 < len(words) and words[i + 1].vowel else word.options
        found.append(options[0][3] if len(options) == 1 else next(left))
    return found


def settle(lines: Sequence[str]) -> list[Settled]:
    """The lines of a poem, each with the pattern that suits it and its poem; empty without a consensus."""
    patterns = stress_patterns.patterns()
    scored = []
    for line in lines:
        words = scansion.words_of_line(line)
        by_length = {}
        for n, states in scansion.candidates(words).items() if 0 < len(words) <= MOST_WORDS else ():
            if n in patterns:
                scores = np.array([state[2] for state in states]) @ patterns[n][1] + np.array([[state[1]] for state in states])
                which = scores.argmax(0)
                by_length[n] = scores[which, np.arange(len(which))], which, states
        if by_length:
            scored.append((words, by_length))
    if len(scored) < FEWEST_LINES:
        return []
    general = {n: prior for n, (_, _, prior) in patterns.items()}
    own = general
    places: list[tuple[int, int]] = []
    for _ in range(3):
        places = [
            max((((scores + own[n]).max(), n, int((scores + own[n]).argmax())) for n, (scores, *_) in by_length.items()))[1:]
            for _, by_length in scored
        ]
        seen = collections.Counter(places)
        own = {n: KAPPA * np.exp(prior) for n, prior in general.items()}
        for (n, i), times in seen.items():
            own[n][i] += times
        own = {n: np.log(weight / (len(scored) + KAPPA)) for n, weight in own.items()}
    if sum(times for _, times in seen.most_common(2)) < CONSENSUS * len(scored):
        return []
    strict = collections.Counter(n for n, _ in places).most_common(1)[0][1] >= STRICT * len(scored)
    settled = []
    for (words, by_length), (n, i) in zip(scored, places, strict=True):
        _, which, states = by_length[n]
        settled.append(Settled(words, readings_of(words, states[which[i]]), patterns[n][0][i], strict))
    return settled


def count_beats(words: Sequence[WordOptions], chosen: Sequence[Reading], beats: str, counts: Counts) -> None:
    at = 0
    for word, reading in zip(words, chosen, strict=True):
        marks = reading.marks
        for i in range(len(marks)):
            entry = word.folded if len(marks) == 1 else f"({stress_patterns.syllable_class(marks, i)})"
            counts.setdefault(entry, [0, 0])[beats[at + i] == "+"] += 1
        at += len(marks)


def count_gold(lines: Sequence[Gold]) -> Counts:
    """Beats in lines scanned by hand, by the reading of their length that agrees best; lines without one are left out."""
    counts: Counts = {}
    for row in lines:
        words = scansion.words_of_line(row.line)
        states = scansion.candidates(words).get(len(row.beats), []) if words else []
        if states:
            wanted = np.array([beat == "+" for beat in row.beats], dtype=float)
            state = max(states, key=lambda state: state[1] + float(np.dot(state[2], wanted)))
            count_beats(words, readings_of(words, state), row.beats, counts)
    return counts


def log_odds(counts: Sequence[float], add: float = 1.0, p: float = 0.5) -> float:
    return math.log((counts[1] + add * p) / (counts[0] + add * (1 - p)))


def rare(counts: Counts, fewest: int) -> float:
    """The share of beats on monosyllables seen less than ``fewest`` times."""
    few = [pair for entry, pair in counts.items() if not entry.startswith("(") and sum(pair) < fewest]
    return (sum(pair[1] for pair in few) + 1) / (sum(map(sum, few)) + 2)


def word_table(gold: Counts, corpus: Corpus, weights: Weights) -> dict[str, float]:
    """Log odds of a beat: of classes by the lines scanned by hand, of monosyllables by both."""
    table = {entry: CLASS_DAMPED * log_odds(pair, 2.0) for entry, pair in gold.items() if entry.startswith("(")}
    usual = rare(gold, SEEN_BY_HAND)
    table["(mono)"] = CLASS_DAMPED * math.log(usual / (1 - usual))
    unknown = rare(corpus.beats, SEEN_IN_CORPUS)
    for word in sorted(gold.keys() | corpus.beats.keys()):
        by_hand, seen = gold.get(word, [0, 0]), corpus.beats.get(word, [0, 0])
        if not word.startswith("(") and (sum(by_hand) >= SEEN_BY_HAND or sum(seen) >= SEEN_IN_CORPUS):
            expected = 1 / (1 + math.exp(-weights.damped * log_odds(seen, 10.0, unknown)))
            table[word] = log_odds(by_hand, weights.sights, expected)
    return table


def pattern_table(lines: Sequence[Gold], corpus: Corpus, weights: Weights) -> dict[str, float]:
    """Weights of patterns, one in all: lines scanned by hand, each poem damped to its square root, and the corpus, damped too."""
    by_poem = collections.Counter((row.group, row.beats) for row in lines)
    by_hand: collections.Counter[str] = collections.Counter()
    for (_, beats), times in by_poem.items():
        by_hand[beats] += math.sqrt(times)  # type: ignore[assignment]
    seen = {pattern: times**PATTERN_POWER for pattern, times in corpus.patterns.items() if times >= SEEN_BY_HAND}
    total, all_seen = sum(by_hand.values()), sum(seen.values())
    return {
        pattern: (1 - weights.patterns) * by_hand[pattern] / total + weights.patterns * seen.get(pattern, 0.0) / all_seen
        for pattern in by_hand.keys() | (seen.keys() if weights.patterns else set())
    }


def tables(lines: Sequence[Gold], corpus: Corpus, weights: Weights) -> tuple[dict[str, float], dict[str, float]]:
    return word_table(count_gold(lines), corpus, weights), pattern_table(lines, corpus, weights)


def write_tables(folder: Path, words: dict[str, float], patterns: dict[str, float]) -> None:
    text = (
        "% Log odds that a monosyllable takes a beat, and of syllable classes: counted on annotated lines (4B4V, LitLab, EPG64, dev) and\n"
        "% in unannotated poems that keep one meter. Written by experiments/release/tables/fit_en_meter.py, not by hand.\nword\todds\n"
    )
    (folder / "meter_words.tsv").write_text(
        text + "".join(f"{word}\t{odds:.2f}\n" for word, odds in sorted(words.items())), encoding="utf-8"
    )
    text = (
        "% How often English lines have a pattern of beats, half by annotated ones (4B4V, LitLab, EPG64, dev), each poem damped to the\n"
        "% square root, half by unannotated poems that keep one meter, damped. Shares of all lines.\n"
        "% Written by experiments/release/tables/fit_en_meter.py, not by hand.\npattern\tweight\n"
    )
    ordered = sorted(patterns.items(), key=lambda item: (-item[1], item[0]))
    (folder / "meter_patterns.tsv").write_text(
        text + "".join(f"{pattern}\t{weight:.6f}\n" for pattern, weight in ordered), encoding="utf-8"
    )


@contextlib.contextmanager
def using(words: dict[str, float], patterns: dict[str, float]) -> Iterator[None]:
    """Scan with these tables in place of the shipped ones."""
    shipped = stress_patterns.DATA
    cached = (stress_patterns.patterns, stress_patterns._words, stress_patterns.odds, stress_patterns._class_odds)
    with tempfile.TemporaryDirectory() as name:
        write_tables(Path(name), words, patterns)
        try:
            stress_patterns.DATA = Path(name)
            for function in (*cached, stress_patterns.idle, stress_patterns._idle, scansion.word_options, scansion._read):
                function.cache_clear()
            yield
        finally:
            stress_patterns.DATA = shipped
            for function in (*cached, stress_patterns.idle, stress_patterns._idle, scansion.word_options, scansion._read):
                function.cache_clear()


def score(lines: Sequence[Gold], right: dict[str, collections.Counter[str]]) -> None:
    for row in lines:
        found = scansion.scan_line(row.line, None)
        for name in ("all", row.source):
            right[name]["lines"] += 1
            right[name]["count"] += found.syllables == len(row.beats)
            right[name]["stress"] += found.stress == row.beats


def held_out(
    lines: Sequence[Gold], corpus: Corpus, groups: Sequence[set[str]], choices: Sequence[Weights]
) -> dict[str, collections.Counter[str]]:
    """How many lines are right, if each of these sets of poems is scanned by tables of the others, with the weights that suit these."""
    right: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for group in groups:
        rest = [row for row in lines if row.group not in group]
        with using(*tables(rest, corpus, choose(rest, corpus, choices))):
            score([row for row in lines if row.group in group], right)
    return right


def choose(lines: Sequence[Gold], corpus: Corpus, choices: Sequence[Weights]) -> Weights:
    """The weights with most lines right in folds of these lines, counts and stresses together."""
    if len(choices) == 1:
        return choices[0]
    groups = folds(lines, INNER_FOLDS, "inner")
    results = [held_out(lines, corpus, groups, [weights])["all"] for weights in choices]
    best = max(range(len(choices)), key=lambda i: results[i]["count"] + results[i]["stress"])
    return choices[best]


def folds(lines: Sequence[Gold], n: int, salt: str = "0") -> list[set[str]]:
    """The groups of these lines in ``n`` sets."""
    sets: list[set[str]] = [set() for _ in range(n)]
    for group in sorted({row.group for row in lines}):
        sets[int(hashlib.sha1(f"{salt}{group}".encode()).hexdigest(), 16) % n].add(group)
    return sets


def show(title: str, right: dict[str, collections.Counter[str]]) -> None:
    print(title)
    for name, by in sorted(right.items()):
        print(f"  {name:12}{by['lines']:6} lines   count {by['count'] / by['lines']:.4f}   stress {by['stress'] / by['lines']:.4f}")


def licence_use(settled: Sequence[Settled]) -> None:
    """Print per row of ``licences.tsv``: how often taken, how often not, and words."""
    taken: dict[str, collections.Counter[bool]] = collections.defaultdict(collections.Counter)
    words: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for line in settled:
        for i, (word, reading) in enumerate(zip(line.words, line.chosen, strict=True)):
            options = word.before(line.words[i + 1]) if i + 1 < len(line.words) and line.words[i + 1].vowel else word.options
            for row in {option[3].source for option in options if option[3].source.startswith("licences.tsv")} if line.strict else ():
                taken[row][reading.source == row] += 1
                words[row][word.folded] += 1
    for row, by in sorted(taken.items(), key=lambda item: int(item[0].partition(":")[2])):
        examples = " ".join(word for word, _ in words[row].most_common(8))
        print(f"{row}\t{by[True]}\t{by[False]}\t{log_odds((by[True], by[False]), 2.0):.1f}\t{examples}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gold")
    parser.add_argument("corpus")
    parser.add_argument("--out", help="folder where the two tables are written")
    parser.add_argument("--lines", type=int, default=CORPUS_LINES, help="of the corpus")
    parser.add_argument("--folds", type=int, default=6)
    parser.add_argument("--licences", action="store_true", help="print how often each licence is taken")
    options = parser.parse_args()
    gold = read_gold(options.gold)
    settled = [line for poem in read_poems(options.corpus, options.lines) for line in settle(poem)]
    corpus = Corpus({}, collections.Counter(line.pattern for line in settled))
    for line in settled:
        count_beats(line.words, line.chosen, line.pattern, corpus.beats)
    print(f"{len(settled)} lines of poems with a consensus", flush=True)
    if options.licences:
        licence_use(settled)
    show("poems held out, weights chosen in each fold", held_out(gold, corpus, folds(gold, options.folds), CHOICES))
    best = choose(gold, corpus, CHOICES)
    print(best)
    by_source = [{row.group for row in gold if row.source == source} for source in sorted({row.source for row in gold})]
    show("sources held out", held_out(gold, corpus, by_source, [best]))
    words, patterns = tables(gold, corpus, best)
    right: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with using(words, patterns):
        score(gold, right)
    show("in the sample", right)
    if options.out:
        write_tables(Path(options.out), words, patterns)


if __name__ == "__main__":
    main()
