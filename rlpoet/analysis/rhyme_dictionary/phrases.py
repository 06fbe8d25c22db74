"""English mosaic rhymes: phrases of a stressed word and light words that rhyme with one long word (*bonnet* / *on it*)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rlpoet.analysis.rhyme_dictionary.index import Group, HeardWord
from rlpoet.phonology.en.sounds import phones_of
from rlpoet.prosody.en.rhyme import LIGHT_WORDS, PRIMARY, WEAK, merged
from rlpoet.types import Ending

FIRST_VOWEL = "AH1"  # a stressed vowel before the light words, so that they are merged as in the middle of a tail
HEADS = 40  # the commonest stressed words that are tried with each run of light words


def phrases_for(ending: Ending, by_tail: Mapping[str, Sequence[Group]]) -> Iterator[tuple[str, HeardWord]]:
    """Phrases that may rhyme with an ending of two syllables or more, each with its stressed word; the verse rules have to judge them.

    Args:
        by_tail: the groups of the dictionary by their phones, joined by spaces.
    """
    tail = ending.phones
    for light, phones in _light_runs():
        if not (len(phones) < len(tail) and tail[-len(phones) :] == phones):
            continue
        for group in by_tail.get(" ".join(tail[: -len(phones)]), ()):
            if getattr(group.like, "stress", PRIMARY) == PRIMARY:
                for _, head in group.endings[:HEADS]:
                    if head.word.lower() not in WEAK and not head.marks:
                        yield f"{head.word} {light}", head


def _light_runs() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Light words that may end a rhyme, alone or in twos, with their sounds after a stress."""
    weak = sorted(WEAK)
    for words in [(word,) for word in sorted(LIGHT_WORDS)] + [(first, last) for first in sorted(LIGHT_WORDS) for last in weak]:
        sounds = [phones_of(word)[0] for word in words]
        if all(sounds):
            flat = tuple(phone.replace("1", "0") for found in sounds for phone in found[0][0])
            yield " ".join(words), merged((FIRST_VOWEL, *flat))[1:]
