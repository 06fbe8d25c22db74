"""What is asked for: endless, seeded tasks of forms, languages, authors and themes, with prompts in the poem's language.

Task ``i`` of a seed is always the same, and needs none of those before it, so workers can share a stream by its numbers.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rlpoet.text.tables import read_table
from rlpoet.types import Prompt

DATA = Path(__file__).with_name("data")
LANGS = ("fr", "es", "en")
VOWELS = "aeiouyhâàéèêëîïôœùûAEIOUYHÂÀÉÈÊËÎÏÔŒÙÛ"


@dataclass(frozen=True)
class FormRow:
    """A form that is asked for.

    Attributes:
        words: what the prompt calls it, in its language.
        acceptance: share of the shipped rhyming policy's poems that keep it with known words only, in [0, 1].
    """

    lang: str
    name: str
    acceptance: float
    words: str

    @property
    def difficulty(self) -> float:
        """``1 - acceptance``, in [0, 1]."""
        return 1 - self.acceptance


@dataclass(frozen=True)
class VerseSpec:
    """One task.

    Attributes:
        theme: words of the theme, empty if none is asked for.
        prompt: what the model is told, in the language of the poem.
        difficulty: of the form, in [0, 1].
    """

    lang: str
    form: str
    prompt: str
    difficulty: float
    author: str | None = None
    theme: tuple[str, ...] = ()

    @property
    def asked(self) -> Prompt:
        """What rlpoet's rewards are asked."""
        return Prompt(self.lang, self.form, self.author)


@dataclass(frozen=True)
class Choice:
    """Which tasks there are.

    Attributes:
        langs, forms: of these alone; all where empty.
        themes, authors: shares of tasks that name one, in [0, 1].
        easiest, hardest: range of the forms' difficulty.

    Raises:
        ValueError: no form is left, or an unknown language.
    """

    langs: Sequence[str] = LANGS
    forms: Sequence[str] = ()
    themes: float = 0.5
    authors: float = 0.25
    easiest: float = 0.0
    hardest: float = 1.0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.langs) - set(LANGS))
        if unknown:
            raise ValueError(f"language {unknown[0]!r}: unknown; expected some of {', '.join(LANGS)}")
        if not self.rows():
            known = ", ".join(sorted({row.name for row in forms() if row.lang in (self.langs or LANGS)}))
            raise ValueError(
                f"no form is left: forms {list(self.forms)}, difficulty {self.easiest} to {self.hardest}; expected some of {known}"
            )

    def rows(self) -> list[FormRow]:
        return [
            row
            for row in forms()
            if row.lang in (self.langs or LANGS)
            and (not self.forms or row.name in self.forms)
            and self.easiest <= row.difficulty <= self.hardest
        ]


def spec(seed: int, index: int, choice: Choice | None = None) -> VerseSpec:
    """Task ``index`` of a seed: first the language, then the form, both uniformly.

    >>> spec(0, 7) == spec(0, 7), spec(0, 7) == spec(1, 7)
    (True, False)
    """
    choice = choice or Choice()
    rng = random.Random(f"{seed}/{index}")
    rows = choice.rows()
    lang = rng.choice(sorted({row.lang for row in rows}))
    row = rng.choice([row for row in rows if row.lang == lang])
    theme = rng.choice(themes()[lang]) if rng.random() < choice.themes else None
    author = rng.choice(authors()[lang]) if rng.random() < choice.authors else None
    text = _ask(rng, row, theme[0] if theme else "", author or "")
    return VerseSpec(lang, row.name, text, row.difficulty, author, theme[1] if theme else ())


def specs(seed: int = 0, choice: Choice | None = None) -> Iterator[VerseSpec]:
    """Tasks without end."""
    return (spec(seed, index, choice) for index in itertools.count())


@functools.cache
def forms() -> tuple[FormRow, ...]:
    return tuple(FormRow(lang, name, float(share), words) for lang, name, share, words in _rows("forms", "lang name acceptance words"))


@functools.cache
def themes() -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """By language: what the prompt calls it, and words of it."""
    rows = _rows("themes", "lang theme words")
    return {lang: [(name, tuple(words.split())) for of, name, words in rows if of == lang] for lang in LANGS}


@functools.cache
def authors() -> dict[str, list[str]]:
    rows = _rows("authors", "lang author")
    return {lang: [name for of, name in rows if of == lang] for lang in LANGS}


@functools.cache
def templates() -> dict[tuple[str, str], list[str]]:
    """By language and part (``ask``, ``theme``, ``author``)."""
    found: dict[tuple[str, str], list[str]] = {}
    for lang, part, text in _rows("prompts", "lang part text"):
        found.setdefault((lang, part), []).append(text)
    return found


def _ask(rng: random.Random, row: FormRow, theme: str, author: str) -> str:
    parts = {name: rng.choice(templates()[row.lang, name]) for name in ("ask", "theme", "author")}
    theme = parts["theme"].format(theme=theme) if theme else ""
    by = parts["author"].format(author=author) if author else ""
    if row.lang == "fr" and author[:1] in tuple(VOWELS):
        by = by.replace(f"de {author}", f"d'{author}")
    return parts["ask"].format(form=row.words, theme=theme, author=by)


def _rows(name: str, columns: str) -> list[list[str]]:
    return [cells for _, cells in read_table(DATA / f"{name}.tsv", columns.split())]
