"""The page of results is what the generator writes, its files say where they come from, and both it and the log stay readable."""

from __future__ import annotations

import doctest
import json
import re

import pytest

from experiments.release import results_page
from experiments.release.results_page import EXPERIMENTS, MAIN_JOB, ORDER, PAGES, RESULTS, main_job, page, read_tables

LOG = EXPERIMENTS / "LOG.md"
COMMIT = re.compile(r"\b[0-9a-f]{7,40}\b")
WRITTEN = [EXPERIMENTS / f"{name}.md" for name in PAGES]
FILES = sorted(RESULTS.glob("*.json"))
MAX_LINE, MAX_SENTENCE, MAX_LINES = 400, 40, 190  # characters, words, lines of the page
MAX_LOG_LINE, MAX_ENTRY = 140, 15  # characters, lines
ROW = {
    "machine": "as it is", "lang": "fr", "seed": 0, "command": "rlpoet train --lang fr --seed 0", "commit": "374d52c",
    "precision": "bfloat16", "gflops": 90, "minutes": 6.0, "updates": 100, "poems": 19200, "intervals": None,
    "before": {"rhyme_pairs": 0.877, "lines_in_meter": 0.925, "perfect_stanzas": 0.602, "distinct_end_words": 0.837},
    "after": {"rhyme_pairs": 0.963, "lines_in_meter": 0.96, "perfect_stanzas": 0.789, "distinct_end_words": 0.807},
}  # fmt: skip


def prose(text: str) -> list[str]:
    """Sentences of a page: no tables, no code, no links' targets."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith(("|", "    ")))
    kept = re.sub(r"`[^`]*`", "CODE", re.sub(r"\]\([^)]*\)", "]", kept))
    return [sentence for part in re.split(r"\n\s*\n|\n#+ ", kept) for sentence in re.split(r"(?<=[.?!])\s", part)]


def entries(text: str) -> dict[str, list[str]]:
    """Lines of each entry of the log under its heading, blank lines around it left out."""
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {title: body.strip().splitlines() for title, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_generator_writes_now(name):
    assert (EXPERIMENTS / f"{name}.md").read_text(encoding="utf-8") == page(read_tables(), name), "run: make results"


def test_every_table_is_on_one_page():
    titles = [json.loads(path.read_text(encoding="utf-8")).get("title") for path in FILES if path.stem != MAIN_JOB]
    pages = [path.read_text(encoding="utf-8") for path in WRITTEN]
    assert [title for title in titles if sum(f"## {title}\n" in text for text in pages) != 1] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_where_its_numbers_come_from(path):
    file = json.loads(path.read_text(encoding="utf-8"))
    assert file["command"]
    for row in file["rows"] if path.stem == MAIN_JOB else [{**file, "seed": file["seeds"]}]:
        assert COMMIT.search(row["commit"])
        assert isinstance(row["seed"], int) or all(isinstance(seed, int) for seed in row["seed"])


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != MAIN_JOB], ids=lambda path: path.stem)
def test_every_file_is_one_table_with_its_three_sentences(path):
    file = json.loads(path.read_text(encoding="utf-8"))
    assert {len(row) for row in file["rows"]} == {len(file["columns"])}
    assert file["question"].endswith("?")
    assert file["says"].endswith(".")
    assert file["limits"].endswith(".")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", file["date"])


def test_every_file_has_its_place_on_the_page():
    assert [path.stem for path in FILES if path.stem not in ORDER] == []


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_a_page_is_short_and_plain(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert [line for line in text.splitlines() if len(line) > MAX_LINE] == []
    assert [sentence for sentence in prose(text) if len(sentence.split()) > MAX_SENTENCE] == []


def test_the_default_run_is_shown_from_the_rows_of_its_benchmark():
    file = {"command": "python -m experiments.benchmarks.main_job", "rows": [ROW, ROW | {"lang": "es", "seed": 1}]}
    table = main_job(json.loads(json.dumps(file), parse_float=str, parse_int=str))
    assert table["rows"][0] == ["fr", "as it is", "6.0", "100", "19200", "87.7", "96.3", "92.5", "96.0", "60.2", "78.9", "0.837", "0.807"]
    assert len(table["columns"]) == len(table["rows"][0])
    assert "commit 374d52c, seeds 0, 1;" in table["provenance"]
    assert "8.6" in table["says"]
    assert "| es | as it is |" in page({MAIN_JOB: json.loads(json.dumps(file), parse_float=str, parse_int=str)})


def test_examples_of_the_generator():
    assert doctest.testmod(results_page).failed == 0


def test_entries_of_the_log_are_short_dated_and_newest_first():
    text = LOG.read_text(encoding="utf-8")
    found = entries(text)
    assert {title: len(body) for title, body in found.items() if len(body) > MAX_ENTRY} == {}
    dates = [re.match(r"\d{4}-\d\d-\d\d: \w", title) for title in found]
    assert all(dates)
    assert (days := [title[:10] for title in found]) == sorted(days, reverse=True)
    assert [line for line in text.splitlines() if len(line) > MAX_LOG_LINE] == []
