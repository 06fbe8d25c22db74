"""Spanish: everything from the spelling.

Letters become phonemes by an ordered table (``data/es/letters.tsv``), syllables and stress follow
the rules of the written norm. Variety: seseo and yeísmo merged by default, since verse from both
sides of the Atlantic rhymes that way somewhere; ``Spanish(distincion=True, yeismo=False)`` keeps
casa / caza and pollo / poyo apart. Golden Age spelling (ç, ss, x for j, u for v) is read too.
Left out: allophones (b / β, n before velars), voicing, and any lexicon; a foreign word is a guess.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rlpoet.errors import TableError
from rlpoet.types import Pronunciation, Transcription

DATA = Path(__file__).parent / "data" / "es"
LETTER_COLUMNS = ["find", "put", "before", "after", "example", "note"]
REDUCTION_COLUMNS = ["find", "put", "example", "note"]
UNSTRESSED_COLUMNS = ["word", "before", "note"]
WEIGHT_COLUMNS = ["feature", "weight"]
DOUBLET_COLUMNS = ["word", "also", "note"]
MERGED = {"θ": "s", "ʎ": "ʝ"}
STRONG = frozenset("aeo")
# Second members of an onset of two consonants; what may come before them.
LIQUIDS = {"l": frozenset("pbfkɡ"), "ɾ": frozenset("pbfkɡtd")}
# What a native word may end in; anything else is a guess (club, coñac).
FINALS = re.compile(r"(?:[aeiouáéíóúyïü]s?|[aeiouáéíóúïü][nlrdzjx])$")
FOREIGN = re.compile(r"[kwà-ÿ](?<![áéíóúüïñç])|[^a-zà-ÿ']")
MARKS = {"\u0301": "acute", "\u0300": "acute", "\u0302": "acute", "\u0308": "dieresis"}
WORD_CACHE = 65_536


@dataclass(frozen=True, slots=True)
class Sound:
    """One phoneme and the letters it comes from (``start:end`` of the folded word)."""

    phone: str
    start: int
    end: int
    vowel: bool = False
    accent: bool = False
    dieresis: bool = False

    @property
    def strong(self) -> bool:
        """a, e, o: never the glide of a diphthong in the norm."""
        return self.phone in STRONG


@dataclass(frozen=True, slots=True)
class Parsed:
    """A word as sounds, cut into syllables.

    Attributes:
        text: the folded word.
        sounds: consonants and full vowels; which vowels are glides is said by ``groups``.
        groups: positions in ``sounds`` of the vowels of each syllable.
        nuclei: the one of each group that carries the syllable.
        stress: which group has the primary stress.
        rule: ``file:line`` of the last letter rule used.
        guess: True for a word the table was not made for.
    """

    text: str
    sounds: tuple[Sound, ...]
    groups: tuple[tuple[int, ...], ...]
    nuclei: tuple[int, ...]
    stress: int
    rule: str
    guess: bool


@dataclass(frozen=True, slots=True)
class Rule:
    where: str
    pattern: str
    phones: tuple[str, ...]


def fold(text: str) -> str:
    """Lower case, NFC, curly apostrophes straightened; what every look-up here is made on.

    >>> fold("¡N\u0303ANDU\u0301!")
    '¡ñandú!'
    """
    return unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u02bc", "'").lower()


def _rows(path: Path, columns: list[str], classes: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Rows behind the header as ``(file:line, cells)``; class lines go into ``classes``."""
    header = False
    for number, raw in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        line, where = unicodedata.normalize("NFC", raw), f"{path.name}:{number}"
        if not line.strip() or line.startswith("%"):
            continue
        if line.startswith("class "):
            name, _, members = line.removeprefix("class ").partition("=")
            classes[name.strip()] = members.strip()
            continue
        cells = line.split("\t")
        if not header:
            if cells != columns:
                raise TableError(f"{where}: header is {cells}; expected {columns}.")
            header = True
            continue
        if len(cells) == len(columns) - 1 and columns[-1] == "note":
            cells.append("")
        if len(cells) != len(columns):
            raise TableError(f"{where}: {len(cells)} columns; expected {len(columns)}.")
        yield where, cells


