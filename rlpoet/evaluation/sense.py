"""Whether poems make sense, as far as it can be counted: measures that owe nothing to a reward, each with human verse beside it.

| measure | definition |
| --- | --- |
| ``invented_words`` | share of poems with a word that the word judge does not know (``rlpoet.evaluation.word_judge``) |
| ``distinct_bigrams`` | different pairs of words over all pairs in the first 5,000 words; absent for fewer words |
| ``rhyme_sound_entropy`` | entropy of the sounds that have to rhyme, in nats; compare sets of one size |
| ``coherence_auc`` | how often a poem's lines fit together better than lines of several poems of the set, by a line judge |
| ``judge_bits_per_char`` | bits a character under a language model from elsewhere, line breaks counted |
| ``context_gain`` | bits a character that a poem's own first line saves on the other lines, against another poem's first line |
| ``classifier_auc`` | AUC of a classifier that has to tell the poems from human verse, by cross-validation |

``coherence_auc`` is 1/2 where lines have nothing to do with each other, and ``classifier_auc`` is 1/2 where poems cannot be told from human
verse. Bits are no merit by themselves: dull text is cheap. So they are read against human verse, on either side
(``judge_bits_per_char_from_human``, ``context_gain_from_human``: the difference from human verse).

Intervals of 95 % draw poems again; the stanzas of one human poem are drawn together.

References:
    Lopez-Paz and Oquab, "Revisiting Classifier Two-Sample Tests", 2017.
    Barzilay and Lapata, "Modeling Local Coherence: An Entity-Based Approach", 2008: own against permuted text.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rlpoet.analysis.coherence.model import ThemeModel
from rlpoet.analysis.coherence.shuffles import Stanza, auc, auc_interval, shuffled
from rlpoet.analysis.intervals import (
    LEAST,
    Array,
    Bounds,
    Redrawn,
    Share,
    proportion_bounds,
    ratio_bounds,
    ratio_difference_bounds,
    statistic_bounds,
    subsample_bounds,
    subsampled,
)
from rlpoet.analysis.ngram_index import words_of
from rlpoet.errors import RlpoetError
from rlpoet.evaluation.diversity import distinct_share, entropy, rhyme_sounds
from rlpoet.evaluation.human_baseline import SUBSETS, Figures
from rlpoet.evaluation.poems import EvaluationPoem
from rlpoet.evaluation.word_judge import WordJudge, invented_words, word_judge
from rlpoet.text import split_poem
from rlpoet.types import Prompt

WORDS = 5000  # first words of a set in which pairs are counted, so that sets of any size compare
DRAWS = 500  # of poems, behind the interval of an AUC
FOLDS = 5  # of the classifier
FEWEST = 20  # poems on a side, and different ones: fewer cannot be cut into folds that say anything


class LineJudge(Protocol):
    """What says how well lines fit together. ``name`` is shown beside its figures."""

    @property
    def name(self) -> str: ...

    def coherence(self, poems: Sequence[Sequence[str]]) -> Sequence[float]:
        """One number a poem, on any scale; more is better."""
        ...


class OutsideModel(Protocol):
    """A language model that had no part in training. ``name`` is shown beside its figures."""

    @property
    def name(self) -> str: ...

    def line_nats(self, poems: Sequence[Sequence[str]]) -> list[list[float]]:
        """Negative log-probability of each line of each poem after the lines before it, in nats; a line break is its line's."""
        ...


@dataclass(frozen=True)
class Judges:
    """Who judges; a measure without its judge is absent.

    Attributes:
        words: for ``invented_words``.
        lines: for ``coherence_auc``.
        model: for ``judge_bits_per_char`` and ``context_gain``.
        classifier: whether to train classifiers.
    """

    words: WordJudge | None = None
    lines: LineJudge | None = None
    model: OutsideModel | None = None
    classifier: bool = False


@dataclass(frozen=True)
class ThemeJudge:
    """A theme model as a line judge. One fitted on poems that no reward has read is fairer than the shipped one."""

    model: ThemeModel
    name: str = "theme"

    def coherence(self, poems: Sequence[Sequence[str]]) -> list[float]:
        return [self.model.coherence(lines) for lines in poems]


@dataclass(frozen=True)
class EmbeddingJudge:
    """Sentence embeddings as a line judge: the mean cosine of all pairs of different lines; 0 for a poem without such a pair.

    Attributes:
        embed: N lines to vectors of length 1, shape ``(N, D)``.
    """

    embed: Callable[[Sequence[str]], Array]
    name: str

    def coherence(self, poems: Sequence[Sequence[str]]) -> list[float]:
        row = {line: n for n, line in enumerate(dict.fromkeys(line for lines in poems for line in lines))}
        vectors = self.embed(list(row)) if row else np.zeros((0, 1))
        pairs = [[(row[a], row[b]) for a, b in itertools.combinations(lines, 2) if a.lower() != b.lower()] for lines in poems]
        return [float(np.mean([vectors[a] @ vectors[b] for a, b in own])) if own else 0.0 for own in pairs]


