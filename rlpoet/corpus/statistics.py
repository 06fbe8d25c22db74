"""Statistics of a corpus: authors, lengths, and the share of lines that rhyme."""

from __future__ import annotations

import random
import statistics as numbers
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rlpoet.corpus.poem import Poem
from rlpoet.corpus.where import cell, column_names, number_in
from rlpoet.prosody.meter import length_of
from rlpoet.prosody.rhyme import find_scheme

K = TypeVar("K")
N_POEMS_SCANNED = 400  # poems listened to, where the language is known
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
        columns: other columns, and the poems of each of their values.
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


def statistics(poems: Sequence[Poem], *, lang: str | None = None, seed: int = 0) -> Statistics:
    """Count a corpus.

    Args:
        lang: language of the verse; then rhymes and syllables are counted in up to ``N_POEMS_SCANNED`` poems, drawn by the seed.

    Raises:
        UnknownName: no such language.
    """
    rhymed = tuple(poem.rhymed for poem in poems if poem.rhymed is not None)
    syllables: Counter[int] = Counter()
    if lang is not None:
        some = random.Random(seed).sample(list(poems), min(N_POEMS_SCANNED, len(poems)))
        rhymed = tuple(share_rhymed(poem, lang) for poem in some)
        syllables = _syllables(some, lang)
    years = [year_of(poem) for poem in poems]
    authors = Counter(poem.author for poem in poems if poem.author)
    names = [name for name in column_names(poems) if name not in ("author", "title", "rhymed", "core")]
    return Statistics(
        poems=len(poems),
        stanzas=sum(len(poem.stanzas) for poem in poems),
        lines=sum(len(poem.lines) for poem in poems),
        characters=sum(len(poem.text) for poem in poems),
        anonymous=sum(not poem.author for poem in poems),
        authors=_ordered(authors),
        widths=_ordered(Counter(len(line) for poem in poems for line in poem.lines)),
        stanza_sizes=_ordered(Counter(len(stanza) for poem in poems for stanza in poem.stanzas)),
        poem_sizes=_ordered(Counter(len(poem.lines) for poem in poems)),
        years=_ordered(Counter(year for year in years if year is not None)),
        rhymed=rhymed,
        heard=lang is not None,
        syllables=_ordered(syllables),
        columns={name: _ordered(Counter(value for poem in poems if (value := cell(poem, name)))) for name in names},
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
