"""An annotated corpus as one TEI P5 document, which ``rlpoet.corpus.tei`` reads back line by line.

A poem is a ``<div type="poem">`` of stanzas. A stanza has ``@rhyme``, the letters of its scheme, and a line has ``@met``, the lengths that
the form of the poem allows, and ``@real``, what the line has: its stresses, or its syllables where the meter counts no stress. A
French line has ``@ana``, which points to the gender of its ending in the taxonomy of the header.

References:
    TEI Guidelines P5, chapter 6.4, Rhyme and Metrical Analysis; class att.metrical. Chapter 2.3.7, The Classification Declaration; class
    att.global.analytic.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import BinaryIO
from xml.sax.saxutils import escape, quoteattr

from rlpoet.corpus.tei import NAMESPACE
from rlpoet.evaluation.annotation.rows import Annotated, LineRow, PoemRow
from rlpoet.languages import code_of

DOCUMENT = "tei"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # what XML 1.0 has not, or advises against
OF_A_CORPUS = "The texts are those of the sources that each division names in its attribute n."
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<TEI xmlns="{namespace}">
  <teiHeader>
    <fileDesc>
      <titleStmt>
        <title>{title}</title>{author}
      </titleStmt>
      <publicationStmt>
        <p>Unpublished.</p>
      </publicationStmt>
      <sourceDesc>
        <p>{source} All annotations are computed.</p>
      </sourceDesc>
    </fileDesc>
    <encodingDesc>
      <metDecl type="met">
        <p>Syllables that the form of the poem allows for a line, such as 12 or 10|11.</p>
      </metDecl>
      <metDecl type="real">
        <p>The line as it is read: + for a stressed syllable and - for another one, or, where the meter counts no stress, the number of its
          syllables, cut by the caesura: 6+6.</p>
      </metDecl>
      <metDecl type="rhyme">
        <p>A letter per line of the stanza, the same for lines of the poem that rhyme; x for a line that rhymes with none.</p>
      </metDecl>
      <classDecl>
        <taxonomy>
          <desc>The ending of a French line, to which its attribute ana points.</desc>
          <category xml:id="masculine">
            <catDesc>The line ends in its last stressed vowel, or in consonants after it.</catDesc>
          </category>
          <category xml:id="feminine">
            <catDesc>A mute e, alone or before s or nt, ends the line.</catDesc>
          </category>
        </taxonomy>
      </classDecl>
    </encodingDesc>
  </teiHeader>
  <text>
    <body>
"""
FOOT = """    </body>
  </text>
</TEI>
"""


def head(title: str = "Annotated verse", author: str = "", source: str = OF_A_CORPUS) -> str:
    """The header of a document, up to its first division.

    Args:
        title, author: of the document; without an author it names none.
        source: a sentence that says where the texts are from.
    """
    named = f"\n        <author>{escape(_clean(author))}</author>" if _clean(author) else ""
    return HEAD.format(namespace=NAMESPACE, title=escape(_clean(title)), author=named, source=escape(source))


class Tei:
    """One document with all poems."""

    tables: tuple[str, ...] = (DOCUMENT,)

    def render(self, annotated: Sequence[Annotated], table: str) -> bytes:
        """The divisions of the poems."""
        return "".join(map(_division, annotated)).encode("utf-8")

    def join(self, parts: Iterable[Path], table: str, out: BinaryIO) -> None:
        """The header, the divisions of all parts, the end."""
        out.write(head().encode("utf-8"))
        for part in parts:
            out.write(part.read_bytes())
        out.write(FOOT.encode("utf-8"))


def _division(one: Annotated) -> str:
    poem = one.poem
    attributes = _attributes(type="poem", subtype=_token(poem.form), n=poem.poem, **{"xml:lang": code_of(poem.lang)})
    out = [f"      <div{attributes}>\n"]
    for tag, text in (("head", poem.title), ("docAuthor", poem.author), ("docDate", poem.date)):
        if text := _clean(text):
            out.append(f"        <{tag}>{escape(text)}</{tag}>\n")
    for _, stanza in groupby(one.lines, key=lambda row: row.stanza):
        rows = list(stanza)
        out.append(f"        <lg{_attributes(type='stanza', rhyme=''.join(row.letter for row in rows))}>\n")
        out += [_line(row, poem) for row in rows]
        out.append("        </lg>\n")
    out.append("      </div>\n")
    return "".join(out)


def _line(row: LineRow, poem: PoemRow) -> str:
    attributes = _attributes(n=str(row.line), met=row.target, real=realised(row), ana=row.gender and f"#{row.gender}")
    return f"          <l{attributes}>{escape(_clean(row.text))}</l>\n"


def realised(row: LineRow) -> str:
    """The value of ``@real``: the stresses of a line, or its syllables."""
    if row.stress:
        return row.stress
    if row.caesura:
        return f"{row.caesura}+{row.syllables - row.caesura}"
    return str(row.syllables) if row.syllables else ""


def _attributes(**values: str) -> str:
    """Attributes that have a value, ready to stand in a tag."""
    return "".join(f" {name}={quoteattr(text)}" for name, value in values.items() if (text := _clean(value)))


def _token(text: str) -> str:
    """A value without characters that a name of a type cannot have."""
    return re.sub(r"[^\w.-]", "_", text)


def _clean(text: str) -> str:
    return " ".join(_FORBIDDEN.sub("", text).split())
