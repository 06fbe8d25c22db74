"""What a verb is given to read: lines as arguments, a text of verse as it is printed, or the poems of any source of a corpus.

``score``, ``scan`` and ``explain`` read by this module whatever ``rlpoet corpus`` reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from rlpoet.corpus.gutenberg import PREFIX as GUTENBERG
from rlpoet.corpus.gutenberg import is_gutenberg
from rlpoet.corpus.hub import PREFIX as HUB
from rlpoet.corpus.kinds import kind_of, refuse_binary
from rlpoet.corpus.poem import Poem
from rlpoet.corpus.read import SUFFIXES, poems_of, poems_of_text, suffix
from rlpoet.errors import RlpoetError
from rlpoet.text import read_text, split_poem

TEXTS = (".txt", ".text", ".md")


def verse_or_poems(source: str | Path) -> str | list[Poem]:
    """A text of verse as it is written, for those who care for its headings and line numbers; of any other source its poems.

    Args:
        source: a file or a folder of files that ``rlpoet corpus`` reads, ``-`` for standard input, ``hf:NAME``, ``gutenberg:NUMBER``.

    Raises:
        RlpoetError: no such source, one that cannot be read, or no poem in it.
    """
    path = Path(source)
    if str(source) == "-" or _is_text(path):
        if path.is_file():
            with path.open("rb") as stream:
                refuse_binary(stream.read(16), str(path))
        text, where = read_text(source), "<stdin>" if str(source) == "-" else str(path)
        if kind_of(text, where) == "verse" and not is_gutenberg(text):
            return text
        poems = list(poems_of_text(text, where))
    else:
        poems = list(poems_of(source))
    if not poems:
        raise RlpoetError(f"{source}: no poem in it; expected verse, JSON Lines with stanzas, a table with a column of poems, or TEI.")
    return poems


def lines_given(texts: Iterable[str]) -> list[str]:
    r"""The lines of arguments, each a line of verse, a text with line breaks, or a source of poems, of which all lines are taken.

    A source is ``-`` for standard input, ``hf:NAME`` or ``gutenberg:NUMBER``, or the name of a file or folder that exists and looks like
    one: it has a file's ending or a folder's slash, so that the word ``tests`` stays a word.

    Raises:
        RlpoetError: as ``verse_or_poems``, or a name that looks like a file and is none.

    >>> lines_given(["ombre", "sombre\n\nnombre"])
    ['ombre', 'sombre', 'nombre']
    """
    return [line for text in texts for line in _lines(text)]


def is_source(text: str) -> bool:
    """Whether an argument names a source of poems and is no line of verse.

    >>> is_source("-"), is_source("gutenberg:1065"), is_source("Demain, dès l'aube"), is_source("no/such/poems.txt")
    (True, True, False, True)
    """
    if text == "-" or text.startswith((HUB, GUTENBERG)):
        return True
    if "\n" in text or not text.strip():
        return False
    path = Path(text)
    if os.sep in text and path.exists():
        return True
    return suffix(path) in SUFFIXES and (path.exists() or " " not in text)


def _lines(text: str) -> Iterator[str]:
    if not is_source(text):
        yield from split_poem(text) if "\n" in text else [text]
        return
    found = verse_or_poems(text)
    if isinstance(found, str):
        found = list(poems_of_text(found, text))
    for poem in found:
        yield from poem.lines


def _is_text(path: Path) -> bool:
    """Whether a file is called a text, or has no name that says what it is."""
    return path.is_file() and (suffix(path) in TEXTS or suffix(path) not in SUFFIXES) and path.suffix.lower() != ".gz"
