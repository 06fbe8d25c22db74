"""A poem of a corpus, duplicates, and the split into training and validation."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rlpoet.text import canonical


@dataclass(frozen=True)
class Poem:
    """A poem: stanzas as tuples of lines, its author and title, and other data of its source.

    Attributes:
        stanzas: lines without line breaks, none empty.
        rhymed: share of its lines that rhyme, in [0, 1]; None if unknown.
        core: False if the corpus marks it as outside its best part.
        columns: all other columns of its source, as text (``{"year": "1857", "type": "Love"}``); a cell without a value is absent.
    """

    stanzas: tuple[tuple[str, ...], ...]
    author: str | None = None
    title: str = ""
    rhymed: float | None = None
    core: bool = True
    columns: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(line for stanza in self.stanzas for line in stanza)

    @property
    def text(self) -> str:
        r"""As printed: a line break after each line, an empty line between stanzas.

        >>> Poem((("ombre", "sombre"), ("nombre",))).text
        'ombre\nsombre\n\nnombre\n'
        """
        return "\n\n".join("\n".join(stanza) for stanza in self.stanzas) + "\n"

    @property
    def fingerprint(self) -> str:
        """SHA-1 of the first lines' letters: two editions of one poem share it, and so fall on the same side of a split."""
        words = " ".join(line.lower() for line in self.lines[:4])
        return hashlib.sha1("".join(c for c in words if c.isalpha()).encode()).hexdigest()


def deduplicated(poems: Iterable[Poem], *, seen: set[str] | None = None) -> list[Poem]:
    """The poems in order, each once; the first edition stays.

    Args:
        seen: fingerprints of earlier poems; new ones are added to it.

    >>> len(deduplicated([Poem((("Ombre !",),)), Poem((("ombre",),)), Poem((("sombre",),))]))
    2
    """
    met = set() if seen is None else seen
    unique = []
    for poem in poems:
        mark = poem.fingerprint
        if mark not in met:
            met.add(mark)
            unique.append(poem)
    return unique


def split_poems(poems: Iterable[Poem], *, validation: float = 0.03) -> tuple[list[Poem], list[Poem]]:
    """Train and validation poems, whole poems only; the side depends on the poem alone, not on the order.

    Args:
        validation: share of poems held out, in [0, 1).
    """
    train: list[Poem] = []
    held: list[Poem] = []
    for poem in poems:
        (held if held_out(poem, validation) else train).append(poem)
    return train, held


def held_out(poem: Poem, share: float) -> bool:
    """Whether a poem is of the share of all poems that is held out; see ``split_poems``."""
    # the last 8 hex digits: the first ones would be shared with other users of the fingerprint
    return int(poem.fingerprint[-8:], 16) / 16**8 < share


def printed(poem: Poem, lang: str) -> Poem:
    """The poem in canonical spelling, without lines that have no letter: the form that policies read and write."""
    stanzas = (tuple(line for line in (canonical(line, lang) for line in stanza) if any(map(str.isalpha, line))) for stanza in poem.stanzas)
    author = " ".join(unicodedata.normalize("NFC", poem.author or "").split())
    return Poem(tuple(stanza for stanza in stanzas if stanza), author or None, poem.title, poem.rhymed, poem.core, poem.columns)
