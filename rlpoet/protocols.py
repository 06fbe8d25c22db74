"""The seams between the arms: a verse language, a reward, a policy. Structural types only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from rlpoet.types import Ending, Explained, Prompt, Scansion, SpokenWord, Transcription


@runtime_checkable
class Phonology(Protocol):
    """Words to sounds. Deterministic, thread-safe after construction, never raises on any string."""

    code: str

    def transcribe(self, word: str) -> Transcription: ...


@runtime_checkable
class Verse(Protocol):
    """A language's ear for verse: endings, kinds of rhyme, scansion.

    ``endings`` gives one Ending a plausible pronunciation (empty tuple if the line has no word).
    ``kind`` names how two endings rhyme, or None when they do not; it is symmetric. The same
    word twice is ``"identical"``. ``rhyming`` are the kinds that count as a full rhyme.
    ``key`` is a short label such that lines that rhyme nearly always share it (plan tokens).

    An ear may also have, for whole poems: ``detecting``, the kinds by which human poets' schemes are found;
    ``rhyming_for(lines)``, those of this poem; ``loose_for(lines)``, its lines that need no mate. And for speed
    ``counted(line, target)``, which is ``scan`` without ``units``, and ``fits(line, target)``, which is only its ``fits``.

    The last three say why, for people; of what scores only style calls ``words``. ``words`` are the words of a line as they are
    heard one after the other in the reading ``scan(line, target)`` takes. ``why`` are short sentences on what
    ``kind(a, b)`` rests on. ``meter_name`` is what the tradition calls a reading ("alexandrin 6+6", "endecasílabo
    heroico", "iambic pentameter"), or "".
    """

    code: str
    rhyming: frozenset[str]

    def endings(self, line: str) -> tuple[Ending, ...]: ...
    def kind(self, a: Ending, b: Ending) -> str | None: ...
    def key(self, ending: Ending) -> str: ...
    def scan(self, line: str, target: int | None = None) -> Scansion: ...
    def words(self, line: str, target: int | None = None) -> tuple[SpokenWord, ...]: ...
    def why(self, a: Ending, b: Ending) -> tuple[str, ...]: ...
    def meter_name(self, scansion: Scansion) -> str: ...


@runtime_checkable
class Reward(Protocol):
    """Scores texts in [0, 1]: pure, independent of order and batch, picklable.

    None means the *prompt* does not ask for it, never something the policy wrote;
    a text that fails its form scores 0.
    """

    name: str

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]: ...
    def explain(self, prompt: Prompt, text: str) -> Explained: ...


@runtime_checkable
class LimitedToLanguages(Protocol):
    """What a reward also has that can judge some languages only. In others it raises, and where all rewards are used it is left out."""

    def judges(self, lang: str) -> bool: ...


class Scored(Protocol):
    """Totals and named parts of a batch, as the composed reward gives them."""

    @property
    def total(self) -> tuple[float | None, ...]: ...
    @property
    def parts(self) -> Mapping[str, tuple[float | None, ...]]: ...


class Scorer(Protocol):
    """A composed reward, as trainers use it: scores with their parts, and what each line adds to one."""

    def __call__(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> Scored: ...
    def by_line(self, prompt: Prompt, text: str) -> list[float]: ...
    def by_part(self, prompt: Prompt, text: str) -> tuple[list[float], list[float]]: ...
