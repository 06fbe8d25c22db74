"""The reward for meter: whether the lines have the number of syllables that the form requires."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from rewards.lines import explain_miscount, read
from rlpoet.prosody.caesura import keeps_caesura
from rlpoet.prosody.meter import in_meter, length_of, scan_within
from rlpoet.types import Explained, Form, LineScore, Prompt

EARLIER = {"strained": "licence_credit", "uncut": "missing_caesura_credit"}  # names of an earlier release


class Meter:
    """Share of lines with a licensed reading of an admissible length.

    ``score = (lines i with scan(line_i, t).fits for some t in form.meters[i]) / n_lines``. A line with fewer than two letters counts as 0,
    and a text with the wrong number of lines scores 0. Each line is judged alone: if a form admits two lengths (English feminine
    endings), a line may have either. Only syllables are counted, not stress. None if the form leaves all lengths free.

    Args:
        licence_credit: credit, in [0, 1], of a line that fits only by a licence, because its likeliest reading has another length.
            1 is the rule of the handbooks. Less keeps a policy from relying on licences: most Spanish lines can be read one syllable
            longer without a sinalefa.
        missing_caesura_credit: factor, in [0, 1], for the credit of a line that lacks its caesura (``keeps_caesura``: French lines of ten
            and twelve, Spanish ones of fourteen). 1 requires no caesura; ``explain`` tells that it is missing all the same.

    Raises:
        ValueError: ``licence_credit`` or ``missing_caesura_credit`` is outside [0, 1].
    """

    name = "meter"

    def __init__(self, *, licence_credit: float = 1.0, missing_caesura_credit: float = 1.0, **earlier: float) -> None:
        options = {"licence_credit": licence_credit, "missing_caesura_credit": missing_caesura_credit}
        for old, value in earlier.items():
            if old not in EARLIER:
                raise TypeError(f"Meter: unexpected keyword argument {old!r}; expected {' or '.join(options)}")
            warnings.warn(f"Meter: {old} is {EARLIER[old]} now", DeprecationWarning, stacklevel=2)
            if options[EARLIER[old]] != 1.0:
                raise TypeError(f"Meter: {old} beside {EARLIER[old]}, its new name; expected one of them")
            options[EARLIER[old]] = value
        licence_credit, missing_caesura_credit = options.values()
        for name, value in (("licence_credit", licence_credit), ("missing_caesura_credit", missing_caesura_credit)):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"{name} is {value}; expected a credit in [0, 1]")
        self.licence_credit, self.missing_caesura_credit = licence_credit, missing_caesura_credit

    def score(self, prompts: Sequence[Prompt], texts: Sequence[str]) -> list[float | None]:
        return [self._score(prompt, text) for prompt, text in zip(prompts, texts, strict=True)]

    def by_line(self, prompt: Prompt, text: str) -> list[float]:
        """What each line adds to the score: one number per line written; the sum is the score."""
        form, lines, complete = read(prompt, text)
        if not complete:
            return [0.0] * len(lines)
        credit = self._credit(form, lines)
        measured = sum(line_credit is not None for line_credit in credit)
        return [0.0 if line_credit is None else line_credit / measured for line_credit in credit]

    def explain(self, prompt: Prompt, text: str) -> Explained:
        """For each line its syllables, the required ones, and words whose syllables are guesses."""
        form, lines, complete = read(prompt, text)
        if not complete and any(form.meters):
            return explain_miscount(self.name, form, lines)
        rows = []
        for line, lengths, line_credit in zip(lines, form.meters, self._credit(form, lines), strict=False):
            rows.append(
                LineScore(
                    line,
                    line_credit,
                    _reason(line, form.lang, lengths) + ("; no caesura" if keeps_caesura(line, form.lang, lengths) is False else ""),
                )
            )
        return Explained(self.name, self._score(prompt, text), tuple(rows))

    def _score(self, prompt: Prompt, text: str) -> float | None:
        form, lines, complete = read(prompt, text)
        if not any(form.meters):
            return None
        credit = [line_credit for line_credit in self._credit(form, lines) if line_credit is not None] if complete else [0.0]
        return sum(credit) / len(credit)

    def _credit(self, form: Form, lines: Sequence[str]) -> list[float | None]:
        """Credit per line, None if any length is allowed; as many entries as there are both lines and lengths."""
        credit: list[float | None] = []
        for line, lengths in zip(lines, form.meters, strict=False):
            if not lengths:
                credit.append(None)
            elif not in_meter(line, form.lang, lengths):
                credit.append(0.0)
            else:
                line_credit = 1.0 if self.licence_credit == 1.0 or length_of(line, form.lang) in lengths else self.licence_credit
                credit.append(line_credit * self.missing_caesura_credit if self._lacks_caesura(line, form, lengths) else line_credit)
        return credit

    def _lacks_caesura(self, line: str, form: Form, lengths: tuple[int, ...]) -> bool:
        """Whether a line lacks a required caesura."""
        return self.missing_caesura_credit < 1.0 and keeps_caesura(line, form.lang, lengths) is False


def _reason(line: str, lang: str, lengths: tuple[int, ...]) -> str:
    scansion, likeliest = scan_within(line, lang, lengths), length_of(line, lang)
    reason = f"{scansion.syllables} syllables"
    if lengths and not in_meter(line, lang, lengths):
        expected = " or ".join(map(str, lengths))
        reason = f"no verse of {expected} syllables" if scansion.syllables in lengths else f"{reason}, asked {expected}"
    elif lengths and likeliest not in lengths:
        reason += f" by a licence, {likeliest} in its likeliest reading"
    return reason + (f"; guessed: {', '.join(scansion.guessed)}" if scansion.guessed else "")
