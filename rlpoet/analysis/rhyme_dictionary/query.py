"""What rhymes with a word, a line or a sound: candidates by the index, judged by the verse rules."""

from __future__ import annotations

import functools
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from rlpoet.analysis.lexicon import lexicon
from rlpoet.analysis.rhyme_dictionary.index import NAME, OLD, Group, HeardWord, groups
from rlpoet.analysis.rhyme_dictionary.kinds import KINDS, MOSAIC
from rlpoet.analysis.rhyme_dictionary.lexique import forms_ending_like
from rlpoet.analysis.rhyme_dictionary.parts_of_speech import PARTS, part_of_speech
from rlpoet.analysis.rhyme_dictionary.phrases import phrases_for
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.languages import code_of
from rlpoet.prosody import verse
from rlpoet.prosody.fr.rhyme import merge, support
from rlpoet.prosody.rhyme import best_kind
from rlpoet.protocols import Verse
from rlpoet.types import Ending

SORTS = ("frequency", "syllables", "alphabet")
RARE = 10**9  # the rank of a word that no text of the word list has
ENOUGH = 500  # full rhymes beyond which Lexique is not searched for rare ones
SOUND = "/"  # around the sounds of a query


@dataclass(frozen=True)
class RhymingWord:
    """A word, or an English phrase, that rhymes with what was asked for.

    Attributes:
        word: as it is written, a name with its capital.
        kind: how it rhymes, as ``Verse.kind`` says, or ``mosaic``.
        full: whether that is a full rhyme.
        syllables: as verse counts them in French (diérèse, no final mute e), else those of the word.
        stress: which syllable is stressed, counted from the end: 1 the last.
        gender: of the rhyme, ``f`` or ``m``, in French; else empty.
        part: part of speech where it is known, else empty.
        rank: its place among the words of the language, the commonest in verse first, from 1; None if no text of the word list has it.
        name: whether it is a name.
        old: whether it is no longer written so.
        sounds: from the rhyming vowel on, in IPA.
    """

    word: str
    kind: str
    full: bool
    syllables: int
    stress: int
    gender: str
    part: str
    rank: int | None
    name: bool
    old: bool
    sounds: str


def words(
    text: str,
    lang: str,
    *,
    kinds: Collection[str] = (),
    syllables: tuple[int, int] | int | None = None,
    stress: int | None = None,
    gender: str = "",
    part: str = "",
    names: bool = True,
    old: bool = True,
    sort: str = "frequency",
) -> tuple[RhymingWord, ...]:
    """The words that rhyme with a word, with the end of a line, or with a sound: by kind, the closest first, then as ``sort`` says.

    Args:
        text: a word, a line, or sounds in IPA between slashes (``/ɔ̃bʁ/``), from the rhyming vowel on or from further back.
        lang: fr, es or en, or a variety of them.
        kinds: the kinds that are wanted; all if empty. They are those of ``rlpoet.rhymes`` and, in English, ``mosaic``.
        syllables: how many a word has to have, or the fewest and the most.
        stress: the syllable that has to be stressed, counted from the end.
        gender: ``f`` or ``m``, French alone.
        part: noun, verb, adjective, adverb or grammatical; words whose part is not known are then left out.
        names: whether names are wanted.
        old: whether words that are no longer written are wanted.
        sort: ``frequency`` in verse, number of ``syllables``, or ``alphabet``.

    Raises:
        UnknownName: no such language, kind, part or order.
        RlpoetError: a language without a dictionary, or nothing in the text that has a sound.

    >>> first, second, *_ = words("ombre", "fr", kinds=["riche"])
    >>> first.word, second.word
    ('sombre', 'nombre')
    """
    code = code_of(lang)
    _refuse_unknown(code, kinds, gender, part, sort)
    rules = verse(lang)
    asked = endings_of(text, lang)
    low, high = (syllables, syllables) if isinstance(syllables, int) else syllables or (0, RARE)
    order = {kind: place for place, kind in enumerate(KINDS[code])}

    def wanted(kind: str, ending: Ending, word: HeardWord) -> bool:
        return (
            kind in order
            and (not kinds or kind in kinds)
            and low <= word.syllables <= high
            and (stress is None or word.stress == stress)
            and (not gender or ending.gender == gender)
            and (names or NAME not in word.marks)
            and (old or OLD not in word.marks)
        )

    own = {_bare(ending.word) for ending in asked}
    best: dict[str, tuple[int, str, Ending, HeardWord]] = {}
    for kind, ending, word in _rhyming(asked, rules, lang):
        if kind is not None and wanted(kind, ending, word) and _bare(ending.word) not in own:
            place = order[kind]
            if word.word not in best or place < best[word.word][0]:
                best[word.word] = (place, kind, ending, word)
    chosen = sorted(best.values(), key=lambda row: (row[0], *_order(row[3], sort)))
    found = (_rhyming_word(kind, ending, word, code, rules) for _, kind, ending, word in chosen)
    return tuple(row for row in found if not part or row.part == part)


