"""Words that CMUdict lacks, derived from words that it has: elisions, endings, prefixes, compounds, older spellings.

A derivation is *known* only if a second source agrees. Rows of the tables that need the ``stem`` ask for a stem that is a common
word of verse (``vocabulary.tsv``): CMUdict has surnames of every spelling, and rend is not the past of Rene. Rows that need the
``sound`` ask that letters read by themselves (``contexts.py``) end in the same sounds and have as many syllables; which rows need
which was measured on words of CMUdict held out, and on what poets rhyme the words with. The first known derivation decides; the
tables are ordered. Early Modern print (haue, vnto, ioy) is covered by the commonest rows only.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from rlpoet.errors import TableError
from rlpoet.phonology.en.contexts import guess, unstressed
from rlpoet.phonology.en.tables import DATA, Phones, attested, is_vowel, known_phones, stressed_nucleus, verse_words
from rlpoet.text.tables import read_table, table_lines

SourcedPhones = tuple[tuple[Phones, str], ...]

LONGEST = 40  # letters: no English word is longer, and the searches below are not linear: longer strings are guessed
SIBILANTS = frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})
VOICELESS = frozenset({"P", "T", "K", "F", "TH", "S", "SH", "CH", "HH"})
ELIDED = re.compile(r"^([a-z]+)'(r|n|l|m|v)([a-z]*)$")  # heav'n, pow'rs, glitt'ring; not maiden's, lov'd, mak'st
SYNCOPE = re.compile(r"^([a-z]*[aeiou][a-z]*[bdfgkptv])(r)(ing|ed|ous)$")  # wandring: older print without the sign
VOWEL_LETTERS = re.compile(r"[aeiouy]+")
ALIKE = {"IH": "AH", "AO": "AA", "ER": "R"}  # phones that the two sources may write in two ways


@dataclass(frozen=True, slots=True)
class Derivation:
    """What one row makes of a word.

    Attributes:
        pronunciations: with their sources.
        trusted: the row needs no more than a stem that verse uses; without one it is still a better guess than the bare letters.
        used: the stem is a common word of verse.
    """

    pronunciations: SourcedPhones
    trusted: bool
    used: bool

    @property
    def vouched(self) -> bool:
        """Whether the row and the stem are enough to know the word."""
        return self.trusted and self.used


def allomorph(stem: Phones, ending: str) -> Phones:
    """What an ending adds after these phones: ``PAST`` and ``PLURAL`` depend on the last one."""
    out: list[str] = []
    for part in ending.replace("+", " ").split():
        last = (stem + tuple(out))[-1].rstrip("012")
        if part == "PAST":
            out += ["IH0", "D"] if last in ("T", "D") else ["T"] if last in VOICELESS else ["D"]
        elif part == "PLURAL":
            out += ["IH0", "Z"] if last in SIBILANTS else ["S"] if last in VOICELESS else ["Z"]
        elif part != "0":
            out.append(part)
    return tuple(out)


def _trusts_stem(where: str, needs: str) -> bool:
    if needs not in ("stem", "sound"):
        raise TableError(f"{where}: needs {needs!r}; expected stem or sound.")
    return needs == "stem"


Ending = tuple[str, str, tuple[str, ...], str, bool]  # row, letters, what the stem has instead, phones, whether the stem is trusted


@functools.cache
def _endings() -> dict[str, tuple[Ending, ...]]:
    """The rows of ``endings.tsv`` by their last letter, in order."""
    table: dict[str, list[Ending]] = {}
    for where, (strip, put, phones, needs, _) in read_table(DATA / "endings.tsv", ("strip", "put", "phones", "needs", "example")):
        table.setdefault(strip[-1], []).append((where, strip, tuple(put.split("|")), phones, _trusts_stem(where, needs)))
    return {last: tuple(found) for last, found in table.items()}


@functools.cache
def _vocabulary() -> frozenset[str]:
    return frozenset(word for _, word in table_lines(DATA / "vocabulary.tsv", ("word",)))


def common(word: str) -> bool:
    """Whether verse uses a word of the lexicon, or ``words.tsv`` or ``attested.tsv`` has it."""
    return word in _vocabulary() or word in verse_words() or word in attested()


@functools.cache
def _prefixes() -> tuple[tuple[str, str, Phones, bool], ...]:
    found = read_table(DATA / "prefixes.tsv", ("prefix", "phones", "needs", "example"))
    return tuple((where, prefix, tuple(phones.split()), _trusts_stem(where, needs)) for where, (prefix, phones, needs, _) in found)


@functools.cache
def _final_stress() -> tuple[tuple[str, str, Phones], ...]:
    found = read_table(DATA / "final_stress.tsv", ("ending", "phones", "example"))
    return tuple((where, ending, tuple(phones.split())) for where, (ending, phones, _) in found)


Respelling = tuple[str, str, re.Pattern[str], str, bool]  # row, letters needed, pattern, replacement, stem trusted
NEEDLESS = re.compile(r"\(\?=.*$|\(\?<[=!][^)]*\)|\([^)]*\)|\[[^]]*\]|[a-z]\?|\\.|[$^]")


@functools.cache
def _spellings(when: str) -> tuple[Respelling, ...]:
    found = []
    for where, (at, find, put, needs, _) in read_table(DATA / "spellings.tsv", ("when", "find", "put", "needs", "example")):
        if at == when:
            letters = max(NEEDLESS.sub(" ", find).split(), key=len, default="")
            found.append((where, letters, re.compile(find), put, _trusts_stem(where, needs)))
    return tuple(found)


def respellings(word: str, when: tuple[str, ...]) -> list[tuple[str, str, bool]]:
    """What each row of ``spellings.tsv`` makes of a word, with the row and whether it trusts the word it leads to."""
    return [
        (where, pattern.sub(put, word), trusted)
        for table in when
        for where, letters, pattern, put, trusted in _spellings(table)
        if letters in word and pattern.search(word)
    ]


def stems(rest: str, puts: tuple[str, ...]) -> list[str]:
    """Possible spellings of the stem: ``begg`` with ``0|e|2`` gives begg, begge, beg."""
    candidates = []
    for put in puts:
        if put == "2":
            if len(rest) > 2 and rest[-1] == rest[-2]:
                candidates.append(rest[:-1])
        else:
            candidates.append(rest if put == "0" else rest + put)
    return [stem for stem in candidates if len(stem) > 1]


def elided(word: str) -> Iterator[Derivation]:
    """Words in which an apostrophe replaces a vowel: the full word without that syllable. ``heav'n`` is heaven in one syllable."""
    match = ELIDED.match(word) or SYNCOPE.match(word)
    if match is None:
        return
    left, letter, right = match.groups()
    signed = "'" in word
    at = len(VOWEL_LETTERS.findall(left))
    for vowel in "eioa":
        full = left + vowel + letter + right
        whole, sure = known_phones(full), True
        if not whole:
            derivation = next(inflected(full), None)
            if derivation is None:
                continue
            whole, sure = derivation.pronunciations, derivation.vouched
        for phones, source in whole:
            nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
            if len(nuclei) > at and phones[nuclei[at]].endswith("0"):
                i = nuclei[at]
                consonant = ("R",) if phones[i] == "ER0" else ()
                yield Derivation(((phones[:i] + consonant + phones[i + 1 :], f"elided: {source}"),), signed, sure)
                return
        yield Derivation(whole, signed, sure)
        return


