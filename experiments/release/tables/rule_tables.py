"""The rule tables of the three languages as they are asked for ``row_effects``: which rows take part in an answer, and a time without some.

A *sign* is a regular expression that a word has to match for a row to take part, so that few words need to be read for a rare row.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any

import rlpoet.phonology.en.derived_forms as en_forms
import rlpoet.phonology.en.tables as en_tables
import rlpoet.phonology.es.letters as es_letters
import rlpoet.phonology.es.sounds as es_sounds
import rlpoet.phonology.es.tables as es_tables
import rlpoet.phonology.fr.sounds as fr_sounds
import rlpoet.phonology.fr.spelling as fr_spelling
import rlpoet.prosody.en.rhyme as en_rhyme
import rlpoet.prosody.en.tables as en_verse_tables
import rlpoet.prosody.es.accent_patterns as es_accents
import rlpoet.prosody.es.readings as es_readings
import rlpoet.prosody.es.scansion as es_scansion
import rlpoet.prosody.fr.syllables as fr_syllables
from rlpoet.phonology import phonology
from rlpoet.prosody import verse
from rlpoet.prosody.es.vowel_groups import WORD as SPANISH_WORD
from rlpoet.prosody.fr.words import PART, TOKEN
from rlpoet.text.tables import read_table

MOST_LINES, MOST_SCANNED = 100, 20_000
ENGLISH_WORD = re.compile(r"'?[^\W\d_]+(?:['-][^\W\d_]+)*'?")
READERS = (en_forms, en_tables, en_verse_tables, es_tables, fr_sounds, fr_spelling, fr_syllables)  # modules that read tables
compiled = functools.cache(re.compile)  # tables are read a thousand times; the cache of ``re`` itself is small
noted: set[str] = set()  # rows that took part in what is read at the moment, as ``file:line``
left_out: set[str] = set()  # rows that the readers of tables skip


def reader(*args: Any, **options: Any) -> Iterator[tuple[str, list[str]]]:
    """``read_table`` without the rows of ``left_out``."""
    return (row for row in read_table(*args, **options) if row[0] not in left_out)


class Noting(dict[Any, Any]):
    """A table by key that notes the rows it is asked for; ``rows``: key -> rows."""

    rows: dict[Any, tuple[str, ...]]

    def get(self, key: Any, default: Any = None) -> Any:
        noted.update(self.rows.get(key, ()))
        return super().get(key, default)

    def __getitem__(self, key: Any) -> Any:
        noted.update(self.rows.get(key, ()))
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        noted.update(self.rows.get(key, ()))
        return super().__contains__(key)


class NotingPattern:
    """A compiled pattern that notes its row where it matches."""

    def __init__(self, pattern: re.Pattern[str], row: str) -> None:
        self.plain, self.pattern, self.row = pattern, pattern.pattern, row

    def _note(self, found: Any) -> Any:
        if found:
            noted.add(self.row)
        return found

    def match(self, text: str, at: int = 0) -> Any:
        return self._note(self.plain.match(text, at))

    def search(self, text: str) -> Any:
        return self._note(self.plain.search(text))

    def sub(self, put: str, text: str, count: int = 0) -> str:
        changed = self.plain.sub(put, text, count=count)
        if changed != text:
            noted.add(self.row)
        return changed


def noting_function(function: Callable[..., Any], rows_of: Callable[[Any], Iterable[str]]) -> Callable[..., Any]:
    """A function, or a generator function, whose answers have rows that are noted."""

    @functools.wraps(function)
    def noting(*args: Any, **options: Any) -> Any:
        found = function(*args, **options)
        if isinstance(found, Iterator):
            return each(found)
        noted.update(row for answer in found for row in rows_of(answer))
        return found

    def each(found: Iterator[Any]) -> Iterator[Any]:
        for answer in found:
            noted.update(rows_of(answer))
            yield answer

    return noting


def noting_dict(table: dict[Any, Any], rows: dict[Any, tuple[str, ...]]) -> Noting:
    noting = Noting(table)
    noting.rows = rows
    return noting


@contextlib.contextmanager
def patched(*places: tuple[Any, str, Any]) -> Iterator[None]:
    """Set attributes for a while."""
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in places]
    try:
        for owner, name, value in places:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


BY_LETTERS = frozenset({"fold", "guess", "_read", "_base_letter", "_syllables"})  # what they give no rule table decides


@contextlib.contextmanager
def uncached() -> Iterator[None]:
    """A time without the caches of words and lines; tables, whose caches have no limit, keep theirs."""
    modules = [module for name, module in sys.modules.items() if name.startswith(("rlpoet.phonology", "rlpoet.prosody"))]
    cached = [
        (module, name, value.__wrapped__)
        for module in modules
        for name, value in vars(module).items()
        if name not in BY_LETTERS and hasattr(value, "cache_parameters") and value.cache_parameters()["maxsize"] is not None
    ]
    with patched(*cached):
        yield


class Language:
    """The rule tables of a language: how a word is read, which rows that takes, and how a table is read again.

    Attributes:
        folder: of the tables.
        tables: their names.
        line_tables: those whose rows are about lines, not about single words.
    """

    folder: Path
    tables: tuple[str, ...]
    line_tables: tuple[str, ...] = ()

    def words(self, text: str) -> Iterable[str]:
        """The words of a text, alike where they are read alike."""
        raise AttributeError

    def sign(self, table: str, cells: list[str]) -> str:
        """A regular expression that a word in which a row takes part matches, in lower case between two ``#``. It may match others."""
        raise AttributeError

    def likely(self, rows: Iterable[str]) -> re.Pattern[str]:
        """A pattern of the words in which one of these rows may take part."""
        signs = []
        for row in rows:
            table, _, number = row.partition(":")
            text = (self.folder / table).read_text(encoding="utf-8").split("\n")[int(number) - 1]
            signs.append(self.sign(table, text.split("\t")))
        return re.compile("|".join(f"(?:{sign})" for sign in signs) or "(?!)")

    def answer(self, word: str) -> Hashable:
        """What the tables decide about a word."""
        raise AttributeError

    def noting(self) -> contextlib.AbstractContextManager[None]:
        """A time in which ``answer`` notes its rows."""
        raise AttributeError

    def read_again(self, table: str) -> None:
        """Read a table again, without the rows of ``left_out``."""
        raise AttributeError

    def rows(self, table: str) -> list[str]:
        """All rows of a table as ``file:line``."""
        text = (self.folder / table).read_text(encoding="utf-8")
        numbered = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip() and line[0] != "%"]
        body = [number for number, line in numbered if not line.startswith("class ")]
        return [f"{table}:{number}" for number in body[1:]]

    def lines_touched(self, lines: list[str]) -> dict[str, list[str]]:
        """At most ``MOST_LINES`` lines in which each row about lines takes part, of ``MOST_SCANNED`` lines spread over the corpus."""
        return {}

    def line_answer(self, table: str, line: str) -> Hashable:
        """What a table about lines decides about a line."""
        raise AttributeError


