"""The shape of new lines as a policy can be asked for it: the form without refrains, usual lengths, common first words."""

from __future__ import annotations

import functools
import itertools

from policies.completion.gaps import USUAL, Part, begins_with
from rlpoet.analysis.coherence import theme_model
from rlpoet.languages import code_of
from rlpoet.prosody.forms import unwritable
from rlpoet.prosody.meter import in_meter, length_of
from rlpoet.types import Form

STARTS = 20  # words that are tried for a letter that a line has to begin with


@functools.lru_cache(maxsize=64)
def common_starts(lang: str, letters: str) -> tuple[str, ...]:
    """Common words of verse that begin with given letters, with a capital.

    >>> all(begins_with(word, "l") for word in common_starts("fr", "L"))
    True
    """
    model = theme_model(lang)
    entries = () if model is None else model.entries
    common = (word for word in entries if len(word) > 1 and not word.endswith("…") and begins_with(word, letters))
    return tuple(word.capitalize() for word in itertools.islice(common, STARTS))


def writable(part: Part, lang: str) -> str:
    """The name of the part's form without its refrains, and with lengths where it leaves them free, as a policy can be asked for it."""
    asked: Form = part.form
    if not unwritable(asked):
        return asked.name
    usual = _usual_length(part, lang)
    meters = " ".join("|".join(map(str, lengths or (usual,))) for lengths in asked.meters)
    kind = asked.rhyme if asked.rhyme in ("assonant", "historical") else "consonant"
    return f"{asked.scheme}/{meters}/{kind}"


def _usual_length(part: Part, lang: str) -> int:
    kept = sorted(length_of(line.text, lang) for line in part.lines if not line.gap)
    return kept[len(kept) // 2] if kept else USUAL.get(code_of(lang), 8)


def too_long(start: str, lengths: tuple[int, ...], lang: str) -> bool:
    """Whether the first words of a line are longer than the line may be, however they are read."""
    return bool(start and lengths) and not in_meter(start, lang, tuple(range(1, max(lengths) + 1)))
