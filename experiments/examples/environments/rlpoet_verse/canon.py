"""Stanzas by people, all in the public domain: what the environment is checked with, and what may not be copied."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from rlpoet_verse.specs import DATA


@dataclass(frozen=True)
class Stanza:
    """A stanza, its form, and where it is from."""

    lang: str
    form: str
    source: str
    text: str


@functools.cache
def stanzas() -> tuple[Stanza, ...]:
    """All of them. In the file each has a heading ``% LANG FORM | SOURCE``."""
    found = []
    for block in (DATA / "stanzas.txt").read_text(encoding="utf-8").split("% ")[1:]:
        heading, _, text = block.partition("\n")
        what, _, source = heading.partition(" | ")
        lang, form = what.split()
        found.append(Stanza(lang, form, source, text.strip()))
    return tuple(found)


def stanzas_of(lang: str, form: str) -> list[Stanza]:
    return [stanza for stanza in stanzas() if (stanza.lang, stanza.form) == (lang, form)]
