"""Texts that go where something else is read as well: rows of JSON in a terminal, cells of a spreadsheet, Markdown."""

from __future__ import annotations

import json
import re
from typing import Any

from rlpoet.text import CONTROLS, visible

NO_FORMULA = "'"  # before a cell that a spreadsheet would run
RUN = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")  # what such a cell begins with
MARKDOWN = re.compile(r"([\\`*_\[\]<>|~&#$])")

ENCODE = json.JSONEncoder(ensure_ascii=False).encode  # json.dumps builds an encoder a call


def json_row(item: Any) -> str:
    r"""One row of JSON: letters as they are, and what gives a terminal orders as ``\u009b``, which a reader of JSON turns back.

    >>> json_row({"text": "é\x9b2J"})
    '{"text": "é\\u009b2J"}'
    """
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", ENCODE(item))


def cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, whatever a poem or a file's name begins with; see ``cell_text``.

    >>> cell("=1+1"), cell("Le jour"), cell("'=1")
    ("'=1+1", 'Le jour', "''=1")
    """
    return f"{NO_FORMULA}{text}" if text.lstrip(NO_FORMULA).startswith(RUN) else text


def cell_text(text: str) -> str:
    """The text in a ``cell``.

    >>> cell_text("'=1+1"), cell_text("''=1"), cell_text("'tis")
    ('=1+1', "'=1", "'tis")
    """
    return text[1:] if text.startswith(NO_FORMULA) and text.lstrip(NO_FORMULA).startswith(RUN) else text


def markdown(text: str) -> str:
    r"""One line of text within Markdown, none of which is markup.

    >>> markdown("<b>[x](y)\n# z")
    '\\<b\\>\\[x\\](y)␊\\# z'
    """
    return MARKDOWN.sub(r"\\\1", visible(text))
