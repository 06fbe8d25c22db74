"""The Spanish rule tables as ``row_effects`` asks them; those of weak words, rhythms and names are about lines."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import re
from collections.abc import Hashable, Iterable, Iterator
from typing import Any

import rlpoet.phonology.es.letters as es_letters
import rlpoet.phonology.es.sounds as es_sounds
import rlpoet.phonology.es.tables as es_tables
import rlpoet.prosody.es.accent_patterns as es_accents
import rlpoet.prosody.es.readings as es_readings
from experiments.release.tables.rules.language import MOST_LINES, MOST_SCANNED, Language
from experiments.release.tables.rules.noting import NotingPattern, noted, noting_dict, patched
from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.prosody.es.vowel_groups import WORD as SPANISH_WORD


class SpanishRules(Language):
    code = "es"
    folder = es_tables.DATA
    readers = (es_tables,)
    tables = ("letters.tsv", "doublets.tsv", "reductions.tsv", "capitals.tsv", "unstressed.tsv", "rhythms.tsv", "accents.tsv")
    line_tables = ("unstressed.tsv", "rhythms.tsv", "accents.tsv")

    def __init__(self) -> None:
        self.spanish = phonology("es")

    def words(self, text: str) -> Iterable[str]:
        return [word if len(word) > 1 and word.isupper() else word.lower() for word in SPANISH_WORD.findall(text)]

    def sign(self, table: str, cells: list[str]) -> str:
        if table == "capitals.tsv":
            return f"(?:{cells[0]})#"
        return re.escape(cells[0]) if table in ("letters.tsv", "doublets.tsv") else ""

    def answer(self, word: str) -> Hashable:
        read = self.spanish._transcribe(word)  # type: ignore[attr-defined]
        return read.pronunciations, read.known, es_letters.parse(word).groups

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        def hear(padded: str, at: int) -> es_letters.LetterSounds:
            sounds = plain(padded, at)
            if sounds.rule:
                noted.add(sounds.rule)
            return sounds

        def reduced(pronunciation: Any, find: str, put: str) -> Any:
            shorter = shorten(pronunciation, find, put)
            if shorter is not None:
                noted.add(groups[find, put])
            return shorter

        plain, shorten = es_letters._hear, self.spanish.reduced  # type: ignore[attr-defined]
        groups = {(find, put): where for find, put, where in es_tables.reductions()}
        doublets = noting_dict(es_tables.doublets(), {word: (row,) for word, (_, row) in es_tables.doublets().items()})
        rows = self.rows("capitals.tsv")
        capitals = tuple((NotingPattern(p, row), put, sure) for row, (p, put, sure) in zip(rows, es_tables.capitals(), strict=True))
        with patched(
            (es_letters, "_hear", hear),
            (self.spanish, "reduced", reduced),
            (es_sounds, "doublets", lambda: doublets),
            (es_letters, "capitals", lambda: capitals),
        ):
            yield

    def read_again(self, table: str) -> None:
        caches: dict[str, tuple[Any, ...]] = {
            "letters.tsv": (es_letters.letter_rules, es_letters._sights), "doublets.tsv": (es_tables.doublets,),
            "reductions.tsv": (es_tables.reductions, es_sounds._reducible), "capitals.tsv": (es_tables.capitals,),
            "unstressed.tsv": (es_tables.unstressed,), "rhythms.tsv": (es_tables.rhythms,), "accents.tsv": (es_accents.accent_table,),
        }  # fmt: skip
        for cache in caches[table]:
            cache.cache_clear()

    def lines_touched(self, lines: list[str]) -> dict[str, list[str]]:
        weak: dict[str, list[tuple[str, re.Pattern[str]]]] = collections.defaultdict(list)
        for row, (word, before, _) in es_tables.rows("unstressed.tsv", es_tables.UNSTRESSED_COLUMNS):
            following = "" if before in ("", "Name") else rf"\W+{before}(?![^\W\d_])"
            weak[word].append((row, re.compile(rf"(?<![^\W\d_]){word}(?![^\W\d_]){following}", re.IGNORECASE)))
        by_length: dict[int, list[str]] = collections.defaultdict(list)
        for row, (length, *_) in es_tables.rows("rhythms.tsv", es_tables.RHYTHM_COLUMNS):
            by_length[int(length)].append(row)

        @functools.lru_cache(maxsize=1 << 16)
        def row_of_rhythm(stress: str) -> str:
            has = {place for place, mark in enumerate(stress, start=1) if mark == "+"}
            own = zip(by_length.get(len(stress), ()), es_tables.rhythms().get(len(stress), ()), strict=True)
            return next((row for row, (wanted, barred, _) in own if wanted <= has and not barred & has), "")

        @functools.lru_cache(maxsize=1 << 16)
        def rows_of_name(stress: str) -> tuple[str, ...]:
            has, found = set(es_accents.accent_places(stress)), []
            for name in es_accents.accent_table().get(len(stress), ()):
                if name.stressed <= has and not name.unstressed & has:
                    found.append(name.where)
                    if not name.cut:
                        break
            return tuple(found)

        def rhythm(stress: str) -> float:
            noted.add(row_of_rhythm(stress))
            return weight(stress)

        weight = functools.lru_cache(maxsize=1 << 16)(es_readings.rhythm)
        touched: dict[str, list[str]] = collections.defaultdict(list)
        with patched((es_readings, "rhythm", rhythm)):
            for line in lines[:: max(len(lines) // MOST_SCANNED, 1)]:
                noted.clear()
                read = verse("es").counted(line)  # type: ignore[attr-defined]
                words = {word.lower() for word in SPANISH_WORD.findall(line)} & weak.keys()
                noted.update(row for word in words for row, pattern in weak[word] if pattern.search(line))
                noted.update(rows_of_name(read.stress or ""))
                if read.caesura == es_accents.HEMISTICH:
                    noted.update(rows_of_name(read.stress[: es_accents.HEMISTICH]), rows_of_name(read.stress[es_accents.HEMISTICH :]))
                for row in noted:
                    if row and len(touched[row]) < MOST_LINES:
                        touched[row].append(line)
        for word, row, pattern in [(word, *rare) for word, own in weak.items() for rare in own if not touched[rare[0]]]:
            found = (line for line in lines if word in line.lower() and pattern.search(line))  # of a rare word all lines that have it
            touched[row] = list(itertools.islice(found, MOST_LINES))
        return touched

    def line_answer(self, table: str, line: str) -> Hashable:
        if table == "accents.tsv":
            return verse("es").meter_name(verse("es").scan(line))
        read = verse("es").counted(line)  # type: ignore[attr-defined]
        return read.syllables, read.stress
