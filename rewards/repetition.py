"""The reward against repetition: how much of each line is new, compared with the lines above it."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rewards.lines import explain_miscount, read
from rlpoet.analysis.ngram_index import words_of
from rlpoet.errors import TableError
from rlpoet.prosody.ending import end_of
from rlpoet.prosody.forms import repeats_line
from rlpoet.text.tables import read_table
from rlpoet.types import Explained, Form, LineScore, Prompt

USUAL = 5  # times any word may stand in a poem, however short: articles come that often in good quatrains
STOCK = 0.5  # credit of a line that answers with a stock rhyme


class Repetition:
    """Mean over the lines of how much of each is new.

    A line has credit 0 if it has no word, if its words are those of a line above (ignoring punctuation and case), or if it stands in a
    rhyme position and its end word ended such a line above. Otherwise its credit is the product of

    1. the share of its word ``n``-grams that are new, in the poem and in the line;
    2. the share of its words that are not overused: a word is overused if it occurred more than five times so far *and* makes up more
       than a quarter of all words so far;
    3. with a table of stock rhymes, 1/2 if it completes a rhyme that is in the table.

    A line that repeats another because the form has it has credit 1. Of two other equal lines the later one loses, so the credit of a line
    does not depend on later lines. A text with another number of lines than its form scores 0. Never None.

    Args:
        n: words of a repeated phrase, 2 or more.
        crowd: share of all words above which a word is overused, in (0, 1].
        stock: a file of stock rhymes, two words per row separated by a tab, ``%`` begins a comment; none by default.

    Raises:
        ValueError: ``n`` or ``crowd`` is outside its range.
        TableError: a row of ``stock`` that is not two words.
    """

    name = "repetition"

    def __init__(self, *, n: int = 3, crowd: float = 0.25, stock: str = "") -> None:
        if n < 2:
            raise ValueError(f"n is {n}; expected 2 words or more")
        if not 0.0 < crowd <= 1.0:
            raise ValueError(f"crowd is {crowd}; expected a share in (0, 1]")
        self.n, self.crowd, self.stock = n, crowd, stock
        self._pairs = stock_rhymes(stock) if stock else frozenset()

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: one number per line written; the sum is the score."""
        form, lines, complete = read(prompt, text)
        if not complete:
            return [0.0] * len(lines)
        return [credit / form.n_lines for credit, _ in self._judge(form, lines)]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """What each line repeats; no reason if it repeats nothing."""
        form, lines, complete = read(prompt, text)
        if not complete:
            return explain_miscount(self.name, form, lines)
        rows = tuple(LineScore(line, *judged) for line, judged in zip(lines, self._judge(form, lines), strict=True))
        return Explained(self.name, self._score(prompt, text), rows)

    def _score(self, prompt: Prompt, text: str) -> float:
        form, lines, complete = read(prompt, text)
        return sum(credit for credit, _ in self._judge(form, lines)) / form.n_lines if complete else 0.0

    def _judge(self, form: Form, lines: Sequence[str]) -> list[tuple[float, str]]:
        """Credit and reason of each line, top to bottom."""
        judged: list[tuple[float, str]] = []
        bodies: dict[tuple[str, ...], int] = {}
        ends: dict[str, int] = {}
        mates: dict[str, str] = {}
        phrases: set[tuple[str, ...]] = set()
        used: Counter[str] = Counter()
        repeats = {repeat.line: repeat for repeat in form.repeats}
        for number, (line, letter) in enumerate(zip(lines, form.letters, strict=True), start=1):
            words = tuple(words_of(line))
            end = end_of(line, form.lang).stem if letter != "x" else ""
            new, phrase = self._new(words, phrases)
            roomy, crowding = self._roomy(words, used)
            again = repeats.get(number - 1)
            if (again is not None and again.part == "word") or form.rhyme == "radif":
                end = ""
            if again is not None and again.part != "word" and repeats_line(lines[again.of], line, again.part, form.lang):
                judged.append((1.0, f"line {again.of + 1} again, as the form has it"))
                continue
            if not words:
                judged.append((0.0, "no word in it"))
            elif words in bodies:
                judged.append((0.0, f"line {bodies[words]} again"))
            elif end and end in ends:
                judged.append((0.0, f"{end!r} ends line {ends[end]} too"))
            else:
                stale = frozenset((end, mates.get(letter, ""))) in self._pairs
                reasons = [f"{phrase!r} again"] if phrase else []
                reasons += [f"{crowding!r} is everywhere"] if crowding else []
                reasons += [f"{mates[letter]} / {end} is a stock rhyme"] if stale else []
                judged.append((new * roomy * (STOCK if stale else 1.0), ", ".join(reasons)))
            bodies.setdefault(words, number)
            if end:
                ends.setdefault(end, number)
                mates[letter] = end
        return judged

    def _new(self, words: Sequence[str], phrases: set[tuple[str, ...]]) -> tuple[float, str]:
        """Share of a line's phrases that are new, and the first that is not; adds them to ``phrases``."""
        ngrams = [tuple(words[i : i + self.n]) for i in range(len(words) - self.n + 1)]
        old = []
        for phrase in ngrams:
            if phrase in phrases:
                old.append(" ".join(phrase))
            phrases.add(phrase)
        return (1 - len(old) / len(ngrams), old[0] if old else "") if ngrams else (1.0, "")

    def _roomy(self, words: Sequence[str], used: Counter[str]) -> tuple[float, str]:
        """Share of a line's words that are not overused, and the first that is; adds them to ``used``."""
        crowding, total = [], used.total()
        for n, word in enumerate(words, start=1):
            used[word] += 1
            if used[word] > USUAL and used[word] > self.crowd * (total + n):
                crowding.append(word)
        return (1 - len(crowding) / len(words), crowding[0] if crowding else "") if words else (1.0, "")


@functools.cache
def stock_rhymes(path: str | Path) -> frozenset[frozenset[str]]:
    """Pairs of end words that are stock rhymes.

    Raises:
        TableError: a row that is not two different words.
        RlpoetError: no such file, or one that is not UTF-8.
    """
    pairs = set()
    for where, cells in read_table(Path(path), ("word", "word"), header=False, where=str(path)):
        words = frozenset(" ".join(words_of(cell)) for cell in cells)
        if len(words) != 2 or not all(words):
            raise TableError(f"{where}: {' and '.join(map(repr, cells))}; expected two different words.")
        pairs.add(words)
    return frozenset(pairs)
