"""A model of a language's poets by sound: the probability that lines are by each of ten poets, or by the average of all others.

It is a linear model over the features of ``rlpoet.analysis.authorship.features``. Counts become 1 + log, are multiplied by idf, and
normalised to length 1. Each voice has a weight vector. The margins times a sharpness, which grows with the number of lines, are logits;
softmax gives probabilities, calibrated on poems that the weights have not seen. A phone n-gram model of all training verse estimates
whether a line is verse of the language at all.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rlpoet.analysis.arrays import save_arrays, saved_arrays
from rlpoet.analysis.authorship.features import feature_label, features, text_of
from rlpoet.analysis.authorship.ngrams import PhoneNgrams
from rlpoet.analysis.authorship.sound import LineSound, line_sound
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.languages import code_of

SHIPPED = Path(__file__).parent / "data"
FILE = "style.npz"
FORMAT = 2  # of the file; a change of the features or of their weighing raises it
AVERAGE = "average"  # the voice of everybody else
FEW, MANY = 0.25, 0.5  # shares of guessed words in a line: up to the first it is verse, from the second it is not


@dataclass(frozen=True, eq=False)
class StyleModel:
    """Weights of poets over features of sound. K poets, and the average as voice K; F features; N lengths.

    Attributes:
        lang: code of the language.
        poets: their names, as the corpus spells them.
        phones: the inventory of phones that the features use.
        codes: [F] features, ascending.
        idf: [F], how rare a feature is.
        weights: [F, K + 1], one column per voice. bias: [K + 1].
        lengths: [N] numbers of lines at which the next two were measured, ascending.
        sharpness: [N], factor from margins to logits.
        usual: [N, K + 1], the median probability of a poet for that poet's own unseen lines; in the last column the median probability
            of all poets together for their lines.
        language: phone n-grams of the training verse.
        foreign, verse: mean log-probabilities per phone: at ``foreign`` a line is certainly not verse of the language, at ``verse`` it is.
    """

    lang: str
    poets: tuple[str, ...]
    phones: tuple[str, ...]
    codes: np.ndarray
    idf: np.ndarray
    weights: np.ndarray
    bias: np.ndarray
    lengths: np.ndarray
    sharpness: np.ndarray
    usual: np.ndarray
    language: PhoneNgrams
    foreign: float
    verse: float

    @property
    def voices(self) -> tuple[str, ...]:
        return (*self.poets, AVERAGE)

    def margins(self, lines: Sequence[LineSound]) -> np.ndarray:
        """The margin of each voice for the lines, [K + 1]; the order of lines matters for features of several lines only."""
        rows, values = self._weighed(lines)
        return values @ self.weights[rows] + self.bias

    def probabilities(self, lines: Sequence[LineSound]) -> np.ndarray:
        """The probability of each voice, [K + 1]; uniform for lines without sound."""
        if not any(line.words for line in lines):
            return np.full(len(self.voices), 1 / len(self.voices))
        margins = self.margins(lines) * np.interp(np.log(len(lines)), np.log(self.lengths), self.sharpness)
        odds = np.exp(margins - margins.max())
        return odds / odds.sum()

    def usual_at(self, n_lines: int) -> np.ndarray:
        """The usual probabilities for ``n_lines`` lines, [K + 1]; see ``usual``."""
        at = np.log(max(1, n_lines))
        return np.array([np.interp(at, np.log(self.lengths), column) for column in self.usual.T])

    def verselike(self, line: LineSound) -> float:
        """How much a line sounds like verse of the language, in [0, 1], by its known words and by its phone n-grams."""
        n_words = len(line.words)
        if not n_words:
            return 0.0
        known = (MANY - len(line.guessed) / n_words) / (MANY - FEW)
        likely = (self.language.mean_log_p(text_of(line)) - self.foreign) / (self.verse - self.foreign)
        return max(0.0, min(1.0, known, likely))

    def telling(self, lines: Sequence[LineSound], voice: int) -> list[tuple[str, float]]:
        """Features of lines with what they add to a voice, relative to the mean of all voices; the largest first."""
        rows, values = self._weighed(lines)
        weights = self.weights[rows]
        gains = values * (weights[:, voice] - weights.mean(axis=1))
        order = np.argsort(-gains, kind="stable")
        return [(feature_label(int(self.codes[rows[at]]), self.phones), float(gains[at])) for at in order.tolist()]

    def number(self, poet: str) -> int:
        """The voice of a poet by full name.

        Raises:
            UnknownName: the model has no such poet.
        """
        if poet not in self.poets:
            raise UnknownName("poet", poet, self.poets)
        return self.poets.index(poet)

    def _weighed(self, lines: Sequence[LineSound]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the features that occur, and their values, normalised to length 1."""
        numbers, counts = np.unique(features(lines, self.phones)[0], return_counts=True)
        rows = np.minimum(np.searchsorted(self.codes, numbers), len(self.codes) - 1)
        known = self.codes[rows] == numbers
        rows = rows[known]
        values = (1 + np.log(counts[known])) * self.idf[rows]
        return rows, values / max(float(np.sqrt(values @ values)), 1e-9)

    def save(self, path: str | Path) -> None:
        """Write the model atomically. Weights are stored as 8-bit integers, scaled by the largest weight of their voice."""
        scale = np.abs(self.weights).max(axis=0) / 127
        facts = {
            "format": FORMAT,
            "lang": self.lang,
            "poets": self.poets,
            "phones": self.phones,
            "foreign": self.foreign,
            "verse": self.verse,
        }
        arrays = {
            "told": _bytes(json.dumps(facts, ensure_ascii=False)),
            "codes": np.diff(self.codes, prepend=np.uint64(0)),  # differences pack better
            "idf": self.idf.astype(np.float16),
            "weights": np.rint(self.weights / scale).astype(np.int8),
            "scale": scale.astype(np.float32),
            "bias": self.bias.astype(np.float32),
            "lengths": self.lengths,
            "sharpness": self.sharpness.astype(np.float32),
            "usual": self.usual.astype(np.float32),
            "grams": _bytes("\n".join(self.language.counts)),
            "counts": np.array(list(self.language.counts.values()), dtype=np.uint32),
        }
        save_arrays(path, arrays)

    @classmethod
    def load(cls, path: str | Path) -> StyleModel:
        """Read what ``save`` wrote.

        Raises:
            RlpoetError: no such file, no model of style, or one of another version.
        """
        fix = "Build it with `rlpoet style build`."
        with saved_arrays(path, "a model of style", fix=fix) as arrays:
            facts = json.loads(arrays["told"].tobytes())
            if facts["format"] != FORMAT:
                raise RlpoetError(f"{path}: a model of style of version {facts['format']}; expected version {FORMAT}. {fix}")
            grams = arrays["grams"].tobytes().decode("utf-8").split("\n")
            return cls(
                facts["lang"],
                tuple(facts["poets"]),
                tuple(facts["phones"]),
                np.cumsum(arrays["codes"], dtype=np.uint64),
                arrays["idf"].astype(np.float64),
                arrays["weights"] * arrays["scale"].astype(np.float64),
                arrays["bias"].astype(np.float64),
                arrays["lengths"],
                arrays["sharpness"].astype(np.float64),
                arrays["usual"].astype(np.float64),
                PhoneNgrams(dict(zip(grams, arrays["counts"].tolist(), strict=True))),
                facts["foreign"],
                facts["verse"],
            )


def shipped() -> tuple[str, ...]:
    """Codes of the languages with a shipped model."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE}")))


@functools.lru_cache(maxsize=8)
def style_model(lang: str, path: str = "") -> StyleModel | None:
    """The model of a language, or of a file; None if there is none for this language. Read once per process.

    Raises:
        RlpoetError: the file holds no model.
    """
    code = code_of(lang)
    if not path:
        return StyleModel.load(SHIPPED / code / FILE) if code in shipped() else None
    model = StyleModel.load(path)
    return model if model.lang == code else None


def line_sounds(lines: Sequence[str], lang: str) -> list[LineSound]:
    """Lines by ear, as ``line_sound`` gives them; a variety is heard as its language, since that is what the models were built from."""
    code = code_of(lang)
    return [line_sound(line, code) for line in lines]


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
