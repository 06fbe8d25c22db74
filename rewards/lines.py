"""Splits a text into lines and compares their number with the form."""

from __future__ import annotations

from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Explained, Form, LineScore, Prompt


def read(prompt: Prompt, text: str) -> tuple[Form, list[str], bool]:
    """The prompt's form, the lines of the text, and whether their number is right.

    Blank lines are ignored, so a sonnet may or may not show its stanzas.

    Raises:
        UnknownName: rlpoet does not have the prompt's language or form. That is the caller's mistake, not the policy's.
    """
    poem_form = form(prompt.form, prompt.lang)
    lines = split_poem(text)
    return poem_form, lines, len(lines) == poem_form.n_lines


def explain_miscount(name: str, form: Form, lines: list[str]) -> Explained:
    """The explanation every reward gives for a text with too few or too many lines."""
    reason = f"{len(lines)} {'line' if len(lines) == 1 else 'lines'}, {form.name} has {form.n_lines}: no credit"
    return Explained(name, 0.0, tuple(LineScore(line, 0.0, reason) for line in lines))
