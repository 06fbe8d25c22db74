"""JSON Lines in, JSON Lines out: the machine side of ``rhymes`` and ``scan``.

One answer a line, in input order. A row that cannot be read is an error that names its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rlpoet.errors import RlpoetError
from rlpoet.prosody import verse
from rlpoet.prosody.rhyme import rhyme_kind


def parse(rows: Iterable[str], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each non-empty row as ``(where:line, object)``."""
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        try:
            item = json.loads(row)
        except json.JSONDecodeError as error:
            raise RlpoetError(f"{where}:{number}: not JSON ({error.msg}); expected one object a line.") from None
        if not isinstance(item, dict):
            raise RlpoetError(f"{where}:{number}: {type(item).__name__}; expected one JSON object a line.")
        yield f"{where}:{number}", item


def answer_rhymes(rows: Iterable[str], lang: str, where: str = "<stdin>") -> Iterator[dict[str, Any]]:
    """``{"lines": [...], "pairs": [[i, j], ...]}`` to ``{"rhymes": [...], "kinds": [...]}``."""
    ear = verse(lang)
    detecting = frozenset(getattr(ear, "detecting", ear.rhyming))
    rhyming_for = getattr(ear, "rhyming_for", lambda lines: detecting)
    loose_for: Callable[[Sequence[str]], frozenset[int]] = getattr(ear, "loose_for", lambda lines: frozenset())
    for at, item in parse(rows, where):
        lines, pairs = item.get("lines"), item.get("pairs")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise RlpoetError(f'{at}: "lines" is {lines!r:.60}; expected a list of strings.')
        if pairs is None:
            pairs = [[i, j] for i in range(len(lines)) for j in range(i + 1, len(lines))]
        full, loose = rhyming_for(lines) | {"identical"}, loose_for(lines)
        strict = ear.rhyming | {"identical"}  # what a line needs that the poem leaves loose
        kinds = []
        for pair in pairs:
            try:
                i, j = pair
                if i < 0 or j < 0:
                    raise IndexError
                kinds.append(rhyme_kind(lines[i], lines[j], lang))
            except (TypeError, ValueError, IndexError):
                raise RlpoetError(f"{at}: pair {pair!r} does not name two of the {len(lines)} lines; expected [i, j] from 0.") from None
        wanted = [strict if loose.intersection(pair) else full for pair in pairs]
        yield {"rhymes": [kind in names for kind, names in zip(kinds, wanted, strict=True)], "kinds": kinds}


def answer_scans(rows: Iterable[str], lang: str, where: str = "<stdin>") -> Iterator[dict[str, Any]]:
    """``{"line": "...", "target": 12}`` to ``{"syllables": 12, "stress": ..., "fits": true}``."""
    ear = verse(lang)
    for at, item in parse(rows, where):
        line, target = item.get("line"), item.get("target")
        if not isinstance(line, str):
            raise RlpoetError(f'{at}: "line" is {line!r:.60}; expected a string.')
        if target is not None and (not isinstance(target, int) or isinstance(target, bool) or target < 1):
            raise RlpoetError(f'{at}: "target" is {target!r}; expected a number of syllables, 1 or more.')
        scansion = ear.scan(line, target)
        answer: dict[str, Any] = {"syllables": scansion.syllables, "stress": scansion.stress}
        if target is not None:
            answer["fits"] = scansion.fits
        if scansion.caesura is not None:
            answer["caesura"] = scansion.caesura
        if scansion.guessed:
            answer["guessed"] = list(scansion.guessed)
        yield answer
