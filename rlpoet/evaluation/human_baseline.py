"""Form of sampled poems and of human stanzas, measured in the same way, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rlpoet.evaluation.form import PoemFacts
from rlpoet.prosody.forms import answers, forms
from rlpoet.prosody.meter import in_meter
from rlpoet.types import Form

DRAWS = 1000  # resamples behind an interval
MEASURES = ("rhyme_pairs", "lines_in_meter", "perfect_stanzas", "distinct_end_words")
Figures = dict[str, float | list[float]]


def figures(facts: Sequence[PoemFacts], *, seed: int = 0) -> Figures:
    """``n`` and each measure with its ``_95`` interval; a measure that applies to no poem is absent.

    ``distinct_end_words`` is different last words over lines: it falls with the number of lines, so compare sets of one size.
    """
    if not facts:
        return {"n": 0}
    table = np.array([(f.rhymed, f.pairs, f.in_meter, f.lines, f.perfect, 1) for f in facts], dtype=float)
    out: Figures = {"n": len(facts)}
    for column, name in ((0, "rhyme_pairs"), (2, "lines_in_meter"), (4, "perfect_stanzas")):
        part, whole = table[:, column], table[:, column + 1]
        if whole.sum():
            out[name] = float(part.sum() / whole.sum())
            out[name + "_95"] = interval(part, whole, seed=seed)
    words = [fact.end_words for fact in facts]
    if any(words):
        out["distinct_end_words"] = _distinct(words, range(len(words)))
        out["distinct_end_words_95"] = half_interval(lambda rows: _distinct(words, rows), len(words), seed=seed)
    return out


def interval(part: Sequence[float] | np.ndarray, whole: Sequence[float] | np.ndarray, *, seed: int = 0) -> list[float]:
    """95 % bootstrap interval of ``sum(part) / sum(whole)``, poems drawn with replacement (percentiles)."""
    top, bottom = np.asarray(part, dtype=float), np.asarray(whole, dtype=float)
    rng, ratios = np.random.default_rng(seed), []
    for _ in range(DRAWS):  # one after the other: all at once would be gigabytes for a large corpus
        rows = rng.integers(0, len(top), size=len(top))
        if (below := bottom[rows].sum()) > 0:
            ratios.append(top[rows].sum() / below)
    return [float(edge) for edge in np.percentile(ratios, (2.5, 97.5))]


def half_interval(
    statistic: Callable[[Sequence[int]], float], n: int, *, seed: int = 0, most: float = 1.0, draws: int = DRAWS // 5
) -> list[float]:
    """95 % interval of a statistic that repeated poems would bias, from random halves of the poems without replacement.

    A poem drawn twice has no new words, so the ordinary bootstrap of distinct words does not even contain their actual number. The
    variance over halves equals that of the whole (delete-half jackknife); the interval is centred on the value of the whole.

    Args:
        n: number of poems.
        most: upper bound of the statistic; it is never negative.
        draws: number of halves.

    References:
        Shao and Wu, "A General Theory for Jackknife Variance Estimation", 1989: the delete-d jackknife.
    """
    value = statistic(range(n))
    if n < 4:
        return [value, value]
    rng = np.random.default_rng(seed)
    values = [statistic(rng.permutation(n)[: n // 2].tolist()) for _ in range(draws)]
    reach = 1.96 * float(np.std(values)) * (n // 2 / (n - n // 2)) ** 0.5
    return [max(0.0, value - reach), min(most, value + reach)]


def human_stanzas(
    stanzas: Sequence[Sequence[str]], lang: str, of_forms: Sequence[Form], n: int, *, seed: int = 0
) -> dict[str, list[tuple[int, str]]]:
    """Numbers of human stanzas for each of the given forms, at most ``n`` per form, each with the name of the form it keeps best.

    Each stanza is compared with all forms of the language that have its number of lines. It counts for the given form with the scheme of
    the best of these, whatever its lengths. A stanza that keeps no form well counts too.
    """
    sizes = {form.n_lines for form in of_forms}
    order = [i for i in np.random.default_rng(seed).permutation(len(stanzas)).tolist() if len(stanzas[i]) in sizes]
    every = [form for form in forms(lang) if form.n_lines in sizes]
    chosen: dict[str, list[tuple[int, str]]] = {form.name: [] for form in of_forms}
    for i in order:
        lines = stanzas[i]
        best = max((form for form in every if form.n_lines == len(lines)), key=lambda form: kept(lines, form))
        same = next((form.name for form in of_forms if form.scheme == best.scheme and form.rhyme == best.rhyme), None)
        if same is not None and len(chosen[same]) < n:
            chosen[same].append((i, best.name))
        if all(len(numbers) >= n for numbers in chosen.values()):
            break
    return chosen


def _distinct(words: Sequence[Sequence[str]], rows: Sequence[int]) -> float:
    ends = [word for row in rows for word in words[row]]
    return len(set(ends)) / len(ends) if ends else 0.0


def kept(lines: Sequence[str], form: Form) -> tuple[float, float]:
    """Shares of pairs that rhyme and of lines in meter; ``lines`` must have the form's number of lines."""
    paired = sum(answers(lines[i], lines[j], form) for i, j in form.pairs) / max(len(form.pairs), 1)
    return paired, sum(in_meter(line, form.lang, lengths) for line, lengths in zip(lines, form.meters, strict=True)) / len(lines)
