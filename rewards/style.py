"""The reward for style: whether a poem sounds like one poet, like several in given shares, or unlike the average."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rewards.lines import explain_miscount, gains_of, read
from rlpoet.analysis.authorship.model import StyleModel, line_sounds, shipped, style_model
from rlpoet.analysis.authorship.sound import LineSound
from rlpoet.corpus.authors import find_author, parse_authors
from rlpoet.errors import RlpoetError, UnknownName
from rlpoet.types import Explained, Form, LineScore, Prompt

N_SOUNDS = 3  # sounds an explanation names
FRESH = 1 / 3  # share of a line's words that must be new to the poem for the line to count in full
SHORT, LONG = 0.75, 4 / 3  # of the form's shortest and longest line: what a line may differ in length and still count in full


class Style:
    """How much the lines sound like the poet, up to what is usual for that poet.

    p(a) is the probability of voice a given the sounds of the lines (ten poets and the average of all others,
    ``rlpoet.analysis.authorship``). u(a) is the median p(a) over unseen groups of a's lines, as many lines as the form has. q are the
    required shares:

        towards = sum over poets a of min(q(a), p(a) / u(a))
        away    = min(1, (1 - p(average)) / u(any poet))
        score   = ((1 - w) towards + w away) * (mean over the lines of how much each counts)

    For one poet, ``towards`` is min(1, p / u): half of the poet's own unseen stanzas score 1, and more than that pays nothing. The weight
    of a line, from 0 to 1, falls gradually in three cases. It is not verse of the language: many words are guesses, or its phones rarely
    follow each other in verse. It has few new words: full weight needs a third. It is far from the form's length: full weight needs
    three quarters to four thirds of it. A text with another number of lines than its form scores 0.

    None for a language without a model. Also None if neither this reward nor the prompt names a poet of the model, unless ``away`` is
    above 0.

    Args:
        author: poet as ``rlpoet style poets`` lists them, or a part of the name; by default the author of the prompt.
        blend: several poets with weights instead, ``hugo:0.6,verlaine:0.4``.
        away: w, the share of the score for being unlike the average, in [0, 1]. If no poet is named and w is above 0, it is the whole
            score.
        model: a file that ``rlpoet style build`` wrote, instead of the shipped models.

    Raises:
        ValueError: ``away`` is outside [0, 1].
        RlpoetError: both ``author`` and ``blend``, a weight that is no positive number, or no model in the file.
        UnknownName: no language has such a poet.
    """

    name = "style"

    def __init__(self, *, author: str = "", blend: str = "", away: float = 0.0, model: str = "") -> None:
        if not 0.0 <= away <= 1.0:
            raise ValueError(f"away is {away}; expected a share in [0, 1]")
        if author and blend:
            raise RlpoetError(f"style: author {author!r} and blend {blend!r}; expected one of the two. Put the author into the blend.")
        self.author, self.blend, self.away, self.model = author, blend, away, model
        if model:
            StyleModel.load(model)
        if wish := author or blend:
            models = (
                [StyleModel.load(model)] if model else [candidate for candidate in map(style_model, shipped()) if candidate is not None]
            )
            if not any(_shares(wish, candidate) for candidate in models):
                raise UnknownName("style: poet", wish, [poet for candidate in models for poet in candidate.poets])

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score of the lines before it: one number per line written; the sum is the score.

        A line that makes the poem sound like somebody else lowers the score.
        """
        form, lines, complete = read(prompt, text)
        target = self._target(prompt)
        if not complete or target is None:
            return [0.0] * len(lines)
        sounds = line_sounds(lines, prompt.lang)
        reached = [self._reached(*target, sounds[: n + 1], form) for n in range(len(lines))]
        return gains_of(reached)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For each line the likeliest voice of that line alone, and its sounds that are typical of the required poet."""
        form, lines, complete = read(prompt, text)
        target = self._target(prompt)
        if target is None:
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        sounds = line_sounds(lines, prompt.lang)
        counts = _counts(target[0], sounds, form)
        rows = tuple(LineScore(line, *self._line_score(*target, sound, n)) for line, sound, n in zip(lines, sounds, counts, strict=True))
        return Explained(self.name, self._score(prompt, text), rows)

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = read(prompt, text)
        target = self._target(prompt)
        if target is None:
            return None
        return self._reached(*target, line_sounds(lines, prompt.lang), form) if complete else 0.0

    def _target(self, prompt: Prompt) -> tuple[StyleModel, dict[int, float]] | None:
        """The model of the prompt's language and the required shares of its poets; no shares if only ``away`` counts."""
        wish = self.author or self.blend or prompt.author or ""
        if not wish and self.away <= 0:
            return None  # before a model is read for nothing
        model = style_model(prompt.lang, self.model)
        if model is None:
            return None
        shares = _shares(wish, model)
        return (model, shares) if shares or self.away > 0 else None

    def _reached(self, model: StyleModel, shares: dict[int, float], sounds: Sequence[LineSound], form: Form) -> float:
        """The score of the first lines of a poem of the form."""
        counts = sum(_counts(model, sounds, form)) / form.n_lines
        return min(1.0, self._manner(model, shares, sounds) * counts) if counts else 0.0

    def _manner(self, model: StyleModel, shares: dict[int, float], sounds: Sequence[LineSound]) -> float:
        towards, away = _credit(model, shares, sounds)
        weight = self.away if shares else 1.0
        return (1 - weight) * towards + weight * away

    def _line_score(self, model: StyleModel, shares: dict[int, float], sound: LineSound, counts: float) -> tuple[float, str]:
        if model.verselike(sound) == 0.0:
            guessed = f": {', '.join(sound.guessed)} not in the lexicon" if sound.guessed else ""
            return 0.0, f"no verse of the language{guessed}"
        if counts == 0.0:
            return 0.0, "nothing the lines above had not said"
        score = min(1.0, self._manner(model, shares, [sound]) * counts)
        likely = model.probabilities([sound])
        voice = max(shares, key=lambda poet: shares[poet]) if shares else int(np.argmax(likely[:-1]))
        signs = [name for name, gain in model.telling([sound], voice)[:N_SOUNDS] if gain > 0]
        best = int(np.argmax(likely))
        reason = f"{model.voices[best]} {likely[best]:.0%}" + (f", {model.voices[voice]} {likely[voice]:.0%}" if best != voice else "")
        return score, f"{reason}; for {model.voices[voice]}: {', '.join(signs)}" if signs else reason


