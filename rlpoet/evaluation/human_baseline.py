"""Form of sampled poems and of human stanzas, measured in the same way, with intervals."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from rlpoet.analysis.intervals import proportion_bounds, subsample_bounds
from rlpoet.evaluation.form import PoemFacts, distinct_end_words, shares
from rlpoet.prosody.fit import guess_form
from rlpoet.types import Form

SUBSETS = 200  # of the poems, behind the interval of a figure that repeats would bias: each is counted anew
MEASURES = ("rhyme_pairs", "credited_pairs", "lines_in_meter", "perfect_stanzas", "distinct_end_words")
Figures = dict[str, float | list[float]]


def figures(facts: Sequence[PoemFacts], *, seed: int = 0) -> Figures:
    """``n`` and each measure with its ``_95`` interval; a measure that applies to no poem is absent.

    ``distinct_end_words`` is different last words over lines: it falls with the number of lines, so compare sets of one size.
    """
    if not facts:
        return {"n": 0}
    out: Figures = {"n": len(facts)}
    for name, share in shares(facts).items():
        out |= {name: share.value, name + "_95": list(proportion_bounds(share, seed=seed))}
    if any(fact.end_words for fact in facts):
        out["distinct_end_words"] = distinct_end_words(facts)
        of = functools.partial(_distinct, facts)
        out["distinct_end_words_95"] = list(subsample_bounds(of, len(facts), seed=seed, most=1.0, draws=SUBSETS))
    return out


def human_stanzas(
    stanzas: Sequence[Sequence[str]], lang: str, of_forms: Sequence[Form], n: int, *, seed: int = 0
) -> dict[str, list[tuple[int, str]]]:
    """Numbers of human stanzas for each of the given forms, at most ``n`` per form, each with the name of the form it keeps best.

    Each stanza is compared with all forms of the language that have its number of lines. It counts for the given form with the scheme of
    the best of these, whatever its lengths. A stanza that keeps no form well counts too.
    """
    sizes = {form.n_lines for form in of_forms}
    order = [i for i in np.random.default_rng(seed).permutation(len(stanzas)).tolist() if len(stanzas[i]) in sizes]
    chosen: dict[str, list[tuple[int, str]]] = {form.name: [] for form in of_forms}
    for i in order:
        best = guess_form(stanzas[i], lang, least=0.0)
        same = next((form.name for form in of_forms if best and (form.scheme, form.rhyme) == (best.scheme, best.rhyme)), None)
        if best and same is not None and len(chosen[same]) < n:
            chosen[same].append((i, best.name))
        if all(len(numbers) >= n for numbers in chosen.values()):
            break
    return chosen


def _distinct(facts: Sequence[PoemFacts], rows: Sequence[int]) -> float:
    return distinct_end_words([facts[row] for row in rows])
