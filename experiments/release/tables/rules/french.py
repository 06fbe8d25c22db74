"""The French rule tables as ``row_effects`` asks them."""

from __future__ import annotations

import collections
import contextlib
import re
from collections.abc import Hashable, Iterable, Iterator

import rlpoet.phonology.fr.sounds as fr_sounds
import rlpoet.phonology.fr.spelling as fr_spelling
import rlpoet.prosody.fr.syllables as fr_syllables
from experiments.release.tables.rules.language import Language, reader
from experiments.release.tables.rules.noting import NotingPattern, noting_dict, patched
from rlpoet.prosody.fr.words import PART, TOKEN
from rlpoet.text.tables import read_table


class FrenchRules(Language):
    code = "fr"
    folder = fr_spelling.DATA
    readers = (fr_sounds, fr_spelling, fr_syllables)
    tables = ("rules.tsv", "homographs.tsv", "names.tsv", "name_endings.tsv", "old_spelling.tsv", "h_aspire.tsv")

    def __init__(self) -> None:
        self.french = fr_syllables.french()
        self.classes: dict[str, str] = {}
        collections.deque(read_table(self.folder / "rules.tsv", fr_spelling.COLUMNS, classes=self.classes), maxlen=0)

    def words(self, text: str) -> Iterable[str]:
        tokens = TOKEN.findall(text)
        return [*(part for token in tokens for part in PART.findall(token)), *(token for token in tokens if "-" in token)]

    def sign(self, table: str, cells: list[str]) -> str:
        if table == "rules.tsv":
            found = cells[1]
            for name, members in self.classes.items():
                found = found.replace(f"{{{name}}}", f"[{members}]")
            return found
        if table == "name_endings.tsv":
            return f"(?:{cells[0]})#"
        if table == "h_aspire.tsv":
            return f"(?<=[#'’-]){cells[0]}"
        if table == "old_spelling.tsv":
            return cells[0].replace("^", "").replace("$", "")
        stem = re.escape(cells[0].removesuffix("er"))
        return f"(?<=[#'’-]){stem}" if cells[0].endswith("er") else f"(?<=[#'’-]){stem}(?=[#'’-])"

    def answer(self, word: str) -> Hashable:
        read = self.french._transcribe(word)
        keys = fr_syllables.start_keys(word.lower())
        return read.pronunciations, read.known, fr_syllables.chance(keys, fr_syllables.START_P[keys[-1]]) > 0.5 if keys else False

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        french = self.french
        by_word = {fr_sounds.strip_ligatures(spelt): (row,) for row, (spelt, _) in self._cells("homographs.tsv", 2)}
        names = {word: (row,) for word, (_, row) in french.names.items()}
        endings = tuple((NotingPattern(pattern, row), sounds, row) for pattern, sounds, row in french.name_endings)
        old = tuple((NotingPattern(p, row), put) for row, (p, put) in zip(self.rows("old_spelling.tsv"), french.old, strict=True))
        rules = {
            letter: tuple(fr_spelling.Rule(rule.where, NotingPattern(rule.pattern, rule.where), rule.put, rule.example) for rule in own)  # type: ignore[arg-type]
            for letter, own in fr_spelling.spelling_rules().items()
        }
        starts = {start: (row,) for row, (start, *_) in self._cells("h_aspire.tsv", 3)}
        aspirated = noting_dict(fr_syllables.h_starts(), starts)
        with patched(
            (french, "homographs", noting_dict(french.homographs, by_word)),
            (french, "names", noting_dict(french.names, names)),
            (french, "name_endings", endings),
            (french, "old", old),
            (fr_spelling, "spelling_rules", lambda: rules),
            (fr_syllables, "h_starts", lambda: aspirated),
        ):
            yield

    def _cells(self, table: str, n: int) -> list[tuple[str, list[str]]]:
        return list(reader(self.folder / table, [str(i) for i in range(n)], header=False))[1:]

    def read_again(self, table: str) -> None:
        if table == "rules.tsv":
            fr_spelling.spelling_rules.cache_clear()
        elif table == "h_aspire.tsv":
            fr_syllables.h_starts.cache_clear()
        else:
            self.french.read_tables()
