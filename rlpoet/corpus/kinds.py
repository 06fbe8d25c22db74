"""What a text is by what stands in it, so that markup and data are never taken for verse.

The name of a file says most. Its beginning is looked at as well, since web pages, word processors' files and tables are saved as ``.txt``.
"""

from __future__ import annotations

import json
import re
from typing import Literal

from rlpoet.corpus.tables import TEXT_NAMES
from rlpoet.corpus.where import AUTHOR_NAMES, TITLE_NAMES, folded
from rlpoet.errors import RlpoetError

Kind = Literal["verse", "xml", "json", "table"]
CONVERT = "Save it as plain text, one line of verse a line, for instance with `pandoc --to plain --wrap preserve`."
SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"{\\rtf", "RTF"),
    (b"%PDF", "PDF"),
    (b"PK\x03\x04", "a ZIP archive, as word processors and e-books have"),
    (b"\xd0\xcf\x11\xe0", "an old word processor's file"),
    (b"\x1f\x8b", "compressed by gzip, without a name that ends in .gz"),
    (b"PAR1", "parquet, without a name that ends in .parquet"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_HTML = re.compile(r"<!doctype\s+html|<(?:html|head|body|meta|link|script|style|title|div|span|table|h[1-6]|p|ul)(?:\s[^<>]*)?>", re.I)
_XML = re.compile(r"\s*(?:<\?xml|<!DOCTYPE\s+(?!html)|<(?:TEI|TEI\.2|teiCorpus|teiCorpus\.2)[\s>])")
HEAD = 4096  # characters that are looked at


def refuse_binary(head: bytes, where: str) -> None:
    """Refuse what no reader of poems can read by the first bytes of a file.

    Raises:
        RlpoetError: it is one of the kinds of ``SIGNATURES``.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    name = next((name for mark, name in SIGNATURES if start.startswith(mark)), None)
    if name is not None:
        raise RlpoetError(f"{where}: {name}; expected text, a table, JSON Lines or TEI. {CONVERT}")


def kind_of(text: str, where: str) -> Kind:
    r"""What a text is that is called a text: verse, or TEI (``xml``), JSON, or a table with a column of poems.

    Raises:
        RlpoetError: HTML, RTF, or another kind that cannot be read as verse.

    >>> kind_of("Ombre,\nsombre", "a"), kind_of('{"stanzas": [["ombre"]]}', "a"), kind_of("author,poem\nA,b", "a")
    ('verse', 'json', 'table')
    """
    head = text.lstrip("\ufeff \t\r\n")[:HEAD]
    if not head:
        return "verse"
    refuse_binary(head[:16].encode("utf-8", "replace"), where)
    if _XML.match(head):
        return "xml"
    if head[:1] == "<" and _HTML.match(head):
        raise RlpoetError(f"{where}: an HTML page; expected verse. {CONVERT}")
    if head[:1] in "[{" and _is_json(text.lstrip("\ufeff \t\r\n")):
        return "json"
    return "table" if _is_table(head) else "verse"


def _is_json(text: str) -> bool:
    first = text.partition("\n")[0]
    if text[0] == "[":
        return re.match(r'\[\s*[\[{"\]]', text) is not None
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return re.match(r'\{\s*"[^"\n]*"\s*:', text) is not None


def _is_table(head: str) -> bool:
    """Whether the first row names a column of poems and one of authors or titles."""
    first, _, rest = head.partition("\n")
    if not rest:
        return False
    for delimiter in ",;\t|":
        names = [folded(cell.strip().strip('"')) for cell in first.split(delimiter)]
        if len(names) > 1 and set(names) & set(TEXT_NAMES) and set(names) & {*AUTHOR_NAMES, *TITLE_NAMES}:
            return True
    return False