def _stem(stem: str, deep: bool) -> tuple[SourcedPhones, bool]:
    """The sounds of a stem, and whether verse uses it; a stem may itself be inflected (wearied-ly) or in British spelling (mitre-d)."""
    found = known_phones(stem)
    if found:
        return found, common(stem)
    if deep and len(stem) > 3:
        ways = (lambda: inflected(stem, deep=False), lambda: respelt(stem, "early"), lambda: finally_stressed(stem))
        for way in ways:
            for derivation in way():
                return derivation.pronunciations, derivation.vouched
    return (), False


def inflected(word: str, deep: bool = True) -> Iterator[Derivation]:
    """A known stem and an ending of ``endings.tsv``; the stem may itself carry one (wearied-ly)."""
    for where, strip, puts, ending, trusted in _endings().get(word[-1:], ()):
        if not word.endswith(strip) or len(word) <= len(strip) or (strip == "s" and word.endswith("ss")):
            continue
        rest = word[: -len(strip)]
        for stem in stems(rest, puts):
            if len(stem) < 3 and "'" not in strip:
                continue
            doubled = rest.endswith("e") and stem == rest + "e"  # decree-d, but above-'d has no stem abovee
            stem_phones, used = _stem(stem, deep and strip != "d" and not doubled)
            if stem_phones:
                added = tuple((joined(phones, allomorph(phones, ending)), where) for phones, _ in stem_phones)
                yield Derivation(added, trusted, used)


def joined(stem: Phones, ending: Phones) -> Phones:
    """A stem and its ending, which share a consonant: shrill-ly has one l."""
    return stem + (ending[1:] if ending[:1] == stem[-1:] == ("L",) else ending)


def syllabic(pronunciations: SourcedPhones) -> SourcedPhones:
    """``-èd`` as a separate syllable: inflamèd, wingèd. Takes the pronunciations of the word without its accent."""
    return tuple((phones if is_vowel(phones[-2]) else (*phones[:-1], "IH0", "D"), "èd") for phones, _ in pronunciations if len(phones) > 2)