def _context(cell: str, classes: dict[str, str], where: str, *, behind: bool) -> str:
    if cell == "":
        return ""
    if cell == "#":
        return r"(?<![^\W\d_])" if behind else r"(?![^\W\d_])"
    if cell not in classes and not (len(cell) == 1 and cell.islower()):
        raise TableError(f"{where}: context {cell!r}; expected '#', one letter or one of {', '.join(sorted(classes))}.")
    members = f"[{classes.get(cell, cell)}]"
    return f"(?<={members})" if behind else f"(?={members})"


@functools.cache
def letter_rules() -> tuple[tuple[Rule, ...], re.Pattern[str]]:
    """The letter table and one pattern that finds which row fits (group number = row + 1).

    Raises:
        TableError: a bad row, or an example that the table itself does not give.
    """
    classes: dict[str, str] = {}
    rules, examples = [], []
    for where, (find, put, before, after, example, _) in _rows(DATA / "letters.tsv", LETTER_COLUMNS, classes):
        source = _context(before, classes, where, behind=True) + re.escape(find) + _context(after, classes, where, behind=False)
        rules.append(Rule(where, source, () if put == "0" else tuple(put.split())))
        examples.append((where, example))
    pattern = re.compile("|".join(f"({rule.pattern})" for rule in rules))
    table = (tuple(rules), pattern)
    for where, example in examples:
        word, _, expected = example.partition(">")
        got = "".join(sound.phone for sound in _sounds(word, table)[0])
        if got != expected:
            raise TableError(f"{where}: example {word!r} gives {got!r}, the row promises {expected!r}.")
    return table


@functools.cache
def _bare(letter: str) -> tuple[str, str]:
    """A letter without its marks, and what the mark says: ``acute``, ``dieresis`` or nothing."""
    apart = unicodedata.normalize("NFD", letter)
    return apart[0], next((MARKS[mark] for mark in apart[1:] if mark in MARKS), "")


def _sounds(word: str, table: tuple[tuple[Rule, ...], re.Pattern[str]]) -> tuple[list[Sound], str, bool]:
    """Sounds of a folded word, the last rule used, and whether a letter had no rule."""
    rules, pattern = table
    sounds: list[Sound] = []
    last, strange, at = "", False, 0
    while at < len(word):
        found = pattern.match(word, at)
        if found is not None and found.lastindex is not None:
            rule, end = rules[found.lastindex - 1], found.end()
            last = rule.where
            begin = at
            for n, phone in enumerate(rule.phones, start=1):  # two phones share the letters; of x the first gets none
                stop = end if n == len(rule.phones) else at + (end - at) // len(rule.phones)
                sounds.append(Sound(phone, begin, stop, vowel=phone in "iu"))
                begin = stop
            at = end
            continue
        letter = word[at]
        base, mark = _bare(letter)
        if base in "aeiou":
            sounds.append(Sound(base, at, at + 1, vowel=True, accent=mark == "acute", dieresis=mark == "dieresis"))
        elif letter.isalpha():
            strange = True
            known = pattern.match(base)
            phone = base if known is None or known.lastindex is None else "".join(rules[known.lastindex - 1].phones)
            if phone:
                sounds.append(Sound(phone, at, at + 1, vowel=phone in "iu"))
        at += 1
    return sounds, last, strange


def _joined(left: Sound, right: Sound) -> bool:
    """Whether the norm reads two neighbouring vowels as one syllable."""
    if left.dieresis or right.dieresis:
        return False
    if left.strong and right.strong:
        return False
    if left.strong or right.strong:
        return not (left.accent and not left.strong) and not (right.accent and not right.strong)
    return left.phone != right.phone


