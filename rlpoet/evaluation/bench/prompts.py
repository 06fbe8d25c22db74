"""The prompts of the benchmark: four forms in the long line of each language, fifty themes each, always the same ones."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from rlpoet.errors import UnknownName
from rlpoet.text.tables import read_table
from rlpoet.types import Prompt

VERSION = 1  # of the prompts and of how answers are counted: figures of different versions do not stand in one table
DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class BenchPrompt:
    """One prompt.

    Attributes:
        form: name of the form under which the answer is counted.
        text: what the model is told, in the language of the poem.
    """

    lang: str
    form: str
    theme: str
    text: str

    @property
    def asked(self) -> Prompt:
        """What a policy with marks of its own is asked."""
        return Prompt(self.lang, self.form)


@functools.cache
def bench_prompts(lang: str) -> tuple[BenchPrompt, ...]:
    """The prompts of a language; the forms come in turn, so that the first few of them are balanced.

    Raises:
        UnknownName: a language without prompts.

    >>> len(bench_prompts("fr")), bench_prompts("fr")[0].text[:44]
    (200, 'Écris un distique en alexandrins (deux vers ')
    """
    asks = [(form, text) for of, form, text in _rows("asks", "lang form text") if of == lang]
    themes = [theme for of, theme in _rows("themes", "lang theme") if of == lang]
    if not asks:
        raise UnknownName("language of the benchmark", lang, sorted({of for of, *_ in _rows("asks", "lang form text")}))
    return tuple(BenchPrompt(lang, form, theme, text.replace("{theme}", theme)) for theme in themes for form, text in asks)


@functools.cache
def _rows(name: str, columns: str) -> list[list[str]]:
    return [list(cells) for _, cells in read_table(DATA / f"{name}.tsv", columns.split())]
