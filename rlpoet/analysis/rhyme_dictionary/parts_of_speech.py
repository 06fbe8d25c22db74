"""Part of speech, where a table or the shape of a word settles it: nouns, verbs, adjectives, adverbs, grammatical words.

Most words of English are several parts at once (*light*, *love*), so most of them get none.
"""

from __future__ import annotations

import functools
import gzip
from pathlib import Path

from rlpoet.analysis.lexicon import lexicon
from rlpoet.analysis.lexicon.verbs import infinitives
from rlpoet.analysis.lexicon.which import function_words
from rlpoet.phonology.fr.sounds import lexicon_path
from rlpoet.text.tables import read_table

TABLE = Path(__file__).parent / "data" / "parts_of_speech.tsv"
PARTS = ("noun", "verb", "adjective", "adverb", "grammatical")


def part_of_speech(word: str, lang: str) -> str:
    """The part of speech of a word, or empty if it is not known or may be several.

    Args:
        word: in lower case.
        lang: code of the language.

    >>> [part_of_speech(word, "fr") for word in ("nombre", "lentement", "chantaient", "dans")]
    ['noun', 'adverb', 'verb', 'grammatical']
    >>> part_of_speech("canción", "es"), part_of_speech("softness", "en"), part_of_speech("light", "en")
    ('noun', 'noun', '')
    """
    if word in function_words(lang):
        return "grammatical"
    if lang == "fr" and word in _french_nouns():
        return "noun"
    by_ending = next((part for end, part in _endings(lang) if word.endswith(end) and len(word) > len(end) + 2), "")
    if by_ending:
        return by_ending
    return "verb" if any(verb in (lexicon(lang) or ()) for verb in infinitives(word, lang)) else ""


@functools.cache
def _endings(lang: str) -> tuple[tuple[str, str], ...]:
    """Endings with their part, the longest first."""
    rows = [(end, part) for _, (code, end, part, _) in read_table(TABLE, ("lang", "ending", "part", "example")) if code == lang]
    return tuple(sorted(rows, key=lambda row: -len(row[0])))


@functools.cache
def _french_nouns() -> frozenset[str]:
    """Forms that are nouns first of all, from the package of the French lexicon."""
    with gzip.open(lexicon_path().with_name("nouns.txt.gz"), "rt", encoding="utf-8") as rows:
        return frozenset(rows.read().split("\n"))
