"""The fit of English meter: poems settle on their meter, held-out poems are held out, and the shipped tables come back."""

from __future__ import annotations

import collections

from experiments.release.tables.fit_en_meter import (
    Corpus,
    Counts,
    Gold,
    Weights,
    count_beats,
    count_gold,
    folds,
    pattern_table,
    settle,
    using,
    word_table,
)
from rlpoet.prosody.en.scansion import scan_line

SONNET = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date:
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade
Nor lose possession of that fair thou owest;
Nor shall Death brag thou wander'st in his shade,
When in eternal lines to time thou growest:
So long as men can breathe or eyes can see,
So long lives this and this gives life to thee.""".splitlines()
SHAPELESS = [
    "one",
    "two three four",
    "a the of in to and",
    "rain again tomorrow",
    "I",
    "the very long and quite unmetrical remark of a clerk",
]
SHAPELESS += ["so", "well then"]
IAMBS = "-+" * 5


def corpus_of(beats: Counts) -> Corpus:
    return Corpus(beats, collections.Counter({IAMBS: 90, "+--+-+-+-+": 10}))


def test_a_poem_of_one_meter_settles_on_it_and_a_text_without_one_does_not():
    settled = settle(SONNET)
    assert len(settled) == len(SONNET)
    assert sum(line.pattern == IAMBS for line in settled) >= 9
    assert {len(line.pattern) for line in settled} <= {10, 11}
    assert all(len(line.pattern) == sum(len(reading.marks) for reading in line.chosen) for line in settled)
    counts: Counts = {}
    for line in settled:
        count_beats(line.words, line.chosen, line.pattern, counts)
    assert counts["of"][0] + counts["of"][1] == 3 and counts["day"] == [0, 1]
    assert settle(SHAPELESS) == [] == settle(SONNET[:7])


def test_a_group_of_lines_is_in_one_fold_only():
    lines = [Gold("s", f"poem {i % 7}", f"line {i}", "-+") for i in range(40)]
    sets = folds(lines, 3)
    assert sorted(group for one in sets for group in one) == sorted({line.group for line in lines})
    assert folds(lines, 3) == sets != folds(lines, 3, "other")


def test_lines_scanned_by_hand_outweigh_the_corpus_where_there_are_many():
    corpus = corpus_of({"thy": [90, 10], "(1)": [1, 9]})
    by_hand = {"day": [0, 30], "(1)": [1, 9], "sky": [1, 1], "sun": [0, 2]}
    expected = word_table(by_hand, corpus, Weights())
    assert expected["thy"] < -0.5 < 1 < expected["day"]
    assert "sky" not in expected and expected["(1)"] > 0
    seen = word_table(by_hand | {"thy": [0, 200]}, corpus, Weights())
    assert seen["thy"] > 1
    assert word_table(by_hand, corpus, Weights(damped=0.0))["thy"] > expected["thy"]


def test_patterns_are_shares_and_a_long_poem_does_not_drown_a_short_one():
    lines = [Gold("s", "long", "", "-+") for _ in range(100)] + [Gold("s", "short", "", "+-")]
    table = pattern_table(lines, corpus_of({}), Weights(patterns=0.0))
    assert table == {"-+": 10 / 11, "+-": 1 / 11}
    mixed = pattern_table(lines, corpus_of({}), Weights(patterns=0.5))
    assert abs(sum(mixed.values()) - 1) < 1e-9 and mixed[IAMBS] > mixed["+--+-+-+-+"] > 0


def test_other_tables_are_used_and_the_shipped_ones_come_back():
    before = scan_line("a day", None).stress
    assert before == "-+"
    gold = [Gold("s", "a", "a day", "+-"), Gold("s", "b", "a night", "+-")] * 200
    counts = count_gold(gold)
    assert counts["a"] == [0, 400] and counts["day"] == [200, 0]
    with using(word_table(counts, corpus_of({}), Weights()), {"+-": 1.0, "-+": 1.0}):
        assert scan_line("a day", None).stress == "+-"
    assert scan_line("a day", None).stress == before
