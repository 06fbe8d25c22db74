"""What a poem earns: one score of each part, and a total in [0, 1].

| part | 1 means | counts in the total |
| --- | --- | --- |
| form | as many lines as the form has | as a gate: without it the total is 0 |
| rhyme | every pair rhymes as the scheme asks | squared |
| meter | every line has its length | yes |
| lexicon | every word exists | squared |
| repetition | every line says something new | yes |
| copying | no line stands in the reference stanzas, in the prompt or in an index of your own | as a gate, by its share |
| theme | as near to the theme as verse about it; without one how well lines go together | to the power of 0.5, if a theme is asked for |
| style | sounds like the poet who is asked for | no: logged alone |

``product`` multiplies them, so nothing makes up for a part at 0. ``mean`` is their mean by the same exponents: it teaches a model that
does not rhyme yet, and attacks earn more of it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rewards.adapters.completions import Completion, poem_of
from rewards.copying import Copying
from rewards.lexicon import Lexicon
from rewards.meter import Meter
from rewards.repetition import Repetition
from rewards.rhyme import Rhyme
from rewards.style import Style
from rewards.theme import Theme
from rlpoet.analysis.ngram_index import NgramIndex
from rlpoet.corpus.poem import Poem
from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet_verse.canon import stanzas
from rlpoet_verse.specs import VerseSpec

Compose = Literal["product", "mean"]
PARTS = ("form", "rhyme", "meter", "lexicon", "repetition", "copying", "theme", "style")
EXPONENTS: Mapping[str, float] = {"form": 1, "rhyme": 2, "meter": 1, "lexicon": 2, "repetition": 1, "copying": 1, "theme": 0.5}
REWARDS = {"rhyme": Rhyme(), "meter": Meter(), "lexicon": Lexicon(), "repetition": Repetition()}


@dataclass(frozen=True)
class Judged:
    """What a poem earned: ``parts`` by name, without those the task does not ask for."""

    total: float
    parts: Mapping[str, float]


def judge(spec: VerseSpec, completion: Completion, *, compose: Compose = "product", index: str = "", own: bool = False) -> Judged:
    """Score what a model answered.

    Args:
        completion: a text or a chat; the poem is read out of it as ``rewards.adapters.completions.poem_of`` does.
        index: file of an ``NgramIndex`` of texts that may not be copied, beside the reference stanzas.
        own: whether the poem is itself a reference stanza, which then does not count as copied.
    """
    text, asked = poem_of(completion), spec.asked
    parts = {"form": _lines_right(spec, text)}
    parts |= {name: score for name, reward in REWARDS.items() if (score := reward.score([asked], [text])[0]) is not None}
    parts["copying"] = _not_copied(spec, text, index, own)
    for name, reward in (("theme", Theme(words=spec.theme, coherence=0.0 if spec.theme else 1.0)), ("style", Style())):
        score = reward.score([asked], [text])[0]
        if score is not None and (name != "style" or spec.author):
            parts[name] = score
    return Judged(total(parts, themed=bool(spec.theme), compose=compose), parts)


def total(parts: Mapping[str, float], *, themed: bool, compose: Compose = "product") -> float:
    """The parts as one number in [0, 1].

    >>> total({"form": 1.0, "rhyme": 0.5, "meter": 1.0}, themed=False), total({"form": 0.75, "rhyme": 0.0}, themed=False)
    (0.25, 0.0)
    >>> total({"form": 0.5, "rhyme": 0.5, "meter": 1.0}, themed=False, compose="mean")
    0.625
    """
    counted = {name: power for name, power in EXPONENTS.items() if name in parts and (name != "theme" or themed)}
    if compose == "mean":
        return sum(power * parts[name] for name, power in counted.items()) / sum(counted.values())
    if parts["form"] < 1:
        return 0.0
    product = 1.0
    for name, power in counted.items():
        product *= parts[name] ** power
    return product


def _lines_right(spec: VerseSpec, text: str) -> float:
    """1 for the form's number of lines, less for each line too few or too many."""
    wanted = form(spec.form, spec.lang).n_lines
    return max(0.0, 1 - abs(len(split_poem(text)) - wanted) / wanted)


def _not_copied(spec: VerseSpec, text: str, index: str, own: bool) -> float:
    """Share of lines that stand neither in the reference stanzas nor in the prompt nor in the index."""
    lines = split_poem(text)
    if not lines:
        return 0.0
    known = _reference().copied_all([lines], own=[own])[0].lines
    told = NgramIndex.build([Poem((tuple(split_poem(spec.prompt)),))]).copied(lines).lines
    share = sum(not (a or b) for a, b in zip(known, told, strict=True)) / len(lines)
    beside = Copying(index=index).score([spec.asked], [text])[0] if index else None
    return share if beside is None else min(share, beside)


@functools.cache
def _reference() -> NgramIndex:
    """Of the reference stanzas; a quatrain that opens a sonnet of the list is left out, so that each stands there once."""
    texts = [stanza.text for stanza in stanzas()]
    whole = [text for text in texts if not any(text != other and text in other for other in texts)]
    return NgramIndex.build([Poem((tuple(split_poem(text)),)) for text in whole])
