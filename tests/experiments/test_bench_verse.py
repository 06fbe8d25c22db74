"""The bench beside the peers: its arithmetic on cases small enough to count by hand, and what it says of a tool that is missing."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.benchmarks import verse as bench
from experiments.benchmarks import verse_gold as gold

POEM = {"source": "s", "lines": ["a", "b", "c", "d"], "scheme": [1, 2, 1, 2], "stanza": [0, 0, 0, 0]}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


ECHO = python("import sys, json\nfor row in sys.stdin: print(json.dumps({'got': json.loads(row)}))")


def test_pairs_are_at_most_six_lines_apart_and_inside_one_stanza():
    assert gold.pairs_of(3) == [(0, 1), (0, 2), (1, 2)]
    assert (0, 6) in gold.pairs_of(8) and (0, 7) not in gold.pairs_of(8)
    assert gold.pairs_of(4, [0, 0, 1, 1]) == [(0, 1), (2, 3)]


def test_lines_without_annotation_are_not_judged_and_long_poems_are_cut():
    assert gold.ask_rhymes({**POEM, "scheme": [1, None, 1, 2]})["pairs"] == [(0, 2), (0, 3), (2, 3)]
    long = {"lines": ["x"] * 99, "scheme": [0] * 99, "stanza": [0] * 99}
    assert len(gold.ask_rhymes(long)["lines"]) == 60


def test_precision_recall_and_f1_counted_by_hand():
    # pairs (0,1) (0,2) (0,3) (1,2) (1,3) (2,3); true are (0,2) and (1,3)
    said = {"rhymes": [True, True, False, False, False, False]}  # one hit, one false alarm, one miss
    assert gold.score_rhymes([POEM], [said], {}) == {"P": 0.5, "R": 0.5, "F1": 0.5, "distinct_F1": 0.5}
    key = hashlib.sha1(b"a\nb\nc\nd").hexdigest()[:16]
    assert gold.score_rhymes([POEM], [said], {key: [[0, 1]]})["distinct_F1"] == 0.6667  # the false alarm is not held against it


def test_assonant_poems_are_counted_apart():
    perfect, silent = {"rhymes": [False, True, False, False, True, False]}, {"rhymes": [False] * 6}
    found = gold.score_rhymes([POEM, {**POEM, "rtype": "assonant"}], [perfect, perfect], {})
    assert found == {"P": 1.0, "R": 1.0, "F1": 1.0, "distinct_F1": 1.0, "assonant_F1": 1.0}
    assert gold.score_rhymes([POEM, {**POEM, "rtype": "assonant"}], [perfect, silent], {})["F1"] == 1.0


def test_meter_counts_what_the_tool_gives_and_leaves_out_what_it_does_not():
    items = [{"line": "a", "syllables": 2, "stress": "ws"}, {"line": "b", "syllables": 3, "stress": None}]
    free = [{"syllables": 2, "stress": "-+"}, {"syllables": 4, "stress": "++++"}]
    fits = [{"fits": True, "stress": "+-"}, {"fits": True}]
    near = [{"fits": False}, {"fits": True}]
    whole = gold.score_meter(items, [free, fits, [{"fits": False}] * 2, near])
    assert whole == {"count": 0.5, "fits": 1.0, "unique": 0.5, "stress": 1.0, "stress_given_length": 0.0}
    mute = [{"syllables": None, "stress": None}] * 2
    assert gold.score_meter(items, [mute] * 4) == {}


def test_the_same_items_are_kept_whatever_their_order_in_the_file(tmp_path):
    items = [{"source": s, "line": f"{s}{i}"} for s in "ab" for i in range(5)]
    for name, order in (("x", items), ("y", items[::-1])):
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as stream:
            stream.writelines(json.dumps(item) + "\n" for item in order)
    kept = gold.read_gold(tmp_path / "x", {"a": 2, "b": 3})
    assert kept == gold.read_gold(tmp_path / "y", {"a": 2, "b": 3}) and [item["source"] for item in kept] == list("aabbb")


def test_a_slow_tool_is_judged_on_every_kth_item():
    assert list(gold.every(range(6), seconds=10, cost=9)) == [0, 1, 2, 3, 4, 5]
    assert list(gold.every(range(6), seconds=10, cost=25)) == [0, 3]


@pytest.mark.parametrize("lang", ["fr", "es", "en"])
def test_made_up_lines_are_the_same_for_a_seed_and_others_for_another(lang):
    made = bench.make_stanzas(lang, 40, seed=1)
    assert made == bench.make_stanzas(lang, 40, seed=1) != bench.make_stanzas(lang, 40, seed=2)
    assert sum(map(len, made)) == 40 and all(len(line.split()) >= 5 for stanza in made for line in stanza)


def test_a_run_has_an_answer_a_row_and_its_own_peak_memory():
    small = bench.run(ECHO, [{"line": "é"}, {"line": "b"}], None)
    assert small.answers == [{"got": {"line": "é"}}, {"got": {"line": "b"}}] and 0 < small.cpu < 30
    large = bench.run(python("x = b'1' * 80_000_000\nprint('{}')"), [{}], None)
    assert large.peak_mib > small.peak_mib + 50


@pytest.mark.parametrize(
    "code, message",
    [
        ("print('{}')", "1 answers to 2 rows"),
        ("import sys; sys.exit('lacks a model')", "lacks a model"),
        ("import sys; sys.exit(3)", "exit code 3"),
    ],
)
def test_a_tool_that_fails_is_told_by_its_last_words(code, message):
    with pytest.raises(bench.Failed, match=message):
        bench.run(python(code), [{}, {}], None)


def test_peers_that_are_missing_are_listed_with_how_to_get_them(monkeypatch):
    listed = {
        "here": {"installed": True, "version": "1", "get": "pip install here", "does": {"fr": ["rhymes"]}, "note": ""},
        "gone": {"installed": False, "version": "", "get": "pip install gone", "does": {"fr": ["rhymes"]}, "note": ""},
        "other": {"installed": True, "version": "1", "get": "pip install other", "does": {"en": ["scan"]}, "note": ""},
    }
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(listed))
    monkeypatch.setattr(bench.subprocess, "run", lambda *args, **kwargs: done)
    tools = bench.find_tools("fr", ["all"], [])
    assert [(tool.name, tool.note) for tool in tools] == [("rlpoet", ""), ("here", ""), ("gone", "not installed (pip install gone)")]
    assert [tool.name for tool in bench.find_tools("fr", ["installed"], [])] == ["rlpoet", "here"]
    assert [tool.name for tool in bench.find_tools("fr", ["gone"], [])] == ["rlpoet", "gone"]
    with pytest.raises(SystemExit, match="--peers gon: no such peer"):
        bench.find_tools("fr", ["gon"], [])


def test_every_peer_is_known_without_importing_it():
    script = Path(bench.__file__).with_name("verse_peers.py")
    listed = json.loads(subprocess.run([sys.executable, str(script), "list"], check=True, capture_output=True, text=True).stdout)
    named = "frhyme plint rhymetagger epitran pyverse rantanplan libescansion pronouncing g2p_en prosodic espeak-ng"
    assert set(named.split()) == set(listed)
    assert all(peer["get"].split()[1] == "install" and peer["does"] for peer in listed.values())


def test_a_peer_answers_in_the_protocol_of_the_command():
    script = Path(bench.__file__).with_name("verse_peers.py")
    row = {"lines": ["Tyger Tyger, burning bright,", "In the forests of the night;", "Symmetry"], "pairs": [[0, 1], [0, 2]]}
    done = bench.run([sys.executable, str(script), "pronouncing", "rhymes", "en"], [row], None)
    assert done.answers == [{"rhymes": [True, False]}]
    scanned = bench.run([sys.executable, str(script), "pronouncing", "scan", "en"], [{"line": "In the forests of the night;"}], None)
    assert scanned.answers[0]["syllables"] == 7


def test_the_table_leaves_out_columns_without_figures_and_shows_rlpoet_on_the_same_items():
    rows = [{"tool": "rlpoet", "F1": 0.9}, {"tool": "x", "F1": 0.8, "rlpoet": {"F1": 0.95}}, {"tool": "y", "note": "not installed"}]
    assert bench.table(rows, ("tool", "F1", "P", "note")).splitlines() == [
        "| tool | F1 | note |",
        "| --- | --- | --- |",
        "| rlpoet | 0.9 |  |",
        "| x | 0.8 (0.95) |  |",
        "| y |  | not installed |",
    ]
