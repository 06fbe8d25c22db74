"""In which of the languages that have a word list a text is written: whether the one it is read in can be meant."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from rlpoet.analysis.lexicon import lexicon, listed_languages, words
from rlpoet.languages import code_of, find
from rlpoet.text.tables import read_table

TABLE = Path(__file__).parent / "data" / "function_words.tsv"
FEWEST = 5  # words below which nothing is said
LEAST = 0.6  # how well the other language has to fit
MARGIN = 0.25  # by how much it has to fit better


def fits(text: str, lang: str) -> float:
    """How well a language fits a text, in [0, 1]: the mean of the share of its words that the word list has and of the share that are
    grammatical words of the language, doubled, since about every other word of a text is one.

    >>> fits("la rose et le vent", "fr") > fits("la rose et le vent", "en")
    True
    """
    code = code_of(lang)
    found = words(text, code)
    listed, grammatical = lexicon(code) or frozenset(), _function_words()[code]
    if not found:
        return 0.0
    return 0.5 * sum(word in listed for word in found) / len(found) + 0.5 * min(
        1.0, 2 * sum(word in grammatical for word in found) / len(found)
    )


def likelier_language(lines: Sequence[str], lang: str) -> str | None:
    """Another language that fits the lines far better than the one they are read in; None if none does, or if they are too few.

    >>> likelier_language(["Shall I compare thee to a summer's day?"], "fr"), likelier_language(["Demain, dès l'aube"], "fr")
    ('en', None)
    """
    own, text = code_of(lang), "\n".join(lines)
    if own not in listed_languages() or len(words(text, own)) < FEWEST:
        return None
    scores = {code: fits(text, code) for code in listed_languages()}
    best = max(scores, key=lambda code: (scores[code], code == own))
    return best if scores[best] >= LEAST and scores[best] - scores[own] >= MARGIN else None


def warning(lines: Sequence[str], lang: str) -> str:
    """One sentence for people if the lines look like another language; else empty.

    >>> warning(["Shall I compare thee to a summer's day?"], "fr")
    'This looks like English, not French: set --lang en.'
    """
    other = likelier_language(lines, lang)
    if other is None:
        return ""
    return f"This looks like {find(other).language.name}, not {find(lang).language.name}: set --lang {other}."


def function_words(lang: str) -> frozenset[str]:
    """The commonest grammatical words of a language, by its code; none for a language without a list.

    >>> "dans" in function_words("fr"), function_words("it")
    (True, frozenset())
    """
    return _function_words().get(lang, frozenset())


@functools.cache
def _function_words() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {code: set() for code in listed_languages()}
    for _, (lang, word) in read_table(TABLE, ("lang", "word")):
        table[lang].add(word)
    return {code: frozenset(own) for code, own in table.items()}
