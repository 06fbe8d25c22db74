"""A text as the lines its prompt's form asks for."""

from __future__ import annotations

from rlpoet.prosody.forms import form
from rlpoet.text import split_poem
from rlpoet.types import Explained, Form, LineScore, Prompt


def read(prompt: Prompt, text: str) -> tuple[Form, list[str], bool]:
    """The form asked for, the lines written, and whether their number is right.

    Blank lines are layout and count for nothing, so a sonnet may or may not show its stanzas.

    Raises:
        UnknownName: the prompt names no language or form we have. That is the caller's mistake, not the policy's.
    """
    poem_form = form(prompt.form, prompt.lang)
    lines = split_poem(text)
    return poem_form, lines, len(lines) == poem_form.n_lines


def explain_miscount(name: str, form: Form, lines: list[str]) -> Explained:
    """The explanation every reward gives for a text with too few or too many lines."""
    reason = f"{len(lines)} {'line' if len(lines) == 1 else 'lines'}, {form.name} has {form.n_lines}: no credit"
    return Explained(name, 0.0, tuple(LineScore(line, 0.0, reason) for line in lines))
