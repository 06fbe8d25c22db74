"""A language's poets by their sound: whose lines are these likely to be, among ten poets and the average of all others?

A linear model over the features of ``rlpoet.analysis.authorship.features``: counts are damped (1 + log), weighed by idf, brought to
length 1 and held
against one vector of weights a voice. The margins times a sharpness, which grows with the number of lines, are log odds: softmax makes
them probabilities, calibrated on poems the weights have not seen. A phone n-gram model of all the training verse says beside it whether
a line is verse of the language at all.
"""

from __future__ import annotations

import functools
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

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
        phones: the phones the features are spelt in.
        codes: [F] features, ascending.
        idf: [F], how rare a feature is.
        weights: [F, K + 1], one column a voice. bias: [K + 1].
        lengths: [N] numbers of lines at which the next two were measured, ascending.
        sharpness: [N], what a margin is worth.
        usual: [N, K + 1], the median probability of a poet for that poet's own unseen lines; in the last column the
            median share of all poets together for theirs.
        language: phone n-grams of the training verse.
        foreign, verse: mean log probabilities of a phone between which a line turns into verse of the language.
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
        """How much of each voice is in the lines, [K + 1]; their order matters for rhymes and lengths alone."""
        rows, values = self._weighed(lines)
        return values @ self.weights[rows] + self.bias

    def probabilities(self, lines: Sequence[LineSound]) -> np.ndarray:
        """Whose the lines are, [K + 1], sums to 1; all voices alike for no sound."""
        if not any(line.words for line in lines):
            return np.full(len(self.voices), 1 / len(self.voices))
        margins = self.margins(lines) * np.interp(np.log(len(lines)), np.log(self.lengths), self.sharpness)
        odds = np.exp(margins - margins.max())
        return odds / odds.sum()

    def usual_at(self, n_lines: int) -> np.ndarray:
        """What ``n_lines`` lines of a poet's own reach, [K + 1]; see ``usual``."""
        at = np.log(max(1, n_lines))
        return np.array([np.interp(at, np.log(self.lengths), column) for column in self.usual.T])

    def verselike(self, line: LineSound) -> float:
        """Whether a line sounds like verse of the language, in [0, 1]: its words are known, and its phones stand as they do in verse."""
        n_words = len(line.words)
        if not n_words:
            return 0.0
        known = (MANY - len(line.guessed) / n_words) / (MANY - FEW)
        likely = (self.language.mean_log_p(text_of(line)) - self.foreign) / (self.verse - self.foreign)
        return max(0.0, min(1.0, known, likely))

    def telling(self, lines: Sequence[LineSound], voice: int) -> list[tuple[str, float]]:
        """Features of lines and what they add to a voice over the mean of all voices, the most telling first."""
        rows, values = self._weighed(lines)
        weights = self.weights[rows]
        gains = values * (weights[:, voice] - weights.mean(axis=1))
        order = np.argsort(-gains, kind="stable")
        return [(feature_label(int(self.codes[rows[at]]), self.phones), float(gains[at])) for at in order.tolist()]

    def number(self, poet: str) -> int:
        """The voice of a poet by full name.

        Raises:
            UnknownName: a poet without a voice here.
        """
        if poet not in self.poets:
            raise UnknownName("poet", poet, self.poets)
        return self.poets.index(poet)

    def _weighed(self, lines: Sequence[LineSound]) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the features there are, and their values, a vector of length 1."""
        numbers, counts = np.unique(features(lines, self.phones)[0], return_counts=True)
        rows = np.minimum(np.searchsorted(self.codes, numbers), len(self.codes) - 1)
        known = self.codes[rows] == numbers
        rows = rows[known]
        values = (1 + np.log(counts[known])) * self.idf[rows]
        return rows, values / max(float(np.sqrt(values @ values)), 1e-9)

    def save(self, path: str | Path) -> None:
        """Write the model; never half a file. Weights are kept as whole numbers of 127ths of the voice's largest."""
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
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:  # an .npz, without the date: same model, same bytes
            for name, array in arrays.items():
                buffer = io.BytesIO()
                np.save(buffer, array, allow_pickle=False)
                out.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue(), zipfile.ZIP_DEFLATED)
        part.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> StyleModel:
        """Read what ``save`` wrote.

        Raises:
            RlpoetError: no such file, no model of style, or one of another version.
        """
        fix = "Build it with `rlpoet style build`."
        try:
            with np.load(path, allow_pickle=False) as arrays:
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
        except OSError as error:
            raise RlpoetError(f"{path}: {error.strerror or error}; expected a model of style (.npz). {fix}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, AttributeError):
            raise RlpoetError(f"{path}: no model of style; expected a file that rlpoet wrote (.npz). {fix}") from None


def shipped() -> tuple[str, ...]:
    """Codes of the languages whose poets ship."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{FILE}")))


@functools.lru_cache(maxsize=8)
def style_model(lang: str, path: str = "") -> StyleModel | None:
    """The poets of a language, however it was named, or of a file; None where none ship. Read once a process.

    Raises:
        RlpoetError: a file that is no model, or one of another language.
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