def sense(
    groups: Mapping[str, Sequence[EvaluationPoem]],
    judges: Judges,
    *,
    reference: Sequence[EvaluationPoem] = (),
    seed: int = 0,
    tick: Callable[[int], None] = lambda n: None,
) -> dict[str, Any]:
    """All measures of each group of poems, and as ``judges`` the names of those who judged.

    Args:
        groups: sets of poems of one language by name; ``human`` is that of people.
        reference: human poems, apart from those of ``groups``, from which the classifier has to tell each group.
        tick: called with the percentage done.
    """
    names = {"words": judges.words, "lines": judges.lines, "model": judges.model}
    out: dict[str, Any] = {"judges": {key: judge.name for key, judge in names.items() if judge is not None}}
    read = {name: costs(poems, judges.model, seed=seed) for name, poems in groups.items() if judges.model is not None}
    tick(50)
    size = min([len(reference), *map(len, groups.values())])
    for name, poems in groups.items():
        figures = cheap(poems, judges.words, seed=seed)
        if judges.lines is not None:
            figures |= _with_bounds("coherence_auc", coherence_auc(poems, judges.lines, seed=seed))
        if name in read:
            for measure, share in read[name].items():
                figures |= _with_bounds(measure, (share.value, ratio_bounds(share, seed=seed)))
                if name != "human" and measure in read.get("human", {}):
                    human = read["human"][measure]
                    gap = share.value - human.value, ratio_difference_bounds(share, human, seed=seed)
                    figures |= _with_bounds(f"{measure}_from_human", gap)
        if judges.classifier:
            figures |= _with_bounds("classifier_auc", classifier_auc(poems, reference, n=size, seed=seed))
        out[name] = figures
    tick(100)
    return out


def cheap(poems: Sequence[EvaluationPoem], words: WordJudge | None, *, seed: int = 0) -> Figures:
    """``invented_words``, ``distinct_bigrams`` and ``rhyme_sound_entropy``, with their intervals."""
    out: Figures = {"n": len(poems)}
    if not poems:
        return out
    if words is not None:
        own = [poem.lines[len(poem.prompt.opening) :] for poem in poems]  # without lines that were given
        invented = invented_words(own, poems[0].prompt.lang, words)
        share = Share(np.array([bool(found) for found in invented], dtype=float), np.ones(len(poems))).grouped(poem_numbers(poems))
        out |= _with_bounds("invented_words", (share.value, proportion_bounds(share, seed=seed)))
    bigrams = distinct_bigrams([poem.lines for poem in poems])
    if bigrams is not None:
        of = functools.partial(_distinct_bigrams, [_words(poem.lines) for poem in poems])
        out |= _with_bounds("distinct_bigrams", (bigrams, subsample_bounds(of, len(poems), seed=seed, most=1.0, draws=SUBSETS)))
    sounds = [rhyme_sounds(poem.prompt, poem.lines) for poem in poems]
    if any(sounds):
        all_of = functools.partial(_entropy, sounds)
        bounds = subsample_bounds(all_of, len(poems), seed=seed, draws=SUBSETS)
        out |= _with_bounds("rhyme_sound_entropy", (all_of(range(len(poems))), bounds))
    return out


def figures_of_texts(prompts: Sequence[Prompt], texts: Sequence[str]) -> dict[str, float]:
    """``invented_words`` and ``distinct_bigrams`` of a run's poems; absent without the extra ``sense``, or with too few words."""
    invented = invented_share(prompts, texts)
    bigrams = distinct_bigrams([split_poem(text) for text in texts])
    found = {"invented_words": None if invented is None else invented.value, "distinct_bigrams": bigrams}
    return {name: value for name, value in found.items() if value is not None}


def invented_share(prompts: Sequence[Prompt], texts: Sequence[str]) -> Share | None:
    """``invented_words`` as a ratio over poems, one entry a poem; None without a judge or without a poem.

    Opening lines, which the policy did not write, are left out.
    """
    judge = word_judge(prompts[0].lang) if prompts else None
    if judge is None:
        return None
    own = [split_poem(text)[len(prompt.opening) :] for prompt, text in zip(prompts, texts, strict=True)]
    return Share(np.array([bool(words) for words in invented_words(own, prompts[0].lang, judge)], dtype=float), np.ones(len(own)))


