"""Is the poem the policy's own, or lines of the corpus it was trained on?"""

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

    ``score = (lines with a letter that are not copied) / n_lines``. A line is copied if it lies in a run of n words all of whose
    n-grams stand in the corpus (with half of n of its words, or all it has; runs cross line breaks), or if it is a line of the
    corpus as a whole and has five words or more. Lines the prompt itself began with are the prompt's, and count as written.
    Any number of lines but the form's scores 0. None without an index: nothing is copied from a corpus nobody names.

    Args:
        index: the file of an ``NgramIndex``, made by ``rlpoet evaluate --corpus FILES --index FILE``.

    Raises:
        RlpoetError: no such file, or no index in it.
    """

    name = "copying"

    def __init__(self, *, index: str = "") -> None:
        self.index = index
        if index:
            _index(*_stamp(index))

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        taken = [read(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]
        if not self.index:
            return [None] * len(taken)
        found = self._look_up([lines for _, lines, _ in taken])
        rows = zip(prompts, taken, found, strict=True)
        return [_share(_credit(prompt, lines, own), asked) if complete else 0.0 for prompt, (asked, lines, complete), own in rows]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score of the lines before it; sums to the score. One number a line written.

        A line that carries a run on may cost more than it brings: the line above is then copied too.
        """
        asked, lines, complete = read(prompt, text)
        if not complete or not self.index:
            return [0.0] * len(lines)
        parts = [lines[: n + 1] for n in range(len(lines))]
        reached = [_share(_credit(prompt, part, own), asked) for part, own in zip(parts, self._look_up(parts), strict=True)]
        return gains_of(reached)

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """How much of each line stands in the corpus, no reason where it does not; without an index no line, and no score."""
        asked, lines, complete = read(prompt, text)
        if not self.index:
            return Explained(self.name, None)
        if not complete:
            return explain_miscount(self.name, asked, lines)
        (found,) = self._look_up([lines])
        credit = _credit(prompt, lines, found)
        given = _given(prompt, lines)
        reasons = [_reason(found, n, line, n < given) for n, line in enumerate(lines)]
        rows = tuple(LineScore(*row) for row in zip(lines, credit, reasons, strict=True))
        return Explained(self.name, _share(credit, asked), rows)

    def _look_up(self, texts: Sequence[Sequence[str]]) -> list[Copied]:
        return _index(*_stamp(self.index)).copied_all(texts)


@functools.lru_cache(maxsize=4)
def _index(path: str, changed: int) -> NgramIndex:
    """The index of a file as it was at a time, read once a process: a reward that is pickled takes the name along, not the index."""
    return NgramIndex.load(path)


def _stamp(path: str) -> tuple[str, int]:
    try:
        return path, Path(path).stat().st_mtime_ns
    except OSError as error:
        raise RlpoetError(f"copying.index: {path}: {error.strerror}; expected an index of n-grams (.npz).") from None


def _credit(prompt: Prompt, lines: Sequence[str], found: Copied) -> list[float]:
    given = _given(prompt, lines)
    rows = zip(lines, found.lines, strict=True)
    return [float(bool(words_of(line)) and (n < given or not copied)) for n, (line, copied) in enumerate(rows)]


def _given(prompt: Prompt, lines: Sequence[str]) -> int:
    """How many lines are the prompt's own, word for word."""
    pairs = zip(prompt.opening, lines, strict=False)
    return next((n for n, (given, line) in enumerate(pairs) if words_of(given) != words_of(line)), min(len(prompt.opening), len(lines)))


def _share(credit: Sequence[float], asked: Form) -> float:
    return sum(credit) / asked.n_lines


def _reason(found: Copied, n: int, line: str, given: bool) -> str:
    if given:
        return "given by the prompt"
    if not words_of(line):
        return "no word in it"
    if found.whole[n]:
        return "this line is in the corpus"
    if found.runs[n]:
        return f"{found.covered[n]} of its {len(words_of(line))} words are part of a run of the corpus"
    return ""
