"""Builds models of style from poems, for ``rlpoet style build``. Needs scikit-learn; scoring does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from rlpoet.analysis.authorship.features import features, inventory, kind_of, text_of
from rlpoet.analysis.authorship.groups import SIDES, SIZE, Groups, choose_poets, split_groups
from rlpoet.analysis.authorship.model import AVERAGE, StyleModel
from rlpoet.analysis.authorship.ngrams import PhoneNgrams
from rlpoet.analysis.authorship.sound import LineSound, line_sound
from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError
from rlpoet.languages import code_of

MOST = {"train": 1500, "calibrate": 60, "judge": 100}  # groups a voice
N_FEATURES = 100_000  # features; of all that come in four groups those that tell the voices apart best, by chi-square
FEWEST = 4  # groups a feature comes in
LIGHT, HEAVY = 0.5, 1.4  # what features weigh that say in part what runs of phones say already; and words, of which a line has few
WEIGHT = {  # others are light
    "phones": 1.0, "word": HEAVY, "pair": HEAVY, "rhyme": 1.0, "richness": 1.0, "scheme": 1.0, "lengths": 1.0,
    "pause": 1.0, "breath": 1.0, "tune": 1.0,
}  # fmt: skip
STRENGTH = 0.5  # C of the linear support vector machine
ORDER, RARE = 4, 3  # of the phone n-grams of the language, and how often a long one has to come
NGRAM_GROUPS, USUAL_GROUPS = 150, 20  # groups a voice that the n-grams count, and that say what is usual for them
LENGTHS = (1, 2, 4, 8)
SHARPEST = np.geomspace(0.5, 60, 120)


@dataclass(frozen=True)
class Built:
    """A model and its test figures.

    Attributes:
        groups: groups of lines that it was built and tested with, by (side, voice).
        accuracy: at 4 and at 8 lines, the share of test groups whose poet is the likeliest of the poets; mean over the poets.
        own: at 4 and at 8 lines, the median reward of a poet's own test groups (1 is as the poet usually sounds).
        others: the same for groups of the other voices, scored for that poet.
    """

    model: StyleModel
    groups: Groups
    accuracy: dict[int, float]
    own: dict[int, float]
    others: dict[int, float]


def build_style(
    poems: Sequence[Poem], lang: str, *, authors: Sequence[str] = (), n: int = 10, tell: Callable[[str], object] = lambda _: None
) -> Built:
    """Fit the poets of a language.

    Args:
        authors: full names; by default the ``n`` with the most lines.
        tell: called with progress messages.

    Raises:
        RlpoetError: scikit-learn is not installed, or a poet has no poem on one side of the split.
        UnknownName: no such author.
    """
    code = code_of(lang)
    poets = choose_poets(poems, authors, n=n)
    groups = split_groups(poems, poets, most=MOST)
    for side in SIDES:
        for voice in (*poets, AVERAGE):
            if not groups.get((side, voice)):
                raise RlpoetError(f"{voice}: no {SIZE} lines to {side} with; expected poems enough to hold some out. Choose other poets.")
    tell(f"{len(poets)} poets, {sum(len(groups['train', voice]) for voice in (*poets, AVERAGE))} groups of {SIZE} lines to train with")
    sounds = {key: [[line_sound(line, code) for line in group] for group in voice_groups] for key, voice_groups in groups.items()}
    model = _fitted(code, poets, sounds)
    tell(f"{len(model.codes):,} features kept")
    _calibrate(model, sounds)
    return Built(model, groups, *_judged(model, sounds))


def _fitted(code: str, poets: Sequence[str], sounds: dict[tuple[str, str], list[list[LineSound]]]) -> StyleModel:
    scikit = _scikit()
    voices = (*poets, AVERAGE)
    train = [group for voice in voices for group in sounds["train", voice]]
    owner = np.repeat(np.arange(len(voices)), [len(sounds["train", voice]) for voice in voices])
    phones = inventory(line for group in train for line in group)
    codes, counts = _counted(train, phones, scikit)
    spread = np.bincount(counts.indices, minlength=len(codes))
    often = np.flatnonzero(spread >= FEWEST)
    telling = np.nan_to_num(scikit.chi2(counts[:, often], owner)[0])
    chosen = np.sort(often[np.argsort(-telling, kind="stable")[:N_FEATURES]])
    codes, counts = codes[chosen], counts[:, chosen]
    idf = 1 + np.log((1 + len(train)) / (1 + spread[chosen]))
    idf *= np.array([WEIGHT.get(kind_of(code), LIGHT) for code in codes.tolist()])
    counts.data = 1 + np.log(counts.data)
    matrix = scikit.normalize(counts.multiply(idf).tocsr())
    fitted = scikit.LinearSVC(C=STRENGTH, random_state=0).fit(matrix, owner)
    coefficients, bias = np.asarray(fitted.coef_), np.asarray(fitted.intercept_)
    language = PhoneNgrams.of(_rows(sounds, "train", NGRAM_GROUPS), order=ORDER, fewest=RARE)
    low, middle = np.quantile([language.mean_log_p(row) for row in _rows(sounds, "calibrate", USUAL_GROUPS)], [0.02, 0.5])
    return StyleModel(
        code, tuple(poets), phones, codes, idf, coefficients.T.copy(), bias,
        np.array(LENGTHS), np.ones(len(LENGTHS)), np.ones((len(LENGTHS), len(voices))), language, float(low - (middle - low)), float(low),
    )  # fmt: skip


def _calibrate(model: StyleModel, sounds: dict[tuple[str, str], list[list[LineSound]]]) -> None:
    """Set ``sharpness`` and ``usual`` from poems that the weights have not seen; changes the arrays in place."""
    for at, n in enumerate(LENGTHS):
        margins = [_margins(model, [group[:n] for group in sounds["calibrate", voice]]) for voice in model.voices]
        losses = []
        for sharpness in SHARPEST:
            log_p = [_log_softmax(sharpness * rows)[:, voice].mean() for voice, rows in enumerate(margins)]
            losses.append(-float(np.mean(log_p)))
        model.sharpness[at] = SHARPEST[int(np.argmin(losses))]
        likely = [np.exp(_log_softmax(model.sharpness[at] * rows)) for rows in margins]
        model.usual[at, :-1] = [np.median(rows[:, voice]) for voice, rows in enumerate(likely[:-1])]
        model.usual[at, -1] = np.median(np.concatenate([1 - rows[:, -1] for rows in likely[:-1]]))


def _judged(
    model: StyleModel, sounds: dict[tuple[str, str], list[list[LineSound]]]
) -> tuple[dict[int, float], dict[int, float], dict[int, float]]:
    accuracy, medians, other_medians = {}, {}, {}
    for n in (4, 8):
        sharp = model.sharpness[LENGTHS.index(n)]
        margins = {voice: _margins(model, [group[:n] for group in sounds["judge", voice]]) for voice in model.voices}
        likely = {voice: np.exp(_log_softmax(sharp * rows)) for voice, rows in margins.items()}
        usual = model.usual_at(n)
        right = [np.mean(rows[:, :-1].argmax(axis=1) == model.poets.index(voice)) for voice, rows in likely.items() if voice != AVERAGE]
        accuracy[n] = float(np.mean(right))
        reward = {voice: np.minimum(1.0, rows[:, :-1] / usual[:-1]) for voice, rows in likely.items()}
        own_scores = [reward[poet][:, k] for k, poet in enumerate(model.poets)]
        other_scores = [reward[voice][:, k] for k, poet in enumerate(model.poets) for voice in model.voices if voice != poet]
        medians[n], other_medians[n] = float(np.median(np.concatenate(own_scores))), float(np.median(np.concatenate(other_scores)))
    return accuracy, medians, other_medians


def _margins(model: StyleModel, groups: Sequence[Sequence[LineSound]]) -> np.ndarray:
    return np.array([model.margins(group) for group in groups])


def _log_softmax(rows: np.ndarray) -> np.ndarray:
    top = rows - rows.max(axis=1, keepdims=True)
    return np.asarray(top - np.log(np.exp(top).sum(axis=1, keepdims=True)))


def _counted(groups: Sequence[Sequence[LineSound]], phones: Sequence[str], scikit: SimpleNamespace) -> tuple[np.ndarray, Any]:
    """All features of some groups, ascending, and a sparse matrix of their counts per group."""
    numbers, line = features([line for group in groups for line in group], phones, sizes=[len(group) for group in groups])
    group = np.repeat(np.arange(len(groups)), [len(group) for group in groups])[line]
    codes, column = np.unique(numbers, return_inverse=True)
    ones = np.ones(len(numbers), dtype=np.float64)
    return codes, scikit.csr_matrix((ones, (group, column)), shape=(len(groups), len(codes)))  # what comes twice is added up


def _rows(sounds: dict[tuple[str, str], list[list[LineSound]]], side: str, most: int) -> list[list[str]]:
    return [
        text_of(line)
        for (group_side, _), groups in sounds.items()
        if group_side == side
        for group in groups[:most]
        for line in group
        if line.words
    ]


def _scikit() -> SimpleNamespace:
    try:
        from scipy.sparse import csr_matrix
        from sklearn.feature_selection import chi2
        from sklearn.preprocessing import normalize
        from sklearn.svm import LinearSVC
    except ImportError:
        raise RlpoetError("style build: scikit-learn is not installed; expected it. Install it with `pip install rlpoet[style]`.") from None
    return SimpleNamespace(csr_matrix=csr_matrix, chi2=chi2, normalize=normalize, LinearSVC=LinearSVC)
