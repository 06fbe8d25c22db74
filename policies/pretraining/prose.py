"""Prose as lines for pretraining: cut into phrases as long as lines of verse, and marked by the ear as verse is.

There is far more prose than verse, and it has the grammar that a tiny prior lacks. A model that has read it in the format of verse can
go on with verse at once: it knows how a line of so many syllables fills up, and which words go with which. Cutting is a shortest path over
the words of a paragraph: a cut costs most inside a phrase, less before a light word, least at a full stop.

References:
    Ormazabal et al. 2022, "PoeLM: a meter- and rhyme-controllable language model for unsupervised poetry generation", arXiv:2205.12206.
"""

from __future__ import annotations

import functools
import itertools
import operator
import random
import re
from collections.abc import Callable, Iterable, Sequence

from policies.formats.parts import in_parts
from rlpoet.analysis.lexicon.which import function_words
from rlpoet.corpus import Poem
from rlpoet.corpus.prose import Passage
from rlpoet.prosody import verse
from rlpoet.text import canonical

SHORTEST, LONGEST = 6, 14  # syllables of a phrase; the last of a paragraph may be shorter
STANZA = 4  # phrases
LENGTHS = (8, 10, 12)  # one of which the phrases of a paragraph come near to
STRONG, WEAK_STOP, BEFORE_LIGHT, ELSEWHERE, AFTER_LIGHT = 0.0, 0.5, 1.5, 3.0, 9.0  # what a cut costs
PER_SYLLABLE = 0.4  # times the square of the syllables by which a phrase misses the length
_STRONG, _WEAK = re.compile(r"[.!?…][»\"')]*$"), re.compile(r"[,;:—–][»\"')]*$")
_LETTERS = re.compile(r"[^\W\d_]+")


def phrases(paragraph: str, lang: str, *, length: int = 10) -> list[str]:
    """A paragraph cut into phrases of ``SHORTEST`` to ``LONGEST`` syllables, most of them near to a length; no word is lost.

    Syllables are those of each word, and what a pair of such ends and beginnings adds or takes (mute e, synalepha), so that the ear may
    count one more or less in a whole line.

    Args:
        length: syllables that a phrase should have.

    >>> phrases("Il ouvrit la porte, puis il regarda longtemps la rue où personne ne passait.", "fr", length=8)
    ['Il ouvrit la porte, puis', 'il regarda longtemps la rue', 'où personne ne passait.']
    """
    words = canonical(paragraph, lang).split()
    if not words:
        return []
    n = len(words)
    own = [_syllables(word, lang) for word in words]
    met = [0, *(_joint(left[-2:], right[:2], lang) for left, right in itertools.pairwise(words))]
    before = [0, *itertools.accumulate(map(operator.add, own, met))]
    best: list[float] = [0.0] + [float("inf")] * n
    cut_at = [0] * (n + 1)
    for end in range(1, n + 1):
        price = 0.0 if end == n else _price(words[end - 1], words[end], lang)
        for start in range(end - 1, -1, -1):
            n_syllables = before[end] - before[start] - met[start]
            if n_syllables > LONGEST and start < end - 1:  # a single long word stands alone
                break
            short = max(0, SHORTEST - n_syllables)
            cost = best[start] + price + PER_SYLLABLE * (n_syllables - length) ** 2 + (10.0 * short if end < n else 0.0)
            if cost < best[end]:
                best[end], cut_at[end] = cost, start
    found, end = [], n
    while end:
        found.append(" ".join(words[cut_at[end] : end]))
        end = cut_at[end]
    return found[::-1]


def as_verse(passage: Passage, lang: str, *, lengths: Sequence[int] = LENGTHS, seed: int = 0) -> Poem:
    """A passage as a poem without rhymes: stanzas of phrases that begin with a capital; each paragraph keeps to a length drawn for it."""
    rng = random.Random(f"{seed} {passage.paragraphs[:1]}")
    lines = [phrase for text in passage.paragraphs for phrase in phrases(text, lang, length=rng.choice(lengths))]
    lines = [line[0].upper() + line[1:] for line in lines if _LETTERS.search(line)]
    stanzas = tuple(tuple(lines[at : at + STANZA]) for at in range(0, len(lines), STANZA))
    return Poem(stanzas, passage.author, rhymed=0.0)


def enough(
    passages: Iterable[Passage], lang: str, *, n_characters: float, seed: int, tick: Callable[[int], None], processes: int = 1
) -> list[Poem]:
    """Passages as verse, in their order, until they have so many characters.

    Args:
        tick: told how many characters there are so far.
        processes: that share many passages.
    """
    found: list[Poem] = []
    total = 0
    for poems in in_parts(functools.partial(_all_as_verse, lang=lang, seed=seed), passages, processes=processes):
        for poem in poems:
            if total >= n_characters:
                return found
            found.append(poem)
            total += sum(len(line) + 1 for line in poem.lines)
            tick(total)
    return found


def _all_as_verse(passages: Sequence[Passage], lang: str, seed: int) -> list[Poem]:
    return [poem for poem in (as_verse(passage, lang, seed=seed) for passage in passages) if poem.stanzas]


@functools.lru_cache(maxsize=100_000)
def _syllables(word: str, lang: str) -> int:
    return verse(lang).scan(word).syllables if _LETTERS.search(word) else 0


@functools.lru_cache(maxsize=20_000)
def _joint(end: str, begin: str, lang: str) -> int:
    """Syllables that two words have in a line beyond those of each alone, by the last letters of one and the first of the other."""
    if not (end[-1].isalpha() and begin[0].isalpha()):  # a stop, or an apostrophe, which the word's own count knows
        return 0
    left, right, count = f"par{end}", f"{begin}ba", verse(lang).scan
    return count(f"{left} {right}").syllables - count(left).syllables - count(right).syllables


@functools.lru_cache(maxsize=100_000)
def _price(left: str, right: str, lang: str) -> float:
    """What it costs to end a phrase after ``left``."""
    if _STRONG.search(left):
        return STRONG
    if _WEAK.search(left):
        return WEAK_STOP
    light = function_words(lang)
    if _last_letters(left).lower() in light or left.endswith("'"):
        return AFTER_LIGHT
    return BEFORE_LIGHT if _first_letters(right).lower() in light else ELSEWHERE


def _first_letters(word: str) -> str:
    found = _LETTERS.search(word)
    return found.group() if found else ""


def _last_letters(word: str) -> str:
    found = _LETTERS.findall(word)
    return found[-1] if found else ""
