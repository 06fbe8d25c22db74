"""The reward against copying: whether lines of the poem stand in the corpus that the policy was trained on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from rewards.lines import explain_miscount, gains_of, read
from rlpoet.analysis.ngram_index import Copied, NgramIndex, words_of
from rlpoet.errors import RlpoetError
from rlpoet.types import Explained, Form, LineScore, Prompt


class Copying:
    """Share of lines that are not copied from a corpus.

    ``score = (lines with a letter that are not copied) / n_lines``. A line is copied in two cases. It is a whole line of the corpus and
    has five words or more. Or n / 2 of its words, or all it has, lie in a run of words whose n-grams all stand in the corpus; runs cross
    line breaks. Opening lines of the prompt never count as copied. A text with another number of lines than its form scores 0. None
    without an index.

    Args:
        index: file of an ``NgramIndex``, made by ``rlpoet evaluate --corpus FILES --index FILE``.

    Raises:
        RlpoetError: no such file, or no index in it.
    """

    name = "copying"

    def __init__(self, *, index: str = "") -> None:
        self.index = index
        if index:
            _index(*_stamp(index))

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        parsed = [read(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        if not self.index:
            return [None] * len(parsed)
        copies = self._look_up([lines for _, lines, _ in parsed])
        rows = zip(prompts, parsed, copies, strict=True)
        return [_share(_credit(prompt, lines, copied), form) if complete else 0.0 for prompt, (form, lines, complete), copied in rows]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score of the lines before it: one number per line written; the sum is the score.

        A line that continues a run may lower the score, since the line above it is then copied too.
        """
        form, lines, complete = read(prompt, text)
        if not complete or not self.index:
            return [0.0] * len(lines)
        parts = [lines[: n + 1] for n in range(len(lines))]
        reached = [_share(_credit(prompt, part, copied), form) for part, copied in zip(parts, self._look_up(parts), strict=True)]
        return gains_of(reached)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """How much of each line stands in the corpus; without an index there are no lines and no score."""
        form, lines, complete = read(prompt, text)
        if not self.index:
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, form, lines)
        (copied,) = self._look_up([lines])
        credit = _credit(prompt, lines, copied)
        n_opening = _n_opening_lines(prompt, lines)
        reasons = [_reason(copied, n, line, n < n_opening) for n, line in enumerate(lines)]
        rows = tuple(LineScore(*row) for row in zip(lines, credit, reasons, strict=True))
        return Explained(self.name, _share(credit, form), rows)

    def _look_up(self, texts: Sequence[Sequence[str]]) -> list[Copied]:
        return _index(*_stamp(self.index)).copied_all(texts)


@functools.lru_cache(maxsize=4)
def _index(path: str, changed: int) -> NgramIndex:
    """The index in a file, read once per process and change of the file; a pickled reward holds only the file's name."""
    return NgramIndex.load(path)


def _stamp(path: str) -> tuple[str, int]:
    try:
        return path, Path(path).stat().st_mtime_ns
    except OSError as error:
        raise RlpoetError(f"copying.index: {path}: {error.strerror}; expected an index of n-grams (.npz).") from None


def _credit(prompt: Prompt, lines: Sequence[str], copied_words: Copied) -> list[float]:
    n_opening = _n_opening_lines(prompt, lines)
    rows = zip(lines, copied_words.lines, strict=True)
    return [float(bool(words_of(line)) and (n < n_opening or not copied)) for n, (line, copied) in enumerate(rows)]


def _n_opening_lines(prompt: Prompt, lines: Sequence[str]) -> int:
    """How many of the first lines are the prompt's opening, word for word."""
    pairs = zip(prompt.opening, lines, strict=False)
    return next(
        (n for n, (opening_line, line) in enumerate(pairs) if words_of(opening_line) != words_of(line)),
        min(len(prompt.opening), len(lines)),
    )


def _share(credit: Sequence[float], form: Form) -> float:
    return sum(credit) / form.n_lines


def _reason(copied: Copied, n: int, line: str, is_opening: bool) -> str:
    if is_opening:
        return "given by the prompt"
    if not words_of(line):
        return "no word in it"
    if copied.whole[n]:
        return "this line is in the corpus"
    if copied.runs[n]:
        return f"{copied.covered[n]} of its {len(words_of(line))} words are part of a run of the corpus"
    return ""