def first_of_each_kind(found: Sequence[RhymingWord], n: int) -> list[RhymingWord]:
    """The first ``n`` words of each kind, in their order."""
    seen: Counter[str] = Counter()
    out = []
    for word in found:
        seen[word.kind] += 1
        if seen[word.kind] <= n:
            out.append(word)
    return out


def read_range(text: str) -> tuple[int, int] | None:
    """The fewest and the most syllables of ``2`` or ``2-3``; None for an empty text.

    Raises:
        RlpoetError: something else.

    >>> read_range("2-3"), read_range("2"), read_range("")
    ((2, 3), (2, 2), None)
    """
    if not text:
        return None
    match = re.fullmatch(r"(\d{1,2})(?:-(\d{1,2}))?", text)
    low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= low <= high:
        raise RlpoetError(f"syllables {text!r}; expected a number such as 2, or the fewest and the most, such as 2-3.")
    return low, high


def _bare(word: str) -> str:
    """A word without its ligatures: coeur is cœur."""
    return word.replace("œ", "oe").replace("æ", "ae")


def _refuse_unknown(code: str, kinds: Collection[str], gender: str, part: str, sort: str) -> None:
    if code not in KINDS:
        raise RlpoetError(f"language {code!r}: no rhyme dictionary; expected one of {', '.join(KINDS)}.")
    for kind in kinds:
        if kind not in KINDS[code]:
            raise UnknownName(f"kind of rhyme ({code})", kind, KINDS[code])
    if gender and (code != "fr" or gender not in ("f", "m")):
        raise RlpoetError(f"gender {gender!r} in {code}; expected f or m, and French.")
    if part and part not in PARTS:
        raise UnknownName("part of speech", part, PARTS)
    if sort not in SORTS:
        raise UnknownName("order", sort, SORTS)


def endings_of(text: str, lang: str) -> tuple[Ending, ...]:
    """The endings of a word or line, or those that stand for a sound between slashes.

    Raises:
        RlpoetError: nothing in the text has a sound, or no word ends in the sound.
    """
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == SOUND:
        return _of_sound(stripped.strip(SOUND).replace(" ", ""), lang)
    endings = verse(lang).endings(text)
    if not endings:
        raise RlpoetError(f"words: nothing in {text!r:.60} can be sounded; expected a word, a line, or sounds such as /ɔ̃bʁ/.")
    return endings


def _of_sound(ipa: str, lang: str) -> tuple[Ending, ...]:
    """Endings of the dictionary that a run of sounds ends in: the longest, one for each gender and stress."""
    code = code_of(lang)
    tails: dict[str, list[Group]] = defaultdict(list)
    for group in groups(code):
        tails["".join(group.like.phones)].append(group)
    for cut in range(len(ipa)):
        for tail in (ipa[cut:], ipa[cut:].removesuffix("ə")):
            if tail in tails:
                onset = _phones(ipa[:cut])
                found = [replace(group.like, word="-", onset=onset, start=0) for group in tails[tail]]
                return tuple(ending for ending in found if not ipa.endswith("ə") or ending.gender != "m")
    raise RlpoetError(f"words: no word of {lang!r} ends in the sounds /{ipa}/; expected IPA as `rlpoet explain` shows it.")


