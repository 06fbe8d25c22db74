"""Spanish spelling to sounds, syllables and stress: the ordered letter table and the rules of the written norm.

Sounds that some varieties merge are kept apart here (caza / casa, pollo / poyo); ``sounds.Spanish`` merges them. A row looks at
most ``REACH`` letters ahead and one letter back, so results are cached by that window of letters.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from rlpoet.errors import TableError
from rlpoet.phonology.es.tables import capitals, rows
from rlpoet.text import plain_letters

LETTER_COLUMNS = ["find", "put", "before", "after", "example", "note"]
LONGEST_FIND = 3
REACH = LONGEST_FIND + 1
# Second members of an onset of two consonants; what may come before them.
LIQUIDS = {"l": frozenset("pbfkɡ"), "ɾ": frozenset("pbfkɡtd")}
# What a native word may end in (¡oh! too); anything else is a guess (club, coñac).
FINALS = re.compile(r"(?:[aeiouáéíóúyïü][sh]?|[aeiouáéíóúïü][nlrdzjx])$")
FOREIGN = re.compile(r"[kwà-ÿ](?<![áéíóúüïñç])|[^a-zà-ÿ']")
MARKS = {"\u0301": "acute", "\u0300": "acute", "\u0302": "acute", "\u0308": "dieresis"}
# A vowel's part in its syllable: strong a e o, weak i u, y; capital with an accent; ï ü with a dieresis mark, q a strong one.
CLASSES = {"a": "a", "e": "a", "o": "a", "i": "i", "u": "u"}
STRONG = frozenset("aAq")
ACCENTED = frozenset("AIU")
MARKED = frozenset("ïüq")
GLIDE = "w"  # hu before a vowel is a consonant in sound: vi-hue-la
VOWELS = frozenset("aAqiIïuUüyw")
HIATUS = re.compile("[aeo]i[nrszd]$|[aeo]u[ld]$|[^gq]i[ao][sn]?$")  # raiz, dia: the accent may part two vowels of one syllable
ROMAN = re.compile("(?=[IVX])X{0,3}L?X{0,3}(?:IX|IV|V?I{0,3})")  # Felipe II
WORD_CACHE = 65_536


class Rule(NamedTuple):
    """A row of the table: its ``file:line``, its first letter, how far it looks (back or not, letters ahead), its phones."""

    where: str
    letter: str
    behind: bool
    ahead: int
    pattern: str
    phones: tuple[str, ...]


class LetterSounds(NamedTuple):
    """The sounds at one place of a word: how many letters they take, and the phones, each with its class and last letter."""

    length: int
    phones: tuple[str, ...]
    classes: str
    ends: tuple[int, ...]
    rule: str
    strange: bool


class Parsed(NamedTuple):
    """A word as sounds, cut into syllables.

    Attributes:
        text: the folded word.
        phones: consonants and full vowels, one per sound; which vowels are glides is said by ``groups``.
        classes: a letter per sound: ``c`` consonant, ``a`` strong vowel (``A`` accented), ``i u`` weak (``I U``), ``y``, marked ``ï ü q``,
            ``w`` the u of hu before a vowel.
        starts, ends: the letters each sound comes from.
        groups: positions in ``phones`` of the vowels of each syllable.
        nuclei: the one of each group that carries the syllable.
        stress: which group has the primary stress.
        rule: ``file:line`` of the last letter rule used.
        guess: True for a word the table was not made for.
    """

    text: str
    phones: tuple[str, ...]
    classes: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    nuclei: tuple[int, ...]
    stress: int
    rule: str
    guess: bool


def fold(text: str) -> str:
    """Lower case, NFC, straight apostrophes: the form that every look-up of this module uses.

    >>> fold("¡N\u0303ANDU\u0301!")
    '¡ñandú!'
    """
    text = text.lower()
    if text.isascii():
        return text
    return plain_letters(unicodedata.normalize("NFC", text)).lower().replace("\u2019", "'").replace("\u02bc", "'")


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
    """The letter table, and one pattern that finds the row that matches (group number = row + 1).

    Raises:
        TableError: a bad row, or an example that the table itself does not give.
    """
    classes: dict[str, str] = {}
    rules, examples = [], []
    for where, (find, put, before, after, example, _) in rows("letters.tsv", LETTER_COLUMNS, classes):
        if not 0 < len(find) <= LONGEST_FIND:
            raise TableError(f"{where}: find {find!r} has {len(find)} letters; expected 1 to {LONGEST_FIND}.")
        source = _context(before, classes, where, behind=True) + re.escape(find) + _context(after, classes, where, behind=False)
        rules.append(Rule(where, find[0], before != "", len(find) + (after != ""), source, () if put == "0" else tuple(put.split())))
        examples.append((where, example))
    pattern = re.compile("|".join(f"({rule.pattern})" for rule in rules))
    table = (tuple(rules), pattern)
    for where, example in examples:
        word, _, expected = example.partition(">")
        got = "".join(_spelled(word, lambda padded, at: _read(padded[at : at + REACH + 1], table))[0])
        if got != expected:
            raise TableError(f"{where}: example {word!r} gives {got!r}, the row promises {expected!r}.")
    return table


@functools.lru_cache(maxsize=4096)
def _base_letter(letter: str) -> tuple[str, str]:
    """A letter without its marks (a ligature as its letters), and the name of the mark: ``acute``, ``dieresis`` or empty."""
    apart = unicodedata.normalize("NFKD", letter)
    letters = "".join(c for c in apart if c.isalpha() and not unicodedata.combining(c))
    return {"œ": "e", "æ": "e", "ß": "ss"}.get(letters, letters), next((MARKS[mark] for mark in apart[1:] if mark in MARKS), "")


def _read(window: str, table: tuple[tuple[Rule, ...], re.Pattern[str]]) -> LetterSounds:
    """The sounds of the second character of a window, and how many letters they take."""
    rules, pattern = table
    match = pattern.match(window, 1)
    if match is not None and match.lastindex is not None:
        rule, length = rules[match.lastindex - 1], match.end() - 1
        # two phones share the letters; of x the first gets none
        ends = tuple(length if n == len(rule.phones) else length // len(rule.phones) for n in range(1, len(rule.phones) + 1))
        weak = "y" if window == window[0] + "y" else GLIDE if rule.letter == "h" else ""
        classes = "".join((weak or phone) if phone in ("i", "u") else "c" for phone in rule.phones)
        return LetterSounds(length, rule.phones, classes, ends, rule.where, False)
    letter = window[1]
    base, mark = _base_letter(letter)
    if len(base) == 1 and base in CLASSES:
        kind = CLASSES[base]
        if mark:
            kind = kind.upper() if mark == "acute" else {"a": "q", "i": "ï", "u": "ü"}[kind]
        return LetterSounds(1, (base,), kind, (1,), "", False)
    if not letter.isalpha():
        return LetterSounds(1, (), "", (), "", False)
    phones: list[str] = []
    for part in base or letter:
        known = pattern.match(part)
        phones.extend((part,) if known is None or known.lastindex is None else rules[known.lastindex - 1].phones)
    kinds = "".join(CLASSES.get(phone, "c") for phone in phones)
    return LetterSounds(1, tuple(phones), kinds, (*(0 for _ in phones[1:]), 1) if phones else (), "", True)


@functools.cache
def _sights() -> dict[str, tuple[bool, int]]:
    """How far the rows of each letter look: whether back, and how many letters ahead, the letter itself included."""
    widths: dict[str, tuple[bool, int]] = {}
    for rule in letter_rules()[0]:
        behind, ahead = widths.get(rule.letter, (False, 1))
        widths[rule.letter] = (behind or rule.behind, max(ahead, rule.ahead))
    return widths


@functools.lru_cache(maxsize=WORD_CACHE)
def _read_window(window: str) -> LetterSounds:
    return _read(window, letter_rules())


def _hear(padded: str, at: int) -> LetterSounds:
    """The sounds at place ``at`` of a padded word; reads only the letters that a row could look at."""
    behind, ahead = _sights().get(padded[at + 1], (False, 1))
    return _read_window(padded[at : at + 1 + ahead] if behind else " " + padded[at + 1 : at + 1 + ahead])


def _spelled(word: str, read_at: Callable[[str, int], LetterSounds]) -> tuple[list[str], str, list[int], list[int], str, bool]:
    """Phones of a folded word, their classes, first and last letters, the last rule used, and whether a letter had none.

    A consonant written twice in a row is said once.
    """
    phones: list[str] = []
    classes: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    last, strange, at = "", False, 0
    padded = " " + word
    n = len(word)
    while at < n:
        length, phones_read, kinds, stops, rule, odd = read_at(padded, at)
        if rule:
            last = rule
        strange = strange or odd
        begin = at
        for phone, kind, stop in zip(phones_read, kinds, stops, strict=True):
            if kind != "c" or not phones or phones[-1] != phone:
                phones.append(phone)
                classes.append(kind)
                starts.append(begin)
                ends.append(at + stop)
            begin = at + stop
        at += length
    return phones, "".join(classes), starts, ends, last, strange


def _joined(left: str, right: str) -> bool:
    """Whether the norm reads two neighbouring vowels as one syllable, by their classes."""
    if GLIDE in (left, right):
        return left == GLIDE
    if left in MARKED or right in MARKED:
        return False
    if left in STRONG and right in STRONG:
        return False
    if left in STRONG or right in STRONG:
        return left not in "IU" and right not in "IU"
    return left.lower().replace("y", "i") != right.lower().replace("y", "i")


def nucleus(group: tuple[int, ...], classes: str) -> int:
    """The vowel that carries a syllable: the strong one, the accented one, else the last but for muy."""
    for wanted in (STRONG, ACCENTED):
        for i in group:
            if classes[i] in wanted:
                return i
    if len(group) > 1 and classes[group[-1]] == "y":  # muy: a falling diphthong
        return group[-2]
    return group[-1]


@functools.lru_cache(maxsize=WORD_CACHE)
def _syllables(classes: str) -> tuple[tuple[tuple[int, ...], ...], tuple[int, ...], int]:
    """Vowels of each syllable, the nucleus of each, and the first syllable with a written accent (-1: none)."""
    groups: list[list[int]] = []
    for i, kind in enumerate(classes):
        if kind not in VOWELS:
            continue
        if groups and groups[-1][-1] == i - 1 and _joined(classes[i - 1], kind):
            group = groups[-1]
            opened = any(classes[k] in STRONG for k in group)
            falling = len(group) > 1 and classes[group[-1]] not in STRONG and opened
            if not falling and not (kind in STRONG and opened):
                group.append(i)
                continue
        groups.append([i])
    cut = tuple(tuple(group) for group in groups)
    marked = next((g for g, group in enumerate(cut) if any(classes[i] in ACCENTED for i in group)), -1)
    return cut, tuple(nucleus(group, classes) for group in cut), marked


def _stress(word: str, phones: list[str], classes: str, start: int, n_groups: int) -> int:
    """The stress of a word without a written accent: the last but one if it ends in a vowel, or in n or s after a vowel.

    Args:
        start: where the letter of the last sound stands.
    """
    if n_groups < 2:
        return 0
    if classes[-1] != "c":
        return n_groups - 1 if classes[-1] == "y" else n_groups - 2
    is_plural_ending = phones[-1] in ("n", "s") and word[start] in "ns" and classes[-2] != "c"
    return n_groups - 2 if is_plural_ending else n_groups - 1


@functools.lru_cache(maxsize=WORD_CACHE)
def parse(word: str) -> Parsed:
    """A word, in any spelling, as sounds and syllables, with merged sounds kept apart.

    >>> [w.nuclei and len(w.groups) for w in map(parse, ("día", "aire", "poeta", "estudiáis"))]
    [2, 2, 3, 3]
    """
    text = fold(word)
    phones, classes, starts, ends, rule, strange = _spelled(text, _hear)
    if not phones:  # a lone h has to stand for itself
        at = next((at for at, letter in enumerate(text) if letter.isalpha()), -1)
        if at < 0:
            return Parsed(text, (), "", (), (), (), (), 0, rule, True)
        phones, classes, starts, ends = [text[at]], "c", [at], [at + 1]
    groups, nuclei, stress = _syllables(classes)
    guess = strange or FOREIGN.search(text) is not None or FINALS.search(text) is None
    if not groups:  # brrr, or another script: its last sound has to carry it
        last = len(phones) - 1
        groups, nuclei, stress, guess = ((last,),), (last,), 0, True
    elif stress < 0:
        stress = _stress(text, phones, classes, starts[-1], len(groups))
    elif len(groups) - stress > 3 and text.endswith("mente"):  # rápidamente: two stresses, the second is the main one
        stress = len(groups) - 2
    return Parsed(text, tuple(phones), classes, tuple(starts), tuple(ends), groups, nuclei, stress, rule, guess)


def with_tilde(word: str) -> tuple[str, bool]:
    """A folded word from capitals without accents with the accent it may have lost, and whether it certainly has.

    >>> with_tilde("cancion"), with_tilde("varonia"), with_tilde("sol"), with_tilde("seis")
    (('canción', True), ('varonía', False), ('sol', False), ('seis', False))
    """
    if not word.isascii() or (len(parse(word).groups) < 2 and not HIATUS.search(word)):
        return word, False
    for pattern, put, sure in capitals():
        changed = pattern.sub(put, word, count=1)
        if changed != word:
            return changed, sure
    return word, False


def syllable_starts(word: Parsed) -> list[int]:
    """Where each syllable begins in the spelling: one consonant goes forward, two if they make an onset.

    >>> [parse(w).text[s:] for w in ("sombra", "examen", "alma") for s in syllable_starts(parse(w))[1:2]]
    ['bra', 'xamen', 'ma']
    """
    starts = [0]
    for group, previous in zip(word.groups[1:], word.groups, strict=False):
        first = group[0]
        floor = previous[-1] + 1
        onset = first
        if onset > floor:
            onset -= 1
            second = word.phones[onset]
            if onset > floor and second in LIQUIDS and word.phones[onset - 1] in LIQUIDS[second]:
                onset -= 1
        start = word.starts[onset]
        before = word.ends[onset - 1]
        mute = word.text.rfind("h", word.ends[onset], word.starts[first])
        if mute >= 0:  # des-hecho, in-humano: the h of a second part shows where it begins
            start = mute
        elif before < start:  # a-hora: a mute h goes with what follows
            start = before
        starts.append(start)
    return starts
