"""The reward for alternation: whether masculine and feminine rhymes alternate, as in classical French verse."""

from __future__ import annotations

from collections.abc import Sequence

from rewards.lines import explain_miscount, gains_of, read
from rlpoet.languages import code_of
from rlpoet.prosody import verse
from rlpoet.prosody.alternation import genders
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.rhyme import rhyme_kind
from rlpoet.types import Explained, Form, LineScore, Prompt

SEX = {"m": "masculine", "f": "feminine"}


class Alternation:
    """Share of the places where two different rhymes touch at which their genders differ.

    A place is a pair of neighbouring rhymed lines with different scheme letters, also across stanza breaks. A line earns nothing if it
    ends in no word or in a word with a guessed pronunciation, or if lines of its letter have different genders. A text with another
    number of lines than its form scores 0. Where a new stanza goes on with the rhyme of the line before it, as in the octave abba abba, two
    rhymes do not touch: the place is kept, unless the form keeps its rhymes apart over stanza breaks. None if no two rhymes touch
    (*couplet*), and in all languages but French.

    Args:
        known_only: whether a word with a guessed pronunciation earns nothing.

    References:
        Ronsard, Abrégé de l'art poétique françois, 1565; the law is Malherbe's.
    """

    name = "alternation"
    end_words_decide = True

    def __init__(self, *, known_only: bool = True) -> None:
        self.known_only = known_only

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score of the lines before it: one number per line written; the sum is the score."""
        form, lines, complete = read(prompt, text)
        if not complete or not _places(form):
            return [0.0] * len(lines)
        reached = [self._share(form, lines[: n + 1]) for n in range(len(lines))]
        return gains_of(reached)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The gender of each line, and where two rhymes of one gender touch."""
        form, lines, complete = read(prompt, text)
        if not _places(form):
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        sexes = _genders(form, lines, known_only=self.known_only)
        rows = []
        for n, (line, sex) in enumerate(zip(lines, sexes, strict=True)):
            reason = SEX.get(sex, "no gender")
            credit = float(_is_kept(form, lines, sexes, n - 1)) if n - 1 in _places(form) else None
            if credit == 0.0:
                reason += f", after {SEX.get(sexes[n - 1], 'no gender')}"
            elif credit == 1.0 and sex == sexes[n - 1]:
                reason += f", on the rhyme of line {n}"
            rows.append(LineScore(line, credit, reason))
        return Explained(self.name, self._score(prompt, text), tuple(rows))

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = read(prompt, text)
        if not _places(form):
            return None
        return self._share(form, lines) if complete else 0.0

    def _share(self, form: Form, lines: Sequence[str]) -> float:
        """Share of the form's places that these lines, its first or all, keep."""
        sexes = _genders(form, lines, known_only=self.known_only)
        kept = sum(_is_kept(form, lines, sexes, n) for n in _places(form) if n + 1 < len(lines))
        return kept / len(_places(form))


def _places(form: Form) -> list[int]:
    """Lines after which another rhyme follows."""
    letters = form.letters
    touching = [n for n in range(len(letters) - 1) if letters[n] != letters[n + 1] and "x" not in letters[n : n + 2]]
    return touching if code_of(form.lang) == "fr" else []


def _is_kept(form: Form, lines: Sequence[str], sexes: Sequence[str], n: int) -> bool:
    """Whether lines n and n + 1 differ in gender, or are of one rhyme where the form lets a stanza take up the rhyme before it."""
    if not sexes[n] or not sexes[n + 1]:
        return False
    if sexes[n] != sexes[n + 1]:
        return True
    return not form.near(n, n + 1) and rhyme_kind(lines[n], lines[n + 1], form.lang) in verse(form.lang).rhyming | {"identical"}


def _genders(form: Form, lines: Sequence[str], *, known_only: bool) -> list[str]:
    """Gender of each line; nothing where it has none, or where its family has two."""
    letters = form.letters[: len(lines)]
    heard = zip(lines, genders(lines, letters), strict=True)
    line_genders = [sex if not known_only or end_of(line, form.lang).known else "" for line, sex in heard]
    families: dict[str, set[str]] = {}
    for letter, sex in zip(letters, line_genders, strict=True):
        families.setdefault(letter, set()).add(sex)
    return [sex if letter == "x" or len(families[letter]) == 1 else "" for letter, sex in zip(letters, line_genders, strict=True)]