def prefixed(word: str) -> Iterator[Derivation]:
    """A prefix of ``prefixes.tsv`` before a known or inflected word of three letters or more."""
    for where, prefix, phones, trusted in _prefixes():
        if word.startswith(prefix) and len(word) - len(prefix) > 2:
            rest = word[len(prefix) :]
            whole = known_phones(rest)
            derivation = Derivation(whole, True, common(rest)) if whole else next(inflected(rest), None)
            if derivation is not None:
                tails = tuple((phones + tail, where) for tail, _ in derivation.pronunciations)
                yield Derivation(tails, trusted, derivation.vouched)


def compound(word: str) -> Iterator[Derivation]:
    """Two words of ``vocabulary.tsv``, the second as long as possible; its stress becomes secondary."""
    vocabulary = _vocabulary()
    for cut in range(3, len(word) - 2) if word.isalpha() else ():
        if word[:cut] in vocabulary and word[cut:] in vocabulary:
            first, second = known_phones(word[:cut]), known_phones(word[cut:])
            if not first or not second:  # the vocabulary is of another lexicon
                continue
            whole = tuple((first[0][0] + tuple(p.replace("1", "2") for p in tail), "compound") for tail, _ in second)
            yield Derivation(whole, True, cut > 3 and len(word) - cut > 3)


def respelt(word: str, when: str) -> Iterator[Derivation]:
    """The word in the lexicon's spelling, by one row of ``spellings.tsv``, or by two rows for ``late``."""
    once = respellings(word, ("early",) if when == "early" else ("early", "late"))
    for where, form, trusted in once:
        pronunciations = known_phones(form)
        if pronunciations:
            yield Derivation(tuple((phones, where) for phones, _ in pronunciations), trusted, common(form))
    if when == "early":
        return
    for where, form, trusted in once:
        for derivation in inflected(form):
            named = tuple((phones, where) for phones, _ in derivation.pronunciations)
            yield Derivation(named, trusted, derivation.vouched)
    for where, form, trusted in once:
        for _, twice, also in respellings(form, ("early", "late")):
            pronunciations = known_phones(twice) if twice != word else ()
            if pronunciations:
                yield Derivation(tuple((phones, where) for phones, _ in pronunciations), trusted and also, common(twice))


def finally_stressed(word: str) -> Iterator[Derivation]:
    """A loan word with the stress on its ending (``final_stress.tsv``), or its plural: grandee, poltroons."""
    singular = word.removesuffix("s")
    for where, ending, phones in _final_stress():
        front = singular.removesuffix(ending)
        if front != singular and VOWEL_LETTERS.search(front) and word.isalpha():
            before = unstressed(singular, len(front))
            as_spelt = len(VOWEL_LETTERS.findall(front)) == sum(map(is_vowel, before))
            whole = before + phones
            yield Derivation(((whole if word == singular else whole + allomorph(whole, "PLURAL"), where),), True, as_spelt)


def rhyme_part(phones: Phones) -> tuple[str, ...]:
    """The phones from the stressed vowel on, without what two sources may write in two ways."""
    nuclei = [i for i, phone in enumerate(phones) if is_vowel(phone)]
    tail = phones[nuclei[stressed_nucleus(phones)] :] if nuclei else ()
    return tuple(ALIKE.get(p, p) for p in (phone.rstrip("012") for phone in tail))


def agrees(word: str, pronunciations: SourcedPhones) -> bool:
    """Whether the letters read by themselves rhyme with one of these, in as many syllables."""
    letters = read_letters(word)[0]
    wanted = rhyme_part(letters), sum(map(is_vowel, letters))
    return any((rhyme_part(phones), sum(map(is_vowel, phones))) == wanted for phones, _ in pronunciations)


def derivations(word: str) -> Iterator[Derivation]:
    """Every derivation of this module in order, closest to the lexicon first."""
    if word.endswith("s") and word[:-1] in _vocabulary():  # smites, before the older spelling of a plural (teares)
        yield from inflected(word)
    if "'" in word:
        yield from elided(word)
    yield from respelt(word, "early")
    yield from finally_stressed(word)
    yield from inflected(word)
    if "'" not in word:
        yield from elided(word)
    yield from prefixed(word)
    yield from respelt(word, "late")
    yield from compound(word)


def formed(word: str) -> tuple[SourcedPhones, bool]:
    """The first derivation that a second source confirms, with True; or guesses, if there are derivations at all, with False."""
    spare: SourcedPhones = ()
    other: SourcedPhones = ()
    for derivation in derivations(word):
        if derivation.vouched or agrees(word, derivation.pronunciations):
            return derivation.pronunciations, True
        if derivation.trusted:
            spare = spare or derivation.pronunciations
        elif derivation.used:
            other = other or derivation.pronunciations[:1]
    return spare or ((read_letters(word), *other) if other else ()), False


def read_letters(word: str) -> tuple[Phones, str]:
    """What the letters say by themselves, with the source."""
    return guess(word.replace("'", "").replace("-", ""))