def _phones(ipa: str) -> tuple[str, ...]:
    """Phones of a run of IPA: a combining sign belongs to the letter before it."""
    out: list[str] = []
    for sign in ipa:
        if out and sign == "\u0303":
            out[-1] += sign
        else:
            out.append(sign)
    return tuple(out)


def _rhyming(asked: Sequence[Ending], rules: Verse, lang: str) -> Iterable[tuple[str | None, Ending, HeardWord]]:
    """Every word with the kind of its rhyme; a word of several sounds comes several times."""
    code, (base, by_tail) = code_of(lang), _index(code_of(lang))
    anew = code == "es" and lang != code  # a variety may hear what the dictionary's own takes as one
    n_full = 0
    for group in base:
        if all(rules.kind(ending, group.like) is None for ending in asked):
            continue
        for ending, word in group.endings:
            heard = rules.endings(word.word) if anew else (ending,)
            kind = best_kind(asked, heard, rules)
            n_full += kind in rules.rhyming
            yield kind, ending, word
    if code == "en":
        for ending in asked:
            if len(ending.word) - ending.start > 1:
                yield from _eye_rhymes(ending, asked, base, rules)
            for phrase, head in phrases_for(ending, by_tail):
                if best_kind([ending], rules.endings(phrase)[-1:], rules) in rules.rhyming:
                    yield MOSAIC, replace(ending, word=phrase), _phrase(phrase, head)
    if code == "fr" and n_full < ENOUGH:
        yield from _rare_french(asked, rules)


@functools.cache
def _index(code: str) -> tuple[tuple[Group, ...], Mapping[str, Sequence[Group]]]:
    """The groups of a dictionary, and the same by their phones."""
    by_tail: dict[str, list[Group]] = defaultdict(list)
    for group in groups(code):
        by_tail[" ".join(group.like.phones)].append(group)
    return groups(code), by_tail


def _eye_rhymes(
    asked: Ending, all_asked: Sequence[Ending], base: Sequence[Group], rules: Verse
) -> Iterable[tuple[str | None, Ending, HeardWord]]:
    """Words whose end is spelt as that of a word and sounds otherwise."""
    spelt = asked.word[asked.start :]
    for group in base:
        for ending, word in group.spelt(spelt):
            kind = best_kind(all_asked, [ending], rules)
            if kind == "eye":
                yield kind, ending, word


def _phrase(phrase: str, head: HeardWord) -> HeardWord:
    """A phrase as a word: its light words have a syllable each, and it is as common as its stressed word."""
    n_light = phrase.count(" ")
    return HeardWord(phrase, head.syllables + n_light, head.stress + n_light, head.rank, head.marks)


def _rare_french(asked: Sequence[Ending], rules: Verse) -> Iterable[tuple[str | None, Ending, HeardWord]]:
    """Full rhymes that Lexique has and the word list lacks."""
    listed = lexicon("fr") or frozenset()
    for ending in asked:
        before = support(ending) if merge(ending.phones) == ("e",) else ""
        for form in forms_ending_like(ending, support="" if before == "-" else before):
            if form in listed or not form.isalpha() or not form.islower():
                continue
            heard = [own for own in rules.endings(form) if own.known]
            for own in heard:
                if rules.kind(ending, own) in rules.rhyming:
                    yield rules.kind(ending, own), own, HeardWord(form, rules.scan(form).syllables, 1, RARE, "")


def _order(word: HeardWord, sort: str) -> tuple[int | str, ...]:
    if sort == "alphabet":
        return (word.word.casefold(),)
    aside = bool(word.marks)  # names and old words come last
    return (word.syllables, aside, word.rank, word.word) if sort == "syllables" else (aside, word.rank, word.syllables, word.word)


def _rhyming_word(kind: str, ending: Ending, word: HeardWord, code: str, rules: Verse) -> RhymingWord:
    return RhymingWord(
        word=word.word,
        kind=kind,
        full=kind == MOSAIC or kind in rules.rhyming,
        syllables=word.syllables,
        stress=word.stress,
        gender=ending.gender,
        part=part_of_speech(word.word.lower(), code),
        rank=None if word.rank == RARE else word.rank,
        name=NAME in word.marks,
        old=OLD in word.marks,
        sounds="".join(ending.phones),
    )
