"""The reward for words that exist: whether every word of a line is known to the language."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path

from rewards.lines import explain_miscount, read
from rlpoet.analysis.lexicon import ELIDED, LETTERS, Word, known, lexicon, listed_languages, words_in_place
from rlpoet.errors import RlpoetError, TableError
from rlpoet.languages import code_of
from rlpoet.text.tables import read_table
from rlpoet.types import Explained, Form, LineScore, Prompt

NAMED_LINES = 0.25  # share of a form's lines that may rest on a capital; of human quatrains 1 in 100 has two such lines


class Lexicon:
    """Share of the lines whose words are all known.

    A word is known in four cases. Elisions, hyphens and capitals are treated as ``generate`` does (``rlpoet.analysis.lexicon``).

    1. It is in the word list of its language, which has common names too.
    2. It is an entry of the pronouncing lexicon (Lexique, CMUdict), or a regular form of a known verb (French -er, Spanish -ar). What
       phonology else derives by rule does not count.
    3. It has a capital, and it is in the table ``names``.
    4. It has a capital within the line, where no sentence begins. At most a share ``capitals`` of a line's words may be known in this
       way alone, and at most a quarter of the form's lines, rounded up, may have such words. The first lines of the poem use it up.

    A single letter is known only if it is a word (*à*, *y*, *I*) or elided (*l'*). A line has credit 1 if it has a word and all of them
    are known, else 0. Credit is by line and not by word, since known words would make up for an invented one. So a longer line would earn
    more. The credit of a line does not depend on later lines. A text with another number of lines than its form scores 0. Never None.

    Args:
        names: a file of further names, one per row, ``%`` begins a comment; none by default.
        capitals: share of a line's words that may be names by their capital alone, in [0, 0.5]; 0 for none.
        any_capital: whether every word with a capital counts as a name, wherever it stands and however many there are. For poems by
            people: a policy would write invented words with a capital.

    Raises:
        ValueError: ``capitals`` is outside its range.
        TableError: a row of ``names`` without a letter.
    """

    name = "lexicon"

    def __init__(self, *, names: str = "", capitals: float = 0.25, any_capital: bool = False) -> None:
        if not 0.0 <= capitals <= 0.5:
            raise ValueError(f"capitals is {capitals}; expected a share in [0, 0.5]")
        self.names, self.capitals, self.any_capital = names, capitals, any_capital
        if names:
            table_of_names(names)

    def judges(self, lang: str) -> bool:
        """Whether the language has a word list; elsewhere ``score`` and ``explain`` raise RlpoetError."""
        return lexicon(lang) is not None

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: one number per line written; the sum is the score."""
        form, lines, complete = self._read(prompt, text)
        if not complete:
            return [0.0] * len(lines)
        return [credit / form.n_lines for credit, _ in self._judge(form, lines)]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """The unknown words of each line, and what was taken for a name; no reason if all words are known."""
        form, lines, complete = self._read(prompt, text)
        if not complete:
            return explain_miscount(self.name, form, lines)
        rows = tuple(LineScore(line, *judged) for line, judged in zip(lines, self._judge(form, lines), strict=True))
        return Explained(self.name, self._score(prompt, text), rows)

    def _read(self, prompt: Prompt, text: str) -> tuple[Form, list[str], bool]:
        if not self.judges(prompt.lang):
            listed = ", ".join(listed_languages())
            raise RlpoetError(f"lexicon: no word list of {prompt.lang!r}; expected one of {listed}. Leave it out: --rewards.lexicon 0.")
        return read(prompt, text)

    def _score(self, prompt: Prompt, text: str) -> float:
        form, lines, complete = self._read(prompt, text)
        return sum(credit for credit, _ in self._judge(form, lines)) / form.n_lines if complete else 0.0

    def _judge(self, form: Form, lines: Sequence[str]) -> list[tuple[float, str]]:
        """Credit and reason of each line, top to bottom."""
        judged: list[tuple[float, str]] = []
        left = math.ceil(NAMED_LINES * form.n_lines)
        for line in lines:
            words = words_in_place(line, form.lang)
            unknown = [word for word in words if not self._knows(word, form.lang)]
            listing = ", ".join(dict.fromkeys(word.written for word in unknown))
            named = all(word.capital for word in unknown) and len(unknown) <= self.capitals * len(words)
            trusted = self.any_capital and all(word.written[:1].isupper() for word in unknown)
            if not words:
                judged.append((0.0, "no word in it"))
            elif not unknown:
                judged.append((1.0, ""))
            elif trusted:
                judged.append((1.0, f"taken for a name: {listing}"))
            elif not named:
                judged.append((0.0, f"unknown: {listing}"))
            elif not left:
                judged.append((0.0, f"unknown: {listing}; earlier lines have the names that a capital makes"))
            else:
                left -= 1
                judged.append((1.0, f"taken for a name: {listing}"))
        return judged

    def _knows(self, word: Word, lang: str) -> bool:
        code = code_of(lang)
        if len(word.form) == 1:
            return word.form in LETTERS[code] or (word.elided and word.form in ELIDED[code])
        if known(word.form, code):
            return True
        return bool(self.names) and word.written[0].isupper() and word.form in _name_forms(self.names, code)


@functools.cache
def table_of_names(path: str | Path) -> tuple[str, ...]:
    """The names of a file, one per row.

    Raises:
        TableError: a row without a letter, or with more than one cell.
        RlpoetError: no such file, or one that is not UTF-8.
    """
    names = []
    for where, (name,) in read_table(Path(path), ("name",), header=False, where=str(path)):
        if not any(map(str.isalpha, name)):
            raise TableError(f"{where}: {name!r}; expected a name.")
        names.append(name)
    return tuple(names)


@functools.cache
def _name_forms(path: str, code: str) -> frozenset[str]:
    """Every word of the names, in the spelling of the lists."""
    return frozenset(word.form for name in table_of_names(path) for word in words_in_place(name, code))
