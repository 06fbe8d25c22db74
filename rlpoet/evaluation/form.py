"""Form of a set of poems: shares of pairs that rhyme, of lines in meter, of perfect stanzas, and variety of end words and rhyme sounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlpoet.analysis.intervals import Share
from rlpoet.evaluation.diversity import distinct_share, end_words, entropy, rhyme_sounds
from rlpoet.prosody.fit import form_and_lines, lines_in_meter, pairs_by_the_rule, pairs_that_rhyme
from rlpoet.types import Prompt

SHARES = ("rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas")  # figures that each poem has its part in


@dataclass(frozen=True)
class PoemFacts:
    """Counts of one poem for its form; in a poem with another number of lines nothing counts as right.

    Attributes:
        pairs, rhymed: pairs of the scheme, and those that rhyme (a word never with itself).
        lines, in_meter: lines of the form, and those of an admissible length.
        end_words: last word of each line that was not given, lower case.
        credited: pairs that earn by the rule of the reward for rhyme (``pairs_by_the_rule``).
        sounds: phones of each of these lines that have to rhyme.
    """

    pairs: int
    rhymed: int
    lines: int
    in_meter: int
    end_words: tuple[str, ...]
    credited: int = 0
    sounds: tuple[tuple[str, ...], ...] = ()

    @property
    def perfect(self) -> bool:
        return self.rhymed == self.pairs and self.in_meter == self.lines


def poem_facts(prompt: Prompt, text: str) -> PoemFacts:
    """Count one poem."""
    poem_form, lines, complete = form_and_lines(prompt, text)
    rules = (pairs_that_rhyme, lines_in_meter, pairs_by_the_rule)
    rhymed, fits, credited = (sum(rule(lines, poem_form)) for rule in rules) if complete else (0, 0, 0)
    words, sounds = end_words(prompt, lines), rhyme_sounds(prompt, lines)
    return PoemFacts(len(poem_form.pairs), rhymed, poem_form.n_lines, fits, words, credited, sounds)


def measure(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """``rhyme_pairs credited_pairs lines_in_meter perfect_stanzas distinct_end_words rhyme_sound_entropy n`` of a set of poems.

    ``distinct_end_words`` is the number of different last words over the number of lines, and ``rhyme_sound_entropy`` the entropy of the
    sounds on which lines end, in nats, both without lines that were given: compare them only between sets of one size.
    """
    return figures_of([poem_facts(prompt, text) for prompt, text in zip(prompts, texts, strict=True)])


def figures_of(facts: Sequence[PoemFacts]) -> dict[str, float]:
    """The figures of ``measure`` from the counts of poems."""
    by_name = shares(facts)
    values = {name: by_name[name].value if name in by_name else 0.0 for name in SHARES}
    sounds = {"rhyme_sound_entropy": entropy([sound for fact in facts for sound in fact.sounds])}
    return {**values, "distinct_end_words": distinct_end_words(facts), **sounds, "n": len(facts)}


def shares(facts: Sequence[PoemFacts]) -> dict[str, Share]:
    """The figures of ``SHARES`` as ratios over poems; without those that apply to no poem, such as pairs in unrhymed forms."""
    counts = {
        "rhyme_pairs": [(f.rhymed, f.pairs) for f in facts],
        "credited_pairs": [(f.credited, f.pairs) for f in facts],
        "lines_in_meter": [(f.in_meter, f.lines) for f in facts],
        "perfect_stanzas": [(f.perfect, 1) for f in facts],
    }
    arrays = {name: np.array(rows, dtype=float).reshape(-1, 2) for name, rows in counts.items()}
    return {name: Share(rows[:, 0], rows[:, 1]) for name, rows in arrays.items() if rows[:, 1].sum() > 0}


def distinct_end_words(facts: Sequence[PoemFacts]) -> float:
    """Different last words over lines; lines that were given are left out. 0 without a line."""
    return distinct_share([word for fact in facts for word in fact.end_words])
