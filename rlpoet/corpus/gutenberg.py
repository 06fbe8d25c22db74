"""Project Gutenberg texts: fetch one by its number, drop the licence around it, and cut the book into poems.

Each block of a book (lines between empty lines) is classified as verse or prose: verse lines are short, prose fills its lines. A short
single line above verse is a title.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rlpoet.corpus.clean import MARGIN, mended
from rlpoet.corpus.poem import Poem
from rlpoet.errors import RlpoetError

PREFIX = "gutenberg:"
URLS = (
    "https://www.gutenberg.org/cache/epub/{n}/pg{n}.txt",
    "https://www.gutenberg.org/files/{n}/{n}-0.txt",
)
TIMEOUT = 30  # seconds
START = re.compile(r"^[ \t]*\*{3}[ \t]*START OF (?:THE|THIS) PROJECT GUTENBERG (?:EBOOK|E-?TEXT).{0,500}?\*{3}\s{0,9}$", re.I | re.M | re.S)
SMALL_PRINT = re.compile(r"^[ \t]*\*END ?\*? ?THE SMALL PRINT!.{0,200}?\*END\*[ \t]*$", re.I | re.M)  # ends a header before 2004
END = re.compile(
    r"^[ \t]*(?:\*{3}[ \t]*END OF (?:THE|THIS) PROJECT GUTENBERG (?:EBOOK|E-?TEXT)"
    r"|(?:This is the )?End of (?:the |this )?Project Gutenberg)",
    re.I | re.M,
)
_NAMED = re.compile(r"^\W*(?:The )?Project Gutenberg(?:'s)? (?:E-?text|EBook),? (?:of )?(.+?),?\s+by\s+([^\n*]+?)[\s*]*$", re.I | re.M)
_FIELD = re.compile(r"^(Title|Author|Language|Release [Dd]ate):[ \t]*(.+(?:\n[ \t]+\S.*)*)", re.M)
_CREDITS = re.compile(r"produced by|proofread|transcriber|e-?text prepared|distributed proof|gutenberg", re.I)
_NUMERAL = re.compile(r"[IVXLCDM]{1,8}\.?|\d{1,4}\.?")
FULL_LINE = 66  # characters: a book's prose is filled to about 72
VERSE_LINE = 62


def is_gutenberg(text: str) -> bool:
    """Whether a text has Project Gutenberg's start mark, that of today or that of ebooks before 2004."""
    return START.search(text) is not None or SMALL_PRINT.search(text) is not None


def fetch(number: str) -> str:
    """The text of an ebook from gutenberg.org.

    Raises:
        RlpoetError: no number, no such ebook as plain text, or no network.
    """
    import urllib.error  # here: scoring a poem imports this module too, and no network
    import urllib.request

    if not number.isdigit():
        raise RlpoetError(f"{PREFIX}{number}: no ebook number; expected one such as {PREFIX}1065, as in the ebook's address.")
    problem = ""
    for pattern in URLS:
        request = urllib.request.Request(pattern.format(n=number), headers={"User-Agent": "rlpoet (a poetry corpus reader)"})
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return _decoded(answer.read())
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise RlpoetError(
                f"{PREFIX}{number}: gutenberg.org cannot be reached ({getattr(error, 'reason', error)}); expected a network. "
                f"On a machine with one, save {pattern.format(n=number)} and name that file instead: its licence is stripped all the same."
            ) from None
    raise RlpoetError(f"{PREFIX}{number}: {problem}; expected the number of an ebook that has plain text.")


def book_poems(text: str) -> Iterator[Poem]:
    """The poems of an ebook, each with the book's author and title in ``columns['book']``."""
    about, body = _parts(text.replace("\r\n", "\n").replace("\r", "\n"))
    author, book = about.get("author"), about.get("title", "")
    columns = {key: value for key, value in (("book", book), ("language", about.get("language", ""))) if value}
    section = title = ""
    stanzas: list[tuple[str, ...]] = []
    for gap, lines in _blocks(body):
        numbered = _NUMERAL.fullmatch(title.rpartition("— ")[2]) is not None  # then the next number begins the next poem
        kind = _kind(lines, bool(stanzas), gap, numbered=numbered)
        if stanzas and (kind in ("title", "prose") or (kind == "verse" and gap >= 4)):
            yield Poem(tuple(stanzas), author, title, columns=columns)
            title, stanzas = "", []
        if kind == "verse":
            stanzas.append(tuple(line for line in map(mended, lines) if line))
        elif kind == "title":
            title = " ".join(" ".join(line.split()) for line in lines).strip("_ ").rstrip(".")
            if not _NUMERAL.fullmatch(title):
                section = title
            elif section:
                title = f"{section} — {title}"
        elif kind == "prose":
            section = title = ""
    if stanzas:
        yield Poem(tuple(stanzas), author, title, columns=columns)


def _parts(text: str) -> tuple[dict[str, str], str]:
    start, old = START.search(text), SMALL_PRINT.search(text)
    if old is not None and (start is None or old.start() > start.start()) and END.search(text, 0, old.start()) is None:
        start = old  # a mark after the end is that of a licence at the foot of the book
    head, body = (text[: start.start()], text[start.end() :]) if start else ("", text)
    end = END.search(body)
    about = {match[1].lower(): " ".join(match[2].split()) for match in _FIELD.finditer(head)}
    if "author" not in about and (named := _NAMED.search(head)):
        about = {"title": " ".join(named[1].split()), "author": named[2].strip()} | about
    return about, body[: end.start()] if end else body


def _blocks(body: str) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines between empty lines, with the number of empty lines before each."""
    gap, block = 0, []  # type: int, list[str]
    before = 0
    for raw in body.split("\n"):
        line = raw.rstrip()
        if line.strip():
            if not block:
                before = gap
            block.append(line)
            gap = 0
        else:
            if block:
                yield before, block
                block = []
            gap += 1
    if block:
        yield before, block


def _kind(lines: Sequence[str], in_poem: bool, gap: int, *, numbered: bool) -> str:
    """``verse``, ``title``, ``ornament`` or ``prose``."""
    words = [MARGIN.sub("", line).strip() for line in lines]
    if not any(any(map(str.isalpha, line)) for line in words):
        return "ornament"
    if any(_CREDITS.search(line) for line in words):
        return "prose"
    if len(words) == 1:
        line = words[0]
        if _NUMERAL.fullmatch(line):
            return "ornament" if in_poem and gap < 3 and not numbered else "title"
        heading = line.isupper() or (len(line) <= 50 and not line.endswith((",", ";", ":", "—", "-")) and gap >= 2)
        if heading:
            return "title"
        return "verse" if in_poem and len(line) <= VERSE_LINE else "prose"
    if all(line.isupper() for line in words) and len(words) <= 3:
        return "title"
    full = sum(len(line) >= FULL_LINE for line in words[:-1])  # the last line of prose may be short
    if 2 * full >= len(words) - 1:
        return "prose"
    capital = sum(line.lstrip("«“\"'‘—-¡¿([_ ")[:1].isupper() for line in words)
    short = sum(len(line) <= VERSE_LINE for line in words)
    contents = sum(bool(re.search(r"(?:(?<!\.)\.{3,}\s*|(?<!\s)\s{3,})\d+$", line)) for line in lines)
    if 2 * contents >= len(words):
        return "prose"
    return "verse" if short >= 0.8 * len(words) and (2 * capital >= len(words) or max(map(len, words)) <= 50) else "prose"


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # the archive's older plain texts
