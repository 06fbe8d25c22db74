"""Whose verse poems sound like: every poet's share of a poem, and the sounds that give it away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rlpoet.analysis.authorship.model import StyleModel, line_sounds, shipped, style_model
from rlpoet.errors import RlpoetError

N_SIGNS = 5  # sounds told of each poet


@dataclass(frozen=True)
class Voice:
    """How likely a poem is a poet's.

    Attributes:
        name: the poet, or the average of the others.
        probability: in [0, 1]; over all voices they sum to 1.
        signs: what speaks for it, the strongest first.
    """

    name: str
    probability: float
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Attribution:
    """A poem and its voices, the likeliest first.

    Attributes:
        verselike: how much its lines sound like lines of the language, in [0, 1].
    """

    lines: tuple[str, ...]
    verselike: float
    voices: tuple[Voice, ...]


def open_poets(lang: str, path: str = "") -> StyleModel:
    """The model of a language, or of a file.

    Raises:
        RlpoetError: none ships, a file that is no model, or one of another language.
    """
    model = style_model(lang, path)
    if model is None:
        held = f"{path} is of another language" if path else f"expected one of {', '.join(shipped())}"
        raise RlpoetError(f"style: no poets of {lang!r}; {held}. Build some with `rlpoet style build`.")
    return model


def attributions(poems: Iterable[Sequence[str]], lang: str, model: StyleModel) -> Iterator[Attribution]:
    """Whose verse each poem sounds like, one at a time.

    Args:
        poems: the lines of each.
    """
    for lines in poems:
        sounds = line_sounds(lines, lang)
        likely = model.probabilities(sounds)
        order = sorted(range(len(model.voices)), key=lambda voice: -likely[voice])
        signs = {voice: tuple(name for name, gain in model.telling(sounds, voice)[:N_SIGNS] if gain > 0) for voice in order}
        voices = tuple(Voice(model.voices[voice], float(likely[voice]), signs[voice]) for voice in order)
        yield Attribution(tuple(lines), sum(map(model.verselike, sounds)) / len(sounds), voices)
