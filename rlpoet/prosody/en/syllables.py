"""Metrical readings of English words: every licensed number of syllables, with its stresses and its cost.

``licences.tsv`` lists the syllables that verse may drop or add (heav'n, glorious in two, fire in one, beautifully in four). An
apostrophe in the spelling already marks such a loss: ``heav'n`` has one syllable only.
"""

from __future__ import annotations

import functools
import itertools
import re
from dataclasses import dataclass, replace
from operator import attrgetter

from rlpoet.phonology.en.derived_forms import LONGEST, common
from rlpoet.phonology.en.sounds import phones_of
from rlpoet.phonology.en.tables import DATA, Phones, is_vowel, known_phones
from rlpoet.text.tables import read_table

SYLLABIC_ED = 2.3  # winged in two where no accent says so
OTHER = 1.1  # every pronunciation after the first
MOST = 6  # readings kept of one word
SOUNDED_ED = re.compile(r"[^aeiou]ed$")
COST = attrgetter("cost")
ENDINGS = frozenset("less ness ful ly ment ward wards ship hood dom fold some wise like ling man men".split())  # begin a syllable
# What a syllable takes of the consonants before it: in-spire, ex-alt, ta-ble.
ONSET = re.compile(r"(?:(?<=[bdmn])s[ckpt][rl]?|[tscpw]h|qu|gu|[bcdfgkpt]r|[bcdfgkpt]l|[^'’x-])?$")
ONE_VOWEL = frozenset("ai au aw ay ea eau ee ei ey oa oi oo ou ow oy".split())  # seldom parted, if another group can be
SILENT_E = re.compile(r"(?:[^aeiouy]|[qg]u)e[sd]?$", re.IGNORECASE)
SYLLABIC_M = re.compile(r"(?:s|th)m[s']*$", re.IGNORECASE)  # prism, rhythm
LETTERS = re.compile(r"(?:(?<!q)(?<!g)u|(?<=g)u(?![aeiouy])|[aeioyàâäáèéêëìîïíòôöóùûüúæœﬁﬃ])+", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """One way to count a word.

    Attributes:
        marks: one digit per syllable: 1 primary stress, 2 secondary stress, 0 none.
        cost: in nats, relative to the full form, where the line may have any number of syllables.
        reach: in nats, what it takes of what a line may take in all to fit a target.
        note: the licences used, joined by a space.
        source: the row of the last licence used, or where the pronunciation comes from.
        phones: the pronunciation in ARPAbet.
    """

    marks: str
    cost: float
    note: str = ""
    source: str = ""
    phones: Phones = ()
    reach: float = 0.0


Licence = tuple[str, str, re.Pattern[str] | None, re.Pattern[str], str, float, float]  # row, name, spelling, finds, puts, cost, reach


@functools.cache
def _licences() -> tuple[Licence, ...]:
    rows = read_table(DATA / "licences.tsv", ("name", "word", "find", "put", "cost", "reach", "example"))
    return tuple(
        (where, name, None if word == "." else re.compile(word), re.compile(find), "" if put == "0" else put, float(cost), float(reach))
        for where, (name, word, find, put, cost, reach, _) in rows
    )


@functools.cache
def _any_licence() -> re.Pattern[str]:
    """A pattern that matches wherever at least one licence matches."""
    return re.compile("|".join(f"(?:{find.pattern})" for _, _, _, find, *_ in _licences()))


def marks_of(phones: Phones) -> str:
    return "".join([phone[-1] for phone in phones if is_vowel(phone)])


def _licensed(word: str, spoken: str) -> dict[str, tuple[float, float, str, str]]:
    """Every form of a word's phones that licences give, with its cost and reach, its licences, and the row of the last licence."""
    forms = {spoken: (0.0, 0.0, "", "")}
    if "0 " not in spoken or not _any_licence().search(spoken):  # every licence is about an unstressed vowel
        return forms
    for where, name, spelling, find, put, cost, reach in _licences():
        if spelling is not None and not spelling.search(word):
            continue
        for form, (paid, reached, note, _) in list(forms.items()):
            for match in find.finditer(form):
                shorter = form[: match.start()] + match.expand(put) + form[match.end() :]
                if shorter not in forms and len(forms) < 16:
                    forms[shorter] = (paid + cost, reached + reach, f"{note} {name}".strip(), where)
    return forms


@functools.lru_cache(maxsize=50_000)
def readings(word: str) -> tuple[Reading, ...]:
    """The readings of a word, cheapest first, one per stress pattern; ``marks`` is empty if it has no syllable (th').

    >>> [(reading.marks, reading.note) for reading in readings("glorious")]
    [('100', ''), ('10', 'synizesis')]
    """
    pronunciations, _ = phones_of(word)
    if len(pronunciations) == 1 and not word.endswith("ed"):
        phones, source = pronunciations[0]
        marks = marks_of(phones)
        if len(marks) == 1 and not source.startswith("elided"):  # half of all words: nothing to choose
            return (Reading(marks, 0.0, "", source, phones),)
    best: dict[str, Reading] = {}
    for order, (phones, source) in enumerate(pronunciations):
        base = OTHER if order else 0.0
        spoken = " ".join(phones) + " "
        if source.startswith("elided: "):  # the spelling has done it
            source = source.removeprefix("elided: ")
            forms = {spoken: (0.0, 0.0, "elided", "")}
        else:
            forms = _licensed(word, spoken)
        if len(phones) > 2 and phones[-1] in ("D", "T") and not is_vowel(phones[-2]) and SOUNDED_ED.search(word):
            forms[" ".join((*phones[:-1], "IH0", "D"))] = (SYLLABIC_ED, SYLLABIC_ED, "-ed", source)
        for form, (cost, reach, note, where) in forms.items():
            phone_row = tuple(form.split())
            marks = marks_of(phone_row)
            if marks and (marks not in best or best[marks].cost > base + cost):
                best[marks] = Reading(marks, base + cost, note, where or source, phone_row, base + reach)
    ordered = sorted(best.values(), key=COST)[:MOST]
    if not ordered:
        return (Reading("", 0.0, "", *(pronunciations[0][::-1] if pronunciations else ())),)
    least = ordered[0].cost
    if not least:
        return tuple(ordered)
    return tuple(replace(reading, cost=reading.cost - least, reach=reading.reach - least) for reading in ordered)


@functools.lru_cache(maxsize=50_000)
def joint(word: str) -> int:
    """Where the second part of a compound or of a word with an ending begins, by its sounds; 0 if nowhere.

    >>> joint("trunkless"), joint("lamplight"), joint("discover")
    (5, 4, 0)
    """
    if not word.isalpha() or len(word) > LONGEST:
        return 0
    whole = [_plain(phones) for phones, _ in phones_of(word)[0]]
    if word.startswith("un") and common(word[2:]) and any(said[:2] == ("AH", "N") for said in whole):
        return 2
    for at in range(len(word) - 2, 2, -1):
        first, second = word[:at], word[at:]
        ending = second in ENDINGS
        if (ending or (min(len(first), len(second)) > 3 and common(second))) and common(first):
            heads = [_plain(phones) for phones, _ in known_phones(first)]
            tails = [()] if ending else [_plain(phones) for phones, _ in known_phones(second)]
            if any(said[: len(head)] == head and (ending or said[len(head) :] in tails) for said in whole for head in heads):
                return at
    return 0


def _plain(phones: Phones) -> Phones:
    return tuple([phone.rstrip("012") for phone in phones])


def _n_syllables(word: str) -> int:
    return max(1, len(readings(word)[0].marks))


@functools.lru_cache(maxsize=50_000)
def cut(word: str, n: int) -> tuple[str, ...]:
    """The spelling in ``n`` pieces, approximately: at the joint of a compound or before an ending that begins with a consonant.

    Elsewhere one consonant, or two that can begin a word, go with the next vowel.

    >>> cut("wandering", 3), cut("wandering", 2), cut("fire", 2), cut("trunkless", 2)
    (('wan', 'de', 'ring'), ('wande', 'ring'), ('fi', 're'), ('trunk', 'less'))
    """
    if n <= 1:
        return (word,)
    at = joint(word.lower())
    if at:
        before = max(1, min(n - 1, n - (1 if word[at:].lower() in ENDINGS else _n_syllables(word[at:].lower()))))
        return cut_simple(word[:at], before) + cut_simple(word[at:], n - before)
    return cut_simple(word, n)


def cut_simple(word: str, n: int) -> tuple[str, ...]:
    """``cut`` for a word of one part, by its letters alone."""
    if n <= 1:
        return (word,)
    groups = [(m.start(), m.end()) for m in LETTERS.finditer(word)]
    wide = sum(end - start > 1 for start, end in groups[:-1])
    enough = len(groups) - 1 + wide >= n and not word.lower().endswith(("le", "ed"))  # an-tique, cre-ate; not ta-ble, crook-ed
    if SILENT_E.search(word) and (enough or len(groups) > n):
        groups.pop()
    edges = []
    for (_, end), (start, _) in itertools.pairwise(groups):
        edges.append(start - len(ONSET.search(word[end:start].lower())[0]))  # type: ignore[index]
    while len(edges) > n - 1:  # an elided vowel: the shortest piece joins the one before it
        widths = [b - a for a, b in zip([*edges], [*edges[1:], len(word)], strict=True)]
        edges.pop(widths.index(min(widths)))
    for start, end in sorted(groups, key=lambda group: word[slice(*group)].lower() in ONE_VOWEL):  # a hiatus: li-on, fi-re, beau-te-ous
        if len(edges) < n - 1 and end - start > 1:
            edges.append(start + 1 + (end - start > 2 and word[start : start + 2].lower() in ONE_VOWEL))  # see-ing
    ending = SYLLABIC_M.search(word)
    if len(edges) < n - 1 and ending is not None and groups:
        edges.append(ending.start())
    edges = sorted(set(edges))
    for (_, end), (start, _) in itertools.pairwise(groups):  # a consonant that is a syllable: twin-kl-ing
        if len(edges) < n - 1 and start - end > 2:
            edges = sorted({*edges, start})
    at = 1
    while len(edges) < n - 1 and at < len(word) and groups:  # nothing left but to cut anywhere
        edges = sorted({*edges, len(word) - at})
        at += 1
    bounds = [0, *edges, len(word)]
    pieces = tuple(word[a:b] for a, b in itertools.pairwise(bounds))
    return pieces + ("",) * (n - len(pieces))
