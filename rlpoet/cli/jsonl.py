"""JSON Lines in, JSON Lines out: the machine side of ``rhymes`` and ``scan``.

One answer a line, in input order. That to a row which cannot be answered is ``{"error": ..., "line": ...}``, or the reading stops there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import best_kind
from rlpoet.text import read_rows
from rlpoet.text.escapes import json_row
from rlpoet.text.json_rows import json_value
from rlpoet.types import Scansion

OnError = Literal["go_on", "stop"]
Answers = Callable[[Iterable[str], str, str, OnError], Iterator[dict[str, Any]]]
YOUNG_OBJECTS = 50_000  # an answer makes a few hundred objects, none of them in a cycle


def parse(row: str, at: str) -> dict[str, Any]:
    """The object that a row holds.

    Raises:
        RlpoetError: it holds none.
    """
    try:
        row.encode("utf-8")
    except UnicodeEncodeError as error:  # bytes that are no UTF-8 were read as halves of surrogate pairs
        raise RlpoetError(f"{at}: byte 0x{ord(row[error.start]) & 0xFF:02x} is not UTF-8; expected UTF-8 text.") from None
    item = json_value(row, at, "one object a line")
    if not isinstance(item, dict):
        raise RlpoetError(f"{at}: {type(item).__name__}; expected one JSON object a line.")
    return item


def answered(
    rows: Iterable[str], where: str, answer: Callable[[dict[str, Any], str], dict[str, Any]], on_error: OnError
) -> Iterator[dict[str, Any]]:
    """The answer to each row that is not empty.

    Args:
        rows: lines of JSON.
        where: what they are read from, for messages.
        answer: from an object, and where it stands.
        on_error: what to do about a row that cannot be answered.

    Raises:
        RlpoetError: there is one, and ``on_error`` is ``stop``.
    """
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        at = f"{where}:{number}"
        try:
            found = answer(parse(row, at), at)
        except RlpoetError as error:
            if on_error == "stop":
                raise
            found = {"error": str(error).removeprefix(f"{at}: "), "line": number}
        yield found


def answer_rhymes(rows: Iterable[str], lang: str, where: str = "<stdin>", on_error: OnError = "stop") -> Iterator[dict[str, Any]]:
    """``{"lines": [...], "pairs": [[i, j], ...]}`` to ``{"rhymes": [...], "kinds": [...]}``; see ``answered``."""
    rules = verse(lang)
    detecting = frozenset(getattr(rules, "detecting", rules.rhyming))
    rhyming_for = getattr(rules, "rhyming_for", lambda lines: detecting)
    loose_for: Callable[[Sequence[str]], frozenset[int]] = getattr(rules, "loose_for", lambda lines: frozenset())
    strict = rules.rhyming | {"identical"}  # what a line needs that the poem leaves loose

    def answer(item: dict[str, Any], at: str) -> dict[str, Any]:
        lines, pairs = item.get("lines"), item.get("pairs")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise RlpoetError(f'{at}: "lines" is {lines!r:.60}; expected a list of strings.')
        if pairs is None:
            pairs = [[i, j] for i in range(len(lines)) for j in range(i + 1, len(lines))]
        if not isinstance(pairs, list):
            raise RlpoetError(f'{at}: "pairs" is {pairs!r:.60}; expected a list of pairs [i, j] from 0.')
        full, loose = rhyming_for(lines) | {"identical"}, loose_for(lines)
        endings = [rules.endings(line) for line in lines]  # once a line, not once a pair: finding them is most of the work
        kinds = []
        for pair in pairs:
            try:
                i, j = pair
                if i < 0 or j < 0:
                    raise IndexError
                kinds.append(best_kind(endings[i], endings[j], rules))
            except (TypeError, ValueError, IndexError):
                raise RlpoetError(f"{at}: pair {pair!r:.60} does not name two of the {len(lines)} lines; expected [i, j] from 0.") from None
        if loose:
            wanted = [strict if loose.intersection(pair) else full for pair in pairs]
            found = [kind in names for kind, names in zip(kinds, wanted, strict=True)]
        else:
            found = [kind in full for kind in kinds]
        return {"rhymes": found, "kinds": kinds}

    yield from answered(rows, where, answer, on_error)


def answer_scans(rows: Iterable[str], lang: str, where: str = "<stdin>", on_error: OnError = "stop") -> Iterator[dict[str, Any]]:
    """``{"line": "...", "target": 12}`` to ``{"syllables": 12, "stress": ..., "fits": true}``; see ``answered``.

    A language may offer ``counted(line, target)``, which is ``scan`` without the syllables' texts: nobody sees them here.
    """
    rules = verse(lang)
    count: Callable[[str, int | None], Scansion] = getattr(rules, "counted", rules.scan)

    def answer(item: dict[str, Any], at: str) -> dict[str, Any]:
        line, target = item.get("line"), item.get("target")
        if not isinstance(line, str):
            raise RlpoetError(f'{at}: "line" is {line!r:.60}; expected a string.')
        if target is not None and (not isinstance(target, int) or isinstance(target, bool) or target < 1):
            raise RlpoetError(f'{at}: "target" is {target!r:.60}; expected a number of syllables, 1 or more.')
        scansion = count(line, target)
        found: dict[str, Any] = {"syllables": scansion.syllables, "stress": scansion.stress}
        if target is not None:
            found["fits"] = scansion.fits
        if scansion.caesura is not None:
            found["caesura"] = scansion.caesura
        if scansion.guessed:
            found["guessed"] = list(scansion.guessed)
        return found

    yield from answered(rows, where, answer, on_error)


def write_answers(answers: Answers, path: str, lang: str, on_error: OnError = "go_on") -> int:
    """Answer the rows of a file, or of standard input for ``-``, on standard output.

    Answers go out in blocks, yet none waits for a question: whatever is answered is flushed before more input is
    waited for, so that a program may send one row, read its answer, and send the next.

    Args:
        answers: ``answer_rhymes`` or ``answer_scans``.
        on_error: what to do about a row that cannot be answered.

    Returns:
        An exit code: 1 if there was such a row.

    Raises:
        RlpoetError: there was one, and ``on_error`` is ``stop``; those before it are answered.
    """
    out = sys.stdout
    verse(lang)  # its tables, which live as long as the process, before the collector is told to pass them by
    kept = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *kept[1:])
    try:
        rows = read_rows(path, before_waiting=out.flush, strict=on_error == "stop")
        code = 0
        for answer in answers(rows, lang, "<stdin>" if path == "-" else path, on_error):
            code = code or int("error" in answer)
            out.write(json_row(answer) + "\n")
        return code
    finally:
        gc.set_threshold(*kept)
        gc.unfreeze()
