"""On how many lines of a corpus each row of a rule table changes an answer: what leaving the row out changes.

    python -m experiments.release.tables.row_effects fr ../shared/corpora/fr.jsonl.gz
    python -m experiments.release.tables.row_effects es es.jsonl.gz es_more.jsonl.gz --keep ../shared/gold/*_es_* tests/golden --drop

Every distinct word of the corpus is read once, and the rows that take part in its sounds are noted. Then each row is left out, and the
words that it took part in are read again, the most frequent first, until ``MOST_WORDS`` of them hold one that changes. Their lines are
counted, a line once a word: a lower bound. A row that changes no word at all has no effect. Of rows about lines (which Spanish words are
weak, which rhythms make a length likely, what a verse is called) some lines are read again that the row touches (``MOST_LINES``
of ``MOST_SCANNED`` in ``rules/language.py``, spread over the corpus); where none changes, the row is *unproven* and stays.

``--keep`` names texts whose words count like those of the corpus but are told apart: cases and tests. ``--drop`` deletes the rows without
an effect, and puts back those that only stood in for each other. Prints one JSON object per row without an effect, and one per table.
Read that list before you drop. A table of which no row has an effect is not dropped: an answer from before a row went was remembered.

Not asked: tables that a program learned (their rows are counts, not rules), the symbols of ``arpabet.tsv``, and ``licences.tsv``, of which
``fit_en_meter --licences`` tells the same.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import json
import re
import sys
from collections.abc import Hashable, Iterable
from pathlib import Path

import rlpoet.phonology.fr.sounds as fr_sounds
from experiments.release.tables.rules import RULES, Language
from experiments.release.tables.rules.language import uncached, without
from experiments.release.tables.rules.noting import noted
from rlpoet.errors import TableError

MOST_WORDS, FIRST_WORDS = 20, 8_000


def plain(word: str) -> str:
    """A word in lower case without accents and with straight apostrophes."""
    return fr_sounds.strip_accents(word.lower().replace("’", "'"))


def read_poems(paths: Iterable[Path]) -> list[str]:
    """The distinct lines of corpora."""
    found: dict[str, None] = {}
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as rows:
            for row in rows:
                found.update(dict.fromkeys(line for stanza in json.loads(row)["stanzas"] for line in stanza))
    return list(found)


def read_texts(paths: Iterable[Path]) -> list[str]:
    """The lines of other texts: cells of tables and strings of JSON apart."""
    found: dict[str, None] = {}
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file.suffix in (".gz", ".tsv", ".txt", ".jsonl", ".json", ".py"):
                text = (gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()).decode("utf-8")
                if "\\u" in text and file.suffix != ".py":
                    text = json.dumps([json.loads(row) for row in text.splitlines() if row], ensure_ascii=False)
                found.update(dict.fromkeys(re.split(r"[\n\t|]|\", \"|\\\\n", text)))
    return list(found)


class Effects:
    """What each row of a language's tables does.

    Args:
        rules: of the language.
        lines: of the corpus, each once.
        kept: lines of cases and tests.
    """

    def __init__(self, rules: Language, lines: list[str], kept: list[str]) -> None:
        self.rules, self.lines = rules, lines
        self.answers: dict[str, Hashable] = {}
        self.taken: dict[str, list[str]] = collections.defaultdict(list)  # row -> words that it takes part in, the most frequent first
        self.n_of = collections.Counter(rules.words("\n".join(lines)))
        frequent = [word for word, _ in self.n_of.most_common()]
        others = list(dict.fromkeys(word for word in rules.words("\n".join(kept)) if word not in self.n_of))
        self.n_lines: dict[str, int] = {}
        self.for_cases: list[str] = []
        rows = [row for table in rules.tables if table not in rules.line_tables for row in rules.rows(table)]
        with uncached(rules.code):
            self._note(frequent[:FIRST_WORDS])
            self._count(rows)
            rows = [row for row in rows if not self.n_lines[row]]
            likely = rules.likely(rows)
            self._note(word for word in [*frequent[FIRST_WORDS:], *others] if likely.search(f"#{word.lower()}#{plain(word)}#"))
            self._count(rows)
        self.unproven: list[str] = []  # rows about lines: none of those scanned changes
        if rules.line_tables:
            touched, by_cases = rules.lines_touched(lines), rules.lines_touched(kept)
            for row in (row for table in rules.line_tables for row in rules.rows(table)):
                self.n_lines[row] = self._lines_changed(row, touched.get(row, []))
                if not self.n_lines[row] and self._lines_changed(row, by_cases.get(row, [])):
                    self.for_cases.append(row)
                elif not self.n_lines[row] and not row.startswith("unstressed.tsv"):
                    self.unproven.append(row)
        with uncached(rules.code):
            used = {*self.for_cases, *self.unproven}
            self.idle = self._together([row for row, n in self.n_lines.items() if not n and row not in used])

    def _note(self, words: Iterable[str]) -> None:
        """Read words, and note which rows take part."""
        with self.rules.noting():
            for word in words:
                noted.clear()
                answer = self.rules.answer(word)
                if noted:
                    self.answers[word] = answer
                    for row in noted:
                        self.taken[row].append(word)

    def _count(self, rows: Iterable[str]) -> None:
        """Count the lines that change without each of these rows."""
        self.for_cases = []
        for row in rows:
            changed = self._words_changed(row)
            self.n_lines[row] = sum(self.n_of[word] for word in changed)
            if changed and not self.n_lines[row]:
                self.for_cases.append(row)

    def _words_changed(self, *rows: str, whole: bool = False) -> list[str]:
        """The words that change without some rows, of the ``MOST_WORDS`` most frequent; of all, if none of those does or ``whole``."""
        words = list(dict.fromkeys(word for row in rows for word in self.taken.get(row, ())))
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(without(self.rules, *rows))
                if words:
                    self.rules.answer(words[0])
            except TableError:  # the example of another row needs this one
                return words
            for first in (0,) if whole else range(0, len(words), MOST_WORDS):
                some = words if whole else words[first : first + MOST_WORDS]
                changed = [word for word in some if self.rules.answer(word) != self.answers[word]]
                if changed:
                    return changed
        return []

    def _lines_changed(self, row: str, lines: list[str]) -> int:
        table = row.partition(":")[0]
        before = [self.rules.line_answer(table, line) for line in lines]
        with without(self.rules, row):
            try:
                return sum(self.rules.line_answer(table, line) != answer for line, answer in zip(lines, before, strict=True))
            except TableError:  # each length has to have a plain name
                return len(lines)

    def _together(self, rows: list[str]) -> list[str]:
        """The rows that change nothing if all of them go at once: of rows that stand in for each other the first is kept."""
        rows = list(rows)
        while True:
            changed = self._words_changed(*rows, whole=True)
            if not changed:
                return rows
            for word in changed:
                stand_in = next((row for row in rows if word in self.taken[row]), None)
                if stand_in is not None:
                    rows.remove(stand_in)


def drop(folder: Path, rows: Iterable[str]) -> None:
    """Delete rows from their tables."""
    by_table: dict[str, set[int]] = collections.defaultdict(set)
    for row in rows:
        table, _, number = row.partition(":")
        by_table[table].add(int(number))
    for table, numbers in by_table.items():
        lines = (folder / table).read_text(encoding="utf-8").split("\n")
        (folder / table).write_text("\n".join(line for n, line in enumerate(lines, 1) if n not in numbers), encoding="utf-8")


def remembered(rules: Language, idle: Iterable[str]) -> list[str]:
    """The tables all of whose rows are idle: no corpus does that to a table, but a cache that outlives its rows does."""
    found = set(idle)
    return [table for table in rules.tables if found.issuperset(rules.rows(table))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lang", choices=RULES)
    parser.add_argument("corpus", nargs="+", type=Path)
    parser.add_argument("--keep", nargs="*", type=Path, default=[], help="cases and tests whose answers have to stay")
    parser.add_argument("--drop", action="store_true", help="delete the rows without an effect")
    parser.add_argument("--out", type=Path, help="where to write the number of lines of every row")
    args = parser.parse_args()
    rules = RULES[args.lang]()
    effects = Effects(rules, read_poems(args.corpus), read_texts(args.keep))
    for table in rules.tables:
        rows = rules.rows(table)
        text = (rules.folder / table).read_text(encoding="utf-8").split("\n")
        idle, for_cases = ([row for row in rows if row in found] for found in (set(effects.idle), set(effects.for_cases)))
        for row in idle:
            print(json.dumps({"row": row, "says": text[int(row.partition(":")[2]) - 1]}, ensure_ascii=False))
        unproven = [row for row in rows if row in effects.unproven]
        counts = {"rows": len(rows), "no_effect": len(idle), "for_cases_alone": len(for_cases), "unproven": unproven}
        counts["stand_ins"] = sum(not effects.n_lines[row] for row in rows) - len(idle) - len(for_cases) - len(unproven)
        print(json.dumps({"table": table, **counts}))
    if args.out:
        all_rows = {row: effects.n_lines[row] for table in rules.tables for row in rules.rows(table)}
        args.out.write_text(json.dumps(all_rows, indent=0, ensure_ascii=False), encoding="utf-8")
    for table in (whole := remembered(rules, effects.idle)):
        print(f"{table}: no row has an effect; expected some. Look for what remembers answers of this table.", file=sys.stderr)
    if whole:
        sys.exit(1)
    if args.drop:
        drop(rules.folder, effects.idle)


if __name__ == "__main__":
    main()
