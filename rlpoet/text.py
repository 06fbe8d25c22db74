"""Text to lines. Line breaks are data: nothing here joins, wraps or mends a line."""

from __future__ import annotations

import unicodedata


def stanzas(text: str) -> list[list[str]]:
    r"""Blocks of lines between blank lines: NFC, trailing spaces gone, indents kept.

    Only ``\n``, ``\r\n`` and ``\r`` end a line; a form feed or U+2028 inside a line is a space like any other.

    >>> stanzas("ombre \nsombre\n\n\nnombre\n")
    [['ombre', 'sombre'], ['nombre']]
    """
    blocks: list[list[str]] = [[]]
    for raw in unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = raw.rstrip()
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def split_poem(text: str) -> list[str]:
    r"""The lines of a text without its blank ones; the stanza breaks are in ``stanzas``.

    >>> split_poem("ombre\n\nsombre")
    ['ombre', 'sombre']
    """
    return [line for block in stanzas(text) for line in block]
