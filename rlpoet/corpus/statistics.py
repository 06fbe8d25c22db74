"""Statistics of a corpus: authors, lengths, and the share of lines that rhyme."""

from __future__ import annotations

import random
import statistics as numbers
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rlpoet.corpus.poem import Poem
from rlpoet.corpus.where import cell, number_in
from rlpoet.prosody.meter import length_of
from rlpoet.prosody.rhyme import find_scheme

K = TypeVar("K")
N_POEMS_SCANNED = 400  # poems listened to, where the language is known
MOST_VALUES = 20_000  # of a column that is counted: one with more, such as addresses, is no kind of poem
STANDARD = ("author", "title", "rhymed", "core")
YEARS = ("year", "date", "année", "annee", "año", "anno", "published", "publication year")


@dataclass(frozen=True)
class Statistics:
    """Counts of a corpus; a mapping goes from a value to its frequency, commonest first.

    Attributes:
        authors: poems of each author; poems without one are in ``anonymous``.
        widths: characters per line. syllables: metrical syllables per line of the scanned poems, empty without a language.
        stanza_sizes: lines per stanza. poem_sizes: lines per poem.
        rhymed: share of rhymed lines, one per poem: measured if the language is known, else as the source says.
        years: poems of each year.
        columns: other columns, and the poems of each of their values; one of more than ``MOST_VALUES`` values is left out.
    """

    poems: int
    stanzas: int
    lines: int
    characters: int
    anonymous: int
    authors: Mapping[str, int]
    widths: Mapping[int, int]
    stanza_sizes: Mapping[int, int]
    poem_sizes: Mapping[int, int]
    years: Mapping[int, int]
    rhymed: tuple[float, ...] = ()
    heard: bool = False
    syllables: Mapping[int, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For machines: counts whole, long tables cut to their commonest 50 values; what is not known is absent."""
        item: dict[str, Any] = {
            "poems": self.poems, "stanzas": self.stanzas, "lines": self.lines, "characters": self.characters,
            "authors": len(self.authors), "anonymous": self.anonymous,
            "poems_per_author": dict(list(self.authors.items())[:50]),
            "line_length": quantiles(self.widths), "lines_per_poem": quantiles(self.poem_sizes),
            "stanza_sizes": {str(size): n for size, n in list(self.stanza_sizes.items())[:50]},
        }  # fmt: skip
        if self.rhymed:
            item["rhymed"] = {"mean": sum(self.rhymed) / len(self.rhymed), "poems": len(self.rhymed), "heard": self.heard}
        if self.syllables:
            item["syllables"] = {str(n): count for n, count in list(self.syllables.items())[:50]}
        if self.years:
            item["years"] = {"first": min(self.years), "last": max(self.years), "poems": sum(self.years.values())}
        item["columns"] = {
            name: {"values": len(counts), "commonest": dict(list(counts.items())[:20])} for name, counts in self.columns.items()
        }
        return item


def statistics(poems: Iterable[Poem], *, lang: str | None = None, seed: int = 0) -> Statistics:
    """Count a corpus.

    Args:
        lang: language of the verse; then rhymes and syllables are counted in up to ``N_POEMS_SCANNED`` poems, drawn by the seed.

    Raises:
        UnknownName: no such language.
    """
    count = Count(seed=seed)
    for poem in poems:
        count.add(poem)
    return count.found(lang)


class Count:
    """Counts of poems that come one after the other, of which none stays but those to be scanned.

    Args:
        seed: of the choice of these.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.poems = self._stanzas = self._characters = self._anonymous = 0
        self._authors, self._widths, self._stanza_sizes, self._poem_sizes, self._years = (Counter[Any]() for _ in range(5))
        self._columns: dict[str, Counter[str]] = {}
        self._rhymed = array("d")
        self._some: list[Poem] = []
        self._rng = random.Random(seed)

    def add(self, poem: Poem) -> None:
        """Take note of a poem."""
        self.poems += 1
        self._stanzas += len(poem.stanzas)
        self._characters += len(poem.text)
        self._anonymous += not poem.author
        self._widths.update(map(len, poem.lines))
        self._stanza_sizes.update(map(len, poem.stanzas))
        self._poem_sizes[len(poem.lines)] += 1
        if poem.author:
            self._authors[poem.author] += 1
        if poem.rhymed is not None:
            self._rhymed.append(poem.rhymed)
        if (year := year_of(poem)) is not None:
            self._years[year] += 1
        for name, value in poem.columns.items():
            if value and name not in STANDARD:
                counts = self._columns.setdefault(name, Counter())
                if len(counts) <= MOST_VALUES:
                    counts[value] += 1
        # every poem has the same chance to be among them (Vitter 1985, algorithm R)
        if len(self._some) < N_POEMS_SCANNED:
            self._some.append(poem)
        elif (at := self._rng.randrange(self.poems)) < N_POEMS_SCANNED:
            self._some[at] = poem

    def found(self, lang: str | None = None) -> Statistics:
        """What was counted.

        Args:
            lang: as for ``statistics``.

        Raises:
            UnknownName: no such language.
        """
        rhymed = tuple(self._rhymed) if lang is None else tuple(share_rhymed(poem, lang) for poem in self._some)
        return Statistics(
            poems=self.poems,
            stanzas=self._stanzas,
            lines=sum(size * n for size, n in self._poem_sizes.items()),
            characters=self._characters,
            anonymous=self._anonymous,
            authors=_ordered(self._authors),
            widths=_ordered(self._widths),
            stanza_sizes=_ordered(self._stanza_sizes),
            poem_sizes=_ordered(self._poem_sizes),
            years=_ordered(self._years),
            rhymed=rhymed,
            heard=lang is not None,
            syllables=_ordered(Counter() if lang is None else _syllables(self._some, lang)),
            columns={name: _ordered(counts) for name, counts in self._columns.items() if len(counts) <= MOST_VALUES},
        )


def share_rhymed(poem: Poem, lang: str) -> float:
    """Share of a poem's lines that rhyme with another line of their stanza; one-line stanzas are taken together.

    >>> share_rhymed(Poem((("Et je dis : sombre", "Je vois une ombre", "Rien"),)), "fr")
    0.6666666666666666
    """
    stanzas = poem.stanzas if any(len(stanza) > 1 for stanza in poem.stanzas) else (poem.lines,)
    letters = "".join(find_scheme(stanza, lang) for stanza in stanzas)
    return sum(letter != "x" for letter in letters) / len(letters)


def quantiles(counts: Mapping[int, int]) -> dict[str, float]:
    """Fifth, middle and ninety-fifth percentile of counted values.

    >>> quantiles({12: 99, 3: 1})
    {'5%': 12.0, '50%': 12.0, '95%': 12.0}
    """
    values = sorted(value for value, n in counts.items() for _ in range(n))
    cuts = numbers.quantiles(values, n=20, method="inclusive") if len(values) > 1 else values * 19
    return {"5%": float(cuts[0]), "50%": float(cuts[9]), "95%": float(cuts[18])} if values else {}


def _syllables(poems: Sequence[Poem], lang: str) -> Counter[int]:
    return Counter(length_of(line, lang) for poem in poems for line in poem.lines)


def year_of(poem: Poem) -> int | None:
    """The first number in the column of a poem's year or date; None if there is none.

    >>> year_of(Poem((("ombre",),), columns={"date": "c. 1857"}))
    1857
    """
    number = number_in(next((value for name in YEARS if (value := cell(poem, name)) is not None), None))
    return None if number is None else int(number)


def _ordered(counts: Counter[K]) -> dict[K, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))