def _vowel_groups(sounds: list[Sound]) -> list[tuple[int, ...]]:
    groups: list[list[int]] = []
    for i, sound in enumerate(sounds):
        if not sound.vowel:
            continue
        if groups and groups[-1][-1] == i - 1 and _joined(sounds[i - 1], sound):
            group = groups[-1]
            falling = len(group) > 1 and not sounds[group[-1]].strong and any(sounds[k].strong for k in group)
            if not falling and not (sound.strong and any(sounds[k].strong for k in group)):
                group.append(i)
                continue
        groups.append([i])
    return [tuple(group) for group in groups]


def _nucleus(group: tuple[int, ...], sounds: list[Sound], word: str) -> int:
    for wanted in (lambda s: s.strong, lambda s: s.accent):
        for i in group:
            if wanted(sounds[i]):
                return i
    if len(group) > 1 and word[sounds[group[-1]].start] == "y":  # muy: a falling diphthong
        return group[-2]
    return group[-1]


def _stress(word: str, sounds: list[Sound], groups: list[tuple[int, ...]]) -> int:
    """The written accent, else: ends in a vowel, or in n or s after a vowel -> the last but one."""
    marked = next((g for g, group in enumerate(groups) if any(sounds[i].accent for i in group)), None)
    if marked is not None:
        adverb = word.endswith("mente") and len(groups) - marked > 3  # rápidamente: two stresses, the second is the main one
        return len(groups) - 2 if adverb else marked
    if len(groups) < 2:
        return 0
    last = sounds[-1]
    after_vowel = sounds[-2].vowel
    plain = (last.vowel and word[last.start] != "y") or (last.phone in "ns" and word[last.start] in "ns" and after_vowel)
    return len(groups) - 2 if plain else len(groups) - 1


@functools.lru_cache(maxsize=WORD_CACHE)
def parse(word: str) -> Parsed:
    """A word (typed anyhow) as sounds and syllables, both mergers undone.

    >>> [w.nuclei and len(w.groups) for w in map(parse, ("día", "aire", "poeta", "estudiáis"))]
    [2, 2, 3, 3]
    """
    text = fold(word)
    sounds, rule, strange = _sounds(text, letter_rules())
    sounds = [s for i, s in enumerate(sounds) if s.vowel or i == 0 or s.phone != sounds[i - 1].phone]
    if not sounds:  # a lone h has to stand for itself
        sounds = [Sound(letter, at, at + 1) for at, letter in enumerate(text) if letter.isalpha()][:1]
    groups = _vowel_groups(sounds)
    guess = strange or FOREIGN.search(text) is not None or FINALS.search(text) is None
    if sounds and not groups:  # brrr, or another script: its last sound has to carry it
        groups = [(len(sounds) - 1,)]
        return Parsed(text, tuple(sounds), tuple(groups), (len(sounds) - 1,), 0, rule, True)
    nuclei = tuple(_nucleus(group, sounds, text) for group in groups)
    return Parsed(text, tuple(sounds), tuple(groups), nuclei, _stress(text, sounds, groups) if groups else 0, rule, guess)


def syllable_starts(word: Parsed) -> list[int]:
    """Where each syllable begins in the spelling: one consonant goes forward, two if they make an onset.

    >>> [parse(w).text[s:] for w in ("sombra", "examen", "alma") for s in syllable_starts(parse(w))[1:2]]
    ['bra', 'xamen', 'ma']
    """
    starts = []
    for g, group in enumerate(word.groups):
        first = group[0]
        if g == 0:
            starts.append(0)
            continue
        floor = word.groups[g - 1][-1] + 1
        onset = first
        if onset > floor:
            onset -= 1
            second = word.sounds[onset].phone
            if onset > floor and second in LIQUIDS and word.sounds[onset - 1].phone in LIQUIDS[second]:
                onset -= 1
        start = word.sounds[onset].start
        before = word.sounds[onset - 1].end
        mute = word.text.rfind("h", word.sounds[onset].end, word.sounds[first].start)
        if mute >= 0:  # des-hecho, in-humano: the h of a second part shows where it begins
            start = mute
        elif before < start:  # a-hora: a mute h goes with what follows
            start = before
        starts.append(start)
    return starts


