"""Are the lines as long as the form asks?"""

from __future__ import annotations

from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.prosody.meter import in_meter, scan_within
from rlpoet.types import Explained, Form, LineScore, Prompt


class Meter:
    """Share of lines with a licensed reading of an admissible length.

    ``score = (lines i with scan(line_i, t).fits for some t in form.meters[i]) / n_lines``, and 0 for the wrong
    number of lines or a line without two letters. Lines are judged one by one: where a form admits two
    lengths (English feminine endings) each line chooses its own. Stress is not counted, only syllables.
    None where the form leaves all lengths free.
    """

    name = "meter"

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds; sums to the score. One number a line written."""
        asked, lines, complete = read(prompt, text)
        if not complete:
            return [0.0] * len(lines)
        fits = _fits(asked, lines)
        measured = sum(fit is not None for fit in fits)
        return [0.0 if fit is None else fit / measured for fit in fits]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """Syllables found and asked, and words whose syllables are guesses, line by line."""
        asked, lines, complete = read(prompt, text)
        if not complete and any(asked.meters):
            return explain_miscount(self.name, asked, lines)
        rows = []
        for line, lengths, fit in zip(lines, asked.meters, _fits(asked, lines), strict=False):
            rows.append(LineScore(line, fit, _reason(line, asked.lang, lengths, fit)))
        return Explained(self.name, self._score(prompt, text), tuple(rows))

    def _score(self, prompt: Prompt, text: str) -> float | None:
        asked, lines, complete = read(prompt, text)
        if not any(asked.meters):
            return None
        fits = [fit for fit in _fits(asked, lines) if fit is not None] if complete else [0.0]
        return sum(fits) / len(fits)


def _fits(asked: Form, lines: Sequence[str]) -> list[float | None]:
    pairs = zip(lines, asked.meters, strict=False)  # only as many as both have: a miscount is told elsewhere
    return [float(in_meter(line, asked.lang, lengths)) if lengths else None for line, lengths in pairs]


def _reason(line: str, lang: str, lengths: tuple[int, ...], fit: float | None) -> str:
    scansion = scan_within(line, lang, lengths)
    reason = f"{scansion.syllables} syllables"
    if fit == 0.0:
        wanted = " or ".join(map(str, lengths))
        reason = f"no verse of {wanted} syllables" if scansion.syllables in lengths else f"{reason}, asked {wanted}"
    return reason + (f"; guessed: {', '.join(scansion.guessed)}" if scansion.guessed else "")
