"""Names of poets as people type them, alone or several with weights."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from rlpoet.errors import RlpoetError, UnknownName


def find_author(typed: str, authors: Sequence[str]) -> str:
    """The author of a typed name: an exact match, else the first author whose name contains it, without accents and case.

    >>> find_author("hugo", ["Victor Hugo", "Paul Verlaine"])
    'Victor Hugo'

    Raises:
        UnknownName: no author bears the name.
    """
    if typed in authors:
        return typed
    words = _letters(typed).split()
    matches = [author for author in authors if words and set(words) <= set(_letters(author).split())]
    if not matches:
        raise UnknownName("author", typed, authors)
    return matches[0]


def parse_authors(text: str, authors: Sequence[str]) -> dict[str, float]:
    """``hugo:0.6,verlaine:0.4`` as full names and weights that sum to 1; equal weights where none is given.

    >>> parse_authors("hugo:3,verlaine", ["Victor Hugo", "Paul Verlaine"])
    {'Victor Hugo': 0.75, 'Paul Verlaine': 0.25}

    Raises:
        UnknownName: no such author.
        RlpoetError: a weight that is no positive number.
    """
    if text in authors:  # a name may hold a comma
        return {text: 1.0}
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, colon, weight = part.partition(":")
        try:
            value = float(weight) if colon else 1.0
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise RlpoetError(f"author {part!r}: weight {weight!r}; expected a positive number, as in hugo:0.6,verlaine:0.4.")
        author = find_author(name.strip(), authors)
        weights[author] = weights.get(author, 0.0) + value
    total = sum(weights.values())
    return {name: value / total for name, value in weights.items()}


def _letters(name: str) -> str:
    text = unicodedata.normalize("NFD", name.casefold())
    return "".join(c if c.isalnum() else " " for c in text if not unicodedata.combining(c))