def redrawn_bigrams(texts: Sequence[str], group: NDArray[np.int64]) -> Redrawn | None:
    """``distinct_bigrams`` with prompts drawn again; None with too few words, or too few prompts for an interval.

    Args:
        group: number of each poem's prompt, shape ``(P,)``, counted from 0.
    """
    rows, n = [_words(split_poem(text)) for text in texts], len(set(group.tolist()))
    if sum(map(len, rows)) < WORDS or n < LEAST:
        return None
    return subsampled(lambda kept: _distinct_bigrams(rows, np.flatnonzero(kept[group])), n, draws=SUBSETS)


def distinct_bigrams(poems: Sequence[Sequence[str]], *, words: int = WORDS) -> float | None:
    """Different pairs of neighbouring words over all pairs, within poems, in the first ``words`` words; None if there are fewer.

    >>> distinct_bigrams([["la mer", "la mer"], ["un deux trois"]], words=4), distinct_bigrams([["la mer"]], words=3)
    (0.6666666666666666, None)
    """
    rows = [_words(lines) for lines in poems]
    return _first_bigrams(rows, words) if sum(map(len, rows)) >= words else None


def coherence_auc(poems: Sequence[EvaluationPoem], judge: LineJudge, *, seed: int = 0) -> tuple[float, Bounds] | None:
    """How often a poem has more coherence than a shuffled one; None without enough poems of one form.

    Line k of a shuffled poem is line k of a poem of the same form and number of lines, and all lines are of different poems.

    Returns:
        The area under the ROC curve, and its interval: poems drawn again, each with its shuffled one.
    """
    numbers = poem_numbers(poems)
    keys = {poem.lines: poem.group for poem in poems}
    stanzas = [Stanza(poem.lines, (), int(number), None) for poem, number in zip(poems, numbers, strict=True) if len(poem.lines) > 1]
    pairs = shuffled(stanzas, lambda stanza: (keys[stanza.lines], len(stanza.lines)), seed=seed)
    if len(pairs) < 2:
        return None
    values = np.array(judge.coherence([stanza.lines for pair in pairs for stanza in pair]), dtype=float).reshape(-1, 2)
    real, false = values.T
    return auc(real, false), auc_interval(real, false, [own.poem for own, _ in pairs], draws=DRAWS, seed=seed)


def costs(poems: Sequence[EvaluationPoem], model: OutsideModel, *, seed: int = 0) -> dict[str, Share]:
    """``judge_bits_per_char`` and ``context_gain`` as ratios over poems, one entry a source; absent without data.

    The other first line is that of a poem of the same form by another source, drawn by the seed. Characters are those of the lines and of
    the breaks between them.
    """
    numbers = poem_numbers(poems)
    rows = [i for i, poem in enumerate(poems) if poem.text.strip()]
    if not rows:
        return {}
    own = model.line_nats([poems[i].lines for i in rows])
    bits, characters = [sum(nats) / math.log(2) for nats in own], [len(poems[i].text) for i in rows]
    out = {"judge_bits_per_char": Share(np.array(bits), np.array(characters, dtype=float)).grouped(_renumbered(numbers[rows]))}
    openings = _other_openings([poems[i] for i in rows], numbers[rows], seed=seed)
    paired = [(i, nats, opening) for i, nats, opening in zip(rows, own, openings, strict=True) if opening is not None]
    if paired:
        other = model.line_nats([(opening, *poems[i].lines[1:]) for i, _, opening in paired])
        saved = [(sum(b[1:]) - sum(a[1:])) / math.log(2) for (_, a, _), b in zip(paired, other, strict=True)]
        rest = [len("\n".join(poems[i].lines[1:])) for i, _, _ in paired]
        share = Share(np.array(saved), np.array(rest, dtype=float))
        out["context_gain"] = share.grouped(_renumbered(numbers[[i for i, _, _ in paired]]))
    return out


