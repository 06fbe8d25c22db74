r"""Cells that hold a poem in one row: lines parted by `` / ``, ``|`` or a written ``\n``, or a list of lines as Python or JSON writes it.

A column is read by one layout. A sign parts lines only if no cell of the column has real line breaks and most of its cells have the sign.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Literal

Layout = Literal["list", "escaped", "slash", "bar"]
LEAST = 0.5  # share of the cells that have the sign, from which it parts lines
LOOKED_AT = 200  # cells
_STRING = r"""(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")"""
_LIST = re.compile(rf"\s*\[(?:\s*\[)?\s*{_STRING}")
_TOKEN = re.compile(rf"{_STRING}|[\[\],]|\s+|None|null")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))")
PLAIN = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = re.compile(r"(?:\\r)?\\n|\\r")
_SLASHES = re.compile(r"(?:(?<=\s)|(?<=^))(/{1,3})(?=\s|$)")
_BARS = re.compile(r"\s*(\|+)\s*")


def layout_of(cells: Iterable[str]) -> Layout | None:
    r"""How a column writes the lines of a poem in one row; None if it does not, or has line breaks.

    >>> layout_of(["Ombre, / sombre", "mer / fer"]), layout_of([r"Ombre\nsombre"]), layout_of(["['Ombre', 'sombre']"])
    ('slash', 'escaped', 'list')
    >>> layout_of(["a\nb / c"]) is None
    True
    """
    texts = [text for text, _ in zip(filter(str.strip, cells), range(LOOKED_AT), strict=False)]
    if not texts:
        return None
    if sum(_LIST.match(text) is not None and parsed_list(text) is not None for text in texts) >= LEAST * len(texts):
        return "list"
    if any("\n" in text.strip() or "\r" in text.strip() or "<br" in text.lower() for text in texts):
        return None
    for name, sign in SIGNS.items():
        if sum(sign.search(text.strip()) is not None for text in texts) >= LEAST * len(texts):
            return name
    return None


SIGNS: dict[Layout, re.Pattern[str]] = {"escaped": _ESCAPED, "slash": _SLASHES, "bar": _BARS}


def unfolded(text: str, layout: Layout | None) -> str | list[str] | list[list[str]]:
    r"""A cell with real line breaks, an empty line between stanzas; of a list its lines or stanzas.

    Two signs in a row end a stanza: `` // ``, ``||``, ``\n\n``.

    >>> unfolded("Ombre, / sombre // mer, / fer", "slash")
    'Ombre,\nsombre\n\nmer,\nfer'
    >>> unfolded(r"['L\'ombre', 'sombre']", "list")
    ["L'ombre", 'sombre']
    """
    if layout == "list":
        found = parsed_list(text)
        return text if found is None else found
    if layout == "escaped":
        return _ESCAPED.sub("\n", text)
    if layout == "slash":
        return _without_margins(_SLASHES.sub(lambda sign: "\n" * min(len(sign[1]), 2), text))
    if layout == "bar":
        return _BARS.sub(lambda sign: "\n" * min(len(sign[1]), 2), text.strip())
    return text


def parsed_list(text: str) -> list[str] | list[list[str]] | None:
    """A list of texts, or of lists of texts, as Python, JSON or numpy writes it; None if the text is no such list. Nothing is evaluated.

    >>> parsed_list('[["a", "b"], ["c"]]'), parsed_list("['a' 'b']"), parsed_list("[1, 2]")
    ([['a', 'b'], ['c']], ['a', 'b'], None)
    """
    text = text.strip()
    if not text.startswith("[") or not text.endswith("]"):
        return None
    stack: list[list[object]] = []
    at, found = 0, None
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or (found is not None and match[0].strip()):
            return None
        token, at = match[0], match.end()
        if token == "[":
            stack.append([])
        elif not stack and token.strip():
            return None
        elif token == "]":
            done = stack.pop()
            if stack:
                stack[-1].append(done)
            else:
                found = done
        elif token[0] in "'\"":
            stack[-1].append(_unquoted(token))
    if not found:
        return None
    if all(isinstance(line, str) for line in found):
        lines = [str(line).strip("\r\n") for line in found]
        return [re.split(r"[\r\n]+", line) for line in lines] if any("\n" in line or "\r" in line for line in lines) else lines
    if all(isinstance(part, list) and all(isinstance(line, str) for line in part) for part in found):
        return [[str(line) for line in part] for part in found if isinstance(part, list)]
    return None


def _unquoted(token: str) -> str:
    """The text of a literal of Python or JSON."""
    if token[0] == '"':
        try:
            return str(json.loads(token))
        except ValueError:
            pass  # Python's, with escapes that JSON lacks
    return _ESCAPE.sub(lambda found: chr(int(code, 16)) if (code := found[1] or found[2]) else PLAIN.get(found[3], found[3]), token[1:-1])


def _without_margins(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n"))