class EnglishRules(Language):
    folder = en_tables.DATA
    tables = (
        "words.tsv", "names.tsv", "attested.tsv", "endings.tsv", "prefixes.tsv", "final_stress.tsv", "spellings.tsv", "promoted.tsv",
    )  # fmt: skip

    def words(self, text: str) -> Iterable[str]:
        return ENGLISH_WORD.findall(text.lower().replace("’", "'").replace("‘", "'"))

    def sign(self, table: str, cells: list[str]) -> str:
        if table in ("words.tsv", "names.tsv", "attested.tsv"):
            stem = re.escape(cells[0].removesuffix("e").removesuffix("y"))
            return stem if len(stem) > 3 else f"#{stem}|-{stem}|{stem}e?#"
        if table == "spellings.tsv":
            return re.escape(max(en_forms.NEEDLESS.sub(" ", cells[1]).split(), key=len, default=""))
        if table == "promoted.tsv":
            return cells[0].replace("$", "(?=['s]*#)")
        return re.escape(cells[0])

    def answer(self, word: str) -> Hashable:
        sourced, known = en_rhyme.phones_of(word)
        bare = en_rhyme.fold(word).strip("'")
        return known, tuple((phones, tuple(en_rhyme.tails(bare, phones))) for phones, _ in sourced)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        def own(derivation: Any) -> list[str]:
            return [source for _, source in derivation.pronunciations]

        listed = {word: tuple(where for where, *_ in found) for word, found in en_tables.verse_words().items()}
        words = noting_dict(en_tables.verse_words(), listed)
        attested = noting_dict(en_tables.attested(), {word: (where,) for word, (_, where) in en_tables.attested().items()})
        rows = self.rows("promoted.tsv")
        vowels = tuple((NotingPattern(p, row), vowel) for row, (p, vowel) in zip(rows, en_verse_tables.promoted_vowels(), strict=True))
        with patched(
            *((en_forms, name, noting_function(getattr(en_forms, name), own)) for name in ("inflected", "prefixed", "finally_stressed")),
            (en_forms, "respellings", noting_function(en_forms.respellings, lambda answer: [answer[0]])),
            *((module, "verse_words", lambda: words) for module in (en_tables, en_forms)),
            *((module, "attested", lambda: attested) for module in (en_tables, en_forms)),
            (en_rhyme, "promoted_vowels", lambda: vowels),
        ):
            yield

    def read_again(self, table: str) -> None:
        caches: dict[str, Any] = {
            "words.tsv": en_tables.verse_words, "names.tsv": en_tables.verse_words, "attested.tsv": en_tables.attested,
            "endings.tsv": en_forms._endings, "prefixes.tsv": en_forms._prefixes, "final_stress.tsv": en_forms._final_stress,
            "spellings.tsv": en_forms._spellings, "promoted.tsv": en_verse_tables.promoted_vowels,
        }  # fmt: skip
        caches[table].cache_clear()


