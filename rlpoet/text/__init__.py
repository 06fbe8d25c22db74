"""Text from files and to files, its stanzas and lines, and one spelling of a line.

What a user hands over is read as strict UTF-8; what a reader may be looking at is written whole. Line breaks are data: nothing here
joins or wraps a line.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
import stat
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from rlpoet.errors import RlpoetError

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
OF_RUST = re.compile(r"\(os error (\d{1,4})\)")  # as its standard library spells an error of the system
BLOCK = 1 << 16  # what a Linux pipe holds
STRAIGHT = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\u00a0": " ", "\u202f": " ", "…": "..."})


# Letters that only typesetting tells from others: ligatures (ﬁ), full width, mathematical, the long s, ĳ.
TYPESET = re.compile("[\u0132\u0133\u017f\ufb00-\ufb06\uff21-\uff3a\uff41-\uff5a\U0001d400-\U0001d7cb]")


def plain_letters(text: str) -> str:
    """The text with the letters that a typesetter's signs stand for; other signs stay as they are.

    >>> plain_letters("ﬁre ½ ſea")
    'fire ½ sea'
    """
    return text if text.isascii() else TYPESET.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)


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


CLOSERS = {"(": ")", "[": "]", "{": "}", "«": "»", "“": "”", "„": "“”", "¿": "?!", "¡": "!?"}


def unclosed(text: str) -> str:
    """The first mark of a text that stays open, or closes what was not opened; empty if there is none.

    Spanish opens questions and exclamations; a closing ``?`` or ``!`` needs no opening mark, since French and English have none. Straight
    double quotes stand in pairs. Single quotes are apostrophes, and are not counted.

    >>> unclosed("Dijo: «¿quién va?»"), unclosed("¡Ay, noche (oscura"), unclosed('He said: "go'), unclosed("a) b")
    ('', '¡', '"', ')')
    """
    open_marks: list[str] = []
    for mark in text:
        if mark == '"' and '"' in open_marks:
            open_marks.remove('"')
        elif (opener := next((one for one in reversed(open_marks) if mark in CLOSERS.get(one, "")), None)) is not None:
            open_marks.remove(opener)
        elif mark in ")]}»”":
            return mark
        elif mark in CLOSERS or mark == '"':
            if mark in open_marks:
                return mark
            open_marks.append(mark)
    return open_marks[0] if open_marks else ""


def visible(text: str, *, keep: str = "") -> str:
    r"""Text that cannot move a terminal's cursor or change its colours: control characters become their pictures.

    Marks that turn the direction of writing become ``\ufffd``: with them a line reads as another one.

    Args:
        keep: control characters that stay, such as line ends.

    >>> visible("a\tb\x1b[1m"), visible("a\tb\x9b1m", keep="\t")
    ('a␉b␛[1m', 'a\tb␡1m')
    """
    return CONTROLS.sub(lambda found: found[0] if found[0] in keep else _picture(found[0]), text)


def read_text(path: str | Path) -> str:
    """The text of a file, or of standard input for ``-``.

    Raises:
        RlpoetError: no such file, a folder, not readable, not UTF-8, or nothing but white space in it.
    """
    text = "".join(read_rows(path))
    if not text.strip():
        raise RlpoetError(f"{_name(path)}: the file is empty; expected text.")
    return text


def given_lines(texts: Iterable[str]) -> list[str]:
    r"""The lines of texts that were given as arguments; ``-`` is standard input, a text with line breaks is several lines.

    >>> given_lines(["ombre", "sombre\n\nnombre"])
    ['ombre', 'sombre', 'nombre']
    """
    read = (read_text("-") if text == "-" else text for text in texts)
    return [line for text in read for line in (split_poem(text) if "\n" in text else [text])]


def read_rows(path: str | Path, before_waiting: Callable[[], object] = lambda: None, *, strict: bool = True) -> Iterator[str]:
    """Lines as they arrive, ends kept, so that ``-`` can be answered while it is still being written.

    Args:
        before_waiting: called each time before standard input is read, which may block until its writer goes on.
        strict: refuse what is not UTF-8; else such a byte is half a surrogate pair (PEP 383), for the caller to refuse its row.

    Raises:
        RlpoetError: as ``read_text``; invalid UTF-8 is reported with its line.
    """
    if str(path) == "-":
        yield from decoded(_arriving(sys.stdin.buffer, before_waiting), "<stdin>", strict=strict)
        return
    try:
        with Path(path).open("rb") as stream:
            yield from decoded(stream, str(path), strict=strict)
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror}; expected a readable file.") from None


def decoded(rows: Iterable[bytes] | BinaryIO, where: str, *, strict: bool = True) -> Iterator[str]:
    """Rows of UTF-8 as text, without the mark of byte order at the beginning.

    Args:
        where: what is read, for messages.
        strict: as for ``read_rows``.

    Raises:
        RlpoetError: a row that is not UTF-8.
    """
    for number, row in enumerate(rows, start=1):
        try:
            text = row.decode("utf-8", "strict" if strict else "surrogateescape")
        except UnicodeDecodeError as error:
            raise RlpoetError(
                f"{where}:{number}: byte 0x{row[error.start]:02x} at column {error.start + 1} is not UTF-8; expected UTF-8 text. "
                "Convert the file, for instance with `iconv -f latin1 -t utf-8`."
            ) from None
        yield text.removeprefix("\ufeff") if number == 1 else text


def read_object(path: str | Path, what: str) -> dict[str, Any]:
    """The table in a JSON file.

    Args:
        what: the file is to be, with its article, for messages.

    Raises:
        RlpoetError: no such file, or no JSON object in it.
    """
    try:
        item = json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror}; expected {what}.") from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of thousands of digits, lists in lists in lists
        raise RlpoetError(f"{path}: not JSON ({error!s:.80}); expected {what}.") from None
    if not isinstance(item, dict):
        raise RlpoetError(f"{path}: {type(item).__name__}; expected {what}, a JSON object.")
    return item


@contextmanager
def whole_file(path: str | Path) -> Iterator[BinaryIO]:
    """A stream to write a file to, which takes its place when all is written: no reader sees half of it, not even after a crash.

    Where writing fails, what stood there before stays. A folder that is missing is made. What is no file, such as a pipe or a terminal,
    is written to as it is.

    Raises:
        OSError: it cannot be written, with the file's name in it.
    """
    path = Path(path)
    with _named(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            with path.open("wb") as stream:
                yield stream
            return
        path = path.resolve() if path.is_symlink() else path  # the link stays
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _spare(path)
        try:
            with part.open("xb") as stream:  # with the mode of any new file
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(path)
            _sync_folder(path.parent)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextmanager
def whole_files(folder: str | Path, *, last: str = "") -> Iterator[Path]:
    """An empty folder to write files to, each of which takes its place in ``folder`` when all are written; see ``whole_file``.

    Args:
        folder: made if missing; other files in it stay.
        last: pattern of the names that go last, of files by which a reader knows that the others are there.

    Raises:
        OSError: one cannot be written, with the folder's name in it.
    """
    folder = Path(folder)
    with _named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        parts = _spare(folder / "files")
        parts.mkdir()
        try:
            usual = _usual_mode(parts / "mode")
            yield parts
            written = sorted(path for path in parts.rglob("*") if path.is_file())
            written.sort(key=lambda path: bool(last) and path.match(last))
            for path in written:
                with path.open("rb") as stream:
                    os.fsync(stream.fileno())
                with suppress(OSError):  # a file system without modes
                    path.chmod(usual)  # safetensors lets nobody but the owner read what it writes
            for path in written:
                place = folder / path.relative_to(parts)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
            _sync_folder(folder)
        finally:
            shutil.rmtree(parts, ignore_errors=True)


def check_writable(path: str | Path) -> None:
    """Refuse a file that cannot be written, before the work whose result it is to hold. Its folder is made if it is missing.

    Raises:
        RlpoetError: it cannot be written.
    """
    path = Path(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # a pipe, a terminal
        return
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        spare = _spare(path)
        spare.touch(exist_ok=False)
        spare.unlink()
    except OSError as error:
        raise RlpoetError(f"{path}: {error.strerror}; expected a file that can be written. Name another one.") from None


def is_part(path: Path) -> bool:
    """Whether a name is that of a file which is still being written, or whose writer was killed.

    >>> is_part(Path("a/.config.yaml.12-0f.part")), is_part(Path("a/b.part"))
    (True, False)
    """
    return path.name.startswith(".") and path.suffix == ".part"


def remove_parts(folder: Path) -> None:
    """Delete what processes left that were killed while they wrote to a folder or below. Nobody may be writing there."""
    for path in [path for path in folder.rglob(".*") if is_part(path)]:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_atomically(path: str | Path, text: str) -> None:
    """Write a text file whole, as UTF-8; see ``whole_file``."""
    with whole_file(path) as stream:
        stream.write(text.encode("utf-8"))


def _spare(path: Path) -> Path:
    """A name beside a path that no other process and no other thread has."""
    return path.with_name(f".{path.name[:100]}.{os.getpid()}-{secrets.token_hex(4)}.part")


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Errors of the system with a file's name in them: a full disk names none, and libraries in Rust have kinds of their own for it."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise
    except Exception as error:
        if (told := OF_RUST.search(str(error))) is None:
            raise
        number = int(told[1])
        raise OSError(number, os.strerror(number), str(path)) from error


def _usual_mode(path: Path) -> int:
    """The mode that a new file has here, from one that is made at a path and deleted again: asking for the umask would change it."""
    path.touch(exist_ok=False)
    mode = stat.S_IMODE(path.stat().st_mode)
    path.unlink()
    return mode


def _sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk, where that can be asked for."""
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _picture(control: str) -> str:
    if control < " ":
        return chr(0x2400 + ord(control))
    return "␡" if control < "\xa0" else "\ufffd"


def _name(path: str | Path) -> str:
    return "<stdin>" if str(path) == "-" else str(path)


def _arriving(stream: BinaryIO, before_waiting: Callable[[], object]) -> Iterator[bytes]:
    """The rows of a stream, each as soon as its end has come, in as few reads as its writer allows."""
    pending: list[bytes] = []  # of a row whose end has not come yet
    read = getattr(stream, "read1", stream.read)
    while True:
        before_waiting()
        block = read(BLOCK)
        if not block:
            break
        *whole, rest = block.split(b"\n")
        for row in whole:
            pending.append(row)
            yield b"".join(pending) + b"\n"
            pending.clear()
        pending.append(rest)
    if any(pending):
        yield b"".join(pending)
