r"""Cleans stored text into stanzas of lines. Line breaks are data: no line is joined, wrapped or cut here.

It repairs traces of copying: ``\r\r\n``, ``<br>`` in texts without other breaks, character references, zero-width characters, note
numbers in brackets, verse numbers in the margin, ornaments between stanzas, double spacing.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence

from rlpoet.corpus.poem import Poem

# (?<!x)x*: only a run's beginning is tried, or a run of n characters would take n * n steps
LINE_BREAK = re.compile(r"(?<!\r)\r*\n|\r")
_TAG_BREAK = re.compile(r"<br\s*/?>|</?p\s*>", re.I)
_REFERENCE = re.compile(r"&(?:[A-Za-z]{2,8}|#\d{2,5}|#x[0-9A-Fa-f]{2,5});")
_INVISIBLE = re.compile(r"[\u00ad\u200b-\u200f\u2060\ufeff\ufffc]|[\x00-\x08\x0e-\x1f\x7f]")
_NOTE = re.compile(r"(?<!\s)\s*\[(?:\d{1,3}|[a-z]|\*{1,3}|[Ff]ootnote[^\]]{0,500})\]")
MARGIN = re.compile(r"(?<!\s)\s{2,}\(?\d{1,4}\)?\s*$")
_NUMERAL = re.compile(r"[IVXLCDM]{1,8}|\d{1,4}")


def stanzas_of(text: str, *, clean: bool = True) -> tuple[tuple[str, ...], ...]:
    r"""Stanzas of one poem's text: NFC, lines stripped, an empty line between stanzas.

    Args:
        clean: also mend the lines, see ``mended``.

    >>> stanzas_of("Ombre,\r\r\n  sombre\r\r\n\r\r\nnombre")
    (('Ombre,', 'sombre'), ('nombre',))
    """
    text = unicodedata.normalize("NFC", text)
    if "\n" not in text and "\r" not in text:
        text = _TAG_BREAK.sub("\n", text)
    blocks: list[list[str]] = [[]]
    gaps: list[int] = []  # empty lines before each block but the first
    empty = 0
    for raw in LINE_BREAK.split(text):
        line = mended(raw) if clean else " ".join(raw.split())
        if not line:
            empty += 1
            continue
        if empty and blocks[-1]:
            blocks.append([])
            gaps.append(empty)
        blocks[-1].append(line)
        empty = 0
    blocks = [block for block in blocks if block]
    return tuple(map(tuple, _closed_up(blocks, gaps)))


def mended(line: str) -> str:
    """A line without notes, numbers and invisible characters; empty if no letter is left.

    >>> mended("  Les sanglots&nbsp;longs[2]      15"), mended("* * *")
    ('Les sanglots longs', '')
    """
    if _REFERENCE.search(line):
        line = unicodedata.normalize("NFC", html.unescape(line))
    line = _INVISIBLE.sub("", line.replace("\t", "    "))
    line = " ".join(_NOTE.sub("", MARGIN.sub("", line)).split())
    return line if any(map(str.isalpha, line)) else ""


def cleaned(poem: Poem) -> Poem | None:
    """The poem with cleaned lines and without headings that are only a number; None if no line is left."""
    stanzas = []
    for stanza in poem.stanzas:
        lines = tuple(line for line in map(mended, stanza) if line)
        if lines and not (len(lines) == 1 and _NUMERAL.fullmatch(lines[0].strip(" .-—"))):
            stanzas.append(lines)
    if not stanzas:
        return None
    author = " ".join(unicodedata.normalize("NFC", poem.author or "").split()) or None
    return Poem(tuple(stanzas), author, " ".join(poem.title.split()), poem.rhymed, poem.core, poem.columns)


def is_prose(lines: Iterable[str], longest: int) -> bool:
    """Whether some line is longer than a line of verse can be."""
    return any(len(line) > longest for line in lines)


def _closed_up(blocks: list[list[str]], gaps: Sequence[int]) -> list[list[str]]:
    """Undo double spacing: if an empty line follows every line, only wider gaps separate stanzas."""
    if len(blocks) < 4 or any(len(block) > 1 for block in blocks):
        return blocks
    narrow = min(gaps)
    out = [blocks[0]]
    for block, gap in zip(blocks[1:], gaps, strict=True):
        if gap > narrow:
            out.append(block)
        else:
            out[-1] = out[-1] + block
    return out