class FrenchRules(Language):
    folder = fr_spelling.DATA
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


class SpanishRules(Language):
    folder = es_tables.DATA
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
        for cache in (*caches[table], es_readings.rhythm, es_scansion._read, es_scansion.scan_line):
            if hasattr(cache, "cache_clear"):
                cache.cache_clear()

    def lines_touched(self, lines: list[str]) -> dict[str, list[str]]:
        weak: dict[str, list[str]] = collections.defaultdict(list)
        for row, (word, *_) in es_tables.rows("unstressed.tsv", es_tables.UNSTRESSED_COLUMNS):
            weak[word].append(row)
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
                noted.update(row for word in {word.lower() for word in SPANISH_WORD.findall(line)} & weak.keys() for row in weak[word])
                noted.update(rows_of_name(read.stress or ""))
                if read.caesura == es_accents.HEMISTICH:
                    noted.update(rows_of_name(read.stress[: es_accents.HEMISTICH]), rows_of_name(read.stress[es_accents.HEMISTICH :]))
                for row in noted:
                    if row and len(touched[row]) < MOST_LINES:
                        touched[row].append(line)
        for row, (word, *_) in es_tables.rows("unstressed.tsv", es_tables.UNSTRESSED_COLUMNS):
            if not touched[row]:  # a rare word: all lines that have it
                whole = re.compile(rf"(?<![^\W\d_]){word}(?![^\W\d_])", re.IGNORECASE)
                touched[row] = list(itertools.islice((line for line in lines if word in line.lower() and whole.search(line)), MOST_LINES))
        return touched

    def line_answer(self, table: str, line: str) -> Hashable:
        if table == "accents.tsv":
            return verse("es").meter_name(verse("es").scan(line))
        read = verse("es").counted(line)  # type: ignore[attr-defined]
        return read.syllables, read.stress


@contextlib.contextmanager
def without(rules: Language, *rows: str) -> Iterator[None]:
    """A time in which some rows of the tables are left out."""
    tables = {row.partition(":")[0] for row in rows}
    with patched((re, "compile", compiled), *((module, "read_table", reader) for module in READERS)):
        left_out.update(rows)
        try:
            for table in tables:
                rules.read_again(table)
            yield
        finally:
            left_out.difference_update(rows)
            for table in tables:
                rules.read_again(table)


RULES: dict[str, type[Language]] = {"en": EnglishRules, "fr": FrenchRules, "es": SpanishRules}
