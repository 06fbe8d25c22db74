"""The rhyme dictionary: words that rhyme with a word, a line or a sound, by kind, the commonest in verse first.

Kinds are those of ``Verse.kind``, so that the dictionary and ``rlpoet.rhymes`` never differ. ``mosaic`` is a full English rhyme of several
words (*bonnet* / *on it*). ``data/README.md`` says how the dictionaries were made.
"""

from __future__ import annotations

from rlpoet.analysis.rhyme_dictionary.kinds import KINDS
from rlpoet.analysis.rhyme_dictionary.query import RhymingWord, first_of_each_kind, read_range, words

__all__ = ["KINDS", "RhymingWord", "first_of_each_kind", "read_range", "words"]