def classifier_auc(
    poems: Sequence[EvaluationPoem], human: Sequence[EvaluationPoem], *, n: int | None = None, seed: int = 0
) -> tuple[float, Bounds] | None:
    """AUC of a logistic regression over character and word n-grams that has to tell poems from human ones.

    Five folds, and the stanzas of one poem are in one fold. An AUC depends on how many poems the classifier has seen: compare at one ``n``.

    Args:
        n: poems to take of each side, drawn by the seed; as many as the smaller side has if None.

    Returns:
        The AUC and its interval, poems drawn again (not trained again); None with fewer than ``FEWEST`` poems on a side.

    Raises:
        RlpoetError: scikit-learn is not installed.
    """
    n = min(len(poems), len(human), len(poems) if n is None else n)
    if n < FEWEST:
        return None
    rng = np.random.default_rng(seed)
    sides = [[side[i] for i in np.sort(rng.permutation(len(side))[:n])] for side in (poems, human)]
    group = poem_numbers(*sides)
    label = np.repeat([0, 1], n)
    if min(len(set(group[label == side])) for side in (0, 1)) < FEWEST:
        return None
    scores = _human_scores([poem.text for side in sides for poem in side], label, group, seed=seed)
    rows_of = [np.flatnonzero(group == number) for number in range(group.max() + 1)]

    def of(drawn: NDArray[np.int64]) -> float | None:
        rows = np.concatenate([rows_of[k] for k in drawn])
        real, false = scores[rows[label[rows] == 1]], scores[rows[label[rows] == 0]]
        return auc(real, false) if len(real) and len(false) else None

    bounds = statistic_bounds(of, len(rows_of), draws=DRAWS, seed=seed)
    return auc(scores[label == 1], scores[label == 0]), bounds or (math.nan, math.nan)


def poem_numbers(*sets: Sequence[EvaluationPoem]) -> NDArray[np.int64]:
    """Which source each poem of the sets is of, one after the other, counted from 0: stanzas of one poem, and equal texts, have one number.

    Where a whole set has one source, that is a file of stanzas with blank lines between them, and each stanza counts as its own.
    """
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for poems in sets for key in _sources(poems)], dtype=np.int64)


def _sources(poems: Sequence[EvaluationPoem]) -> list[str]:
    texts = [poem.text.strip() for poem in poems]
    sources = [text if poem.source is None else poem.source.text.strip() for poem, text in zip(poems, texts, strict=True)]
    return sources if len(set(sources)) > 1 else texts


def _human_scores(texts: Sequence[str], label: NDArray[np.int64], group: NDArray[np.int64], *, seed: int) -> Array:
    """Of each text the decision function of a classifier that has not read its poem; high for human verse."""
    if importlib.util.find_spec("sklearn") is None:
        raise RlpoetError("classifier: scikit-learn is not installed; expected it. Install it with `pip install rlpoet[sense]`.")
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline, make_union

    hashed = functools.partial(HashingVectorizer, n_features=2**17, alternate_sign=False)
    letters = hashed(analyzer="char", ngram_range=(2, 4), lowercase=False)
    words = hashed(analyzer="word", ngram_range=(1, 2), token_pattern=r"[^\W\d_]+|[^\w\s]|\n")
    model = make_pipeline(make_union(letters, words), TfidfTransformer(sublinear_tf=True), LogisticRegression(C=10, solver="liblinear"))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    return cross_val_predict(model, list(texts), label, groups=group, cv=folds, method="decision_function")


def _other_openings(poems: Sequence[EvaluationPoem], numbers: NDArray[np.int64], *, seed: int) -> list[str | None]:
    """For each poem the first line of another one of its form; None for one line, and where there is no other source."""
    rng = np.random.default_rng(seed)
    by_form: dict[str, list[int]] = {}
    for i, poem in enumerate(poems):
        by_form.setdefault(poem.group, []).append(i)
    out: list[str | None] = []
    for poem, number in zip(poems, numbers, strict=True):
        others = [i for i in by_form[poem.group] if numbers[i] != number] if len(poem.lines) > 1 else []
        out.append(poems[others[int(rng.integers(len(others)))]].lines[0] if others else None)
    return out


def _with_bounds(name: str, found: tuple[float, Bounds] | None) -> Figures:
    return {} if found is None else {name: float(found[0]), name + "_95": list(found[1])}


def _renumbered(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """The same numbers without gaps."""
    return np.unique(numbers, return_inverse=True)[1]


def _words(lines: Sequence[str]) -> list[str]:
    return [word for line in lines for word in words_of(line)]


def _first_bigrams(rows: Sequence[Sequence[str]], words: int) -> float:
    pairs: list[tuple[str, str]] = []
    for row in rows:
        pairs += itertools.pairwise(row[:words])
        words -= min(words, len(row))
    return distinct_share(pairs)


def _distinct_bigrams(rows: Sequence[Sequence[str]], kept: Sequence[int] | NDArray[np.int64]) -> float:
    """Of some of the poems, in as large a part of ``WORDS`` words as they are of all poems."""
    return _first_bigrams([rows[i] for i in kept], round(WORDS * len(kept) / len(rows)))


def _entropy(sounds: Sequence[Sequence[tuple[str, ...]]], kept: Sequence[int]) -> float:
    return entropy([sound for i in kept for sound in sounds[i]])
