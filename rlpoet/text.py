"""Text to lines, and one spelling of a line. Line breaks are data: nothing here joins or wraps a line."""

from __future__ import annotations

import re
import unicodedata

STRAIGHT = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ", "…": "..."})


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


def canonical(line: str, lang: str) -> str:
    """One spelling of what varies between editions: NFC, straight quotes, single spaces, French spaces before ; : ! ?

    >>> canonical("L’ombre  est là ;", "fr"), canonical("L’ombre est là;", "fr")
    ("L'ombre est là ;", "L'ombre est là ;")
    """
    line = unicodedata.normalize("NFC", line).translate(STRAIGHT).replace("--", "—")
    line = " ".join(line.split())
    if lang == "fr":
        line = re.sub(r"(\w)' (?=\w)", r"\1'", line)
        line = re.sub(r"\s*([;:!?»]+)", r" \1", line)
        line = re.sub(r"«\s*", "« ", line)
    return line.strip()
