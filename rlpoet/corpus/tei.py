"""Poems of TEI files: P5 with or without its namespace, and P4.

A file is read as a stream of tags, so that its size costs no memory. ``<l>`` is a line and ``<lg>`` a stanza, or a poem of stanzas. What
is no verse is left out: notes, stage directions, speakers, headings, quotations with their source. Of a ``<choice>`` the corrected,
regularised or expanded text is taken. The parts of a split line (``part="I"``, ``"M"``, ``"F"``) are joined.

A document type may define short entities, as TEI P4 does for signs. Entities that hold others or stand in other files are refused: they
could fill the memory, or read files of the machine.

References:
    TEI Guidelines P5, chapters 6 (Verse), 7 (Performance Texts), 3.4 (Simple Editorial Changes).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import Any, NoReturn
from xml.parsers import expat

from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError

NAMESPACE = "http://www.tei-c.org/ns/1.0"
XML = "http://www.w3.org/XML/1998/namespace"
ROOTS = frozenset({"TEI", "TEI.2", "teiCorpus", "teiCorpus.2"})
LEFT_OUT = frozenset(
    "note notesStmt stage speaker fw head trailer argument epigraph cit figure figDesc index castList label del surplus gap byline "
    "dateline signed salute opener closer titlePage interp interpGrp listBibl bibl standOff facsimile sourceDoc".split()
)
CONTAINERS = frozenset({"text", "front", "body", "back", "group", "floatingText", "div", *(f"div{n}" for n in range(8))})
POEMS = frozenset("poem poème poema poetry sonnet soneto ode oda ballad ballade elegy song romance villanelle rondeau".split())
BETTER = ("corr", "reg", "expan", "lem")  # of a choice or an apparatus, before whatever stands first
BREAKS = frozenset({"lb", "pb", "cb", "gb", "milestone"})
HYPHENS = "-‐‑¬⸗\u00ad"
NUMERAL = re.compile(r"[IVXLCDMivxlcdm]{1,8}|\d{1,4}")
YEAR = re.compile(r"\d{4}")
LONGEST_ENTITY = 64  # characters that a document type may put behind a name
LONGEST_TEXT = 100_000  # characters
DEEPEST = 500  # elements in elements
DEFINITIONS = frozenset({"author", "title", "date", "idno"})  # of a header
DATES = ("when", "notBefore", "from", "value")  # attributes
STATEMENTS = frozenset({"head", "speaker", "docAuthor", "docDate"})  # of a text

Handler = Callable[..., None]


@dataclass
class _Group:
    """Verse that stands together: a ``<lg>`` of any depth, or the lines between two of them. A line is a list of its parts."""

    stanzas: list[list[list[str]]] = field(default_factory=list)
    title: str = ""
    id: str = ""
    is_poem: bool = False
    loose: bool = False  # lines outside of any <lg>
    continues: bool = False  # the second part of a stanza that speakers share
    fresh: bool = True  # the next line begins a stanza


@dataclass
class _Container:
    """A division of the text, and the verse that stands in it but in none of its own divisions."""

    type: str = ""
    id: str = ""
    title: str = ""
    author: str = ""
    date: str = ""
    groups: list[_Group] = field(default_factory=list)
    speakers: dict[str, None] = field(default_factory=dict)


@dataclass
class _Header:
    """What a header says: each value once from its own statement, once from the description of the source."""

    values: dict[str, str] = field(default_factory=dict)

    def note(self, key: str, text: str) -> None:
        if text:
            self.values.setdefault(key, text)

    def get(self, *keys: str) -> str:
        return next((self.values[key] for key in keys if key in self.values), "")


def tei_poems(blocks: Iterable[bytes], where: str, *, encoding: str | None = None) -> Iterator[Poem]:
    """The poems of a TEI document.

    A division (``<div>``) with verse is a poem; so is each ``<lg>`` that has stanzas of its own or a type such as ``poem``, if there are
    several. In plays a poem is what stands in one division, mostly a scene. ``columns`` has ``id``, ``date``, ``book`` (the title of the
    file, if the poem has one of its own), ``section``, ``speakers`` and ``language``, where they are known.

    Args:
        blocks: the document in pieces of any size.
        where: name of the document, for errors.
        encoding: of the pieces, whatever the document says; None for what it says.

    Raises:
        RlpoetError: not well-formed, no TEI, entities that are refused or not defined, or no verse in it.
    """
    reader = _Reader(where, encoding)
    found = False
    for block in blocks:
        reader.feed(block)
        for poem in reader.taken():
            found = True
            yield poem
    reader.feed(b"", last=True)
    for poem in reader.taken():
        found = True
        yield poem
    if not found:
        parts = "; its parts stand in other files (xi:include)" if reader.includes else ""
        raise RlpoetError(f"{where}: TEI without verse{parts}; expected lines in l elements. Prose in p elements is not read.")


class _Reader:
    """Tags and characters to poems."""

    def __init__(self, where: str, encoding: str | None) -> None:
        self.where = where
        self.poems: list[Poem] = []
        self.includes = False
        self.path: list[str] = []  # of names, "" for elements of other namespaces
        self.skipped = 0  # depth from which everything is left out, 0 for none
        self.buffers: list[list[str]] = []  # of the texts that are being read, innermost last
        self.choices: list[dict[str, str]] = []
        self.headers: list[_Header] = []
        self.containers: list[_Container] = []
        self.groups: list[_Group] = []  # <lg> in <lg>
        self.open_line: list[str] | None = None  # parts of a split line that is not ended
        self.part = ""
        self.line_depth = 0
        self.length = 0  # characters of that line or statement
        self.glued = False  # after a line break within a word
        self.capture: list[tuple[int, str]] = []  # depth and name of a heading, speaker or statement that is being read
        self.languages: list[str] = []
        self.parser = self._parser(encoding)

    def _parser(self, encoding: str | None) -> Any:
        parser = expat.ParserCreate(encoding, namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        parser.EntityDeclHandler = self.entity
        parser.SkippedEntityHandler = self.skipped_entity
        parser.ExternalEntityRefHandler = self.external_entity
        parser.UseForeignDTD(True)  # names that only the DTD defines come to skipped_entity; no DTD is loaded
        return parser

    def feed(self, block: bytes, *, last: bool = False) -> None:
        try:
            self.parser.Parse(block, last)
        except LookupError as error:  # a name that Python knows for no encoding
            raise RlpoetError(f"{self.where}:1: {error}; expected UTF-8. Convert the document, and its declaration.") from None
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            raise RlpoetError(f"{self.where}:{error.lineno}: not well-formed XML ({what}); expected a TEI document.") from None

    def taken(self) -> list[Poem]:
        poems, self.poems = self.poems, []
        return poems

    def _fail(self, text: str) -> NoReturn:
        raise RlpoetError(f"{self.where}:{self.parser.CurrentLineNumber}: {text}")

    # -- entities ------------------------------------------------------------------------------------------

    def entity(
        self, name: str, is_parameter: bool, value: str | None, base: str | None, system: str, public: str | None, notation: str | None
    ) -> None:
        if is_parameter or notation:
            return  # of the DTD, which is not read, or a picture
        if value is not None and (len(value) > LONGEST_ENTITY or "&" in value or "<" in value):
            self._fail(f"the entity {name!r} holds other entities, tags or long text; expected a sign. Put its text where it is used.")

    def external_entity(self, context: str | None, base: object, system: str | None, public: object) -> int:
        if context is not None:
            self._fail(f"an entity stands in another file ({system!r}); expected one file. Put its text where it is used.")
        return 1  # the DTD itself, which is not loaded

    def skipped_entity(self, name: str, is_parameter: int) -> None:
        if is_parameter:
            return
        sign = html5.get(f"{name};")
        if sign is None:
            self._fail(f"the entity &{name}; is not defined in the file; expected characters in their place. Write the character itself.")
        self.text(sign)

    # -- tags ----------------------------------------------------------------------------------------------

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        space, _, name = tag.rpartition("}")
        if not self.path and name not in ROOTS:
            what = "an HTML page" if name.lower() == "html" else f"XML whose root is <{name}>"
            self._fail(f"{what}; expected TEI, whose root is <TEI>. Convert it, or save the verse as plain text.")
        if space not in ("", NAMESPACE):
            self.includes |= name == "include"
            name = ""
        self.path.append(name)
        depth = len(self.path)
        if depth > DEEPEST:
            self._fail(f"more than {DEEPEST} elements in one another; expected TEI.")
        if self.skipped:
            return
        if not name or (name in LEFT_OUT and not self._is_read(name)):
            self.skipped = depth
        elif name in ("choice", "app"):
            self.choices.append({})
        elif self.choices and self.path[-2] in ("choice", "app"):
            if name == "rdg" and self.choices[-1]:
                self.skipped = depth  # another reading, which may hold lines
            else:
                self.buffers.append([])
        elif name in ROOTS:
            self.headers.append(_Header())
            self.languages.append(attributes.get(f"{XML}}}lang", attributes.get("lang", "")))
            self.headers[-1].note("xml:id", attributes.get(f"{XML}}}id", attributes.get("id", "")))
        elif name in CONTAINERS:
            self._open_container(name, attributes)
        elif name in STATEMENTS if self.containers else name in DEFINITIONS:
            self._start_statement(name, attributes, depth)
        elif self.containers:
            self._start_verse(name, attributes, depth)

    def _is_read(self, name: str) -> bool:
        """Whether what is no verse says something about it."""
        return name in STATEMENTS and not self.line_depth if self.containers else name in ("bibl", "listBibl")

    def _start_statement(self, name: str, attributes: dict[str, str], depth: int) -> None:
        if self.line_depth:
            return
        if name == "date":
            self._state("date", next((attributes[key] for key in DATES if attributes.get(key)), ""))
        self.capture.append((depth, name))
        self.buffers.append([])
        self.length = 0

    def _start_verse(self, name: str, attributes: dict[str, str], depth: int) -> None:
        if name == "lg":
            self._open_group(attributes)
        elif name == "l" and not self.line_depth:
            self.line_depth, self.part, self.length = depth, attributes.get("part", ""), 0
            self.buffers.append([])
        elif name in BREAKS:
            self._break(name, attributes)
        elif name == "w" and self.line_depth and attributes.get("part", "N") in ("N", "I", "Y") and self._last()[-1:].isalnum():
            self.text(" ")  # words may stand in tags without a space between them
        elif name in ("p", "ab") and not self.line_depth:
            self._end_stanza()

    def end(self, tag: str) -> None:
        depth, name = len(self.path), self.path.pop()
        if self.skipped:
            self.skipped = 0 if depth == self.skipped else self.skipped
            return
        if self.capture and self.capture[-1][0] == depth:
            self._end_statement(self.capture.pop()[1])
        elif name in ("choice", "app"):
            found = self.choices.pop()
            self.text(next((found[key] for key in BETTER if found.get(key)), next(iter(found.values()), "")))
        elif self.choices and self.path and self.path[-1] in ("choice", "app"):
            self.choices[-1].setdefault(name, "".join(self.buffers.pop()))
        elif depth == self.line_depth:
            self.line_depth = 0
            self._add_line(_clean("".join(self.buffers.pop())))
        elif name == "lg" and self.groups:
            self._close_group()
        elif name in CONTAINERS and self.containers:
            self._close_container(name)
        elif name in ROOTS:
            self.headers.pop()
            self.languages.pop()

    def text(self, text: str) -> None:
        if self.buffers and not self.skipped:
            self.length += len(text)
            if self.length > LONGEST_TEXT:
                self._fail(f"a line or heading of more than {LONGEST_TEXT:,} characters; expected verse.")
            if self.glued:
                text = text.lstrip()
                self.glued = not text
            self.buffers[-1].append(text)

    # -- statements ----------------------------------------------------------------------------------------

    def _end_statement(self, name: str) -> None:
        text = _clean("".join(self.buffers.pop()))
        if name == "head":
            owner = self.groups[-1] if self.groups else self.containers[-1]
            owner.title = owner.title or text
            self._end_stanza()
        elif name == "speaker":
            if text.strip(" .,:"):
                self.containers[-1].speakers.setdefault(text.strip(" .,:"))
        elif name == "docAuthor":
            self.containers[-1].author = self.containers[-1].author or text
        elif name == "docDate":
            self.containers[-1].date = self.containers[-1].date or text
        else:
            self._state(name, text)

    def _state(self, name: str, text: str) -> None:
        """Note what a header says under the statement that says it."""
        if not self.headers or not text:
            return
        header, path = self.headers[-1], self.path
        if name == "author" and "titleStmt" in path and "author" in header.values:
            header.values["author"] += f"; {text}"
        elif name in ("author", "title") and "titleStmt" in path:
            header.note(name, text)
        elif "sourceDesc" in path:
            header.note(f"source {name}", text)
        elif name == "date" and "creation" in path:
            header.note("date", text)
        elif name == "idno" and "publicationStmt" in path:
            header.note("idno", text)

    # -- verse ---------------------------------------------------------------------------------------------

    def _open_container(self, name: str, attributes: dict[str, str]) -> None:
        self._end_stanza()
        self.containers.append(_Container(attributes.get("type", ""), attributes.get(f"{XML}}}id", attributes.get("id", ""))))

    def _close_container(self, name: str) -> None:
        container = self.containers.pop()
        self.open_line = None
        outer = next((own for own in self.containers if own.type.lower() in POEMS), None)
        if outer is not None:  # a part of a poem
            outer.groups += container.groups
            outer.speakers |= container.speakers
            self._end_stanza()
            return
        for groups, title in _poems(container):
            self._emit(container, groups, title)

    def _open_group(self, attributes: dict[str, str]) -> None:
        kind = attributes.get("type", "").lower()
        group = _Group(id=attributes.get(f"{XML}}}id", attributes.get("id", "")), is_poem=kind in POEMS)
        group.continues = attributes.get("part", "").upper() in ("M", "F")
        if self.groups:
            self.groups[-1].is_poem = True
        self.groups.append(group)

    def _close_group(self) -> None:
        group = self.groups.pop()
        if not self.groups:
            own = self.containers[-1].groups
            if group.continues and group.stanzas and own and own[-1].stanzas:
                own[-1].stanzas[-1] += group.stanzas[0]
                own[-1].stanzas += group.stanzas[1:]
            else:
                own.append(group)
        else:
            self.groups[-1].stanzas += group.stanzas
            self.groups[-1].fresh = True

    def _end_stanza(self) -> None:
        if self.groups:
            self.groups[-1].fresh = True
        elif self.containers and self.containers[-1].groups:
            self.containers[-1].groups[-1].fresh = True

    def _group(self) -> _Group:
        """Where the next line stands."""
        if self.groups:
            return self.groups[-1]
        own = self.containers[-1].groups
        if not own or not own[-1].loose:
            own.append(_Group(loose=True))
        return own[-1]

    def _add_line(self, text: str) -> None:
        if not text:
            return
        part = self.part.upper()
        if part in ("M", "F") and self.open_line is not None:
            self.open_line.append(text)
        else:
            group = self._group()
            if group.fresh or not group.stanzas:
                group.stanzas.append([])
                group.fresh = False
            self.open_line = [text]
            group.stanzas[-1].append(self.open_line)
        if part not in ("I", "M"):
            self.open_line = None

    def _break(self, name: str, attributes: dict[str, str]) -> None:
        """A line break of the page within a line of verse, which may divide a word."""
        if not self.line_depth:
            if name == "milestone" and attributes.get("unit") in ("stanza", "strophe"):
                self._end_stanza()
            return
        before = "".join(self.buffers[-1]).rstrip()
        divided = attributes.get("break") == "no"
        if before[-1:] and before[-1] in HYPHENS and (divided or before[-1] in "¬⸗\u00ad"):
            self.buffers[-1][:] = [before[:-1]]
            self.glued = True
        elif divided or (name == "lb" and before[-1:] == "-"):
            self.buffers[-1][:] = [before]
            self.glued = True
        elif name == "lb":
            self.text(" ")

    def _last(self) -> str:
        return self.buffers[-1][-1] if self.buffers[-1] else ""

    def _emit(self, container: _Container, groups: list[_Group], title: str) -> None:
        stanzas = tuple(tuple(" ".join(parts) for parts in stanza) for group in groups for stanza in group.stanzas if stanza)
        if not stanzas:
            return
        header = self._header()
        above = [own.title for own in self.containers if own.title]
        book = header.get("title", "source title")
        if title and above and (container.speakers or NUMERAL.fullmatch(title.strip(" ."))):
            title = " — ".join([*above, title] if container.speakers else [above[-1], title])
        columns = {
            "id": next((own.id for own in groups if own.id and len(groups) == 1), "") or container.id or header.get("xml:id", "idno"),
            "date": container.date or header.get("date", "source date"),
            "book": book if title else "",
            "section": " — ".join(above) if not container.speakers else "",
            "speakers": ", ".join(container.speakers),
            "language": next((language for language in reversed(self.languages) if language), ""),
        }
        author = container.author or header.get("author", "source author")
        self.poems.append(Poem(stanzas, author or None, title or book, columns={key: text for key, text in columns.items() if text}))

    def _header(self) -> _Header:
        """The header of the text, completed by those of the corpora it stands in."""
        merged = _Header()
        for header in reversed(self.headers):
            for key, text in header.values.items():
                merged.note(key, text)
        return merged


def _poems(container: _Container) -> Iterator[tuple[list[_Group], str]]:
    """The poems of a division, each as its groups and its title."""
    groups = [group for group in container.groups if group.stanzas]
    poems = [group for group in groups if group.is_poem]
    if not poems and not container.title and all(group.title and not NUMERAL.fullmatch(group.title.strip(" .")) for group in groups):
        poems = groups
    if container.type.lower() in POEMS or len(poems) < 2:
        if groups:
            yield groups, container.title or next((group.title for group in groups if group.is_poem and group.title), "")
        return
    loose: list[_Group] = []
    own = set(map(id, poems))
    for group in groups:
        if id(group) not in own:
            loose.append(group)
            continue
        if loose:
            yield loose, container.title
            loose = []
        yield [group], group.title
    if loose:
        yield loose, container.title


def _clean(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("\u00ad", "").split())
