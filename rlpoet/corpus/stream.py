"""Lines and JSON objects of files of any size, one after the other: memory holds one row, not the file.

A file that would fill memory all the same is refused: one with a row of ``LONGEST`` bytes, and a compressed one that holds far more than
any text does.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import unicodedata
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from rlpoet.errors import RlpoetError
from rlpoet.text import decoded
from rlpoet.text.json_rows import json_value

LONGEST = 1 << 26  # bytes of a row
MOST_UNPACKED, MOST_RATIO = 1 << 28, 100  # bytes of a compressed file, once they are so many times its size: text shrinks to a third
BLOCK = 1 << 20
GAP = re.compile(r"[\s,]*")


def lines_of(path: Path) -> Iterator[str]:
    r"""The lines of a file, with their ends, in NFC; ``\n`` ends a line.

    Raises:
        RlpoetError: the file cannot be read, is no gzip file though its name ends in ``.gz``, is too large once unpacked, is not UTF-8, or
            has nothing but white space in it.
    """
    empty = True
    with _opened(path) as stream:
        for line in decoded(_parts(path, stream, stream.readline), str(path)):
            empty = empty and line.isspace()
            yield unicodedata.normalize("NFC", line)
    if empty:
        raise RlpoetError(f"{path}: the file is empty; expected poems.")


def table_lines_of(path: Path) -> Iterator[str]:
    r"""As ``lines_of``, for CSV, where ``\r`` ends a line as well."""
    for line in lines_of(path):
        yield from io.StringIO(line, newline="") if "\r" in line else [line]


def objects_of(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON file, one a line or in one list, each with its line, or its number in the list.

    Raises:
        RlpoetError: as ``lines_of``; what is no JSON, or no object.
    """
    if _begins_a_list(path):
        yield from _listed(path)
        return
    for number, line in enumerate(lines_of(path), start=1):
        if line.strip():
            yield number, _checked(path, number, json_value(line, f"{path}:{number}", "one poem a line"))


def objects_in(text: str, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """As ``objects_of``, of a text.

    Args:
        where: what the text is called in errors.
    """
    if text.lstrip().startswith("["):
        try:
            items = json.loads(text)
        except (ValueError, RecursionError) as error:
            why = getattr(error, "msg", str(error))[:60]
            raise RlpoetError(f"{where}: the list is not JSON ({why}); expected a list of poems, or one a line.") from None
        yield from ((number, _checked(where, number, item)) for number, item in enumerate(items, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, _checked(where, number, json_value(line, f"{where}:{number}", "one poem a line"))


def blocks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file, unpacked, in parts.

    Raises:
        RlpoetError: as ``lines_of``, but for what is said of text.
    """
    with _opened(path) as stream:
        yield from _parts(path, stream, stream.read, BLOCK)


def _checked(path: Path | str, number: int, item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise RlpoetError(f'{path}:{number}: {str(item)[:40]!r} is no poem; expected an object with "stanzas" or a column of text.')
    return item


def _begins_a_list(path: Path) -> bool:
    with _opened(path) as stream:
        for block in _parts(path, stream, stream.read, 1 << 12):
            if begun := block.lstrip(b"\xef\xbb\xbf \t\r\n"):
                return begun.startswith(b"[")
    return False


def _listed(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a list."""
    read, number, more, wanted = json.JSONDecoder().raw_decode, 0, True, BLOCK
    expected = "expected a list of poems, or one a line"
    with _opened(path) as stream:
        blocks = codecs.iterdecode(_parts(path, stream, stream.read, BLOCK), "utf-8-sig")
        text = next(filter(None, (block.lstrip() for block in blocks)))
        at = 1
        while True:
            try:
                at = _end(GAP, text, at)
                if text.startswith("]", at) and not more:
                    if text[at + 1 :].strip():
                        raise RlpoetError(f"{path}: text after the list; {expected}.")
                    return
                item, end = read(text, at)
                if end == len(text) and more:
                    raise json.JSONDecodeError("cut", text, end)  # a number may go on
            except (ValueError, RecursionError) as error:
                if not isinstance(error, json.JSONDecodeError) or not more or len(text) - at > LONGEST:
                    why = getattr(error, "msg", str(error))[:60]
                    raise RlpoetError(f"{path}: poem {number + 1} of the list is not JSON ({why}); {expected}.") from None
                parts, size = [text[at:]], 0
                while size < wanted and (block := next(blocks, "")):
                    parts.append(block)
                    size += len(block)
                text, at, more, wanted = "".join(parts), 0, size >= wanted, 2 * wanted  # an object that goes on is read anew
                continue
            number, at, wanted = number + 1, end, BLOCK
            yield number, _checked(path, number, item)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked."""
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as stream:
            yield stream  # type: ignore[misc]
    except (OSError, EOFError, zlib.error) as error:
        raise RlpoetError(f"{path}: cannot be read ({error}); expected a readable file, gzip-compressed if it ends in .gz.") from None
    except UnicodeDecodeError as error:
        raise RlpoetError(f"{path}: byte 0x{error.object[error.start]:02x} is not UTF-8; expected UTF-8 text. Convert it.") from None


def _parts(path: Path, stream: BinaryIO, read: Callable[[int], bytes], size: int = LONGEST + 1) -> Iterator[bytes]:
    packed, unpacked = path.stat().st_size if path.suffix.lower() == ".gz" else 0, 0
    while part := read(size):
        unpacked += len(part)
        if len(part) > LONGEST:
            raise RlpoetError(f"{path}: a row of more than {LONGEST >> 20} MiB; expected poems, one a row.")
        if packed and unpacked > max(MOST_UNPACKED, MOST_RATIO * packed):
            raise RlpoetError(
                f"{path}: {packed:,} bytes hold more than {MOST_UNPACKED:,}; expected text, of which a third is left when it is packed. "
                "Unpack it first if it is meant."
            )
        yield part
