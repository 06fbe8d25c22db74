"""``rlpoet forms``: the forms of a language."""

from __future__ import annotations

from dataclasses import dataclass

from rlpoet.config.command import Command


@dataclass(frozen=True)
class FormsConfig:
    """List the forms of a language, or show one: its other names, scheme, syllables, and whether policies can be asked for it.

    Examples: `rlpoet forms --lang es`, `rlpoet forms sonnet --lang en`, `rlpoet forms terza-rima:13 --lang fr --json`.

    Attributes:
        name: one form, by any of its names; all of them by default.
        lang: fr, es or en, or the folder of a language.
        json: print one JSON object per form.
    """

    lang: str
    name: str | None = None
    json: bool = False


def run(config: FormsConfig) -> int:
    from rlpoet.prosody.forms import form, forms
    from rlpoet.reporting.forms import forms_json, forms_table
    from rlpoet.reporting.terminal import console, write_row

    chosen = forms(config.lang) if config.name is None else (form(config.name, config.lang),)
    if config.json:
        for row in forms_json(chosen):
            write_row(row)
    else:
        console().print(forms_table(chosen))
        for one in chosen if config.name is not None else ():
            console().print(one.description)
    return 0


COMMAND = Command("forms", "the forms of a language, and which of them policies write", FormsConfig, run, positional=("name",))
