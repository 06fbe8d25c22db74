"""The rhymes beside the pad: what ``rlpoet words`` finds for the word at the cursor."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from rlpoet.analysis.rhyme_dictionary import RhymingWord, first_of_each_kind, words

SHOWN = 30  # words of each kind


@functools.lru_cache(maxsize=512)
def rhymes_of(word: str, lang: str, syllables: int = 0) -> dict[str, Any]:
    """The words that rhyme with a word, by kind, the closest kind first and the commonest words first.

    Args:
        word: a word, or a line, of which the end counts.
        syllables: how many the words have; 0: any number.

    Raises:
        RlpoetError: a language without a dictionary, or nothing in the word that has a sound.
    """
    found = first_of_each_kind(words(word, lang, syllables=syllables or None), SHOWN)
    groups = itertools.groupby(found, key=lambda one: (one.kind, one.full))
    return {"groups": [{"kind": kind, "full": full, "words": [_shown(one) for one in members]} for (kind, full), members in groups]}


def _shown(one: RhymingWord) -> dict[str, str]:
    about = f"{one.syllables} syllable{'s' * (one.syllables != 1)}, /{one.sounds}/{', ' + one.part if one.part else ''}"
    return {"word": one.word, "about": about, "note": ", ".join(["name"] * one.name + ["old"] * one.old)}