@functools.cache
def reductions() -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Phone sequences of learned groups and the shorter way to say them."""
    rows = _rows(DATA / "reductions.tsv", REDUCTION_COLUMNS, {})
    return tuple((tuple(find), tuple(put)) for _, (find, put, _, _) in rows)


@functools.cache
def doublets() -> dict[str, str]:
    """Words that are stressed in two ways: océano -> oceano."""
    return {word: also for _, (word, also, _) in _rows(DATA / "doublets.tsv", DOUBLET_COLUMNS, {})}


@functools.cache
def unstressed() -> dict[str, frozenset[str]]:
    """Words without stress inside a line: what has to follow (``Name``: a capital), empty if nothing has to."""
    found: dict[str, frozenset[str]] = {}
    for _, (word, before, _) in _rows(DATA / "unstressed.tsv", UNSTRESSED_COLUMNS, {}):
        found[word] = found.get(word, frozenset()) | ({before} if before else frozenset())
    return found


@functools.cache
def meter_weights() -> dict[str, float]:
    """Logarithms of odds for the rarer reading of a juncture, by feature; see ``SOURCES.md``."""
    return {name: float(weight) for _, (name, weight, *_) in _rows(DATA / "meter_weights.tsv", WEIGHT_COLUMNS, {})}


class Spanish:
    """Spanish phonology from spelling.

    Args:
        distincion: keep /θ/ (caza) apart from /s/ (casa), as in most of Spain.
        yeismo: merge /ʎ/ (pollo) with /ʝ/ (poyo), as most speakers do.
    """

    code = "es"

    def __init__(self, *, distincion: bool = False, yeismo: bool = True) -> None:
        merged = {k: v for k, v in MERGED.items() if (k == "θ" and not distincion) or (k == "ʎ" and yeismo)}
        self._merged = merged
        self.transcribe = functools.lru_cache(maxsize=WORD_CACHE)(self._transcribe)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, ("θ" not in self._merged, "ʎ" in self._merged))

    def _transcribe(self, word: str) -> Transcription:
        parsed = parse(word)
        if not parsed.sounds:
            return Transcription(word, (), "", False)
        main = self._pronounce(parsed)
        found = [main]
        if parsed.text in doublets():
            found.append(self._pronounce(parse(doublets()[parsed.text])))
        for find, put in reductions():
            shorter = _replaced(main, find, tuple(self._merged.get(phone, phone) for phone in put))
            if shorter is not None and shorter not in found:
                found.append(shorter)
        return Transcription(word, tuple(found), parsed.rule or "stress rules", not parsed.guess)

    def _pronounce(self, parsed: Parsed) -> Pronunciation:
        """Phones with glides written j and w, double consonants from a merger said once."""
        phones: list[str] = []
        nuclei: list[int] = []
        carriers = set(parsed.nuclei)
        for i, sound in enumerate(parsed.sounds):
            phone = self._merged.get(sound.phone, sound.phone)
            if i in carriers:
                nuclei.append(len(phones))
            elif sound.vowel:
                phone = {"i": "j", "u": "w"}.get(phone, phone)
            elif phones and phones[-1] == phone:
                continue
            phones.append(phone)
        return Pronunciation(tuple(phones), tuple(nuclei), parsed.stress)


def _rebuild(distincion: bool, yeismo: bool) -> Spanish:
    return Spanish(distincion=distincion, yeismo=yeismo)


def _replaced(said: Pronunciation, find: tuple[str, ...], put: tuple[str, ...]) -> Pronunciation | None:
    """``said`` with its last ``find`` made ``put`` (consonants only, so nuclei only shift), or None."""
    width = len(find)
    at = next((i for i in range(len(said.phones) - width, 0, -1) if said.phones[i : i + width] == find), None)
    if at is None:
        return None
    phones = said.phones[:at] + put + said.phones[at + width :]
    nuclei = tuple(n if n < at else n + len(put) - width for n in said.nuclei)
    return Pronunciation(phones, nuclei, said.stress)