def _counts(model: StyleModel, sounds: Sequence[LineSound], form: Form) -> list[float]:
    """The weight of each of the first lines of a poem, in [0, 1]."""
    earlier: set[tuple[str, ...]] = set()
    counts = []
    for sound, lengths in zip(sounds, form.meters, strict=False):
        words = set(sound.words)
        fresh = len(words - earlier) / len(sound.words) / FRESH if sound.words else 0.0
        earlier |= words
        n = len(sound.beats) or sum(map(len, sound.nuclei))
        fits = min(n / (SHORT * min(lengths)), LONG * max(lengths) / n) if lengths and n else 1.0
        counts.append(min(model.verselike(sound), fresh, fits))
    return counts


def _credit(model: StyleModel, shares: dict[int, float], sounds: Sequence[LineSound]) -> tuple[float, float]:
    """``towards`` and ``away`` of the lines; see ``Style``."""
    likely, usual = model.probabilities(sounds), model.usual_at(len(sounds))
    towards = sum(min(share, likely[voice] / usual[voice]) for voice, share in shares.items())
    return float(towards), float(min(1.0, (1 - likely[-1]) / usual[-1]))


def _shares(wish: str, model: StyleModel) -> dict[int, float]:
    """The required shares of a model's poets, with sum 1; empty if the model lacks one of them.

    A fused author of a policy (``Victor Hugo:0.6+Paul Verlaine:0.4``) is a blend too.
    """
    if not wish:
        return {}
    parts = wish.replace("+", ",") if ":" in wish else wish
    try:
        weights = parse_authors(parts, model.poets) if "," in parts or ":" in parts else {find_author(parts, model.poets): 1.0}
    except UnknownName:
        return {}
    return {model.number(poet): share for poet, share in weights.items()}
