"""The plan of a line: its last word, written on a line of its own before it.

Only line breaks set a plan apart, which every tokenizer of a plain model keeps::

     nuit
    Sous le ciel clair que garde encor la nuit,

The space before the plan makes its tokens those that the word has inside a line, so that a model only has to copy them.
"""

from __future__ import annotations

from collections.abc import Sequence

from policies.formats.verse import VerseFormat
from rlpoet.text import canonical


def plan_word(line: str, lang: str) -> str:
    """The last word of a line, without the signs around it and without what is elided before it; the whole line if it has no word.

    >>> plan_word("Et la fontaine de l'ombre !", "fr"), plan_word("Of all that I have lov'd —", "en"), plan_word("…", "es")
    ('ombre', "lov'd", '…')
    """
    verse_format = VerseFormat(lang)
    units = [unit for unit in verse_format.units(canonical(line, lang)) if any(map(str.isalnum, unit))]
    if not units:
        return line.strip()
    first, *_, last = [place for place, letter in enumerate(units[-1]) if letter.isalnum()] * 2
    return units[-1][first : last + 1]


def with_plans(lines: Sequence[str], lang: str) -> list[str]:
    """Each canonical line after its plan.

    >>> with_plans(["La nuit,"], "fr")
    [' nuit\\nLa nuit,']
    """
    return [f" {plan_word(line, lang)}\n{line}" for line in lines]


def without_plans(text: str) -> str:
    """The poem of a text that ``with_plans`` wrote, with its stanza breaks; a plan whose line has not begun is left out.

    >>> without_plans(" nuit\\nLa nuit\\n\\n bruit\\nLe bruit")
    'La nuit\\n\\nLe bruit'
    """
    kept, is_plan = [], True
    for line in text.split("\n"):
        if line.strip() == "" or not is_plan:
            kept.append(line)
        if line.strip():
            is_plan = not is_plan
    return "\n".join(kept)
