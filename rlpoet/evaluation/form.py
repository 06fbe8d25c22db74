"""What a set of poems is worth: shares of pairs that rhyme, of lines in meter, of perfect stanzas, and variety."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlpoet.analysis.intervals import Share
from rlpoet.evaluation.diversity import distinct_share, end_words
from rlpoet.prosody.fit import form_and_lines, lines_in_meter, pairs_that_rhyme
from rlpoet.types import Prompt

SHARES = ("rhyme_pairs", "lines_in_meter", "perfect_stanzas")  # figures that each poem has its part in


@dataclass(frozen=True)
class PoemFacts:
    """Counts of one poem against its form; a poem of another number of lines has none of them right.

    Attributes:
        pairs, rhymed: pairs the scheme asks for, and those that rhyme (a word never with itself).
        lines, in_meter: lines the form asks for, and those of an admissible length.
        end_words: last word of each line that was not given, lower case.
    """

    pairs: int
    rhymed: int
    lines: int
    in_meter: int
    end_words: tuple[str, ...]

    @property
    def perfect(self) -> bool:
        return self.rhymed == self.pairs and self.in_meter == self.lines


def poem_facts(prompt: Prompt, text: str) -> PoemFacts:
    """Count one poem."""
    asked, lines, complete = form_and_lines(prompt, text)
    rhymed, fits = (sum(pairs_that_rhyme(lines, asked)), sum(lines_in_meter(lines, asked))) if complete else (0, 0)
    return PoemFacts(len(asked.pairs), rhymed, asked.n_lines, fits, end_words(prompt, lines))


def measure(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """``rhyme_pairs lines_in_meter perfect_stanzas distinct_end_words n`` of a set of poems.

    ``distinct_end_words`` is the number of different last words over the number of lines, without those that were given: compare it only
    between sets of one size.
    """
    return figures_of([poem_facts(prompt, text) for prompt, text in zip(prompts, texts, strict=True)])


def figures_of(facts: Sequence[PoemFacts]) -> dict[str, float]:
    """The same of poems that are counted already."""
    found = shares(facts)
    asked = {name: found[name].value if name in found else 0.0 for name in SHARES}
    return {**asked, "distinct_end_words": distinct_end_words(facts), "n": len(facts)}


def shares(facts: Sequence[PoemFacts]) -> dict[str, Share]:
    """The figures of ``SHARES``, poem by poem; without those that no poem is asked for, such as pairs where nothing has to rhyme."""
    counts = {
        "rhyme_pairs": [(f.rhymed, f.pairs) for f in facts],
        "lines_in_meter": [(f.in_meter, f.lines) for f in facts],
        "perfect_stanzas": [(f.perfect, 1) for f in facts],
    }
    arrays = {name: np.array(rows, dtype=float).reshape(-1, 2) for name, rows in counts.items()}
    return {name: Share(rows[:, 0], rows[:, 1]) for name, rows in arrays.items() if rows[:, 1].sum() > 0}


def distinct_end_words(facts: Sequence[PoemFacts]) -> float:
    """Different last words over lines; lines that were given are left out. 0 without a line."""
    return distinct_share([word for fact in facts for word in fact.end_words])
